"""Supervised tasks that die are faults; the lease has one holder; starting is recovering."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from keeper.chain.clock import VirtualClock
from keeper.engine.assembly import StartupError
from keeper.engine.leadership import RENEWALS_PER_LEASE, Lease
from keeper.engine.supervision import TaskFault, guard
from keeper.engine.tick import TickResult
from keeper.execution.outcome import Landed
from keeper.journal.journal import Journal
from keeper.journal.records import AttemptState, FencedOut
from keeper.plan import Decision, Hold
from keeper.sim.localnet.rpc.faults import FaultRates
from keeper.view import View
from tests.engine.scripted import scripted, stake_plan
from tests.engine.stage import FUNDS, SOL_UNIT, Stage, open_token_account


async def test_a_task_that_returns_is_a_fault() -> None:
    faults: list[str] = []

    async def short() -> str:
        return "done"

    with pytest.raises(TaskFault, match="returned") as caught:
        await guard("stream", short(), on_fault=faults.append)
    assert caught.value.name == "stream"
    assert faults == ["stream"]


async def test_a_task_that_raises_is_a_fault_with_its_cause() -> None:
    faults: list[str] = []

    async def broken() -> None:
        raise LookupError("no such thing")

    with pytest.raises(TaskFault, match="'lease' died: LookupError: no such thing") as caught:
        await guard("lease", broken(), on_fault=faults.append)
    assert isinstance(caught.value.__cause__, LookupError)
    assert faults == ["lease"]


async def test_cancelling_a_task_is_no_fault() -> None:
    faults: list[str] = []
    task = asyncio.create_task(guard("loop_lag", asyncio.Event().wait(), on_fault=faults.append))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert faults == []


class HandClock(VirtualClock):
    """Time that only a test moves: sleepers wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self._moved = asyncio.Condition()

    async def sleep(self, seconds: float) -> None:
        due = self.now() + seconds
        async with self._moved:
            await self._moved.wait_for(lambda: self.now() >= due)

    async def pass_time(self, seconds: float) -> None:
        async with self._moved:
            self.advance(seconds)
            self._moved.notify_all()


@pytest.fixture
async def journals(tmp_path: Path, closing: AsyncExitStack) -> tuple[Journal, Journal, VirtualClock]:
    """Two processes' doors to one journal, on one clock."""
    clock, url = VirtualClock(), f"sqlite:///{tmp_path}/journal.db"
    one, two = await Journal.open(url, wall=clock.wall), await Journal.open(url, wall=clock.wall)
    closing.push_async_callback(one.close)
    closing.push_async_callback(two.close)
    return one, two, clock


async def test_a_standby_waits_the_leaders_lease_out(journals: tuple[Journal, Journal, VirtualClock]) -> None:
    one, two, clock = journals
    first = await Lease.take(one, "a", 15.0, clock)
    began = clock.wall()
    second = await Lease.take(two, "b", 15.0, clock)
    assert 15.0 <= clock.wall() - began < 15.0 + 15.0 / RENEWALS_PER_LEASE
    assert second.held.epoch == first.held.epoch + 1
    with pytest.raises(FencedOut):
        await first.renew()


async def test_a_lease_that_is_kept_is_not_taken(journals: tuple[Journal, Journal, VirtualClock]) -> None:
    one, two, _ = journals
    clock = HandClock()
    clock.advance(journals[2].now())
    first = await Lease.take(one, "a", 15.0, journals[2])
    standby = asyncio.create_task(Lease.take(two, "b", 15.0, clock))
    for _ in range(5):
        journals[2].advance(10.0)  # the leader's machine, which both journals stamp by
        await first.renew()
        await clock.pass_time(10.0)
        await two.leader()  # lets the standby's try go through
        assert not standby.done()
    await first.give_up()
    while not standby.done():
        await clock.pass_time(5.0)
        await two.leader()
    assert (await standby).held.holder == "b"


async def test_keeping_a_lease_renews_it_until_somebody_else_leads(
    journals: tuple[Journal, Journal, VirtualClock],
) -> None:
    one, two, wall = journals
    clock = HandClock()
    lease = await Lease.take(one, "a", 15.0, clock)
    before = lease.held.expires_at
    keeping = asyncio.create_task(lease.keep())
    await asyncio.sleep(0)
    wall.advance(5.0)
    await clock.pass_time(5.0)
    while lease.held.expires_at == before:
        await two.leader()
    assert lease.held.expires_at == before + 5.0
    assert not keeping.done()
    await one.release(lease.held)
    await two.acquire("b", 15.0)
    while not keeping.done():
        await clock.pass_time(5.0)
        await asyncio.sleep(0.001)
    with pytest.raises(FencedOut, match="'b' leads"):
        await keeping


async def test_a_restarted_process_takes_its_own_lease_over_at_once(
    journals: tuple[Journal, Journal, VirtualClock],
) -> None:
    one, two, clock = journals
    await Lease.take(one, "a", 15.0, clock)
    began = clock.wall()
    await Lease.take(two, "a", 15.0, clock)
    assert clock.wall() == began


# -- starting


async def test_the_ledger_is_opened_once_and_its_opening_stays(stage: Stage) -> None:
    open_token_account(stage.net, stage.wallet, stage.net.market.ssol_mint)  # type: ignore[union-attr]  # it has one
    stage.net.bank.advance_slot(2)
    openings = []
    for _ in range(3):
        async with AsyncExitStack() as life:
            tick = await stage.open(life, [scripted("staker", stake_plan)])
            openings.append(dict(tick._books.opening))
            assert await tick.run() is TickResult.TRADED
            await stage.lease.give_up()
    assert openings[0] == openings[1] == openings[2]
    assert openings[0]["lamports"] < FUNDS  # the rent was paid before


async def test_nothing_is_signed_before_what_was_in_flight_has_come_to_its_end(stage: Stage) -> None:
    """A life that dies with its transaction sent and unknown: the next one lands it, once, before it decides anything."""
    sent = asyncio.Event()

    async def never(seconds: float) -> None:
        del seconds
        sent.set()
        await asyncio.Event().wait()

    async with AsyncExitStack() as life:
        tick = await stage.open(life, [scripted("staker", stake_plan)])
        journal, owner = stage.parts.journal, stage.wallet.pubkey()
        stage.net.faults.rates = FaultRates(drop_rate_bps=10_000)  # the node swallows what it is sent
        pass_time, stage.clock.sleep = stage.clock.sleep, never  # type: ignore[method-assign]  # it waits, and dies waiting
        running = asyncio.create_task(tick.run())
        await sent.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await stage.parts.executor.drain(0.0)
        assert [one.state for one in await journal.attempts()] == [AttemptState.SIGNED]
    stage.net.faults.rates = FaultRates()
    stage.clock.sleep = pass_time  # type: ignore[method-assign]  # the clock is a double here

    async with AsyncExitStack() as life:

        def look(_view: View) -> Decision:
            return Hold("looked")

        tick = await stage.open(life, [scripted("staker", look)])
        seen = [one.state for one in await stage.parts.journal.attempts()]
        assert seen == [AttemptState.LANDED], "recovered before the first tick"
        assert await tick.run() is TickResult.HELD
        assert tick.memory.drift == ()
        landed = [stage.net.bank.transaction(signature) for signature in stage.net.bank.signatures_for(owner)]
        assert sum(record is not None and record.account_keys[0] == owner for record in landed) == 1


async def test_an_unfunded_wallet_does_not_start(tmp_path: Path, closing: AsyncExitStack) -> None:
    poor = await Stage.build(tmp_path, funds=SOL_UNIT)
    with pytest.raises(StartupError) as caught:
        await poor.open(closing)
    said = str(caught.value)
    assert f"send SOL to {poor.wallet.pubkey()}" in said
    assert "wallet.gas_reserve (1.000000000 SOL)" in said


async def test_a_token_account_that_does_not_decode_stops_the_start_by_name(
    stage: Stage, closing: AsyncExitStack
) -> None:
    open_token_account(stage.net, stage.wallet, stage.net.market.ssol_mint)  # type: ignore[union-attr]  # it has one
    stage.net.bank.advance_slot(2)

    def garble(method: str, answer: dict[str, dict[str, list[dict[str, dict[str, list[str]]]]]]) -> object:
        if method == "getTokenAccountsByOwner":
            for one in answer["result"]["value"]:
                one["account"]["data"][0] = "AAAA"
        return answer

    stage.rpc.tamper = garble
    with pytest.raises(StartupError, match="token account"):
        await stage.open(closing)


async def test_recovery_hands_back_how_it_ended(stage: Stage, closing: AsyncExitStack) -> None:
    tick = await stage.open(closing, [scripted("staker", stake_plan)])
    await tick.run()
    assert isinstance(tick.memory.outcomes[0], Landed)
    assert await stage.parts.executor.recover(stage.lease.held) == ()
