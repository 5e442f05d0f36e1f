"""The ledger: exact sums, booked once, together with the outcome that caused them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest

from keeper.journal.journal import Journal
from keeper.journal.records import AttemptState, JournalError, Leadership, LedgerEntry, StrategyTotals
from keeper.units import Lamports, Slot

if TYPE_CHECKING:
    from tests.journal.conftest import Records

U64_MAX = 2**64 - 1


@pytest.fixture
async def signed(journal: Journal, held: Leadership, records: Records) -> str:
    await journal.record_intent(held, records.intent("i1", held))
    await journal.record_attempt(held, records.attempt("i1", "s1"))
    return "s1"


async def land(journal: Journal, held: Leadership, signature: str, entries: Sequence[LedgerEntry]) -> None:
    await journal.resolve(
        held, signature, AttemptState.LANDED, landed_slot=Slot(105), error="", fee=Lamports(5000), entries=entries
    )


async def test_a_landed_attempt_moves_balances(
    journal: Journal, held: Leadership, records: Records, signed: str
) -> None:
    opening = [
        records.entry("opening", "opening", 10**9),
        records.entry("opening", "opening", 7, account="ata", asset="glow"),
    ]
    assert await journal.open_ledger(held, opening)
    entries = [
        records.entry(signed, "fee", -5000),
        records.entry(signed, "trade", -(10**8)),
        records.entry(signed, "trade", 95_000_000, account="ata", asset="glow"),
    ]
    await land(journal, held, signed, entries)
    assert await journal.balances() == {("ata", "glow"): 95_000_007, ("wallet", "lamports"): 899_995_000}
    assert await journal.entries(None) == tuple(reversed(opening + entries))
    assert await journal.entries(2) == (entries[2], entries[1])


async def test_sums_are_exact_beyond_64_bits(journal: Journal, held: Leadership, records: Records) -> None:
    """Two u64 amounts do not fit 64 bits together, and 2**64 - 1 is no float."""
    await journal.book(held, [records.entry(f"d{n}", "external", U64_MAX, "whale", "mint") for n in range(3)])
    await journal.book(held, [records.entry("d9", "external", -1, "whale", "mint")])
    assert await journal.balances() == {("whale", "mint"): 3 * U64_MAX - 1}
    await journal.book(held, [records.entry(f"w{n}", "external", -U64_MAX, "whale", "mint") for n in range(4)])
    assert await journal.balances() == {("whale", "mint"): -U64_MAX - 1}
    assert sorted({entry.delta for entry in await journal.entries()}) == [-U64_MAX, -1, U64_MAX]


async def test_a_delta_is_an_integer_of_u64_size(journal: Journal, held: Leadership, records: Records) -> None:
    wrong: list[Any] = [2**64, -(2**64), 1.0, True, "5"]
    for delta in wrong:
        with pytest.raises(JournalError, match="u64"):
            await journal.book(held, [records.entry("d1", "external", 1), records.entry("d2", "external", delta)])
    assert await journal.entries() == ()
    assert await journal.balances() == {}


async def test_a_known_account_is_not_opened_again(
    journal: Journal, held: Leadership, records: Records, signed: str
) -> None:
    first = [records.entry("open-1", "opening", 10**9)]
    assert await journal.open_ledger(held, first)
    await land(journal, held, signed, [records.entry(signed, "trade", 42, "ata", "glow")])
    again = [
        records.entry("open-2", "opening", 999, "wallet"),
        records.entry("open-2", "opening", 42, "ata", "glow"),  # arrived by a trade: opening it would count it twice
        records.entry("open-2", "opening", 5, "ata", "ssol"),
    ]
    assert not await journal.open_ledger(held, again)
    assert await journal.balances() == {("ata", "glow"): 42, ("ata", "ssol"): 5, ("wallet", "lamports"): 10**9}
    assert not await journal.open_ledger(held, again)
    assert len(await journal.entries()) == 3


async def test_booking_repeats_harmlessly_but_never_differently(
    journal: Journal, held: Leadership, records: Records
) -> None:
    deposit = records.entry("d1", "external", 10**9)
    await journal.book(held, [deposit, deposit])
    await journal.book(held, [deposit, records.entry("d2", "external", 1)])
    assert await journal.balances() == {("wallet", "lamports"): 10**9 + 1}
    with pytest.raises(JournalError, match="refused to change"):
        await journal.book(held, [records.entry("d3", "external", 5), records.entry("d1", "external", 10**9 - 1)])
    assert await journal.balances() == {("wallet", "lamports"): 10**9 + 1}


async def test_each_door_takes_its_own_kinds(journal: Journal, held: Leadership, records: Records, signed: str) -> None:
    with pytest.raises(JournalError, match="external"):
        await journal.book(held, [records.entry("x", "trade", 1)])
    with pytest.raises(JournalError, match="opening"):
        await journal.open_ledger(held, [records.entry("x", "external", 1)])
    with pytest.raises(JournalError, match="two opening balances"):
        await journal.open_ledger(held, [records.entry("x", "opening", 1), records.entry("y", "opening", 1)])
    for entry in (
        records.entry(signed, "opening", 1),
        records.entry(signed, "gift", 1),
        records.entry("other", "trade", 1),
        records.entry(signed, "trade", 1, account=""),
    ):
        with pytest.raises(JournalError):
            await land(journal, held, signed, [entry])
    with pytest.raises(JournalError, match="two ledger entries"):
        await land(journal, held, signed, [records.entry(signed, "trade", 1), records.entry(signed, "trade", 2)])
    assert len(await journal.unresolved()) == 1  # an outcome whose entries are refused is refused with them
    assert await journal.entries() == ()


async def test_what_expired_changes_nothing(journal: Journal, held: Leadership, records: Records, signed: str) -> None:
    with pytest.raises(JournalError, match="changed nothing"):
        await journal.resolve(
            held,
            signed,
            AttemptState.EXPIRED,
            landed_slot=None,
            error="",
            fee=Lamports(0),
            entries=[records.entry(signed, "fee", -5000)],
        )


async def test_totals_count_by_strategy(journal: Journal, held: Leadership, records: Records) -> None:
    assert (await journal.totals()).by_strategy == {}
    outcomes = [
        ("arbitrage", AttemptState.LANDED, Lamports(5000)),
        ("arbitrage", AttemptState.FAILED, Lamports(7000)),
        ("loop", AttemptState.EXPIRED, Lamports(0)),
        ("arbitrage", AttemptState.LANDED, Lamports(5001)),
    ]
    for number, (strategy, state, fee) in enumerate(outcomes):
        await journal.record_intent(held, records.intent(f"i{number}", held, strategy=strategy))
        await journal.record_attempt(held, records.attempt(f"i{number}", f"s{number}"))
        await journal.resolve(
            held,
            f"s{number}",
            state,
            landed_slot=None if state is AttemptState.EXPIRED else Slot(9),
            error="Custom(1)" if state is AttemptState.FAILED else "",
            fee=fee,
            entries=(),
        )
    totals = await journal.totals()
    assert (totals.landed, totals.failed, totals.expired, totals.fees) == (2, 1, 1, Lamports(17_001))
    assert totals.by_strategy == {
        "arbitrage": StrategyTotals(landed=2, failed=1, expired=0, fees=Lamports(17_001)),
        "loop": StrategyTotals(landed=0, failed=0, expired=1, fees=Lamports(0)),
    }


async def test_a_snapshot_agrees_with_the_single_reads(
    journal: Journal, held: Leadership, records: Records, signed: str
) -> None:
    await land(journal, held, signed, [records.entry(signed, "fee", -5000)])
    await journal.record_intent(held, records.intent("i2", held))
    await journal.record_attempt(held, records.attempt("i2", "s2"))
    snapshot = await journal.snapshot(recent=1)
    assert snapshot.leader == held
    assert snapshot.unresolved == await journal.unresolved()
    assert [intent.intent_id for intent in snapshot.intents] == ["i2"]
    assert snapshot.attempts == {"i2": await journal.attempts("i2")}
    assert snapshot.balances == await journal.balances()
    assert snapshot.totals == await journal.totals()
    assert snapshot.entries == await journal.entries(1)
