"""Every way a node can fail to answer has a name, and only harmless requests are repeated."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from solders.pubkey import Pubkey

from keeper.chain import (
    ONCE,
    MethodNotFound,
    MinContextSlotNotReached,
    NodeUnhealthy,
    PreflightFailure,
    RetryPolicy,
    RpcBadResponse,
    RpcClient,
    RpcError,
    RpcForbidden,
    RpcRateLimited,
    RpcRefused,
    RpcUnreachable,
    UnsupportedTransactionVersion,
)
from keeper.chain.transport import retry_after

if TYPE_CHECKING:
    from tests.chain.conftest import MakeError, MakeNode


def raising(exception: Exception) -> Any:
    def reply(*_: Any) -> Any:
        raise exception

    return reply


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (httpx2.Response(503, text="upstream"), RpcUnreachable),
        (httpx2.Response(500, json={"error": {"code": 1, "message": "x"}}), RpcUnreachable),
        (httpx2.Response(429, headers={"retry-after": "1"}), RpcRateLimited),
        (httpx2.Response(403, text="forbidden"), RpcForbidden),
        (httpx2.Response(401), RpcForbidden),
        (httpx2.Response(410, text="gone"), RpcBadResponse),
        (httpx2.Response(200, text="<html>busy</html>"), RpcBadResponse),
        (httpx2.Response(200, content=b""), RpcBadResponse),
        (httpx2.Response(200, content=b"[" * 100_000), RpcBadResponse),
        (httpx2.Response(200, content=b"\xff\xfe\x00"), RpcBadResponse),
        (httpx2.Response(200, json=[1, 2]), RpcBadResponse),
        (httpx2.Response(200, json={"jsonrpc": "2.0", "id": 999, "result": 5}), RpcBadResponse),
        (httpx2.Response(200, json={"jsonrpc": "2.0", "id": 1}), RpcBadResponse),
        (httpx2.Response(200, json={"id": 1, "error": {"code": "x", "message": "m"}}), RpcBadResponse),
        (httpx2.Response(200, json={"id": 1, "error": "Too many requests, slow down"}), RpcRateLimited),
        (httpx2.Response(200, json={"id": 1, "error": "nonsense"}), RpcBadResponse),
    ],
)
async def test_answers_that_are_none(make_node: MakeNode, answer: Any, expected: Any) -> None:
    node = make_node(lambda *_: answer, attempts=1)
    with pytest.raises(expected) as caught:
        await node.client.slot()
    assert type(caught.value) is expected
    assert node.calls[0].outcome == expected.__name__


@pytest.mark.parametrize(
    "exception",
    [
        httpx2.ConnectError("refused"),
        httpx2.ReadTimeout(""),
        httpx2.ConnectTimeout(""),
        httpx2.RemoteProtocolError("reset"),
        httpx2.ReadError(""),
        httpx2.PoolTimeout(""),
    ],
)
async def test_transport_failures_are_unreachable_and_say_so(make_node: MakeNode, exception: Exception) -> None:
    node = make_node(raising(exception), attempts=1)
    with pytest.raises(RpcUnreachable, match=type(exception).__name__):
        await node.client.slot()


@pytest.mark.parametrize(
    ("code", "expected", "name"),
    [
        (-32002, PreflightFailure, "SendTransactionPreflightFailure"),
        (-32005, NodeUnhealthy, "NodeUnhealthy"),
        (-32016, MinContextSlotNotReached, "MinContextSlotNotReached"),
        (-32015, UnsupportedTransactionVersion, "UnsupportedTransactionVersion"),
        (-32601, MethodNotFound, "MethodNotFound"),
        (-33000, RpcRefused, "Code-33000"),
        (-1015, RpcRefused, "Code-1015"),
    ],
)
async def test_error_objects_by_name_with_and_without_data(
    make_node: MakeNode, error: MakeError, code: int, expected: Any, name: str
) -> None:
    # solders panics on -32002, -32005 and -32016 without data, and loses the text of unknown codes
    for data in (None, {"numSlotsBehind": 3, "contextSlot": 9, "err": "AccountInUse", "logs": ["a", 1]}, "text", [1]):
        node = make_node(lambda *_, data=data: error(code, "because", data), attempts=1)
        with pytest.raises(RpcRefused) as caught:
            await node.client.slot()
        assert type(caught.value) is expected
        assert (caught.value.code, caught.value.name, caught.value.data) == (code, name, data)
        assert "because" in str(caught.value)


async def test_details_of_the_errors_that_carry_some(make_node: MakeNode, error: MakeError) -> None:
    data = {"numSlotsBehind": 3, "contextSlot": 9, "err": "AccountInUse", "logs": ["a", 1]}
    codes = iter([-32005, -32016, -32002])
    node = make_node(lambda *_: error(next(codes), "m", data), attempts=1)
    with pytest.raises(NodeUnhealthy) as behind:
        await node.client.slot()
    assert behind.value.slots_behind == 3
    with pytest.raises(MinContextSlotNotReached) as early:
        await node.client.slot()
    assert early.value.context_slot == 9
    with pytest.raises(PreflightFailure) as failed:
        await node.client.slot()
    assert (failed.value.err, failed.value.logs) == ("AccountInUse", ("a",))


@pytest.mark.parametrize("code", [429, -32429, -32005, -32000])
async def test_rate_limits_hidden_in_http_200(make_node: MakeNode, error: MakeError, code: int) -> None:
    node = make_node(lambda *_: error(code, "Too many requests for a specific RPC call"), attempts=1)
    with pytest.raises(RpcRateLimited):
        await node.client.slot()


async def test_reads_are_repeated_until_an_answer_comes(make_node: MakeNode, error: MakeError) -> None:
    answers = iter([httpx2.Response(502), error(-32005, "behind"), httpx2.Response(200, text="?"), 33])
    node = make_node(lambda *_: next(answers))
    assert int(await node.client.slot()) == 33
    assert [call.attempt for call in node.calls] == [1, 2, 3, 4]
    assert [call.outcome for call in node.calls] == ["RpcUnreachable", "NodeUnhealthy", "RpcBadResponse", "ok"]
    assert len(node.waits) == 3
    assert all(0 <= wait <= ceiling for wait, ceiling in zip(node.waits, [0.2, 0.4, 0.8], strict=True))


async def test_the_last_error_is_raised_as_it_came(make_node: MakeNode) -> None:
    node = make_node(lambda *_: httpx2.Response(503))
    with pytest.raises(RpcUnreachable) as caught:
        await node.client.slot()
    assert caught.value.status == 503
    assert len(node.requests) == 4


@pytest.mark.parametrize("code", [-32602, -32601, -32015, -32003, -32011])
async def test_what_cannot_get_better_is_not_repeated(make_node: MakeNode, error: MakeError, code: int) -> None:
    node = make_node(lambda *_: error(code, "no"))
    with pytest.raises(RpcRefused):
        await node.client.slot()
    assert len(node.requests) == 1


async def test_retry_after_is_obeyed_up_to_our_patience(make_node: MakeNode) -> None:
    answers = iter([httpx2.Response(429, headers={"retry-after": "2"}), 1])
    node = make_node(lambda *_: next(answers))
    await node.client.slot()
    assert node.waits == [2.0]
    long = make_node(lambda *_: httpx2.Response(429, headers={"retry-after": "60"}))
    with pytest.raises(RpcRateLimited) as caught:
        await long.client.slot()
    assert caught.value.retry_after == 60
    assert len(long.requests) == 1


def test_retry_after_header_in_every_spelling() -> None:
    assert retry_after(None) is None
    assert retry_after("7") == 7.0
    assert retry_after("soon") is None
    assert retry_after("") is None
    later = retry_after(format_datetime(datetime.now(UTC) + timedelta(seconds=30)))
    assert later is not None
    assert 25 < later <= 30
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0


async def test_keys_in_urls_never_show(make_node: MakeNode) -> None:
    node = make_node(
        lambda *_: httpx2.Response(503), attempts=1, url="https://user:pw@rpc.test:8899/v1/SECRET?key=SECRET"
    )
    with pytest.raises(RpcError) as caught:
        await node.client.slot()
    shown = f"{caught.value} {caught.value.endpoint} {node.client!r} {node.calls}"
    assert "rpc.test:8899" in shown
    assert "SECRET" not in shown
    assert "pw" not in shown


async def test_a_malformed_result_names_the_place(make_node: MakeNode) -> None:
    node = make_node(lambda *_: {"context": {"slot": 1}, "value": [{"lamports": -1}]}, attempts=1)
    key = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
    with pytest.raises(
        RpcBadResponse, match=r"result\.value\[0\]\.lamports: expected an unsigned 64-bit integer, got -1"
    ):
        await node.client.accounts([Pubkey.from_string(key)])


def test_an_url_that_is_none_is_refused_at_once() -> None:
    for url in ("", "node:8899/SECRET", "ws://node/SECRET", "/SECRET", "http://node:SECRET"):
        with pytest.raises(ValueError, match=r"an RPC endpoint \(http") as caught:
            RpcClient(url)
        assert "SECRET" not in str(caught.value)


def test_policies_are_checked() -> None:
    assert ONCE.attempts == 1
    with pytest.raises(ValueError, match="attempts >= 1"):
        RetryPolicy(attempts=0)
