"""Interest in memory: never backwards, hardly dependent on how time is cut, seven days at a time, fees as notes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.protocols.glow_margin_pool import (
    InterestAccrualBehind,
    MarginPoolState,
    PoolPanic,
    accrue,
    accrue_fully,
    catch_up,
    collect_fees,
    collects_needed,
    current_rate,
    deposit_note_rate,
    growth,
    loan_note_rate,
)
from keeper.units import UnixTime
from tests.protocols.pool_bytes import DOCS, NOW, ONE, a_pool, pools

WEEK = 7 * 86_400
POOL = a_pool(borrowed=900 * 10**9 * ONE, idle=100 * 10**9, deposit_notes=10**12, loan_notes=900 * 10**9)


def after(seconds: int) -> UnixTime:
    return UnixTime(NOW + seconds)


@given(pools(), st.integers(0, WEEK), st.integers(0, WEEK))
def test_interest_never_runs_backwards(pool: MarginPoolState, one: int, other: int) -> None:
    early, late = accrue(pool, after(min(one, other))), accrue(pool, after(max(one, other)))
    assert pool.borrowed <= early.borrowed <= late.borrowed
    assert pool.uncollected_fees <= early.uncollected_fees <= late.uncollected_fees
    assert loan_note_rate(early) <= loan_note_rate(late)
    assert deposit_note_rate(early) <= deposit_note_rate(late) + 1
    assert late.accrued_until == after(max(one, other))
    assert replace(late, borrowed=0, uncollected_fees=0, accrued_until=pool.accrued_until) == replace(
        pool, borrowed=0, uncollected_fees=0
    )


@given(pools(), st.integers(1, WEEK), st.integers(0, 100))
def test_cutting_time_changes_only_what_a_rising_rate_explains(
    pool: MarginPoolState, seconds: int, percent: int
) -> None:
    whole = accrue(pool, after(seconds))
    parts = accrue(accrue(pool, after(seconds * percent // 100)), after(seconds))
    cut = 40 * (pool.borrowed // ONE + 1)  # each growth is cut by less than 20 units of 10^-15
    assert whole.borrowed <= parts.borrowed + cut
    steepest = max(current_rate(pool), current_rate(parts))
    most = pool.borrowed + pool.borrowed * growth(steepest, seconds) // ONE
    assert parts.borrowed <= most + cut


@given(pools(), st.integers(1, 40 * 86_400))
def test_catching_up_is_repeated_collect(pool: MarginPoolState, seconds: int) -> None:
    now, step, calls = after(seconds), pool, 0
    while step.accrued_until != now:
        step = accrue(step, min(now, step.accrued_until + WEEK))
        calls += 1
    assert calls == collects_needed(pool, now)
    assert accrue_fully(pool, now) == step
    assert catch_up(pool, now) == collect_fees(step)[0]


@given(pools())
def test_fees_become_notes_and_the_rest_stays(pool: MarginPoolState) -> None:
    collected, notes = collect_fees(pool)
    rate = deposit_note_rate(pool)
    assert collected.deposit_notes == pool.deposit_notes + notes
    assert notes * rate <= pool.uncollected_fees < (notes + 1) * rate + ONE
    assert collected.uncollected_fees == pool.uncollected_fees - notes * rate
    assert collected.borrowed == pool.borrowed


def test_more_than_seven_days_are_refused_by_name() -> None:
    assert accrue(POOL, after(WEEK)).accrued_until == after(WEEK)
    with pytest.raises(InterestAccrualBehind, match="3 calls of collect") as caught:
        accrue(POOL, after(2 * WEEK + 1))
    assert (caught.value.code, caught.value.behind, caught.value.collects) == (135_101, 2 * WEEK + 1, 3)


def test_a_clock_before_the_pools_own_changes_nothing() -> None:
    assert accrue(POOL, UnixTime(NOW - 5)) is POOL
    assert collects_needed(POOL, UnixTime(NOW - 5)) == 0
    assert collects_needed(POOL, after(1)) == 1


def test_a_rate_above_two_hundred_percent_is_refused() -> None:
    steep = replace(POOL, config=replace(DOCS, borrow_rate_3=20_001), deposit_tokens=0)
    with pytest.raises(PoolPanic, match="rate_too_high"):
        accrue(steep, after(1))
    assert accrue(replace(POOL, deposit_tokens=0), after(1)).borrowed > POOL.borrowed


@pytest.mark.parametrize("seconds", [-1, WEEK + 1])
def test_growth_of_no_possible_interval(seconds: int) -> None:
    with pytest.raises(PoolPanic, match="interval"):
        growth(ONE, seconds)


def test_a_pool_without_deposits_accrues_at_the_lowest_rate() -> None:
    lonely = replace(POOL, deposit_notes=0, deposit_tokens=0)
    assert accrue(lonely, after(WEEK)).borrowed == lonely.borrowed + lonely.borrowed * growth(ONE // 100, WEEK) // ONE
    nothing = a_pool()
    assert accrue(nothing, after(WEEK)).borrowed == 0


def test_a_pool_with_notes_and_nothing_behind_them_stops_the_program() -> None:
    with pytest.raises(PoolPanic, match="divided by zero"):
        accrue(a_pool(deposit_notes=1), after(1))


def test_a_number_that_does_not_fit_is_a_panic_of_the_program() -> None:
    with pytest.raises(PoolPanic, match="overflow"):
        accrue(replace(POOL, borrowed=2**192 - 1), after(WEEK))
