"""What the journal remembers and a pure strategy may see: rates of earlier epochs, what borrowing has cost, its own last act.

Samples are taken by the engine from its own views and kept in the journal, so that a restart forgets nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from keeper.units import Epoch, Rate, UnixTime


@dataclass(frozen=True, slots=True)
class EpochRates:
    """Redemption rates (lamports per base unit) as first seen in ``epoch`` after the stake pool's update; ``at`` is when that
    epoch began, however late it was seen. ``glowsol`` is None in the mode without the restaking program."""

    epoch: Epoch
    at: UnixTime
    ssol: Rate
    glowsol: Rate | None


@dataclass(frozen=True, slots=True)
class BorrowSample:
    """The borrow rate of a lending pool at one moment, in billionths per year."""

    at: UnixTime
    market: str
    rate: int


@dataclass(frozen=True, slots=True)
class Past:
    """``rates`` and ``borrows`` by rising time. ``last_landed`` is when this strategy's last transaction landed, None before
    its first. ``order`` is what the operator wants of this strategy until he cancels it, also when it is done: "" or "unwind"."""

    rates: tuple[EpochRates, ...] = ()
    borrows: tuple[BorrowSample, ...] = ()
    last_landed: UnixTime | None = None
    order: str = ""


NO_PAST = Past()
