"""Closed forms for one collateral and one debt of the same asset class (shared facts, protocol.md 3.5). Exact fractions.

A is the collateral's value, D the debt's, E = A - D the equity, L = A / E the leverage; w = weight / 100, f = factor / 100 (both
hundredths, as positions hold them), k = 1 + 1/f, h the health level. A and D may be in any unit, as long as it is the same.
"""

from __future__ import annotations

from fractions import Fraction

from keeper.units import BPS, Bps, UnitError


def burden(factor: int) -> Fraction:
    """k: what one unit of debt takes of the weighted collateral. Raises ``UnitError`` for a claim without leverage."""
    if factor <= 0:
        raise UnitError(f"a claim with leverage {factor} can never be carried")
    return 1 + Fraction(100, factor)


def _carried(health: Bps, weight: int) -> Fraction:
    """w (1 - h): the part of a collateral that debt may use while health stays at ``health``."""
    return Fraction(weight * (BPS - health.value), 100 * BPS)


def leverage_at(health: Bps, *, weight: int, factor: int) -> Fraction:
    """L(h) = k / (k - w (1 - h)): the leverage at which health is exactly ``health``.

    Raises ``UnitError`` where no leverage brings health down to that, or the claim has none.
    """
    k = burden(factor)
    room = k - _carried(health, weight)
    if room <= 0:
        raise UnitError(f"at weight {weight} and leverage {factor} health never falls to {health}")
    return k / room


def health_at(leverage: Fraction, *, weight: int, factor: int) -> Fraction:
    """HL = 1 - ((L - 1) / L) k / w. Raises ``UnitError`` for a leverage below 1 or a collateral without weight."""
    if leverage < 1 or weight <= 0:
        raise UnitError(f"health needs a leverage of 1 or more and a weight, got {leverage} and {weight}")
    return 1 - (leverage - 1) / leverage * burden(factor) / Fraction(weight, 100)


def fall_to_liquidation(collateral: int, debt: int, *, weight: int, factor: int) -> Fraction:
    """r = D k / (w A) = 1 - HL: the factor on the price of collateral in debt at which liquidation is due.

    Raises ``UnitError`` for a collateral that counts nothing.
    """
    if collateral <= 0 or weight <= 0:
        raise UnitError(f"a collateral of {collateral} with weight {weight} counts nothing")
    return debt * burden(factor) / (Fraction(weight, 100) * collateral)


def repayment(collateral: int, debt: int, health: Bps, *, weight: int, factor: int) -> int:
    """What to repay from outside so that health is at least ``health``: D - w (1 - h) A / k, rounded up; 0 if it is already."""
    target = _carried(health, weight) * collateral / burden(factor)
    return max(0, -((target - debt) // 1))


def sale(collateral: int, debt: int, health: Bps, *, weight: int, factor: int, received: Fraction) -> int:
    """How much collateral value to sell, getting ``received`` of debt value for each unit, so that health is at least ``health``.

    x = (D k - w (1 - h) A) / (s k - w (1 - h)), rounded up; 0 if it is already. Raises ``UnitError`` where selling at that price
    does not improve health, or not even all of the collateral is enough.
    """
    k, carried = burden(factor), _carried(health, weight)
    missing, gain = debt * k - carried * collateral, received * k - carried
    if missing <= 0:
        return 0
    if gain <= 0:
        raise UnitError(f"selling at {received} does not bring health to {health}")
    sold = -((-missing / gain) // 1)
    if sold > collateral:
        raise UnitError(f"{sold} would have to be sold, but there is only {collateral}")
    return int(sold)
