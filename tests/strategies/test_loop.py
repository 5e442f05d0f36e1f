"""The loop's decisions: every way up and down, and every reason to stay."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from keeper.lending import Stress
from keeper.past import EpochRates
from keeper.plan import (
    Deposit,
    Hold,
    Plan,
    TicketId,
)
from keeper.strategy import ParameterError, read_params
from keeper.tactics.leverage import Position
from keeper.units import SOL, SSOL, Bps, Duration, Epoch, Lamports, Rate, TokenAmount, UnixTime
from keeper.view import Freshness, Source, Ticket, View
from strategies.loop import LOOP, Params
from tests.strategies.lending_views import (
    GLOW_RATE,
    PERCENT,
    PLACE,
    POOL,
    account,
    borrows,
    fill,
    later,
    lending,
    loop_view,
)
from tests.strategies.market_views import GLOWSOL, NOW, SOL_UNIT, ticket, with_glow

PARAMS = Params(cooldown=Duration(0))
SSOL_PARAMS = replace(PARAMS, collateral="sSOL")


def plan_of(seen: View, params: Params = PARAMS) -> Plan:
    decision = LOOP.decide(seen, params)
    assert isinstance(decision, Plan), decision
    return decision


def hold_of(seen: View, params: Params = PARAMS) -> Hold:
    decision = LOOP.decide(seen, params)
    assert isinstance(decision, Hold), decision
    return decision


def kinds(plan: Plan) -> list[str]:
    return [type(intent).__name__ for intent in plan.steps[0].intents]


def sol(amount: float) -> int:
    return int(amount * SOL_UNIT)


def glow(worth: int) -> int:
    """glowSOL that redeems for ``worth`` lamports."""
    return GLOW_RATE.tokens(Lamports(worth), GLOWSOL).units


def levered(equity: int, debt: int, **changes: object) -> View:
    """A position with ``equity`` and ``debt`` in lamports."""
    market = changes.pop("market", None)
    margin = changes.pop("margin", None) or account(glow(equity + debt), debt)
    changes.setdefault("lamports", sol(0.1))
    return loop_view(margin, market=market, **changes)  # type: ignore[arg-type]  # keyword names are the caller's


def stressed(seen: View, params: Params = PARAMS) -> Bps:
    assert seen.margin is not None
    stress = Stress.over(params.shock, params.rate_shock, params.exit_time, params.drift)
    mint = SSOL if params.collateral == "sSOL" else GLOWSOL
    return Position(seen.margin, PLACE[mint], POOL, stress).stressed


def settled(seen: View, params: Params = PARAMS, most: int = 30) -> View:
    """``seen`` after every plan that the loop makes at once."""
    for _ in range(most):
        decision = LOOP.decide(seen, params)
        if isinstance(decision, Hold):
            return seen
        seen = fill(seen, decision).view
    raise AssertionError(f"no end in sight after {most} plans: {decision.reason}")


# up


def test_a_loop_opens_with_own_sol_and_then_borrows_in_steps_that_existing_collateral_carries() -> None:
    first = plan_of(loop_view(lamports=sol(101)))
    assert first.reason == "boost_mint"
    assert kinds(first) == ["Stake", "Deposit"]
    seen = fill(loop_view(lamports=sol(101)), first).view
    second = plan_of(seen)
    assert kinds(second) == ["Borrow", "Stake", "Deposit"]
    assert second.steps[0].min_health == PARAMS.health_floor
    filled = fill(seen, second)
    assert filled.lowest >= Bps(100)
    final = settled(filled.view)
    assert final.margin is not None
    assert Bps(21_000) < final.margin.leverage < Bps(21_500)  # 2.12 x is what the defaults' stress allows
    assert PARAMS.health_floor + PARAMS.band <= stressed(final) <= PARAMS.health_floor + PARAMS.band * 3
    assert hold_of(final).reason == "within_band"


def test_what_is_bought_is_what_gives_more() -> None:
    cheap = plan_of(loop_view(lamports=sol(31), price_bps=9_950))
    assert cheap.reason == "boost_buy"
    assert kinds(cheap) == ["Swap", "Deposit"]
    assert plan_of(loop_view(lamports=sol(31), price_bps=10_050)).reason == "boost_mint"
    paused = with_glow(loop_view(lamports=sol(31)), paused=True)
    assert plan_of(paused).reason == "boost_buy"


def test_a_way_that_rests_gives_the_other_its_turn() -> None:
    seen = loop_view(lamports=sol(31))
    assert plan_of(replace(seen, cooling=("boost_mint",))).reason == "boost_buy"
    assert hold_of(replace(seen, cooling=("boost_mint", "boost_buy"))).reason == "no_way_in"


def test_own_capital_ends_at_its_budget() -> None:
    plan = plan_of(loop_view(lamports=sol(500)), replace(PARAMS, equity=Lamports(sol(40))))
    assert plan.expected.capital == Lamports(sol(40))
    seen = settled(loop_view(lamports=sol(500)), replace(PARAMS, equity=Lamports(sol(40))))
    assert seen.margin is not None
    assert seen.margin.equity < Lamports(sol(40.01))
    assert seen.wallet.lamports > Lamports(sol(459))


def test_collateral_in_the_wallet_is_deposited() -> None:
    plan = plan_of(loop_view(held=glow(sol(5))))
    assert plan.reason == "deposit_held"
    assert plan.steps[0].intents == (Deposit(PLACE[GLOWSOL], TokenAmount(GLOWSOL, glow(sol(5)))),)
    joined = plan_of(loop_view(held=glow(sol(5)), lamports=sol(11)))
    deposit = joined.steps[0].intents[-1]
    assert isinstance(deposit, Deposit)
    assert deposit.amount.units > glow(sol(15.8))


def test_ssol_is_looped_the_same_way() -> None:
    seen = settled(loop_view(mint=SSOL, lamports=sol(31)), SSOL_PARAMS)
    assert seen.margin is not None
    place = seen.margin.place(SSOL)
    assert place is not None
    assert seen.margin.leverage > Bps(20_000)
    assert place.value > Lamports(sol(60))


def test_only_so_much_is_borrowed_as_could_be_sold_again() -> None:
    shallow = loop_view(lamports=sol(101), depth=400, market=lending(borrow=PERCENT))  # within 1 %: 20 SOL
    seen = settled(shallow)
    assert seen.margin is not None
    assert Lamports(sol(18)) < seen.margin.debt <= Lamports(sol(25))
    none = hold_of(settled(loop_view(lamports=sol(101), quotes=())))
    assert none.reason in ("spread_below_hurdle", "within_band")
    assert none.numbers["debt"] == 0


def test_own_impact_bounds_the_debt() -> None:
    steep = settled(loop_view(lamports=sol(101), market=lending(borrow=3 * PERCENT, slope=400 * PERCENT)))
    assert steep.margin is not None
    flat = settled(loop_view(lamports=sol(101), market=lending(borrow=3 * PERCENT)))
    assert flat.margin is not None
    assert Lamports(0) < steep.margin.debt < flat.margin.debt


def test_no_spread_means_unlevered() -> None:
    seen = settled(loop_view(lamports=sol(51), market=lending(borrow=8 * PERCENT)))
    assert seen.margin is not None
    assert seen.margin.debt == Lamports(0)
    assert seen.margin.equity > Lamports(sol(50) - sol(0.02))
    hold = hold_of(seen)
    assert hold.reason == "spread_below_hurdle"
    assert {"yield_ppb", "borrow_rate_ppb", "target_debt", "health_bps"} <= set(hold.numbers)


def test_no_yield_is_no_reason_to_stake() -> None:
    assert hold_of(loop_view(lamports=sol(51), apy=0)).reason == "spread_below_hurdle"


def test_unknown_yield_is_a_hold_and_the_pools_own_memory_is_enough() -> None:
    blank = loop_view(lamports=sol(51))
    blank = replace(blank, past=replace(blank.past, rates=()))
    assert hold_of(blank).reason == "no_yield_history"
    pool = replace(blank.pools[0], last_epoch_rate=Rate(116 * 99_960, 100 * 100_000))
    assert plan_of(replace(blank, pools=(pool,))).reason == "boost_mint"


def test_cooldown_and_least_amount() -> None:
    recent = loop_view(lamports=sol(51), last_landed=UnixTime(NOW.value - 60))
    assert hold_of(recent, Params()).reason == "cooldown"
    assert plan_of(later(recent, 3_600), Params()).reason == "boost_mint"
    assert hold_of(loop_view(lamports=sol(0.5))).reason == "within_band"
    tiny = replace(PARAMS, min_notional=Lamports(sol(200)))
    assert hold_of(levered(sol(100), 0), tiny).reason == "within_band"


@pytest.mark.parametrize("problem", ["lending_closed", "interest_behind"])
def test_a_pool_that_takes_no_borrower_leaves_the_loop_unlevered(problem: str) -> None:
    seen = settled(loop_view(lamports=sol(51), market=lending(problem=problem)))
    assert seen.margin is not None
    assert seen.margin.debt == Lamports(0)
    assert hold_of(seen).reason == problem


def test_a_purchase_far_above_the_redemption_rate_is_not_made() -> None:
    dear = with_glow(loop_view(lamports=sol(51), price_bps=10_300), paused=True)
    assert hold_of(dear).reason == "purchase_too_dear"


# the bands


def test_between_the_bands_nothing_moves() -> None:
    for debt in (109, 112, 115):
        assert hold_of(levered(sol(100), sol(debt))).reason == "within_band"


def test_below_the_lower_band_debt_is_repaid_to_the_target() -> None:
    seen = levered(sol(100), sol(117.5))
    assert PARAMS.health_floor < stressed(seen) < PARAMS.health_floor + PARAMS.band
    plan = plan_of(seen)
    assert plan.reason == "sell"
    assert kinds(plan) == ["Withdraw", "Swap", "Repay"]
    assert not plan.protects
    after = settled(seen)
    assert stressed(after) >= PARAMS.health_floor + PARAMS.band * 2 - Bps(1)
    assert hold_of(after).reason == "within_band"


def test_idle_sol_repays_before_collateral_is_sold_as_far_as_the_budget_goes() -> None:
    plan = plan_of(levered(sol(100), sol(117.5), lamports=sol(60)), replace(PARAMS, equity=Lamports(sol(200))))
    assert plan.reason == "repay_idle"
    assert kinds(plan) == ["Repay"]
    assert plan_of(levered(sol(100), sol(117.5), lamports=sol(60))).reason == "sell"  # equity of 100 SOL is all in use


def test_leverage_above_the_operators_limit_is_brought_back() -> None:
    limit = replace(PARAMS, max_leverage=Bps(15_000))
    seen = levered(sol(100), sol(60))
    assert plan_of(seen, limit).reason == "sell"
    after = settled(seen, limit)
    assert after.margin is not None
    assert after.margin.leverage <= Bps(15_001)


def test_a_thin_market_is_not_paid_for_while_health_can_wait() -> None:
    assert hold_of(levered(sol(100), sol(117.5), depth=20_000)).reason == "exit_liquidity_short"


# danger


def test_stressed_health_below_the_floor_is_an_emergency_that_spends_the_protection_reserve() -> None:
    seen = levered(sol(100), sol(121), lamports=sol(3))
    assert stressed(seen) < PARAMS.health_floor
    seen = replace(seen, wallet=replace(seen.wallet, protection=Lamports(sol(2.9))))
    plan = plan_of(seen)
    assert plan.reason == "repay_idle"
    assert plan.protects
    assert plan.numbers["cause"] == "health"
    after = settled(seen)
    assert stressed(after) >= PARAMS.health_floor + PARAMS.band - Bps(1)


def test_an_emergency_pays_any_price() -> None:
    seen = levered(sol(100), sol(130), depth=2_000)
    plan = plan_of(seen)
    assert plan.reason == "sell"
    assert plan.protects
    assert plan.expected.profit < Lamports(0)


def test_near_liquidation_each_step_takes_only_what_is_free() -> None:
    seen = levered(sol(100), sol(300))
    assert seen.margin is not None
    assert Bps(0) < seen.margin.health < Bps(200)
    for _ in range(40):
        decision = LOOP.decide(seen, PARAMS)
        if isinstance(decision, Hold):
            break
        before = seen.margin.health
        filled = fill(seen, decision)
        seen = filled.view
        assert seen.margin is not None
        assert filled.lowest > Bps(0)
        assert seen.margin.health > before
    assert stressed(seen) >= PARAMS.health_floor


def test_a_ripe_claim_repays_in_the_same_transaction() -> None:
    seen = levered(sol(100), sol(125), queue=(ticket(2, assets=sol(9), ripe_in=-1),))
    plan = plan_of(seen)
    assert plan.reason == "claim_ripe"
    assert kinds(plan) == ["ClaimUnstake", "Repay"]
    assert plan.protects
    assert plan.resting_name == "claim_ripe:2"


def test_a_depeg_values_collateral_at_the_dex() -> None:
    assert (
        hold_of(levered(sol(100), sol(80), price_bps=9_600)).reason == "depegged"
    )  # safe even so: nothing new, nothing sold
    deep = levered(sol(100), sol(112), price_bps=9_000)
    plan = plan_of(deep)
    assert plan.numbers["cause"] == "depegged"
    assert plan.protects
    after = settled(deep)
    assert after.margin is not None
    assert deep.margin is not None
    assert after.margin.debt < deep.margin.debt
    assert hold_of(loop_view(lamports=sol(51), price_bps=9_600)).reason == "depegged"


def test_one_broken_direction_is_no_depeg() -> None:
    seen = levered(sol(100), sol(110))
    bid, *others = seen.quotes
    rungs = tuple(
        replace(one, receive=one.receive * 0 + TokenAmount(SOL, 1), min_receive=TokenAmount(SOL, 1))
        for one in bid.rungs
    )
    assert hold_of(replace(seen, quotes=(replace(bid, rungs=rungs), *others))).reason != "depegged"


def test_a_fallen_redemption_rate_ends_the_debt() -> None:
    seen = levered(sol(100), sol(60))
    high = EpochRates(Epoch(901), NOW, Rate(116, 100), Rate(1_052, 1_000))
    fallen = replace(seen, past=replace(seen.past, rates=(*seen.past.rates, high)))
    plan = plan_of(fallen)
    assert plan.numbers["cause"] == "redemption_rate_fell"
    assert plan.protects
    after = settled(fallen)
    assert after.margin is not None
    assert after.margin.debt == Lamports(0)
    assert hold_of(after).reason == "redemption_rate_fell"


def test_the_views_own_word_for_it_does_too() -> None:
    broken = Freshness("redemption_rate_fell", (Source("accounts", None, None),))
    plan = plan_of(replace(levered(sol(100), sol(60)), fresh=broken))
    assert plan.numbers["cause"] == "redemption_rate_fell"
    assert hold_of(replace(loop_view(lamports=sol(51)), fresh=broken)).reason == "redemption_rate_fell"
    stale = Freshness("node_behind", (Source("accounts", None, None),))
    assert hold_of(replace(levered(sol(100), sol(130)), fresh=stale)).reason == "node_behind"


def test_a_paused_pool_ends_the_debt_while_it_can_be_repaid() -> None:
    seen = settled(levered(sol(100), sol(60), market=lending(problem="pool_paused")))
    assert seen.margin is not None
    assert seen.margin.debt == Lamports(0)
    assert hold_of(seen).reason == "pool_paused"
    shut = levered(sol(100), sol(60), market=lending(problem="pool_paused", exit_problem="pool_paused"))
    assert hold_of(shut).reason == "pool_paused"
    assert hold_of(shut).numbers["debt"] == sol(60)


@pytest.mark.parametrize(
    "changes",
    [
        {"margin": account(glow(sol(160)), sol(60), stale="oracle_stale")},
        {"market": lending(problem="oracle_stale")},
        {"margin": account(glow(sol(160)), sol(60), problem="loan_not_priced")},
    ],
)
def test_without_prices_only_idle_sol_repays(changes: dict[str, object]) -> None:
    seen = levered(sol(100), sol(60), lamports=sol(5), **changes)
    plan = plan_of(seen)
    assert plan.reason == "repay_idle"
    assert plan.protects
    assert plan.steps[0].min_health is None
    hold = hold_of(fill(seen, plan).view)
    assert hold.reason in ("oracle_stale", "loan_not_priced")


@pytest.mark.parametrize("problem", ["being_liquidated", "unknown_position", "account_constrained"])
def test_an_account_that_may_not_be_touched_is_not_touched(problem: str) -> None:
    seen = levered(sol(100), sol(130), margin=account(glow(sol(230)), sol(130), problem=problem))
    assert hold_of(seen).reason == problem


def test_an_emergency_without_any_exit_says_so() -> None:
    seen = levered(sol(100), sol(130), quotes=(), lamports=0)
    assert hold_of(seen).reason == "exit_liquidity_short"
    cooled = replace(levered(sol(100), sol(130), lamports=0), cooling=("sell", "sell_ssol"))
    assert hold_of(cooled).reason == "cooling_down"


# rate inversion


def test_a_young_inversion_is_waited_out_and_an_old_one_left() -> None:
    inverted = {"market": lending(borrow=12 * PERCENT)}
    young = levered(sol(100), sol(100), **inverted, samples=borrows(12 * PERCENT))
    hold = hold_of(young)
    assert hold.reason == "inversion_young"
    assert 0 < int(hold.numbers["lost_ppb"]) < int(hold.numbers["round_trip_ppb"])
    old = levered(sol(100), sol(100), **inverted, samples=borrows(*[12 * PERCENT] * 60))
    plan = plan_of(old)
    assert plan.numbers["cause"] == "inversion"
    assert not plan.protects
    assert plan.expected.profit < Lamports(0)


def test_a_spike_is_left_within_days_and_not_entered_again_at_once() -> None:
    spike = levered(
        sol(100), sol(100), market=lending(borrow=150 * PERCENT), samples=borrows(4 * PERCENT, *[150 * PERCENT] * 2)
    )
    flat = settled(spike)
    assert flat.margin is not None
    assert flat.margin.debt < PARAMS.min_notional
    recovered = replace(flat, lending=(lending(),))
    assert hold_of(recovered).reason == "inversion_remembered"
    past = replace(recovered.past, borrows=borrows(150 * PERCENT, *[4 * PERCENT] * 60))
    calm = replace(recovered, past=past)
    assert kinds(plan_of(calm))[0] == "Borrow"


def test_where_waiting_is_cheaper_the_queue_is_the_way_out_of_an_inversion() -> None:
    """At 9 % the seven days cost 17 bps, and the DEX asks for more."""
    seen = levered(
        sol(100), sol(60), market=lending(borrow=9 * PERCENT), samples=borrows(*[9 * PERCENT] * 400), price_bps=9_960
    )
    plan = plan_of(seen)
    assert plan.reason == "request"
    assert kinds(plan) == ["Withdraw", "RequestUnstake"]
    assert plan.expected.ripens == Duration(604_800)
    filled = fill(seen, plan)
    assert stressed(filled.view) >= PARAMS.health_floor - Bps(1)
    hold = hold_of(settled(filled.view))
    assert hold.reason in ("waiting_in_queue", "exit_liquidity_short")


# claims, the ladder, and leaving altogether


def test_ripe_requests_are_claimed_and_put_to_work() -> None:
    seen = levered(sol(90), sol(100), queue=(ticket(1, assets=sol(10), ripe_in=-1),))
    claim = plan_of(seen)
    assert kinds(claim) == ["ClaimUnstake"]
    after = fill(seen, claim).view
    again = plan_of(after)
    assert again.reason == "boost_mint"
    assert again.expected.capital > Lamports(sol(9.9))


def test_the_ladder_keeps_a_share_in_the_queue_evenly_spread() -> None:
    params = replace(PARAMS, ladder_share=Bps(1_400))
    seen = settled(loop_view(lamports=sol(101)), params)
    waiting = []
    for _ in range(14):
        seen = settled(later(seen, 86_400), params)
        assert stressed(seen) >= params.health_floor + params.band
        waiting.append(sum(one.assets.value for one in seen.queue))
    assert waiting[0] > sol(1.9)  # one rung is a seventh of the share
    assert sol(11) < waiting[7] < sol(14.1)
    assert sol(11) < waiting[-1] < sol(14.1)
    ripe = sorted(one.ripe_at.value for one in seen.queue)
    assert len(ripe) >= 6
    assert all(after - before >= 86_400 for before, after in pairwise(ripe))


def test_an_unwind_sells_everything_and_says_when_it_is_done() -> None:
    seen = settled(levered(sol(60), sol(65), order="unwind", depth=1))
    for _ in range(3):
        seen = settled(later(seen, 700_000))
    assert seen.margin is not None
    assert seen.margin.debt == Lamports(0)
    assert seen.margin.assets < Lamports(sol(0.001))
    assert hold_of(seen).reason == "unwound"
    assert seen.wallet.lamports > Lamports(sol(59.9))


def test_an_unwind_without_a_dex_goes_through_the_queue() -> None:
    seen = levered(sol(60), sol(65), order="unwind", quotes=())
    weeks = 0
    while hold_of(seen := settled(seen)).reason == "unwinding":
        assert stressed(seen) >= PARAMS.health_floor - Bps(1)
        seen, weeks = later(seen, 604_800), weeks + 1
        assert weeks < 20
    assert hold_of(seen).reason == "unwound"
    assert weeks > 2
    assert seen.wallet.lamports > Lamports(sol(60.05))  # no discount at all: only fees and the rate's tolerance


def test_an_unwind_of_ssol_uses_reserve_or_stake_account() -> None:
    seen = loop_view(
        account(glow(sol(60)), sol(20), mint=SSOL), mint=SSOL, order="unwind", quotes=(), lamports=sol(0.1)
    )
    plan = plan_of(seen, SSOL_PARAMS)
    assert kinds(plan) == ["Withdraw", "Unstake", "Repay"]
    dry = replace(seen, pools=(replace(seen.pools[0], reserve=Lamports(0)),))
    slow = plan_of(dry, SSOL_PARAMS)
    assert slow.reason == "request_stake"
    assert slow.expected.min_sol_change < -seen.pools[0].stake_rent


def test_an_unwind_claims_what_is_ripe_without_debt() -> None:
    ripe = Ticket(TicketId(3, UnixTime(899), "stake"), TokenAmount(SSOL, sol(2)), Lamports(sol(2)), NOW, ready=True)
    assert kinds(plan_of(loop_view(order="unwind", queue=(ripe,)))) == ["ClaimUnstake"]
    waiting = ticket(1, assets=sol(2), ripe_in=60)
    assert hold_of(loop_view(order="unwind", queue=(waiting,))).reason == "unwinding"
    assert hold_of(loop_view(order="unwind")).reason == "unwound"


def test_an_unwind_sells_what_lies_in_the_wallet() -> None:
    plan = plan_of(loop_view(order="unwind", held=glow(sol(5)), depth=1))
    assert kinds(plan) in (["Swap"], ["RequestUnstake"])


# what is missing


def test_what_is_missing_has_a_name() -> None:
    seen = loop_view(lamports=sol(51))
    assert hold_of(replace(seen, glowsol=None)).reason == "lrt_unavailable"
    assert hold_of(replace(seen, margin=None)).reason == "no_margin_account"
    assert hold_of(replace(seen, lending=())).reason == "lending_not_configured"
    assert hold_of(with_glow(seen, total_assets=Lamports(0))).reason == "no_redemption_rate"


def test_the_quotes_it_needs() -> None:
    needs = LOOP.needs(Params(), GLOWSOL)
    assert [(need.sizes[0].mint, need.buy) for need in needs] == [(GLOWSOL, SOL), (SOL, GLOWSOL), (GLOWSOL, SSOL)]
    assert [(need.sizes[0].mint, need.buy) for need in LOOP.needs(SSOL_PARAMS, None)] == [(SSOL, SOL), (SOL, SSOL)]
    assert LOOP.needs(Params(), None) == ()


@pytest.mark.parametrize(
    "table",
    [
        {"collateral": "mSOL"},
        {"health_floor": "50 bps"},
        {"health_floor": "60 %"},
        {"band": "0 bps"},
        {"max_leverage": "99 %"},
        {"max_leverage": "1100 %"},
        {"shock": "100 %"},
        {"ladder_share": "100 %"},
        {"ladder_rungs": 9},
        {"horizon": "10 minutes"},
        {"rate_shock": "20000 %"},
        {"min_notional": "0 SOL"},
        {"equity": "-1 SOL"},
        {"compute_limit": 0},
    ],
)
def test_parameters_that_make_no_sense_are_refused(table: dict[str, object]) -> None:
    with pytest.raises(ParameterError, match="strategies"):
        read_params(Params, table, "strategies.loop")


def test_parameters_are_read_from_text() -> None:
    table = {"collateral": "sSOL", "equity": "50 SOL", "max_leverage": "250 %", "shock": "20 %", "exit_time": "3 days"}
    params = read_params(Params, table, "strategies.loop")
    assert params.max_leverage == Bps(25_000)
    assert params.exit_time == Duration(3 * 86_400)
