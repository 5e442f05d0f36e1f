"""The outcome of a send is a value, and it is sent exactly once."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from keeper.chain import Endpoints, NoEndpointAnswered, Refused, RpcRateLimited, Sent, Unknown
from keeper.units import BlockHeight, Slot

if TYPE_CHECKING:
    from tests.chain.conftest import MakeError, MakeNode


async def test_sent(make_node: MakeNode, signed: VersionedTransaction) -> None:
    node = make_node(lambda *_: str(signed.signatures[0]))
    result = await node.client.send_transaction(bytes(signed), min_context_slot=Slot(9))
    assert result == Sent(signed.signatures[0])
    raw, config = node.requests[0][1]
    assert base64.b64decode(raw) == bytes(signed)
    assert config == {
        "encoding": "base64",
        "skipPreflight": True,
        "preflightCommitment": "confirmed",
        "maxRetries": 0,
        "minContextSlot": 9,
    }


def timeout(*_: Any) -> Any:
    raise httpx2.ReadTimeout("")


def reset(*_: Any) -> Any:
    raise httpx2.RemoteProtocolError("server disconnected")


@pytest.mark.parametrize(
    "reply",
    [
        timeout,
        reset,
        lambda *_: httpx2.Response(500),
        lambda *_: httpx2.Response(503, text="x"),
        lambda *_: httpx2.Response(429),
        lambda *_: httpx2.Response(403),
        lambda *_: httpx2.Response(200, text="garbage"),
        lambda *_: httpx2.Response(200, json={"id": 1, "result": None}),
        lambda *_: str(Signature.default()),
        lambda *_: None,
        lambda *_: 17,
        lambda *_: {"__error__": {"code": -32603, "message": "Internal error"}},
        lambda *_: {"__error__": {"code": -32000, "message": "?"}},
        lambda *_: {"__error__": {"code": 429, "message": "slow"}},
    ],
)
async def test_unknown_outcome_is_neither_sent_nor_refused_and_not_repeated(
    make_node: MakeNode, signed: VersionedTransaction, reply: Any
) -> None:
    node = make_node(reply)
    result = await node.client.send_transaction(bytes(signed))
    assert isinstance(result, Unknown)
    assert result.reason
    assert len(node.requests) == 1
    assert node.waits == []


@pytest.mark.parametrize("code", [-32002, -32003, -32005, -32006, -32015, -32016, -32600, -32601, -32602])
async def test_refused_says_why_and_is_not_repeated(
    make_node: MakeNode, error: MakeError, signed: VersionedTransaction, code: int
) -> None:
    node = make_node(lambda *_: error(code, "no", {"err": {"InstructionError": [0, {"Custom": 1}]}, "logs": []}))
    result = await node.client.send_transaction(bytes(signed), skip_preflight=False)
    assert isinstance(result, Refused)
    assert result.error.code == code
    assert len(node.requests) == 1


@pytest.mark.parametrize("data", [{"err": "AlreadyProcessed", "logs": []}, None])
async def test_already_processed_is_good_news(
    make_node: MakeNode, error: MakeError, signed: VersionedTransaction, data: Any
) -> None:
    text = "Transaction simulation failed: This transaction has already been processed"
    node = make_node(lambda *_: error(-32002, text, data))
    assert await node.client.send_transaction(bytes(signed)) == Sent(signed.signatures[0])


async def test_bytes_that_are_no_signed_transaction_never_leave(
    make_node: MakeNode, signed: VersionedTransaction
) -> None:
    node = make_node(lambda *_: "x")
    unsigned = VersionedTransaction.populate(signed.message, [Signature.default()])
    for raw, words in ((b"", "not a transaction"), (b"\x00\xff", "not a transaction"), (bytes(unsigned), "not signed")):
        with pytest.raises(ValueError, match=words):
            await node.client.send_transaction(raw)
    assert node.requests == []


async def test_broadcast_tells_apart_all_refused_and_any_sent(
    make_node: MakeNode, error: MakeError, signed: VersionedTransaction
) -> None:
    taking = make_node(lambda *_: str(signed.signatures[0]), url="http://a.test")
    refusing = make_node(lambda *_: error(-32005, "behind"), url="http://b.test")
    silent = make_node(timeout, url="http://c.test")
    everyone = Endpoints(refusing.client, (silent.client, taking.client))
    spread = await everyone.broadcast(bytes(signed))
    assert [name for name, _ in spread.results] == ["b.test", "c.test", "a.test"]
    assert spread.sent
    assert not spread.refused_by_all
    assert isinstance(spread.overall, Sent)
    unsure = await Endpoints(refusing.client, (silent.client,)).broadcast(bytes(signed))
    assert not unsure.sent
    assert not unsure.refused_by_all
    assert isinstance(unsure.overall, Unknown)
    nobody = await Endpoints(refusing.client).broadcast(bytes(signed))
    assert nobody.refused_by_all


async def test_expiry_is_judged_by_the_lowest_height_that_answers(make_node: MakeNode) -> None:
    ahead = make_node(lambda *_: 500)
    behind = make_node(lambda *_: 420)
    down = make_node(lambda *_: httpx2.Response(429), attempts=1)
    floor = await Endpoints(ahead.client, (down.client, behind.client)).block_height_floor("finalized")
    assert (floor.height, floor.answered, floor.asked) == (BlockHeight(420), 2, 3)
    assert ahead.requests[0][1] == [{"commitment": "finalized"}]
    with pytest.raises(NoEndpointAnswered) as caught:
        await Endpoints(down.client).block_height_floor()
    assert isinstance(caught.value.errors[0], RpcRateLimited)
