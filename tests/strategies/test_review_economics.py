"""Attempts to make the arbitrage lose money at its own bounds, pass its limits, or leave profit on the table."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.plan import ClaimUnstake, Hold, Intent, Plan, RequestUnstake, Stake, Swap, Unstake
from keeper.strategy import ParameterError, read_params
from keeper.units import SOL, SSOL, Bps, ComputeUnits, Duration, Lamports, Mint, Rate, TokenAmount
from keeper.view import Freshness, Ladder, Source, View
from strategies.arbitrage import ARBITRAGE, Params
from tests.strategies.market_views import GLOWSOL, SOL_UNIT, ticket, view, with_glow

PARAMS = Params()
EMPTY = replace(view().wallet, tokens=())  # no token account at all


def plan_of(seen: View, params: Params = PARAMS) -> Plan:
    decision = ARBITRAGE.decide(seen, params)
    assert isinstance(decision, Plan), decision
    return decision


def hold_of(seen: View, params: Params = PARAMS) -> Hold:
    decision = ARBITRAGE.decide(seen, params)
    assert isinstance(decision, Hold), decision
    return decision


def flows(intents: tuple[Intent, ...]) -> dict[Mint, int]:
    """What the bounds move, by token; SOL is native."""
    moved = {SOL: 0, GLOWSOL: 0, SSOL: 0}
    for intent in intents:
        match intent:
            case Stake(Lamports() as spend, minted):
                moved[SOL] -= spend.value
                moved[GLOWSOL] += minted.units
            case Swap(sell, received):
                moved[sell.mint] -= sell.units
                moved[received.mint] += received.units
            case Unstake(spend, received):
                moved[spend.mint] -= spend.units
                moved[SOL] += received.value
            case RequestUnstake(spend, _):
                moved[spend.mint] -= spend.units
            case ClaimUnstake(_, received):
                moved[SOL] += received.value
    return moved


def queued_by(plan: Plan) -> int:
    return sum(one.min_assets.value for one in plan.steps[0].intents if isinstance(one, RequestUnstake))


def rent_of(seen: View, plan: Plan) -> int:
    """Rent of every account that the plan leaves open and the wallet does not have."""
    received = {one.min_receive.mint for one in plan.steps[0].intents if isinstance(one, Stake | Swap)} - {SOL}
    missing = sum(1 for mint in received if not seen.wallet.has_account(mint))
    rent = missing * seen.fees.token_account_rent.value
    assert seen.glowsol is not None
    return rent + (seen.fees.queue_account_rent.value if queued_by(plan) and not seen.glowsol.queue_open else 0)


def worst_profit(seen: View, plan: Plan, params: Params) -> int:
    """Profit when every bound is just met, computed here anew: what is held counts at its redemption value."""
    assert seen.glowsol is not None
    moved = flows(plan.steps[0].intents)
    fee = seen.fees.transaction(ComputeUnits(params.compute_limit)).value
    used = max(-moved[GLOWSOL], 0)
    profit = moved[SOL] - rent_of(seen, plan) - fee - seen.glowsol.rate.lamports_up(TokenAmount(GLOWSOL, used)).value
    if queued_by(plan):
        spent = Lamports(-moved[SOL])
        carry = params.required_return.per_year_over(seen.glowsol.waiting_period, spent) + params.risk_premium.of_up(
            spent
        )
        profit += queued_by(plan) - fee - carry.value
    return profit


@st.composite
def hostile(draw: st.DrawFn) -> View:
    """A market in any state, quoted by a venue that may be broken, seen by a wallet that may lack anything."""
    waiting = draw(st.lists(st.tuples(st.integers(1, 60 * SOL_UNIT), st.integers(-10, 604_800)), max_size=4))
    seen = view(
        price_bps=draw(st.integers(9_600, 10_400) | st.sampled_from([1_000, 5_000, 8_900, 13_000, 90_000])),
        ssol_price_bps=draw(st.none() | st.integers(9_600, 10_400)),
        lamports=draw(st.integers(0, 400 * SOL_UNIT)),
        glow_held=draw(st.integers(0, 300 * SOL_UNIT) | st.integers(0, 5)),
        queue=tuple(ticket(index, assets=assets, ripe_in=ripe) for index, (assets, ripe) in enumerate(waiting)),
    )
    pool = seen.pools[0]
    pool = replace(
        pool,
        reserve=Lamports(draw(st.sampled_from([0, 13 * SOL_UNIT, 2_000 * SOL_UNIT]))),
        current=draw(st.booleans()),
        instant_rate=draw(st.sampled_from([pool.instant_rate, pool.instant_rate, Rate(0, 1)])),
    )
    seen = replace(
        seen,
        pools=draw(st.sampled_from([(pool,), (pool,), (pool,), ()])),
        quotes=tuple(broken(draw, one) if draw(st.integers(0, 5)) == 0 else one for one in seen.quotes),
        wallet=replace(seen.wallet, tokens=tuple(one for one in seen.wallet.tokens if draw(st.booleans()))),
    )
    books: dict[str, object] = draw(
        st.sampled_from([{}] * 6 + [{"total_assets": Lamports(0)}, {"outstanding": TokenAmount(GLOWSOL, 0)}])
    )
    return with_glow(
        seen,
        paused=draw(st.booleans()),
        deposit_room=Lamports(draw(st.sampled_from([0, 7 * SOL_UNIT, 10**14]))),
        queue_open=draw(st.booleans()),
        queue_slots_free=draw(st.integers(0, 8)),
        liquid=Lamports(draw(st.sampled_from([0, 20 * SOL_UNIT, 5_000 * SOL_UNIT]))),
        **books,
    )


def broken(draw: st.DrawFn, ladder: Ladder) -> Ladder:
    """One rung says nothing, next to nothing, or three times too much."""
    index = draw(st.integers(0, len(ladder.rungs) - 1))
    rung = ladder.rungs[index]
    said = TokenAmount(ladder.buy, draw(st.sampled_from([0, 1, 3 * rung.receive.units])))
    lied = replace(rung, receive=said, min_receive=said)
    return replace(ladder, rungs=(*ladder.rungs[:index], lied, *ladder.rungs[index + 1 :]))


@settings(max_examples=max(200, settings().max_examples))  # thousands in a campaign
@given(hostile(), st.sampled_from([1, 2_000_000]), st.sampled_from([0, 33 * SOL_UNIT, 100 * SOL_UNIT]))
def test_no_view_makes_a_plan_that_loses_at_its_bounds_or_breaks_a_limit(seen: View, least: int, largest: int) -> None:
    params = Params(min_profit=Lamports(least), max_trade=Lamports(largest))
    decision = ARBITRAGE.decide(seen, params)
    if isinstance(decision, Hold):
        assert decision.numbers, decision
        return
    glow, intents = seen.glowsol, decision.steps[0].intents
    assert glow is not None
    moved = flows(intents)
    assert moved[GLOWSOL] >= -seen.wallet.token(GLOWSOL).units
    assert moved[SSOL] >= 0
    if decision.reason == "claim_ripe":
        assert seen.wallet.lamports + decision.expected.min_sol_change > seen.wallet.lamports
        return
    assert worst_profit(seen, decision, params) >= decision.expected.profit.value >= least
    assert decision.expected.profit.value <= decision.expected.capital.value // 10  # max_edge
    assert decision.expected.capital <= params.max_trade + Lamports(1)  # minted and held are each rounded up
    assert seen.wallet.lamports + decision.expected.min_sol_change >= Lamports(0)
    fee = seen.fees.transaction(ComputeUnits(params.compute_limit)).value
    assert seen.wallet.lamports.value + moved[SOL] - rent_of(seen, decision) - fee >= seen.wallet.gas_reserve.value
    stakes = [one for one in intents if isinstance(one, Stake)]
    for stake in stakes:
        assert isinstance(stake.spend, Lamports)
        assert glow.rate.tokens(stake.spend, GLOWSOL) >= stake.min_receive
        assert stake.spend <= glow.deposit_room
        assert not glow.paused
    if stakes or any(isinstance(one, Unstake) for one in intents):
        assert seen.pools[0].current
    assert all(one.min_receive <= seen.pools[0].reserve for one in intents if isinstance(one, Unstake))
    if queued_by(decision):
        assert glow.queue_slots_free > 0
        assert queued_by(decision) + sum(one.assets.value for one in seen.queue) <= params.queue_capital.value


def test_rent_of_an_ssol_account_is_a_cost_of_the_way_through_ssol() -> None:
    """It is as much as the default min_profit: uncounted, a small trade through sSOL loses its whole profit to it."""
    seen = view(price_bps=9_900, ssol_price_bps=10_040)
    with_account, without = (
        plan_of(seen),
        plan_of(replace(seen, wallet=replace(seen.wallet, tokens=seen.wallet.tokens[:1]))),
    )
    assert with_account.reason == without.reason == "buy_and_sell_ssol"
    assert without.expected.costs == with_account.expected.costs + seen.fees.token_account_rent
    seen = view(price_bps=10_000, ssol_price_bps=10_100)
    first = plan_of(replace(seen, wallet=replace(EMPTY)))
    assert first.reason == "mint_and_sell_ssol"
    assert first.expected.costs == plan_of(seen).expected.costs + seen.fees.token_account_rent * 2


def test_a_lot_of_glowsol_is_not_swept_into_the_queue_by_a_small_trade() -> None:
    """Leftovers wait along; a holding does not: its wait is nobody's trade, and the queue's limit is for all of it."""
    holding = plan_of(view(price_bps=9_900, lamports=3 * SOL_UNIT, glow_held=150 * SOL_UNIT)).steps[0].intents
    assert isinstance(holding[0], Swap)
    assert isinstance(holding[1], RequestUnstake)
    assert holding[1].spend == holding[0].min_receive
    leftover = plan_of(view(price_bps=9_900, lamports=3 * SOL_UNIT, glow_held=10_000)).steps[0].intents
    assert isinstance(leftover[0], Swap)
    assert isinstance(leftover[1], RequestUnstake)
    assert leftover[1].spend == leftover[0].min_receive + TokenAmount(GLOWSOL, 10_000)


def test_the_largest_trade_counts_what_is_held() -> None:
    seen = view(price_bps=10_200, glow_held=60 * SOL_UNIT)
    for limit in (20, 40, 70):
        plan = plan_of(seen, replace(PARAMS, max_trade=Lamports(limit * SOL_UNIT)))
        assert Lamports(limit * SOL_UNIT * 999 // 1_000) < plan.expected.capital <= Lamports(limit * SOL_UNIT + 1)


def test_what_is_left_of_the_queues_capital_is_used_to_its_end() -> None:
    """Between the rungs of 2 and 5 SOL: one place of the queue for all of it, not one for 2 SOL."""
    seen = view(price_bps=9_900, queue=(ticket(0, assets=196 * SOL_UNIT, ripe_in=60),))
    plan = plan_of(seen)
    assert 4 * SOL_UNIT * 999 // 1_000 < queued_by(plan) <= 4 * SOL_UNIT


@pytest.mark.parametrize(("change", "least"), [({"paused": True}, 7), ({"deposit_room": Lamports(6 * SOL_UNIT)}, 12)])
def test_a_limit_between_two_rungs_is_met_exactly(change: dict[str, object], least: int) -> None:
    """Seven glowSOL are held: a paused pool lets just them be sold, a nearly full one lets six SOL more be minted."""
    plan = plan_of(with_glow(view(price_bps=10_200, glow_held=7 * SOL_UNIT), **change))
    (swap,) = (one for one in plan.steps[0].intents if isinstance(one, Swap))
    assert swap.sell.units >= least * SOL_UNIT


@settings(max_examples=60)
@given(
    price=st.integers(9_800, 10_200),
    lamports=st.integers(2 * SOL_UNIT, 120 * SOL_UNIT),
    held=st.integers(0, 40 * SOL_UNIT),
)
def test_no_size_between_the_candidates_is_better(price: int, lamports: int, held: int) -> None:
    """Against a grid of 200 sizes in each direction, with profit computed here anew.

    Rivals have three times the minimum edge: neighbouring sizes differ by 2.5 times, so no candidate beside a better rival can
    fall below the minimum. Where the minimum itself binds between two sizes, the smaller one is taken.
    """
    seen = view(price_bps=price, lamports=lamports, glow_held=held)
    decision = ARBITRAGE.decide(seen, replace(PARAMS, min_edge=Bps(1), min_profit=Lamports(1)))
    chosen = decision.expected.profit.value if isinstance(decision, Plan) else 0
    glow, tolerance = seen.glowsol, PARAMS.rate_tolerance
    assert glow is not None
    fee = seen.fees.transaction(ComputeUnits(PARAMS.compute_limit)).value
    for step in range(200):
        size = SOL_UNIT + step * SOL_UNIT // 2
        sold = _at(seen, GLOWSOL, SOL, size)
        minted = glow.rate.lamports_up(TokenAmount(GLOWSOL, max(size - held, 0)))
        spend = minted + tolerance.of_up(minted)
        worth = glow.rate.lamports_up(TokenAmount(GLOWSOL, min(size, held)))
        affordable = spend.value + fee <= seen.wallet.spendable.value
        if sold is not None and affordable and spend + worth <= PARAMS.max_trade:
            rival = sold - (spend + worth).value - fee
            assert chosen >= rival - 1 or rival * 10_000 < 3 * (spend + worth).value
        bought = _at(seen, SOL, GLOWSOL, size)
        if bought is not None and size + fee <= seen.wallet.spendable.value:
            assets = tolerance.off_lamports(glow.rate.lamports(TokenAmount(GLOWSOL, bought))).value
            wait = PARAMS.required_return.per_year_over(glow.waiting_period, Lamports(size))
            premium = PARAMS.risk_premium.of_up(Lamports(size))
            leftover = tolerance.of_up(glow.rate.lamports_up(TokenAmount(GLOWSOL, held))).value + 1  # waits along
            rival = assets - size - (wait + premium).value - 2 * fee - leftover
            assert chosen >= rival - 1 or rival * 10_000 < 3 * size


def _at(seen: View, sell: Mint, buy: Mint, size: int) -> int | None:
    ladder = seen.ladder(sell, buy)
    rung = ladder.at(TokenAmount(sell, size)) if ladder is not None else None
    return rung.min_receive.units if rung is not None else None


def test_the_bid_is_the_redemption_value_less_the_wait_on_the_capital_that_waits() -> None:
    """Simple interest for the whole wait on what is spent; nothing is earned in the queue, where the lamports are fixed."""
    seen = view(price_bps=9_900)
    free, dear = plan_of(seen, replace(PARAMS, required_return=Bps(0))), plan_of(seen)
    assert free.expected.capital == dear.expected.capital
    wait = free.expected.profit - dear.expected.profit
    exact = dear.expected.capital.value * 800 * 604_800
    assert 0 <= wait.value * 10_000 * 31_557_600 - exact < 10_000 * 31_557_600  # rounded up to the next lamport
    patient = plan_of(with_glow(seen, waiting_period=Duration(0)))
    assert patient.expected.profit == free.expected.profit


def test_an_edge_that_no_market_gives_is_not_taken() -> None:
    """Half the redemption value on the DEX: the venue, the rate or the program is broken, and none of them is to be bought."""
    hold = hold_of(view(price_bps=5_000))
    assert hold.reason == "edge_absurd"
    assert int(hold.numbers["edge_bps"]) > PARAMS.max_edge.value
    assert hold_of(view(price_bps=20_000)).reason == "edge_absurd"
    assert plan_of(view(price_bps=9_400)).reason == "buy_and_queue"  # as deep as stETH fell in 2022


def test_a_price_that_says_next_to_nothing_does_not_take_the_other_ways_down() -> None:
    seen = view(price_bps=10_200)
    ladder = seen.quotes[1]
    one = TokenAmount(GLOWSOL, 1)
    worthless = replace(ladder, rungs=tuple(replace(rung, receive=one, min_receive=one) for rung in ladder.rungs))
    assert plan_of(replace(seen, quotes=(seen.quotes[0], worthless))).reason == "mint_and_sell"


@pytest.mark.parametrize("books", [{"total_assets": Lamports(0)}, {"outstanding": TokenAmount(GLOWSOL, 0)}])
def test_without_a_redemption_rate_it_holds_and_still_claims(books: dict[str, object]) -> None:
    hold = hold_of(with_glow(view(price_bps=10_200), **books))
    assert hold.reason == "no_redemption_rate"
    assert set(hold.numbers) == {"total_assets", "outstanding"}
    ripe = ticket(0, assets=5 * SOL_UNIT, ripe_in=-1)
    assert plan_of(with_glow(view(queue=(ripe,)), **books)).reason == "claim_ripe"


def test_every_hold_has_numbers() -> None:
    seen = view(price_bps=10_080)
    stale = Freshness("node_behind", (Source("accounts", seen.slot, 41),), (("max_age_slots", 25),))
    assert hold_of(replace(seen, fresh=stale)).numbers == {"accounts age_slots": 41, "max_age_slots": 25}
    assert hold_of(replace(seen, glowsol=None)).numbers == {"slot": 500}
    assert hold_of(replace(seen, quotes=())).numbers["ladders"] == 0
    poor = hold_of(view(price_bps=10_080, lamports=SOL_UNIT))
    assert (poor.reason, poor.numbers["spendable"]) == ("no_size_fits", SOL_UNIT * 9 // 10)


@pytest.mark.parametrize(
    "table",
    [
        {"compute_limit": -1_000_000_000},
        {"compute_limit": 0},
        {"rate_tolerance": "100 %"},
        {"max_trade": "-1 SOL"},
        {"queue_capital": "-1 SOL"},
        {"max_edge": "5 bps"},
    ],
)
def test_parameters_that_turn_a_cost_into_a_gain_are_refused(table: dict[str, object]) -> None:
    with pytest.raises(ParameterError, match=r"strategies\.arbitrage"):
        read_params(Params, table, "strategies.arbitrage")


def test_sizes_are_whole_tokens_whatever_their_decimals() -> None:
    six = Mint(GLOWSOL.address, "glowSOL", 6)
    to_sol, to_ssol, from_sol = ARBITRAGE.needs(PARAMS, six)
    assert [size.units for size in to_sol.sizes] == [n * 10**6 for n in (1, 2, 5, 10, 20, 50, 100)]
    assert to_ssol.sizes == to_sol.sizes
    assert from_sol.sizes[0] == TokenAmount(SOL, SOL_UNIT)


def test_no_quote_is_asked_that_no_trade_may_use() -> None:
    """Every size is a request, of which Jupiter's free plan gives one a second."""
    needs = ARBITRAGE.needs(replace(PARAMS, max_trade=Lamports(15 * SOL_UNIT)), GLOWSOL)
    assert [[size.units // SOL_UNIT for size in need.sizes] for need in needs] == [[1, 2, 5, 10, 15]] * 3
    assert ARBITRAGE.needs(replace(PARAMS, max_trade=Lamports(0)), GLOWSOL) == ()
