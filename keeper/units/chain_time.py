"""Positions and spans in the chain's several clocks. A slot is not a block height and neither is a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from keeper.units.quantity import Quantity, UnitError, require_int

SECONDS_PER_YEAR = 31_557_600  # Julian year: the rates of this product are quoted per 365.25 days


@dataclass(frozen=True, slots=True, eq=False)
class Position:
    """A point on a counter: an int moves it, two points differ by an int, and points never add or scale."""

    value: int

    def __post_init__(self) -> None:
        require_int(self.value, type(self).__name__)

    def _same(self, other: object) -> int:
        if type(other) is not type(self):
            raise UnitError(f"cannot compare {type(self).__name__} and {type(other).__name__}")
        return other.value

    def __add__(self, steps: int) -> Self:
        return type(self)(self.value + require_int(steps, f"{type(self).__name__} + n"))

    def __sub__(self, steps: int) -> Self:
        return type(self)(self.value - require_int(steps, f"{type(self).__name__} - n"))

    def since(self, earlier: Self) -> int:
        """Steps from ``earlier`` to here; negative when it lies ahead."""
        return self.value - self._same(earlier)

    def __eq__(self, other: object) -> bool:
        return (
            self.value == other.value if isinstance(other, Position) and type(other) is type(self) else NotImplemented
        )

    def __lt__(self, other: Self) -> bool:
        return self.value < self._same(other)

    def __le__(self, other: Self) -> bool:
        return self.value <= self._same(other)

    def __gt__(self, other: Self) -> bool:
        return self.value > self._same(other)

    def __ge__(self, other: Self) -> bool:
        return self.value >= self._same(other)

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.value))

    def __int__(self) -> int:
        return self.value

    def __index__(self) -> int:
        return self.value

    def __str__(self) -> str:
        return str(self.value)


class Slot(Position):
    """A slot number. Slots may be skipped, so they do not age blockhashes."""

    __slots__ = ()


class BlockHeight(Position):
    """Number of blocks below this one; what blockhashes age by."""

    __slots__ = ()


class Epoch(Position):
    """An epoch number."""

    __slots__ = ()


class Duration(Quantity):
    """A span of chain time in whole seconds."""

    __slots__ = ()

    def __str__(self) -> str:
        days, rest = divmod(abs(self.value), 86_400)
        hours, rest = divmod(rest, 3_600)
        minutes, seconds = divmod(rest, 60)
        parts = [f"{n}{unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s")) if n]
        return ("-" if self.value < 0 else "") + (" ".join(parts) or "0s")


class UnixTime(Position):
    """Chain time in whole seconds since 1970 (the Clock sysvar's unix_timestamp)."""

    __slots__ = ()

    def after(self, span: Duration) -> UnixTime:
        """The moment ``span`` later."""
        return UnixTime(self.value + span.value)

    def elapsed(self, earlier: UnixTime) -> Duration:
        """Time from ``earlier`` to here; negative when it lies ahead."""
        return Duration(self.since(earlier))
