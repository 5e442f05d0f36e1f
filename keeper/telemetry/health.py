"""Whether this process is alive and ready, judged by what the tick says about itself.

The heartbeat is given from inside the tick. A stamp that a parent or the server itself refreshes keeps answering 200 while
the work is dead (k8s-sidecar issue 621), so nothing here is refreshed by being asked. Liveness does not depend on the RPC
or the journal: restarting the process does not repair either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """Whether this replica may sign. A standby is ready too: it is ready to take over."""

    UNKNOWN = "unknown"
    LEADER = "leader"
    STANDBY = "standby"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of a probe: ``problems`` is empty when all is well."""

    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


class Health:
    """The state behind the probes. ``clock`` is monotonic seconds; the tick passes its own reading of the same clock.

    A process is alive while its last beat is at most ``stall_after`` seconds old; before the first beat, while it is at most
    ``start_within`` seconds old itself (recovery may wait out a predecessor's transactions).
    """

    def __init__(self, clock: Callable[[], float], *, stall_after: float = 60.0, start_within: float = 300.0) -> None:
        self._clock = clock
        self._stall_after = stall_after
        self._start_within = start_within
        self._started = clock()
        self._beat: float | None = None
        self._view_problem = "no view yet"
        self._journal_problem = "the journal has not been written yet"
        self._role = Role.UNKNOWN
        self._stopping = False

    @property
    def role(self) -> Role:
        return self._role

    def beat(self, now: float) -> None:
        """The tick made progress at ``now``. Call it from inside the tick only."""
        self._beat = now if self._beat is None else max(self._beat, now)

    def view_fresh(self, fresh: bool, reason: str = "") -> None:
        """Whether the last view may be acted on; ``reason`` is its freshness problem."""
        self._view_problem = "" if fresh else f"the view is not fresh: {reason or 'no reason given'}"

    def journal_ok(self, writable: bool, reason: str = "") -> None:
        """Whether the last write to the journal succeeded."""
        self._journal_problem = "" if writable else f"the journal is not writable: {reason or 'no reason given'}"

    def leadership(self, role: Role) -> None:
        """Whether this replica may sign."""
        self._role = role

    def stopping(self) -> None:
        """SIGTERM came: not ready from now on, still alive while transactions are in flight."""
        self._stopping = True

    def live(self) -> Verdict:
        """Whether the tick progresses."""
        now = self._clock()
        if self._beat is None:
            waited = now - self._started
            if waited <= self._start_within:
                return Verdict(())
            return Verdict((f"no tick in {waited:.0f} s since the start; the limit is {self._start_within:.0f} s",))
        age = now - self._beat
        if age <= self._stall_after:
            return Verdict(())
        return Verdict((f"the last tick progressed {age:.0f} s ago; the limit is {self._stall_after:.0f} s",))

    def ready(self) -> Verdict:
        """Whether this replica can do its work: alive, fresh view, writable journal, role known, not stopping."""
        problems = [*self.live().problems]
        if self._beat is None:
            problems.append("no tick has ended yet")
        problems += [problem for problem in (self._view_problem, self._journal_problem) if problem]
        if self._role is Role.UNKNOWN:
            problems.append("it is not known yet whether this replica leads")
        if self._stopping:
            problems.append("the keeper is stopping")
        return Verdict(tuple(problems))
