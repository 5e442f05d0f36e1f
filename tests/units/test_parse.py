"""Text to quantities: exact, and errors that say what would do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.units import (
    SSOL,
    Bps,
    Duration,
    Lamports,
    TokenAmount,
    UnitParseError,
    parse_bps,
    parse_duration,
    parse_lamports,
    parse_token_amount,
)

PARSERS = (parse_lamports, parse_bps, parse_duration)


@given(st.integers(-(2**63), 2**63))
def test_what_lamports_print_parses_back(value: int) -> None:
    assert parse_lamports(str(Lamports(value))) == Lamports(value)


@given(st.integers(0, 2**63))
def test_what_token_amounts_print_parses_back(units: int) -> None:
    amount = TokenAmount(SSOL, units)
    assert parse_token_amount(str(amount), SSOL) == amount


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.5 SOL", 500_000_000),
        ("5000 lamports", 5_000),
        ("1_000 SOL", 10**12),
        ("0.000000001SOL", 1),
        (" 2 SOL ", 2 * 10**9),
    ],
)
def test_lamports(text: str, value: int) -> None:
    assert parse_lamports(text) == Lamports(value)


@pytest.mark.parametrize(("text", "value"), [("30 bps", 30), ("0.3 %", 30), ("8%", 800), ("-5 bps", -5)])
def test_bps(text: str, value: int) -> None:
    assert parse_bps(text) == Bps(value)


@pytest.mark.parametrize(("text", "value"), [("7 days", 604_800), ("12 h", 43_200), ("90 s", 90), ("1.5 min", 90)])
def test_duration(text: str, value: int) -> None:
    assert parse_duration(text) == Duration(value)


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize(
    "text", ["", "5", "SOL", "five SOL", "1e9 SOL", "1,5 SOL", "nan SOL", "5 parsecs", 5, 5.0, None, True]
)
def test_what_is_no_quantity_says_what_to_write(parser: object, text: object) -> None:
    assert callable(parser)
    with pytest.raises(UnitParseError, match="write"):
        parser(text)


@pytest.mark.parametrize(
    ("call", "text", "named"),
    [
        (parse_lamports, "0.0000000001 SOL", "lamport"),
        (parse_bps, "0.5 bps", "basis point"),
        (parse_duration, "0.5 s", "second"),
    ],
)
def test_what_is_too_fine_is_not_rounded_for_the_user(call: object, text: str, named: str) -> None:
    assert callable(call)
    with pytest.raises(UnitParseError, match=named):
        call(text)


def test_a_negative_time_and_a_foreign_symbol_are_refused() -> None:
    with pytest.raises(UnitParseError, match="negative"):
        parse_duration("-1 s")
    with pytest.raises(UnitParseError, match="glowSOL"):
        parse_token_amount("1 glowSOL", SSOL)


@given(st.text(max_size=20))
def test_any_text_parses_or_is_a_unit_parse_error(text: str) -> None:
    for parser in PARSERS:
        try:
            parser(text)
        except UnitParseError as error:
            assert "write" in str(error) or "finer" in str(error)
