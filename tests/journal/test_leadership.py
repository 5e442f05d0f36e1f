"""Only one writer: epochs, leases, and the fence in front of every write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from keeper.journal.journal import Journal
from keeper.journal.records import AttemptState, FencedOut, JournalError, Leadership, LeadershipHeld
from keeper.units import Lamports, Slot

if TYPE_CHECKING:
    from tests.journal.conftest import Clock, Records


@pytest.fixture
async def rival(url: str, clock: Clock) -> AsyncIterator[Journal]:
    """A second process' journal on the same database."""
    async with await Journal.open(url, wall=clock) as opened:
        yield opened


async def test_epochs_grow_and_the_lease_is_kept(journal: Journal, rival: Journal, clock: Clock) -> None:
    assert await journal.leader() is None
    first = await journal.acquire("keeper-0", 15.0)
    assert first == Leadership("keeper-0", 1, clock.now + 15.0)
    with pytest.raises(LeadershipHeld) as held:
        await rival.acquire("keeper-1", 15.0)
    assert (held.value.holder, held.value.until) == ("keeper-0", clock.now + 15.0)
    clock.now += 10.0
    renewed = await journal.renew(first, 15.0)
    assert renewed == Leadership("keeper-0", 1, clock.now + 15.0)
    clock.now += 14.0
    with pytest.raises(LeadershipHeld):
        await rival.acquire("keeper-1", 15.0)
    clock.now += 1.0
    second = await rival.acquire("keeper-1", 15.0)
    assert second.epoch == 2
    assert await journal.leader() == second
    with pytest.raises(FencedOut, match="epoch 2"):
        await journal.renew(renewed, 15.0)


async def test_a_restarted_process_takes_over_its_own_lease(journal: Journal, rival: Journal) -> None:
    before = await journal.acquire("keeper-0", 15.0)
    after = await rival.acquire("keeper-0", 15.0)
    assert after.epoch == before.epoch + 1
    with pytest.raises(FencedOut):
        await journal.renew(before, 15.0)


async def test_a_lease_that_ran_out_untaken_can_be_renewed(journal: Journal, held: Leadership, clock: Clock) -> None:
    clock.now += 1000.0
    assert (await journal.renew(held, 15.0)).epoch == held.epoch


async def test_release_lets_another_in_and_fences_the_one_who_left(
    journal: Journal, rival: Journal, held: Leadership, records: Records
) -> None:
    await journal.release(held)
    assert await rival.leader() is None
    with pytest.raises(FencedOut, match="nobody leads"):
        await journal.record_intent(held, records.intent("i1", held))
    taken = await rival.acquire("keeper-1", 15.0)
    assert taken.epoch == held.epoch + 1
    await journal.release(held)  # an old leader's release must not free the new leader's row
    assert await rival.leader() == taken


async def test_every_write_of_an_old_leader_is_fenced_out(
    journal: Journal, rival: Journal, held: Leadership, records: Records, clock: Clock
) -> None:
    await journal.record_intent(held, records.intent("i1", held))
    await journal.record_attempt(held, records.attempt("i1", "s1"))
    clock.now += 16.0
    await rival.acquire("keeper-1", 15.0)
    before = await rival.snapshot()
    writes = {
        "renew": journal.renew(held, 15.0),
        "record_intent": journal.record_intent(held, records.intent("i2", held)),
        "record_intent, repeated": journal.record_intent(held, records.intent("i1", held)),
        "record_attempt": journal.record_attempt(held, records.attempt("i1", "s2", 2)),
        "resolve": journal.resolve(
            held, "s1", AttemptState.LANDED, landed_slot=Slot(1), error="", fee=Lamports(5000), entries=()
        ),
        "open_ledger": journal.open_ledger(held, [records.entry("o", "opening", 1)]),
        "book": journal.book(held, [records.entry("d", "external", 1)]),
        "book nothing": journal.book(held, []),
    }
    refused = await asyncio.gather(*writes.values(), return_exceptions=True)
    assert {name: type(error) for name, error in zip(writes, refused, strict=True)} == dict.fromkeys(writes, FencedOut)
    assert await rival.snapshot() == before


async def test_a_leadership_of_another_database_is_fenced_out(
    journal: Journal, held: Leadership, records: Records
) -> None:
    """A restored backup may be behind: an epoch that it never gave out opens nothing."""
    stranger = Leadership(held.holder, held.epoch + 5, held.expires_at)
    with pytest.raises(FencedOut):
        await journal.record_intent(stranger, records.intent("i1", stranger))
    with pytest.raises(FencedOut):
        await journal.renew(Leadership("keeper-9", held.epoch, held.expires_at), 15.0)


async def test_of_many_that_reach_for_a_free_leadership_one_gets_it(journal: Journal, rival: Journal) -> None:
    reaching = [(journal, rival)[n % 2].acquire(f"keeper-{n}", 15.0) for n in range(8)]
    answers = await asyncio.gather(*reaching, return_exceptions=True)
    winners = [answer for answer in answers if isinstance(answer, Leadership)]
    assert len(winners) == 1
    assert sum(isinstance(answer, LeadershipHeld) for answer in answers) == 7
    assert await journal.leader() == winners[0]


async def test_a_leader_has_a_name_and_a_lease_in_seconds(journal: Journal) -> None:
    for lease in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(JournalError, match="positive number of seconds"):
            await journal.acquire("keeper-0", lease)
    with pytest.raises(JournalError, match="name"):
        await journal.acquire("", 15.0)
    assert await journal.leader() is None
