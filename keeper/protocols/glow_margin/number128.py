"""The margin program's fixed-point numbers: signed, 128 bits, ten decimals, as plain integers ("raw": value x 10^10).

Multiplication and division truncate toward zero, and what leaves 128 bits is an error, as in the program (shared facts,
protocol.md 3.1; there it is a panic that fails the transaction).
"""

from __future__ import annotations

from typing import Final

DECIMALS: Final = 10
ONE: Final = 10**DECIMALS
LARGEST: Final = 2**127 - 1
SMALLEST: Final = -(2**127)
LARGEST_SHIFT: Final = 27
"""The program knows powers of ten up to this one."""


class NumberError(ArithmeticError):
    """A computation in which the program would panic: beyond 128 bits, division by zero, an exponent without a power of ten."""


def checked(raw: int) -> int:
    """``raw`` where it fits 128 bits. Raises ``NumberError``."""
    if not SMALLEST <= raw <= LARGEST:
        raise NumberError(f"{raw} does not fit a Number128")
    return raw


def toward_zero(dividend: int, divisor: int) -> int:
    """Integer quotient without its fraction, whatever the signs. Raises ``NumberError`` for a zero divisor."""
    if divisor == 0:
        raise NumberError(f"division of {dividend} by zero")
    quotient = abs(dividend) // abs(divisor)
    return quotient if (dividend >= 0) == (divisor > 0) else -quotient


def mul(left: int, right: int) -> int:
    """Product of two raw numbers. Raises ``NumberError`` where even the product before rescaling leaves 128 bits."""
    return toward_zero(checked(left * right), ONE)


def div(left: int, right: int) -> int:
    """Quotient of two raw numbers. Raises ``NumberError``."""
    return toward_zero(checked(left * ONE), right)


def from_decimal(value: int, exponent: int) -> int:
    """The raw number of ``value`` x 10^``exponent``. Raises ``NumberError`` for an exponent outside -37 to 17."""
    shift = DECIMALS + exponent
    if abs(shift) > LARGEST_SHIFT:
        raise NumberError(f"the program has no power of ten for the exponent {exponent}")
    return checked(value * 10**shift) if shift >= 0 else toward_zero(value, 10**-shift)


def from_hundredths(value: int) -> int:
    """The raw number of ``value`` / 100: a collateral's weight or a claim's leverage."""
    return from_decimal(value, -2)


def from_bps(value: int) -> int:
    """The raw number of ``value`` / 10 000."""
    return from_decimal(value, -4)
