"""When compounding acts: the interval follows from amount, yield and cost, and is the one of least cost."""

from __future__ import annotations

from dataclasses import replace
from math import isqrt

from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.plan import Hold, Plan
from keeper.units import Bps, ComputeUnits, Lamports, MicroLamports
from keeper.view import View
from strategies.compound import COMPOUND, Params
from tests.strategies.idle_views import YEAR, idle
from tests.strategies.market_views import SOL_UNIT

PARAMS = Params()


def accrued(income: int, waited: int, *, yearly_bps: int = 700, price: int = 1_000) -> View:
    """``income`` lamports per hour have come in for ``waited`` seconds; compute units cost ``price`` micro-lamports."""
    seen = idle(sol=income * waited // 3_600, yearly_bps=yearly_bps, waited=waited)
    return replace(seen, fees=replace(seen.fees, unit_price=MicroLamports(price)))


def interval(income: int, params: Params = PARAMS, *, yearly_bps: int = 700, price: int = 1_000) -> int:
    """Seconds of waiting after which it acts, by bisection: it acts at once whenever it would have acted before."""

    def acts(waited: int) -> bool:
        return isinstance(COMPOUND.decide(accrued(income, waited, yearly_bps=yearly_bps, price=price), params), Plan)

    low, high = 0, YEAR
    assert acts(high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if acts(middle) else (middle, high)
    return high


def fee(price: int) -> int:
    return idle().fees.signature.value + ComputeUnits(PARAMS.compute_limit).priority_fee(MicroLamports(price)).value


INCOMES = st.integers(SOL_UNIT // 1_000, SOL_UNIT)
PRICES = st.integers(1_000, 1_000_000)
YIELDS = st.integers(200, 2_000)


@settings(max_examples=60, deadline=None)
@given(INCOMES, YIELDS, PRICES)
def test_the_interval_is_the_square_root_of_cost_over_yield(income: int, yearly_bps: int, price: int) -> None:
    """t = sqrt(2 c / (f y)), the closed form of the document, within a second and what the fee itself takes of the amount."""
    found = interval(income, yearly_bps=yearly_bps, price=price)
    square = 2 * fee(price) * 3_600 * 10_000 * YEAR // (income * yearly_bps)
    late = (
        fee(price) * 3_600 // income + 1
    )  # the fee is not put to work, so it is as if the income came that much later
    assert isqrt(square) * 999 // 1_000 - 1 <= found <= isqrt(square) * 1_001 // 1_000 + late + 2


@settings(max_examples=30, deadline=None)
@given(INCOMES, st.integers(200, 500), st.integers(1_000, 100_000))
def test_four_times_the_cost_waits_twice_as_long_and_four_times_the_yield_half_as_long(
    income: int, yearly_bps: int, price: int
) -> None:
    once = interval(income, yearly_bps=yearly_bps, price=price)
    dear = interval(income, Params(factor=Bps(40_000)), yearly_bps=yearly_bps, price=price)
    rich = interval(income, yearly_bps=yearly_bps * 4, price=price)
    slack = fee(price) * 3_600 // income + 3 + once // 200
    assert abs(dear - 2 * once) <= 2 * slack
    assert abs(2 * rich - once) <= 2 * slack


@settings(max_examples=60, deadline=None)
@given(INCOMES, YIELDS, PRICES, st.integers(300, 3_000))
def test_no_other_interval_costs_less(income: int, yearly_bps: int, price: int, share: int) -> None:
    """Cost per time c/t + f y t/2, computed here anew, at the chosen interval against another one (0.3 to 3 times it)."""

    def cost(waited: int) -> int:  # scaled by 2 x 3600 x 10 000 x YEAR x 10^9
        return 10**9 * (2 * fee(price) * 3_600 * 10_000 * YEAR // waited + income * yearly_bps * waited)

    chosen = interval(income, yearly_bps=yearly_bps, price=price)
    assert cost(chosen) <= cost(max(chosen * share // 1_000, 1)) * 1_002 // 1_000


def test_a_lump_is_put_to_work_as_soon_as_waiting_has_cost_its_fee() -> None:
    """100 SOL at 7 %: the fee of 5,400 lamports is forgone within minutes, 0.01 SOL waits for days."""
    large, small = (COMPOUND.decide(idle(sol=sol, waited=60), PARAMS) for sol in (100 * SOL_UNIT, SOL_UNIT // 100))
    assert isinstance(large, Plan)
    assert isinstance(small, Hold)
    assert small.reason == "gain_below_cost"
    due = int(small.numbers["due_after"])
    assert 4 * 86_400 < due < 7 * 86_400
    again = COMPOUND.decide(idle(sol=SOL_UNIT // 100, waited=due), PARAMS)
    assert isinstance(again, Plan)
    before = COMPOUND.decide(idle(sol=SOL_UNIT // 100, waited=due - 1), PARAMS)
    assert isinstance(before, Hold)


def test_before_its_first_turn_the_money_counts_as_old_as_the_horizon() -> None:
    assert isinstance(COMPOUND.decide(idle(sol=SOL_UNIT // 100), PARAMS), Plan)
    dust = COMPOUND.decide(idle(sol=SOL_UNIT // 10_000), PARAMS)
    assert isinstance(dust, Hold)
    assert dust.numbers["waited"] == PARAMS.horizon.value


def test_dust_is_never_worth_it_however_long_it_waits() -> None:
    hold = COMPOUND.decide(idle(sol=SOL_UNIT // 10_000, waited=20 * YEAR), PARAMS)
    assert isinstance(hold, Hold)
    assert hold.reason == "gain_below_cost"


def test_what_the_bounds_allow_to_be_lost_is_earned_back_within_the_horizon() -> None:
    """At 0.5 % a year a month earns 4 bps: less than minting may lose at a tolerance of 5 bps."""
    seen = idle(sol=50 * SOL_UNIT, yearly_bps=50)
    hold = COMPOUND.decide(seen, replace(PARAMS, rate_tolerance=Bps(5), max_premium=Bps(0)))
    assert isinstance(hold, Hold)
    assert hold.reason == "gain_below_cost"
    assert isinstance(COMPOUND.decide(seen, replace(PARAMS, rate_tolerance=Bps(2))), Plan)


def test_a_clock_that_runs_backwards_is_no_wait() -> None:
    assert isinstance(COMPOUND.decide(idle(waited=-60), PARAMS), Hold)


def test_a_larger_factor_waits_longer() -> None:
    assert interval(SOL_UNIT // 100, Params(factor=Bps(20_000))) > interval(SOL_UNIT // 100)
    assert (
        Lamports(0)
        < Lamports(interval(SOL_UNIT // 100, Params(factor=Bps(5_000))))
        < Lamports(interval(SOL_UNIT // 100))
    )
