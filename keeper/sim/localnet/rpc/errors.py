"""JSON-RPC errors with Solana's codes, words and data.

Source: agave rpc-client-api/src/custom_error.rs and rpc/src/rpc.rs (facts, execution.md 1.5).
"""

from __future__ import annotations

from typing import Any

from keeper.sim.localnet.interface import JsonError
from keeper.sim.localnet.transaction_errors import words

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
PREFLIGHT_FAILURE = -32002
SIGNATURE_VERIFICATION_FAILURE = -32003
BLOCK_NOT_AVAILABLE = -32004
SLOT_SKIPPED = -32007
UNSUPPORTED_TRANSACTION_VERSION = -32015
MIN_CONTEXT_SLOT_NOT_REACHED = -32016


class RpcError(Exception):
    """A JSON-RPC error as the client sees it: ``code``, ``message`` and, where Solana has one, ``data``."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.data = data

    def to_json(self) -> dict[str, Any]:
        """The ``error`` member of a response."""
        body: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.data is not None:
            body["data"] = self.data
        return body


def invalid_params(message: str) -> RpcError:
    """-32602 with ``message`` as it stands."""
    return RpcError(INVALID_PARAMS, message)


def invalid_param(detail: str) -> RpcError:
    """-32602 in the words agave uses for a value that parsed but cannot be used."""
    return RpcError(INVALID_PARAMS, f"Invalid param: {detail}")


def min_context_slot_not_reached(context_slot: int) -> RpcError:
    """-32016: the node's bank at that commitment is older than the caller asked for."""
    return RpcError(
        MIN_CONTEXT_SLOT_NOT_REACHED, "Minimum context slot has not been reached", {"contextSlot": context_slot}
    )


def signature_verification_failure() -> RpcError:
    """-32003."""
    return RpcError(SIGNATURE_VERIFICATION_FAILURE, "Transaction signature verification failure")


def preflight_failure(error: JsonError, simulation: dict[str, Any]) -> RpcError:
    """-32002 with the whole simulation as data."""
    return RpcError(PREFLIGHT_FAILURE, f"Transaction simulation failed: {describe(error)}", simulation)


def node_unhealthy(slots_behind: int) -> RpcError:
    """-32005: the node lags behind its cluster."""
    return RpcError(-32005, f"Node is behind by {slots_behind} slots", {"numSlotsBehind": slots_behind})


def block_not_available(slot: int) -> RpcError:
    """-32004: the slot has no finished block yet."""
    return RpcError(BLOCK_NOT_AVAILABLE, f"Block not available for slot {slot}")


def slot_skipped(slot: int) -> RpcError:
    """-32007."""
    return RpcError(SLOT_SKIPPED, f"Slot {slot} was skipped, or missing due to ledger jump to recent snapshot")


def unsupported_version(version: int) -> RpcError:
    """-32015: the caller did not say that it understands this transaction version."""
    return RpcError(
        UNSUPPORTED_TRANSACTION_VERSION,
        f"Transaction version ({version}) is not supported by the requesting client. Please try the request again with the "
        f'following configuration parameter: "maxSupportedTransactionVersion": {version}',
    )


# Display of TransactionError, anza solana-sdk transaction-error/src/lib.rs.
_DISPLAY = {
    "AccountInUse": "Account in use",
    "AccountLoadedTwice": "Account loaded twice",
    "AccountNotFound": "Attempt to debit an account but found no record of a prior credit.",
    "ProgramAccountNotFound": "Attempt to load a program that does not exist",
    "InsufficientFundsForFee": "Insufficient funds for fee",
    "InvalidAccountForFee": "This account may not be used to pay transaction fees",
    "AlreadyProcessed": "This transaction has already been processed",
    "BlockhashNotFound": "Blockhash not found",
    "CallChainTooDeep": "Loader call chain is too deep",
    "MissingSignatureForFee": "Transaction requires a fee but has no signature present",
    "InvalidAccountIndex": "Transaction contains an invalid account reference",
    "SignatureFailure": "Transaction did not pass signature verification",
    "InvalidProgramForExecution": "This program may not be used for executing instructions",
    "SanitizeFailure": "Transaction failed to sanitize accounts offsets correctly",
    "ClusterMaintenance": "Transactions are currently disabled due to cluster maintenance",
    "AccountBorrowOutstanding": "Transaction processing left an account with an outstanding borrowed reference",
    "WouldExceedMaxBlockCostLimit": "Transaction would exceed max Block Cost Limit",
    "UnsupportedVersion": "Transaction version is unsupported",
    "InvalidWritableAccount": "Transaction loads a writable account that cannot be written",
    "WouldExceedMaxAccountCostLimit": "Transaction would exceed max account limit within the block",
    "WouldExceedAccountDataBlockLimit": "Transaction would exceed account data limit within the block",
    "TooManyAccountLocks": "Transaction locked too many accounts",
    "AddressLookupTableNotFound": "Transaction loads an address table account that doesn't exist",
    "InvalidAddressLookupTableOwner": "Transaction loads an address table account with an invalid owner",
    "InvalidAddressLookupTableData": "Transaction loads an address table account with invalid data",
    "InvalidAddressLookupTableIndex": "Transaction address table lookup uses an invalid index",
    "InvalidRentPayingAccount": "Transaction leaves an account with a lower balance than rent-exempt minimum",
    "MaxLoadedAccountsDataSizeExceeded": "Transaction exceeded max loaded accounts data size cap",
    "InvalidLoadedAccountsDataSizeLimit": "LoadedAccountsDataSizeLimit set for transaction must be greater than 0.",
    "UnbalancedTransaction": "Sum of account balances before and after transaction do not match",
    "ProgramCacheHitMaxLimit": "Program cache hit max limit",
    "CommitCancelled": "CommitCancelled",
}


def describe(error: JsonError) -> str:
    """A TransactionError in the runtime's own words, as RPC messages carry it."""
    if isinstance(error, str):
        return _DISPLAY.get(error, error)
    if "InstructionError" in error:
        index, inner = error["InstructionError"]
        return f"Error processing Instruction {index}: {words(inner)}"
    if "DuplicateInstruction" in error:
        return f"Transaction contains a duplicate instruction ({error['DuplicateInstruction']}) that is not allowed"
    if "InsufficientFundsForRent" in error:
        index = error["InsufficientFundsForRent"]["account_index"]
        return f"Transaction results in an account ({index}) with insufficient funds for rent"
    if "ProgramExecutionTemporarilyRestricted" in error:
        index = error["ProgramExecutionTemporarilyRestricted"]["account_index"]
        return f"Execution of the program referenced by account at index {index} is temporarily restricted."
    return str(error)
