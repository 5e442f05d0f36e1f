"""The margin program's fixed-point numbers: i128 with ten decimals, as plain ints (shared facts, protocol.md 3.1).

Every operation truncates toward zero and panics outside i128, as the program's checked arithmetic does.
"""

from __future__ import annotations

from keeper.sim.localnet.interface import ProgramError

DECIMALS = 10
ONE = 10**DECIMALS
NUMBER_MAX = 2**127 - 1
NUMBER_MIN = -(2**127)
MAX_EXPONENT = 27
"""Powers of ten that the program has at hand; another exponent is a panic."""
U64_MAX = 2**64 - 1


def panic(reason: str) -> ProgramError:
    """What a Rust panic of a program becomes."""
    return ProgramError("ProgramFailedToComplete", f"panicked: {reason}")


def checked(value: int) -> int:
    """``value`` where it is an i128; raises ``ProgramError`` (a panic) where it is not."""
    if not NUMBER_MIN <= value <= NUMBER_MAX:
        raise panic("arithmetic overflow of a Number128")
    return value


def truncated(dividend: int, divisor: int) -> int:
    """Integer quotient toward zero. Raises ``ProgramError`` (a panic) for a zero divisor."""
    if divisor == 0:
        raise panic("attempt to divide by zero")
    quotient = abs(dividend) // abs(divisor)
    return quotient if (dividend < 0) == (divisor < 0) else -quotient


def from_decimal(value: int, exponent: int) -> int:
    """The number ``value * 10**exponent``."""
    shift = DECIMALS + exponent
    if abs(shift) > MAX_EXPONENT:
        raise panic(f"no power of ten for exponent {exponent}")
    return checked(value * 10**shift) if shift >= 0 else truncated(value, 10**-shift)


def from_bps(value: int) -> int:
    return from_decimal(value, -4)


def multiply(left: int, right: int) -> int:
    return truncated(checked(left * right), ONE)


def divide(left: int, right: int) -> int:
    return checked(truncated(checked(left * ONE), right))


def as_u64(value: int, exponent: int) -> int:
    """``value`` in units of ``10**exponent``, truncated. Raises ``ProgramError`` (a panic) for what is no u64."""
    shift = DECIMALS + exponent
    if abs(shift) > MAX_EXPONENT:
        raise panic(f"no power of ten for exponent {exponent}")
    result = truncated(value, 10**shift) if shift >= 0 else checked(value * 10**-shift)
    if not 0 <= result <= U64_MAX:
        raise panic("a Number128 does not fit a u64")
    return result
