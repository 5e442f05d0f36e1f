"""The curves pay nothing out of nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.sim.localnet.programs.curves import (
    UNSCALED,
    CurveError,
    Rate,
    balance_for,
    constant_product,
    invariant,
    stable_swap,
)

RESERVES = st.integers(10**6, 10**16)
AMOUNTS = st.integers(1, 10**15)
FEES = st.integers(0, 300)
AMPLIFICATIONS = st.integers(1, 1_000)
RATES = st.builds(Rate, st.integers(10**11, 10**13), st.just(10**12))


@given(RESERVES, RESERVES, AMOUNTS, FEES)
def test_constant_product_never_lowers_k(x: int, y: int, amount: int, fee: int) -> None:
    paid = constant_product(x, y, amount, fee)
    assert 0 <= paid.amount_out < y
    assert (x + amount) * (y - paid.amount_out) >= x * y


@given(RESERVES, RESERVES, AMOUNTS, FEES)
def test_constant_product_round_trip_earns_nothing(x: int, y: int, amount: int, fee: int) -> None:
    there = constant_product(x, y, amount, fee)
    if there.amount_out:
        back = constant_product(y - there.amount_out, x + amount, there.amount_out, fee)
        assert back.amount_out <= amount


@st.composite
def stable_pools(draw: st.DrawFn) -> tuple[int, int, int, Rate]:
    """Reserves up to a thousand times out of balance, as amounts of A and B, with A's value in B."""
    rate = draw(RATES)
    y = draw(st.integers(10**9, 10**16))
    x_value = y * draw(st.integers(1, 1_000)) // draw(st.integers(1, 1_000))
    return rate.unscale(max(x_value, 10**6)) + 1, y, draw(AMPLIFICATIONS), rate


@given(stable_pools(), st.integers(1, 10**6), FEES, st.booleans())
def test_stable_swap_never_lowers_d(pool: tuple[int, int, int, Rate], share: int, fee: int, a_to_b: bool) -> None:
    a, b, amplification, rate = pool
    rates = (rate, UNSCALED) if a_to_b else (UNSCALED, rate)
    x, y = (a, b) if a_to_b else (b, a)
    amount = max(1, x * share // 10**6)
    paid = stable_swap(x, y, amount, fee, amplification=amplification, rate_in=rates[0], rate_out=rates[1])
    assert 0 <= paid.amount_out < y
    before = invariant(rates[0].scale(x), rates[1].scale(y), amplification)
    after = invariant(rates[0].scale(x + amount), rates[1].scale(y - paid.amount_out), amplification)
    # Newton's D is exact to one unit each time.
    assert after >= before - 2


@given(stable_pools(), st.integers(1, 10**6), FEES)
def test_stable_swap_round_trip_earns_nothing(pool: tuple[int, int, int, Rate], share: int, fee: int) -> None:
    a, b, amplification, rate = pool
    amount = max(1, a * share // 10**6)
    there = stable_swap(a, b, amount, fee, amplification=amplification, rate_in=rate, rate_out=UNSCALED)
    if there.amount_out:
        back = stable_swap(
            b - there.amount_out,
            a + amount,
            there.amount_out,
            fee,
            amplification=amplification,
            rate_in=UNSCALED,
            rate_out=rate,
        )
        assert back.amount_out <= amount


@given(st.integers(10**6, 10**16), AMPLIFICATIONS)
def test_a_balanced_pool_has_d_of_its_sum(x: int, amplification: int) -> None:
    d = invariant(x, x, amplification)
    assert abs(d - 2 * x) <= 1
    assert abs(balance_for(x, d, amplification) - x) <= 1


def test_stable_swap_of_a_balanced_pool_pays_nearly_the_rate() -> None:
    rate = Rate(105, 100)
    paid = stable_swap(1_000 * 10**9, 1_050 * 10**9, 10**9, 0, amplification=100, rate_in=rate, rate_out=UNSCALED)
    assert 1_049_900_000 < paid.amount_out < 1_050_000_000


def test_the_fee_is_rounded_up_and_taken_from_the_output() -> None:
    free = stable_swap(10**12, 10**12, 10**6, 0, amplification=100, rate_in=UNSCALED, rate_out=UNSCALED)
    paid = stable_swap(10**12, 10**12, 10**6, 8, amplification=100, rate_in=UNSCALED, rate_out=UNSCALED)
    assert paid.fee == -(-free.amount_out * 8 // 10_000)
    assert paid.amount_out == free.amount_out - paid.fee


@pytest.mark.parametrize(("x", "y", "amount"), [(0, 5, 1), (5, 0, 1), (5, 5, 0)])
def test_nothing_to_swap_is_an_error(x: int, y: int, amount: int) -> None:
    with pytest.raises(CurveError):
        constant_product(x, y, amount, 10)
    with pytest.raises(CurveError):
        stable_swap(x, y, amount, 10, amplification=10, rate_in=UNSCALED, rate_out=UNSCALED)
