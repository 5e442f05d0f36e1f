"""Under the order to unwind: back to SOL by the best way, and an end that can be told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.plan import ClaimUnstake, Decision, Hold, Plan, RequestUnstake, Swap, Unstake, Unwrap, Withdraw
from keeper.units import SOL, SSOL, Bps, ComputeUnits, Lamports, Rate, TokenAmount
from keeper.view import View
from strategies.arbitrage import ARBITRAGE
from strategies.arbitrage import Params as ArbitrageParams
from strategies.compound import COMPOUND, Params
from tests.strategies.idle_views import GLOW_PLACE, POOL, glow_of, idle, with_margin
from tests.strategies.market_views import GLOWSOL, SOL_UNIT, ladder, ticket, with_glow

PARAMS = Params()
IN_MARGIN = Params(place="margin")


def unwinding(
    *, ssol: int = 0, glow: int = 0, wrapped: int = 0, price_bps: int = 10_000, yearly_bps: int = 700
) -> View:
    return idle(ssol=ssol, glow=glow, wrapped=wrapped, price_bps=price_bps, yearly_bps=yearly_bps, order="unwind")


def decided(seen: View, params: Params = PARAMS) -> Decision:
    return COMPOUND.decide(seen, params)


def plan_of(seen: View, params: Params = PARAMS) -> Plan:
    decision = decided(seen, params)
    assert isinstance(decision, Plan), decision
    return decision


def hold_of(seen: View, params: Params = PARAMS) -> Hold:
    decision = decided(seen, params)
    assert isinstance(decision, Hold), decision
    return decision


def test_with_nothing_but_sol_it_is_unwound_and_compounds_no_more() -> None:
    hold = hold_of(unwinding())
    assert (hold.reason, hold.numbers["tickets"]) == ("unwound", 0)


def test_the_best_price_after_the_wait_is_taken() -> None:
    """A week in the queue at 7 % forgoes 13 bps: a market 8 bps below redemption is better, one 40 bps below is not."""
    sold, queued = (plan_of(unwinding(glow=20 * SOL_UNIT, price_bps=price)) for price in (9_996, 9_960))
    assert (sold.reason, queued.reason) == ("sell", "request")
    (swap,), (request,) = sold.steps[0].intents, queued.steps[0].intents
    assert isinstance(swap, Swap)
    assert isinstance(request, RequestUnstake)
    assert swap.sell == request.spend == TokenAmount(GLOWSOL, 20 * SOL_UNIT)
    assert queued.expected.ripens == glow_of(unwinding()).waiting_period
    assert sold.expected.min_sol_change.value > 0 > queued.expected.min_sol_change.value


def test_without_a_yield_the_queue_costs_nothing_to_wait_in() -> None:
    assert plan_of(unwinding(glow=20 * SOL_UNIT, price_bps=9_996, yearly_bps=0)).reason == "request"


def test_it_leaves_by_ssol_where_that_pays_more() -> None:
    seen = unwinding(glow=20 * SOL_UNIT, price_bps=9_960)
    in_ssol = Rate(glow_of(seen).rate.numerator * 100, glow_of(seen).rate.denominator * 116)
    tempting = replace(seen, quotes=(*seen.quotes, ladder(GLOWSOL, SSOL, 10_100, in_ssol)))
    assert plan_of(seen).reason == "request"
    assert plan_of(tempting).reason == "sell_ssol"


def test_no_sale_goes_below_the_bound() -> None:
    seen = with_glow(unwinding(glow=20 * SOL_UNIT, price_bps=9_890), queue_slots_free=0)
    assert hold_of(seen).reason in {"queue_full", "price_below_bound"}
    assert plan_of(seen, Params(max_discount=Bps(200))).reason == "sell"


def test_more_than_is_quoted_is_sold_in_parts() -> None:
    plan = plan_of(unwinding(glow=250 * SOL_UNIT, price_bps=10_030))
    (swap,) = plan.steps[0].intents
    assert isinstance(swap, Swap)
    assert swap.sell == TokenAmount(GLOWSOL, 100 * SOL_UNIT)


def test_ssol_leaves_through_the_reserve_as_far_as_it_reaches() -> None:
    plan = plan_of(unwinding(ssol=50 * SOL_UNIT))
    assert plan.reason == "unstake"
    (out,) = plan.steps[0].intents
    assert isinstance(out, Unstake)
    assert out.spend == TokenAmount(SSOL, 50 * SOL_UNIT)
    seen = unwinding(ssol=50 * SOL_UNIT)
    short = replace(seen, pools=(replace(seen.pools[0], reserve=Lamports(5 * SOL_UNIT)),))
    (part,) = plan_of(short).steps[0].intents
    assert isinstance(part, Unstake)
    assert part.min_receive <= Lamports(5 * SOL_UNIT) < part.min_receive + Lamports(SOL_UNIT // 100)


def test_ssol_sells_or_waits_where_the_reserve_is_empty() -> None:
    seen = unwinding(ssol=50 * SOL_UNIT)
    empty = replace(seen.pools[0], reserve=Lamports(0))
    slow = plan_of(replace(seen, pools=(empty,)))  # a day at 7 % is cheaper than 23 bps on the DEX
    assert slow.reason == "request_stake"
    (request,) = slow.steps[0].intents
    assert isinstance(request, RequestUnstake)
    fees = seen.fees.transaction(ComputeUnits(PARAMS.compute_limit)) * 2
    assert slow.expected.min_sol_change == -fees - empty.stake_rent
    full = replace(empty, stake_places_free=0)
    assert plan_of(replace(seen, pools=(full,))).reason == "sell"


def test_wrapped_sol_is_unwrapped_first() -> None:
    plan = plan_of(unwinding(wrapped=SOL_UNIT, glow=5 * SOL_UNIT))
    assert plan.steps[0].intents == (Unwrap(Lamports(SOL_UNIT)),)
    resting = replace(unwinding(wrapped=SOL_UNIT), cooling=("unwrap",))
    assert hold_of(resting).reason == "cooling_down"


def test_a_way_that_rests_makes_room_for_the_next_best() -> None:
    seen = unwinding(glow=20 * SOL_UNIT, price_bps=9_996)
    assert plan_of(replace(seen, cooling=("sell",))).reason == "request"
    assert hold_of(replace(seen, cooling=("sell", "request"))).reason == "cooling_down"


def test_it_waits_for_its_requests_and_claims_them() -> None:
    waiting = replace(unwinding(), queue=(ticket(0, assets=5 * SOL_UNIT, ripe_in=60),))
    hold = hold_of(waiting)
    assert (hold.reason, hold.numbers["tickets"], hold.numbers["assets"]) == ("unwinding", 1, 5 * SOL_UNIT)
    ripe = ticket(0, assets=5 * SOL_UNIT, ripe_in=-1)
    assert plan_of(replace(unwinding(), queue=(ripe,))).steps[0].intents == (ClaimUnstake(ripe.id, ripe.assets),)


def test_dust_does_not_keep_it_from_its_end() -> None:
    dust = replace(unwinding(glow=100, ssol=100, wrapped=100), queue=(ticket(0, assets=100, ripe_in=-1),))
    assert hold_of(dust).reason == "unwound"


def test_what_is_lent_comes_back_and_so_does_what_was_deposited_without_debt() -> None:
    lent = plan_of(with_margin(unwinding(), lent=20 * SOL_UNIT, glow=5 * SOL_UNIT))
    assert lent.steps[0].intents == (Withdraw(f"{POOL}:deposits", TokenAmount(SOL, 20 * SOL_UNIT)),)
    assert lent.expected.min_sol_change == Lamports(20 * SOL_UNIT) - lent.expected.costs
    placed = plan_of(with_margin(unwinding(), glow=5 * SOL_UNIT), IN_MARGIN)
    assert placed.steps[0].intents == (Withdraw(GLOW_PLACE, TokenAmount(GLOWSOL, 5 * SOL_UNIT)),)
    assert placed.expected.min_sol_change == -placed.expected.costs


def test_a_first_withdrawal_of_lent_sol_pays_its_rent() -> None:
    seen = with_margin(unwinding(), lent=20 * SOL_UNIT, passage=False)
    plan, rent = plan_of(seen), seen.fees.token_account_rent
    assert plan.reason == "withdraw"
    assert plan.expected.min_sol_change == Lamports(20 * SOL_UNIT) - plan.expected.costs
    assert plan.expected.costs > rent
    dust = with_margin(unwinding(), lent=rent.value, passage=False)
    assert hold_of(dust).reason == "unwound"


def test_collateral_under_a_debt_is_the_loops_to_unwind() -> None:
    owing = with_margin(unwinding(), glow=50 * SOL_UNIT, debt=10 * SOL_UNIT)
    assert hold_of(owing, IN_MARGIN).reason == "unwound"
    assert hold_of(with_margin(unwinding(), glow=50 * SOL_UNIT)).reason == "unwound"  # in the wallet's place


def test_lent_sol_that_cannot_leave_is_waited_for() -> None:
    assert hold_of(with_margin(unwinding(), lent=20 * SOL_UNIT, exit_room=0)).reason == "collateral_bound"
    locked = with_margin(unwinding(), lent=20 * SOL_UNIT, problem="account_constrained")
    assert hold_of(locked).reason == "account_constrained"


@pytest.mark.parametrize(
    "seen",
    [
        unwinding(ssol=50 * SOL_UNIT),
        unwinding(glow=50 * SOL_UNIT),
        with_margin(unwinding(), lent=20 * SOL_UNIT),
    ],
)
def test_without_lending_or_restaking_or_a_pool_it_still_answers(seen: View) -> None:
    assert isinstance(decided(replace(seen, glowsol=None)), Plan | Hold)
    assert isinstance(decided(replace(seen, pools=(), margin=None, quotes=())), Plan | Hold)
    assert isinstance(decided(with_glow(seen, outstanding=TokenAmount(GLOWSOL, 0))), Plan | Hold)


@settings(max_examples=150, deadline=None)
@given(
    glow=st.integers(0, 300 * SOL_UNIT),
    ssol=st.integers(0, 300 * SOL_UNIT),
    price=st.integers(9_000, 10_400),
    reserve=st.integers(0, 100 * SOL_UNIT),
    slots=st.integers(0, 2),
    current=st.booleans(),
)
def test_step_by_step_everything_leaves_and_nothing_below_its_bound(
    glow: int, ssol: int, price: int, reserve: int, slots: int, current: bool
) -> None:
    """Each plan is applied to the view at its bounds, until it holds: what is then left had no way out, or is dust."""
    seen = with_glow(unwinding(glow=glow, ssol=ssol, price_bps=price), queue_slots_free=slots)
    pool = replace(seen.pools[0], reserve=Lamports(reserve), current=current)
    seen = replace(seen, pools=(pool,))
    for _ in range(40):
        decision = decided(seen)
        if isinstance(decision, Hold):
            break
        (intent,) = decision.steps[0].intents[:1]
        seen = _after(seen, decision)
        assert not isinstance(intent, Unstake) or current
    else:
        raise AssertionError("it never came to an end")
    left = {mint: seen.wallet.token(mint).units for mint in (GLOWSOL, SSOL)}
    if decision.reason in ("unwound", "unwinding"):
        assert max(left.values()) < 10**7
    else:
        assert decision.reason in {
            "queue_full",
            "price_below_bound",
            "stake_pool_outdated",
            "stake_pool_reserve_short",
            "stake_places_taken",
        }


def _after(seen: View, plan: Plan) -> View:
    moved = {GLOWSOL: 0, SSOL: 0}
    pool, glow, asked = seen.pools[0], glow_of(seen), 0
    for intent in plan.steps[0].intents:
        match intent:
            case Swap(sell, receive):
                moved[sell.mint] -= sell.units
                if receive.mint != SOL:
                    moved[receive.mint] += receive.units
                worth = glow.rate if sell.mint == GLOWSOL else pool.rate
                if receive.mint == SOL:
                    assert receive.units * 10_000 >= worth.lamports(sell).value * 9_900
            case Unstake(spend, receive_lamports):
                moved[SSOL] -= spend.units
                assert receive_lamports <= pool.reserve
                pool = replace(pool, reserve=pool.reserve - receive_lamports)
            case RequestUnstake(spend, _):
                moved[spend.mint] -= spend.units
                if spend.mint == SSOL:
                    assert pool.stake_places_free > 0
                    pool = replace(pool, stake_places_free=pool.stake_places_free - 1)
                else:
                    assert glow.queue_slots_free > 0
                    asked += 1
            case _:
                raise AssertionError(intent)
    tokens = tuple(replace(one, units=one.units + moved.get(one.mint, 0)) for one in seen.wallet.tokens)
    assert all(one.units >= 0 for one in tokens)
    seen = replace(seen, pools=(pool,), wallet=replace(seen.wallet, tokens=tokens))
    return with_glow(seen, queue_slots_free=glow.queue_slots_free - asked)


def test_arbitrage_only_claims_under_the_order() -> None:
    seen = unwinding(price_bps=10_080)
    assert isinstance(ARBITRAGE.decide(replace(seen, past=replace(seen.past, order="")), ArbitrageParams()), Plan)
    done = ARBITRAGE.decide(seen, ArbitrageParams())
    assert isinstance(done, Hold)
    assert (done.reason, done.numbers) == ("unwound", {"tickets": 0, "assets": 0})
    waiting = ARBITRAGE.decide(replace(seen, queue=(ticket(1, assets=SOL_UNIT, ripe_in=9),)), ArbitrageParams())
    assert isinstance(waiting, Hold)
    assert (waiting.reason, waiting.numbers) == ("unwinding", {"tickets": 1, "assets": SOL_UNIT})
    ripe = ARBITRAGE.decide(replace(seen, queue=(ticket(1, assets=SOL_UNIT, ripe_in=-9),)), ArbitrageParams())
    assert isinstance(ripe, Plan)
    assert ripe.reason == "claim_ripe"
    without = ARBITRAGE.decide(replace(seen, glowsol=None), ArbitrageParams())
    assert isinstance(without, Hold)
    assert without.reason == "unwound"
