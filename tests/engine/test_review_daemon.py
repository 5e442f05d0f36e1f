"""What a daemon may still do once it was asked to stop, or once another one leads."""

from __future__ import annotations

import asyncio

import pytest

from keeper.engine.daemon import Daemon
from keeper.engine.supervision import TaskFault
from keeper.journal.records import AttemptState
from keeper.plan import Decision
from keeper.sim.localnet.rpc.faults import FaultRates
from keeper.view import View
from tests.engine.scripted import scripted, stake_plan
from tests.engine.stage import edit
from tests.engine.test_daemon import PATIENCE, House, house, running

__all__ = ["house"]


async def test_a_plan_that_was_decided_when_the_stop_came_is_not_signed(house: House) -> None:
    daemons: list[Daemon] = []

    def decide(view: View) -> Decision:
        daemons[0].stop()
        return stake_plan(view)

    daemons.append(house.daemon(scripted("late", decide)))
    async with running(daemons[0]) as task, asyncio.timeout(PATIENCE):
        await task
    async with await house.journal() as journal:
        assert await journal.attempts() == ()


async def test_a_leader_that_was_deposed_in_mid_flight_lets_go_at_once(house: House) -> None:
    """Not after the shutdown time, and not when the blockhash has died: the new leader follows the same bytes already."""
    house.net.faults.rates = FaultRates(drop_rate_bps=10_000)
    edit(house.place, 'lease = "10 s"', 'lease = "1 s"')
    async with running(house.daemon(scripted("staker", stake_plan))) as task:
        await house.until(task, in_flight=1)
        async with await house.journal() as journal:
            held = await journal.leader()
            assert held is not None
            await journal.acquire(held.holder, 10_000.0)
        with pytest.raises(TaskFault, match="'lease' died: FencedOut"):
            async with asyncio.timeout(PATIENCE):
                await task
    assert [one for one in asyncio.all_tasks() if one.get_name().startswith(("land ", "send "))] == []
    async with await house.journal() as journal:
        assert [attempt.state for attempt in await journal.attempts()] == [AttemptState.SIGNED]
