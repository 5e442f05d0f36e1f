"""Leaving alone what keeps failing: a plan that is refused before it is sent, or fails on chain, again and again.

A pure strategy decides the same on the same view, so without this a plan that execution refuses would be chosen at every tick,
would starve everything behind it, and one that fails on chain would bleed fees. The first setback is free: prices move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.chain.clock import Clock
from keeper.execution.outcome import Failed, Landed, Outcome, Refused

FREE_SETBACKS = 1


@dataclass(frozen=True, slots=True)
class Setbacks:
    """How often in a row, and until when (of ``clock.now()``) the plan is left alone."""

    count: int
    until: float


class Cooldown:
    """Per strategy and plan reason: seconds of rest that double from ``first`` up to ``longest``, until one lands."""

    def __init__(self, clock: Clock, *, first: float = 1.0, longest: float = 120.0) -> None:
        self._clock = clock
        self._first = first
        self._longest = longest
        self._setbacks: dict[tuple[str, str], Setbacks] = {}

    def cooling(self, strategy: str) -> tuple[str, ...]:
        """The reasons of this strategy's plans that are left alone now, sorted."""
        now = self._clock.now()
        return tuple(
            sorted(reason for (name, reason), rest in self._setbacks.items() if name == strategy and now < rest.until)
        )

    def ended(self, strategy: str, reason: str, outcomes: Sequence[Outcome]) -> None:
        """Take note of how a plan ended: its last step decides, as one that only ever lands its first step bleeds as well.

        An expiry is the network's doing and counts neither way. A setback longer ago than the longest rest is forgotten: the
        market of an hour ago says nothing of this one.
        """
        key, now = (strategy, reason), self._clock.now()
        if any(isinstance(outcome, Landed) for outcome in outcomes[-1:]):
            self._setbacks.pop(key, None)
        elif any(isinstance(outcome, Failed | Refused) for outcome in outcomes[-1:]):
            known = self._setbacks.get(key)
            count = known.count + 1 if known is not None and now - known.until <= self._longest else 1
            doublings = min(count - FREE_SETBACKS - 1, 30)
            rest = min(self._first * 2.0**doublings, self._longest) if count > FREE_SETBACKS else 0.0
            self._setbacks[key] = Setbacks(count, now + rest)
