"""A check: a name, what it keeps from being entered while it fails, and the look itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import structlog

from keeper.doctor.chart import Chart
from keeper.doctor.finding import Finding, Scope, Status
from keeper.protocols.layout import LayoutError

log = structlog.get_logger(__name__)

UNREADABLE = (
    "compare the account with the facts of the protocol and correct the configuration; do not trade on it as it is"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look says of one ``subject`` (empty where there is only one)."""

    status: Status
    found: str
    remedy: str = ""
    subject: str = ""


def passed(found: str, *, subject: str = "") -> Verdict:
    return Verdict(Status.PASS, found, "", subject)


def failed(found: str, remedy: str, *, subject: str = "") -> Verdict:
    return Verdict(Status.FAIL, found, remedy, subject)


def unknown(found: str, remedy: str, *, subject: str = "") -> Verdict:
    return Verdict(Status.UNKNOWN, found, remedy, subject)


@dataclass(frozen=True, slots=True)
class Check:
    """``look`` yields verdicts; what it raises is a finding too, so that no check hides another."""

    name: str
    look: Callable[[Chart], Iterable[Verdict]]
    scope: Scope = Scope.KEEPER
    blocks: bool = True

    def findings(self, chart: Chart) -> Iterator[Finding]:
        try:
            for verdict in self.look(chart):
                yield self._finding(verdict)
        except LayoutError as error:
            yield self._finding(failed(str(error), UNREADABLE))
        except Exception as error:
            log.exception("check_raised", check=self.name)
            yield self._finding(
                failed(
                    f"the check itself failed: {type(error).__name__}",
                    "open an issue with the log's traceback; until then take the subject for unfit",
                )
            )

    def unexamined(self, why: str, remedy: str) -> Finding:
        """The finding where nothing could be read."""
        return self._finding(unknown(why, remedy))

    def _finding(self, verdict: Verdict) -> Finding:
        name = f"{self.name}:{verdict.subject}" if verdict.subject else self.name
        return Finding(name, verdict.status, verdict.found, verdict.remedy, self.scope, self.blocks)
