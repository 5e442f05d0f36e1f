"""JSON-RPC 2.0: from a request's bytes to the answer's, single or batch."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Any, overload

import structlog

from keeper.sim.localnet.interface import BankFace
from keeper.sim.localnet.rpc.errors import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    RpcError,
)
from keeper.sim.localnet.rpc.faults import Faults
from keeper.sim.localnet.rpc.heads import Heads
from keeper.sim.localnet.rpc.methods import METHODS
from keeper.sim.localnet.rpc.node import HeadKeeper, Node
from keeper.sim.localnet.rpc.params import Params
from keeper.sim.localnet.rpc.performance import Performance
from keeper.sim.localnet.rpc.sending import Sender

_log = structlog.get_logger(__name__)
_SEPARATORS = (",", ":")


def encode(body: Any) -> bytes:
    """A JSON body as it goes over the wire."""
    return json.dumps(body, separators=_SEPARATORS).encode()


class JsonRpc:
    """The methods of one node. Usable without sockets: ``handle`` takes and returns bytes, or parsed JSON.

    HTTP faults (latency, 503) belong to the server; dropped and delayed transactions belong here.
    """

    def __init__(
        self,
        bank: BankFace,
        *,
        faults: Faults | None = None,
        market: Callable[[], dict[str, Any]] | None = None,
        confirmed_lag: int = 1,
        finalized_lag: int = 32,
    ) -> None:
        """``confirmed_lag`` and ``finalized_lag``: slots until a transaction is confirmed and finalized."""
        self.faults = faults or Faults()
        self.heads = Heads(bank, confirmed_lag=confirmed_lag, finalized_lag=finalized_lag)
        performance = Performance(slot_ms=bank.config.slot_ms, start_slot=bank.clock.slot)
        self.sender = Sender(bank, self.faults)
        self.node = Node(bank, self.heads, self.faults, self.sender, performance, market)
        self._keeper = HeadKeeper(self.heads, performance)
        bank.subscribe(self._keeper)

    def close(self) -> None:
        """Stop listening to the bank."""
        self.node.bank.unsubscribe(self._keeper)

    @overload
    async def handle(self, payload: bytes) -> bytes | None: ...
    @overload
    async def handle(self, payload: dict[str, Any]) -> dict[str, Any] | None: ...
    @overload
    async def handle(self, payload: list[Any]) -> dict[str, Any] | list[dict[str, Any]] | None: ...
    async def handle(
        self, payload: bytes | dict[str, Any] | list[Any]
    ) -> bytes | dict[str, Any] | list[dict[str, Any]] | None:
        """Answer a request or a batch in the form it came; None where only notifications were sent."""
        if isinstance(payload, bytes):
            try:
                parsed = json.loads(payload)
            except (ValueError, RecursionError):  # not JSON, not UTF-8, or nested past reason
                return encode(failure(None, RpcError(PARSE_ERROR, "Parse error")))
            answer = await self.answer(parsed)
            return None if answer is None else encode(answer)
        return await self.answer(payload)

    async def answer(self, request: Any) -> dict[str, Any] | list[dict[str, Any]] | None:
        """As ``handle`` for parsed JSON of any shape."""
        if not isinstance(request, list):
            return await self._one(request)
        if not request:
            return failure(None, RpcError(INVALID_REQUEST, "Invalid request"))
        answers = [answer for item in request if (answer := await self._one(item)) is not None]
        return answers or None

    async def _one(self, request: Any) -> dict[str, Any] | None:
        if not isinstance(request, dict):
            return failure(None, RpcError(INVALID_REQUEST, "Invalid request"))
        silent = "id" not in request
        try:
            result = await self.call(request)
        except RpcError as error:
            return None if silent else failure(request.get("id"), error)
        return None if silent else success(request["id"], result)

    async def call(self, request: dict[str, Any]) -> Any:
        """The result of one request; raises ``RpcError``."""
        name, values = read_request(request)
        method = METHODS.get(name)
        if method is None:
            raise RpcError(METHOD_NOT_FOUND, "Method not found")
        try:
            result = method(self.node, Params(values))
            if inspect.isawaitable(result):
                result = await result
        except RpcError:
            raise
        except Exception as error:
            # A fault of the localnet itself: tell the client and the log, keep serving the others.
            _log.exception("localnet.rpc.fault", method=name)
            raise RpcError(INTERNAL_ERROR, f"Internal error: {type(error).__name__}: {error}") from error
        return result


def read_request(request: dict[str, Any]) -> tuple[str, list[Any]]:
    """(method, positional parameters) of a request object; raises -32600 for a malformed one."""
    name, values = request.get("method"), request.get("params")
    if request.get("jsonrpc") != "2.0" or not isinstance(name, str):
        raise RpcError(INVALID_REQUEST, "Invalid request")
    if values is None:
        return name, []
    if not isinstance(values, list):
        raise RpcError(INVALID_REQUEST, "Invalid request")
    return name, values


def success(request_id: Any, result: Any) -> dict[str, Any]:
    """A response object."""
    return {"jsonrpc": "2.0", "id": request_id, "result": result}


def failure(request_id: Any, error: RpcError) -> dict[str, Any]:
    """An error response object."""
    return {"jsonrpc": "2.0", "id": request_id, "error": error.to_json()}
