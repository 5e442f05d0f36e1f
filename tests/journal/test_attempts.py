"""Intents and attempts: one live attempt per intent, terminal states for good."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from keeper.journal.journal import Journal
from keeper.journal.records import AttemptConflict, AttemptState, JournalError, Leadership
from keeper.units import Lamports, Slot

if TYPE_CHECKING:
    from tests.journal.conftest import Records


@pytest.fixture
async def intent_id(journal: Journal, held: Leadership, records: Records) -> str:
    await journal.record_intent(held, records.intent("i1", held))
    return "i1"


async def test_what_is_recorded_is_read_back(journal: Journal, held: Leadership, records: Records) -> None:
    intent = records.intent("i1", held, body='{"é":1}', decided_slot=Slot(2**40))
    attempt = records.attempt("i1", "s1", raw=bytes(range(256)) * 4)
    await journal.record_intent(held, intent)
    await journal.record_attempt(held, attempt)
    assert await journal.intent("i1") == intent
    assert await journal.attempts("i1") == (attempt,)
    assert await journal.unresolved() == (attempt,)
    assert await journal.intent("other") is None
    assert await journal.attempts("other") == ()


async def test_an_intent_repeats_only_with_the_same_content(
    journal: Journal, held: Leadership, records: Records
) -> None:
    intent = records.intent("i1", held)
    await journal.record_intent(held, intent)
    await journal.record_intent(held, intent)
    assert await journal.intents() == (intent,)
    for other in ({"body": "{}"}, {"reason": "discount"}, {"strategy": "loop"}, {"decided_slot": Slot(9)}):
        with pytest.raises(JournalError, match="refused to change"):
            await journal.record_intent(held, replace(intent, **other))
    successor = await journal.acquire("keeper-0", 15.0)
    await journal.record_intent(successor, replace(intent, leader_epoch=successor.epoch))
    assert await journal.intents() == (intent,)


async def test_a_new_intent_names_the_epoch_it_was_decided_in(
    journal: Journal, held: Leadership, records: Records
) -> None:
    with pytest.raises(JournalError, match="epoch 7"):
        await journal.record_intent(held, records.intent("i1", held, leader_epoch=7))


async def test_intents_come_newest_first_and_limited(journal: Journal, held: Leadership, records: Records) -> None:
    for name in ("b", "a", "c"):
        await journal.record_intent(held, records.intent(name, held))
    assert [intent.intent_id for intent in await journal.intents(2)] == ["c", "a"]


@pytest.mark.parametrize("state", [AttemptState.SIGNED, AttemptState.LANDED])
async def test_a_live_attempt_excludes_another(
    journal: Journal, held: Leadership, records: Records, intent_id: str, state: AttemptState
) -> None:
    await journal.record_attempt(held, records.attempt(intent_id, "s1"))
    if state is AttemptState.LANDED:
        await journal.resolve(held, "s1", state, landed_slot=Slot(5), error="", fee=Lamports(5000), entries=())
    for rival in (records.attempt(intent_id, "s2", 2), records.attempt(intent_id, "s1")):
        with pytest.raises(AttemptConflict, match=f"s1, which is {state.value}"):
            await journal.record_attempt(held, rival)
    assert [attempt.signature for attempt in await journal.attempts()] == ["s1"]


@pytest.mark.parametrize(
    ("state", "slot", "error", "fee"),
    [(AttemptState.FAILED, Slot(5), "SlippageExceeded", Lamports(5000)), (AttemptState.EXPIRED, None, "", Lamports(0))],
)
async def test_a_dead_attempt_makes_room_for_the_next(
    *,
    journal: Journal,
    held: Leadership,
    records: Records,
    intent_id: str,
    state: AttemptState,
    slot: Slot | None,
    error: str,
    fee: Lamports,
) -> None:
    await journal.record_attempt(held, records.attempt(intent_id, "s1"))
    await journal.resolve(held, "s1", state, landed_slot=slot, error=error, fee=fee, entries=())
    with pytest.raises(JournalError, match="signature s1 is recorded already"):
        await journal.record_attempt(held, records.attempt(intent_id, "s1", 2))
    with pytest.raises(JournalError, match="already had an attempt 1"):
        await journal.record_attempt(held, records.attempt(intent_id, "s2", 1))
    await journal.record_attempt(held, records.attempt(intent_id, "s2", 2))
    first, second = await journal.attempts(intent_id)
    assert (first.state, first.landed_slot, first.error, first.fee) == (state, slot, error, fee)
    assert await journal.unresolved() == (second,)


async def test_an_attempt_needs_its_intent_first(journal: Journal, held: Leadership, records: Records) -> None:
    with pytest.raises(JournalError, match="'i9' is not recorded"):
        await journal.record_attempt(held, records.attempt("i9", "s1"))


async def test_a_signature_belongs_to_one_intent(
    journal: Journal, held: Leadership, records: Records, intent_id: str
) -> None:
    await journal.record_attempt(held, records.attempt(intent_id, "s1"))
    await journal.record_intent(held, records.intent("i2", held))
    with pytest.raises(JournalError, match="recorded already, for intent 'i1'"):
        await journal.record_attempt(held, records.attempt("i2", "s1"))
    assert await journal.attempts("i2") == ()


async def test_an_attempt_is_recorded_before_it_has_an_outcome(
    journal: Journal, held: Leadership, records: Records, intent_id: str
) -> None:
    wrong: list[dict[str, Any]] = [
        {"state": AttemptState.EXPIRED},
        {"landed_slot": Slot(1)},
        {"error": "x"},
        {"fee": Lamports(1)},
        {"raw": b""},
        {"signature": ""},
        {"number": -1},
    ]
    for changes in wrong:
        with pytest.raises(JournalError, match="'i1'"):
            await journal.record_attempt(held, replace(records.attempt(intent_id, "s1"), **changes))
    assert await journal.attempts() == ()


OUTCOMES: dict[AttemptState, dict[str, Any]] = {
    AttemptState.LANDED: {"landed_slot": Slot(5), "error": "", "fee": Lamports(5000)},
    AttemptState.FAILED: {"landed_slot": Slot(5), "error": "Custom(17)", "fee": Lamports(5000)},
    AttemptState.EXPIRED: {"landed_slot": None, "error": "", "fee": Lamports(0)},
}


@pytest.mark.parametrize("first", OUTCOMES)
async def test_a_terminal_state_is_for_good(
    journal: Journal, held: Leadership, records: Records, intent_id: str, first: AttemptState
) -> None:
    await journal.record_attempt(held, records.attempt(intent_id, "s1"))
    entries = () if first is AttemptState.EXPIRED else (records.entry("s1", "fee", -5000),)
    await journal.resolve(held, "s1", first, entries=entries, **OUTCOMES[first])
    before = (await journal.attempts(), await journal.entries(), await journal.balances(), await journal.totals())
    await journal.resolve(held, "s1", first, entries=entries, **OUTCOMES[first])
    for second in OUTCOMES.keys() - {first}:
        with pytest.raises(JournalError, match=f"{first.value} for good"):
            await journal.resolve(held, "s1", second, entries=(), **OUTCOMES[second])
    after = (await journal.attempts(), await journal.entries(), await journal.balances(), await journal.totals())
    assert after == before


async def test_an_outcome_that_contradicts_itself_is_refused(
    journal: Journal, held: Leadership, records: Records, intent_id: str
) -> None:
    attempt = records.attempt(intent_id, "s1")
    await journal.record_attempt(held, attempt)
    wrong: list[tuple[AttemptState, dict[str, Any]]] = [
        (AttemptState.LANDED, {"landed_slot": None}),
        (AttemptState.LANDED, {"error": "Custom(1)"}),
        (AttemptState.LANDED, {"fee": Lamports(-1)}),
        (AttemptState.FAILED, {"error": ""}),
        (AttemptState.FAILED, {"landed_slot": None}),
        (AttemptState.EXPIRED, {"landed_slot": Slot(5)}),
        (AttemptState.EXPIRED, {"fee": Lamports(5000)}),
    ]
    for state, changes in wrong:
        with pytest.raises(JournalError, match="'s1'"):
            await journal.resolve(held, "s1", state, entries=(), **(OUTCOMES[state] | changes))
    with pytest.raises(JournalError, match="takes landed, failed or expired"):
        await journal.resolve(held, "s1", AttemptState.SIGNED)
    assert await journal.unresolved() == (attempt,)


async def test_an_unknown_signature_cannot_be_resolved(journal: Journal, held: Leadership) -> None:
    with pytest.raises(JournalError, match="no recorded attempt"):
        await journal.resolve(held, "s9", AttemptState.EXPIRED, entries=(), **OUTCOMES[AttemptState.EXPIRED])


async def test_unresolved_is_oldest_first(journal: Journal, held: Leadership, records: Records) -> None:
    for name in ("z", "a", "m"):
        await journal.record_intent(held, records.intent(name, held))
        await journal.record_attempt(held, records.attempt(name, f"s-{name}"))
    await journal.resolve(held, "s-a", AttemptState.EXPIRED, entries=(), **OUTCOMES[AttemptState.EXPIRED])
    assert [attempt.signature for attempt in await journal.unresolved()] == ["s-z", "s-m"]
