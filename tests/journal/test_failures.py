"""When the database cannot: a named error, nothing half-written, and work goes on once it can again."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from keeper.journal.journal import Journal
from keeper.journal.records import AttemptConflict, AttemptState, JournalCorrupt, JournalError, Leadership
from keeper.units import Lamports, Slot

if TYPE_CHECKING:
    from tests.journal.conftest import Clock, Records


@pytest.fixture
def url(sqlite_url: str) -> str:
    return sqlite_url


async def test_a_locked_database_is_waited_for_then_named(
    sqlite_url: str, file: Path, clock: Clock, records: Records
) -> None:
    async with await Journal.open(sqlite_url, wall=clock, patience=0.05) as journal:
        held = await journal.acquire("keeper-0", 15.0)
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(JournalError, match=r"journal\.db.*locked.*another process"):
                await journal.record_intent(held, records.intent("i1", held))
            assert not await journal.writable()
            assert await journal.intents() == ()  # reading goes on
            other.execute("ROLLBACK")
        await journal.record_intent(held, records.intent("i1", held))
        assert await journal.writable()


async def test_a_database_locked_while_opening_is_named(sqlite_url: str, file: Path, clock: Clock) -> None:
    await (await Journal.open(sqlite_url, wall=clock)).close()
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match="locked"):
            await Journal.open(sqlite_url, wall=clock, patience=0.05)


async def test_a_full_disk_is_an_error_and_not_a_loss(
    journal: Journal, held: Leadership, records: Records, file: Path
) -> None:
    """The file-size limit stands in for the full disk: SQLite's writes fail in the same place."""
    await journal.record_intent(held, records.intent("kept", held))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    room = max(path.stat().st_size for path in file.parent.iterdir()) + 20_000
    written: list[str] = []

    async def fill() -> None:
        for number in range(100):
            await journal.record_intent(held, records.intent(f"i{number}", held, body="x" * 3000))
            written.append(f"i{number}")

    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with pytest.raises(JournalError, match=r"journal\.db failed: (disk I/O error|database or disk is full).*space"):
            await fill()
        refused = f"i{len(written)}"
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # not even the smallest write fits
        assert not await journal.writable()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [intent.intent_id for intent in await journal.intents(1000)] == [*reversed(written), "kept"]
    await journal.record_intent(held, records.intent(refused, held))
    assert await journal.intent(refused) is not None


def overwrite_pages(file: Path) -> None:
    with file.open("r+b") as damaged:
        for offset in range(8192, file.stat().st_size, 4096):
            damaged.seek(offset)
            damaged.write(b"\xa5" * 300)


async def test_damage_met_while_running_is_named(sqlite_url: str, file: Path, clock: Clock, records: Records) -> None:
    async with await Journal.open(sqlite_url, wall=clock) as journal:
        held = await journal.acquire("keeper-0", 15.0)
        for number in range(80):
            await journal.record_intent(held, records.intent(f"i{number}", held, body="x" * 3000))
    async with await Journal.open(sqlite_url, wall=clock) as journal:
        overwrite_pages(file)
        with pytest.raises(JournalCorrupt, match="damaged"):
            await journal.intents(1000)


@pytest.mark.parametrize("change", [{"decided_slot": Slot(2**63)}, {"reason": "\ud800"}])
async def test_a_value_that_no_column_takes_is_refused(
    journal: Journal, held: Leadership, records: Records, change: dict[str, Any]
) -> None:
    with pytest.raises(JournalError, match="cannot hold a value"):
        await journal.record_intent(held, records.intent("i1", held, **change))
    assert await journal.intents() == ()
    assert await journal.writable()


async def test_concurrent_use_of_one_journal(sqlite_url: str, clock: Clock, records: Records) -> None:
    """Forty tasks write and read at once; eight of them race for each intent, and one wins.

    Without patience: the tasks of one journal wait for each other, they do not meet at the database's lock.
    """
    journal = await Journal.open(sqlite_url, wall=clock, patience=0.0)
    held = await journal.acquire("keeper-0", 15.0)

    async def race(number: int) -> int:
        await journal.record_intent(held, records.intent(f"i{number}", held))
        rivals = [journal.record_attempt(held, records.attempt(f"i{number}", f"s{number}-{n}", n)) for n in range(8)]
        answers = await asyncio.gather(*rivals, return_exceptions=True)
        assert all(answer is None or isinstance(answer, AttemptConflict) for answer in answers)
        (live,) = await journal.attempts(f"i{number}")
        await journal.resolve(
            held,
            live.signature,
            AttemptState.LANDED,
            landed_slot=Slot(1),
            error="",
            fee=Lamports(5000),
            entries=[records.entry(live.signature, "fee", -5000)],
        )
        return sum(answer is None for answer in answers)

    assert await asyncio.gather(*(race(number) for number in range(5))) == [1] * 5
    assert await journal.balances() == {("wallet", "lamports"): -25_000}
    assert (await journal.totals()).landed == 5
    await journal.close()


async def test_a_cancelled_write_is_finished_nevertheless(journal: Journal, held: Leadership, records: Records) -> None:
    """Callers are cancelled at every stage of their write; nothing is torn, and only what never began is missing."""
    await journal.record_intent(held, records.intent("i1", held))
    await journal.record_attempt(held, records.attempt("i1", "s1"))
    for stage in range(12):
        booking = asyncio.ensure_future(journal.book(held, [records.entry(f"d{stage}", "external", 1, f"a{stage}")]))
        for _ in range(stage):
            await asyncio.sleep(0)
        booking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await booking
    await journal.book(held, [records.entry("last", "external", 1)])
    assert len(await journal.entries()) == 12  # eleven that had begun, and the last
    booked = {entry.account: entry.delta for entry in await journal.entries()}
    assert {account: delta for (account, _), delta in (await journal.balances()).items()} == booked
    assert booked["wallet"] == 1


async def test_closing_waits_for_writes_and_leaves_nothing_running(
    sqlite_url: str, file: Path, clock: Clock, records: Records
) -> None:
    before = set(threading.enumerate())
    journal = await Journal.open(sqlite_url, wall=clock)
    held = await journal.acquire("keeper-0", 15.0)
    writes = [asyncio.ensure_future(journal.record_intent(held, records.intent(f"i{n}", held))) for n in range(5)]
    reads = [asyncio.ensure_future(journal.intents()) for _ in range(5)]
    await asyncio.sleep(0)
    await journal.close()
    await asyncio.gather(*writes, *reads)
    await journal.close()
    # What asyncio itself keeps for to_thread ends with the loop.
    left = {thread for thread in set(threading.enumerate()) - before if not thread.name.startswith("asyncio_")}
    for thread in left:
        thread.join(5)  # SQLite's thread has answered and is returning
    assert not any(thread.is_alive() for thread in left)
    assert list(file.parent.iterdir()) == [file]  # the last connection folded the log into the file
    assert not await journal.writable()
    with pytest.raises(JournalError, match="was closed"):
        await journal.intents()
    async with await Journal.open(sqlite_url, wall=clock) as again:
        assert len(await again.intents()) == 5
