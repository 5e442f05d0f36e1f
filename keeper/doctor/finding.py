"""What an examination says: findings, one a check, each with what was found and a remedy where something is to be done."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

WIDTH = 110


class Status(StrEnum):
    """UNKNOWN: the chain cannot tell, or was not asked."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    UNKNOWN = "unknown"


class Scope(StrEnum):
    """What a failed check keeps from being entered: KEEPER and RESTAKING everything, LENDING deposits and loans."""

    KEEPER = "keeper"
    RESTAKING = "restaking"
    LENDING = "lending"


@dataclass(frozen=True, slots=True)
class Finding:
    """``check`` names what was examined, with its subject behind a colon where there are several. ``blocks``: while it fails,
    nothing is entered in ``scope``; a failure that does not block is one that strategies see and act on by themselves, or that
    only costs comfort. ``remedy`` is a sentence that a person can follow; it is empty only for a pass."""

    check: str
    status: Status
    found: str
    remedy: str = ""
    scope: Scope = Scope.KEEPER
    blocks: bool = False

    def __post_init__(self) -> None:
        if self.status is not Status.PASS and not self.remedy:
            raise ValueError(f"finding {self.check} is {self.status} without a remedy")

    @property
    def failed(self) -> bool:
        return self.status is Status.FAIL

    def as_json(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "status": self.status.value,
            "found": self.found,
            "remedy": self.remedy,
            "scope": self.scope.value,
            "blocks": self.blocks,
        }


@dataclass(frozen=True, slots=True)
class Examination:
    """All findings of one look, in the order of the checks."""

    findings: tuple[Finding, ...]

    @property
    def failed(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.failed)

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """The failures that keep something from being entered."""
        return tuple(finding for finding in self.failed if finding.blocks)

    @property
    def ok(self) -> bool:
        """Nothing failed; something may be unknown."""
        return not self.failed

    def finding(self, check: str) -> Finding:
        """Raises ``KeyError`` for a check that was not made."""
        found = {one.check: one for one in self.findings}
        return found[check]

    def joined(self, *others: Finding) -> Examination:
        """With ``others`` at its end."""
        return Examination((*self.findings, *others))

    def lines(self) -> Iterator[str]:
        """A table for the terminal: verdict, check, what was found; remedies under it."""
        width = max((len(finding.check) for finding in self.findings), default=0)
        indent = " " * (width + 11)
        for finding in self.findings:
            first = f"{finding.status.value:<8} {finding.check:<{width}}  "
            texts = [finding.found, *([f"-> {finding.remedy}"] if finding.remedy else [])]
            for number, text in enumerate(texts):
                begin = first if number == 0 else indent
                yield from textwrap.wrap(
                    text,
                    WIDTH,
                    initial_indent=begin,
                    subsequent_indent=indent + ("   " if number else ""),
                    break_long_words=False,
                    break_on_hyphens=False,
                ) or [begin.rstrip()]
        unknown = sum(finding.status is Status.UNKNOWN for finding in self.findings)
        passed = len(self.findings) - len(self.failed) - unknown
        yield f"{passed} passed, {len(self.failed)} failed, {unknown} unknown"

    def as_json(self) -> str:
        """For machines: one JSON object."""
        body = {"ok": self.ok, "findings": [finding.as_json() for finding in self.findings]}
        return json.dumps(body, indent=2)
