"""Ratios: exact rates and basis points. Rounding is always named by the caller."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from keeper.units.amounts import Lamports, Mint, TokenAmount
from keeper.units.chain_time import SECONDS_PER_YEAR, Duration
from keeper.units.quantity import Quantity, UnitError, require_int

BPS = 10_000


@dataclass(frozen=True, slots=True)
class Rate:
    """Lamports per base unit of a token, as the exact integer ratio that the chain holds.

    Equality is that of the value (2/4 equals 1/2). ``numerator`` are lamports, ``denominator`` token base units.
    Raises ``UnitError`` when the denominator is not positive or the numerator negative.
    """

    numerator: int
    denominator: int

    def __post_init__(self) -> None:
        require_int(self.numerator, "Rate")
        require_int(self.denominator, "Rate")
        if self.denominator <= 0 or self.numerator < 0:
            raise UnitError(f"a Rate needs numerator >= 0 and denominator > 0, got {self.numerator}/{self.denominator}")

    def lamports(self, amount: TokenAmount) -> Lamports:
        """What ``amount`` is worth, rounded down: for what we receive."""
        return Lamports(amount.units * self.numerator // self.denominator)

    def lamports_up(self, amount: TokenAmount) -> Lamports:
        """What ``amount`` is worth, rounded up: for what we pay."""
        return Lamports(-(-amount.units * self.numerator // self.denominator))

    def tokens(self, spend: Lamports, mint: Mint) -> TokenAmount:
        """How much of ``mint`` ``spend`` buys at this rate, rounded down. Raises ``UnitError`` at a zero rate."""
        if self.numerator == 0:
            raise UnitError("a zero rate buys an unbounded amount")
        return TokenAmount(mint, spend.value * self.denominator // self.numerator)

    def discounted(self, bps: Bps) -> Rate:
        """This rate less ``bps``, exactly."""
        return Rate(self.numerator * (BPS - bps.value), self.denominator * BPS)

    def fraction(self) -> Fraction:
        """The ratio as an exact fraction, for comparisons across rates."""
        return Fraction(self.numerator, self.denominator)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Rate):
            return NotImplemented
        return self.numerator * other.denominator == other.numerator * self.denominator

    def __lt__(self, other: Rate) -> bool:
        return self.numerator * other.denominator < other.numerator * self.denominator

    def __le__(self, other: Rate) -> bool:
        return self == other or self < other

    def __hash__(self) -> int:
        return hash(self.fraction())

    def __str__(self) -> str:
        scaled = self.numerator * 10**9 // self.denominator
        return f"{scaled // 10**9}.{scaled % 10**9:09d}"


class Bps(Quantity):
    """Basis points (1/10 000), signed. ``of`` and ``of_up`` take a share of an amount with named rounding."""

    __slots__ = ()

    def of(self, amount: Lamports) -> Lamports:
        """This share of ``amount``, rounded down (towards minus infinity)."""
        return Lamports(amount.value * self.value // BPS)

    def of_up(self, amount: Lamports) -> Lamports:
        """This share of ``amount``, rounded up: for costs."""
        return Lamports(-(-amount.value * self.value // BPS))

    def off(self, amount: TokenAmount) -> TokenAmount:
        """``amount`` less this share, rounded down: a minimum that we accept."""
        return TokenAmount(amount.mint, amount.units * (BPS - self.value) // BPS)

    def off_lamports(self, amount: Lamports) -> Lamports:
        """``amount`` less this share, rounded down."""
        return Lamports(amount.value * (BPS - self.value) // BPS)

    def per_year_over(self, span: Duration, amount: Lamports) -> Lamports:
        """Simple interest on ``amount`` at this yearly rate over ``span``, rounded up: for a cost of waiting."""
        return Lamports(-(-amount.value * self.value * span.value // (BPS * SECONDS_PER_YEAR)))

    @classmethod
    def between(cls, value: Lamports, reference: Lamports) -> Bps:
        """(value - reference) / reference, rounded down. Raises ``UnitError`` unless ``reference`` is positive."""
        if reference.value <= 0:
            raise UnitError(f"basis points against {reference} have no meaning")
        return cls((value.value - reference.value) * BPS // reference.value)

    def __str__(self) -> str:
        return f"{self.value} bps"
