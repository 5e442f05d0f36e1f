"""``Number`` of the pool program: unsigned, 192 bits, 15 decimals, here as plain integers ("raw" = value x 10^15).

Shared facts, protocol.md 3.1: products and quotes are cut down, and a plain integer multiplies or divides the raw value. What
192 bits without a sign cannot hold is the program's panic; intermediate products are held to the same limit.
"""

from __future__ import annotations

from keeper.protocols.glow_margin_pool.errors import PoolPanic
from keeper.units import BPS
from keeper.units.quantity import U64_MAX

DECIMALS = 15
ONE = 10**15
LIMIT = 2**192
LENGTH = 24
MAX_SHIFT = 16
"""The largest power of ten that the program's table has."""


def checked(raw: int) -> int:
    """``raw`` where 192 bits hold it. Raises ``PoolPanic``."""
    if raw < 0:
        raise PoolPanic("overflow", f"a difference of {raw} is below zero, which an unsigned number cannot hold")
    if raw >= LIMIT:
        raise PoolPanic("overflow", f"{raw} does not fit 192 bits")
    return raw


def whole(value: int) -> int:
    """An integer as a Number."""
    return checked(value * ONE)


def from_bps(bps: int) -> int:
    """Basis points as a Number."""
    return bps * (ONE // BPS)


def from_decimal(value: int, exponent: int) -> int:
    """``value`` x 10^``exponent``, cut down. Raises ``PoolPanic`` for a negative value or an exponent beyond the program's."""
    places = _places(exponent)
    return checked(value * _ten(places)) if places >= 0 else checked(value) // _ten(-places)


def multiply(a: int, b: int) -> int:
    """Product of two Numbers, cut down. Raises ``PoolPanic``."""
    return checked(a * b) // ONE


def divide(a: int, b: int) -> int:
    """Quotient of two Numbers, cut down. Raises ``PoolPanic``."""
    if b == 0:
        raise PoolPanic("division_by_zero", f"{a} cannot be divided by zero")
    return checked(a * ONE) // b


def add(a: int, b: int) -> int:
    """Sum. Raises ``PoolPanic``."""
    return checked(a + b)


def subtract(a: int, b: int) -> int:
    """Difference. Raises ``PoolPanic`` below zero."""
    return checked(a - b)


def floor(raw: int) -> int:
    """Whole units, rounded down. Raises ``PoolPanic`` beyond 64 bits."""
    return word(raw // ONE)


def ceil(raw: int) -> int:
    """Whole units, rounded up. Raises ``PoolPanic`` beyond 64 bits."""
    return word(-(-raw // ONE))


def rounded(raw: int, exponent: int) -> int:
    """Units of 10^``exponent``, to the nearest, halves up. Raises ``PoolPanic`` beyond 64 bits."""
    places = _places(exponent)
    if places <= 0:
        return word(raw * _ten(-places))
    unit = _ten(places)
    return word((raw + unit // 2) // unit)


def expm1(x: int, terms: int) -> int:
    """e^x - 1 as the first ``terms`` terms of its series, each power and each term cut down. Raises ``PoolPanic``."""
    total, power, factorial = x, x, 1
    for index in range(2, terms + 1):
        power = multiply(power, x)
        factorial *= index
        total = add(total, power // factorial)
    return total


def _ten(places: int) -> int:
    return int(10**places)


def _places(exponent: int) -> int:
    places = DECIMALS + exponent
    if abs(places) > MAX_SHIFT:
        raise PoolPanic("exponent", f"an exponent of {exponent} is beyond what the program scales by")
    return places


def word(value: int) -> int:
    """``value`` where 64 bits hold it, as tokens and notes are kept. Raises ``PoolPanic``."""
    if value > U64_MAX:
        raise PoolPanic("overflow", f"{value} does not fit 64 bits")
    return value
