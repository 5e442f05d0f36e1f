"""What a plan says of itself does not get it past the review: its intents are counted, and a sale of what is held is an exit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keeper.plan import Atomic, Expected, Intent, Plan, Stake, Swap, Wrap
from keeper.risk import Approved, Denied, Limits, RiskState, TradingState, review
from keeper.units import SOL, SSOL, Bps, Duration, Lamports, TokenAmount
from keeper.view import Wallet
from tests.strategies.market_views import GLOWSOL, SOL_UNIT, view

LIMITS = Limits(max_plan_capital=Lamports(100 * SOL_UNIT))
REDUCING = RiskState(TradingState.REDUCING, "a danger")


def modest(*steps: tuple[Intent, ...]) -> Plan:
    """A plan that claims to need one lamport."""
    expected = Expected(Lamports(0), Lamports(0), Bps(0), Lamports(1), Duration(0), Lamports(0))
    return Plan(tuple(Atomic(step) for step in steps), expected, "test")


def stake(sol: int) -> Stake:
    return Stake(Lamports(sol * SOL_UNIT), TokenAmount(GLOWSOL, 1))


def buy(sol: int) -> Swap:
    return Swap(TokenAmount(SOL, sol * SOL_UNIT), TokenAmount(GLOWSOL, 1), "jupiter")


@pytest.mark.parametrize(
    "steps",
    [
        ((stake(101),),),
        ((buy(101),),),
        ((Wrap(Lamports(101 * SOL_UNIT)),),),
        ((stake(60), buy(41)),),
        ((stake(60),), (buy(41),)),
    ],
)
def test_a_plan_that_understates_its_capital_is_denied(steps: tuple[tuple[Intent, ...], ...]) -> None:
    verdict = review(modest(*steps), view(), RiskState(), LIMITS)
    assert isinstance(verdict, Denied)
    assert verdict.reason == "plan_capital_above_limit"
    assert verdict.numbers["capital"] == 101 * SOL_UNIT


def test_what_the_intents_spend_up_to_the_limit_is_allowed() -> None:
    plan = modest((stake(60), buy(40)))
    assert review(plan, view(), RiskState(), LIMITS) == Approved(plan)


def holder(glow: int) -> Wallet:
    tokens = (TokenAmount(GLOWSOL, glow), TokenAmount(SSOL, 0))
    return replace(view().wallet, tokens=tokens)


def sell(units: int) -> Swap:
    return Swap(TokenAmount(GLOWSOL, units), TokenAmount(SOL, 1), "jupiter")


def test_selling_what_is_held_is_an_exit() -> None:
    plan = modest((sell(300 * SOL_UNIT),), (sell(200 * SOL_UNIT),))
    plan = replace(plan, expected=replace(plan.expected, capital=Lamports(500 * SOL_UNIT)))
    assert review(plan, replace(view(), wallet=holder(500 * SOL_UNIT)), REDUCING, LIMITS) == Approved(plan)


def test_selling_more_than_is_held_or_for_another_token_is_not() -> None:
    short = modest((sell(300 * SOL_UNIT),), (sell(201 * SOL_UNIT),))
    across = modest((Swap(TokenAmount(GLOWSOL, 1), TokenAmount(SSOL, 1), "jupiter"),))
    for plan in (short, across):
        verdict = review(plan, replace(view(), wallet=holder(500 * SOL_UNIT)), REDUCING, LIMITS)
        assert isinstance(verdict, Denied)
        assert verdict.reason == "reducing"
