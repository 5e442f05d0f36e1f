"""The ledger held against the chain, and what a difference means.

More on chain than booked is money that somebody sent us: it is booked as ``external``, so that profit is not made of it. Less on
chain than booked is money that moved without a transaction of ours. A node that answers from just before our last
transaction shows a difference too, so nothing is concluded about a balance before two checks in a row say the same of it.

Loan notes are owed, so there it is the other way round: fewer are somebody's gift, more are a debt that nobody but us could make,
by a transaction that was taken for dead, or by a key that somebody else has.

Anybody can put a token of his own making into the wallet, and some token programs let its issuer take it back. So only the
assets that the keeper trades can go missing; what happens to the others is booked as it comes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum

import structlog
from solders.pubkey import Pubkey

from keeper.chain.clock import Clock
from keeper.chain.errors import RpcError
from keeper.chain.rpc import RpcClient
from keeper.execution.bounds import LAMPORTS
from keeper.execution.reconcile import Drift, drift, opening_entries
from keeper.journal.journal import Journal
from keeper.journal.records import Leadership, LedgerEntry
from keeper.protocols.layout import LayoutError
from keeper.protocols.lending import LendingAddresses
from keeper.units import UnixTime

log = structlog.get_logger(__name__)


class BooksState(StrEnum):
    """AGREE to the lamport; IN_DOUBT after one difference or an unreachable node; BROKEN when money is missing for sure."""

    AGREE = "agree"
    IN_DOUBT = "in_doubt"
    BROKEN = "broken"


class Books:
    """Checks the ledger. Keeps the last difference seen."""

    def __init__(
        self,
        journal: Journal,
        rpc: RpcClient,
        owner: Pubkey,
        clock: Clock,
        traded: Collection[str],
        *,
        lending: LendingAddresses | None = None,
    ) -> None:
        """``traded``: the assets (``"lamports"`` or a mint's address) that must never go missing. ``lending``: where the margin
        account is, whose token accounts are in the books, too; its loans must never grow by themselves."""
        self._journal = journal
        self._rpc = rpc
        self._owner = owner
        self._clock = clock
        self._traded = frozenset(traded)
        self._lending = lending
        self._owed = (
            frozenset(str(pool.loan_note_mint) for pool in lending.pools) if lending is not None else frozenset()
        )
        self.drift: tuple[Drift, ...] = ()
        self.opening: Mapping[str, int] = {}

    @property
    def in_doubt(self) -> bool:
        """Whether the last check saw a difference."""
        return bool(self.drift)

    @property
    def short(self) -> bool:
        """Whether the last check missed money. Nothing may be entered until the next one says what became of it."""
        return any(self._missing(item) for item in self.drift)

    async def open(self, leadership: Leadership) -> None:
        """Write the opening balances at the very first start, read them at every later one.

        Raises ``JournalError``, ``RpcError``; ``LayoutError`` for a token account of the wallet that does not decode.
        """
        now = UnixTime(int(self._clock.wall()))
        await self._journal.open_ledger(leadership, await opening_entries(self._rpc, self._owner, now, self._lending))
        self.opening = await opening_balances(self._journal, self._owner)

    async def check(self, leadership: Leadership) -> BooksState:
        """Compare once. Raises ``JournalError``, ``FencedOut``."""
        try:
            found = await drift(self._journal, self._rpc, self._owner, self._lending)
        except (RpcError, LayoutError) as error:
            log.warning("books_unchecked", error=str(error))
            return BooksState.IN_DOUBT
        settled = [kept for item in found if (kept := self._settled(item)) is not None]
        self.drift = found
        if not found:
            return BooksState.AGREE
        log.warning("ledger_drift", drift=[str(item) for item in found], confirmed=[str(item) for item in settled])
        if any(self._missing(item) for item in settled):
            return BooksState.BROKEN
        if settled:
            try:
                await self._book_external(leadership, settled)
            except RpcError as error:
                log.warning("external_change_unbooked", error=str(error))
        return BooksState.IN_DOUBT if self.drift else BooksState.AGREE

    def _missing(self, item: Drift) -> bool:
        if item.asset in self._owed:
            return item.on_chain > item.booked
        return item.on_chain < item.booked and item.asset in self._traded

    def _settled(self, item: Drift) -> Drift | None:
        """The part of a difference that the last check saw too, None where that is nothing."""
        last = next((one for one in self.drift if (one.account, one.asset) == (item.account, item.asset)), None)
        if last is None:
            return None
        before, now, quiet = last.on_chain - last.booked, item.on_chain - item.booked, last.booked == item.booked
        if now < 0:
            # the same amount missing across our own trades is no node that lags; a shortfall that shrinks may be one
            return item if now == before or (quiet and now < before < 0) else None
        return replace(item, on_chain=item.booked + min(before, now)) if quiet and before > 0 else None

    async def _book_external(self, leadership: Leadership, settled: Sequence[Drift]) -> None:
        entries = await book_external(self._journal, self._rpc, leadership, settled, self._clock)
        log.info("external_change_booked", entries=[f"{entry.delta:+d} {entry.asset}" for entry in entries])
        booked = {(item.account, item.asset): item.on_chain for item in settled}
        after = (replace(item, booked=booked.get((item.account, item.asset), item.booked)) for item in self.drift)
        self.drift = tuple(item for item in after if item.booked != item.on_chain)
        self.opening = await opening_balances(self._journal, self._owner)


async def book_external(
    journal: Journal, rpc: RpcClient, leadership: Leadership, found: Sequence[Drift], clock: Clock
) -> list[LedgerEntry]:
    """Book each difference as a change that no transaction of ours made. Raises ``JournalError``, ``RpcError``."""
    slot = await rpc.slot()
    when = UnixTime(int(clock.wall()))
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
    await journal.book(leadership, entries)
    return entries


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
