"""Which failures are worth another try, and how long to wait before it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt
from tenacity.stop import stop_base

from keeper.chain.errors import (
    BlockNotAvailable,
    MinContextSlotNotReached,
    NodeInternalError,
    NodeUnhealthy,
    RpcBadResponse,
    RpcRateLimited,
    RpcUnreachable,
)

TRANSIENT = (
    RpcUnreachable,
    RpcRateLimited,
    RpcBadResponse,  # gateways answer with an HTML page now and with JSON a moment later
    NodeUnhealthy,
    NodeInternalError,
    BlockNotAvailable,
    MinContextSlotNotReached,
)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Full-jitter exponential waits between attempts, for requests that are harmless to repeat.

    ``attempts`` counts the first one. Waits are seconds, drawn from 0..min(longest_wait, first_wait * 2**n); a provider's
    Retry-After is obeyed, and where it is longer than ``longest_wait`` the error goes to the caller at once.
    """

    attempts: int = 4
    first_wait: float = 0.2
    longest_wait: float = 3.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Random = field(default_factory=Random, compare=False)

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.first_wait < 0 or self.longest_wait < self.first_wait:
            raise ValueError(f"{self!r}: needs attempts >= 1 and 0 <= first_wait <= longest_wait")

    def retrying(self) -> AsyncRetrying:
        """A fresh retry loop; the last error is raised as it came."""
        return AsyncRetrying(
            sleep=self.sleep,
            wait=self._wait,
            stop=_AskedToWaitLonger(self.longest_wait) | stop_after_attempt(self.attempts),
            retry=retry_if_exception(lambda error: isinstance(error, TRANSIENT)),
            reraise=True,
        )

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        if isinstance(error, RpcRateLimited) and error.retry_after is not None:
            return error.retry_after
        ceiling = min(self.longest_wait, self.first_wait * 2.0 ** (state.attempt_number - 1))
        return self.random.uniform(0, ceiling)


class _AskedToWaitLonger(stop_base):
    def __init__(self, longest_wait: float) -> None:
        self._longest_wait = longest_wait

    def __call__(self, retry_state: RetryCallState) -> bool:
        error = retry_state.outcome.exception() if retry_state.outcome is not None else None
        return isinstance(error, RpcRateLimited) and (error.retry_after or 0) > self._longest_wait


ONCE = RetryPolicy(attempts=1)
