"""A node made of a function: answers JSON-RPC requests without a network."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

import httpx2
import pytest
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from keeper.chain import RetryPolicy, RpcCall, RpcClient

Reply = Callable[[str, list[Any]], Any]


@dataclass
class Node:
    """Requests that came in, waits that were taken, calls that were observed."""

    client: RpcClient
    requests: list[tuple[str, list[Any]]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    calls: list[RpcCall] = field(default_factory=list)

    @property
    def methods(self) -> list[str]:
        return [method for method, _ in self.requests]


class MakeError(Protocol):
    def __call__(self, code: int, message: str, data: Any = None) -> dict[str, Any]: ...


class MakeNode(Protocol):
    def __call__(
        self, reply: Reply, *, attempts: int = 4, url: str = "http://node.test/key-123?api=secret"
    ) -> Node: ...


def error_body(code: int, message: str, data: Any = None) -> dict[str, Any]:
    error = {"code": code, "message": message}
    return {"__error__": error if data is None else {**error, "data": data}}


@pytest.fixture
async def make_node() -> AsyncIterator[MakeNode]:
    """``reply(method, params)`` gives the result, ``{"__error__": {...}}``, an ``httpx2.Response``, or raises."""
    made: list[Node] = []

    def make(reply: Reply, *, attempts: int = 4, url: str = "http://node.test/key-123?api=secret") -> Node:
        async def handle(request: httpx2.Request) -> httpx2.Response:
            body = json.loads(request.content)
            node.requests.append((body["method"], body["params"]))
            answer = reply(body["method"], body["params"])
            if isinstance(answer, httpx2.Response):
                return answer
            if isinstance(answer, dict) and "__error__" in answer:
                return httpx2.Response(200, json={"jsonrpc": "2.0", "id": body["id"], "error": answer["__error__"]})
            return httpx2.Response(200, json={"jsonrpc": "2.0", "id": body["id"], "result": answer})

        async def sleep(seconds: float) -> None:
            node.waits.append(seconds)

        calls: list[RpcCall] = []
        retry = RetryPolicy(attempts=attempts, sleep=sleep, random=Random(7))
        client = RpcClient(url, transport=httpx2.MockTransport(handle), retry=retry, observer=calls.append)
        node = Node(client, calls=calls)
        made.append(node)
        return node

    yield make
    for node in made:
        await node.client.aclose()


@pytest.fixture
def signed() -> VersionedTransaction:
    """A signed v0 transfer."""
    payer = Keypair.from_seed(bytes(range(32)))
    instruction = transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=payer.pubkey(), lamports=1))
    return VersionedTransaction(MessageV0.try_compile(payer.pubkey(), [instruction], [], Hash.default()), [payer])


@pytest.fixture
def error() -> MakeError:
    """An error object of a node: ``error(code, message, data=None)``."""
    return error_body
