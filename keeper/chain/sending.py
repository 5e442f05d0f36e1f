"""Handing signed bytes to a node: the one request whose outcome is a value.

"No answer" must never read as "not sent" (shared facts, execution.md 1.5, unknown-outcome rule), so ``Refused`` is kept for
error objects with which a node says that it did not forward the bytes; everything else is ``Unknown``.
"""

from __future__ import annotations

import base64
from typing import Any

from solders.signature import Signature
from solders.transaction import VersionedTransaction

from keeper.chain.answers import Commitment, Refused, SendResult, Sent, Unknown
from keeper.chain.errors import (
    InvalidRequest,
    MethodNotFound,
    MinContextSlotNotReached,
    NodeUnhealthy,
    PrecompileVerificationFailure,
    PreflightFailure,
    RpcBadResponse,
    RpcError,
    SignatureVerificationFailure,
    UnsupportedTransactionVersion,
)
from keeper.chain.transport import JsonRpc
from keeper.units import Slot

NOT_FORWARDED = (
    PreflightFailure,
    SignatureVerificationFailure,
    PrecompileVerificationFailure,
    UnsupportedTransactionVersion,
    NodeUnhealthy,
    MinContextSlotNotReached,
    InvalidRequest,
    MethodNotFound,
)


async def send_result(
    rpc: JsonRpc, raw: bytes, commitment: Commitment, skip_preflight: bool, min_context_slot: Slot | None
) -> SendResult:
    """One sendTransaction. ``commitment`` must be the blockhash's own: the node works out the expiry from it."""
    expected = signature_of(raw)
    config: dict[str, Any] = {
        "encoding": "base64",
        "skipPreflight": skip_preflight,
        "preflightCommitment": commitment.value,
        "maxRetries": 0,
    }
    if min_context_slot is not None:
        config["minContextSlot"] = min_context_slot.value
    try:
        answered = await rpc.call("sendTransaction", [base64.b64encode(raw).decode("ascii"), config])
    except RpcError as error:
        if _already_processed(error):
            return Sent(expected)
        if isinstance(error, NOT_FORWARDED):
            return Refused(error)
        return Unknown(str(error), error)
    if answered != str(expected):
        bad = RpcBadResponse(
            f"answered {answered!r:.100} for the transaction {expected}", method="sendTransaction", endpoint=rpc.label
        )
        return Unknown(str(bad), bad)
    return Sent(expected)


def signature_of(raw: bytes) -> Signature:
    """The transaction id of signed bytes. Raises ``ValueError`` where they are not a transaction or not signed."""
    try:
        signatures = VersionedTransaction.from_bytes(raw).signatures
    except ValueError as error:
        raise ValueError(f"{len(raw)} bytes that are not a transaction: {error}") from error
    if not signatures or signatures[0] == Signature.default():
        raise ValueError("the transaction is not signed by its fee payer; sign it before sending")
    return signatures[0]


def _already_processed(error: RpcError) -> bool:
    if isinstance(error, PreflightFailure) and error.err is not None:
        return bool(error.err == "AlreadyProcessed")
    return isinstance(error, PreflightFailure) and "already been processed" in error.message
