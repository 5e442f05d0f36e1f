"""Interest to the last unit as the program accrues it, in memory (shared facts, protocol.md 4.3).

The rate is frozen for the interval and compounds continuously: e^x - 1 by a Taylor series, each power and term cut down. One
call accrues seven days at most; ``collect`` alone may be called while the pool is further behind.
"""

from __future__ import annotations

from dataclasses import replace

from keeper.protocols.glow_margin_pool import number192 as number
from keeper.protocols.glow_margin_pool.accounts import MarginPoolState
from keeper.protocols.glow_margin_pool.errors import InterestAccrualBehind, PoolPanic
from keeper.protocols.glow_margin_pool.exchange import deposit_note_rate
from keeper.protocols.glow_margin_pool.rates import current_rate
from keeper.units import UnixTime

YEAR = 31_536_000
"""Seconds of the program's year: 365 days."""
HOUR = 3_600
MAX_ACCRUAL = 7 * 24 * HOUR
MAX_RATE = 2 * number.ONE
_TERMS = ((2 * HOUR, 5), (12 * HOUR, 6), (24 * HOUR, 7), (MAX_ACCRUAL, 10))


def growth(rate: int, seconds: int) -> int:
    """Raw e^(rate x seconds / year) - 1 for a raw yearly ``rate``, by 5 to 10 terms according to the interval.

    Raises ``PoolPanic`` for a rate above 200 % or an interval beyond seven days.
    """
    if rate > MAX_RATE:
        raise PoolPanic(
            "rate_too_high", f"a rate of {rate} x 10^-15 a year is above the 200 % that the program compounds"
        )
    terms = next((terms for limit, terms in _TERMS if seconds <= limit), None)
    if terms is None or seconds < 0:
        raise PoolPanic("interval", f"the program accrues 0 to {MAX_ACCRUAL} s at a time, not {seconds}")
    return number.expm1(number.checked(rate * seconds) // YEAR, terms)


def annual_yield(rate: int) -> int:
    """Raw e^rate - 1 of a raw yearly ``rate``: what a borrower pays in a year at a rate that stays (APY), for people to read."""
    return number.expm1(rate, 40)


def behind(state: MarginPoolState, now: UnixTime) -> int:
    """Seconds of interest that are missing; none where the clock we read lies before the pool's own."""
    return max(0, now.since(state.accrued_until))


def collects_needed(state: MarginPoolState, now: UnixTime) -> int:
    """How many calls of ``collect`` bring the pool to ``now``."""
    return -(-behind(state, now) // MAX_ACCRUAL)


def accrue(state: MarginPoolState, now: UnixTime) -> MarginPoolState:
    """The pool as any instruction but ``collect`` finds it at ``now``.

    A clock before ``accrued_until`` (accounts of a later slot) changes nothing; the program would panic. Raises
    ``InterestAccrualBehind`` beyond seven days, ``PoolPanic`` where the program's arithmetic fails.
    """
    missing = behind(state, now)
    if missing > MAX_ACCRUAL:
        raise InterestAccrualBehind(missing, collects_needed(state, now))
    return _accrued(state, missing)


def catch_up(state: MarginPoolState, now: UnixTime) -> MarginPoolState:
    """The pool after as many calls of ``collect`` at ``now`` as it needs, one at least: interest week by week, each at its own
    rate, and at last the fees as notes. Raises ``PoolPanic``."""
    while (missing := behind(state, now)) > MAX_ACCRUAL:
        state = _accrued(state, MAX_ACCRUAL)
    return collect_fees(_accrued(state, missing))[0]


def accrue_fully(state: MarginPoolState, now: UnixTime) -> MarginPoolState:
    """As ``catch_up`` without the fee notes: debt and deposits as they stand at ``now``, however far behind the account is."""
    while (missing := behind(state, now)) > MAX_ACCRUAL:
        state = _accrued(state, MAX_ACCRUAL)
    return _accrued(state, missing)


def _accrued(state: MarginPoolState, seconds: int) -> MarginPoolState:
    if seconds == 0:
        return state
    interest = number.multiply(state.borrowed, growth(current_rate(state), seconds))
    fee = number.multiply(interest, number.from_bps(state.config.management_fee_rate))
    return replace(
        state,
        borrowed=number.add(state.borrowed, interest),
        uncollected_fees=number.add(state.uncollected_fees, fee),
        accrued_until=state.accrued_until + seconds,
    )


def collect_fees(state: MarginPoolState) -> tuple[MarginPoolState, int]:
    """The pool once ``collect`` has minted its fees as deposit notes, and how many.

    floor(uncollected / deposit rate) notes; what they are not worth stays uncollected (the program keeps the remainder, it does
    not write it off). Raises ``PoolPanic``.
    """
    rate = deposit_note_rate(state)
    notes = number.floor(number.divide(state.uncollected_fees, rate))
    if not notes:
        return state, 0
    left = number.subtract(state.uncollected_fees, number.multiply(number.whole(notes), rate))
    return replace(state, uncollected_fees=left, deposit_notes=number.word(state.deposit_notes + notes)), notes
