"""Errors of the runtime in Solana's JSON shape, and the words that logs use for them.

solders hands out error objects; converting by type (never by their text, which changed between versions) keeps the shape of
``TransactionError`` and ``InstructionError`` of anza's solana-sdk (facts, execution.md 1.6).
"""

from __future__ import annotations

from typing import Any

from solders.transaction_status import (
    InstructionErrorBorshIO,
    InstructionErrorCustom,
    TransactionErrorDuplicateInstruction,
    TransactionErrorInstructionError,
    TransactionErrorInsufficientFundsForRent,
    TransactionErrorProgramExecutionTemporarilyRestricted,
)

from keeper.sim.localnet.interface import JsonError, ProgramError

# Display of InstructionError, solana-sdk instruction-error/src/lib.rs.
_WORDS = {
    "GenericError": "generic instruction error",
    "InvalidArgument": "invalid program argument",
    "InvalidInstructionData": "invalid instruction data",
    "InvalidAccountData": "invalid account data for instruction",
    "AccountDataTooSmall": "account data too small for instruction",
    "InsufficientFunds": "insufficient funds for instruction",
    "IncorrectProgramId": "incorrect program id for instruction",
    "MissingRequiredSignature": "missing required signature for instruction",
    "AccountAlreadyInitialized": "instruction requires an uninitialized account",
    "UninitializedAccount": "instruction requires an initialized account",
    "UnbalancedInstruction": "sum of account balances before and after instruction do not match",
    "ModifiedProgramId": "instruction illegally modified the program id of an account",
    "ExternalAccountLamportSpend": "instruction spent from the balance of an account it does not own",
    "ExternalAccountDataModified": "instruction modified data of an account it does not own",
    "ReadonlyLamportChange": "instruction changed the balance of a read-only account",
    "ReadonlyDataModified": "instruction modified data of a read-only account",
    "DuplicateAccountIndex": "instruction contains duplicate accounts",
    "ExecutableModified": "instruction changed executable bit of an account",
    "RentEpochModified": "instruction modified rent epoch of an account",
    "NotEnoughAccountKeys": "insufficient account keys for instruction",
    "AccountDataSizeChanged": "program other than the account's owner changed the size of the account data",
    "AccountNotExecutable": "instruction expected an executable account",
    "AccountBorrowFailed": "instruction tries to borrow reference for an account which is already borrowed",
    "AccountBorrowOutstanding": "instruction left account with an outstanding borrowed reference",
    "DuplicateAccountOutOfSync": "instruction modifications of multiply-passed account differ",
    "InvalidError": "program returned invalid error code",
    "ExecutableDataModified": "instruction changed executable accounts data",
    "ExecutableLamportChange": "instruction changed the balance of an executable account",
    "ExecutableAccountNotRentExempt": "executable accounts must be rent exempt",
    "UnsupportedProgramId": "Unsupported program id",
    "CallDepth": "Cross-program invocation call depth too deep",
    "MissingAccount": "An account required by the instruction is missing",
    "ReentrancyNotAllowed": "Cross-program invocation reentrancy not allowed for this instruction",
    "MaxSeedLengthExceeded": "Length of the seed is too long for address generation",
    "InvalidSeeds": "Provided seeds do not result in a valid address",
    "InvalidRealloc": "Failed to reallocate account data",
    "ComputationalBudgetExceeded": "Computational budget exceeded",
    "PrivilegeEscalation": "Cross-program invocation with unauthorized signer or writable account",
    "ProgramEnvironmentSetupFailure": "Failed to create program execution environment",
    "ProgramFailedToComplete": "Program failed to complete",
    "ProgramFailedToCompile": "Program failed to compile",
    "Immutable": "Account is immutable",
    "IncorrectAuthority": "Incorrect authority provided",
    "BorshIoError": "Failed to serialize or deserialize account data",
    "AccountNotRentExempt": "An account does not have enough lamports to be rent-exempt",
    "InvalidAccountOwner": "Invalid account owner",
    "ArithmeticOverflow": "Program arithmetic overflowed",
    "UnsupportedSysvar": "Unsupported sysvar",
    "IllegalOwner": "Provided owner is not allowed",
    "MaxAccountsDataAllocationsExceeded": "Accounts data allocations exceeded the maximum allowed per transaction",
    "MaxAccountsExceeded": "Max accounts exceeded",
    "MaxInstructionTraceLengthExceeded": "Max instruction trace length exceeded",
    "BuiltinProgramsMustConsumeComputeUnits": "Builtin programs must consume compute units",
}


class ComputeExhausted(ProgramError):
    """The transaction's compute units ran out inside an instruction."""


def instruction_error(index: int, error: JsonError) -> JsonError:
    """``{"InstructionError": [index, error]}``."""
    return {"InstructionError": [index, error]}


def rent_error(account_index: int) -> JsonError:
    """``{"InsufficientFundsForRent": {"account_index": n}}``; the index counts the transaction's account keys."""
    return {"InsufficientFundsForRent": {"account_index": account_index}}


def _fieldless(error: Any) -> str:
    """The variant's name: a fieldless error of solders prints as ``ClassName.Variant``."""
    return str(error).rsplit(".", 1)[-1]


def convert_instruction_error(error: Any) -> JsonError:
    """solders' InstructionError object as JSON value: a name or ``{"Custom": code}``."""
    if isinstance(error, InstructionErrorCustom):
        return {"Custom": error.code}
    if isinstance(error, InstructionErrorBorshIO):
        return "BorshIoError"
    return _fieldless(error)


def convert_transaction_error(error: Any) -> JsonError:
    """solders' TransactionError object as JSON value. Indexes are those of the transaction it came from."""
    if isinstance(error, TransactionErrorInstructionError):
        return instruction_error(error.index, convert_instruction_error(error.err))
    if isinstance(error, TransactionErrorInsufficientFundsForRent):
        return rent_error(error.account_index)
    if isinstance(error, TransactionErrorDuplicateInstruction):
        return {"DuplicateInstruction": error.index}
    if isinstance(error, TransactionErrorProgramExecutionTemporarilyRestricted):
        return {"ProgramExecutionTemporarilyRestricted": {"account_index": error.account_index}}
    return _fieldless(error)


def words(error: JsonError) -> str:
    """How ``Program X failed: ...`` words an InstructionError."""
    if isinstance(error, dict):
        code = error.get("Custom")
        return f"custom program error: {code:#x}" if isinstance(code, int) else str(error)
    return _WORDS.get(error, error)
