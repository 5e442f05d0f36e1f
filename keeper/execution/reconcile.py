"""The ledger held against the chain, to the lamport: the wallet's system account and all its token accounts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from solders.pubkey import Pubkey

from keeper.chain.accounts import AccountSnapshot
from keeper.execution.bounds import LAMPORTS
from keeper.execution.ports import Node
from keeper.journal.records import LedgerEntry
from keeper.protocols.token import decode_token_account
from keeper.units import Slot, UnixTime

OPENING = "opening"


class Ledger(Protocol):
    """The journal's balances: (account, asset) to the sum of its entries."""

    async def balances(self) -> dict[tuple[str, str], int]: ...


@dataclass(frozen=True, slots=True)
class Drift:
    """One balance on which ledger and chain differ. Lamports or token base units; 0 where one of them knows nothing."""

    account: str
    asset: str
    booked: int
    on_chain: int


@dataclass(frozen=True, slots=True)
class Books:
    """The wallet's balances as the chain shows them at ``slot``: (account, asset) to units, as the ledger books them."""

    slot: Slot
    balances: dict[tuple[str, str], int]


async def on_chain(node: Node, owner: Pubkey) -> Books:
    """Read the wallet's balances. Raises ``RpcError``; ``LayoutError`` for a token account that does not decode.

    As in ``booking``: a wrapped-SOL account's lamports beyond its rent are its tokens, and are counted as those alone.
    """
    tokens: AccountSnapshot = await node.token_accounts_by_owner(owner)
    wallet = await node.accounts([owner], min_context_slot=tokens.slot)
    system = wallet.accounts.get(owner)
    balances = {(str(owner), LAMPORTS): 0 if system is None else system.lamports.value}
    for key, account in tokens.existing().items():
        decoded = decode_token_account(account.data, owner_program=account.owner)
        wrapped = decoded.amount if decoded.is_native is not None else 0
        balances[str(key), LAMPORTS] = account.lamports.value - wrapped
        balances[str(key), str(decoded.mint)] = decoded.amount
    return Books(wallet.slot, balances)


async def drift(journal: Ledger, rpc: Node, owner: Pubkey) -> tuple[Drift, ...]:
    """Every balance on which the ledger and the chain differ; empty when all agree to the last unit.

    Meaningful while nothing is in flight. Raises as ``on_chain``, and ``JournalError``.
    """
    booked = await journal.balances()
    chain = (await on_chain(rpc, owner)).balances
    keys = sorted({*booked, *chain})
    return tuple(
        Drift(account, asset, booked.get((account, asset), 0), chain.get((account, asset), 0))
        for account, asset in keys
        if booked.get((account, asset), 0) != chain.get((account, asset), 0)
    )


async def opening_entries(rpc: Node, owner: Pubkey, when: UnixTime) -> tuple[LedgerEntry, ...]:
    """What the wallet holds at a first start, as ledger entries of kind ``opening`` (for ``Journal.open_ledger``).

    ``when`` is the time they are booked at. Raises as ``on_chain``.
    """
    books = await on_chain(rpc, owner)
    return tuple(
        LedgerEntry(f"{OPENING}:{books.slot}", books.slot, when, account, asset, OPENING, units)
        for (account, asset), units in sorted(books.balances.items())
    )
