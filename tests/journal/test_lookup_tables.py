"""The keeper's own lookup tables: written down before they exist, struck out when they are proven not to."""

from __future__ import annotations

import pytest

from keeper.journal.journal import Journal
from keeper.journal.records import FencedOut, JournalError, OwnTable
from keeper.units import Slot
from tests.journal.conftest import Clock

FIRST = OwnTable("table-1", "wallet-a", Slot(7))
SECOND = OwnTable("table-2", "wallet-a", Slot(5))
FOREIGN = OwnTable("table-3", "wallet-b", Slot(6))


async def test_tables_are_kept_by_wallet_and_slot(url: str, clock: Clock) -> None:
    async with await Journal.open(url, wall=clock) as journal:
        held = await journal.acquire("keeper-0", 15.0)
        assert await journal.tables() == ()
        for table in (FIRST, SECOND, FOREIGN, FIRST):
            await journal.record_table(held, table)
    async with await Journal.open(url, wall=clock) as journal:
        assert await journal.tables("wallet-a") == (SECOND, FIRST)
        assert await journal.tables() == (SECOND, FOREIGN, FIRST)
        assert await journal.tables("wallet-c") == ()


async def test_one_that_is_struck_out_is_gone_and_striking_it_out_again_is_harmless(url: str, clock: Clock) -> None:
    async with await Journal.open(url, wall=clock) as journal:
        held = await journal.acquire("keeper-0", 15.0)
        await journal.record_table(held, FIRST)
        for _ in range(2):
            await journal.forget_table(held, FIRST.address)
            assert await journal.tables() == ()
        await journal.record_table(held, OwnTable(FIRST.address, "wallet-a", Slot(9)))


async def test_one_that_is_out_of_use_stays_known_as_such(url: str, clock: Clock) -> None:
    async with await Journal.open(url, wall=clock) as journal:
        held = await journal.acquire("keeper-0", 15.0)
        await journal.record_table(held, FIRST)
        for address in (FIRST.address, FIRST.address, "unknown"):
            await journal.retire_table(held, address)
            assert await journal.tables() == (OwnTable("table-1", "wallet-a", Slot(7), retired=True),)
        await journal.record_table(held, FIRST)
        assert (await journal.tables())[0].retired


async def test_an_address_stands_for_one_table(url: str, clock: Clock) -> None:
    async with await Journal.open(url, wall=clock) as journal:
        held = await journal.acquire("keeper-0", 15.0)
        await journal.record_table(held, FIRST)
        with pytest.raises(JournalError, match="refused to change it"):
            await journal.record_table(held, OwnTable("table-1", "wallet-a", Slot(8)))
        for table in (OwnTable("", "wallet-a", Slot(1)), OwnTable("table-9", "", Slot(1))):
            with pytest.raises(JournalError, match="needs its address and its authority"):
                await journal.record_table(held, table)
        assert await journal.tables() == (FIRST,)


async def test_only_the_leader_writes(url: str, clock: Clock) -> None:
    async with await Journal.open(url, wall=clock) as journal:
        old = await journal.acquire("keeper-0", 15.0)
        await journal.record_table(old, FIRST)
        await journal.release(old)
        await journal.acquire("keeper-1", 15.0)
        with pytest.raises(FencedOut):
            await journal.record_table(old, SECOND)
        with pytest.raises(FencedOut):
            await journal.forget_table(old, FIRST.address)
        with pytest.raises(FencedOut):
            await journal.retire_table(old, FIRST.address)
        assert await journal.tables() == (FIRST,)
