"""The ledger held against the chain, to the lamport: the wallet's system account and its associated token accounts, and the token
accounts of its margin account. Collateral that somebody else took (a liquidation) shows here as missing.

Other token accounts in the wallet's name are not in the books: the keeper never uses them, and whoever made one may have kept
the right to close it, so that its rent could go missing at his pleasure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from solders.pubkey import Pubkey

from keeper.chain.accounts import Account, AccountSnapshot
from keeper.chain.errors import RpcError
from keeper.execution.bounds import LAMPORTS
from keeper.execution.lending_sight import tracked_accounts
from keeper.execution.ports import Node
from keeper.journal.records import LedgerEntry
from keeper.protocols.addresses import SPL_TOKEN, TOKEN_2022
from keeper.protocols.lending import LendingAddresses
from keeper.protocols.token import TokenAccount, associated_token_address, decode_token_account
from keeper.units import WSOL_ADDRESS, Slot, UnixTime

OPENING = "opening"


class Ledger(Protocol):
    """The journal's balances: (account, asset) to the sum of its entries, and its newest entries."""

    async def balances(self) -> dict[tuple[str, str], int]: ...

    async def entries(self, limit: int | None = 100) -> tuple[LedgerEntry, ...]: ...


class NodeBehindLedger(RpcError):
    """The node answers from before what the ledger booked last: its balances say nothing about the ledger."""

    def __init__(self, slot: Slot, booked: Slot) -> None:
        super().__init__(
            f"balances of slot {slot}, but the ledger has booked up to slot {booked}: the node lags",
            method="getTokenAccountsByOwner",
            endpoint="primary",
        )


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


async def on_chain(node: Node, owner: Pubkey, lending: LendingAddresses | None = None) -> Books:
    """Read the balances of the wallet, and of its margin account where ``lending`` says where that is. Raises ``RpcError``;
    ``LayoutError`` for a token account that does not decode.

    As in ``booking``: a wrapped-SOL account's lamports beyond its rent are its tokens, and are counted as those alone.
    """
    tokens: AccountSnapshot = await node.token_accounts_by_owner(owner)
    tracked = tracked_accounts(lending)
    wallet = await node.accounts([owner, *sorted(tracked, key=str)], min_context_slot=tokens.slot)
    system = wallet.accounts.get(owner)
    balances = {(str(owner), LAMPORTS): 0 if system is None else system.lamports.value}
    for key, account in tokens.existing().items():
        decoded = decode_token_account(account.data, owner_program=account.owner)
        if key == associated_token_address(owner, decoded.mint, account.owner):
            balances |= _lines(key, account, decoded)
    for key in tracked:
        held = wallet.accounts.get(key)
        if held is not None and held.owner in (SPL_TOKEN, TOKEN_2022):  # else only lamports that somebody sent ahead
            balances |= _lines(key, held, decode_token_account(held.data, owner_program=held.owner))
    return Books(min(tokens.slot, wallet.slot), balances)


def _lines(key: Pubkey, account: Account, tokens: TokenAccount) -> dict[tuple[str, str], int]:
    wrapped = tokens.amount if tokens.is_native is not None else 0
    return {(str(key), LAMPORTS): account.lamports.value - wrapped, (str(key), str(tokens.mint)): tokens.amount}


async def drift(
    journal: Ledger, rpc: Node, owner: Pubkey, lending: LendingAddresses | None = None
) -> tuple[Drift, ...]:
    """Every balance on which the ledger and the chain differ; empty when all agree to the last unit.

    Meaningful while nothing is in flight. Raises as ``on_chain``, ``NodeBehindLedger``, and ``JournalError``.
    """
    booked = await journal.balances()
    booked_up_to = max((entry.slot for entry in await journal.entries()), default=Slot(0))
    books = await on_chain(rpc, owner, lending)
    if books.slot < booked_up_to:
        raise NodeBehindLedger(books.slot, booked_up_to)
    excess = {key: books.balances.get(key, 0) - booked.get(key, 0) for key in {*booked, *books.balances}}
    for account in {account for account, asset in excess if asset == WSOL_ADDRESS}:
        _offset(excess, (account, LAMPORTS), (account, WSOL_ADDRESS))
    return tuple(
        Drift(*key, booked.get(key, 0), booked.get(key, 0) + excess[key]) for key in sorted(excess) if excess[key]
    )


def _offset(excess: dict[tuple[str, str], int], one: tuple[str, str], other: tuple[str, str]) -> None:
    """Anybody may turn a wrapped-SOL account's plain lamports into its tokens (SyncNative): the same money by another name."""
    first, second = excess.get(one, 0), excess.get(other, 0)
    if first * second < 0:
        moved = min(abs(first), abs(second)) * (1 if first > 0 else -1)
        excess[one], excess[other] = first - moved, second + moved


async def opening_entries(
    rpc: Node, owner: Pubkey, when: UnixTime, lending: LendingAddresses | None = None
) -> tuple[LedgerEntry, ...]:
    """What the wallet and its margin account hold at a first start, as entries of kind ``opening`` for ``Journal.open_ledger``.

    ``when`` is the time they are booked at. Raises as ``on_chain``.
    """
    books = await on_chain(rpc, owner, lending)
    return tuple(
        LedgerEntry(f"{OPENING}:{books.slot}", books.slot, when, account, asset, OPENING, units)
        for (account, asset), units in sorted(books.balances.items())
    )
