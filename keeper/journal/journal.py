"""The door of the journal: what must be known after a kill -9, written before anything depends on it.

A call that returns has been committed and synced to disk; a call that raises has written nothing, or, where the connection
broke while the commit was on its way, must be taken as in doubt and looked up after reopening. Each write carries the
leadership under which it is made and is refused in the same transaction when a newer one exists.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from keeper.journal import attempts, leadership, ledger, lookup_tables, samples, standing
from keeper.journal.database import Database
from keeper.journal.records import (
    AttemptRecord,
    AttemptState,
    IntentRecord,
    JournalError,
    Leadership,
    LedgerEntry,
    Order,
    OwnTable,
    Standing,
    Totals,
)
from keeper.journal.snapshot import Snapshot, take
from keeper.past import BorrowSample, EpochRates
from keeper.units import Lamports, Slot, UnixTime

NO_FEE = Lamports(0)


class Journal:
    """One open journal. Safe for concurrent use by the tasks of one event loop; close it before that loop ends.

    Every method raises ``JournalError`` when the database cannot be read or written, naming it and what to do. A cancelled
    call still runs to its end in the background, so a transaction is never abandoned half-way.
    """

    def __init__(self, database: Database, wall: Callable[[], float]) -> None:
        self._database = database
        self._wall = wall

    @classmethod
    async def open(cls, url: str, *, wall: Callable[[], float], patience: float = 5.0) -> Self:
        """Open, create where absent, and bring to the newest schema.

        ``url`` is ``sqlite:////absolute/file.db`` or ``postgresql://user:password@host/database``; ``wall`` gives seconds since
        1970; ``patience`` is how many seconds to wait for another writer. Raises ``JournalCorrupt`` for a damaged or foreign
        database (left untouched), ``SchemaTooNew`` for one of a newer keeper, ``JournalError`` for anything else.
        """
        return cls(await Database.open(url, patience=patience), wall)

    async def close(self) -> None:
        """Finish what is under way and let go of the database. Closing twice is harmless."""
        await self._database.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # Leadership

    async def acquire(self, holder: str, lease_seconds: float) -> Leadership:
        """Become the one writer, in a new epoch; from then on every earlier leadership is fenced out.

        A holder takes over its own lease at once, so a restarted process does not wait for itself: ``holder`` must therefore
        differ between replicas (the pod's name). Raises ``LeadershipHeld`` while another holder's lease runs.
        """
        now = self._wall()
        return await self._database.write(lambda conn: leadership.acquire(conn, holder, now, lease_seconds))

    async def renew(self, held: Leadership, lease_seconds: float) -> Leadership:
        """The same leadership with a lease that runs from now. Raises ``FencedOut``."""
        now = self._wall()
        return await self._database.write(lambda conn: leadership.renew(conn, held, now, lease_seconds))

    async def release(self, held: Leadership) -> None:
        """Let another take over at once. Writes under ``held`` are refused afterwards; without effect if it was lost before."""
        await self._database.write(lambda conn: leadership.release(conn, held))

    async def leader(self) -> Leadership | None:
        """Who leads, or led last and did not release; None when the leadership is free. Its lease may have run out."""
        return await self._database.read(leadership.current)

    # Intents and attempts

    async def record_intent(self, held: Leadership, intent: IntentRecord) -> None:
        """Record a decided step. Repeating the same one is harmless.

        Raises ``FencedOut``; ``JournalError`` when ``intent_id`` stands for something else already.
        """
        now = self._wall()
        await self._database.write(lambda conn: attempts.record_intent(conn, held, intent, now))

    async def record_attempt(self, held: Leadership, attempt: AttemptRecord) -> None:
        """Record signed bytes, in state SIGNED. Only when this has returned may the bytes leave the process.

        Raises ``FencedOut``; ``AttemptConflict`` when the intent has an attempt that is signed or landed; ``JournalError`` for
        an unknown intent and for a signature or attempt number that exists.
        """
        now = self._wall()
        await self._database.write(lambda conn: attempts.record_attempt(conn, held, attempt, now))

    async def resolve(
        self,
        held: Leadership,
        signature: str,
        state: AttemptState,
        *,
        landed_slot: Slot | None = None,
        error: str = "",
        fee: Lamports = NO_FEE,
        entries: Sequence[LedgerEntry] = (),
    ) -> None:
        """Give an attempt its terminal state and book what it changed, in one transaction.

        LANDED takes a slot and no error, FAILED a slot and the error's name, EXPIRED neither slot, fee nor entries. Repeating
        the same state is harmless and books nothing: the first account of it stands. Raises ``FencedOut``; ``JournalError``
        for an unknown signature, a contradicting terminal state, or entries that do not belong to this attempt.
        """
        now = self._wall()
        outcome = attempts.Outcome(signature, state, landed_slot, error, fee, tuple(entries))
        await self._database.write(lambda conn: attempts.resolve(conn, held, outcome, now))

    async def unresolved(self) -> tuple[AttemptRecord, ...]:
        """Attempts in state SIGNED, oldest first: what may still land."""
        return await self._database.read(attempts.unresolved)

    async def attempts(self, intent_id: str | None = None) -> tuple[AttemptRecord, ...]:
        """The attempts of one intent, or all there ever were, oldest first."""
        return await self._database.read(lambda conn: attempts.attempts(conn, intent_id))

    async def intent(self, intent_id: str) -> IntentRecord | None:
        """One intent, or None when it was never recorded."""
        return await self._database.read(lambda conn: attempts.find_intent(conn, intent_id))

    async def intents(self, limit: int = 100) -> tuple[IntentRecord, ...]:
        """The newest ``limit`` intents, newest first."""
        return await self._database.read(lambda conn: attempts.intents(conn, limit))

    # Ledger

    async def open_ledger(self, held: Leadership, entries: Sequence[LedgerEntry]) -> bool:
        """Book opening balances (kind ``opening``), once for each (account, asset).

        An account that the ledger knows already keeps what it has: counting today's balance on top would book it twice.
        True when every entry was booked, False when some were known already. Raises ``FencedOut``, ``JournalError``.
        """
        return await self._database.write(lambda conn: ledger.open_balances(conn, held, entries))

    async def book(self, held: Leadership, entries: Sequence[LedgerEntry]) -> None:
        """Book changes that no attempt of ours made (kind ``external``). Repeating an entry is harmless.

        Raises ``FencedOut``; ``JournalError`` when (signature, account, asset) is booked already with a different content.
        """
        await self._database.write(lambda conn: ledger.book(conn, held, entries))

    async def balances(self) -> dict[tuple[str, str], int]:
        """(account, asset) -> the sum of all its deltas, in lamports or token base units."""
        return await self._database.read(ledger.balances)

    async def entries(self, limit: int | None = 100) -> tuple[LedgerEntry, ...]:
        """The newest ``limit`` ledger entries, newest first; all of them for None."""
        return await self._database.read(lambda conn: ledger.entries(conn, limit))

    async def totals(self) -> Totals:
        """Counts and fees of resolved attempts."""
        return await self._database.read(ledger.totals)

    # Who owns what, the operator's orders, the past

    async def standing(self) -> Standing:
        """Who owns what and who is told what."""
        return await self._database.read(standing.standing)

    async def place_orders(self, strategies: Sequence[str]) -> tuple[Order, ...]:
        """Order ``strategies`` to unwind; answers with the order that each is under now, an older one included.

        Needs no leadership: an order moves no money, it only forbids entries, and whoever leads reads it at his next tick.
        """
        now = self._wall()
        return await self._database.write(lambda conn: standing.place(conn, strategies, now))

    async def cancel_orders(self, strategies: Sequence[str]) -> tuple[Order, ...]:
        """Lift the orders on ``strategies``; answers with those that were in effect. Needs no leadership."""
        now = self._wall()
        return await self._database.write(lambda conn: standing.cancel(conn, strategies, now))

    async def order_done(self, held: Leadership, strategy: str) -> None:
        """Note that a strategy under an order has nothing left to do; the order stays in effect. Raises ``FencedOut``."""
        now = self._wall()
        await self._database.write(lambda conn: standing.done(conn, held, strategy, now))

    async def keep_samples(
        self,
        held: Leadership,
        rates: EpochRates | None,
        borrows: Sequence[BorrowSample],
        *,
        forget_before: UnixTime,
    ) -> None:
        """Keep the rates of an epoch and borrow samples; drop samples from before ``forget_before``. Raises ``FencedOut``."""
        await self._database.write(lambda conn: samples.keep(conn, held, rates, borrows, forget_before))

    async def epoch_rates(self, newest: int) -> tuple[EpochRates, ...]:
        """The rates of the ``newest`` epochs that were seen, by rising epoch."""
        return await self._database.read(lambda conn: samples.rates(conn, newest))

    async def borrow_samples(self) -> tuple[BorrowSample, ...]:
        """Every sample that is kept, by rising time."""
        return await self._database.read(samples.borrows)

    # Lookup tables of the keeper's own

    async def record_table(self, held: Leadership, table: OwnTable) -> None:
        """Note the address of a lookup table before it is created. Repeating the same one is harmless.

        Raises ``FencedOut``; ``JournalError`` where the address stands for another one already.
        """
        now = self._wall()
        await self._database.write(lambda conn: lookup_tables.record(conn, held, table, now))

    async def forget_table(self, held: Leadership, address: str) -> None:
        """Strike out a lookup table that is proven not to exist; harmless for one that is not known. Raises ``FencedOut``."""
        await self._database.write(lambda conn: lookup_tables.forget(conn, held, address))

    async def retire_table(self, held: Leadership, address: str) -> None:
        """Note that a lookup table was seen deactivated: it is only kept to be closed. Raises ``FencedOut``."""
        now = self._wall()
        await self._database.write(lambda conn: lookup_tables.retire(conn, held, address, now))

    async def tables(self, authority: str | None = None) -> tuple[OwnTable, ...]:
        """The keeper's own lookup tables, those of ``authority`` or all, by rising slot."""
        return await self._database.read(lambda conn: lookup_tables.tables(conn, authority))

    # Looking in from outside

    async def snapshot(self, recent: int = 20) -> Snapshot:
        """Everything a status page shows, in one consistent read, with the newest ``recent`` intents and ledger entries."""
        return await self._database.read(lambda conn: take(conn, recent))

    async def writable(self) -> bool:
        """Whether a write commits and syncs now. For readiness probes; needs no leadership and never raises ``JournalError``."""
        now = self._wall()
        try:
            await self._database.write(lambda conn: leadership.beat(conn, now))
        except JournalError:
            return False
        return True
