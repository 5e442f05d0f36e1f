"""The compute-budget program: what a transaction may use and what it pays for each unit.

Encoding: shared facts, execution.md 1.8 (one discriminator byte, then a little-endian integer, no accounts).
"""

from __future__ import annotations

from dataclasses import dataclass

from solders import compute_budget as native
from solders.instruction import Instruction

from keeper.protocols.addresses import COMPUTE_BUDGET
from keeper.protocols.layout import LayoutError, Reader
from keeper.units import ComputeUnits, MicroLamports, UnitError

MAX_COMPUTE_UNITS = ComputeUnits(1_400_000)
MAX_LOADED_ACCOUNTS_DATA_SIZE = 64 * 1024 * 1024
HEAP_FRAME, UNIT_LIMIT, UNIT_PRICE, DATA_SIZE_LIMIT = 1, 2, 3, 4


@dataclass(frozen=True, slots=True)
class HeapFrame:
    """Requested heap, in bytes."""

    size: int


@dataclass(frozen=True, slots=True)
class ComputeUnitLimit:
    """Compute units that the transaction may use; the priority fee is charged on this, not on use."""

    units: ComputeUnits


@dataclass(frozen=True, slots=True)
class ComputeUnitPrice:
    """Micro-lamports for each compute unit of the limit."""

    price: MicroLamports


@dataclass(frozen=True, slots=True)
class LoadedAccountsDataSizeLimit:
    """Bytes of account data that the transaction may load."""

    size: int


Setting = HeapFrame | ComputeUnitLimit | ComputeUnitPrice | LoadedAccountsDataSizeLimit


def set_compute_unit_limit(units: ComputeUnits) -> Instruction:
    """Limit of the whole transaction. Raises ``UnitError`` outside 1..1 400 000 (the runtime would cut it silently)."""
    if not 0 < units.value <= MAX_COMPUTE_UNITS.value:
        raise UnitError(f"a compute-unit limit lies in 1..{MAX_COMPUTE_UNITS.value}, got {units.value}")
    return native.set_compute_unit_limit(units.value)


def set_compute_unit_price(price: MicroLamports) -> Instruction:
    """Price for each unit of the limit. Raises ``UnitError`` for one that is negative or beyond 64 bits."""
    return native.set_compute_unit_price(price.as_u64())


def set_loaded_accounts_data_size_limit(size: int) -> Instruction:
    """Limit of loaded account data in bytes. Raises ``UnitError`` outside 1..64 MiB."""
    if not 0 < size <= MAX_LOADED_ACCOUNTS_DATA_SIZE:
        raise UnitError(f"a loaded-accounts limit lies in 1..{MAX_LOADED_ACCOUNTS_DATA_SIZE} bytes, got {size}")
    return native.set_loaded_accounts_data_size_limit(size)


def decode(instruction: Instruction) -> Setting:
    """What a compute-budget instruction asks for. Raises ``LayoutError`` for another program or unknown data."""
    if instruction.program_id != COMPUTE_BUDGET:
        raise LayoutError("compute budget", "program", str(COMPUTE_BUDGET), str(instruction.program_id))
    read = Reader(bytes(instruction.data), "compute budget")
    tag = read.u8("discriminator")
    setting: Setting
    if tag == HEAP_FRAME:
        setting = HeapFrame(read.u32("bytes"))
    elif tag == UNIT_LIMIT:
        setting = ComputeUnitLimit(ComputeUnits(read.u32("units")))
    elif tag == UNIT_PRICE:
        setting = ComputeUnitPrice(MicroLamports(read.u64("micro_lamports")))
    elif tag == DATA_SIZE_LIMIT:
        setting = LoadedAccountsDataSizeLimit(read.u32("bytes"))
    else:
        raise read.fail("discriminator", "1 to 4", str(tag))
    read.end()
    return setting
