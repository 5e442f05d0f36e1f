"""Virtual time passes only in sleep, and takes the localnet along."""

from __future__ import annotations

import asyncio

import pytest

from keeper.chain import Clock, SystemClock, VirtualClock


async def test_sleep_moves_time_at_once_and_tells() -> None:
    steps: list[float] = []
    clock = VirtualClock(steps.append, wall=1_000.0)
    before = clock.now()
    await clock.sleep(3_600)
    await clock.sleep(-1)
    assert clock.now() - before == 3_600
    assert clock.wall() == 4_600.0
    assert steps == [3_600, 0.0]


async def test_sleep_lets_others_run() -> None:
    ran = False

    async def other() -> None:
        nonlocal ran
        ran = True

    task = asyncio.create_task(other())
    await VirtualClock().sleep(1)
    assert ran
    await task


def test_time_does_not_run_backwards() -> None:
    with pytest.raises(ValueError, match="backwards"):
        VirtualClock().advance(-1)


async def test_both_are_clocks() -> None:
    clocks: list[Clock] = [SystemClock(), VirtualClock()]
    for clock in clocks:
        first = clock.now()
        await clock.sleep(0)
        assert clock.now() >= first
        assert clock.wall() > 1_000_000_000
