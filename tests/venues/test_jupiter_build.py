"""Jupiter's /build: what is asked, what is believed, and what every failure is called."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from keeper.chain import VirtualClock
from keeper.units import SOL, SSOL, Bps, Slot, TokenAmount
from keeper.venues import (
    JupiterBuild,
    NoRoute,
    PriceMoved,
    QuoteAbsurd,
    QuoteMalformed,
    RateLimit,
    VenueError,
    VenueRateLimited,
    VenueUnauthorised,
    VenueUnavailable,
)
from keeper.venues.vetting import COMPUTE_BUDGET, SPL_TOKEN, SYSTEM

if TYPE_CHECKING:
    from tests.venues.conftest import Jupiter

SLIPPAGE = Bps(20)


class Api(httpx2.AsyncBaseTransport):
    """Plays a list of answers, the last one for ever."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.requests: list[httpx2.Request] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx2.Response) else httpx2.Response(200, content=json.dumps(answer))


def venue(jupiter: Jupiter, *answers: Any, **more: Any) -> tuple[JupiterBuild, Api]:
    api = Api(*answers)
    clock = more.pop("clock", VirtualClock(wall=1_000.0))
    return JupiterBuild("https://jup.test/", jupiter.owner, transport=api, clock=clock, **more), api


async def test_a_quote_is_asked_and_read(jupiter: Jupiter) -> None:
    dex, api = venue(jupiter, jupiter.build(), api_key="k-1")
    quote = await dex.quote(jupiter.sell, SOL, slippage=SLIPPAGE)
    assert quote.receive == TokenAmount(SOL, 1_148_200_000)
    assert quote.min_receive == TokenAmount(SOL, 1_145_903_600)
    assert quote.route_labels == ("Sanctum Infinity",)
    assert quote.price_impact == Decimal("0.0002")
    assert quote.context_slot == Slot(446_970_000)
    request = api.requests[0]
    assert request.url.path == "/swap/v2/build"
    assert request.headers["x-api-key"] == "k-1"
    assert dict(request.url.params) == {
        "inputMint": SSOL.address,
        "outputMint": SOL.address,
        "amount": "1000000000",
        "taker": str(jupiter.owner),
        "slippageBps": "20",
        "maxAccounts": "64",
        "wrapAndUnwrapSol": "true",
    }


async def test_keyless_sends_no_header(jupiter: Jupiter) -> None:
    dex, api = venue(jupiter, jupiter.build())
    await dex.quote(jupiter.sell, SOL, slippage=SLIPPAGE)
    assert "x-api-key" not in api.requests[0].headers


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"outAmount": ...}, "outAmount"),
        ({"outAmount": 5}, "outAmount"),
        ({"outAmount": "-5"}, "outAmount"),
        ({"outAmount": "1.5"}, "outAmount"),
        ({"outAmount": str(2**64)}, "outAmount"),
        ({"outAmount": "٣"}, "outAmount"),
        ({"otherAmountThreshold": None}, "otherAmountThreshold"),
        ({"inAmount": ...}, "inAmount"),
        ({"slippageBps": "20"}, "slippageBps"),
        ({"priceImpactPct": "NaN"}, "priceImpactPct"),
        ({"priceImpactPct": "lots"}, "priceImpactPct"),
        ({"routePlan": []}, "routePlan"),
        ({"routePlan": [{}]}, "routePlan.0.swapInfo"),
        ({"contextSlot": -1}, "contextSlot"),
        ({"inputMint": ...}, "inputMint"),
    ],
)
async def test_malformed_fields_are_named(jupiter: Jupiter, changes: dict[str, Any], field: str) -> None:
    dex, _ = venue(jupiter, jupiter.build(**changes))
    with pytest.raises(QuoteMalformed, match=field) as caught:
        await dex.quote(jupiter.sell, SOL, slippage=SLIPPAGE)
    assert caught.value.field.startswith(field)


@pytest.mark.parametrize(
    "changes",
    [
        {"inputMint": SOL.address},
        {"outputMint": SSOL.address},
        {"inAmount": "999999999"},
        {"outAmount": "0", "otherAmountThreshold": "0"},
        {"otherAmountThreshold": "1148200001"},
        {"otherAmountThreshold": "1145903599"},
        {"swapMode": "ExactOut"},
        {"slippageBps": 50},
        {"priceImpactPct": "0.5"},
        {"priceImpactPct": "-3"},
    ],
)
async def test_absurd_quotes_are_not_believed(jupiter: Jupiter, changes: dict[str, Any]) -> None:
    dex, _ = venue(jupiter, jupiter.build(**changes))
    with pytest.raises(QuoteAbsurd):
        await dex.quote(jupiter.sell, SOL, slippage=SLIPPAGE)


NO_ROUTE = {"error": "Could not find any route", "errorCode": "COULD_NOT_FIND_ANY_ROUTE"}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (httpx2.Response(400, json=NO_ROUTE), NoRoute),
        (httpx2.Response(400, json={"error": "x", "errorCode": "TOKEN_NOT_TRADABLE"}), NoRoute),
        (httpx2.Response(400, json={"error": "x", "errorCode": "MAX_ACCOUNT_GREATER_THAN_MAX"}), VenueUnavailable),
        (httpx2.Response(400, json=[1]), VenueUnavailable),
        (httpx2.Response(404, text="nothing here"), VenueUnavailable),
        (httpx2.Response(500, json=NO_ROUTE), VenueUnavailable),
        (httpx2.Response(503, text="<html>"), VenueUnavailable),
        (httpx2.Response(200, text="<html>"), VenueUnavailable),
        (httpx2.Response(200, content=b"[" * 50_000), VenueUnavailable),
        (httpx2.Response(200, json=[]), QuoteMalformed),
        (httpx2.Response(401, json={"error": "bad key"}), VenueUnauthorised),
        (httpx2.Response(403), VenueUnauthorised),
        (
            httpx2.Response(429, text="[API Gateway] Too many requests", headers={"x-ratelimit-reset": "1040"}),
            VenueRateLimited,
        ),
        (httpx2.ConnectError("refused"), VenueUnavailable),
        (httpx2.ReadTimeout(""), VenueUnavailable),
        (httpx2.RemoteProtocolError("reset"), VenueUnavailable),
    ],
)
async def test_failures_by_name(jupiter: Jupiter, answer: Any, expected: type[VenueError]) -> None:
    dex, api = venue(jupiter, answer)
    with pytest.raises(expected) as caught:
        await dex.quote(jupiter.sell, SOL, slippage=SLIPPAGE)
    assert type(caught.value) is expected
    assert len(api.requests) == 1


async def test_a_short_rate_limit_is_waited_out(jupiter: Jupiter) -> None:
    clock = VirtualClock(wall=1_000.0)
    limited = httpx2.Response(429, headers={"x-ratelimit-reset": "1002"})
    dex, api = venue(jupiter, limited, jupiter.build(), clock=clock)
    before = clock.now()
    await dex.quote(jupiter.sell, SOL, slippage=SLIPPAGE)
    assert clock.now() - before == 2.0
    assert len(api.requests) == 2


async def test_a_long_rate_limit_is_told_and_spares_the_venue(jupiter: Jupiter) -> None:
    clock = VirtualClock(wall=1_000.0)
    dex, api = venue(jupiter, httpx2.Response(429, headers={"x-ratelimit-reset": "1030"}), jupiter.build(), clock=clock)
    for waited in (30.0, 30.0):
        with pytest.raises(VenueRateLimited) as caught:
            await dex.quote(jupiter.sell, SOL, slippage=SLIPPAGE)
        assert caught.value.reset == waited
    assert len(api.requests) == 1
    clock.advance(30)
    await dex.quote(jupiter.sell, SOL, slippage=SLIPPAGE)
    assert len(api.requests) == 2


@pytest.mark.parametrize(("header", "reset"), [("99999999999", 60.0), ("0", 0.0), ("soon", None), (None, None)])
async def test_a_reset_is_never_further_than_the_window(
    jupiter: Jupiter, header: str | None, reset: float | None
) -> None:
    limited = httpx2.Response(429, headers={} if header is None else {"x-ratelimit-reset": header})
    dex, _ = venue(jupiter, limited, patience=0.0)
    if reset == 0.0:  # asked again at once, and refused again
        with pytest.raises(VenueRateLimited):
            await dex.quote(jupiter.sell, SOL, slippage=SLIPPAGE)
        return
    with pytest.raises(VenueRateLimited) as caught:
        await dex.quote(jupiter.sell, SOL, slippage=SLIPPAGE)
    assert caught.value.reset == reset


@given(st.integers(2, 1_000), st.floats(1, 120))
def test_no_window_ever_sees_more_than_its_limit(requests: int, seconds: float) -> None:
    limiter = RateLimit(requests, seconds).limiter()
    refill = limiter.max_rate / limiter.time_period * seconds
    assert limiter.max_rate + refill <= requests * 1.000001
    assert limiter.max_rate >= 1


async def test_our_own_limit_holds_requests_back(jupiter: Jupiter) -> None:
    dex, api = venue(jupiter, jupiter.build(), rate=RateLimit(2, 3_600))
    await dex.quote(jupiter.sell, SOL, slippage=SLIPPAGE)
    second = asyncio.create_task(dex.quote(jupiter.sell, SOL, slippage=SLIPPAGE))
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(api.requests) == 1
    assert not second.done()
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    with pytest.raises(ValueError, match="at least 2 requests"):
        RateLimit(1)


@pytest.mark.parametrize(
    ("units", "buy", "slippage"), [(0, SOL, 1), (-1, SOL, 1), (5, SSOL, 1), (5, SOL, 10_000), (5, SOL, -1)]
)
async def test_questions_without_sense_are_not_asked(jupiter: Jupiter, units: int, buy: Any, slippage: int) -> None:
    dex, api = venue(jupiter, jupiter.build())
    with pytest.raises(ValueError, match=r"cannot|slippage"):
        await dex.quote(TokenAmount(SSOL, units), buy, slippage=Bps(slippage))
    assert api.requests == []


async def test_swap_instructions_for_a_token_sale(jupiter: Jupiter) -> None:
    dex, api = venue(jupiter, jupiter.build())
    quote = await dex.quote(jupiter.sell, SOL, slippage=SLIPPAGE)
    swap = await dex.swap(quote, jupiter.owner)
    assert swap.setup == (jupiter.create(),)
    assert swap.swap == jupiter.swap()
    assert swap.cleanup == (jupiter.close(),)
    assert swap.lookup_tables == (jupiter.stranger,)
    assert swap.min_receive == TokenAmount(SOL, 1_145_903_600)
    assert len(api.requests) == 2


async def test_swap_instructions_for_a_sale_of_sol(jupiter: Jupiter) -> None:
    jupiter.sell, jupiter.buy, jupiter.out = TokenAmount(SOL, 10**9), SSOL, 870_000_000
    setup = [jupiter.create(), jupiter.wrap(10**9), jupiter.sync()]
    body = jupiter.build(setupInstructions=[jupiter.json(item) for item in setup], addressesByLookupTableAddress=None)
    dex, _ = venue(jupiter, body)
    swap = await dex.swap(await dex.quote(jupiter.sell, SSOL, slippage=SLIPPAGE), jupiter.owner)
    assert swap.setup == tuple(setup)
    assert swap.lookup_tables == ()


Bend = Callable[["Jupiter"], dict[str, Any]]
THIEVES: dict[str, Bend] = {
    "another router": lambda j: {"swapInstruction": j.json(j.swap(program=j.stranger))},
    "an unknown instruction of the router": lambda j: {"swapInstruction": j.json(j.swap(kind="0011223344556677"))},
    "another amount": lambda j: {"swapInstruction": j.json(j.swap(amount=10**9 + 1))},
    "a lower minimum": lambda j: {"swapInstruction": j.json(j.swap(out=1_000_000_000))},
    "a wider slippage": lambda j: {"swapInstruction": j.json(j.swap(slippage=9_999))},
    "a foreign signer": lambda j: {"swapInstruction": j.json(j.swap(signer=j.stranger))},
    "a tip": lambda j: {"tipInstruction": j.json(j.wrap(5, j.stranger))},
    "other instructions": lambda j: {"otherInstructions": [j.json(j.sync())]},
    "SOL to a stranger": lambda j: {"setupInstructions": [j.json(j.wrap(5, j.stranger))]},
    "wrapping although no SOL is sold": lambda j: {"setupInstructions": [j.json(j.wrap(1))]},
    "a token transfer": lambda j: {"setupInstructions": [j.json(Instruction(SPL_TOKEN, b"\x03" + bytes(8), []))]},
    "an approval": lambda j: {"setupInstructions": [j.json(Instruction(SPL_TOKEN, b"\x04" + bytes(8), []))]},
    "an assignment": lambda j: {"setupInstructions": [j.json(Instruction(SYSTEM, b"\x01\0\0\0" + bytes(32), []))]},
    "a stranger's account": lambda j: {"setupInstructions": [j.json(j.create(wallet=j.stranger))]},
    "an account that is not the associated one": lambda j: {
        "setupInstructions": [j.json(j.create(account=j.stranger))]
    },
    "unwrapping to a stranger": lambda j: {"cleanupInstruction": j.json(j.close(j.stranger))},
    "a compute-budget slot used for something else": lambda j: {"computeBudgetInstructions": [j.json(j.sync())]},
    "a compute-budget instruction in the setup": lambda j: {
        "setupInstructions": [j.json(Instruction(COMPUTE_BUDGET, b"\x02" + bytes(4), []))]
    },
    "a signature of somebody else in the setup": lambda j: {
        "setupInstructions": [j.json(Instruction(SPL_TOKEN, b"\x11", [AccountMeta(j.stranger, True, True)]))]
    },
}


@pytest.mark.parametrize("what", THIEVES)
async def test_instructions_that_do_more_than_swap_are_refused(jupiter: Jupiter, what: str) -> None:
    dex, _ = venue(jupiter, jupiter.build(), jupiter.build(**THIEVES[what](jupiter)))
    quote = await dex.quote(jupiter.sell, SOL, slippage=SLIPPAGE)
    with pytest.raises(QuoteAbsurd):
        await dex.swap(quote, jupiter.owner)


@pytest.mark.parametrize(
    "changes",
    [
        {"swapInstruction": ...},
        {"swapInstruction": {"programId": "x", "accounts": [], "data": ""}},
        {"setupInstructions": None},
        {"setupInstructions": [{"programId": str(SYSTEM), "accounts": [], "data": "%%%"}]},
        {"cleanupInstruction": {"programId": str(SYSTEM), "accounts": [{"pubkey": str(SYSTEM)}], "data": ""}},
        {"addressesByLookupTableAddress": {"nonsense": []}},
        {"addressesByLookupTableAddress": []},
    ],
)
async def test_malformed_instructions_are_named(jupiter: Jupiter, changes: dict[str, Any]) -> None:
    dex, _ = venue(jupiter, jupiter.build(), jupiter.build(**changes))
    quote = await dex.quote(jupiter.sell, SOL, slippage=SLIPPAGE)
    with pytest.raises(QuoteMalformed, match=next(iter(changes))):
        await dex.swap(quote, jupiter.owner)


async def test_a_price_that_slipped_keeps_the_quotes_minimum(jupiter: Jupiter) -> None:
    quoted = jupiter.build()
    jupiter.out -= 1_000_000  # 8.7 bps down; 11 bps of the 20 are left
    slipped = jupiter.build()
    jupiter.slippage = 11
    dex, api = venue(jupiter, quoted, slipped, jupiter.build())
    quote = await dex.quote(jupiter.sell, SOL, slippage=SLIPPAGE)
    swap = await dex.swap(quote, jupiter.owner)
    assert api.requests[2].url.params["slippageBps"] == "11"
    assert quote.min_receive <= swap.min_receive


async def test_a_price_that_moved_past_the_minimum_is_told(jupiter: Jupiter) -> None:
    quoted = jupiter.build()
    jupiter.out -= 10_000_000
    dex, api = venue(jupiter, quoted, jupiter.build())
    quote = await dex.quote(jupiter.sell, SOL, slippage=SLIPPAGE)
    with pytest.raises(PriceMoved):
        await dex.swap(quote, jupiter.owner)
    assert len(api.requests) == 2


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["1", str(Pubkey.default())]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(data=st.data())
def test_any_answer_is_a_value_or_a_named_error(make_jupiter: type[Jupiter], data: st.DataObject) -> None:
    jupiter = make_jupiter()
    body = jupiter.build()
    for name in data.draw(st.lists(st.sampled_from(sorted(body)), max_size=3)):
        body[name] = data.draw(JSON)
    answer = data.draw(st.sampled_from([body, data.draw(JSON)]))

    async def ask() -> None:
        dex, api = venue(jupiter, jupiter.build(), answer)
        try:
            quote = await dex.quote(jupiter.sell, SOL, slippage=SLIPPAGE)
            api.answers = [answer]
            await dex.quote(jupiter.sell, SOL, slippage=SLIPPAGE)
            swap = await dex.swap(quote, jupiter.owner)
            assert swap.min_receive >= quote.min_receive
        except VenueError:
            return

    asyncio.run(ask())
