"""Rates after a loan of ours, the line that strategies see, and how much the pool still lends."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from keeper.lending import LendingMarket
from keeper.protocols.glow_margin_pool import (
    FullAmount,
    MarginPoolState,
    PoolFlags,
    PoolPanic,
    PoolRefused,
    borrow_rate,
    borrow_room,
    deposit_room,
    effects,
    exchange,
    rate_after,
    rate_line,
    utilisation,
    utilisation_after,
    withdraw_room,
)
from keeper.units import SOL, Bps, TokenAmount
from tests.protocols.pool_bytes import DOCS, ONE, a_pool, pools

THOUSAND = a_pool(borrowed=500 * 10**9 * ONE, idle=500 * 10**9, deposit_notes=10**12, loan_notes=500 * 10**9)


def market(pool: MarginPoolState) -> LendingMarket:
    return LendingMarket(
        address=str(pool.address),
        mint=SOL,
        borrowed=TokenAmount(SOL, -(-pool.borrowed // ONE)),
        idle=TokenAmount(SOL, pool.deposit_tokens),
        rate_line=rate_line(pool),
        lenders_share=Bps(8_000),
        borrow_room=TokenAmount(SOL, borrow_room(pool)),
        deposit_room=TokenAmount(SOL, deposit_room(pool)),
    )


@given(pools(), st.data())
def test_the_line_is_the_programs_rate_rounded_up(pool: MarginPoolState, draw: st.DataObject) -> None:
    assume(pool.borrowed or pool.deposit_tokens)
    low, high = -pool.borrowed // ONE, pool.deposit_tokens
    near = sorted({change + step for change, _ in rate_line(pool) for step in (-1, 0, 1)})
    change = draw.draw(st.integers(low, high) | st.sampled_from(near))
    exact, line = rate_after(pool, change), market(pool).borrow_rate(change)
    assert exact <= line <= exact + 2


@given(pools())
def test_the_line_reaches_from_all_repaid_to_all_lent(pool: MarginPoolState) -> None:
    line = rate_line(pool)
    if pool.borrowed or pool.deposit_tokens:
        assert line[0][0] == -pool.borrowed // ONE
        assert line[-1][0] == pool.deposit_tokens >= borrow_room(pool)
    assert [change for change, _ in line] == sorted({change for change, _ in line})
    assert [rate for _, rate in line] == sorted(rate for _, rate in line)


@given(pools(), st.integers(1, 10**17))
def test_our_loan_moves_utilisation_as_the_program_books_it(pool: MarginPoolState, tokens: int) -> None:
    tokens = min(tokens, pool.deposit_tokens)
    assume(tokens)
    booked = replace(pool, borrowed=pool.borrowed + tokens * ONE, deposit_tokens=pool.deposit_tokens - tokens)
    assert utilisation_after(pool, tokens) == utilisation(booked)
    assert rate_after(pool, tokens) == rate_after(booked, 0)


def test_the_corners_of_the_documented_curve_on_a_thousand_sol() -> None:
    """500 of 1 000 SOL lent: 85 % is 350 SOL away, 95 % 450 SOL, everything 500 SOL."""
    assert rate_line(THOUSAND) == (
        (-500 * 10**9, 10_000_000),
        (-500 * 10**9 + 1, 10_000_001),
        (0, 92_352_942),
        (350 * 10**9, 150_000_000),
        (350 * 10**9 + 1, 150_000_001),
        (450 * 10**9, 1_500_000_000),
        (450 * 10**9 + 1, 1_500_000_001),
        (500 * 10**9, 2_000_000_000),
    )


def test_a_corner_between_two_units_has_a_point_on_either_side() -> None:
    pool = a_pool(borrowed=ONE, idle=2, deposit_notes=3, loan_notes=1, config=replace(DOCS, utilization_rate_1=5_000))
    changes = [change for change, _ in rate_line(pool)]
    assert changes == [-1, 0, 1, 2]  # the corner lies at half a unit
    assert market(pool).borrow_rate(1) >= rate_after(pool, 1)


def test_empty_pools_have_a_line_of_one_point() -> None:
    assert rate_line(a_pool()) == ((0, 10_000_000),)
    assert rate_line(replace(THOUSAND, deposit_notes=0)) == ((0, 10_000_000),)


@pytest.mark.parametrize(
    "changes",
    [
        {"borrow_rate_1": 50},
        {"borrow_rate_3": 14_999},
        {"utilization_rate_1": 0},
        {"utilization_rate_2": 8_000},
        {"utilization_rate_2": 10_001},
    ],
)
def test_a_curve_that_does_not_rise_is_named(changes: dict[str, int]) -> None:
    crooked = replace(THOUSAND, config=replace(DOCS, **changes))  # type: ignore[arg-type]  # every field named is an int
    with pytest.raises(PoolPanic, match="does not rise"):
        rate_line(crooked)


def test_the_program_panics_on_a_falling_piece() -> None:
    with pytest.raises(PoolPanic, match="below zero"):
        borrow_rate(replace(DOCS, borrow_rate_1=50), ONE // 2)
    with pytest.raises(PoolPanic, match="divided by zero"):
        utilisation(a_pool())


def _lends(pool: MarginPoolState, tokens: int) -> bool:
    try:
        effects.borrowed(pool, FullAmount(tokens, tokens))
    except PoolRefused:
        return False
    return True


@given(pools())
def test_the_room_is_the_largest_loan_that_passes(pool: MarginPoolState) -> None:
    room = borrow_room(pool)
    assert 0 <= room <= pool.deposit_tokens
    if room:
        assert _lends(pool, room)
        exchange.borrow(pool, room)
    if pool.borrowed or pool.deposit_tokens:
        assert not _lends(pool, room + 1)


def test_the_room_of_a_thousand_sol() -> None:
    """Up to a utilisation of 95.01 %, less one unit: the program cuts it down to whole basis points."""
    assert borrow_room(THOUSAND) == 450_100_000_000 - 1
    limited = replace(THOUSAND, config=replace(DOCS, borrow_limit=600 * 10**9))
    assert borrow_room(limited) == 100 * 10**9
    dust = replace(limited, borrowed=limited.borrowed + 1)
    assert borrow_room(dust) == 100 * 10**9 - 1
    assert borrow_room(replace(THOUSAND, config=replace(DOCS, borrow_limit=1))) == 0


@pytest.mark.parametrize("flags", [PoolFlags(0), PoolFlags.DISABLED, PoolFlags.DISABLED | PoolFlags.ALLOW_LENDING])
def test_a_pool_that_does_not_lend_has_no_room(flags: PoolFlags) -> None:
    pool = replace(THOUSAND, config=replace(DOCS, flags=flags))
    assert borrow_room(pool) == 0
    assert not _lends(pool, 1)
    open_to_lenders = PoolFlags.DISABLED not in flags
    assert (deposit_room(pool) > 0, withdraw_room(pool) > 0) == (open_to_lenders, open_to_lenders)


def test_room_for_lenders_is_counted_in_idle_tokens() -> None:
    pool = replace(THOUSAND, config=replace(DOCS, deposit_limit=600 * 10**9))
    assert deposit_room(pool) == 100 * 10**9
    assert withdraw_room(pool) == 500 * 10**9
    assert deposit_room(replace(pool, deposit_tokens=700 * 10**9)) == 0
    with pytest.raises(PoolRefused, match="DepositLimitReached"):
        effects.deposited(pool, FullAmount(100 * 10**9 + 1, 1))
    assert effects.deposited(pool, FullAmount(100 * 10**9, 1)).deposit_tokens == 600 * 10**9
