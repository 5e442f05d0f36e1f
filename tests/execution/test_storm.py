"""Any weather, any number of kills: no intent lands twice, nothing landed is called expired, the ledger is the chain.

Each example runs a few intents through a network that drops, delays, refuses and fails, kills the process at random calls,
sends and journal writes, and starts it again as a supervisor would.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.signature import Signature

from keeper.execution.executor import Executor
from keeper.execution.outcome import Expired, Landed, Outcome
from keeper.execution.reconcile import drift, opening_entries
from keeper.journal.journal import Journal
from keeper.journal.records import AttemptState, Leadership
from keeper.plan import Intent, Wrap
from keeper.units import Lamports, UnixTime
from tests.execution.weather import FaultyNetwork, Killed, Weather, Wire
from tests.execution.world import SOL_LAMPORTS, World, make_world, plan

MORTAL = ("record_intent", "record_attempt", "resolve")


class MortalJournal(Journal):
    """A journal whose process may die right before or right after each write."""

    mortal: Callable[[str], None] = staticmethod(lambda _: None)

    def __getattribute__(self, name: str) -> Any:
        method = super().__getattribute__(name)
        if name not in MORTAL:
            return method

        async def write(*args: Any, **kwargs: Any) -> Any:
            self.mortal(f"before {name}")
            result = await method(*args, **kwargs)
            self.mortal(f"after {name}")
            return result

        return write


async def start(journal: Journal) -> Leadership:
    return await journal.acquire("keeper", 1e9)


async def until_it_lives(
    journal: Journal,
    make: Callable[[], Executor],
    act: Callable[[Executor, Leadership], Awaitable[tuple[Outcome, ...]]],
) -> tuple[Outcome, ...]:
    """Run ``act``; after a kill start a new process that recovers first. What was decided before the kill is not repeated."""
    executor = make()
    try:
        return await act(executor, await start(journal))
    except Killed:
        await executor.drain(0)
    for _ in range(50):
        executor = make()
        try:
            return await executor.recover(await start(journal))
        except Killed:
            await executor.drain(0)
    raise AssertionError("killed 50 times in a row; the weather is too bad to test anything")


async def storm(weather: Weather, intents: int, empty_journal: Path) -> Counter[str]:
    world = make_world(seed=weather.seed % 256)
    network = weather.over(world.bank, world.node)
    random = Random(weather.seed + 1)

    def mortal(_: str) -> None:
        if random.randrange(100) < weather.kill:
            raise Killed

    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{shutil.copy(empty_journal, Path(folder) / 'journal.db')}"
        async with await MortalJournal.open(url, wall=lambda: 1e9) as journal:
            await journal.open_ledger(await start(journal), await opening_entries(world.node, world.owner, UnixTime(1)))
            journal.mortal = mortal
            ended: Counter[str] = Counter()
            for number in range(intents):
                amount = Lamports(SOL_LAMPORTS + number)
                outcomes = await until_it_lives(
                    journal,
                    lambda: world.executor(journal, network),
                    lambda executor, held, amount=amount: world.run(executor, held, (Wrap(amount),)),  # type: ignore[misc]  # mypy cannot infer a lambda with a default
                )
                ended.update(type(outcome).__name__ for outcome in outcomes)
                check_outcomes(world, outcomes)
            journal.mortal = lambda _: None
            await check(world, journal, network)
            return ended


def executed(world: World, signature: str) -> bool:
    record = world.bank.transaction(Signature.from_string(signature))
    return record is not None and record.err is None


def check_outcomes(world: World, outcomes: tuple[Outcome, ...]) -> None:
    for outcome in outcomes:
        if isinstance(outcome, Landed):
            assert executed(world, outcome.signature)
        if isinstance(outcome, Expired):
            assert world.bank.transaction(Signature.from_string(outcome.signature)) is None


async def check(world: World, journal: Journal, network: FaultyNetwork) -> None:
    world.bank.advance_slot(400)  # whatever was delayed on the way has its chance to do harm
    attempts = await journal.attempts()
    assert not await journal.unresolved()
    assert set(network.sent) <= {attempt.raw for attempt in attempts}, "bytes were sent that the journal does not know"
    for attempt in attempts:
        landed = executed(world, attempt.signature)
        assert landed == (attempt.state is AttemptState.LANDED), (
            f"{attempt.signature} is {attempt.state} in the journal"
        )
    by_intent = Counter(attempt.intent_id for attempt in attempts if executed(world, attempt.signature))
    assert all(count == 1 for count in by_intent.values()), "an intent landed twice"
    assert sum(by_intent.values()) == world.landed()
    assert await drift(journal, world.node, world.owner) == ()


weathers = st.builds(
    Weather,
    seed=st.integers(0, 2**32),
    drop=st.integers(0, 95),
    delay=st.integers(0, 60),
    lose_answer=st.integers(0, 100),
    refuse=st.integers(0, 50),
    call_fails=st.integers(0, 60),
    kill=st.integers(0, 4),
    blind=st.integers(0, 30),
    others=st.integers(0, 2),
)


@settings(max_examples=25)
@given(weather=weathers, intents=st.integers(1, 3))
def test_no_weather_lands_anything_twice_or_loses_a_lamport(
    empty_journal: Path, weather: Weather, intents: int
) -> None:
    asyncio.run(storm(weather, intents, empty_journal))


def test_the_storm_reaches_every_ending(empty_journal: Path) -> None:
    """The property is worth something only if transactions do land, expire and get refused in it."""
    rough = Weather(7, drop=97, delay=0, lose_answer=50, refuse=20, call_fails=10, kill=0, blind=10, others=1)
    calm, lost = replace(rough, drop=10, call_fails=2), replace(rough, drop=100)
    ended = asyncio.run(storm(calm, 2, empty_journal)) + asyncio.run(storm(lost, 1, empty_journal))
    assert ended["Landed"] >= 1
    assert ended["Expired"] >= 1


class Kill:
    """Kills at one named moment of the first attempt."""

    def __init__(self, world: World, moment: str) -> None:
        self.world = world
        self.moment = moment
        self.done = False

    def at(self, moment: str) -> None:
        if moment == self.moment and not self.done:
            self.done = True
            raise Killed


@pytest.mark.parametrize(
    ("moment", "lands"),
    [
        ("before record_intent", False),
        ("after record_intent", False),
        ("before record_attempt", False),
        ("after record_attempt", True),
        ("before send", True),
        ("after send", True),
        ("before status", True),
        ("before resolve", True),
        ("after resolve", True),
    ],
)
async def test_a_kill_at_any_moment_is_recovered_from(
    world: World, empty_journal: Path, tmp_path: Path, moment: str, lands: bool
) -> None:
    kill = Kill(world, moment)
    wire = Wire(world.bank)
    calm = Weather(0, 0, 0, 0, 0, 0, 0, 0, 1).over(world.bank, world.node)

    def fate(raw: bytes, _: int) -> Any:
        kill.at("before send")
        answer = wire.deliver(raw)
        kill.at("after send")
        return answer

    def fails(method: str) -> bool:
        if method == "getSignatureStatuses":
            kill.at("before status")
        return False

    calm.fate = fate
    calm.primary.fails = fails

    url = f"sqlite:///{shutil.copy(empty_journal, tmp_path / 'journal.db')}"
    intent: Intent = Wrap(Lamports(SOL_LAMPORTS))
    async with await MortalJournal.open(url, wall=lambda: 1e9) as journal:
        journal.mortal = kill.at
        held = await start(journal)
        await journal.open_ledger(held, await opening_entries(world.node, world.owner, UnixTime(1)))
        first = world.executor(journal, calm)
        try:
            await first.execute(held, "test", plan((intent,)), world.view())
        except Killed:
            await first.drain(0)
    assert kill.done or moment.endswith("send"), "the kill never came"
    async with await Journal.open(url, wall=lambda: 1e9) as reopened:
        await world.executor(reopened, calm).recover(await start(reopened))
        await check(world, reopened, calm)
        assert world.landed() == lands
