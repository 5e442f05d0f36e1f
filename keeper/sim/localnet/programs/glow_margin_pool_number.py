"""``Number`` of the margin-pool program: an unsigned 192-bit fixed point with 15 decimals, here as plain integers.

Written from the shared facts (protocol.md 3.1, 4.3) and held against ``keeper.protocols`` by property tests; it shares no
code with the keeper. A value that the program could not hold is the program's panic.
"""

from __future__ import annotations

from keeper.sim.localnet.interface import ProgramError

DECIMALS = 15
ONE = 1_000_000_000_000_000
BPS = 10_000
_LIMIT = 2**192
_U64 = 2**64
_MAX_POWER = 16


def panic(message: str) -> ProgramError:
    """What a Rust panic is to the runtime."""
    return ProgramError("ProgramFailedToComplete", f"panicked: {message}")


def checked(raw: int) -> int:
    """``raw`` if it fits. Raises ``ProgramError`` for what 192 bits without a sign do not hold."""
    if not 0 <= raw < _LIMIT:
        raise panic("arithmetic operation overflow")
    return raw


def multiply(a: int, b: int) -> int:
    """Product of two Numbers, rounded down."""
    return checked(a * b) // ONE


def divide(a: int, b: int) -> int:
    """Quotient of two Numbers, rounded down. Raises ``ProgramError`` for a zero divisor."""
    if b == 0:
        raise panic("division by zero")
    return checked(a * ONE) // b


def of_integer(value: int) -> int:
    return checked(value * ONE)


def of_bps(bps: int) -> int:
    return bps * (ONE // BPS)


def of_decimal(value: int, exponent: int) -> int:
    """``value`` x 10^exponent. Raises ``ProgramError`` for a negative value, as the conversion panics."""
    if value < 0:
        raise panic("negative value for an unsigned number")
    places = DECIMALS + exponent
    return checked(value * _ten_to(places)) if places >= 0 else value // _ten_to(-places)


def down(raw: int) -> int:
    """Whole units, rounded down. Raises ``ProgramError`` beyond 64 bits."""
    return _word(raw // ONE)


def up(raw: int) -> int:
    """Whole units, rounded up. Raises ``ProgramError`` beyond 64 bits."""
    return _word(-(-raw // ONE))


def nearest(raw: int, exponent: int) -> int:
    """Units of 10^exponent, halves up. Raises ``ProgramError`` beyond 64 bits."""
    places = DECIMALS + exponent
    if places < 0:
        return _word(raw * _ten_to(-places))
    unit = _ten_to(places)
    return _word((raw + (unit // 2 if places else 0)) // unit)


def _ten_to(places: int) -> int:
    """Raises ``ProgramError`` beyond the powers that the program's table has."""
    if places > _MAX_POWER:
        raise panic(f"no support for exponent: {places}")
    return int(10**places)


def _word(value: int) -> int:
    if value >= _U64:
        raise panic("cannot convert to u64 due to overflow")
    return value


def growth(x: int, terms: int) -> int:
    """e^x - 1 as the first ``terms`` terms of its series, every power and every term rounded down."""
    total, power, factorial = x, x, 1
    for index in range(2, terms + 1):
        power = multiply(power, x)
        factorial *= index
        total += power // factorial
    return total
