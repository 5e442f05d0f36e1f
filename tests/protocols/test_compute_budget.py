"""Compute-budget instructions: bytes as published, and limits that the runtime would only enforce silently."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.instruction import Instruction

from keeper.protocols import compute_budget as budget
from keeper.protocols.addresses import COMPUTE_BUDGET, SYSTEM
from keeper.protocols.layout import LayoutError
from keeper.units import ComputeUnits, MicroLamports, UnitError


def test_encodings_are_the_published_ones() -> None:
    limit = budget.set_compute_unit_limit(ComputeUnits(300_000))
    assert (limit.program_id, bytes(limit.data), limit.accounts) == (COMPUTE_BUDGET, bytes.fromhex("02e0930400"), [])
    assert bytes(budget.set_compute_unit_price(MicroLamports(200_000)).data).hex() == "03400d030000000000"
    assert bytes(budget.set_loaded_accounts_data_size_limit(65_536).data).hex() == "0400000100"


@given(st.integers(1, 1_400_000), st.integers(0, 2**64 - 1), st.integers(1, 64 * 1024 * 1024))
def test_what_is_built_decodes_to_itself(units: int, price: int, size: int) -> None:
    built_limit = budget.set_compute_unit_limit(ComputeUnits(units))
    built_price = budget.set_compute_unit_price(MicroLamports(price))
    assert budget.decode(built_limit) == budget.ComputeUnitLimit(ComputeUnits(units))
    assert budget.decode(built_price) == budget.ComputeUnitPrice(MicroLamports(price))
    built_size = budget.set_loaded_accounts_data_size_limit(size)
    assert budget.decode(built_size) == budget.LoadedAccountsDataSizeLimit(size)


def test_the_price_of_a_jupiter_build_response_decodes() -> None:
    instruction = Instruction(COMPUTE_BUDGET, bytes.fromhex("03e803000000000000"), [])
    assert budget.decode(instruction) == budget.ComputeUnitPrice(MicroLamports(1_000))
    heap = Instruction(COMPUTE_BUDGET, bytes.fromhex("0100800000"), [])
    assert budget.decode(heap) == budget.HeapFrame(32_768)


@pytest.mark.parametrize("units", [0, -1, 1_400_001])
def test_impossible_unit_limits_are_refused(units: int) -> None:
    with pytest.raises(UnitError, match="1400000"):
        budget.set_compute_unit_limit(ComputeUnits(units))


@pytest.mark.parametrize("price", [-1, 2**64])
def test_impossible_prices_are_refused(price: int) -> None:
    with pytest.raises(UnitError):
        budget.set_compute_unit_price(MicroLamports(price))


@pytest.mark.parametrize("size", [0, 64 * 1024 * 1024 + 1])
def test_impossible_data_limits_are_refused(size: int) -> None:
    with pytest.raises(UnitError):
        budget.set_loaded_accounts_data_size_limit(size)


@pytest.mark.parametrize("data", ["", "02", "05aaaaaaaa", "02e093040000", "00"])
def test_other_data_is_a_layout_error(data: str) -> None:
    with pytest.raises(LayoutError):
        budget.decode(Instruction(COMPUTE_BUDGET, bytes.fromhex(data), []))


def test_another_program_is_a_layout_error() -> None:
    with pytest.raises(LayoutError, match="program"):
        budget.decode(Instruction(SYSTEM, bytes.fromhex("02e0930400"), []))
