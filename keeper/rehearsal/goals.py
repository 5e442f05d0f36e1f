"""What a whole demo is held to."""

from __future__ import annotations

from keeper.rehearsal.configuration import Tables
from keeper.rehearsal.report import Goals

WHOLE = 70
"""Seconds of work from which on a demo has seen the spike, the depeg and the recovery."""
SHIPPED = ("arbitrage", "compound", "loop")


def goals_of(seconds: int, further: Tables) -> Goals | None:
    """The goals of a run of so many seconds with ``further`` configuration; None for one that is too short for them.

    Beside a stranger's strategy, which may not know the order to unwind, the way back to SOL is shown and not judged.
    """
    if seconds < WHOLE:
        return None
    strangers = set(further.get("strategies", {})) - set(SHIPPED)
    return Goals(home=not strangers)
