"""Whose plan goes first when several strategies have one: what averts harm, then what is ripe, then by priority."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from keeper.plan import Plan
from keeper.risk import is_claim
from keeper.view import View


@dataclass(frozen=True, slots=True)
class Proposal:
    """A plan, whose it is, and the view that it was decided on: the strategy's share of the tick's."""

    strategy: str
    plan: Plan
    seen: View


def ranked(proposals: Iterable[Proposal]) -> list[Proposal]:
    """``proposals``, given by strategy priority, in the order in which they are reviewed."""
    return sorted(proposals, key=lambda one: 0 if one.plan.protects else 1 if is_claim(one.plan) else 2)
