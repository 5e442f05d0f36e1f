"""The arithmetic that all one-dimensional quantities share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

U64_MAX = 2**64 - 1


class UnitError(TypeError):
    """Two quantities of different units met, or a value is outside what the unit can hold."""


def require_int(value: object, owner: str) -> int:
    """Return ``value`` if it is a true integer; money and positions in the chain never come from floats or bools."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise UnitError(f"{owner} takes an int, got {value!r} ({type(value).__name__}); convert it explicitly first")
    return value


@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """A signed integer with a unit. Only the same unit adds, subtracts and compares; only an int scales."""

    value: int

    def __post_init__(self) -> None:
        require_int(self.value, type(self).__name__)

    def _same(self, other: object, verb: str) -> int:
        if type(other) is not type(self):
            raise UnitError(f"cannot {verb} {type(self).__name__} and {type(other).__name__}")
        return other.value

    def __add__(self, other: Self) -> Self:
        return type(self)(self.value + self._same(other, "add"))

    def __sub__(self, other: Self) -> Self:
        return type(self)(self.value - self._same(other, "subtract"))

    def __neg__(self) -> Self:
        return type(self)(-self.value)

    def __abs__(self) -> Self:
        return type(self)(abs(self.value))

    def __mul__(self, factor: int) -> Self:
        return type(self)(self.value * require_int(factor, f"{type(self).__name__} multiplication"))

    def __eq__(self, other: object) -> bool:
        return (
            self.value == other.value if isinstance(other, Quantity) and type(other) is type(self) else NotImplemented
        )

    def __lt__(self, other: Self) -> bool:
        return self.value < self._same(other, "compare")

    def __le__(self, other: Self) -> bool:
        return self.value <= self._same(other, "compare")

    def __gt__(self, other: Self) -> bool:
        return self.value > self._same(other, "compare")

    def __ge__(self, other: Self) -> bool:
        return self.value >= self._same(other, "compare")

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.value))

    def __bool__(self) -> bool:
        return self.value != 0

    def __int__(self) -> int:
        return self.value

    def __index__(self) -> int:
        return self.value

    def as_u64(self) -> int:
        """The value as the chain encodes amounts. Raises ``UnitError`` outside 0..2**64-1."""
        if not 0 <= self.value <= U64_MAX:
            raise UnitError(f"{self!r} does not fit an unsigned 64-bit amount")
        return self.value
