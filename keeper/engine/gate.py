"""The gate: a market whose doctor fails is not entered.

Examined before the first tick and from time to time after it. While a check that blocks fails, nothing is entered that it
concerns; exits and claims go on, because they only lower what is at stake.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from keeper.chain.clock import Clock
from keeper.doctor import Examination, Finding, Scope
from keeper.plan import Borrow, Deposit, Plan
from keeper.units import Duration

log = structlog.get_logger(__name__)

WHILE_CLOSED = Duration(15)
"""How soon it is looked again after a failure: what heals should not wait long."""
NAMED = 6


class Gate:
    """Asks ``examine`` every ``every``, sooner while it fails. Nothing may be entered before the first look."""

    def __init__(self, examine: Callable[[], Awaitable[Examination]], every: Duration, clock: Clock) -> None:
        self._examine = examine
        self._every = every
        self._clock = clock
        self._due: float | None = None
        self._failing: tuple[Finding, ...] = ()
        self.examination: Examination | None = None

    async def look(self) -> Examination | None:
        """Examine if it is time; None where it is not. What ``examine`` raises, it raises."""
        now = self._clock.now()
        if self._due is not None and now < self._due:
            return None
        self.examination = await self._examine()
        failing = self.examination.blocking
        soon = WHILE_CLOSED if failing else self._every
        self._due = now + min(soon, self._every).value
        self._tell(failing)
        return self.examination

    def _tell(self, failing: tuple[Finding, ...]) -> None:
        before, self._failing = {one.check for one in self._failing}, failing
        for one in failing:
            if one.check not in before:
                log.error("doctor_fails", check=one.check, found=one.found, remedy=one.remedy, scope=one.scope.value)
        if before and not failing:
            log.info("doctor_passes", healed=sorted(before))

    @property
    def failing(self) -> tuple[str, ...]:
        """The checks that block."""
        return tuple(one.check for one in self._failing)

    @property
    def cause(self) -> str:
        """Why nothing at all may be entered; empty where something may."""
        if self.examination is None:
            return "the doctor has not looked yet"
        return _cause([one for one in self._failing if one.scope is not Scope.LENDING])

    def closed_to(self, plan: Plan) -> str:
        """Why ``plan`` may not be entered; empty where it may. The lending market's faults only concern deposits and loans."""
        if self.cause:
            return self.cause
        lends = any(isinstance(intent, Deposit | Borrow) for step in plan.steps for intent in step.intents)
        return _cause(self._failing) if lends else ""


def _cause(failing: list[Finding] | tuple[Finding, ...]) -> str:
    names = [one.check for one in failing]
    rest = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"the doctor fails: {', '.join(names[:NAMED])}{rest}" if names else ""
