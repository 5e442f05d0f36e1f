"""Arbitrage: which way, how much, and every reason not to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.plan import ClaimUnstake, Hold, Plan, RequestUnstake, Stake, Swap, Unstake
from keeper.strategy import ParameterError, read_params
from keeper.units import SOL, SSOL, Bps, Epoch, Lamports
from keeper.view import Freshness, View
from strategies.arbitrage import ARBITRAGE, Params
from tests.strategies.market_views import GLOWSOL, SOL_UNIT, ticket, view, with_glow

PARAMS = Params()


def decided(seen: View, params: Params = PARAMS) -> Plan | Hold:
    return ARBITRAGE.decide(seen, params)


def plan_of(seen: View, params: Params = PARAMS) -> Plan:
    decision = decided(seen, params)
    assert isinstance(decision, Plan), decision
    return decision


def hold_of(seen: View, params: Params = PARAMS) -> Hold:
    decision = decided(seen, params)
    assert isinstance(decision, Hold), decision
    return decision


def test_a_premium_is_minted_and_sold_in_one_transaction() -> None:
    plan = plan_of(view(price_bps=10_080))
    (step,) = plan.steps
    stake, swap = step.intents
    assert isinstance(stake, Stake)
    assert isinstance(swap, Swap)
    assert plan.reason == "mint_and_sell"
    assert swap.sell == stake.min_receive  # sells no more than the mint is sure to give
    assert swap.min_receive.mint == SOL
    assert isinstance(stake.spend, Lamports)
    gained = swap.min_receive.units - stake.spend.value
    assert gained >= plan.expected.profit.value > 0  # the bounds alone guarantee the profit


def test_a_discount_is_bought_and_queued() -> None:
    plan = plan_of(view(price_bps=9_900))
    (step,) = plan.steps
    swap, request = step.intents
    assert isinstance(swap, Swap)
    assert isinstance(request, RequestUnstake)
    assert plan.reason == "buy_and_queue"
    assert request.spend == swap.min_receive
    assert plan.expected.ripens.value == 604_800
    assert request.min_assets.value - swap.sell.units > plan.expected.profit.value  # waiting has a price


def test_ssol_is_the_way_out_when_it_pays_better() -> None:
    plan = plan_of(view(price_bps=9_900, ssol_price_bps=10_040))
    assert plan.reason == "buy_and_sell_ssol"
    buy, sell, out = plan.steps[0].intents
    assert isinstance(buy, Swap)
    assert isinstance(sell, Swap)
    assert isinstance(out, Unstake)
    assert sell.sell == buy.min_receive
    assert out.spend == sell.min_receive
    assert out.spend.mint == SSOL
    assert plan_of(view(price_bps=9_900, ssol_price_bps=9_950)).reason == "buy_and_queue"


def test_a_premium_against_ssol_leaves_through_the_stake_pool() -> None:
    plan = plan_of(view(price_bps=10_000, ssol_price_bps=10_100))
    assert plan.reason == "mint_and_sell_ssol"
    assert [type(intent) for intent in plan.steps[0].intents] == [Stake, Swap, Unstake]


def test_no_edge_is_a_hold_with_its_numbers() -> None:
    hold = hold_of(view(price_bps=10_000))
    assert hold.reason == "edge_below_minimum"
    assert hold.numbers["min_edge_bps"] == PARAMS.min_edge.value
    assert {"way", "edge_bps", "profit", "capital", "costs"} <= set(hold.numbers)


def test_an_edge_too_small_in_lamports_is_a_hold_of_its_own() -> None:
    seen = view(price_bps=10_080)
    assert hold_of(seen, replace(PARAMS, min_profit=Lamports(10 * SOL_UNIT))).reason == "profit_below_minimum"


def test_size_is_the_most_profitable_not_the_largest() -> None:
    """At 40 bps per 100 the marginal cost passes the edge well before the last rung."""
    plan = plan_of(view(price_bps=10_030))
    assert Lamports(2 * SOL_UNIT) <= plan.expected.capital < Lamports(100 * SOL_UNIT)


def test_a_wallet_smaller_than_the_rungs_is_used_up_to_its_reserve() -> None:
    plan = plan_of(view(price_bps=10_200, lamports=15 * SOL_UNIT))
    stake = plan.steps[0].intents[0]
    assert isinstance(stake, Stake)
    assert isinstance(stake.spend, Lamports)
    assert Lamports(14 * SOL_UNIT) < stake.spend <= Lamports(15 * SOL_UNIT - SOL_UNIT // 10)


def test_what_is_held_is_sold_before_more_is_minted() -> None:
    plan = plan_of(view(price_bps=10_200, glow_held=30 * SOL_UNIT, lamports=SOL_UNIT))
    intents = plan.steps[0].intents
    assert sum(intent.sell.units for intent in intents if isinstance(intent, Swap)) >= 30 * SOL_UNIT - 1
    stakes = [intent for intent in intents if isinstance(intent, Stake)]
    assert all(isinstance(stake.spend, Lamports) and stake.spend < Lamports(SOL_UNIT) for stake in stakes)


def test_a_ripe_request_is_claimed_before_anything_else() -> None:
    ripe, waiting = ticket(3, assets=5 * SOL_UNIT, ripe_in=-1), ticket(1, assets=5 * SOL_UNIT, ripe_in=60)
    plan = plan_of(view(price_bps=10_080, queue=(waiting, ripe)))
    (claim,) = plan.steps[0].intents
    assert claim == ClaimUnstake(ripe.id, ripe.assets)
    assert plan.expected.profit < Lamports(0)  # a claim earns nothing new; its profit was booked with the request


def test_a_claim_that_cannot_be_paid_or_costs_more_than_it_brings_waits() -> None:
    ripe = ticket(0, assets=5 * SOL_UNIT, ripe_in=-1)
    assert (
        plan_of(with_glow(view(price_bps=10_080, queue=(ripe,)), liquid=Lamports(SOL_UNIT))).reason == "mint_and_sell"
    )
    dust = ticket(0, assets=10, ripe_in=-1)
    assert plan_of(view(price_bps=10_080, queue=(dust,))).reason == "mint_and_sell"


@pytest.mark.parametrize(
    ("change", "price", "reason"),
    [
        ({"paused": True}, 10_080, "deposits_paused"),
        ({"deposit_room": Lamports(SOL_UNIT)}, 10_080, "deposit_cap_reached"),
        ({"queue_slots_free": 0}, 9_900, "queue_full"),
    ],
)
def test_what_the_program_refuses_is_a_hold(change: dict[str, object], price: int, reason: str) -> None:
    assert hold_of(with_glow(view(price_bps=price), **change)).reason == reason


def test_an_outdated_stake_pool_stops_minting_but_not_queueing() -> None:
    def stale(seen: View) -> View:
        return replace(seen, pools=(replace(seen.pools[0], current=False, last_update_epoch=Epoch(899)),))

    assert hold_of(stale(view(price_bps=10_080))).reason == "stake_pool_outdated"
    assert plan_of(stale(view(price_bps=9_900))).reason == "buy_and_queue"


def test_the_queue_takes_no_more_capital_than_allowed() -> None:
    waiting = ticket(0, assets=195 * SOL_UNIT, ripe_in=60)
    plan = plan_of(view(price_bps=9_900, queue=(waiting,)))
    assert plan.expected.capital <= Lamports(5 * SOL_UNIT)
    full = ticket(0, assets=200 * SOL_UNIT, ripe_in=60)
    assert hold_of(view(price_bps=9_900, queue=(full,))).reason == "queue_capital_reached"


def test_a_short_reserve_blocks_the_way_through_the_stake_pool() -> None:
    seen = view(price_bps=10_000, ssol_price_bps=10_100)
    short = replace(seen, pools=(replace(seen.pools[0], reserve=Lamports(1)),))
    assert hold_of(short).reason == "stake_pool_reserve_short"


def test_missing_or_stale_input_is_a_hold() -> None:
    good = view(price_bps=10_080)
    assert hold_of(replace(good, fresh=Freshness("node_behind", ()))).reason == "node_behind"
    assert hold_of(replace(good, glowsol=None)).reason == "lrt_unavailable"
    assert hold_of(replace(good, quotes=())).reason == "no_quotes"


def test_a_longer_wait_or_a_higher_required_return_lowers_the_bid() -> None:
    seen = view(price_bps=9_970)
    cheap = plan_of(seen, replace(PARAMS, required_return=Bps(0), risk_premium=Bps(0)))
    dear = decided(seen, replace(PARAMS, required_return=Bps(2_000), risk_premium=Bps(20)))
    assert isinstance(dear, Hold) or dear.expected.profit < cheap.expected.profit


def test_needs_are_three_directions_at_the_configured_sizes() -> None:
    needs = ARBITRAGE.needs(PARAMS, GLOWSOL)
    assert [(need.sizes[0].mint, need.buy) for need in needs] == [(GLOWSOL, SOL), (GLOWSOL, SSOL), (SOL, GLOWSOL)]
    assert all(len(need.sizes) == len(PARAMS.sizes) for need in needs)
    assert ARBITRAGE.needs(PARAMS, None) == ()


@pytest.mark.parametrize("table", [{"min_edge": "0 bps"}, {"required_return": "-1 bps"}, {"min_profit": "0 SOL"}])
def test_parameters_that_would_lose_money_are_refused(table: dict[str, object]) -> None:
    with pytest.raises(ParameterError, match=r"strategies\.arbitrage"):
        read_params(Params, table, "strategies.arbitrage")


@given(
    price=st.integers(9_000, 11_000),
    ssol=st.none() | st.integers(9_000, 11_000),
    lamports=st.integers(0, 500 * SOL_UNIT),
    held=st.integers(0, 50 * SOL_UNIT),
    queued=st.lists(st.tuples(st.integers(1, 60 * SOL_UNIT), st.integers(-1000, 604_800)), max_size=8),
)
def test_a_plan_never_promises_what_its_bounds_do_not_keep(
    price: int, ssol: int | None, lamports: int, held: int, queued: list[tuple[int, int]]
) -> None:
    tickets = tuple(ticket(index, assets=assets, ripe_in=ripe) for index, (assets, ripe) in enumerate(queued))
    seen = view(price_bps=price, ssol_price_bps=ssol, lamports=lamports, glow_held=held, queue=tickets)
    decision = decided(seen)
    assert decision == decided(seen)
    if isinstance(decision, Hold):
        return
    sol, glow, ssol_units = 0, held, 0
    for intent in decision.steps[0].intents:
        match intent:
            case Stake(Lamports() as spend, minted):
                sol, glow = sol - spend.value, glow + minted.units
            case Swap(sell, received):
                flow = {SOL: 0, GLOWSOL: 0, SSOL: 0}
                flow[sell.mint] -= sell.units
                flow[received.mint] += received.units
                sol, glow, ssol_units = sol + flow[SOL], glow + flow[GLOWSOL], ssol_units + flow[SSOL]
            case Unstake(spend, received_lamports):
                ssol_units, sol = ssol_units - spend.units, sol + received_lamports.value
            case RequestUnstake(spend, _):
                glow -= spend.units
            case ClaimUnstake(_, received_lamports):
                sol += received_lamports.value
        assert glow >= 0  # never spends more than it holds or is sure to have received
        assert ssol_units >= 0
        assert lamports + sol >= min(lamports, seen.wallet.gas_reserve.value)  # the reserve is not spent
    assert sol - decision.expected.costs.value <= decision.expected.min_sol_change.value <= sol
    if decision.reason != "claim_ripe":
        assert decision.expected.profit >= PARAMS.min_profit
        assert decision.expected.edge >= PARAMS.min_edge


def test_the_gas_reserve_is_left_alone_by_every_size() -> None:
    hold = hold_of(view(price_bps=9_000, lamports=SOL_UNIT // 10))
    assert hold.reason == "no_size_fits"
    assert hold.numbers["spendable"] == 0


def test_a_way_that_keeps_failing_makes_room_for_the_next_best() -> None:
    seen = view(price_bps=9_900, ssol_price_bps=10_040)
    assert plan_of(seen).reason == "buy_and_sell_ssol"
    assert plan_of(replace(seen, cooling=("buy_and_sell_ssol",))).reason == "buy_and_queue"
    both = ("buy_and_queue", "buy_and_sell_ssol")
    assert plan_of(replace(seen, cooling=both)).reason == "mint_and_sell_ssol"  # the sSOL premium is there too
    assert hold_of(replace(seen, cooling=(*both, "mint_and_sell_ssol"))).reason == "cooling_down"
    premium = view(price_bps=10_080)
    assert hold_of(replace(premium, cooling=("mint_and_sell",))).reason == "cooling_down"


def test_a_claim_that_keeps_failing_does_not_stand_before_the_others() -> None:
    stuck, other = ticket(3, assets=5 * SOL_UNIT, ripe_in=-2), ticket(1, assets=5 * SOL_UNIT, ripe_in=-1)
    seen = view(price_bps=10_080, queue=(stuck, other))
    first = plan_of(seen)
    assert first.resting_name == "claim_ripe:3"
    second = plan_of(replace(seen, cooling=(first.resting_name,)))
    assert second.steps[0].intents == (ClaimUnstake(other.id, other.assets),)
    assert plan_of(replace(seen, cooling=(first.resting_name, second.resting_name))).reason == "mint_and_sell"
