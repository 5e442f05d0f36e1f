"""Ten days of a market on paper: interest, staking, a depeg within an hour that the oracle follows, spikes of borrow rates."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from keeper.lending import MarginAccount
from keeper.past import BorrowSample, EpochRates
from keeper.plan import Hold
from keeper.units import SOL, SSOL, Bps, Epoch, Lamports, Rate, TokenAmount
from keeper.view import Ladder, View
from strategies.loop import LOOP, Params
from tests.strategies.lending_views import (
    EPOCH,
    GLOW_RATE,
    PERCENT,
    POOL,
    SSOL_RATE,
    fill,
    ladder,
    later,
    lending,
    loop_view,
)
from tests.strategies.market_views import GLOWSOL, SOL_UNIT

HOUR = 3_600
SCALE = 10**12


class Path:
    """A seeded market: the peg (what the DEX and the oracle pay of the redemption value) and the borrow rate, hour by hour."""

    def __init__(self, seed: int, *, calm: bool = False, at_once: bool = False) -> None:
        self.hours = 240
        draw = random.Random(seed)
        crash, spike = draw.randrange(24, 200), draw.randrange(24, 200)
        spike = crash if at_once else spike
        lasts, busy = draw.randrange(1, 100), draw.randrange(24, 240)
        self.peg: list[int] = []
        self.rate: list[int] = []
        for hour in range(self.hours + 1):
            low, high = crash <= hour < crash + lasts and not calm, spike <= hour < spike + busy and not calm
            self.peg.append(8_500 + draw.randrange(0, 20) if low else 10_000 + draw.randrange(-15, 6))
            self.rate.append((200 if high else draw.randrange(2, 6)) * PERCENT)

    def accrued(self, hour: int) -> Rate:
        """How much the redemption rate has grown: in whole epochs."""
        grown = hour * HOUR // EPOCH * EPOCH
        return Rate(SCALE + SCALE * 8 * PERCENT // 10**9 * grown // 31_536_000, SCALE)


def scaled(rate: Rate, by: Rate) -> Rate:
    return Rate(rate.numerator * by.numerator, rate.denominator * by.denominator)


def tick(seen: View, path: Path, hour: int) -> View:
    """The view an hour later: everything that time and the market do to it."""
    seen = later(seen, HOUR)
    assert seen.margin is not None
    assert seen.glowsol is not None
    growth, peg = path.accrued(hour), Rate(path.peg[hour], 10_000)
    glow, ssol = scaled(GLOW_RATE, growth), scaled(SSOL_RATE, growth)

    def aged(margin: MarginAccount) -> MarginAccount:
        places = tuple(
            replace(one, price=scaled(ssol if one.mint == SSOL else glow, min(peg, Rate(1, 1))))
            for one in margin.collateral
        )
        loan = margin.loans[0]
        owed = loan.amount.units + -(-loan.amount.units * path.rate[hour - 1] * HOUR // (10**9 * 31_536_000))
        return replace(margin, collateral=places, loans=(replace(loan, amount=TokenAmount(loan.mint, owed)),))

    past = seen.past
    epoch = 900 + hour * HOUR // EPOCH
    rates = past.rates
    if epoch != rates[-1].epoch.value:
        rates = (*rates, EpochRates(Epoch(epoch), seen.block_time, ssol, glow))[-20:]
    samples = (*past.borrows, BorrowSample(seen.block_time, POOL, path.rate[hour]))[-800:]
    books = replace(
        seen.glowsol,
        total_assets=Lamports(glow.numerator * 50_000),
        outstanding=TokenAmount(GLOWSOL, glow.denominator * 50_000),
    )
    return replace(
        seen,
        margin=aged(seen.margin),
        glowsol=books,
        pools=(replace(seen.pools[0], rate=ssol, instant_rate=scaled(ssol, Rate(9_992, 10_000))),),
        quotes=quotes(glow, path.peg[hour]),
        lending=(lending(borrow=path.rate[hour]),),
        past=replace(past, rates=rates, borrows=samples),
    )


def quotes(glow: Rate, peg: int) -> tuple[Ladder, ...]:
    """Both directions at ``peg`` bps of the redemption rate, with a spread and 20 bps of depth for each 100 SOL."""
    inverse = Rate(glow.denominator, glow.numerator)
    return (
        ladder(GLOWSOL, SOL, glow, price_bps=peg - 5, depth=20),
        ladder(SOL, GLOWSOL, inverse, price_bps=100_000_000 // (peg + 5), depth=20),
    )


def lived(path: Path, params: Params) -> tuple[View, list[str], Bps]:
    """(the last view, what was done, the lowest health) of a loop with 100 SOL on ``path``."""
    seen, done, lowest = loop_view(lamports=100 * SOL_UNIT + SOL_UNIT // 2), [], Bps(10_000)
    for hour in range(1, path.hours + 1):
        seen = tick(seen, path, hour)
        assert seen.margin is not None
        lowest = min(lowest, seen.margin.health)
        for _ in range(20):
            decision = LOOP.decide(seen, params)
            if isinstance(decision, Hold):
                break
            done.append(decision.reason + ("!" if decision.protects else ""))
            filled = fill(seen, decision)
            seen = filled.view
            assert filled.lowest > Bps(0), (hour, decision)
        else:
            raise AssertionError(f"restless at hour {hour}: {done[-20:]}")
    return seen, done, lowest


def test_a_calm_market_is_left_alone_and_earns_the_levered_yield() -> None:
    seen, done, lowest = lived(Path(1, calm=True), Params())
    assert seen.margin is not None
    assert len(done) <= 5
    assert lowest > Bps(2_900)
    whole = seen.margin.equity + seen.wallet.lamports
    unlevered = 100 * SOL_UNIT * 8 * 10 // 36_500  # ten days at 8 %
    assert whole.value - 100 * SOL_UNIT - SOL_UNIT // 2 > unlevered * 13 // 10


@pytest.mark.parametrize(("seed", "at_once"), [(0, False), (1, True), (2, False), (3, True)])
def test_no_path_brings_health_to_the_floor(seed: int, at_once: bool) -> None:
    """A fall of 15 % within the hour, and borrow rates at the curve's top: at once, or one after the other."""
    params = Params()
    seen, done, lowest = lived(Path(seed, at_once=at_once), params)
    assert seen.margin is not None
    assert lowest >= params.health_floor, f"seed {seed}"
    assert len(done) < 40, f"seed {seed}: {done}"
    assert seen.margin.equity > Lamports(90 * SOL_UNIT), f"seed {seed}"
