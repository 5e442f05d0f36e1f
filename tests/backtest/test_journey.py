"""Journeys: the checks find what they are there for, whoever breaks it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keeper.backtest.campaign import Campaign
from keeper.backtest.dex import VENUE
from keeper.backtest.ground import GLOWSOL
from keeper.backtest.journey import Journey, travel
from keeper.backtest.paths import DAY, START, Path, Spell, draw
from keeper.backtest.paths import SOL as UNIT
from keeper.plan import Atomic, Borrow, Decision, Deposit, Expected, Hold, Intent, Plan, Repay, Stake, Swap, Withdraw
from keeper.strategy import LadderNeed
from keeper.units import SOL, Bps, Duration, Lamports
from keeper.view import View
from tests.backtest.markets import PLACE, POOL, glow, quiet, scripted, sol

CRASH = Spell("depeg", START + 2 * DAY, 1_800, DAY, None, 150_000)
NEEDS = (LadderNeed(tuple(glow(n * UNIT) for n in (1, 5, 20, 100)), SOL), LadderNeed((sol(UNIT),), GLOWSOL))


def plan(*intents: Intent, costs: int = 102 * UNIT, protects: bool = False) -> Plan:
    """``costs``: the most SOL that it may take, fees and rents included."""
    expected = Expected(Lamports(0), Lamports(0), Bps(0), Lamports(1), Duration(0), Lamports(-costs))
    return Plan((Atomic(intents, Bps(1_000)),), expected, "scripted", protects=protects)


def opened(view: View, borrow: int) -> Plan | None:
    """Own SOL first, and then ``borrow`` SOL at most, as far as they go at once; None when all is done."""
    assert view.margin is not None
    assert view.glowsol is not None
    rate = view.glowsol.rate
    debt, spare = view.margin.debt.value, view.wallet.spendable.value - UNIT // 10
    if spare > UNIT:
        minted = rate.tokens(Lamports(spare), GLOWSOL)
        return plan(Stake(Lamports(spare), minted), Deposit(PLACE, minted), costs=spare + UNIT // 20)
    if debt < (borrow - 1) * UNIT:
        free = (view.margin.weighted - view.margin.burden).value // 2
        step = min(free, borrow * UNIT - debt)
        minted = rate.tokens(Lamports(step), GLOWSOL)
        return plan(Borrow(POOL, sol(step)), Stake(Lamports(step), minted), Deposit(PLACE, minted), costs=UNIT // 20)
    return None


def went(path: Path, decide: object) -> Journey:
    assert callable(decide)
    return travel(path, scripted(decide, *NEEDS), capital=103 * UNIT, floor=1_000)


def rules(journey: Journey) -> set[str]:
    return {one.rule for one in journey.breaches}


def test_who_borrows_all_he_can_is_liquidated() -> None:
    journey = went(quiet(CRASH, market_oracle=True), lambda view: opened(view, 200) or Hold("done"))
    assert journey.liquidated
    assert "liquidated" in rules(journey)
    assert journey.deepest_debt > 190 * UNIT
    assert journey.lasted < 3 * DAY


def test_who_sleeps_through_a_crash_has_neglected_an_exit() -> None:
    journey = went(quiet(CRASH, market_oracle=True), lambda view: opened(view, 150) or Hold("asleep"))
    assert not journey.liquidated
    assert rules(journey) == {"fell_below_floor", "exit_neglected"}
    assert 0 <= journey.lowest < 1_000


@pytest.mark.parametrize(
    "closed",
    [Spell("lending_paused", START + DAY, 60, 60 * DAY, 60, 1), Spell("dry_dex", START + DAY, 60, 60 * DAY, 60, 10**6)],
)
def test_who_has_no_way_out_is_excused(closed: Spell) -> None:
    """The reserve takes sSOL only, the wallet holds nothing that could be repaid with, and there is no exit left."""

    def decide(view: View) -> Decision:
        rest = view.wallet.protecting - Lamports(UNIT // 1_000)
        done = opened(view, 150)
        if done is None and rest > Lamports(UNIT):
            return plan(Repay(POOL, sol(rest.value)), costs=rest.value + UNIT // 100, protects=True)
        return done or Hold("stuck")

    journey = went(quiet(CRASH, closed, market_oracle=True), decide)
    assert journey.lowest < 1_000
    assert rules(journey) == set()


def test_who_gets_out_in_time_breaks_nothing() -> None:
    def decide(view: View) -> Decision:
        assert view.margin is not None
        if view.block_time.value < START + DAY:
            return opened(view, 150) or Hold("done")
        quoted = view.ladder(GLOWSOL, SOL)
        debt = view.margin.debt.value
        if not debt or quoted is None:
            return Hold("out")
        rung = quoted.rungs[2]
        paid = min(rung.min_receive.units, debt - 1)
        if debt < 30 * UNIT:
            return Hold("out")
        return plan(
            Withdraw(PLACE, rung.sell),
            Swap(rung.sell, rung.min_receive, VENUE),
            Repay(POOL, sol(paid)),
            costs=UNIT // 20,
        )

    journey = went(quiet(CRASH, market_oracle=True), decide)
    assert rules(journey) == set()
    assert journey.landed > 5
    assert 0 < journey.drawdown < UNIT


@pytest.mark.parametrize(
    ("intents", "rule"),
    [
        ((Stake(Lamports(102 * UNIT), glow(UNIT)),), "spends_unseen"),
        ((Stake(Lamports(10 * UNIT), glow(UNIT)), Deposit(PLACE, glow(9 * UNIT))), "not_covered"),
        ((Stake(Lamports(10 * UNIT), glow(20 * UNIT)),), "cannot_land"),
    ],
)
def test_a_careless_plan_is_noticed(intents: tuple[Intent, ...], rule: str) -> None:
    asked: list[View] = []

    def decide(view: View) -> Decision:
        asked.append(view)
        return plan(*intents) if len(asked) == 1 else Hold("done")

    assert rule in rules(went(quiet(days=7), decide))


def test_a_bound_on_sol_that_does_not_hold_is_noticed() -> None:
    asked: list[View] = []

    def decide(view: View) -> Decision:
        asked.append(view)
        return plan(Stake(Lamports(UNIT), glow(1)), costs=UNIT) if len(asked) == 1 else Hold("done")

    assert rules(went(quiet(days=7), decide)) == {"sol_bound_broken"}


def test_a_strategy_that_raises_is_noticed() -> None:
    def decide(_: View) -> Decision:
        raise ZeroDivisionError("nothing to divide by")

    journey = went(quiet(days=7), decide)
    assert rules(journey) == {"strategy_raised"}
    assert "nothing to divide by" in str(journey.breaches[0])


def test_the_order_to_unwind_is_shown_from_its_time_on() -> None:
    seen: list[tuple[int, str]] = []

    def decide(view: View) -> Decision:
        seen.append((view.block_time.value, view.past.order))
        return Hold("unwound" if view.past.order else "waiting")

    path = quiet(days=7)
    turns = tuple(sorted((*path.turns, START + 3 * DAY)))
    journey = went(replace(path, unwind_at=START + 3 * DAY, turns=turns), decide)
    assert journey.ordered
    assert journey.unwound
    assert {order for at, order in seen if at < START + 3 * DAY} == {""}
    assert {order for at, order in seen if at >= START + 3 * DAY} == {"unwind"}


def test_a_journey_repeats_to_the_lamport() -> None:
    first, second = (Campaign(1, days=7).journey(0) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("first", range(0, 20, 5))
def test_the_shipped_loop_survives(first: int) -> None:
    """The suite's slice of ``keeper campaign``: no liquidation, no exit neglected, nothing lost that is not explained."""
    journeys = [Campaign(1, days=7).journey(seed) for seed in range(first, first + 5)]
    for one in journeys:
        assert one.breaches == [], f"{draw(one.seed, 7)}\nkeeper campaign --days 7 --replay {one.seed}"
        assert not one.liquidated
        assert one.lasted == 7 * DAY
    assert max(one.deepest_debt for one in journeys) > 20 * UNIT, "an idle slice proves nothing"


def test_the_loop_without_its_stress_does_not() -> None:
    """What the slice rests on: the same strategy through the same kind of path, with nothing put aside for it."""
    careless: dict[str, object] = {"shock": "0 %", "drift": "0 %", "rate_shock": "0 %", "max_leverage": "450 %"}
    journey = Campaign(1, days=10, params=careless).journey(4)
    assert journey.liquidated
    assert {"liquidated", "fell_below_floor"} <= rules(journey)
