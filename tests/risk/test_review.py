"""The last word before execution: states, limits, and exits that limits meant for entries do not touch."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.plan import (
    Atomic,
    CancelUnstake,
    ClaimUnstake,
    Expected,
    Intent,
    Plan,
    RequestUnstake,
    Stake,
    Swap,
    TicketId,
    Unstake,
    Unwrap,
)
from keeper.risk import Approved, Denied, Limits, RiskState, TradingState, review
from keeper.units import SOL, SSOL, Bps, Duration, Lamports, TokenAmount, UnixTime
from keeper.view import Freshness
from tests.strategies.market_views import GLOWSOL, SOL_UNIT, view

LIMITS = Limits(max_plan_capital=Lamports(100 * SOL_UNIT))
ACTIVE = RiskState()
REDUCING = RiskState(TradingState.REDUCING, "a danger")
HALTED = RiskState(TradingState.HALTED, "a fault")
TICKET = TicketId(0, UnixTime(0))
EXITS: tuple[Intent, ...] = (
    ClaimUnstake(TICKET, Lamports(1)),
    CancelUnstake(TICKET, TokenAmount(GLOWSOL, 1)),
    Unstake(TokenAmount(SSOL, 1), Lamports(1)),
    Unwrap(Lamports(1)),
)
ENTRIES: tuple[Intent, ...] = (
    Stake(Lamports(1), TokenAmount(GLOWSOL, 1)),
    Swap(TokenAmount(SOL, 1), TokenAmount(GLOWSOL, 1), "jupiter"),
    RequestUnstake(TokenAmount(GLOWSOL, 1), Lamports(1)),
)


def a_plan(*intents: Intent, capital: int = SOL_UNIT, change: int = 0) -> Plan:
    expected = Expected(Lamports(0), Lamports(0), Bps(0), Lamports(capital), Duration(0), Lamports(change))
    return Plan((Atomic(intents),), expected, "test")


def reason(plan: Plan, state: RiskState = ACTIVE, **changes: object) -> str:
    """The reason code of the verdict, empty when the plan is approved."""
    verdict = review(plan, replace(view(), **changes), state, LIMITS)  # type: ignore[arg-type]  # the caller's names
    if isinstance(verdict, Denied):
        return verdict.reason
    assert verdict == Approved(plan)
    return ""


@pytest.mark.parametrize("intent", EXITS)
@pytest.mark.parametrize("state", [ACTIVE, REDUCING])
def test_an_exit_passes_whatever_it_is_worth(intent: Intent, state: RiskState) -> None:
    assert reason(a_plan(intent, capital=10**18, change=-(10**18)), state) == ""


@pytest.mark.parametrize("intent", ENTRIES)
def test_an_entry_needs_the_active_state(intent: Intent) -> None:
    assert reason(a_plan(intent)) == ""
    assert reason(a_plan(intent), REDUCING) == "reducing"


@pytest.mark.parametrize("intent", EXITS + ENTRIES)
def test_halted_stops_everything_and_a_stale_view_too(intent: Intent) -> None:
    stale = Freshness("node_behind", ())
    assert reason(a_plan(intent), HALTED) == "halted"
    assert reason(a_plan(intent), fresh=stale) == "view_not_fresh"
    assert reason(a_plan(intent), HALTED, fresh=stale) == "halted"


def test_an_exit_beside_an_entry_is_an_entry() -> None:
    assert reason(a_plan(EXITS[0], ENTRIES[0]), REDUCING) == "reducing"
    two_steps = replace(a_plan(EXITS[0]), steps=(Atomic((EXITS[0],)), Atomic((ENTRIES[0],))))
    assert reason(two_steps, REDUCING) == "reducing"


@given(capital=st.integers(0, 200 * SOL_UNIT))
def test_the_capital_of_an_entry_is_limited(capital: int) -> None:
    expected = "plan_capital_above_limit" if capital > LIMITS.max_plan_capital.value else ""
    assert reason(a_plan(ENTRIES[0], capital=capital)) == expected


@given(lamports=st.integers(0, SOL_UNIT), reserve=st.integers(0, SOL_UNIT), change=st.integers(-SOL_UNIT, SOL_UNIT))
def test_an_entry_may_touch_the_gas_reserve_and_not_use_it_up(lamports: int, reserve: int, change: int) -> None:
    wallet = replace(view().wallet, lamports=Lamports(lamports), gas_reserve=Lamports(reserve))
    denied = reason(a_plan(ENTRIES[0], change=change), wallet=wallet) == "gas_reserve_at_risk"
    assert denied == (lamports + change < reserve // 2)


def test_a_denial_has_its_numbers() -> None:
    verdict = review(a_plan(ENTRIES[0], capital=101 * SOL_UNIT), view(), ACTIVE, LIMITS)
    assert verdict == Denied(
        "plan_capital_above_limit", {"capital": 101 * SOL_UNIT, "max_plan_capital": 100 * SOL_UNIT}
    )
    assert review(a_plan(ENTRIES[0]), view(), HALTED, LIMITS) == Denied("halted", {"cause": "a fault"})
