"""solders' error objects in Solana's JSON shape."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from solders.transaction_status import (
    InstructionErrorCustom,
    InstructionErrorFieldless,
    TransactionErrorDuplicateInstruction,
    TransactionErrorFieldless,
    TransactionErrorInstructionError,
    TransactionErrorInsufficientFundsForRent,
    TransactionErrorProgramExecutionTemporarilyRestricted,
)

from keeper.sim.localnet.interface import JsonError
from keeper.sim.localnet.transaction_errors import convert_transaction_error, words

INSTRUCTION_ERRORS = [name for name in dir(InstructionErrorFieldless) if name[0].isupper()]
TRANSACTION_ERRORS = [name for name in dir(TransactionErrorFieldless) if name[0].isupper()]


@pytest.mark.parametrize("name", INSTRUCTION_ERRORS)
def test_every_instruction_error_has_its_name_and_its_words(name: str) -> None:
    error = TransactionErrorInstructionError(3, getattr(InstructionErrorFieldless, name))
    assert convert_transaction_error(error) == {"InstructionError": [3, name]}
    assert " " in words(name)


@pytest.mark.parametrize("name", TRANSACTION_ERRORS)
def test_every_transaction_error_has_its_name(name: str) -> None:
    assert convert_transaction_error(getattr(TransactionErrorFieldless, name)) == name


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (
            lambda: TransactionErrorInstructionError(1, InstructionErrorCustom(17)),
            {"InstructionError": [1, {"Custom": 17}]},
        ),
        (lambda: TransactionErrorDuplicateInstruction(2), {"DuplicateInstruction": 2}),
        (lambda: TransactionErrorInsufficientFundsForRent(3), {"InsufficientFundsForRent": {"account_index": 3}}),
        (
            lambda: TransactionErrorProgramExecutionTemporarilyRestricted(1),
            {"ProgramExecutionTemporarilyRestricted": {"account_index": 1}},
        ),
    ],
)
def test_errors_with_fields(make: Callable[[], object], shape: JsonError) -> None:
    assert convert_transaction_error(make()) == shape


def test_custom_errors_are_worded_in_hexadecimal() -> None:
    assert words({"Custom": 17}) == "custom program error: 0x11"
    assert words({"Custom": 0}) == "custom program error: 0x0"
