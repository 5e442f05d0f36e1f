"""How late the event loop is: a blocked loop delays rebroadcasts and heartbeats before anything else shows it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable


class LoopLag:
    """Samples the delay of a sleep and reports the longest of the last ``window`` samples, so that no scrape misses a stall.

    Run ``run()`` as a supervised task; it ends only by being cancelled.
    """

    def __init__(
        self,
        record: Callable[[float], None],
        *,
        interval: float = 0.5,
        window: int = 60,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if interval <= 0 or window < 1:
            raise ValueError(f"interval must be positive and window at least 1, got {interval} and {window}")
        self._record = record
        self._interval = interval
        self._clock = clock
        self._sleep = sleep
        self._samples: deque[float] = deque(maxlen=window)

    async def run(self) -> None:
        while True:
            await self.sample()

    async def sample(self) -> float:
        """Take one sample, report, and return the longest recent lag in seconds."""
        due = self._clock() + self._interval
        await self._sleep(self._interval)
        self._samples.append(max(0.0, self._clock() - due))
        longest = max(self._samples)
        self._record(longest)
        return longest
