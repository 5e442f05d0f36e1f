"""The sockets: JSON-RPC over HTTP and websockets, by aiohttp."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import structlog
from aiohttp import WSMsgType, web

from keeper.sim.localnet.rpc.dispatch import JsonRpc, encode, failure
from keeper.sim.localnet.rpc.errors import PARSE_ERROR, RpcError
from keeper.sim.localnet.rpc.subscriptions import Subscriptions

MAX_BODY_BYTES = 8 * 1024 * 1024
QUEUE_FRAMES = 4_096
"""Notifications that may wait for one client; a client further behind is dropped."""
_HEARTBEAT_SECONDS = 30.0
_log = structlog.get_logger(__name__)


class WebsocketClient:
    """One websocket connection as a subscriber: a bounded queue, and a task that empties it into the socket."""

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.Transport | None, *, frames: int) -> None:
        self._socket = socket
        self._transport = transport
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(frames)
        self.overflowed = False

    def send(self, text: bytes) -> None:
        """Queue a frame. On overflow the connection is cut: the bank waits for nobody."""
        if self.overflowed:
            return
        try:
            self._queue.put_nowait(text)
        except asyncio.QueueFull:
            self.overflowed = True
            _log.warning("localnet.websocket.dropped_slow_client", frames=self._queue.maxsize)
            if self._transport is not None:
                self._transport.abort()

    async def write(self) -> None:
        """Send queued frames until cancelled or the connection is gone."""
        while True:
            text = await self._queue.get()
            try:
                await self._socket.send_str(text.decode())
            except ConnectionError:
                return


class RpcServer:
    """HTTP and websocket handlers of one node."""

    def __init__(self, rpc: JsonRpc, subscriptions: Subscriptions, *, queue_frames: int = QUEUE_FRAMES) -> None:
        self._rpc = rpc
        self._subscriptions = subscriptions
        self._queue_frames = queue_frames
        self._sockets: set[web.WebSocketResponse] = set()

    def routes(self) -> list[web.RouteDef]:
        """POST / is JSON-RPC; GET / upgrades to a websocket; GET /health answers ``ok``."""
        return [web.post("/", self.post), web.get("/", self.upgrade), web.get("/health", self.health)]

    def websocket_routes(self) -> list[web.RouteDef]:
        """For the second port, where web3.js looks for websockets."""
        return [web.get("/", self.upgrade)]

    async def health(self, request: web.Request) -> web.Response:  # noqa: ARG002 - a handler's signature
        """As a validator's /health."""
        return web.Response(text="ok")

    async def post(self, request: web.Request) -> web.Response:
        """One JSON-RPC request or batch, past the configured faults."""
        faults = self._rpc.faults
        if faults.rates.rpc_latency_ms:
            await asyncio.sleep(faults.rates.rpc_latency_ms / 1_000)
        if faults.refuses_request():
            return web.Response(status=503, text="Service unavailable")
        answer = await self._rpc.handle(await request.read())
        if faults.loses_answer():
            return web.Response(status=503, text="Service unavailable")
        if answer is None:
            return web.Response(status=204)
        return web.Response(body=answer, content_type="application/json")

    async def upgrade(self, request: web.Request) -> web.StreamResponse:
        """A websocket client, until it leaves or falls too far behind."""
        socket = web.WebSocketResponse(heartbeat=_HEARTBEAT_SECONDS, max_msg_size=MAX_BODY_BYTES)
        if not socket.can_prepare(request).ok:
            return web.Response(status=405, text="Used HTTP Method is not allowed. POST or OPTIONS is required\n")
        await socket.prepare(request)
        client = WebsocketClient(socket, request.transport, frames=self._queue_frames)
        self._sockets.add(socket)
        writer = asyncio.create_task(client.write())
        try:
            async for message in socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    self._read(client, message.data)
        finally:
            self._subscriptions.drop(client)
            self._sockets.discard(socket)
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
        return socket

    def _read(self, client: WebsocketClient, text: str | bytes) -> None:
        try:
            request: Any = json.loads(text)
        except (ValueError, RecursionError):
            client.send(encode(failure(None, RpcError(PARSE_ERROR, "Parse error"))))
            return
        self._subscriptions.answer(client, request)

    async def close(self) -> None:
        """Say goodbye to every websocket client."""
        sockets = list(self._sockets)
        await asyncio.gather(*(socket.close(code=1001) for socket in sockets), return_exceptions=True)
