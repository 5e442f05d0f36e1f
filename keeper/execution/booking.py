"""From a landed transaction to ledger entries: every balance of the wallet that it changed, to the lamport.

The wallet's books are its system account and its associated token accounts, and beside them the token accounts of its margin
account: raw collateral, deposit notes, and loan notes (which are owed; what is an asset and what a debt is for the valuation to
know). A token account's rent is booked in lamports beside
its tokens, so opening one moves lamports from one line to another and the sum shows only what truly left. In a wrapped-SOL
account the lamports that back its tokens are booked as tokens alone: every lamport is counted once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from solders.pubkey import Pubkey

from keeper.chain.answers import LandedTransaction, TokenBalance
from keeper.execution.bounds import LAMPORTS
from keeper.journal.records import LedgerEntry
from keeper.protocols.token import associated_token_addresses
from keeper.units import WSOL_ADDRESS


class IncompleteMetadata(Exception):
    """The node's record of a landed transaction lacks what the ledger needs; another read or another node may have it."""


@dataclass(frozen=True, slots=True)
class Booking:
    """Ledger entries of one transaction, and the wallet's net change by asset (fee included)."""

    entries: tuple[LedgerEntry, ...]
    deltas: dict[str, int]


def book(
    transaction: LandedTransaction, owner: Pubkey, strategy: str, tracked: frozenset[Pubkey] = frozenset()
) -> Booking:
    """The entries of ``transaction`` for ``owner``, who paid its fee. ``tracked`` are token accounts of others that are in the
    books, too (``lending_sight.tracked_accounts``).

    Raises ``IncompleteMetadata`` where balances are missing, an owner is not named, or the block has no time yet.
    """
    if owner not in transaction.account_keys:
        raise IncompleteMetadata(f"{transaction.signature} does not name the wallet {owner}")
    if transaction.block_time is None:
        raise IncompleteMetadata(f"the block of {transaction.signature} (slot {transaction.slot}) has no time yet")
    sizes = {len(transaction.account_keys), len(transaction.pre_balances), len(transaction.post_balances)}
    if len(sizes) != 1:
        raise IncompleteMetadata(f"{transaction.signature}: balances and account keys differ in number {sorted(sizes)}")
    changes: Counter[tuple[Pubkey, str]] = Counter()
    own_tokens: set[Pubkey] = set()
    for sign, balances in ((1, transaction.post_token_balances), (-1, transaction.pre_token_balances)):
        for balance in balances:
            if balance.owner is None:
                raise IncompleteMetadata(f"{transaction.signature}: token balance of {balance.account} names no owner")
            associated = balance.owner == owner and balance.account in _associated(owner, balance)
            if associated or balance.account in tracked:
                own_tokens.add(balance.account)
                changes[balance.account, balance.amount.mint.address] += sign * balance.amount.units
    for account in own_tokens:
        wrapped = changes[account, WSOL_ADDRESS]
        changes[account, LAMPORTS] += transaction.lamports_change(account).value - wrapped
    fee = transaction.fee.value
    changes[owner, LAMPORTS] += transaction.lamports_change(owner).value + fee
    lines = [(owner, LAMPORTS, "fee", -fee)]
    lines.extend(
        (account, asset, "trade", delta)
        for (account, asset), delta in sorted(changes.items(), key=lambda item: (str(item[0][0]), item[0][1]))
        if delta
    )
    signature, slot, when = str(transaction.signature), transaction.slot, transaction.block_time
    entries = tuple(
        LedgerEntry(signature, slot, when, str(account), asset, kind, delta, strategy)
        for account, asset, kind, delta in lines
    )
    return Booking(entries, net(entries))


def _associated(owner: Pubkey, balance: TokenBalance) -> tuple[Pubkey, ...]:
    """Where the wallet's own account for that token is; a transaction's record does not always name the token program."""
    return associated_token_addresses(owner, Pubkey.from_string(balance.amount.mint.address))


def net(entries: Iterable[LedgerEntry]) -> dict[str, int]:
    """Change by asset over all accounts; assets that come out even are left out."""
    total: Counter[str] = Counter()
    for entry in entries:
        total[entry.asset] += entry.delta
    return {asset: delta for asset, delta in sorted(total.items()) if delta}
