"""What a transaction asks of the compute budget, and what it pays.

Fee = 5,000 lamports for each signature + ceil(compute-unit limit x price / 1,000,000); the priority part is on the limit, not
on use (facts, execution.md 1.8; agave compute-budget-instruction).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from solders.message import MessageV1
from solders.pubkey import Pubkey

from keeper.protocols.addresses import COMPUTE_BUDGET, SYSTEM
from keeper.sim.localnet.interface import TransactionRejected
from keeper.sim.localnet.transaction_errors import instruction_error

LAMPORTS_PER_SIGNATURE = 5_000
MAX_COMPUTE_UNITS = 1_400_000
DEFAULT_UNITS_PER_INSTRUCTION = 200_000
DEFAULT_UNITS_PER_BUILTIN = 3_000
COMPUTE_BUDGET_UNITS = 150
DEFAULT_HEAP = 32 * 1024
MAX_HEAP = 256 * 1024
MAX_LOADED_DATA = 64 * 1024 * 1024
MICRO = 1_000_000
U64_MAX = 2**64 - 1

_PRECOMPILES = frozenset(
    Pubkey.from_string(text)
    for text in (
        "Ed25519SigVerify111111111111111111111111111",
        "KeccakSecp256k11111111111111111111111111111",
        "Secp256r1SigVerify1111111111111111111111111",
    )
)
_BUILTINS = frozenset(
    {
        SYSTEM,
        COMPUTE_BUDGET,
        *(
            Pubkey.from_string(text)
            for text in (
                "Vote111111111111111111111111111111111111111",
                "BPFLoader1111111111111111111111111111111111",
                "BPFLoader2111111111111111111111111111111111",
                "BPFLoaderUpgradeab1e11111111111111111111111",
                "LoaderV411111111111111111111111111111111111",
            )
        ),
        *_PRECOMPILES,
    }
)


@dataclass(frozen=True, slots=True)
class Budget:
    """The compute budget of one transaction.

    ``unit_limit`` in compute units, ``unit_price`` in micro-lamports per unit, ``heap_size`` and ``loaded_data_limit`` in
    bytes, ``priority_fee`` in lamports. ``data_limit_given`` says whether the transaction named its data limit.
    """

    unit_limit: int
    unit_price: int
    heap_size: int
    loaded_data_limit: int
    priority_fee: int
    data_limit_given: bool

    def fee(self, signatures: int) -> int:
        """Lamports that a transaction with this many signatures pays, landed well or badly."""
        return LAMPORTS_PER_SIGNATURE * signatures + self.priority_fee


def priority_fee(unit_limit: int, unit_price: int) -> int:
    """ceil(limit x price / 1e6) lamports, saturating at u64 as the runtime's does."""
    return min(-(-unit_limit * unit_price // MICRO), U64_MAX)


def _invalid(index: int, message: str) -> TransactionRejected:
    return TransactionRejected(instruction_error(index, "InvalidInstructionData"), f"instruction {index}: {message}")


def _valid_heap(size: int) -> bool:
    return DEFAULT_HEAP <= size <= MAX_HEAP and size % 1024 == 0


_FORMS = {1: ("<I", "RequestHeapFrame"), 2: ("<I", "SetComputeUnitLimit"), 3: ("<Q", "SetComputeUnitPrice")}
_FORMS[4] = ("<I", "SetLoadedAccountsDataSizeLimit")


def _requests(instructions: Sequence[tuple[Pubkey, bytes]]) -> dict[int, int]:
    """The argument of each compute-budget instruction by its tag. Trailing bytes are ignored, as borsh's reader here does."""
    found: dict[int, int] = {}
    for index, (program, data) in enumerate(instructions):
        if program != COMPUTE_BUDGET:
            continue
        form = _FORMS.get(data[0]) if data else None
        if form is None or len(data) < 1 + struct.calcsize(form[0]):
            raise _invalid(index, f"not a compute-budget instruction: {data[:16].hex() or 'empty data'}")
        if data[0] in found:
            raise TransactionRejected({"DuplicateInstruction": index}, f"instruction {index}: a second {form[1]}")
        value: int = struct.unpack_from(form[0], data, 1)[0]
        if data[0] == 1 and not _valid_heap(value):
            raise _invalid(
                index, f"heap of {value} bytes; allowed are multiples of 1,024 from {DEFAULT_HEAP} to {MAX_HEAP}"
            )
        if data[0] == 4 and value == 0:
            raise TransactionRejected(
                "InvalidLoadedAccountsDataSizeLimit", f"instruction {index}: data limit of 0 bytes"
            )
        found[data[0]] = value
    return found


def decode_budget(instructions: Sequence[tuple[Pubkey, bytes]]) -> Budget:
    """Budget of a legacy or v0 transaction from its (program, data) pairs.

    Raises ``TransactionRejected``: DuplicateInstruction, InstructionError[i, InvalidInstructionData],
    InvalidLoadedAccountsDataSizeLimit.
    """
    found = _requests(instructions)
    default = sum(
        DEFAULT_UNITS_PER_BUILTIN if program in _BUILTINS else DEFAULT_UNITS_PER_INSTRUCTION
        for program, _ in instructions
    )
    limit = min(found.get(2, default), MAX_COMPUTE_UNITS)
    price = found.get(3, 0)
    return Budget(
        unit_limit=limit,
        unit_price=price,
        heap_size=found.get(1, DEFAULT_HEAP),
        loaded_data_limit=min(found.get(4, MAX_LOADED_DATA), MAX_LOADED_DATA),
        priority_fee=priority_fee(limit, price),
        data_limit_given=4 in found,
    )


def decode_budget_v1(message: MessageV1) -> Budget:
    """Budget of a v1 transaction: in its header, where an absent limit means 0 and the priority fee is a total in lamports."""
    config = message.config
    limit = min(config.compute_unit_limit or 0, MAX_COMPUTE_UNITS)
    fee = config.priority_fee or 0
    heap = config.heap_size or DEFAULT_HEAP
    if not _valid_heap(heap):
        raise TransactionRejected("SanitizeFailure", f"heap of {heap} bytes in the v1 configuration")
    return Budget(
        unit_limit=limit,
        unit_price=fee * MICRO // limit if limit else 0,
        heap_size=heap,
        loaded_data_limit=min(config.loaded_accounts_data_size_limit or 0, MAX_LOADED_DATA),
        priority_fee=fee,
        data_limit_given=True,
    )
