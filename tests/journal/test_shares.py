"""Who owns what: moved by booking, never more than is there, and the same when it is made anew from old entries."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.journal import ledger, shares
from keeper.journal.database import Database
from keeper.journal.journal import Journal
from keeper.journal.records import AttemptState, JournalError, Leadership, LedgerEntry
from keeper.journal.schema import VERSION_TABLE
from keeper.journal.standing import asked_out
from keeper.journal.tables import metadata
from keeper.plan import Atomic, ClaimUnstake, RequestUnstake, TicketId
from keeper.units import SSOL, Lamports, Slot, TokenAmount, UnixTime
from keeper.units.canonical import canonical

if TYPE_CHECKING:
    from tests.journal.conftest import Clock, Records

FIRST_TABLES = {"leadership", "probe", "intents", "attempts", "ledger", "balances", "totals"}
GLOW = "glowsol"


def entry(signature: str, strategy: str, asset: str, delta: int, *, account: str = "ata") -> LedgerEntry:
    kind = "trade" if strategy else "external"
    return LedgerEntry(signature, Slot(5), UnixTime(9), account, asset, kind, delta, strategy)


booked = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(["", "loop", "compound", "arbitrage"]),
            st.sampled_from(["ata", "margin"]),
            st.sampled_from(["lamports", GLOW]),
            st.integers(-(2**64) + 1, 2**64 - 1) | st.integers(-5, 5),
        ),
        max_size=4,
        unique_by=lambda one: one[:3],
    ),
    max_size=12,
)


def history(transactions: Sequence[Sequence[tuple[str, str, str, int]]]) -> list[list[LedgerEntry]]:
    return [
        [
            LedgerEntry(f"s{number}", Slot(number), UnixTime(number), account, asset, kind, delta, strategy)
            for place, (strategy, account, asset, delta) in enumerate(changes)
            for kind in (ledger.KINDS[place % 4],)
        ]
        for number, changes in enumerate(transactions)
    ]


@given(transactions=booked)
def test_nobody_owns_more_than_is_there_and_sol_is_the_plain_sum(
    transactions: list[list[tuple[str, str, str, int]]],
) -> None:
    engine = sa.create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as conn:
        for entries in history(transactions):
            ledger.append(conn, entries)
            balances, owned = ledger.balances(conn), shares.shares(conn)
            for account in ("ata", "margin"):
                claims = [units for (_, at, asset), units in owned.items() if (at, asset) == (account, GLOW)]
                assert all(units > 0 for units in claims)
                assert sum(claims) <= max(balances.get((account, GLOW), 0), 0)
        done = [one for entries in history(transactions) for one in entries if one.strategy and one.asset == "lamports"]
        for key in {(one.strategy, one.account) for one in done}:
            total = sum(one.delta for one in done if (one.strategy, one.account) == key)
            assert shares.shares(conn).get((*key, "lamports"), 0) == total
    engine.dispose()


async def _booked(
    journal: Journal, held: Leadership, records: Records, *entries: LedgerEntry, body: str = "{}"
) -> None:
    """One landed transaction of these entries' strategy."""
    number = len(await journal.attempts())
    signature = entries[0].signature
    await journal.record_intent(held, records.intent(f"i{number}", held, strategy=entries[0].strategy, body=body))
    await journal.record_attempt(held, records.attempt(f"i{number}", signature))
    await journal.resolve(held, signature, AttemptState.LANDED, landed_slot=Slot(50 + number), entries=entries)


async def test_what_a_strategy_acquires_is_its_own(journal: Journal, held: Leadership, records: Records) -> None:
    await journal.book(held, [entry("gift", "", GLOW, 100)])
    assert (await journal.standing()).shares == {}, "what strangers send is nobody's"
    await _booked(journal, held, records, entry("s1", "loop", GLOW, 40), entry("s1", "loop", "lamports", -7))
    await _booked(journal, held, records, entry("s2", "compound", GLOW, -60))
    assert (await journal.standing()).shares == {("loop", "ata", GLOW): 40, ("loop", "ata", "lamports"): -7}
    await _booked(journal, held, records, entry("s3", "compound", GLOW, 5))
    assert (await journal.standing()).shares["compound", "ata", GLOW] == 5, "using what was nobody's made no debt"
    await journal.book(held, [entry("taken", "", GLOW, -50)])
    left = (await journal.standing()).shares
    assert (left["loop", "ata", GLOW], left["compound", "ata", GLOW]) == (30, 5), "the largest share is cut first"


async def test_landings_and_requests_are_remembered_with_the_landing(
    journal: Journal, held: Leadership, records: Records
) -> None:
    step = Atomic(
        (
            RequestUnstake(TokenAmount(SSOL, 3), Lamports(1)),
            ClaimUnstake(TicketId(0, UnixTime(1)), Lamports(1)),
            RequestUnstake(TokenAmount(SSOL, 2**63), Lamports(1)),
        )
    )
    await _booked(journal, held, records, entry("s1", "loop", GLOW, 1), body=canonical(step))
    await _booked(journal, held, records, entry("s2", "arbitrage", GLOW, 1))
    standing = await journal.standing()
    assert standing.landed == {"loop": UnixTime(9), "arbitrage": UnixTime(9)}
    assert [(one.strategy, one.mint, one.units, one.slot) for one in standing.requests] == [
        ("loop", SSOL.address, 2**63, Slot(50)),
        ("loop", SSOL.address, 3, Slot(50)),
    ]
    assert standing.requests[0].block_time == UnixTime(9)


@pytest.mark.parametrize("state", [AttemptState.FAILED, AttemptState.EXPIRED])
async def test_what_did_not_land_asked_for_nothing(
    journal: Journal, held: Leadership, records: Records, state: AttemptState
) -> None:
    body = canonical(Atomic((RequestUnstake(TokenAmount(SSOL, 3), Lamports(1)),)))
    await journal.record_intent(held, records.intent("i", held, body=body))
    await journal.record_attempt(held, records.attempt("i", "s"))
    failed = state is AttemptState.FAILED
    outcome: dict[str, Any] = {"landed_slot": Slot(9), "error": "Slippage"} if failed else {}
    await journal.resolve(held, "s", state, **outcome)
    standing = await journal.standing()
    assert (standing.requests, standing.landed) == ((), {})


def test_a_body_that_cannot_be_read_is_said_so() -> None:
    assert asked_out("not even JSON") == []
    for body in ('{"RequestUnstake"', '{"intents":[{"type":"RequestUnstake"}]}', '"RequestUnstake"'):
        with pytest.raises(JournalError, match="not the canonical JSON"):
            asked_out(body)


async def _back_to_the_first(url: str) -> None:
    """Make an up-to-date journal one of the first schema, with its entries and without what they were found to mean."""
    opened = await Database.open(url, patience=5.0)

    def undo(conn: sa.Connection) -> None:
        for name in sorted(metadata.tables.keys() - FIRST_TABLES):
            metadata.tables[name].drop(conn)
        conn.execute(sa.table(VERSION_TABLE, sa.column("version_num")).update().values(version_num="0001"))

    await opened.write(undo)
    await opened.close()


async def test_an_old_journal_is_read_as_if_it_had_always_kept_shares(url: str, clock: Clock, records: Records) -> None:
    request = canonical(Atomic((RequestUnstake(TokenAmount(SSOL, 2**64 - 1), Lamports(1)),)))
    async with await Journal.open(url, wall=clock) as journal:
        held = await journal.acquire("keeper-0", 15.0)
        opening = [LedgerEntry("open", Slot(1), UnixTime(1), "ata", GLOW, "opening", 50)]
        await journal.open_ledger(held, opening)
        await _booked(journal, held, records, entry("s1", "loop", GLOW, 2**64 - 1), entry("s1", "loop", "lamports", -9))
        await _booked(journal, held, records, entry("s2", "compound", GLOW, -70), body=request)
        await _booked(journal, held, records, entry("s3", "compound", GLOW, 11), entry("s3", "compound", "x", 4))
        await journal.book(held, [entry("taken", "", GLOW, -(2**64) + 10)])
        await _booked(journal, held, records, entry("s4", "loop", "lamports", 3, account="wallet"))
        before = await journal.standing()
    assert len(before.shares) >= 3
    await _back_to_the_first(url)
    async with await Journal.open(url, wall=clock) as journal:
        assert await journal.standing() == before
        held = await journal.acquire("keeper-0", 15.0)
        await _booked(journal, held, records, entry("s5", "compound", GLOW, 1))
        assert (await journal.standing()).landed["compound"] == UnixTime(9)


@settings(max_examples=15)
@given(transactions=booked)
def test_any_history_is_migrated_to_what_booking_would_have_made(
    transactions: list[list[tuple[str, str, str, int]]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'journal.db'}"

        async def twice() -> tuple[object, object]:
            opened = await Database.open(url, patience=5.0)
            for entries in history(transactions):
                await opened.write(partial(ledger.append, entries=entries))
            before = await opened.read(shares.shares)
            await opened.close()
            await _back_to_the_first(url)
            opened = await Database.open(url, patience=5.0)
            try:
                return before, await opened.read(shares.shares)
            finally:
                await opened.close()

        before, after = asyncio.run(twice())
        assert before == after
