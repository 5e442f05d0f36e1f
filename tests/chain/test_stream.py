"""Subscriptions that outlive connections: a websocket node on loopback that can be made to misbehave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from solana.rpc.websocket_api import SolanaWsClient
from solders.pubkey import Pubkey

from keeper.chain import (
    AccountChanged,
    Backoff,
    ChainEvent,
    ChainStream,
    SlotAdvanced,
    StreamConnected,
    StreamLost,
)
from keeper.units import Slot

A, B = Pubkey.from_bytes(bytes([1] * 32)), Pubkey.from_bytes(bytes([2] * 32))


class WsNode:
    """Confirms subscriptions; the test decides what it says next."""

    def __init__(self) -> None:
        self.port = 0
        self.sockets: list[web.WebSocketResponse] = []
        self.ids: dict[str, int] = {}
        self.unsubscribed: list[int] = []
        self.connections = 0
        self.refuse = False
        self._next = 0
        self._news = asyncio.Event()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/", self._serve)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        await self.drop()
        assert self._runner is not None
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if self.refuse:
            return web.Response(status=503)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.connections += 1
        self.sockets.append(socket)
        self.ids = {}
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            body = json.loads(message.data)
            if body["method"].endswith("Unsubscribe"):
                self.unsubscribed.append(body["params"][0])
                self._news.set()
                await socket.send_json({"jsonrpc": "2.0", "id": body["id"], "result": True})
                continue
            self._next += 1
            self.ids["slot" if body["method"] == "slotSubscribe" else body["params"][0]] = self._next
            await socket.send_json({"jsonrpc": "2.0", "id": body["id"], "result": self._next})
        self._news.set()
        return socket

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def drop(self) -> None:
        for socket in self.sockets:
            await socket.close()
        self.sockets.clear()

    async def slot(self, slot: int) -> None:
        body = {
            "subscription": self.ids["slot"],
            "result": {"slot": slot, "parent": slot - 1, "root": max(0, slot - 32)},
        }
        await self.sockets[-1].send_json({"jsonrpc": "2.0", "method": "slotNotification", "params": body})

    async def change(self, key: Pubkey, slot: int, subscription: int | None = None) -> None:
        value = {
            "lamports": 1,
            "owner": str(A),
            "data": ["", "base64"],
            "executable": False,
            "rentEpoch": 0,
            "space": 0,
        }
        number = subscription if subscription is not None else self.ids[str(key)]
        body = {"subscription": number, "result": {"context": {"slot": slot}, "value": value}}
        await self.sockets[-1].send_json({"jsonrpc": "2.0", "method": "accountNotification", "params": body})


@pytest.fixture
async def node() -> AsyncIterator[WsNode]:
    made = WsNode()
    await made.start()
    yield made
    await made.stop()


class Listener:
    """Collects events and waits for a condition on them."""

    def __init__(self) -> None:
        self.events: list[ChainEvent] = []
        self._news = asyncio.Event()

    def __call__(self, event: ChainEvent) -> None:
        self.events.append(event)
        self._news.set()

    async def until(self, condition: Callable[[list[ChainEvent]], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition(self.events):
                self._news.clear()
                await self._news.wait()

    def count(self, kind: type[Any]) -> int:
        return sum(isinstance(event, kind) for event in self.events)


@asynccontextmanager
async def running(stream: ChainStream) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(stream.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def make(node: WsNode, listener: Listener, *accounts: Pubkey, dead_after: float = 5.0, **more: Any) -> ChainStream:
    quick = Backoff(first=0.001, longest=0.01)
    return ChainStream(
        node.url, accounts, on_event=listener, rng=Random(3), dead_after=dead_after, backoff=quick, **more
    )


async def test_slots_and_changes_become_events(node: WsNode) -> None:
    listener = Listener()
    stream = make(node, listener, A, B)
    async with running(stream):
        await listener.until(lambda events: StreamConnected() in events)
        assert stream.connected
        await node.slot(5)
        await node.change(B, 5)
        await node.slot(6)
        await listener.until(lambda events: SlotAdvanced(Slot(6)) in events)
        assert listener.events == [
            StreamConnected(),
            SlotAdvanced(Slot(5)),
            AccountChanged(B, Slot(5)),
            SlotAdvanced(Slot(6)),
        ]
        assert stream.last_slot == Slot(6)
        assert stream.last_message_at is not None
        assert stream.counters.messages == 3
    assert stream.counters.losses == 0


async def test_a_lost_connection_is_made_again_with_all_subscriptions(node: WsNode) -> None:
    listener = Listener()
    stream = make(node, listener, A)
    async with running(stream):
        await listener.until(lambda _: listener.count(StreamConnected) == 1)
        await node.drop()
        await listener.until(lambda _: listener.count(StreamConnected) == 2)
        await node.change(A, 9)
        await listener.until(lambda events: AccountChanged(A, Slot(9)) in events)
    assert listener.count(StreamLost) == 1
    assert node.connections == 2
    assert (stream.counters.connections, stream.counters.losses) == (2, 1)


@pytest.mark.parametrize("frozen_slot", [None, 7])
async def test_a_silent_or_frozen_node_counts_as_dead(node: WsNode, frozen_slot: int | None) -> None:
    listener = Listener()
    stream = make(node, listener, A, dead_after=0.1)
    async with running(stream):
        await listener.until(lambda _: listener.count(StreamConnected) == 1)

        async def freeze() -> None:
            while True:  # messages flow, but the slot does not move
                await node.change(A, 7)
                if frozen_slot is not None:
                    await node.slot(frozen_slot)
                await asyncio.sleep(0.02)

        freezing = asyncio.create_task(freeze())
        await listener.until(lambda _: listener.count(StreamLost) >= 1)
        freezing.cancel()
        await asyncio.gather(freezing, return_exceptions=True)
    lost = next(event for event in listener.events if isinstance(event, StreamLost))
    assert "no slot for 0.1 s" in lost.reason


async def test_a_refusing_node_is_tried_again_until_it_serves(node: WsNode) -> None:
    node.refuse = True
    listener = Listener()
    async with running(make(node, listener)):
        await listener.until(lambda _: listener.count(StreamLost) >= 3)
        node.refuse = False
        await listener.until(lambda _: listener.count(StreamConnected) == 1)


async def test_the_set_of_accounts_can_be_replaced(node: WsNode) -> None:
    listener = Listener()
    stream = make(node, listener, A)
    async with running(stream):
        await listener.until(lambda _: listener.count(StreamConnected) == 1)
        old = node.ids[str(A)]
        stream.watch([B])
        await node.until(lambda: old in node.unsubscribed)
        await node.change(A, 4, subscription=old)  # was on its way already
        await node.change(B, 5)
        await listener.until(lambda events: AccountChanged(B, Slot(5)) in events)
        assert AccountChanged(A, Slot(4)) not in listener.events
        assert node.connections == 1
        await node.drop()
        await listener.until(lambda _: listener.count(StreamConnected) == 2)
        assert set(node.ids) == {"slot", str(B)}
    assert stream.accounts == {B}


class PanicException(BaseException):
    """As pyo3's: not an Exception."""


async def test_a_panic_of_solders_costs_one_connection(node: WsNode) -> None:
    panics = iter([True, True, False])

    class Panicking(SolanaWsClient):
        async def slot_subscribe(self) -> Any:
            if next(panics):
                raise PanicException("called `Option::unwrap()` on a `None` value")
            return await super().slot_subscribe()

    listener = Listener()
    async with running(make(node, listener, A, connect=Panicking)) as task:
        await listener.until(lambda _: listener.count(StreamConnected) == 1)
        assert not task.done()
    assert listener.count(StreamLost) == 2
    assert "PanicException" in str(listener.events[0])


def once_more(listener: Listener, lost: int, _: list[ChainEvent]) -> bool:
    """Lost once more since ``lost``, and connected again after it."""
    return listener.count(StreamLost) > lost and listener.count(StreamConnected) > listener.count(StreamLost)


async def test_garbage_from_the_node_costs_one_connection(node: WsNode) -> None:
    listener = Listener()
    async with running(make(node, listener, A)):
        for garbage in ("{", '{"jsonrpc":"2.0","method":"slotNotification","params":{}}', '{"error":1}'):
            await listener.until(lambda _: listener.count(StreamConnected) > listener.count(StreamLost))
            lost = listener.count(StreamLost)
            await node.sockets[-1].send_str(garbage)
            await listener.until(partial(once_more, listener, lost))
        await listener.until(lambda _: listener.count(StreamConnected) == 4)


async def test_what_the_listener_raises_surfaces(node: WsNode) -> None:
    def broken(_: ChainEvent) -> None:
        raise RuntimeError("the engine is gone")

    stream = ChainStream(node.url, [A], on_event=broken)
    async with asyncio.timeout(10):
        with pytest.raises(RuntimeError, match="the engine is gone"):
            await stream.run()


async def test_cancelling_ends_it_at_once(node: WsNode) -> None:
    listener = Listener()
    task = asyncio.create_task(make(node, listener, A).run())
    await listener.until(lambda _: listener.count(StreamConnected) == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await node.until(lambda: all(socket.closed for socket in node.sockets))


def test_an_url_that_is_no_websocket_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="starts with ws://"):
        ChainStream("http://node.test/KEY", [A], on_event=lambda _: None)


def test_waits_grow_to_a_bound_and_are_seeded() -> None:
    backoff = Backoff(first=0.5, longest=30.0)
    waits = [backoff.wait(failures, Random(failures)) for failures in range(2000)]
    assert all(0 <= wait <= 30 for wait in waits)
    assert all(wait <= 0.5 * 2**failures for failures, wait in enumerate(waits[:6]))
    assert waits == [backoff.wait(failures, Random(failures)) for failures in range(2000)]
