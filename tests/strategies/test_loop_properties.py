"""Attempts to make the loop hurt itself: in hostile markets, in accounts of any shape, and by its own repeated decisions."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from keeper.lending import MarginAccount, Stress
from keeper.plan import Borrow, ClaimUnstake, Hold, Intent, Plan, Repay, Stake, Swap, Unstake, Withdraw
from keeper.tactics.leverage import Position
from keeper.units import SOL, SSOL, Bps, Duration, Lamports, Mint, Rate, TokenAmount, UnixTime
from keeper.units.canonical import canonical
from keeper.view import Freshness, Ladder, Source, View
from strategies.loop import LOOP, MIDDLE, Params
from tests.strategies.lending_views import (
    PERCENT,
    PLACE,
    POOL,
    account,
    borrows,
    fill,
    later,
    lending,
    loop_view,
    rate_of,
)
from tests.strategies.market_views import GLOWSOL, NOW, SOL_UNIT, ticket, with_glow

PATIENT = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking a whole history takes minutes
)
FATAL = ("pool_paused", "oracle_stale", "oracle_unsure", "price_not_positive")


def params_of(mint: Mint, **changes: object) -> Params:
    return replace(Params(collateral=mint.symbol, cooldown=Duration(0)), **changes)  # type: ignore[arg-type]  # names are the caller's


def position(margin: MarginAccount, mint: Mint, params: Params) -> Position:
    stress = Stress.over(params.shock, params.rate_shock, params.exit_time, params.drift)
    return Position(margin, PLACE[mint], POOL, stress)


@st.composite
def market(draw: st.DrawFn, mint: Mint, *, broken: bool = True) -> View:
    """A position of any leverage in a market of any price, quoted by a venue that may be broken."""
    equity = draw(st.integers(1 if broken else SOL_UNIT // 20, 120 * SOL_UNIT))
    levers = draw(st.sampled_from([0, 3, 6, 9, 10, 11, 11, 12, 20, 35]))  # debt in tenths of equity
    debt = min(equity * levers // 10, 400 * SOL_UNIT)
    collateral = rate_of(mint).tokens(Lamports(equity + debt), mint).units
    problem = draw(st.sampled_from([""] * 20 + ["being_liquidated", "loan_not_priced", "past_due"])) if broken else ""
    stale = draw(st.sampled_from([""] * 10 + ["oracle_stale"])) if broken else ""
    price = draw(st.sampled_from([100, 100, 100, 97, 85, 130])) if broken else 100
    rate = rate_of(mint)
    margin = account(
        collateral,
        debt,
        mint=mint,
        price=Rate(rate.numerator * price, rate.denominator * 100),
        weight=draw(st.sampled_from([9_500, 9_500, 9_000, 0])) if broken else 9_500,
        leverage=draw(st.sampled_from([400, 400, 300, 0])) if broken else 400,
        problem=problem,
        stale=stale,
    )
    waiting = draw(st.lists(st.tuples(st.integers(1, 20 * SOL_UNIT), st.integers(-10, 604_800)), max_size=3))
    seen = loop_view(
        margin,
        mint=mint,
        market=lending(
            borrow=draw(st.integers(0, 12) | st.integers(0, 200)) * PERCENT,
            slope=draw(st.sampled_from([0, 0, 300 * PERCENT])),
            room=draw(st.sampled_from([100_000, 100_000, 7, 0])),
            problem=draw(st.sampled_from([""] * 20 + ["lending_closed", *FATAL])) if broken else "",
            exit_problem=draw(st.sampled_from([""] * 20 + ["pool_paused"])) if broken else "",
        ),
        lamports=draw(st.sampled_from([SOL_UNIT // 20, SOL_UNIT // 10, SOL_UNIT, 30 * SOL_UNIT, 300 * SOL_UNIT])),
        held=draw(st.sampled_from([0, 0, 1, 12 * SOL_UNIT])),
        apy=draw(st.sampled_from([8, 8, 30, 3, 0, -20])) * PERCENT,
        price_bps=draw(st.sampled_from([10_000, 10_000, 10_000, 9_950, 10_100, 9_600, 8_500])) if broken else 10_000,
        depth=draw(st.sampled_from([1, 10, 10, 300, 5_000])),
        samples=borrows(*draw(st.lists(st.integers(0, 200).map(lambda n: n * PERCENT), max_size=6))),
        order=draw(st.sampled_from(["", "", "unwind"])),
        queue=tuple(ticket(index, assets=assets, ripe_in=ripe) for index, (assets, ripe) in enumerate(waiting)),
        last_landed=draw(st.sampled_from([None, UnixTime(NOW.value - 60)])),
    )
    if not broken:
        return seen
    unfresh = draw(st.sampled_from([""] * 20 + ["redemption_rate_fell", "node_behind"]))
    pool = replace(
        seen.pools[0],
        reserve=Lamports(draw(st.sampled_from([0, 3 * SOL_UNIT, 2_000 * SOL_UNIT]))),
        current=draw(st.booleans()),
        instant_rate=draw(st.sampled_from([seen.pools[0].instant_rate, Rate(0, 1)])),
        stake_rate=draw(st.sampled_from([seen.pools[0].stake_rate, None])),
        rate=draw(st.sampled_from([seen.pools[0].rate] * 4 + [Rate(0, 1)])),
        last_epoch_rate=draw(st.sampled_from([None, Rate(0, 1), seen.pools[0].rate])),
    )
    seen = replace(
        seen,
        pools=draw(st.sampled_from([(pool,), (pool,), (pool,), ()])),
        quotes=tuple(mangled(draw, one) for one in seen.quotes if draw(st.integers(0, 5))),
        wallet=replace(
            seen.wallet,
            protection=Lamports(draw(st.sampled_from([0, SOL_UNIT // 20]))),
            tokens=seen.wallet.tokens if draw(st.booleans()) else (),
        ),
        cooling=tuple(
            draw(st.lists(st.sampled_from(["sell", "unstake", "boost_mint", "repay_idle", "request"]), max_size=1))
        ),
        past=replace(seen.past, rates=seen.past.rates[: draw(st.sampled_from([6, 6, 1, 0]))]),
        fresh=Freshness(unfresh, (Source("accounts", None, 3),)),
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
        liquid=Lamports(draw(st.sampled_from([0, 5_000 * SOL_UNIT]))),
        **books,
    )


def mangled(draw: st.DrawFn, ladder: Ladder) -> Ladder:
    """Mostly as it is; else one rung says nothing, next to nothing, or three times too much."""
    if draw(st.integers(0, 4)):
        return ladder
    index = draw(st.integers(0, len(ladder.rungs) - 1))
    rung = ladder.rungs[index]
    said = TokenAmount(ladder.buy, draw(st.sampled_from([0, 1, 3 * rung.receive.units])))
    lied = replace(rung, receive=said, min_receive=said)
    return replace(ladder, rungs=(*ladder.rungs[:index], lied, *ladder.rungs[index + 1 :]))


def valued(seen: View, mint: Mint) -> MarginAccount:
    """The account as the loop may value it at most: at the lower of oracle and redemption rate."""
    assert seen.margin is not None
    glow, pool = seen.glowsol, seen.pool(SSOL)
    known = glow is not None and glow.outstanding.units and glow.total_assets.value
    fair = pool.rate if mint == SSOL and pool is not None and pool.rate.numerator else None
    if mint == GLOWSOL and glow is not None and known:
        fair = glow.rate
    return seen.margin.priced(fair, mint) if fair is not None else seen.margin


def lowest_purse(intents: list[Intent]) -> int:
    """The lowest that native SOL gets in the course of ``intents``, from nothing."""
    purse = lowest = 0
    for intent in intents:
        match intent:
            case Borrow(_, amount):
                purse += amount.units
            case Repay(_, amount, _):
                purse -= amount.units
            case Stake(Lamports() as spend, _):
                purse -= spend.value
            case Unstake(_, received) | ClaimUnstake(_, received):
                purse += received.value
            case Swap(sell, received, _):
                purse += (received.units if received.mint == SOL else 0) - (sell.units if sell.mint == SOL else 0)
            case _:
                pass
        lowest = min(lowest, purse)
    return lowest


def check(seen: View, plan: Plan, mint: Mint, params: Params) -> View:
    """Everything that must hold of any plan in any market."""
    spendable = seen.wallet.protecting if plan.protects else seen.wallet.spendable
    intents = [intent for step in plan.steps for intent in step.intents]
    assert lowest_purse(intents) >= -spendable.value  # never more than is visible, not even in between
    assert seen.margin is not None
    known = not (seen.margin.problem or any(one.problem for one in seen.margin.collateral if one.mint == mint))
    takes = any(isinstance(one, Withdraw | Borrow) for one in intents)
    assert known or not takes or not (seen.margin.debt or any(isinstance(one, Borrow) for one in intents))
    before = valued(seen, mint)
    filled = fill(replace(seen, margin=before), plan)
    after = filled.view.margin
    assert after is not None
    if takes and (before.debt or after.debt):
        lowest = min(MIDDLE.value, before.health.value // 2)
        assert filled.lowest.value >= lowest, (plan.reason, filled.lowest, lowest)
        was, now = position(before, mint, params).stressed, position(after, mint, params).stressed
        assert now >= min(params.health_floor, was), (plan.reason, was, now)
    if any(isinstance(one, Borrow) for one in intents):
        assert position(after, mint, params).stressed >= params.health_floor + params.band
        assert plan.steps[0].min_health == params.health_floor
    if plan.steps[0].min_health is not None:
        assert after.health >= plan.steps[0].min_health
    assert filled.view.wallet.lamports >= Lamports(0)
    return fill(seen, plan).view


@settings(PATIENT, max_examples=150)
@given(st.data(), st.sampled_from([GLOWSOL, SSOL]))
def test_no_view_makes_a_plan_that_endangers_the_account(data: st.DataObject, mint: Mint) -> None:
    seen = data.draw(market(mint))
    params = params_of(
        mint,
        ladder_share=Bps(data.draw(st.sampled_from([0, 1_000]))),
        health_floor=Bps(data.draw(st.sampled_from([1_000, 1_000, 100, 2_000]))),
        band=Bps(data.draw(st.sampled_from([150, 150, 1, 500]))),
        shock=Bps(data.draw(st.sampled_from([1_500, 1_500, 0, 4_000]))),
    )
    frozen = canonical(seen)
    decision = LOOP.decide(seen, params)
    assert canonical(seen) == frozen
    assert canonical(LOOP.decide(seen, params)) == canonical(decision)
    if isinstance(decision, Hold):
        assert decision.numbers, decision
        return
    assert decision.resting_name not in seen.cooling
    check(seen, decision, mint, params)


UP = ("boost_mint", "boost_buy")
DOWN = ("repay_idle", "sell", "sell_ssol", "unstake", "request", "request_stake")


@PATIENT
@given(st.data(), st.sampled_from([GLOWSOL, SSOL]))
def test_it_comes_to_rest_and_never_takes_back_what_it_did(data: st.DataObject, mint: Mint) -> None:
    """In a market that stands still, what follows a plan is never its opposite, and after a few plans nothing follows."""
    seen, params = data.draw(market(mint, broken=False)), params_of(mint)
    done: list[str] = []
    for _ in range(200):  # an order to leave in a thin market is many small sales
        decision = LOOP.decide(seen, params)
        if isinstance(decision, Hold):
            break
        done.append(decision.reason)
        seen = check(seen, decision, mint, params)
    else:
        raise AssertionError(f"no rest after {done}")
    borrowed = [name in UP for name in done if name != "claim_ripe"]
    ups, downs = [n for n in done if n in UP], [n for n in done if n in DOWN]
    assert not (ups and downs) or borrowed == sorted(borrowed), (
        done
    )  # repaid first and then own SOL put in, never back again


@PATIENT
@given(st.data(), st.sampled_from([GLOWSOL, SSOL]))
def test_an_unwind_ends(data: st.DataObject, mint: Mint) -> None:
    """Whatever the leverage and the market (with a queue at least), an order to leave is done in bounded steps and time."""
    seen, params = data.draw(market(mint, broken=False)), params_of(mint)
    seen = replace(seen, past=replace(seen.past, order="unwind"))
    if seen.margin is not None and position(seen.margin, mint, params).stressed < params.health_floor:
        return  # an emergency first; without depth it may have to wait for a better market
    landed = 0
    for _ in range(40):
        decision = LOOP.decide(seen, params)
        while isinstance(decision, Plan):
            landed += 1
            assert landed < 400, decision.reason
            assert not any(isinstance(one, Borrow) for step in decision.steps for one in step.intents)
            seen = check(seen, decision, mint, params)
            decision = LOOP.decide(seen, params)
        if decision.reason == "unwound":
            break
        seen = later(seen, 604_800)
    assert decision.reason == "unwound", decision
    assert seen.margin is not None
    assert seen.margin.debt == Lamports(0)
    assert sum(one.assets.value for one in seen.queue) < SOL_UNIT // 1_000  # what is not worth its claim
