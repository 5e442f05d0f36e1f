"""Keys, rate limits and the sockets of the Jupiter face."""

from __future__ import annotations

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.protocols.addresses import WSOL_MINT
from keeper.sim.localnet.jupiter import Access, SlidingWindow
from keeper.sim.localnet.jupiter.face import JupiterFace
from tests.localnet_rpc.stage import SOL, Stage

LABELS = "/swap/v1/program-id-to-label"


class Clock:
    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


def face(stage: Stage, access: Access) -> JupiterFace:
    return JupiterFace(stage.net.bank, stage.market, access=access)


async def test_a_wrong_key_is_401_a_missing_one_is_keyless(stage: Stage) -> None:
    gated = face(stage, Access(api_key="secret"))
    assert (await gated.handle("GET", LABELS, {}, {"X-API-Key": "secret"}))[0] == 200
    status, _, body = await gated.handle("GET", LABELS, {}, {"x-api-key": "wrong"})
    assert (status, body) == (401, {"code": 401, "message": "Unauthorized"})
    assert (await gated.handle("GET", LABELS, {}, {}))[0] == 200
    assert (await face(stage, Access()).handle("GET", LABELS, {}, {"x-api-key": "anything"}))[0] == 200


async def test_the_window_slides_and_tells_when_to_come_back(stage: Stage) -> None:
    clock = Clock()
    gated = face(stage, Access(per_minute=3, clock=clock))
    for left in (2, 1, 0):
        status, headers, _ = await gated.handle("GET", LABELS, {}, {})
        assert (status, headers["x-ratelimit-remaining"]) == (200, str(left))
        clock.now += 10
    status, headers, body = await gated.handle("GET", LABELS, {}, {})
    assert (status, body) == (429, "[API Gateway] Too many requests")
    assert headers["x-ratelimit-current"] == "3"
    assert headers["x-ratelimit-reset"] == "1790000060"
    clock.now = float(headers["x-ratelimit-reset"])
    assert (await gated.handle("GET", LABELS, {}, {}))[0] == 200
    assert (await gated.handle("GET", LABELS, {}, {}))[0] == 429


async def test_callers_without_a_key_share_a_bucket_of_their_own(stage: Stage) -> None:
    gated = face(stage, Access(api_key="k", per_minute=2, keyless_per_minute=1, clock=Clock()))
    statuses = [
        (await gated.handle("GET", LABELS, {}, headers))[0]
        for headers in ({}, {}, {"x-api-key": "k"}, {"x-api-key": "k"}, {"x-api-key": "k"})
    ]
    assert statuses == [200, 429, 200, 200, 429]


@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 5))
def test_no_minute_holds_more_than_the_limit(gaps: list[float], limit: int) -> None:
    window, now, admitted = SlidingWindow(limit), 0.0, []
    for gap in gaps:
        now += gap
        if window.take(now):
            admitted.append(now)
    for first, later in zip(admitted, admitted[limit:], strict=False):
        assert later - first >= 60


def test_impossible_limits_are_refused() -> None:
    with pytest.raises(ValueError, match="both must be positive"):
        SlidingWindow(0)


async def test_over_http(served: Stage) -> None:
    query = {"inputMint": str(served.market.glowsol_mint), "outputMint": str(WSOL_MINT), "amount": str(SOL)}
    async with aiohttp.ClientSession(served.net.jupiter_url) as session:
        async with session.get("/swap/v1/quote", params={**query, "dexes": "Localnet+AMM"}) as answer:
            # "+" that the client escaped is a plus sign, which no label has.
            assert answer.status == 400
        async with session.get(
            f"/swap/v1/quote?{'&'.join(f'{k}={v}' for k, v in query.items())}&dexes=Localnet+AMM"
        ) as answer:
            assert answer.status == 200
            assert answer.content_type == "application/json"
            quote = await answer.json()
        body = {"userPublicKey": str(served.trader.pubkey()), "quoteResponse": quote}
        async with session.post("/swap/v1/swap", json=body) as answer:
            assert (await answer.json())["swapTransaction"]
        async with session.post("/swap/v1/swap", data="{") as answer:
            assert answer.status == 422
