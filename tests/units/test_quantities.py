"""Quantities keep their units, and rounding goes against us."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from keeper.units import (
    BPS,
    SOL,
    SSOL,
    BlockHeight,
    Bps,
    ComputeUnits,
    Duration,
    Epoch,
    Lamports,
    MicroLamports,
    Mint,
    Rate,
    Slot,
    TokenAmount,
    UnitError,
    UnixTime,
)

U64 = st.integers(0, 2**64 - 1)
POSITIVE = st.integers(1, 2**64 - 1)
QUANTITIES = (Lamports, MicroLamports, ComputeUnits, Bps, Duration)
POSITIONS = (Slot, BlockHeight, Epoch, UnixTime)


@pytest.mark.parametrize("left", QUANTITIES)
@pytest.mark.parametrize("right", [*QUANTITIES, *POSITIONS])
def test_different_units_never_add_subtract_or_compare(left: type, right: type) -> None:
    if left is right:
        assert left(2) + right(3) == left(5)
        return
    assert left(1) != right(1)
    for operation in ("__add__", "__sub__", "__lt__", "__ge__"):
        with pytest.raises(UnitError):
            getattr(left(1), operation)(right(1))


@pytest.mark.parametrize("kind", [*QUANTITIES, *POSITIONS])
@pytest.mark.parametrize("value", [1.0, True, "1", None])
def test_only_true_integers_become_quantities(kind: type, value: object) -> None:
    with pytest.raises(UnitError, match=kind.__name__):
        kind(value)


def test_a_quantity_does_not_scale_by_a_float() -> None:
    with pytest.raises(UnitError):
        Lamports(10) * 0.5  # type: ignore[operator]  # the point of the test


@pytest.mark.parametrize("kind", POSITIONS)
def test_positions_move_by_ints_and_differ_by_ints(kind: type) -> None:
    assert kind(7) + 3 == kind(10)
    assert kind(7) - 3 == kind(4)
    assert kind(7).since(kind(10)) == -3
    with pytest.raises(UnitError):
        kind(7) + kind(3)
    with pytest.raises(UnitError):
        kind(7) < Lamports(8)  # noqa: B015 - the comparison itself is what must fail


def test_token_amounts_of_different_mints_never_mix() -> None:
    with pytest.raises(UnitError, match="sSOL"):
        TokenAmount(SOL, 1) + TokenAmount(SSOL, 1)
    with pytest.raises(UnitError):
        _ = TokenAmount(SOL, 1) < TokenAmount(SSOL, 2)
    assert TokenAmount(SOL, 1) != TokenAmount(SSOL, 1)


def test_a_mint_is_its_address_whatever_people_call_it() -> None:
    assert Mint("abc", "one", 9) == Mint("abc", "two", 6)


@given(st.integers())
def test_as_u64_is_the_value_or_an_error(value: int) -> None:
    if 0 <= value < 2**64:
        assert Lamports(value).as_u64() == value
    else:
        with pytest.raises(UnitError, match="64-bit"):
            Lamports(value).as_u64()


@given(U64, POSITIVE, U64)
def test_rate_rounds_received_down_and_paid_up(numerator: int, denominator: int, units: int) -> None:
    rate, amount = Rate(numerator, denominator), TokenAmount(SSOL, units)
    exact = Fraction(units) * numerator / denominator
    assert rate.lamports(amount).value <= exact <= rate.lamports_up(amount).value
    assert rate.lamports_up(amount).value - rate.lamports(amount).value <= 1


@given(POSITIVE, POSITIVE, U64)
def test_tokens_bought_never_cost_more_than_was_spent(numerator: int, denominator: int, lamports: int) -> None:
    rate = Rate(numerator, denominator)
    bought = rate.tokens(Lamports(lamports), SSOL)
    assert rate.lamports_up(bought) <= Lamports(lamports)


@given(POSITIVE, POSITIVE, st.integers(1, 1000))
def test_equal_ratios_are_equal_rates(numerator: int, denominator: int, factor: int) -> None:
    one, other = Rate(numerator, denominator), Rate(numerator * factor, denominator * factor)
    assert one == other
    assert hash(one) == hash(other)
    assert not one < other
    assert one <= other


@given(U64, st.integers(0, BPS))
def test_a_share_and_what_is_left_never_exceed_the_whole(lamports: int, bps: int) -> None:
    amount, share = Lamports(lamports), Bps(bps)
    assert share.of(amount) <= share.of_up(amount)
    assert share.off_lamports(amount) + share.of_up(amount) == amount


@given(st.integers(1, 2**63), st.integers(1, 2**63))
def test_between_inverts_to_within_one_basis_point(value: int, reference: int) -> None:
    assume(value // reference < 1000)
    bps = Bps.between(Lamports(value), Lamports(reference))
    assert Fraction(bps.value, BPS) <= Fraction(value - reference, reference) < Fraction(bps.value + 1, BPS)


def test_interest_over_a_year_is_the_rate_itself_and_rounds_up() -> None:
    year = Duration(31_557_600)
    assert Bps(800).per_year_over(year, Lamports(1_000_000)) == Lamports(80_000)
    assert Bps(800).per_year_over(Duration(604_800), Lamports(10**9)) == Lamports(
        1_533_197
    )  # 0.08 * 7 / 365.25 = ..6.44, up


def test_priority_fee_is_in_lamports_for_a_price_in_micro_lamports() -> None:
    assert ComputeUnits(200_000).priority_fee(MicroLamports(1_000)) == Lamports(200)
    assert ComputeUnits(1).priority_fee(MicroLamports(1)) == Lamports(1)


def test_quantities_read_as_people_write_them() -> None:
    assert str(Lamports(-1_500_000_000)) == "-1.500000000 SOL"
    assert str(TokenAmount(SSOL, 25)) == "0.000000025 sSOL"
    assert str(TokenAmount(Mint("x", "POINT", 0), 3)) == "3 POINT"
    assert str(Duration(90_061)) == "1d 1h 1m 1s"
    assert str(Rate(3, 2)) == "1.500000000"
