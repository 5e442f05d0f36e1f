"""Who may ask how often: x-api-key and the 60-second sliding window (facts, execution.md 3.1-3.2)."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Clock = Callable[[], float]


@dataclass(slots=True)
class SlidingWindow:
    """At most ``limit`` requests in any ``seconds``. Refused requests do not count, so an early retry costs nothing."""

    limit: int
    seconds: float = 60.0
    _taken: deque[float] = field(default_factory=deque)

    def __post_init__(self) -> None:
        if self.limit < 1 or self.seconds <= 0:
            raise ValueError(f"rate limit of {self.limit} requests in {self.seconds} s; both must be positive")

    def take(self, now: float) -> bool:
        """Whether one more request fits at ``now`` (unix seconds); counts it if so."""
        while self._taken and self._taken[0] <= now - self.seconds:
            self._taken.popleft()
        if len(self._taken) >= self.limit:
            return False
        self._taken.append(now)
        return True

    def headers(self, now: float) -> dict[str, str]:
        """``x-ratelimit-*``; reset is the unix second at which one request fits again."""
        oldest = self._taken[0] if self._taken else now - self.seconds
        return {
            "x-ratelimit-remaining": str(self.limit - len(self._taken)),
            "x-ratelimit-current": str(len(self._taken)),
            "x-ratelimit-reset": str(math.ceil(oldest + self.seconds)),
        }


@dataclass(slots=True)
class Access:
    """The gateway. ``api_key``: the one key that exists (None: keys are not looked at). ``per_minute``: requests that the
    key's plan allows (None: no limit). ``keyless_per_minute``: those of callers without a key, where a key exists."""

    api_key: str | None = None
    per_minute: int | None = None
    keyless_per_minute: int | None = 30
    clock: Clock = time.time
    _keyed: SlidingWindow | None = field(init=False)
    _keyless: SlidingWindow | None = field(init=False)

    def __post_init__(self) -> None:
        limited = self.per_minute is not None
        self._keyed = SlidingWindow(self.per_minute) if self.per_minute is not None else None
        own_bucket = limited and self.api_key is not None and self.keyless_per_minute is not None
        self._keyless = SlidingWindow(self.keyless_per_minute or 1) if own_bucket else self._keyed

    def admit(self, headers: Mapping[str, str]) -> tuple[int, dict[str, str]]:
        """(200, 401 or 429; headers of the answer)."""
        key = next((value for name, value in headers.items() if name.lower() == "x-api-key"), None)
        if self.api_key is not None and key is not None and key != self.api_key:
            return 401, {}
        window = self._keyless if self.api_key is not None and key is None else self._keyed
        if window is None:
            return 200, {}
        now = self.clock()
        status = 200 if window.take(now) else 429
        return status, window.headers(now)
