"""jupiter-python-sdk in its own process, against a Jupiter on loopback."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import pytest_asyncio
from aiohttp import web
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.pubkey import Pubkey

from keeper.chain import ONCE, RpcClient
from keeper.units import SOL, SSOL, Bps, TokenAmount
from keeper.venues import (
    JupiterSdk,
    NoRoute,
    PriceMoved,
    QuoteAbsurd,
    QuoteMalformed,
    VenueError,
    VenueRateLimited,
    VenueUnauthorised,
    VenueUnavailable,
)
from keeper.venues.decompile import LOOKUP_TABLE_PROGRAM
from keeper.venues.jupiter_sdk import DEFAULT_PYTHON

if TYPE_CHECKING:
    from tests.venues.conftest import Jupiter, LoopbackServer

pytestmark = [
    pytest.mark.skipif(
        not Path(DEFAULT_PYTHON).exists(),
        reason="the SDK's environment is not built (uv sync --only-group jupiter-sdk)",
    ),
    pytest.mark.asyncio(loop_scope="module"),  # one worker for the module: it takes half a second to start
]
SLIPPAGE = Bps(20)
TABLE = Pubkey.from_bytes(bytes([9] * 32))


class Chain:
    """A node that knows one lookup table, or fails."""

    def __init__(self) -> None:
        self.addresses: list[Pubkey] = []
        self.owner = LOOKUP_TABLE_PROGRAM
        self.status = 200

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content)
        value: list[Any] = []
        for _ in body["params"][0]:
            head = (1).to_bytes(4, "little") + b"\xff" * 8 + bytes(8) + bytes(1) + bytes(1) + bytes(32) + bytes(2)
            data = base64.b64encode(head + b"".join(bytes(key) for key in self.addresses)).decode()
            account = {"lamports": 1, "owner": str(self.owner), "data": [data, "base64"], "executable": False}
            value.append(account if self.addresses else None)
        result = {"context": {"slot": 5}, "value": value}
        return httpx2.Response(self.status, json={"jsonrpc": "2.0", "id": body["id"], "result": result})


@dataclass(frozen=True)
class World:
    """What the module's tests share."""

    server: LoopbackServer
    chain: Chain
    rpc: RpcClient
    dex: JupiterSdk


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    make_server: Callable[[], AbstractAsyncContextManager[LoopbackServer]], make_jupiter: type[Jupiter]
) -> AsyncIterator[World]:
    chain = Chain()
    async with (
        make_server() as server,
        RpcClient("http://node.test", transport=httpx2.MockTransport(chain), retry=ONCE) as rpc,
    ):
        owner = make_jupiter().owner
        url = f"{server.url}/swap/v1"
        async with JupiterSdk(url, owner, rpc, api_key="k-2", timeout=20.0, on_log=lambda _: None) as dex:
            yield World(server, chain, rpc, dex)


@pytest.fixture
def server(world: World) -> LoopbackServer:
    world.server.requests.clear()
    return world.server


@pytest.fixture
def dex(world: World) -> JupiterSdk:
    return world.dex


@pytest.fixture
def chain(world: World) -> Chain:
    world.chain.addresses, world.chain.owner, world.chain.status = [], LOOKUP_TABLE_PROGRAM, 200
    return world.chain


def serve(server: LoopbackServer, quote: Any, swap: Any = None) -> None:
    """``quote`` and ``swap``: a JSON body, a response factory, or a function of the request."""

    async def answer(request: web.Request) -> web.StreamResponse:
        body = swap if request.path.endswith("/swap") else quote
        if callable(body):
            body = body()
        return body if isinstance(body, web.StreamResponse) else web.json_response(body)

    server.answer = answer


async def test_a_quote_through_the_sdk(dex: JupiterSdk, server: LoopbackServer, jupiter: Jupiter) -> None:
    serve(server, jupiter.quote())
    quote = await dex.quote(jupiter.sell, SOL, slippage=SLIPPAGE)
    assert (quote.venue, quote.receive) == ("jupiter-sdk", TokenAmount(SOL, 1_148_200_000))
    path, query, headers = server.requests[0]
    assert path == "/swap/v1/quote"
    assert (query["amount"], query["slippageBps"], query["swapMode"]) == ("1000000000", "20", "ExactIn")
    assert headers["x-api-key"] == "k-2"


async def test_a_slippage_of_zero_is_really_asked(dex: JupiterSdk, server: LoopbackServer, jupiter: Jupiter) -> None:
    jupiter.slippage = 0
    serve(server, jupiter.quote())
    quote = await dex.quote(jupiter.sell, SOL, slippage=Bps(0))
    assert server.requests[0][1]["slippageBps"] == "0"
    assert quote.min_receive == quote.receive


async def test_requests_run_side_by_side(dex: JupiterSdk, server: LoopbackServer, jupiter: Jupiter) -> None:
    everyone = asyncio.Event()

    async def answer(_: web.Request) -> web.StreamResponse:
        if len(server.requests) == 4:
            everyone.set()
        await everyone.wait()  # nobody is answered before all four have asked
        return web.json_response(jupiter.quote())

    server.answer = answer
    quotes = await asyncio.gather(*(dex.quote(jupiter.sell, SOL, slippage=SLIPPAGE) for _ in range(4)))
    assert len(quotes) == 4


def text(status: int, body: str, **headers: str) -> Callable[[], web.Response]:
    return lambda: web.Response(
        status=status, text=body, headers={key.replace("_", "-"): v for key, v in headers.items()}
    )


NO_ROUTE = json.dumps({"error": "No routes found", "errorCode": "NO_ROUTES_FOUND"})


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (text(400, NO_ROUTE), NoRoute),
        (text(200, '{"error": "Could not find any route"}'), NoRoute),
        (text(400, '{"error": "x", "errorCode": "INVALID"}'), VenueUnavailable),
        (text(429, "[API Gateway] Too many requests", x_ratelimit_reset="1"), VenueRateLimited),
        (text(401, "{}"), VenueUnauthorised),
        (text(403, "forbidden"), VenueUnauthorised),
        (text(503, "<html>"), VenueUnavailable),
        (text(200, "<html>"), VenueUnavailable),
        (text(200, "{}"), QuoteMalformed),
        (text(200, '{"routePlan": []}'), QuoteMalformed),
        (text(200, "[]"), QuoteMalformed),
    ],
)
async def test_what_the_sdk_garbles_gets_its_name_back(
    dex: JupiterSdk, server: LoopbackServer, jupiter: Jupiter, answer: Any, expected: type[VenueError]
) -> None:
    serve(server, answer)
    with pytest.raises(expected) as caught:
        await dex.quote(jupiter.sell, SOL, slippage=SLIPPAGE)
    assert type(caught.value) is expected
    if isinstance(caught.value, VenueRateLimited):
        assert caught.value.reset == 0.0


async def test_an_unreachable_api_is_unavailable(jupiter: Jupiter, world: World) -> None:
    async with JupiterSdk("http://127.0.0.1:1/swap/v1", jupiter.owner, world.rpc, on_log=lambda _: None) as dex:
        with pytest.raises(VenueUnavailable, match="ConnectError"):
            await dex.quote(jupiter.sell, SOL, slippage=SLIPPAGE)


async def test_a_missing_environment_is_unavailable(jupiter: Jupiter, world: World, tmp_path: Path) -> None:
    async with JupiterSdk("http://x.test", jupiter.owner, world.rpc, python=tmp_path / "python") as dex:
        with pytest.raises(VenueUnavailable, match="cannot start"):
            await dex.quote(jupiter.sell, SOL, slippage=SLIPPAGE)


async def test_a_worker_killed_under_a_request_is_unavailable_and_recovers(
    dex: JupiterSdk, server: LoopbackServer, jupiter: Jupiter
) -> None:
    asked = asyncio.Event()

    async def never(_: web.Request) -> web.StreamResponse:
        asked.set()
        await asyncio.sleep(3600)
        return web.Response()

    server.answer = never
    under_way = asyncio.create_task(dex.quote(jupiter.sell, SOL, slippage=SLIPPAGE))
    await asked.wait()
    assert dex.worker.pid is not None
    os.kill(dex.worker.pid, signal.SIGKILL)
    with pytest.raises(VenueUnavailable, match="went away"):
        await under_way
    serve(server, jupiter.quote())
    assert (await dex.quote(jupiter.sell, SOL, slippage=SLIPPAGE)).receive.units == jupiter.out


async def test_swap_is_taken_apart(dex: JupiterSdk, server: LoopbackServer, jupiter: Jupiter) -> None:
    serve(server, jupiter.quote(), {"swapTransaction": jupiter.transaction(), "lastValidBlockHeight": 5})
    quote = await dex.quote(jupiter.sell, SOL, slippage=SLIPPAGE)
    swap = await dex.swap(quote, jupiter.owner)
    assert [item.program_id for item in swap.setup] == [jupiter.create().program_id]
    assert bytes(swap.swap.data) == bytes(jupiter.swap(kind="e517cb977ae3ad2a").data)
    assert [bytes(item.data) for item in swap.cleanup] == [b"\x09"]
    assert swap.lookup_tables == ()
    assert swap.min_receive == TokenAmount(SOL, 1_145_903_600)


async def test_lookup_tables_are_read_from_the_chain(
    dex: JupiterSdk, server: LoopbackServer, jupiter: Jupiter, chain: Chain
) -> None:
    chain.addresses = [Pubkey.from_bytes(bytes([40 + n] * 32)) for n in range(3)] + [jupiter.stranger]
    table = AddressLookupTableAccount(TABLE, chain.addresses)
    swap = jupiter.swap(kind="e517cb977ae3ad2a")
    serve(server, jupiter.quote(), {"swapTransaction": jupiter.transaction(swap, tables=[table])})
    quote = await dex.quote(jupiter.sell, SOL, slippage=SLIPPAGE)
    built = await dex.swap(quote, jupiter.owner)
    assert built.lookup_tables == (TABLE,)
    assert [(meta.pubkey, meta.is_writable) for meta in built.swap.accounts if meta.pubkey == jupiter.stranger] == [
        (jupiter.stranger, True)
    ]
    chain.addresses = chain.addresses[:3]
    with pytest.raises(QuoteMalformed, match="beyond the 3 addresses"):
        await dex.swap(quote, jupiter.owner)
    chain.owner = jupiter.stranger
    with pytest.raises(QuoteMalformed, match="is not a lookup table"):
        await dex.swap(quote, jupiter.owner)
    chain.status = 503
    with pytest.raises(VenueUnavailable, match="lookup tables cannot be read"):
        await dex.swap(quote, jupiter.owner)


@pytest.mark.parametrize(
    ("bend", "expected"),
    [
        (lambda _: {"swapTransaction": "%%%"}, QuoteMalformed),
        (lambda _: {"swapTransaction": "AAAA"}, QuoteMalformed),
        (lambda _: {"swapTransaction": 5}, QuoteMalformed),
        (lambda _: {"error": "simulation failed"}, NoRoute),
        (lambda _: {}, QuoteMalformed),
        (lambda j: {"swapTransaction": j.transaction(payer=j.stranger)}, QuoteAbsurd),
        (lambda j: {"swapTransaction": j.transaction(j.close())}, QuoteAbsurd),
        (lambda j: {"swapTransaction": j.transaction(j.swap(), j.swap(slippage=1))}, QuoteAbsurd),
        (lambda j: {"swapTransaction": j.transaction(j.wrap(5, j.stranger), j.swap())}, QuoteAbsurd),
        (lambda j: {"swapTransaction": j.transaction(j.swap(), j.wrap(5, j.stranger))}, QuoteAbsurd),
        (lambda j: {"swapTransaction": j.transaction(j.swap(out=5))}, QuoteAbsurd),
    ],
)
async def test_transactions_that_are_not_the_swap(
    dex: JupiterSdk, server: LoopbackServer, jupiter: Jupiter, bend: Callable[[Any], Any], expected: type[VenueError]
) -> None:
    serve(server, jupiter.quote(), bend(jupiter))
    quote = await dex.quote(jupiter.sell, SOL, slippage=SLIPPAGE)
    with pytest.raises(expected) as caught:
        await dex.swap(quote, jupiter.owner)
    assert type(caught.value) is expected


async def test_a_price_that_moved_past_the_minimum_is_told(
    dex: JupiterSdk, server: LoopbackServer, jupiter: Jupiter
) -> None:
    serve(server, jupiter.quote())
    quote = await dex.quote(jupiter.sell, SOL, slippage=SLIPPAGE)
    jupiter.out -= 10_000_000
    serve(server, jupiter.quote(), {"swapTransaction": jupiter.transaction()})
    with pytest.raises(PriceMoved):
        await dex.swap(quote, jupiter.owner)


async def test_the_worker_closes_on_request_and_starts_again_when_asked(
    dex: JupiterSdk, server: LoopbackServer, jupiter: Jupiter
) -> None:
    serve(server, jupiter.quote())
    await dex.quote(TokenAmount(SSOL, jupiter.sell.units), SOL, slippage=SLIPPAGE)
    pid = dex.worker.pid
    assert pid is not None
    await dex.aclose()
    assert not runs(pid)
    await dex.quote(TokenAmount(SSOL, jupiter.sell.units), SOL, slippage=SLIPPAGE)
    assert dex.worker.pid not in (None, pid)


async def test_the_worker_ends_with_its_parent(tmp_path: Path) -> None:
    """A killed parent closes nothing in order: the closed pipe alone must end the worker."""
    script = tmp_path / "parent.py"
    script.write_text(
        "import asyncio\n"
        "from solders.pubkey import Pubkey\n"
        "from keeper.chain import RpcClient\n"
        "from keeper.units import SOL, SSOL, Bps, TokenAmount\n"
        "from keeper.venues import JupiterSdk, VenueUnavailable\n"
        "async def main():\n"
        "    rpc = RpcClient('http://127.0.0.1:1')\n"
        "    dex = JupiterSdk('http://127.0.0.1:1', Pubkey.default(), rpc, on_log=lambda _: None)\n"
        "    try:\n"
        "        await dex.quote(TokenAmount(SSOL, 5), SOL, slippage=Bps(1))\n"
        "    except VenueUnavailable:\n"
        "        print(dex.worker.pid, flush=True)\n"
        "    await asyncio.sleep(3600)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, str(script), stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    worker = int(await parent.stdout.readline())
    assert runs(worker)
    parent.kill()
    await parent.wait()
    assert await asyncio.to_thread(ended, worker)


def runs(pid: int) -> bool:
    """Whether the process exists and is no zombie (its parent is gone; who reaps it is the machine's matter)."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def ended(pid: int) -> bool:
    for _ in range(500):
        if not runs(pid):
            return True
        time.sleep(0.02)
    return False
