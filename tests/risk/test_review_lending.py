"""Lending before the review: loans are entries that must keep the account healthy, the way home is an exit, and a liquidation
stops all but claims."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keeper.lending import Collateral, Loan, MarginAccount
from keeper.plan import (
    Atomic,
    Borrow,
    ClaimUnstake,
    Deposit,
    Expected,
    Intent,
    Plan,
    Repay,
    RequestUnstake,
    Stake,
    Swap,
    TicketId,
    Unstake,
    Withdraw,
)
from keeper.risk import Limits, RiskState, TradingState, is_claim, review
from keeper.risk.review import Approved, Denied
from keeper.units import SOL, SSOL, Bps, Duration, Lamports, Rate, TokenAmount, UnixTime
from keeper.view import RATE_FELL, Freshness, View
from tests.strategies.market_views import GLOWSOL, SOL_UNIT, view

LIMITS = Limits(max_plan_capital=Lamports(100 * SOL_UNIT), min_health=Bps(1_000))
REDUCING = RiskState(TradingState.REDUCING, "a danger")
ACTIVE = RiskState()
ENOUGH = Bps(1_000)


def sol(units: int) -> TokenAmount:
    return TokenAmount(SOL, units)


def glow(units: int) -> TokenAmount:
    return TokenAmount(GLOWSOL, units)


def indebted(debt: int = 100 * SOL_UNIT, problem: str = "") -> View:
    par = Rate(1, 1)
    places = (Collateral("glow", GLOWSOL, glow(300 * SOL_UNIT), par, Bps(9_500)),)
    loans = (Loan("pool", SOL, sol(debt), par, 400),)
    return replace(view(), margin=MarginAccount("margin", places, loans, problem))


def a_plan(*steps: Atomic, protects: bool = False, capital: int = SOL_UNIT) -> Plan:
    expected = Expected(Lamports(0), Lamports(0), Bps(0), Lamports(capital), Duration(0), Lamports(0))
    return Plan(steps, expected, "test", protects=protects)


def step(*intents: Intent, health: Bps | None = None) -> Atomic:
    return Atomic(intents, health)


def reason(plan: Plan, state: RiskState = ACTIVE, seen: View | None = None) -> str:
    verdict = review(plan, seen or indebted(), state, LIMITS)
    if isinstance(verdict, Denied):
        return verdict.reason
    assert verdict == Approved(plan)
    return ""


BORROW = Borrow("pool", sol(5))
WITHDRAW = Withdraw("glow", glow(50))
SELL = Swap(glow(50), sol(1), "jupiter")
QUEUE = RequestUnstake(glow(50), Lamports(1))
REPAY = Repay("pool", sol(5))
DEPOSIT = Deposit("glow", glow(5))
CLAIM = ClaimUnstake(TicketId(0, UnixTime(0)), Lamports(1))

TO_SSOL = Swap(glow(50), TokenAmount(SSOL, 9), "jupiter")

EXITS = (
    (step(REPAY),),
    (step(WITHDRAW, SELL, REPAY),),
    (step(WITHDRAW, health=Bps(50)), step(SELL, REPAY)),
    (step(WITHDRAW, QUEUE, health=ENOUGH),),
    (step(Withdraw("ssol", TokenAmount(SSOL, 9)), Unstake(TokenAmount(SSOL, 9), Lamports(1)), REPAY),),
    (step(Withdraw("lent", sol(9)), REPAY),),
    (step(WITHDRAW, TO_SSOL, Unstake(TokenAmount(SSOL, 9), Lamports(1)), REPAY),),
)


@pytest.mark.parametrize("steps", EXITS)
@pytest.mark.parametrize("state", [ACTIVE, REDUCING])
def test_the_way_home_is_an_exit_whatever_it_is_worth(steps: tuple[Atomic, ...], state: RiskState) -> None:
    assert reason(a_plan(*steps, capital=10**18), state) == ""


ENTRIES = (
    (step(BORROW, health=ENOUGH),),
    (step(DEPOSIT),),
    (step(Stake(Lamports(5), glow(1)), DEPOSIT, BORROW, health=ENOUGH),),
    (step(QUEUE),),
    (step(WITHDRAW, Swap(glow(51), sol(1), "jupiter"), REPAY),),
    (step(SELL, WITHDRAW, REPAY),),
    (step(WITHDRAW, TO_SSOL, REPAY),),
    (step(WITHDRAW, TO_SSOL, Unstake(TokenAmount(SSOL, 8), Lamports(1)), REPAY),),
    (step(WITHDRAW, TO_SSOL, health=Bps(50)), step(Unstake(TokenAmount(SSOL, 9), Lamports(1)), REPAY)),
)


@pytest.mark.parametrize("steps", ENTRIES)
def test_new_capital_and_selling_what_is_not_there_are_entries(steps: tuple[Atomic, ...]) -> None:
    assert reason(a_plan(*steps)) == ""
    assert reason(a_plan(*steps), REDUCING) == "reducing"


def test_what_is_held_may_be_asked_out_while_reducing() -> None:
    seen = indebted()
    holding = replace(seen, wallet=replace(seen.wallet, tokens=(glow(50),)))
    assert reason(a_plan(step(QUEUE)), REDUCING, holding) == ""
    assert reason(a_plan(step(QUEUE, QUEUE)), REDUCING, holding) == "reducing"


def test_a_plan_that_protects_passes_while_reducing_and_no_limit_is_lifted() -> None:
    top_up = step(Stake(Lamports(5), glow(1)), DEPOSIT)
    assert reason(a_plan(top_up, protects=True), REDUCING) == ""
    assert reason(a_plan(top_up, protects=True, capital=101 * SOL_UNIT), REDUCING) == "plan_capital_above_limit"
    assert reason(a_plan(step(BORROW, health=ENOUGH), protects=True), REDUCING) == "reducing"
    assert reason(a_plan(step(BORROW), protects=True)) == "min_health_missing"
    halted = RiskState(TradingState.HALTED, "a fault")
    assert reason(a_plan(step(REPAY), protects=True), halted) == "halted"


@pytest.mark.parametrize("health", [None, Bps(0), Bps(999)])
@pytest.mark.parametrize("position", [0, 1])
def test_a_loan_must_demand_enough_health(health: Bps | None, position: int) -> None:
    steps = [step(BORROW, health=ENOUGH), step(DEPOSIT)]
    steps[position] = step(BORROW, health=health)
    verdict = review(a_plan(*steps), indebted(0), ACTIVE, LIMITS)
    given = "none" if health is None else health.value
    assert verdict == Denied("min_health_missing", {"step": position, "given": given, "least": 1_000})


def test_more_than_enough_will_do() -> None:
    assert reason(a_plan(step(BORROW, health=Bps(2_500)))) == ""


@pytest.mark.parametrize(
    ("steps", "debt", "denied"),
    [
        ((step(WITHDRAW, QUEUE),), 1, True),
        ((step(WITHDRAW, QUEUE),), 0, False),
        ((step(WITHDRAW, SELL),), 1, True),
        ((step(BORROW, health=ENOUGH), step(WITHDRAW)), 0, True),
        ((step(WITHDRAW, SELL, REPAY),), 1, False),
        ((step(WITHDRAW), step(SELL), step(REPAY)), 1, True),
        ((step(WITHDRAW, health=Bps(50)), step(SELL), step(REPAY)), 1, False),
        ((step(WITHDRAW, health=Bps(50)), step(SELL)), 1, True),
    ],
)
def test_collateral_leaves_from_under_a_debt_only_with_a_health_or_a_repayment(
    steps: tuple[Atomic, ...], debt: int, denied: bool
) -> None:
    assert reason(a_plan(*steps), seen=indebted(debt)) == ("min_health_missing" if denied else "")


def test_a_debt_that_cannot_be_valued_or_seen_is_still_one() -> None:
    seen = indebted()
    assert seen.margin is not None
    loans = tuple(replace(loan, price=Rate(0, 1), problem="oracle_stale") for loan in seen.margin.loans)
    for margin in (replace(seen.margin, loans=loans), None):
        assert reason(a_plan(step(WITHDRAW, QUEUE)), seen=replace(seen, margin=margin)) == "min_health_missing"


@pytest.mark.parametrize("steps", [*EXITS, *ENTRIES, (step(CLAIM, REPAY),)])
def test_under_liquidation_nothing_is_done(steps: tuple[Atomic, ...]) -> None:
    seen = indebted(problem="being_liquidated")
    assert reason(a_plan(*steps, protects=True), seen=seen) == "being_liquidated"


def test_under_liquidation_what_is_ripe_is_still_collected() -> None:
    claim = a_plan(step(CLAIM), step(CLAIM))
    assert is_claim(claim)
    assert not is_claim(a_plan(step(CLAIM), step(REPAY)))
    assert reason(claim, seen=indebted(problem="being_liquidated")) == ""
    assert reason(a_plan(step(REPAY)), seen=indebted(problem="past_due")) == ""


def test_a_deposit_of_sol_counts_as_capital() -> None:
    deposit = Deposit("lent", sol(101 * SOL_UNIT))
    assert reason(a_plan(step(deposit))) == "plan_capital_above_limit"
    assert reason(a_plan(step(Deposit("glow", glow(101 * SOL_UNIT))))) == ""


FELL = replace(indebted(), fresh=Freshness(RATE_FELL, ()))


@pytest.mark.parametrize(
    ("steps", "problem", "said"),
    [
        ((step(REPAY),), RATE_FELL, ""),
        ((step(WITHDRAW, SELL, REPAY),), RATE_FELL, ""),
        ((step(BORROW, health=ENOUGH),), RATE_FELL, "view_not_fresh"),
        ((step(DEPOSIT),), RATE_FELL, "view_not_fresh"),
        ((step(REPAY),), "node_behind", "view_not_fresh"),
    ],
)
@pytest.mark.parametrize("protects", [True, False])
def test_only_an_exit_passes_while_the_rate_fell(
    steps: tuple[Atomic, ...], problem: str, said: str, protects: bool
) -> None:
    """The one thing wrong with such a view is what the exit is for; of a node that lags even an exit knows too little."""
    seen = replace(FELL, fresh=Freshness(problem, ()))
    assert reason(replace(a_plan(*steps), protects=protects), ACTIVE, seen) == said
