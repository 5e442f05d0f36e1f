"""What a pool charges, what our own loan does to that, and how much it still lends and takes.

Curve, guards and roundings: shared facts, protocol.md 4.3. ``utilisation`` and ``borrow_rate`` are raw Numbers (x 10^15), to the
last unit as the program has them; ``rate_line`` and ``rate_after`` are billionths per year, rounded up.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from keeper.protocols.glow_margin_pool import number192 as number
from keeper.protocols.glow_margin_pool.accounts import MarginPoolState, PoolConfig
from keeper.protocols.glow_margin_pool.errors import PoolPanic
from keeper.units import BPS

MAX_UTILISATION_AFTER_BORROW = 9_500
"""Basis points, after cutting the utilisation down to whole ones."""
RATE_SCALE = 10**9
_RAW_PER_BILLIONTH = number.ONE // RATE_SCALE


def total_value(state: MarginPoolState) -> int:
    """Raw: what is lent and what is idle. A loan moves it from one to the other and leaves the sum as it is."""
    return number.add(state.borrowed, number.whole(state.deposit_tokens))


def utilisation(state: MarginPoolState) -> int:
    """Raw share of the pool that is lent, cut down. Raises ``PoolPanic`` for a pool that holds nothing."""
    return number.divide(state.borrowed, total_value(state))


def borrow_rate(config: PoolConfig, utilisation: int, *, deposit_notes: int = 1) -> int:
    """Raw rate per year (compounded continuously) at a raw ``utilisation``, as the program computes it.

    Without deposit notes the pool is empty and charges the lowest rate. Raises ``PoolPanic`` where the program would: a curve
    that falls, or a first piece without width.
    """
    if deposit_notes == 0:
        return number.from_bps(config.borrow_rate_0)
    first, second = number.from_bps(config.utilization_rate_1), number.from_bps(config.utilization_rate_2)
    if utilisation <= first:
        return _between(utilisation, 0, first, config.borrow_rate_0, config.borrow_rate_1)
    if utilisation <= second:
        return _between(utilisation, first, second, config.borrow_rate_1, config.borrow_rate_2)
    if utilisation < number.ONE:
        return _between(utilisation, second, number.ONE, config.borrow_rate_2, config.borrow_rate_3)
    return number.from_bps(config.borrow_rate_3)


def _between(used: int, low: int, high: int, at_low: int, at_high: int) -> int:
    rise = number.subtract(number.from_bps(at_high), number.from_bps(at_low))
    return number.add(
        number.from_bps(at_low),
        number.divide(number.multiply(number.subtract(used, low), rise), number.subtract(high, low)),
    )


def current_rate(state: MarginPoolState) -> int:
    """Raw rate per year at which the pool accrues now. Raises ``PoolPanic``."""
    if state.deposit_notes == 0:
        return number.from_bps(state.config.borrow_rate_0)
    return borrow_rate(state.config, utilisation(state), deposit_notes=state.deposit_notes)


def utilisation_after(state: MarginPoolState, change: int) -> int:
    """Raw utilisation once ``change`` base units more (or, negative, less) are borrowed; what is not borrowed at all cannot be
    repaid, and what is not idle cannot be lent. Raises ``PoolPanic`` for a pool that holds nothing."""
    change = min(change, state.deposit_tokens)
    return number.divide(max(0, state.borrowed + change * number.ONE), total_value(state))


def rate_after(state: MarginPoolState, change: int) -> int:
    """Billionths per year, rounded up, that the program charges after ``change``. Raises ``PoolPanic``."""
    if state.deposit_notes == 0:
        return _billionths(number.from_bps(state.config.borrow_rate_0))
    return _billionths(borrow_rate(state.config, utilisation_after(state, change), deposit_notes=state.deposit_notes))


def rate_line(state: MarginPoolState) -> tuple[tuple[int, int], ...]:
    """Points (change in base units, billionths per year) for ``keeper.lending.LendingMarket.rate_line``.

    From repaying everything to lending everything idle, which is beyond ``borrow_room``. The pool's total does not change with a
    loan, so the rate is linear in the change but for the corners of the curve. A corner seldom falls on a whole unit: the two
    units around it are both points, so that no unit lies between the corner and a point. Each point is the curve's real value
    rounded up, so between points (``LendingMarket`` rounds up as well) the line is never below what the program charges, and
    above it by at most two billionths. Exact means that; it does not mean the program's 15 decimals.

    Raises ``PoolPanic`` for a curve on which the program itself panics somewhere.
    """
    corners = _corners(state.config)
    total = state.borrowed + state.deposit_tokens * number.ONE
    if state.deposit_notes == 0 or total == 0:
        return ((0, _billionths(number.from_bps(state.config.borrow_rate_0))),)
    low, high = -state.borrowed // number.ONE, state.deposit_tokens
    changes = {low, 0, high}
    for used, _ in corners:
        unit = (used * total // BPS - state.borrowed) // number.ONE
        changes |= {unit, unit + 1}
    return tuple(
        (change, _curve(corners, Fraction(state.borrowed + change * number.ONE, total)))
        for change in sorted(changes)
        if low <= change <= high
    )


def _corners(config: PoolConfig) -> tuple[tuple[int, int], ...]:
    """(utilisation, rate) in basis points. Raises ``PoolPanic`` unless both rise."""
    corners = (
        (0, config.borrow_rate_0),
        (config.utilization_rate_1, config.borrow_rate_1),
        (config.utilization_rate_2, config.borrow_rate_2),
        (BPS, config.borrow_rate_3),
    )
    used, rates = [corner[0] for corner in corners], [corner[1] for corner in corners]
    if used[1] == 0 or used != sorted(used) or rates != sorted(rates):
        raise PoolPanic(
            "curve", f"the rate curve {corners} (utilisation, rate in bps) does not rise from piece to piece"
        )
    return corners


def _curve(corners: tuple[tuple[int, int], ...], used: Fraction) -> int:
    """Billionths at the exact utilisation ``used``, rounded up."""
    share = max(Fraction(0), min(Fraction(1), used)) * BPS
    (left, at_left), (right, at_right) = next((low, high) for low, high in pairwise(corners) if share <= high[0])
    rate = at_left + (share - left) * (at_right - at_left) / (right - left)
    scaled = rate * (RATE_SCALE // BPS)
    return -(-scaled.numerator // scaled.denominator)


def _billionths(raw: int) -> int:
    return -(-raw // _RAW_PER_BILLIONTH)


def borrow_room(state: MarginPoolState) -> int:
    """Base units: the largest loan that every guard of the program lets through in this state.

    After it the utilisation cut to basis points is at most 9 500, the whole debt at most the pool's limit, and no more is lent
    than is idle. Zero for a pool that is disabled or does not lend. The state must be accrued to now, and interest until the
    loan lands takes a little of the room.
    """
    if not state.config.lends:
        return 0
    total = total_value(state)
    most_borrowed = ((MAX_UTILISATION_AFTER_BORROW + 1) * total - 1) // BPS
    to_cap = (most_borrowed - state.borrowed) // number.ONE
    to_limit = (number.whole(state.config.borrow_limit) - state.borrowed) // number.ONE
    return max(0, min(to_cap, to_limit, state.deposit_tokens))


def deposit_room(state: MarginPoolState) -> int:
    """Base units that may still be deposited: the limit bounds the idle tokens, not everything deposited. Zero when disabled."""
    return 0 if state.config.disabled else max(0, state.config.deposit_limit - state.deposit_tokens)


def withdraw_room(state: MarginPoolState) -> int:
    """Base units that may be withdrawn: what is idle. Zero when disabled."""
    return 0 if state.config.disabled else state.deposit_tokens
