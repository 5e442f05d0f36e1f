"""The loop when several things go wrong at once: what it does step by step, and what it must not wait for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keeper.lending import Stress
from keeper.plan import Borrow, Hold, Plan, Repay
from keeper.tactics.leverage import Position
from keeper.tactics.yields import interest
from keeper.units import Bps, Duration, Lamports, Rate, TokenAmount
from keeper.view import View
from strategies.loop import LOOP, Params
from tests.strategies.lending_views import GLOW_RATE, PERCENT, PLACE, POOL, account, borrows, fill, later, lending
from tests.strategies.lending_views import loop_view as seen_with
from tests.strategies.market_views import GLOWSOL, SOL_UNIT, ticket, with_glow

PARAMS = Params(cooldown=Duration(0))
TOP = 200 * PERCENT
DAY = 86_400
SPIKE = {"market": lending(borrow=TOP), "samples": borrows(TOP, every=DAY)}  # for a day: it has cost 53 bps


def sol(amount: float) -> int:
    return int(amount * SOL_UNIT)


def glow(worth: int) -> int:
    return GLOW_RATE.tokens(Lamports(worth), GLOWSOL).units


def levered(equity: float, debt: float, **changes: object) -> View:
    """A position with ``equity`` and ``debt`` in SOL."""
    changes.setdefault("lamports", sol(0.1))
    margin = changes.pop("margin", None) or account(glow(sol(equity + debt)), sol(debt))
    return seen_with(margin, **changes)  # type: ignore[arg-type]  # keyword names are the caller's


def decided(seen: View, params: Params = PARAMS) -> Plan:
    decision = LOOP.decide(seen, params)
    assert isinstance(decision, Plan), decision
    return decision


def held(seen: View, params: Params = PARAMS) -> Hold:
    decision = LOOP.decide(seen, params)
    assert isinstance(decision, Hold), decision
    return decision


def settled(seen: View, params: Params = PARAMS, most: int = 30) -> View:
    for _ in range(most):
        decision = LOOP.decide(seen, params)
        if isinstance(decision, Hold):
            return seen
        seen = fill(seen, decision).view
    raise AssertionError(f"no end in sight after {most} plans: {decision.reason}")


def stressed(seen: View, params: Params = PARAMS) -> Bps:
    assert seen.margin is not None
    stress = Stress.over(params.shock, params.rate_shock, params.exit_time, params.drift)
    return Position(seen.margin, PLACE[GLOWSOL], POOL, stress).stressed


def debt(seen: View) -> Lamports:
    assert seen.margin is not None
    return Lamports(seen.margin.loans[0].amount.units)


# an inverted rate


def test_while_debt_costs_more_than_it_earns_idle_sol_repays_at_once() -> None:
    """It costs a fee and can be borrowed again for one: there is no round trip to wait for."""
    hour = levered(60, 60, lamports=sol(20), market=lending(borrow=TOP), samples=borrows(TOP, every=3_600))
    plan = decided(hour)
    assert plan.reason == "repay_idle"
    assert plan.numbers["cause"] == "inversion"
    assert not plan.protects
    after = fill(hour, plan).view
    assert debt(after) < Lamports(sol(40.2))
    assert held(after).reason == "inversion_young"  # collateral is not sold yet
    calm = replace(after, lending=(lending(),))
    again = decided(calm)
    assert isinstance(again.steps[0].intents[0], Borrow)


def test_a_way_in_that_is_closed_does_not_keep_it_in_debt() -> None:
    """With deposits paused and nobody selling, coming back costs nobody knows what; staying costs 200 % a year."""
    seen = with_glow(levered(100, 100, **SPIKE), paused=True)
    seen = replace(seen, quotes=tuple(one for one in seen.quotes if one.sell == GLOWSOL))
    young = held(seen)
    assert young.reason == "inversion_young"
    assert int(young.numbers["round_trip_ppb"]) < 2 * PERCENT
    old = replace(seen, past=replace(seen.past, borrows=borrows(*[TOP] * 4)))
    assert decided(old).numbers["cause"] == "inversion"
    assert debt(settled(old)) < PARAMS.min_notional


def test_an_inversion_that_has_cost_more_than_a_dear_sale_pays_for_it() -> None:
    """The DEX asks for 1.7 %, more than ``max_exit_slippage``; seven days of the queue would cost 3.8 %."""
    thin = levered(100, 100, market=lending(borrow=TOP), samples=borrows(*[TOP] * 2), price_bps=9_830)
    assert held(thin).reason == "inversion_young"
    old = replace(thin, past=replace(thin.past, borrows=borrows(*[TOP] * 8)))
    plan = decided(old)
    assert plan.reason == "sell"
    assert not plan.protects
    assert debt(settled(old)) < PARAMS.min_notional


def test_no_more_is_paid_than_the_inversion_has_cost() -> None:
    """Half the price is no price while the queue is open: what waits is worth more."""
    awful = levered(100, 60, market=lending(borrow=TOP), samples=borrows(*[TOP] * 30), price_bps=9_720, depth=4_000)
    for _ in range(8):
        decision = LOOP.decide(awful, PARAMS)
        if isinstance(decision, Hold):
            break
        assert decision.reason == "request" or decision.expected.profit.value > -decision.expected.capital.value // 20
        awful = fill(awful, decision).view


def test_a_depeg_that_forces_nothing_does_not_forbid_to_leave_a_rate_at_the_top() -> None:
    calm = levered(100, 60, price_bps=9_600)
    assert held(calm).reason == "depegged"
    bled = levered(100, 60, price_bps=9_600, market=lending(borrow=TOP), samples=borrows(*[TOP] * 12))
    plan = decided(bled)
    assert plan.numbers["cause"] == "inversion"
    assert not any(isinstance(intent, Borrow) for intent in plan.steps[0].intents)
    assert sum(one.assets.value for one in settled(bled).queue) > sol(20)  # the queue's 3.8 % are less than the DEX's


def test_above_its_target_with_a_thin_market_it_still_leaves_a_rate_at_the_top() -> None:
    """No sale is cheap enough for the band alone; the inversion may pay more, or wait in the queue."""
    calm = levered(100, 117.5, price_bps=9_850)
    assert held(calm).reason == "exit_liquidity_short"
    bled = levered(100, 117.5, price_bps=9_850, market=lending(borrow=TOP), samples=borrows(*[TOP] * 20))
    assert decided(bled).numbers["cause"] == "inversion"


def test_weeks_at_the_top_without_any_dex_are_left_by_the_queue_and_never_below_the_floor() -> None:
    """Day by day: debt grows by 200 % a year, nothing is quoted, the queue takes seven days."""
    seen = levered(100, 60, quotes=(), market=lending(borrow=TOP), samples=())
    first, lows, under = debt(seen), [], []
    for day in range(90):
        seen = settled(seen)
        assert seen.margin is not None
        lows.append(seen.margin.health)
        under.append(stressed(seen))
        if not debt(seen):
            break
        seen = later(seen, DAY)
        assert seen.margin is not None
        grown = interest(debt(seen), TOP, Duration(DAY)).value
        seen = replace(
            seen,
            margin=seen.margin.changed({f"loan:{POOL}": grown}),
            past=replace(seen.past, borrows=borrows(*[TOP] * (day + 1))),
        )
        # what the samples are dated by moves along
        shift = seen.block_time.elapsed(later(levered(1, 0), 0).block_time)
        dated = tuple(replace(one, at=one.at.after(shift)) for one in seen.past.borrows)
        seen = replace(seen, past=replace(seen.past, borrows=dated))
    assert debt(seen) < Lamports(first.value // 10)
    assert min(lows) >= PARAMS.health_floor * 2
    assert (
        min(under) >= PARAMS.health_floor - PARAMS.band * 2
    )  # 200 % over the queue's seven days; then a week's claims repay


def test_what_waits_in_the_queue_does_not_begin_an_emergency() -> None:
    """A request takes collateral away for seven days. What is left must not be sold at any price for the first interest."""
    market, samples = lending(borrow=12 * PERCENT), borrows(*[12 * PERCENT] * 400)
    seen = levered(100, 60, market=market, samples=samples, price_bps=9_940)
    plan = decided(seen)
    assert plan.reason == "request"
    after = fill(seen, plan).view
    assert stressed(after) >= PARAMS.health_floor + PARAMS.band - Bps(1)
    assert after.margin is not None
    owed = replace(after, margin=after.margin.changed({f"loan:{POOL}": sol(0.14)}))  # seven days of interest
    decision = LOOP.decide(owed, PARAMS)
    assert isinstance(decision, Hold) or (decision.numbers["cause"] == "inversion" and not decision.protects)


# an emergency


def test_in_an_emergency_idle_sol_goes_before_a_sale_at_any_price() -> None:
    """It is free, needs no quote and no oracle, and takes one plan; what is left is sold after it."""
    seen = levered(100, 140, lamports=sol(6), depth=2_000)
    first = decided(seen)
    assert first.reason == "repay_idle"
    assert first.protects
    second = decided(fill(seen, first).view)
    assert second.reason == "sell"
    assert second.protects
    (repaid,) = (one for one in second.steps[0].intents if isinstance(one, Repay))
    direct = decided(levered(100, 140, lamports=sol(0.1), depth=2_000))
    (otherwise,) = (one for one in direct.steps[0].intents if isinstance(one, Repay))
    assert repaid.amount < otherwise.amount
    assert stressed(settled(seen)) >= PARAMS.health_floor + PARAMS.band - Bps(1)


@pytest.mark.parametrize("lie", [11_000, 15_000, 40_000])
def test_an_oracle_that_lies_upward_lifts_no_debt(lie: int) -> None:
    honest = settled(seen_with(lamports=sol(101)))
    dear = Rate(GLOW_RATE.numerator * lie, GLOW_RATE.denominator * 10_000)
    fooled = settled(seen_with(account(price=dear), lamports=sol(101)))
    assert abs((debt(fooled) - debt(honest)).value) <= sol(1)


@pytest.mark.parametrize("lie", [9_500, 9_000, 8_000])
def test_an_oracle_that_lies_downward_makes_debt_safe_by_its_own_word(lie: int) -> None:
    """Whoever can liquidate does so at that price: what the collateral is really worth helps nobody then."""
    cheap = Rate(GLOW_RATE.numerator * lie, GLOW_RATE.denominator * 10_000)
    seen = levered(100, 112, margin=account(glow(sol(212)), sol(112), price=cheap))
    assert decided(seen).numbers["cause"] in ("health", "over_target")
    after = settled(seen)
    assert stressed(after) >= PARAMS.health_floor + PARAMS.band - Bps(1)
    assert debt(after) < debt(seen)


def test_a_full_queue_without_a_dex_is_waited_out_and_what_ripens_repays() -> None:
    full = tuple(ticket(index, assets=sol(1), ripe_in=DAY * (index + 1)) for index in range(8))
    seen = levered(60, 60, quotes=(), queue=full, market=lending(borrow=TOP), samples=borrows(*[TOP] * 30))
    assert isinstance(LOOP.decide(seen, PARAMS), Hold)
    ripe = later(seen, 2 * DAY)
    after = settled(ripe)
    assert debt(after) < Lamports(sol(58.1))
    assert len(after.queue) >= 6


def test_a_paused_restaking_program_closes_the_way_in_and_no_way_out() -> None:
    paused = with_glow(levered(100, 117.5), paused=True)
    assert decided(paused).reason == "sell"
    rate = TokenAmount(GLOWSOL, glow(sol(5)))
    assert held(with_glow(seen_with(lamports=sol(31), quotes=()), paused=True)).reason == "no_way_in"
    assert decided(with_glow(seen_with(held=rate.units), paused=True)).reason == "deposit_held"
