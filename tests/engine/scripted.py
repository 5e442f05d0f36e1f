"""Strategies that do what a test tells them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keeper.plan import Atomic, Decision, Expected, Hold, Intent, Plan, Stake
from keeper.strategy import Configured, Strategy
from keeper.units import Bps, Duration, Lamports, TokenAmount
from keeper.view import View
from tests.engine.stage import SOL_UNIT


@dataclass(frozen=True, slots=True)
class NoParams:
    """A strategy without parameters."""


def scripted(name: str, decide: Callable[[View], Decision]) -> Configured[Any]:
    """A strategy called ``name`` that answers with ``decide(view)`` and asks for no quotes."""
    strategy = Strategy(name, NoParams, lambda view, _params: decide(view), lambda _params, _glowsol: ())
    return Configured(strategy, NoParams())


def plan(*intents: Intent, capital: Lamports = Lamports(SOL_UNIT), reason: str = "scripted") -> Plan:
    """One step of these intents."""
    expected = Expected(Lamports(0), Lamports(0), Bps(0), capital, Duration(0), Lamports(-2 * SOL_UNIT))
    return Plan((Atomic(intents),), expected, reason)


def stake_plan(view: View) -> Decision:
    """Stake one SOL, whenever it is asked."""
    if not view.fresh.ok:
        return Hold(view.fresh.problem)
    assert view.glowsol is not None
    return plan(Stake(Lamports(SOL_UNIT), TokenAmount(view.glowsol.mint, SOL_UNIT // 2)))
