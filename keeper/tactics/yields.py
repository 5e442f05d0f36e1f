"""What a staked token is worth and what it has yielded, both measured, and what an inverted borrow rate has cost.

Rates of this module are integers per year in billionths, as ``LendingMarket.borrow_rate``: 50_000_000 is 5 %. Their year is the
pool program's, 365 days (shared facts, protocol.md 4.3), so that yields and borrow rates compare without conversion.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from keeper.lending import RATE_SCALE, RATE_YEAR
from keeper.past import BorrowSample, EpochRates
from keeper.units import SOL, SSOL, Duration, Lamports, Mint, Rate, UnixTime
from keeper.view import View

MOST_EPOCHS = 64
"""A longer silence between two measurements weighs no more than this many epochs: the newer one then counts all but alone."""


def interest(amount: Lamports, rate: int, span: Duration) -> Lamports:
    """Simple interest on ``amount`` at ``rate`` billionths per year over ``span``, rounded down (towards minus infinity)."""
    return Lamports(amount.value * rate * span.value // (RATE_SCALE * RATE_YEAR.value))


def growth(earlier: Rate, later: Rate, span: Duration) -> int | None:
    """How fast a redemption rate grew, rounded down; negative where it fell. None without time or without an earlier value."""
    if span.value <= 0 or not earlier.numerator:
        return None
    before, after = earlier.numerator * later.denominator, later.numerator * earlier.denominator
    return (after - before) * RATE_SCALE * RATE_YEAR.value // (before * span.value)


def redemption_rate(view: View, mint: Mint) -> Rate | None:
    """What glowSOL or sSOL redeems for now; None where the program's books hold nothing, or cannot be read."""
    glow, pool = view.glowsol, view.pool(SSOL)
    if mint == SSOL:
        return pool.rate if pool is not None and pool.rate.numerator else None
    return glow.rate if glow is not None and glow.outstanding.units > 0 and glow.total_assets.value > 0 else None


def past_rates(view: View, mint: Mint) -> tuple[tuple[EpochRates, Rate], ...]:
    """The measurements of ``mint``'s redemption rate, one an epoch, by rising time."""
    seen = ((one, one.ssol if mint == SSOL else one.glowsol) for one in view.past.rates)
    return tuple((one, rate) for one, rate in seen if rate is not None)


def highest_rate(view: View, mint: Mint) -> Rate | None:
    """The highest redemption rate of ``mint`` that is remembered."""
    return max((rate for _, rate in past_rates(view, mint)), default=None)


def dex_price(view: View, mint: Mint) -> Rate | None:
    """What one base unit of ``mint`` trades at, by the smallest quotes; None without any.

    The higher of bid and ask. They differ by fees and depth in a sane market, so that is the ask; and one direction that is
    quoted far too low says nothing while the other does not follow.
    """
    bid, ask = view.ladder(mint, SOL), view.ladder(SOL, mint)
    prices = [Rate(one.receive.units, one.sell.units) for one in (bid.rungs[:1] if bid else ()) if one.sell.units > 0]
    prices += [
        Rate(one.sell.units, one.receive.units) for one in (ask.rungs[:1] if ask else ()) if one.receive.units > 0
    ]
    return max((price for price in prices if price.numerator), default=None)


def staking_yield(view: View, mint: Mint) -> int | None:
    """What holding ``mint`` earns: the exponentially weighted mean of its rate's growth from epoch to epoch.

    A new epoch counts one fifth, so half of the weight lies on the last three. Where epochs are missing between two measurements,
    their common mean stands for each of them. With fewer than two measurements it is what the stake pool itself remembers of the
    last epoch, on which both tokens rest; None where that is not known either.
    """
    mean: int | None = None
    for (before, rate), (after, next_rate) in pairwise(past_rates(view, mint)):
        epochs = after.epoch.since(before.epoch)
        found = growth(rate, next_rate, after.at.elapsed(before.at))
        if found is None or epochs <= 0:
            continue
        keep, whole = 4 ** min(epochs, MOST_EPOCHS), 5 ** min(epochs, MOST_EPOCHS)
        mean = found if mean is None else (mean * keep + found * (whole - keep)) // whole
    pool = view.pool(SSOL)
    if mean is None and pool is not None and pool.last_epoch_rate is not None:
        return growth(pool.last_epoch_rate, pool.rate, view.epoch_length)
    return mean


def inversion_loss(samples: Iterable[BorrowSample], market: str, now: UnixTime, earned: int, cap: int) -> int:
    """What holding one unit of debt has lost since the present inversion began: the integral of borrow rate less yield, in
    billionths of the debt, at most ``cap``.

    Times in which debt earned are set against it, and it never falls below nothing: an inversion begins when all that was lost
    before has been earned back. A rate holds from its sample to the next. With ``cap`` a long inversion is forgiven as soon as a
    short one.
    """
    known = [(one.at, one.rate) for one in samples if one.market == market and one.at <= now]
    lost, most = (
        0,
        cap * RATE_YEAR.value,
    )  # in billionth-seconds, so that samples seconds apart lose nothing to rounding
    for (at, rate), (until, _) in pairwise([*known, (now, 0)]):
        lost = min(max(lost + (rate - earned) * max(until.elapsed(at).value, 0), 0), most)
    return lost // RATE_YEAR.value
