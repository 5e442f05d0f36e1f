"""A localnet without sockets: its faces as HTTP transports of the keeper's own clients, on a clock that only moves when asked.

Everything happens in sequence in one task, so the same seed gives the same run, byte by byte.
"""

from __future__ import annotations

import json

import httpx2

from keeper.chain.clock import VirtualClock
from keeper.sim.localnet.server import Localnet


class RpcTransport(httpx2.AsyncBaseTransport):
    """JSON-RPC requests go straight to the localnet's methods."""

    def __init__(self, net: Localnet) -> None:
        self._net = net

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = await self._net.rpc.handle(await request.aread())
        return httpx2.Response(200, content=answer or b"", headers={"content-type": "application/json"})


class JupiterTransport(httpx2.AsyncBaseTransport):
    """Jupiter requests go straight to the localnet's Jupiter face."""

    def __init__(self, net: Localnet) -> None:
        self._net = net

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = await request.aread()
        status, headers, answer = await self._net.jupiter.handle(
            request.method, request.url.path, dict(request.url.params), dict(request.headers), body or None
        )
        content = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        return httpx2.Response(status, content=content, headers={**headers, "content-type": "application/json"})


class SlotDriver:
    """Turns passing seconds into slots: the ``on_advance`` of a ``VirtualClock``."""

    def __init__(self, net: Localnet) -> None:
        self._net = net
        self._owed_ms = 0.0

    def __call__(self, seconds: float) -> None:
        period = self._net.config.bank.slot_ms
        self._owed_ms += seconds * 1000
        while self._owed_ms >= period:
            self._owed_ms -= period
            self._net.bank.advance_slot()


def virtual_clock(net: Localnet) -> VirtualClock:
    """A clock whose sleeping moves ``net``."""
    return VirtualClock(SlotDriver(net))
