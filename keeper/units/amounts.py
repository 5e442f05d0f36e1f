"""Amounts: lamports, token base units, compute units and their price."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import total_ordering

from keeper.units.quantity import U64_MAX, Quantity, UnitError, require_int

LAMPORTS_PER_SOL = 10**9


class Lamports(Quantity):
    """SOL in its smallest unit (1e-9 SOL), signed: an amount or a change of one."""

    __slots__ = ()

    def __str__(self) -> str:
        sign = "-" if self.value < 0 else ""
        whole, rest = divmod(abs(self.value), LAMPORTS_PER_SOL)
        return f"{sign}{whole}.{rest:09d} SOL"


class MicroLamports(Quantity):
    """Price of one compute unit, in 1e-6 lamports. Its own type, because taking it for lamports costs a factor of 1e6."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"{self.value} micro-lamports/CU"


class ComputeUnits(Quantity):
    """Compute units of the Solana runtime."""

    __slots__ = ()

    def priority_fee(self, price: MicroLamports) -> Lamports:
        """Priority fee for this compute-unit *limit* at ``price``, rounded up as the runtime does."""
        return Lamports(-(-self.value * price.value // 1_000_000))

    def __str__(self) -> str:
        return f"{self.value} CU"


@dataclass(frozen=True, slots=True)
class Mint:
    """A token: its mint address (base58), and how people write it. Identity is the address alone."""

    address: str
    symbol: str = field(compare=False)
    decimals: int = field(compare=False)

    def __str__(self) -> str:
        return self.symbol


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class TokenAmount:
    """Base units of one token, signed. Amounts of different mints never mix."""

    mint: Mint
    units: int

    def __post_init__(self) -> None:
        if not isinstance(self.mint, Mint):
            raise UnitError(f"TokenAmount takes a Mint, got {self.mint!r}")
        require_int(self.units, f"TokenAmount({self.mint.symbol})")

    def _same(self, other: object, verb: str) -> int:
        if not isinstance(other, TokenAmount) or other.mint != self.mint:
            what = other.mint.symbol if isinstance(other, TokenAmount) else type(other).__name__
            raise UnitError(f"cannot {verb} an amount of {self.mint.symbol} and {what}")
        return other.units

    def __add__(self, other: TokenAmount) -> TokenAmount:
        return TokenAmount(self.mint, self.units + self._same(other, "add"))

    def __sub__(self, other: TokenAmount) -> TokenAmount:
        return TokenAmount(self.mint, self.units - self._same(other, "subtract"))

    def __neg__(self) -> TokenAmount:
        return TokenAmount(self.mint, -self.units)

    def __mul__(self, factor: int) -> TokenAmount:
        return TokenAmount(self.mint, self.units * require_int(factor, "TokenAmount multiplication"))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TokenAmount):
            return NotImplemented
        return self.mint == other.mint and self.units == other.units

    def __lt__(self, other: TokenAmount) -> bool:
        return self.units < self._same(other, "compare")

    def __hash__(self) -> int:
        return hash((self.mint.address, self.units))

    def __bool__(self) -> bool:
        return self.units != 0

    def as_u64(self) -> int:
        """The base units as the chain encodes them. Raises ``UnitError`` outside 0..2**64-1."""
        if not 0 <= self.units <= U64_MAX:
            raise UnitError(f"{self!r} does not fit an unsigned 64-bit amount")
        return self.units

    def __str__(self) -> str:
        sign = "-" if self.units < 0 else ""
        whole, rest = divmod(abs(self.units), 10**self.mint.decimals)
        fraction = f".{rest:0{self.mint.decimals}d}" if self.mint.decimals else ""
        return f"{sign}{whole}{fraction} {self.mint.symbol}"


__all__ = [
    "LAMPORTS_PER_SOL",
    "ComputeUnits",
    "Lamports",
    "MicroLamports",
    "Mint",
    "TokenAmount",
    "UnitError",
]
