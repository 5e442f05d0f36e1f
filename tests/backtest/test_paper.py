"""The market on paper: it fills at our worst, refuses what a program would refuse, and loses no lamport."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.backtest.checks import Checks
from keeper.backtest.dex import VENUE
from keeper.backtest.fills import Fill, Miss, fee, fill
from keeper.backtest.ground import GLOWSOL
from keeper.backtest.paper import Paper
from keeper.backtest.paths import DAY, HOUR, START, Spell
from keeper.backtest.paths import SOL as UNIT
from keeper.plan import (
    Atomic,
    Borrow,
    ClaimUnstake,
    Deposit,
    Intent,
    Repay,
    RequestUnstake,
    Stake,
    Swap,
    Unstake,
    Withdraw,
    Wrap,
)
from keeper.strategy import LadderNeed
from keeper.units import SOL, SSOL, Bps, Lamports, TokenAmount
from tests.backtest.markets import PLACE, POOL, glow, landed, levered, quiet, sol, staked

SIZES = tuple(sol(n * UNIT) for n in (1, 10, 100))


def missed(market: Paper, *intents: Intent, min_health: Bps | None = None) -> str:
    found = fill(market, Atomic(intents, min_health))
    assert isinstance(found, Miss), found
    assert found.fee == fee()
    return found.name


def test_a_swap_fills_at_its_bound() -> None:
    market = Paper.open(quiet(), 50 * UNIT)
    quoted = market.dex.out(SOL, 10 * UNIT, GLOWSOL)
    assert quoted is not None
    bound = quoted - 12_345
    found = landed(market, Swap(sol(10 * UNIT), glow(bound), VENUE))
    assert found.after.tokens[GLOWSOL] == bound
    assert found.after.lamports == 50 * UNIT - 10 * UNIT - fee() - found.rent
    assert missed(market, Swap(sol(10 * UNIT), glow(quoted + 1), VENUE)) == "slippage_exceeded"


def test_a_failed_step_moves_nothing() -> None:
    market = Paper.open(quiet(), 50 * UNIT)
    before = (market.lamports, dict(market.tokens), market.lender.owed, market.value)
    assert missed(market, Stake(Lamports(10 * UNIT), glow(UNIT)), Withdraw(PLACE, glow(1))) == "insufficient_collateral"
    assert (market.lamports, dict(market.tokens), market.lender.owed, market.value) == before


def test_what_we_sold_presses_on_the_price_until_others_trade_it_away() -> None:
    market = staked(Paper.open(quiet(), 500 * UNIT), UNIT)
    first = market.dex.out(GLOWSOL, 50 * UNIT, SOL)
    market.dex.traded(GLOWSOL, SOL, 300 * UNIT, 310 * UNIT)
    pressed = market.dex.out(GLOWSOL, 50 * UNIT, SOL)
    market.advance(START + DAY)
    later = market.dex.out(GLOWSOL, 50 * UNIT, SOL)
    assert first is not None
    assert pressed is not None
    assert later is not None
    assert pressed < later
    assert pressed < first
    assert market.dex.out(GLOWSOL, 5_000 * UNIT, SOL) is None


@pytest.mark.parametrize(
    ("spell", "intents", "why"),
    [
        ("lrt_paused", (Stake(Lamports(UNIT), glow(1)),), "deposits_paused"),
        ("lending_paused", (Borrow(POOL, sol(UNIT)),), "disabled"),
        ("lending_paused", (Repay(POOL, sol(UNIT)),), "disabled"),
        ("stale_oracle", (Borrow(POOL, sol(UNIT)),), "price_too_old"),
        ("stale_oracle", (Withdraw(PLACE, glow(UNIT)),), "price_too_old"),
        ("empty_reserve", (Unstake(TokenAmount(SSOL, UNIT), Lamports(1)),), "insufficient_funds|reserve_short"),
        ("dry_dex", (Withdraw(PLACE, glow(UNIT)), Swap(glow(UNIT), sol(1), VENUE)), "slippage_exceeded"),
    ],
)
def test_what_is_closed_refuses(spell: str, intents: Sequence[Intent], why: str) -> None:
    size = 10**6 if spell in ("empty_reserve", "dry_dex") else 1
    market = levered(quiet(Spell(spell, START + HOUR, 60, HOUR, 60, size)))
    market.advance(START + HOUR + 120)
    name = missed(market, *intents).lower()
    assert any(one in name for one in why.split("|")), name


def test_a_repayment_needs_no_price() -> None:
    market = levered(quiet(Spell("stale_oracle", START + HOUR, 60, HOUR, 60, 1)))
    market.advance(START + HOUR + 120)
    owed = market.lender.owed
    assert landed(market, Repay(POOL, sol(UNIT))).after.lender.owed in (owed - UNIT, owed - UNIT + 1)


def test_no_program_lets_an_account_become_unhealthy() -> None:
    market = levered(quiet())
    free = market.lender.free[GLOWSOL]
    assert missed(market, Withdraw(PLACE, glow(free + 10))) == "unhealthy"
    left = landed(market, Withdraw(PLACE, glow(free - 10)))
    assert 0 <= left.after.lender.health <= 1
    assert left.lowest == left.after.lender.health
    assert missed(market, Borrow(POOL, sol(200 * UNIT))) == "unhealthy"
    assert missed(market, Withdraw(PLACE, glow(UNIT)), min_health=Bps(9_000)) == "health_below_demand"


def test_a_whole_repayment_leaves_nothing_and_never_takes_more_than_allowed() -> None:
    market = levered(quiet(), own=100, debt=3)
    market.advance(START + 5 * DAY)
    owed = market.lender.owed
    assert missed(market, Repay(POOL, sol(owed - 1), whole=True)) == "repays_too_much"
    cleared = landed(market, Repay(POOL, sol(owed + 1_000), whole=True)).after
    assert cleared.lender.owed == 0
    assert cleared.lender.health == 10_000
    assert market.lamports - cleared.lamports == owed + fee()


def test_the_queue_pays_after_its_wait_and_once() -> None:
    market = staked(Paper.open(quiet(), 50 * UNIT), 10 * UNIT)
    market = landed(market, Withdraw(PLACE, glow(UNIT)), RequestUnstake(glow(UNIT), Lamports(UNIT))).after
    (waiting,) = market.queue
    claim = ClaimUnstake(waiting.id, Lamports(waiting.assets))
    market.advance(START + 7 * DAY - 1)
    assert missed(market, claim) == "not_ripe"
    market.advance(START + 7 * DAY)
    paid = landed(market, claim).after
    assert paid.lamports == market.lamports + waiting.assets - fee()
    assert missed(paid, claim) == "not_ripe"


def test_a_stake_account_pays_after_the_epoch_with_its_rent() -> None:
    market = Paper.open(quiet(), 50 * UNIT)
    ssol = TokenAmount(SSOL, 8 * UNIT)
    market = landed(market, Stake(Lamports(10 * UNIT), ssol)).after
    market = landed(market, RequestUnstake(ssol, Lamports(9 * UNIT))).after
    (waiting,) = market.queue
    assert missed(market, ClaimUnstake(waiting.id, Lamports(1))) == "not_ripe"
    market.advance(market.path.epochs[market.path.epoch(START) + 1].at)
    paid = landed(market, ClaimUnstake(waiting.id, Lamports(waiting.assets))).after
    assert paid.lamports == market.lamports + waiting.assets - fee()


def test_an_intent_that_paper_does_not_know_fails() -> None:
    assert missed(Paper.open(quiet(), UNIT), Wrap(Lamports(1))) == "no_paper_for_wrap"


def test_the_keeper_sees_what_is_true() -> None:
    broken: list[str] = []
    market = levered(quiet(Spell("depeg", START + DAY, 3_600, DAY, None, 150_000), market_oracle=True))
    checks = Checks(lambda rule, detail: broken.append(f"{rule}: {detail}"))
    needs = (LadderNeed(SIZES, GLOWSOL),)
    for hour in range(1, 72, 5):
        checks.moves(market, START + hour * HOUR)
        view = market.view(needs, ())
        checks.agrees(market, view)
        assert view.fresh.ok
        assert view.margin is not None
        assert view.lending[0].borrow_rate() > 0
    assert broken == []
    assert market.lender.owed > 100 * UNIT
    assert [rung.sell for rung in market.view(needs, ()).quotes[0].rungs] == list(SIZES)


def test_a_crash_that_the_oracle_follows_makes_it_liquidable() -> None:
    market = levered(quiet(Spell("depeg", START + DAY, 3_600, DAY, None, 150_000), market_oracle=True), debt=200)
    assert market.lender.health > 0
    market.advance(START + DAY + 3_600)
    assert market.lender.liquidable
    assert market.lender.health < 0
    blind = levered(quiet(Spell("depeg", START + DAY, 3_600, DAY, None, 150_000)), debt=200)
    blind.advance(START + DAY + 3_600)
    assert not blind.lender.liquidable


def test_a_lower_weight_counts_at_once_and_liquidates_only_once_it_is_applied() -> None:
    market = levered(quiet(Spell("weight_drift", START + DAY, 0, HOUR, None, 2)))

    def carried() -> float:
        found = market.lender.valuation()
        return found.weighted / found.liabilities

    market.advance(START + DAY - 60)
    before, health = carried(), market.lender.health
    market.advance(START + DAY + 60)
    assert health - market.lender.health > 80
    assert carried() == pytest.approx(before, rel=1e-4)
    market.advance(START + DAY + HOUR)
    assert carried() == pytest.approx(before * 93 / 95, rel=1e-4)


def test_rates_at_the_top_cost_two_hundred_percent() -> None:
    market = levered(quiet(Spell("top_rates", START + HOUR, 60, 20 * DAY, 60, 10_000)))
    market.advance(START + 2 * HOUR)
    owed = market.lender.owed
    for hour in range(3, 3 + 24):
        market.advance(START + hour * HOUR)
    # 24 hours at 200 % a year: e^(2/365) - 1 = 0.5494 %
    assert market.lender.owed - owed == pytest.approx(owed * 0.005494, rel=2e-3)
    assert market.view((), ()).lending[0].borrow_room.units == 0


_ACTIONS = st.lists(
    st.tuples(st.integers(0, 7), st.integers(1, 60 * UNIT), st.integers(30, 5 * DAY)), min_size=1, max_size=12
)


@settings(max_examples=60, deadline=None)
@given(_ACTIONS, st.booleans())
def test_value_is_conserved_whatever_is_done(actions: list[tuple[int, int, int]], market_oracle: bool) -> None:
    """Random steps in a falling market: what each gives up is what its own amounts say, to a few lamports of rounding."""
    broken: list[str] = []
    checks = Checks(lambda rule, detail: broken.append(f"{rule}: {detail}"))
    path = quiet(Spell("depeg", START + DAY, 3_600, DAY, DAY, 150_000), market_oracle=market_oracle)
    market, at = staked(Paper.open(path, 400 * UNIT), 100 * UNIT), START
    for kind, amount, wait in actions:
        at = min(at + wait, path.end)
        checks.moves(market, at)
        value, found = market.value, fill(market, Atomic(_intents(market, kind, amount)))
        if isinstance(found, Fill):
            gone = value - found.after.value
            assert abs(gone - found.lost - found.fee - found.rent) <= 64, (kind, amount)
            market = found.after
        else:
            assert market.value == value
    assert broken == []


def _intents(market: Paper, kind: int, amount: int) -> tuple[Intent, ...]:
    minted = glow(max(amount * 10**12 // market.moment.glowsol, 1))
    ripe = next((one for one in market.queue if one.ready(market.moment)), None)
    claim: Intent = Repay(POOL, sol(amount), whole=True)
    if ripe is not None:
        claim = ClaimUnstake(ripe.id, Lamports(ripe.assets))
    sold = max((market.dex.out(GLOWSOL, amount, SOL) or 1) * 99 // 100, 1)
    choices: tuple[tuple[Intent, ...], ...] = (
        (Stake(Lamports(amount), minted), Deposit(PLACE, minted)),
        (Borrow(POOL, sol(amount)),),
        (Withdraw(PLACE, glow(amount)), Swap(glow(amount), sol(sold), VENUE), Repay(POOL, sol(sold))),
        (Repay(POOL, sol(amount)),),
        (Withdraw(PLACE, glow(amount)), RequestUnstake(glow(amount), Lamports(1))),
        (claim,),
        (Stake(Lamports(amount), TokenAmount(SSOL, 1)), Deposit(PLACE, minted)),
        (Swap(sol(amount), glow(max(minted.units * 95 // 100, 1)), VENUE),),
    )
    return choices[kind]
