"""What can go wrong with a node, by name.

Codes and names: Agave ``rpc-client-api/src/custom_error.rs`` and JSON-RPC 2.0 (shared facts, execution.md 1.5). An endpoint
is always named by its host alone, because providers put their keys into paths and query strings.
"""

from __future__ import annotations

import re
from typing import Any


class ChainError(Exception):
    """Root of everything that ``keeper.chain`` raises."""


class WrongCluster(ChainError):
    """The node serves another chain than the configured one. Nothing may be sent to it."""

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(
            f"the node's genesis hash is {actual}, the configuration expects {expected}; "
            "point rpc at a node of the right cluster or correct the expected hash"
        )
        self.expected = expected
        self.actual = actual


class RpcError(ChainError):
    """A JSON-RPC request that brought no usable answer. ``code`` and ``data`` are None unless the node gave them."""

    code: int | None = None
    data: Any = None

    def __init__(self, message: str, *, method: str, endpoint: str) -> None:
        super().__init__(f"{method} at {endpoint}: {message}")
        self.message = message
        self.method = method
        self.endpoint = endpoint


class RpcUnreachable(RpcError):
    """No answer: refused or reset connection, timeout, or a gateway's 5xx. Says nothing about whether the node acted."""

    def __init__(self, message: str, *, method: str, endpoint: str, status: int | None = None) -> None:
        super().__init__(message, method=method, endpoint=endpoint)
        self.status = status


class RpcRateLimited(RpcError):
    """HTTP 429, or the same said in the body of an HTTP 200. ``retry_after`` in seconds where the provider names it."""

    def __init__(self, message: str, *, method: str, endpoint: str, retry_after: float | None = None) -> None:
        super().__init__(message, method=method, endpoint=endpoint)
        self.retry_after = retry_after


class RpcForbidden(RpcError):
    """HTTP 401 or 403: the key is missing, wrong, or may not call this method."""


class RpcBadResponse(RpcError):
    """An answer that is not JSON-RPC, or whose result is not what the method returns."""


class RpcRefused(RpcError):
    """The node answered with an error object. ``name`` is Agave's name of ``code``, or ``Code<n>`` for a provider's own."""

    def __init__(self, code: int, message: str, data: Any = None, *, method: str, endpoint: str) -> None:
        self.name = NAMES.get(code, f"Code{code}")
        super().__init__(f"{self.name} ({code}): {message}", method=method, endpoint=endpoint)
        self.code = code
        self.data = data
        self.message = message


class PreflightFailure(RpcRefused):
    """-32002: the node simulated the transaction and did not forward it."""

    @property
    def err(self) -> Any:
        """The TransactionError in its JSON shape; None where the provider left ``data`` out."""
        return self.data.get("err") if isinstance(self.data, dict) else None

    @property
    def logs(self) -> tuple[str, ...]:
        """The simulation's logs, as far as the provider passed them on."""
        logs = self.data.get("logs") if isinstance(self.data, dict) else None
        return tuple(line for line in logs if isinstance(line, str)) if isinstance(logs, list) else ()


class SignatureVerificationFailure(RpcRefused):
    """-32003: a signature is missing or wrong. A mistake of ours; repeating it cannot help."""


class BlockNotAvailable(RpcRefused):
    """-32004, -32014: the block is not there yet."""


class NodeUnhealthy(RpcRefused):
    """-32005: the node is behind its cluster."""

    @property
    def slots_behind(self) -> int | None:
        """By how many slots, where the node knows."""
        behind = self.data.get("numSlotsBehind") if isinstance(self.data, dict) else None
        return behind if isinstance(behind, int) and not isinstance(behind, bool) else None


class PrecompileVerificationFailure(RpcRefused):
    """-32006: an ed25519 or secp256 instruction does not verify."""


class SlotSkipped(RpcRefused):
    """-32007, -32009: no block was produced in that slot."""


class HistoryNotAvailable(RpcRefused):
    """-32001, -32011, -32021: the node does not keep what was asked for; another provider may."""


class UnsupportedTransactionVersion(RpcRefused):
    """-32015: the transaction is of a version that the request did not admit."""


class MinContextSlotNotReached(RpcRefused):
    """-32016: the node has not seen the slot that the request builds on."""

    @property
    def context_slot(self) -> int | None:
        """The slot that the node has reached, where it says so."""
        slot = self.data.get("contextSlot") if isinstance(self.data, dict) else None
        return slot if isinstance(slot, int) and not isinstance(slot, bool) else None


class EpochRewardsPeriodActive(RpcRefused):
    """-32017: epoch rewards are being paid; stake accounts cannot be read or changed until that is over."""


class InvalidRequest(RpcRefused):
    """-32700, -32600, -32602: the node does not accept the request as we wrote it."""


class MethodNotFound(RpcRefused):
    """-32601: the provider does not offer this method."""


class NodeInternalError(RpcRefused):
    """-32603 and the transient failures of storage (-32012, -32019)."""


NAMES: dict[int, str] = {
    -32001: "BlockCleanedUp",
    -32002: "SendTransactionPreflightFailure",
    -32003: "TransactionSignatureVerificationFailure",
    -32004: "BlockNotAvailable",
    -32005: "NodeUnhealthy",
    -32006: "TransactionPrecompileVerificationFailure",
    -32007: "SlotSkipped",
    -32008: "NoSnapshot",
    -32009: "LongTermStorageSlotSkipped",
    -32010: "KeyExcludedFromSecondaryIndex",
    -32011: "TransactionHistoryNotAvailable",
    -32012: "ScanError",
    -32013: "TransactionSignatureLenMismatch",
    -32014: "BlockStatusNotAvailableYet",
    -32015: "UnsupportedTransactionVersion",
    -32016: "MinContextSlotNotReached",
    -32017: "EpochRewardsPeriodActive",
    -32018: "SlotNotEpochBoundary",
    -32019: "LongTermStorageUnreachable",
    -32020: "FilterTransactionNotFound",
    -32021: "NoSlotHistory",
    -32600: "InvalidRequest",
    -32601: "MethodNotFound",
    -32602: "InvalidParams",
    -32603: "InternalError",
    -32700: "ParseError",
}

_CLASSES: dict[int, type[RpcRefused]] = {
    -32001: HistoryNotAvailable,
    -32002: PreflightFailure,
    -32003: SignatureVerificationFailure,
    -32004: BlockNotAvailable,
    -32005: NodeUnhealthy,
    -32006: PrecompileVerificationFailure,
    -32007: SlotSkipped,
    -32009: SlotSkipped,
    -32011: HistoryNotAvailable,
    -32012: NodeInternalError,
    -32013: SignatureVerificationFailure,
    -32014: BlockNotAvailable,
    -32015: UnsupportedTransactionVersion,
    -32016: MinContextSlotNotReached,
    -32017: EpochRewardsPeriodActive,
    -32019: NodeInternalError,
    -32021: HistoryNotAvailable,
    -32600: InvalidRequest,
    -32601: MethodNotFound,
    -32602: InvalidRequest,
    -32603: NodeInternalError,
    -32700: InvalidRequest,
}

_RATE_LIMIT_CODES = frozenset({429, -32429, -32097})
_RATE_LIMIT_TEXT = re.compile(r"too many requests|rate.?limit|request limit", re.IGNORECASE)


def refusal(code: int, message: str, data: Any, *, method: str, endpoint: str) -> RpcRefused | RpcRateLimited:
    """The named error of an error object. Providers also say "too many requests" here, under codes of their own
    taste (429, -32429, -32005), with HTTP status 200."""
    if code in _RATE_LIMIT_CODES or _RATE_LIMIT_TEXT.search(message):
        return RpcRateLimited(f"{message} (code {code})", method=method, endpoint=endpoint)
    return _CLASSES.get(code, RpcRefused)(code, message, data, method=method, endpoint=endpoint)
