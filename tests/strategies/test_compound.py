"""Compounding: what it takes, by which way, where it puts it, and every reason not to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.plan import ClaimUnstake, Deposit, Hold, Plan, Stake, Swap, Unwrap, Withdraw
from keeper.strategy import ParameterError, read_params
from keeper.units import SOL, SSOL, Bps, ComputeUnits, Duration, Epoch, Lamports, TokenAmount
from keeper.view import Freshness, Source, View
from strategies.arbitrage import ARBITRAGE
from strategies.arbitrage import Params as ArbitrageParams
from strategies.compound import COMPOUND, Params
from tests.strategies.idle_views import GLOW_PLACE, JTO, POOL, REWARD, glow_of, idle, with_margin, with_reward
from tests.strategies.market_views import GLOWSOL, SOL_UNIT, ticket, with_glow

PARAMS = Params()
REWARDED = Params(rewards=(REWARD,))
LENDING = Params(lent_principal=Lamports(50 * SOL_UNIT))
IN_MARGIN = Params(place="margin")


def plan_of(seen: View, params: Params = PARAMS) -> Plan:
    decision = COMPOUND.decide(seen, params)
    assert isinstance(decision, Plan), decision
    return decision


def hold_of(seen: View, params: Params = PARAMS) -> Hold:
    decision = COMPOUND.decide(seen, params)
    assert isinstance(decision, Hold), decision
    return decision


def fee(seen: View) -> Lamports:
    return seen.fees.transaction(ComputeUnits(PARAMS.compute_limit))


def test_idle_sol_is_minted_down_to_the_reserve() -> None:
    seen = idle(sol=10 * SOL_UNIT)
    plan = plan_of(seen)
    assert plan.reason == "mint_idle"
    ((stake,),) = (step.intents for step in plan.steps)
    assert isinstance(stake, Stake)
    assert stake.spend == Lamports(10 * SOL_UNIT) - fee(seen)
    least = PARAMS.rate_tolerance.off(glow_of(seen).rate.tokens(Lamports(10 * SOL_UNIT) - fee(seen), GLOWSOL))
    assert stake.min_receive == least
    assert plan.expected.min_sol_change == Lamports(-10 * SOL_UNIT)
    assert plan.expected.profit == -fee(seen) - (plan.expected.capital - glow_of(seen).rate.lamports(least))


def test_it_buys_where_that_gives_more_than_minting() -> None:
    plan = plan_of(idle(sol=10 * SOL_UNIT, price_bps=9_960))
    assert plan.reason == "buy_idle"
    ((swap,),) = (step.intents for step in plan.steps)
    assert isinstance(swap, Swap)
    assert (swap.sell.mint, swap.min_receive.mint) == (SOL, GLOWSOL)
    assert glow_of(idle()).rate.lamports(swap.min_receive).value > swap.sell.units


def test_wrapped_sol_is_unwrapped_and_minted_in_one_transaction() -> None:
    seen = idle(sol=SOL_UNIT, wrapped=3 * SOL_UNIT)
    plan = plan_of(seen)
    (step,) = plan.steps
    unwrap, stake = step.intents
    assert unwrap == Unwrap(Lamports(3 * SOL_UNIT))
    assert isinstance(stake, Stake)
    assert stake.spend == Lamports(4 * SOL_UNIT) - fee(seen)
    assert plan.expected.min_sol_change == Lamports(-SOL_UNIT)


def test_an_empty_reserve_is_filled_before_anything_is_minted() -> None:
    seen = idle(sol=-SOL_UNIT // 20, wrapped=3 * SOL_UNIT)  # half of the gas reserve is gone
    plan = plan_of(seen)
    stake = plan.steps[0].intents[1]
    assert isinstance(stake, Stake)
    assert stake.spend == Lamports(3 * SOL_UNIT - SOL_UNIT // 20) - fee(seen)
    assert seen.wallet.lamports + plan.expected.min_sol_change == seen.wallet.gas_reserve


def test_the_reserve_for_protection_stays() -> None:
    seen = idle(sol=10 * SOL_UNIT)
    kept = replace(seen, wallet=replace(seen.wallet, protection=Lamports(4 * SOL_UNIT)))
    assert plan_of(kept).expected.min_sol_change == Lamports(-6 * SOL_UNIT)


def test_the_rent_of_a_first_account_is_a_cost_and_is_not_staked() -> None:
    seen = idle(sol=10 * SOL_UNIT)
    bare = replace(seen, wallet=replace(seen.wallet, tokens=()))
    assert plan_of(bare).expected.costs == plan_of(seen).expected.costs + seen.fees.token_account_rent
    assert plan_of(bare).expected.min_sol_change == plan_of(seen).expected.min_sol_change


def test_more_than_the_largest_trade_goes_in_parts() -> None:
    plan = plan_of(idle(sol=500 * SOL_UNIT))
    assert plan.expected.capital == PARAMS.max_trade


def test_a_nearly_full_cap_takes_what_it_has_room_for() -> None:
    seen = with_glow(idle(sol=10 * SOL_UNIT), deposit_room=Lamports(4 * SOL_UNIT))
    assert plan_of(seen).expected.capital == Lamports(4 * SOL_UNIT)


def test_ssol_is_the_target_by_parameter_and_without_the_restaking_program() -> None:
    for seen, params in ((idle(), Params(target="sSOL")), (replace(idle(), glowsol=None), PARAMS)):
        ((stake,),) = (step.intents for step in plan_of(seen, params).steps)
        assert isinstance(stake, Stake)
        assert stake.min_receive.mint == SSOL


def test_ssol_becomes_glowsol_only_for_what_that_yields_more() -> None:
    assert hold_of(idle(sol=0, ssol=20 * SOL_UNIT)).reason == "gain_below_cost"
    better = plan_of(_some_sol(800, 500))
    assert better.reason == "stake_ssol"
    (stake,) = better.steps[0].intents
    assert isinstance(stake, Stake)
    assert stake.spend == TokenAmount(SSOL, 20 * SOL_UNIT)
    valued = plan_of(_some_sol(700, 700), Params(restaking_yield=Bps(100)))  # rewards that no rate shows
    assert valued.reason == "stake_ssol"


def _some_sol(glow_bps: int, ssol_bps: int) -> View:
    """Enough SOL for fees, and nothing worth compounding beside the sSOL."""
    return idle(sol=10_000, ssol=20 * SOL_UNIT, yearly_bps=glow_bps, ssol_bps=ssol_bps)


def test_ssol_waits_where_its_fee_would_come_out_of_the_gas_reserve() -> None:
    seen = idle(sol=0, ssol=20 * SOL_UNIT, yearly_bps=800, ssol_bps=500)
    assert hold_of(seen).reason == "gas_reserve_short"


def test_a_reward_is_sold_and_its_sol_minted_in_two_transactions() -> None:
    seen = with_reward(idle(sol=SOL_UNIT), 300 * SOL_UNIT)
    plan = plan_of(seen, REWARDED)
    assert plan.reason == "mint_reward_1"
    (swap,), (stake,) = (step.intents for step in plan.steps)
    assert isinstance(swap, Swap)
    assert isinstance(stake, Stake)
    assert swap.sell == TokenAmount(JTO, 300 * SOL_UNIT)
    assert stake.spend == Lamports(SOL_UNIT + swap.min_receive.units) - fee(seen) * 2
    assert plan.expected.min_sol_change == Lamports(-SOL_UNIT)


def test_wrapped_sol_is_unwrapped_before_a_sale_closes_its_account() -> None:
    seen = with_reward(idle(sol=SOL_UNIT, wrapped=SOL_UNIT), 300 * SOL_UNIT)
    first, second = plan_of(seen, REWARDED).steps
    assert [type(intent) for intent in first.intents] == [Unwrap, Swap]
    assert [type(intent) for intent in second.intents] == [Stake]


@pytest.mark.parametrize("off", [-301, -291, 301, 5_000, -9_000])
def test_a_reward_outside_its_band_is_not_sold(off: int) -> None:
    """At -291 bps the quote is inside the band, and what it guarantees after slippage is not."""
    hold = hold_of(with_reward(idle(sol=-SOL_UNIT // 100), 300 * SOL_UNIT, off_bps=off), REWARDED)
    assert hold.reason == "reward_price_off"
    assert plan_of(with_reward(idle(sol=SOL_UNIT), 300 * SOL_UNIT, off_bps=off), REWARDED).reason == "mint_idle"


@pytest.mark.parametrize("off", [-290, 0, 300])
def test_a_reward_inside_its_band_is_sold(off: int) -> None:
    assert plan_of(with_reward(idle(), 300 * SOL_UNIT, off_bps=off), REWARDED).reason == "mint_reward_1"


def test_no_more_of_a_reward_is_sold_than_is_quoted_and_believed() -> None:
    plan = plan_of(with_reward(idle(), 5_000 * SOL_UNIT), REWARDED)
    swap = plan.steps[0].intents[0]
    assert isinstance(swap, Swap)
    assert swap.sell == TokenAmount(JTO, 1_000 * SOL_UNIT)
    seen = with_reward(idle(), 5_000 * SOL_UNIT)
    *others, depth = seen.quotes
    small, large = depth.rungs
    shallow = replace(depth, rungs=(small, replace(large, min_receive=TokenAmount(SOL, large.receive.units // 2))))
    swap = plan_of(replace(seen, quotes=(*others, shallow)), REWARDED).steps[0].intents[0]
    assert isinstance(swap, Swap)
    assert swap.sell == small.sell


def test_a_reward_without_a_quote_says_so() -> None:
    assert hold_of(with_reward(idle(sol=0), 300 * SOL_UNIT, quoted=False), REWARDED).reason == "no_quotes"


def test_a_reward_whose_sale_keeps_failing_makes_room_for_the_next_best() -> None:
    seen = with_reward(idle(), 300 * SOL_UNIT)
    assert plan_of(replace(seen, cooling=("mint_reward_1",)), REWARDED).reason == "mint_idle"


def test_lent_interest_above_the_principal_is_withdrawn_and_minted() -> None:
    seen = with_margin(idle(sol=0), lent=52 * SOL_UNIT)
    plan = plan_of(seen, LENDING)
    assert plan.reason == "mint_interest"
    (withdraw,), (stake,) = (step.intents for step in plan.steps)
    assert withdraw == Withdraw(f"{POOL}:deposits", TokenAmount(SOL, 2 * SOL_UNIT))
    assert plan.steps[0].min_health == LENDING.min_health
    assert isinstance(stake, Stake)
    assert stake.spend == Lamports(2 * SOL_UNIT) - fee(seen) * 2


def test_the_rent_of_a_first_withdrawal_is_not_minted() -> None:
    seen = with_margin(idle(sol=0), lent=52 * SOL_UNIT, passage=False)
    (withdraw,), (stake,) = (step.intents for step in plan_of(seen, LENDING).steps)
    assert withdraw == Withdraw(f"{POOL}:deposits", TokenAmount(SOL, 2 * SOL_UNIT))
    assert isinstance(stake, Stake)
    assert stake.spend == Lamports(2 * SOL_UNIT) - fee(seen) * 2 - seen.fees.token_account_rent
    dust = with_margin(idle(sol=0), lent=50 * SOL_UNIT + seen.fees.token_account_rent.value, passage=False)
    assert hold_of(dust, LENDING).reason == "nothing_idle"


def test_lent_interest_leaves_only_as_far_as_pool_and_health_allow() -> None:
    def taken(seen: View) -> int:
        withdraw = plan_of(seen, LENDING).steps[0].intents[0]
        assert isinstance(withdraw, Withdraw)
        return withdraw.amount.units

    assert taken(with_margin(idle(sol=0), lent=52 * SOL_UNIT, exit_room=SOL_UNIT)) == SOL_UNIT
    owing = with_margin(idle(sol=0), lent=52 * SOL_UNIT, debt=29 * SOL_UNIT)
    units = taken(owing)
    assert owing.margin is not None
    assert 0 < units < 2 * SOL_UNIT
    assert owing.margin.changed({f"{POOL}:deposits": -units}).health >= LENDING.min_health
    assert owing.margin.changed({f"{POOL}:deposits": -units - 2}).health < LENDING.min_health


def test_lent_sol_is_left_alone_where_it_earns_more_or_is_not_ours() -> None:
    assert hold_of(with_margin(idle(sol=0), lent=52 * SOL_UNIT)).reason == "nothing_idle"
    lent = with_margin(idle(sol=0), lent=52 * SOL_UNIT, deposit_bps=900)
    assert hold_of(lent, LENDING).reason == "gain_below_cost"
    assert hold_of(with_margin(idle(sol=0), lent=49 * SOL_UNIT), LENDING).reason == "nothing_idle"
    closed = with_margin(idle(sol=0), lent=52 * SOL_UNIT)
    shut = replace(closed, lending=(replace(closed.lending[0], exit_problem="pool_paused"),))
    assert hold_of(shut, LENDING).reason == "pool_paused"


def test_the_margin_account_takes_what_is_minted_and_what_is_held() -> None:
    plan = plan_of(with_margin(idle(glow=2 * SOL_UNIT)), IN_MARGIN)
    (step,) = plan.steps
    stake, deposit = step.intents
    assert isinstance(stake, Stake)
    assert deposit == Deposit(GLOW_PLACE, stake.min_receive + TokenAmount(GLOWSOL, 2 * SOL_UNIT))


def test_a_position_that_must_be_opened_costs_its_rent() -> None:
    opened, new = (plan_of(with_margin(idle(), opened=opened), IN_MARGIN) for opened in (True, False))
    assert new.expected.costs == opened.expected.costs + idle().fees.token_account_rent


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (idle(), "margin_unavailable"),
        (with_margin(idle(), problem="being_liquidated"), "margin_unavailable"),
        (with_margin(idle(), room=SOL_UNIT), "place_full"),
    ],
)
def test_a_place_that_takes_nothing_is_a_hold(seen: View, reason: str) -> None:
    assert hold_of(seen, IN_MARGIN).reason == reason


def test_a_ripe_request_is_claimed_first() -> None:
    ripe = ticket(3, assets=5 * SOL_UNIT, ripe_in=-1)
    plan = plan_of(replace(idle(), queue=(ripe,)))
    assert plan.steps[0].intents == (ClaimUnstake(ripe.id, ripe.assets),)
    stuck = replace(idle(), queue=(ripe,), cooling=("claim_ripe:3",))
    assert plan_of(stuck).reason == "mint_idle"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"paused": True}, "deposits_paused"),
        ({"deposit_room": Lamports(0)}, "deposit_cap_reached"),
        ({"total_assets": Lamports(0)}, "no_redemption_rate"),
        ({"outstanding": TokenAmount(GLOWSOL, 0)}, "no_redemption_rate"),
    ],
)
def test_what_the_program_refuses_is_a_hold(change: dict[str, object], reason: str) -> None:
    assert hold_of(with_glow(idle(), **change)).reason == reason


def test_a_paused_program_does_not_stop_a_fair_purchase() -> None:
    """Within the cap on the premium, slippage and depth included, it is bought; above the cap it waits for the program."""
    assert plan_of(with_glow(idle(price_bps=9_995), paused=True)).reason == "buy_idle"
    assert hold_of(with_glow(idle(price_bps=10_010), paused=True)).reason == "deposits_paused"
    assert hold_of(replace(with_glow(idle(), paused=True), quotes=())).reason == "deposits_paused"


def test_a_price_far_below_redemption_is_not_trusted() -> None:
    seen = idle(price_bps=5_000)
    (ask,) = (one for one in seen.quotes if one.buy == GLOWSOL)
    broken = replace(seen, quotes=(*(one for one in idle().quotes if one.buy != GLOWSOL), ask))  # of one direction only
    assert hold_of(with_glow(broken, paused=True)).reason == "price_out_of_bounds"
    assert plan_of(broken).reason == "mint_idle"


@pytest.mark.parametrize("ssol", [0, 50 * SOL_UNIT])
def test_what_the_market_sells_far_below_redemption_is_not_minted_at_par(ssol: int) -> None:
    """Whoever mints in a depeg pays 100 for what is sold at 95 next door."""
    assert plan_of(idle(sol=SOL_UNIT, ssol=ssol, ssol_bps=100, price_bps=9_990)).reason in {"buy_idle", "stake_ssol"}
    hold = hold_of(idle(sol=SOL_UNIT, ssol=ssol, ssol_bps=100, price_bps=9_500))
    assert hold.reason == "depegged"
    assert hold.numbers["redeems_for"] == 1_050_000_000
    assert abs(int(hold.numbers["price"]) - 997_500_000) < 1_000_000


@settings(max_examples=150, deadline=None)
@given(
    price=st.integers(9_900, 10_100),
    glow=st.sampled_from([0, 50 * SOL_UNIT]),
    paused=st.booleans(),
    slippage=st.integers(9_990, 10_000),
)
def test_it_never_buys_what_arbitrage_sells(price: int, glow: int, paused: bool, slippage: int) -> None:
    """At one price, bid equal to ask, even without slippage: a wash trade would pay fees to nobody's gain."""
    seen = with_glow(idle(sol=100 * SOL_UNIT, glow=glow, price_bps=price), paused=paused)
    quotes = tuple(
        replace(one, rungs=tuple(replace(rung, min_receive=_cut(rung.receive, slippage)) for rung in one.rungs))
        for one in seen.quotes
    )
    seen = replace(seen, quotes=quotes)
    compounding, trading = COMPOUND.decide(seen, PARAMS), ARBITRAGE.decide(seen, ArbitrageParams())
    buys = isinstance(compounding, Plan) and compounding.reason.startswith("buy_")
    assert not (buys and isinstance(trading, Plan) and trading.reason.startswith("mint_and_sell"))


def _cut(amount: TokenAmount, share: int) -> TokenAmount:
    return TokenAmount(amount.mint, amount.units * share // 10_000)


def test_an_outdated_stake_pool_stops_minting() -> None:
    seen = idle()
    stale = replace(seen, pools=(replace(seen.pools[0], current=False, last_update_epoch=Epoch(899)),))
    assert hold_of(stale).reason == "stake_pool_outdated"


def test_missing_or_stale_input_is_a_hold_with_numbers() -> None:
    stale = Freshness("node_behind", (Source("accounts", idle().slot, 41),))
    assert hold_of(replace(idle(), fresh=stale)).reason == "node_behind"
    unmeasured = replace(idle(), past=replace(idle().past, rates=()))
    assert hold_of(unmeasured).reason == "no_yield_history"
    pool = replace(idle().pools[0], last_epoch_rate=idle().pools[0].rate.discounted(Bps(4)))
    assert (
        plan_of(replace(unmeasured, pools=(pool,))).reason == "mint_idle"
    )  # the stake pool remembers one epoch itself
    empty = hold_of(idle(sol=0))
    assert (empty.reason, empty.numbers["spendable"]) == ("nothing_idle", 0)
    assert hold_of(replace(idle(), cooling=("mint_idle", "buy_idle"))).reason == "cooling_down"


def test_a_yield_of_nothing_or_less_compounds_nothing() -> None:
    assert hold_of(idle(yearly_bps=0)).reason == "gain_below_cost"
    assert hold_of(idle(yearly_bps=-50)).reason == "gain_below_cost"


def test_needs_are_what_it_may_buy_and_sell() -> None:
    pairs = [(need.sizes[0].mint, need.buy) for need in COMPOUND.needs(REWARDED, GLOWSOL)]
    assert pairs == [(SOL, GLOWSOL), (SSOL, SOL), (GLOWSOL, SOL), (GLOWSOL, SSOL), (JTO, SOL)]
    reward = COMPOUND.needs(REWARDED, GLOWSOL)[-1]
    assert [size.units for size in reward.sizes] == [100 * SOL_UNIT, 1_000 * SOL_UNIT, 10_000 * SOL_UNIT]
    assert [(need.sizes[0].mint, need.buy) for need in COMPOUND.needs(PARAMS, None)] == [(SOL, SSOL), (SSOL, SOL)]
    assert COMPOUND.needs(Params(target="sSOL"), GLOWSOL)[0].buy == SSOL


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"target": "glow"}, "target is"),
        ({"place": "vault"}, "place is"),
        ({"factor": "0 bps"}, "factor"),
        ({"horizon": "0 s"}, "horizon"),
        ({"max_trade": "0 SOL"}, "max_trade"),
        ({"max_premium": "-1 bps"}, "max_"),
        ({"min_health": "100 %"}, "min_health"),
        ({"lent_principal": "-1 SOL"}, "lent_principal"),
        ({"compute_limit": 0}, "compute_limit"),
        ({"rewards": ["So11111111111111111111111111111111111111112:9:1 SOL:100 bps"]}, "only other tokens"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(table: dict[str, object], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        read_params(Params, table, "strategies.compound")


def test_a_table_is_read_into_parameters() -> None:
    text = f"{JTO.address}:9:0.01 SOL:3 %"
    read = read_params(Params, {"rewards": [text], "place": "margin", "horizon": "90 days"}, "strategies.compound")
    assert read == Params(rewards=(REWARD,), place="margin", horizon=Duration(90 * 86_400))
