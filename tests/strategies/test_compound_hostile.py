"""Compounding against views in any state: it never spends beyond its share, keeps every bound, and always answers the same."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.plan import (
    ClaimUnstake,
    Deposit,
    Hold,
    Intent,
    Plan,
    RequestUnstake,
    Stake,
    Swap,
    Unstake,
    Unwrap,
    Withdraw,
)
from keeper.tactics.yields import redemption_rate
from keeper.units import SOL, SSOL, Bps, ComputeUnits, Lamports, MicroLamports, Rate, TokenAmount
from keeper.view import Ladder, View
from strategies.compound import COMPOUND, Params
from tests.strategies.idle_views import JTO, REWARD, grown, idle, with_margin, with_reward
from tests.strategies.market_views import GLOWSOL, SOL_UNIT, ticket, with_glow

AMOUNTS = st.sampled_from([0, 1, 10_000, SOL_UNIT // 100, SOL_UNIT, 30 * SOL_UNIT, 400 * SOL_UNIT])
LARGE = st.integers(SOL_UNIT, 400 * SOL_UNIT)
MOSTLY, SELDOM = st.sampled_from([True] * 6 + [False]), st.sampled_from([False] * 6 + [True])


@st.composite
def hostile(draw: st.DrawFn) -> View:
    """A market in any state, quoted by a venue that may be broken, seen by a wallet that may lack anything."""
    seen = idle(
        sol=draw(LARGE | AMOUNTS | st.sampled_from([-SOL_UNIT // 10, -1])),
        wrapped=draw(AMOUNTS),
        ssol=draw(LARGE | AMOUNTS),
        glow=draw(AMOUNTS),
        price_bps=draw(st.integers(9_800, 10_200) | st.sampled_from([100, 5_000, 90_000])),
        yearly_bps=draw(st.integers(100, 3_000) | st.integers(-500, 0)),
        ssol_bps=draw(st.none() | st.integers(-500, 3_000)),
        waited=draw(st.none() | st.integers(0, 10**8) | st.just(-60)),
        order="unwind" if draw(SELDOM) else "",
    )
    if draw(st.booleans()):
        seen = with_reward(
            seen, draw(LARGE) * 100, off_bps=draw(st.integers(-300, 310) | st.sampled_from([-9_000, 9_000]))
        )
    if draw(st.booleans()):
        seen = with_margin(
            seen,
            lent=draw(LARGE),
            glow=draw(LARGE),
            debt=draw(AMOUNTS),
            exit_room=draw(st.none() | AMOUNTS),
            opened=draw(st.booleans()),
            room=draw(st.none() | AMOUNTS),
            problem=draw(st.sampled_from(["", "", "being_liquidated"])),
            deposit_bps=draw(st.integers(0, 2_000)),
        )
    pool = replace(
        seen.pools[0],
        reserve=Lamports(draw(LARGE | AMOUNTS)),
        current=draw(MOSTLY),
        instant_rate=draw(st.sampled_from([seen.pools[0].instant_rate, Rate(0, 1)])),
        stake_rate=draw(st.sampled_from([None, seen.pools[0].instant_rate])),
    )
    tickets = draw(st.just([]) | st.lists(st.tuples(st.integers(1, 60 * SOL_UNIT), st.integers(-10, 600)), max_size=3))
    seen = replace(
        seen,
        pools=draw(st.sampled_from([(pool,)] * 7 + [()])),
        quotes=tuple(broken(draw, one) for one in seen.quotes if draw(st.integers(0, 7))),
        queue=tuple(ticket(index, assets=assets, ripe_in=ripe) for index, (assets, ripe) in enumerate(tickets)),
        wallet=replace(
            seen.wallet,
            tokens=tuple(one for one in seen.wallet.tokens if draw(st.integers(0, 5))),
            protection=Lamports(draw(st.sampled_from([0, SOL_UNIT]))),
        ),
        fees=replace(seen.fees, unit_price=MicroLamports(draw(st.sampled_from([1_000, 0, 10**7])))),
        past=replace(seen.past, rates=draw(st.sampled_from([seen.past.rates] * 8 + [(), grown(700, epochs=1)]))),
        cooling=(draw(st.sampled_from(["mint_idle", "sell", "unwrap", "withdraw"])),) if draw(SELDOM) else (),
    )
    books: dict[str, object] = draw(
        st.sampled_from([{}] * 12 + [{"total_assets": Lamports(0)}, {"outstanding": TokenAmount(GLOWSOL, 0)}])
    )
    seen = with_glow(
        seen,
        paused=draw(SELDOM),
        deposit_room=Lamports(draw(LARGE | AMOUNTS)),
        queue_open=draw(st.booleans()),
        queue_slots_free=draw(st.integers(0, 2)),
        liquid=Lamports(draw(AMOUNTS)),
        **books,
    )
    return replace(seen, glowsol=None) if draw(SELDOM) and draw(st.booleans()) else seen


def broken(draw: st.DrawFn, ladder: Ladder) -> Ladder:
    """Perhaps one rung says nothing, next to nothing, or three times too much; perhaps there is none."""
    if not ladder.rungs or draw(st.integers(0, 4)):
        return ladder
    index = draw(st.integers(0, len(ladder.rungs) - 1))
    rung = ladder.rungs[index]
    said = TokenAmount(ladder.buy, draw(st.sampled_from([0, 1, 3 * rung.receive.units])))
    lied = replace(rung, receive=said, min_receive=said)
    return replace(ladder, rungs=draw(st.sampled_from([(), (*ladder.rungs[:index], lied, *ladder.rungs[index + 1 :])])))


PARAMS = st.builds(
    Params,
    target=st.sampled_from(["glowSOL", "sSOL"]),
    place=st.sampled_from(["wallet", "margin"]),
    factor=st.sampled_from([Bps(1), Bps(10_000), Bps(50_000)]),
    restaking_yield=st.sampled_from([Bps(0), Bps(400)]),
    rewards=st.sampled_from([(REWARD,), ()]),
    lent_principal=st.sampled_from([Lamports(0), Lamports(1), Lamports(10 * SOL_UNIT)]),
    max_trade=st.sampled_from([Lamports(n * SOL_UNIT) for n in (100, 100, 7)] + [Lamports(1)]),
)


def applied(pots: Counter[str], intent: Intent) -> None:
    """What ``intent`` moves at its bounds. Assets are mint addresses; native SOL is "native"."""

    def name(amount: Lamports | TokenAmount, *, native: bool = False) -> str:
        return "native" if isinstance(amount, Lamports) or (native and amount.mint == SOL) else amount.mint.address

    match intent:
        case Swap(sell, receive):
            pots[name(sell, native=True)] -= sell.units
            pots[name(receive, native=True)] += receive.units
        case Stake(spend, minted):
            pots[name(spend)] -= spend.value if isinstance(spend, Lamports) else spend.units
            pots[name(minted)] += minted.units
        case Unstake(spend, received) | RequestUnstake(spend, received):
            pots[name(spend)] -= spend.units
            pots["native"] += received.value if isinstance(intent, Unstake) else 0
        case ClaimUnstake(_, received):
            pots["native"] += received.value
        case Unwrap(received):
            pots[SOL.address] -= received.value
            pots["native"] += received.value
        case Deposit(_, amount):
            pots[name(amount, native=True)] -= amount.units
        case Withdraw(_, amount):
            pots[name(amount, native=True)] += amount.units
        case _:
            raise AssertionError(f"compounding does not {intent}")


def opened(seen: View, plan: Plan) -> int:
    """Rent of the wallet's accounts that the plan opens and the wallet does not have, computed anew."""
    received = {
        one.min_receive.mint for step in plan.steps for one in step.intents if isinstance(one, Stake | Swap)
    } - {SOL}
    return sum(seen.fees.token_account_rent.value for mint in received if not seen.wallet.has_account(mint))


@settings(max_examples=max(200, settings().max_examples), deadline=None)  # thousands in a campaign
@given(hostile(), PARAMS)
def test_no_view_makes_it_spend_what_it_does_not_see_or_break_a_bound(seen: View, params: Params) -> None:
    decision = COMPOUND.decide(seen, params)
    assert decision == COMPOUND.decide(seen, params)
    if isinstance(decision, Hold):
        assert decision.numbers, decision
        return
    wallet, fee = seen.wallet, seen.fees.transaction(ComputeUnits(params.compute_limit)).value
    pots = Counter({"native": wallet.spendable.value} | {one.mint.address: one.units for one in wallet.tokens})
    before = pots["native"]
    for step in decision.steps:
        for intent in step.intents:
            applied(pots, intent)
            assert min(pots.values()) >= 0, (intent, pots)  # never more than is seen or surely came in before
    change = decision.expected.min_sol_change.value
    sure = pots["native"] - before - fee * len(decision.steps) - opened(seen, decision)
    assert change <= sure  # the firewall's bound is not above what the bounds leave
    kept = wallet.gas_reserve + wallet.protection
    unwinding = seen.past.order == "unwind" or decision.reason == "claim_ripe"
    if not unwinding:
        assert wallet.lamports.value + change >= min(kept, wallet.lamports).value
        assert decision.expected.capital <= params.max_trade
        assert not seen.rests(decision.reason)
    check_bounds(seen, params, decision)


def check_bounds(seen: View, params: Params, plan: Plan) -> None:
    """Every intent on its own, by the limits of market and parameters."""
    for step in plan.steps:
        for intent in step.intents:
            match intent:
                case Stake(spend, minted):
                    pool = seen.pool(SSOL)
                    assert pool is not None
                    assert pool.current
                    value = spend if isinstance(spend, Lamports) else pool.rate.lamports(spend)
                    if minted.mint == GLOWSOL:
                        assert seen.glowsol is not None
                        assert not seen.glowsol.paused
                        assert value <= seen.glowsol.deposit_room
                    rate = redemption_rate(seen, minted.mint)
                    assert rate is not None
                    assert rate.lamports(minted) <= value
                case Swap(sell, receive) if sell.mint == SOL:
                    rate = redemption_rate(seen, receive.mint)
                    assert rate is not None
                    paid = rate.lamports(receive).value
                    assert paid * 10_000 >= sell.units * (10_000 - params.max_premium.value)
                    assert paid * 10_000 <= sell.units * (10_000 + params.max_discount.value)
                case Swap(sell, receive) if sell.mint == JTO:
                    fair = REWARD.reference.lamports(sell).value
                    assert fair * 9_699 <= receive.units * 10_000 <= fair * 10_301 + 10_000
                case Withdraw(market, amount):
                    assert seen.margin is not None
                    after = seen.margin.changed({market: -amount.units})
                    assert after.health >= min(params.min_health, seen.margin.health)
                    assert step.min_health == params.min_health
                case Deposit(market, amount):
                    assert seen.margin is not None
                    (place,) = (one for one in seen.margin.collateral if one.market == market)
                    assert place.room is None or amount <= place.room
                case _:
                    pass
