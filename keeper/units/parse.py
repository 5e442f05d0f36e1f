"""Text to quantities, for configuration. Exact decimal arithmetic; an error names the text and what would do."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from keeper.units.amounts import Lamports, Mint, TokenAmount
from keeper.units.chain_time import Duration
from keeper.units.ratios import Bps

_NUMBER = re.compile(r"^\s*([+-]?[0-9][0-9_]*(?:\.[0-9]+)?)\s*([A-Za-z%][A-Za-z0-9_%-]*)\s*$")
_SECONDS = {
    "s": 1,
    "second": 1,
    "minute": 60,
    "min": 60,
    "m": 60,
    "hour": 3600,
    "h": 3600,
    "day": 86_400,
    "d": 86_400,
}
_SECONDS |= {"week": 604_800, "seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400, "weeks": 604_800}


class UnitParseError(ValueError):
    """Text that is not the quantity it should be. The message says what was given and what would do."""


def _split(text: object, wanted: str) -> tuple[Decimal, str]:
    if not isinstance(text, str):
        raise UnitParseError(f"{text!r} has no unit; write {wanted}")
    match = _NUMBER.match(text)
    if match is None:
        raise UnitParseError(f"{text!r} is not a number and a unit; write {wanted}")
    try:
        return Decimal(match.group(1).replace("_", "")), match.group(2)
    except InvalidOperation as error:  # pragma: no cover - the pattern admits only decimals
        raise UnitParseError(f"{text!r} is not a decimal number; write {wanted}") from error


def _whole(scaled: Decimal, text: object, smallest: str) -> int:
    if scaled != scaled.to_integral_value():
        raise UnitParseError(f"{text!r} is finer than {smallest}; round it yourself")
    return int(scaled)


def parse_lamports(text: object) -> Lamports:
    """``"0.5 SOL"`` or ``"5000 lamports"``. Raises ``UnitParseError``."""
    wanted = 'an amount such as "0.5 SOL" or "5000 lamports"'
    number, unit = _split(text, wanted)
    if unit == "SOL":
        return Lamports(_whole(number.scaleb(9), text, "one lamport"))
    if unit in ("lamports", "lamport"):
        return Lamports(_whole(number, text, "one lamport"))
    raise UnitParseError(f"{text!r} has the unit {unit!r}; write {wanted}")


def parse_token_amount(text: object, mint: Mint) -> TokenAmount:
    """``"1.25 glowSOL"`` for the given mint. Raises ``UnitParseError`` on another symbol or too many decimals."""
    wanted = f'an amount such as "1.25 {mint.symbol}"'
    number, unit = _split(text, wanted)
    if unit != mint.symbol:
        raise UnitParseError(f"{text!r} has the unit {unit!r}; write {wanted}")
    return TokenAmount(mint, _whole(number.scaleb(mint.decimals), text, f"one base unit of {mint.symbol}"))


def parse_bps(text: object) -> Bps:
    """``"30 bps"`` or ``"0.3 %"``. Raises ``UnitParseError``."""
    wanted = 'a share such as "30 bps" or "0.3 %"'
    number, unit = _split(text, wanted)
    if unit == "bps":
        return Bps(_whole(number, text, "one basis point"))
    if unit == "%":
        return Bps(_whole(number * 100, text, "one basis point"))
    raise UnitParseError(f"{text!r} has the unit {unit!r}; write {wanted}")


def parse_duration(text: object) -> Duration:
    """``"7 days"``, ``"90 s"``, ``"12 h"``. Raises ``UnitParseError`` for a negative span or one finer than a second."""
    wanted = 'a time such as "7 days", "12 h" or "90 s"'
    number, unit = _split(text, wanted)
    if unit not in _SECONDS:
        raise UnitParseError(f"{text!r} has the unit {unit!r}; write {wanted}")
    if number < 0:
        raise UnitParseError(f"{text!r} is negative; write {wanted}")
    return Duration(_whole(number * _SECONDS[unit], text, "one second"))
