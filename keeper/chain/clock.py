"""Time as a value that can be swapped: the machine's, or one that a test or a localnet moves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """What the keeper asks about time. ``now`` is monotonic seconds, ``wall`` unix seconds."""

    def now(self) -> float: ...

    def wall(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clocks and the event loop's sleep."""

    def now(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


class VirtualClock:
    """Time that passes only when somebody sleeps.

    ``sleep`` moves the clock at once, calls ``on_advance(seconds)`` (a localnet steps its slots there) and yields to the
    loop once. Every sleeper moves the same clock, so two tasks that sleep 1 s each add up to 2 s: meant for runs
    in which everything happens in sequence.
    """

    def __init__(
        self, on_advance: Callable[[float], None] | None = None, *, start: float = 0.0, wall: float = 1_790_000_000.0
    ) -> None:
        self._elapsed = 0.0
        self._start = start
        self._wall = wall
        self._on_advance = on_advance

    def now(self) -> float:
        return self._start + self._elapsed

    def wall(self) -> float:
        return self._wall + self._elapsed

    def advance(self, seconds: float) -> None:
        """Move the clock by ``seconds`` (not negative) without yielding."""
        if seconds < 0:
            raise ValueError(f"time does not run backwards: advance({seconds})")
        self._elapsed += seconds
        if self._on_advance is not None:
            self._on_advance(seconds)

    async def sleep(self, seconds: float) -> None:
        self.advance(max(0.0, seconds))
        await asyncio.sleep(0)
