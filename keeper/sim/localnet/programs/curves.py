"""Swap curves in exact integers: constant product, and StableSwap for two coins with one side scaled by a rate.

Formulas: shared facts, protocol.md 7.3 and 7.4 (Saber's StableSwap). All amounts are base units. Every rounding is
against the trader, so neither ``x * y`` nor ``D`` can fall by a swap.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

MAX_ROUNDS = 256
BPS = 10_000


class CurveError(ArithmeticError):
    """The curve has no answer: empty reserves, a zero amount, or an iteration that does not settle."""


@dataclass(frozen=True, slots=True)
class SwapAmounts:
    """What a swap pays: ``amount_out`` after the fee. ``fee`` is in the input token for constant product, in the output
    token for StableSwap; it stays in the pool."""

    amount_out: int
    fee: int


@dataclass(frozen=True, slots=True)
class Rate:
    """Value of one base unit in the curve's common unit, as a ratio. Both parts positive."""

    numerator: int
    denominator: int

    def scale(self, amount: int) -> int:
        return amount * self.numerator // self.denominator

    def scale_up(self, amount: int) -> int:
        return -(-amount * self.numerator // self.denominator)

    def unscale(self, value: int) -> int:
        return value * self.denominator // self.numerator


UNSCALED = Rate(1, 1)


def fee_on(amount: int, fee_bps: int) -> int:
    """Fee on ``amount``, rounded up."""
    return -(-amount * fee_bps // BPS)


def constant_product(reserve_in: int, reserve_out: int, amount_in: int, fee_bps: int) -> SwapAmounts:
    """out = floor(y * a' / (x + a')) with a' = a - fee. Raises ``CurveError`` for empty reserves or a zero amount."""
    _require_positive(reserve_in, reserve_out, amount_in)
    fee = fee_on(amount_in, fee_bps)
    net = amount_in - fee
    return SwapAmounts(reserve_out * net // (reserve_in + net), fee)


def invariant(x: int, y: int, amplification: int) -> int:
    """StableSwap's D for two balances. Raises ``CurveError`` when a balance is not positive.

    Newton's iteration of the facts, with D^3 / 4xy in one division: it then falls monotonically from x + y to the root,
    where the step-by-step division can circle around it in a lopsided pool.
    """
    _require_positive(x, y)
    ann = amplification * 2
    total = x + y
    d = total
    for _ in range(MAX_ROUNDS):
        product = d**3 // (4 * x * y)
        following = d * (ann * total + 2 * product) // ((ann - 1) * d + 3 * product)
        if following >= d:
            return d
        d = following
    raise CurveError(f"D of ({x}, {y}) with A = {amplification} does not settle")


def balance_for(x: int, d: int, amplification: int) -> int:
    """The other balance y at which ``x`` keeps ``d``: the positive root of y^2 + (b - d) y = c, to one unit.

    c = d^3 / (4 x Ann), b = x + d / Ann. The facts find it by Newton's iteration; the quadratic has it exactly.
    """
    ann = amplification * 2
    c = -(-(d**3) // (4 * x * ann))
    slope = x + d // ann - d
    return (isqrt(slope * slope + 4 * c) - slope) // 2


def stable_swap(
    reserve_in: int,
    reserve_out: int,
    amount_in: int,
    fee_bps: int,
    *,
    amplification: int,
    rate_in: Rate,
    rate_out: Rate,
) -> SwapAmounts:
    """Swap on the curve of balances that are each scaled to a common unit by their ``Rate``.

    dy = y_old - y_new - 1 in that unit, turned back into output tokens (floor), less the fee on the output (ceil).
    Raises ``CurveError`` for empty reserves or a zero amount.
    """
    _require_positive(reserve_in, reserve_out, amount_in)
    # The input side is scaled up before the swap and down after it, so that no fraction of a unit counts as paid in.
    x, y = rate_in.scale_up(reserve_in), rate_out.scale(reserve_out)
    d = invariant(x, y, amplification) + 1  # an upper bound of the exact D
    following = balance_for(max(x, rate_in.scale(reserve_in + amount_in)), d, amplification)
    gross = rate_out.unscale(max(0, y - following - 1))
    fee = fee_on(gross, fee_bps)
    return SwapAmounts(gross - fee, fee)


def _require_positive(*amounts: int) -> None:
    if min(amounts) <= 0:
        raise CurveError(f"reserves and amounts must be positive, got {amounts}")
