"""The sampler reports how late the loop was, and remembers the worst for a while."""

from __future__ import annotations

import asyncio
from typing import Protocol

import pytest

from keeper.telemetry import LoopLag


class MovableClock(Protocol):
    now: float

    def __call__(self) -> float: ...


async def test_the_longest_recent_lag_is_reported_until_it_leaves_the_window(clock: MovableClock) -> None:
    late = iter([0.0, 2.0, 0.5, 0.0, 0.0, 0.0])
    seen: list[float] = []

    async def sleep(seconds: float) -> None:
        clock.now += seconds + next(late)

    lag = LoopLag(seen.append, interval=1, window=3, clock=clock, sleep=sleep)
    for _ in range(6):
        await lag.sample()
    assert seen == [0, 2, 2, 2, 0.5, 0]


async def test_it_runs_until_cancelled() -> None:
    sampled = asyncio.Event()
    task = asyncio.create_task(LoopLag(lambda _: sampled.set(), interval=0.001).run())
    await sampled.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_pointless_interval_is_refused() -> None:
    with pytest.raises(ValueError, match="interval must be positive"):
        LoopLag(lambda _: None, interval=0)
