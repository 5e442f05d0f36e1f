"""The ledger held against the chain, and what a difference means.

More on chain than booked is money that somebody sent us: it is booked as ``external``, so that profit is not made of it. Less on
chain than booked is money that moved without a transaction of ours. A node that answers from just before our last
transaction shows a difference too, so nothing is concluded before two checks in a row agree.
"""

from __future__ import annotations

from enum import StrEnum

import structlog
from solders.pubkey import Pubkey

from keeper.chain.clock import Clock
from keeper.chain.errors import RpcError
from keeper.chain.rpc import RpcClient
from keeper.execution.bounds import LAMPORTS
from keeper.execution.reconcile import Drift, drift
from keeper.journal.journal import Journal
from keeper.journal.records import Leadership, LedgerEntry
from keeper.units import UnixTime

log = structlog.get_logger(__name__)


class BooksState(StrEnum):
    """AGREE to the lamport; IN_DOUBT after one difference or an unreachable node; BROKEN when money is missing for sure."""

    AGREE = "agree"
    IN_DOUBT = "in_doubt"
    BROKEN = "broken"


class Books:
    """Checks the ledger. Keeps the last difference seen."""

    def __init__(self, journal: Journal, rpc: RpcClient, owner: Pubkey, clock: Clock) -> None:
        self._journal = journal
        self._rpc = rpc
        self._owner = owner
        self._clock = clock
        self.drift: tuple[Drift, ...] = ()

    @property
    def in_doubt(self) -> bool:
        """Whether the last check saw a difference."""
        return bool(self.drift)

    async def check(self, leadership: Leadership) -> BooksState:
        """Compare once. Raises ``JournalError``, ``FencedOut``."""
        try:
            found = await drift(self._journal, self._rpc, self._owner)
        except RpcError as error:
            log.warning("books_unchecked", error=str(error))
            return BooksState.IN_DOUBT
        confirmed = found == self.drift
        self.drift = found
        if not found:
            return BooksState.AGREE
        log.warning("ledger_drift", drift=[str(item) for item in found], confirmed=confirmed)
        if not confirmed:
            return BooksState.IN_DOUBT
        if any(item.on_chain < item.booked for item in found):
            return BooksState.BROKEN
        await self._book_external(leadership, found)
        return BooksState.AGREE

    async def _book_external(self, leadership: Leadership, found: tuple[Drift, ...]) -> None:
        slot = await self._rpc.slot()
        when = UnixTime(int(self._clock.wall()))
        entries = [
            LedgerEntry(
                signature=f"external:{slot}:{item.account}:{item.asset}",
                slot=slot,
                block_time=when,
                account=item.account,
                asset=item.asset,
                kind="external",
                delta=item.on_chain - item.booked,
            )
            for item in found
        ]
        await self._journal.book(leadership, entries)
        log.info("external_deposit_booked", entries=[f"{entry.delta:+d} {entry.asset}" for entry in entries])
        self.drift = ()


async def opening_balances(journal: Journal, owner: Pubkey) -> dict[str, int]:
    """What was held at the start and what others added since, by asset: the yardstick of profit.

    Lamports in token accounts are rent, which the NAV does not count either.
    """
    opening: dict[str, int] = {}
    for entry in await journal.entries(None):
        rent = entry.asset == LAMPORTS and entry.account != str(owner)
        if entry.kind in ("opening", "external") and not rent:
            opening[entry.asset] = opening.get(entry.asset, 0) + entry.delta
    return opening
