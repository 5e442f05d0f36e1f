"""Jupiter's current API: ``GET {base}/swap/v2/build``, raw instructions for a transaction of our own.

Source: shared facts, execution.md 3.2, 3.5, 3.7. Exact-in only, no Jupiter fee; base URL and key are configuration, because
self-hosted routers speak the same schema.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx2
from aiolimiter import AsyncLimiter
from solders.pubkey import Pubkey

from keeper.chain.clock import Clock, SystemClock
from keeper.chain.transport import http_url
from keeper.units import Bps, Mint, TokenAmount
from keeper.venues.door import (
    NoRoute,
    Quote,
    QuoteAbsurd,
    QuoteMalformed,
    SwapInstructions,
    VenueError,
    VenueRateLimited,
    VenueUnauthorised,
    VenueUnavailable,
)
from keeper.venues.jupiter_models import BuildModel, QuoteModel
from keeper.venues.quote_checks import checked_quote, holding_minimum, parse, require_sale
from keeper.venues.vetting import COMPUTE_BUDGET, JUPITER, Vetting

WINDOW = 60.0
"""Seconds of Jupiter's sliding rate window; no reset lies further away."""

NO_ROUTE_CODES = frozenset(
    {
        "NO_ROUTES_FOUND",
        "COULD_NOT_FIND_ANY_ROUTE",
        "ROUTE_PLAN_DOES_NOT_CONSUME_ALL_THE_AMOUNT",
        "MARKET_NOT_FOUND",
        "TOKEN_NOT_TRADABLE",
        "NOT_SUPPORTED",
        "CIRCULAR_ARBITRAGE_IS_DISABLED",
        "CANNOT_COMPUTE_OTHER_AMOUNT_THRESHOLD",
    }
)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """``requests`` in any ``seconds``. A quarter may go out at once, the rest is spread, so that no window exceeds it."""

    requests: int
    seconds: float = WINDOW

    def __post_init__(self) -> None:
        if self.requests < 2 or self.seconds <= 0:
            raise ValueError(f"a rate limit needs at least 2 requests in a positive time, got {self!r}")

    def limiter(self) -> AsyncLimiter:
        burst = max(1, self.requests // 4)
        return AsyncLimiter(burst, self.seconds * burst / (self.requests - burst))


class JupiterBuild:
    """Jupiter Swap v2 as a ``DexVenue``.

    ``owner`` is the taker that quotes are built for. ``patience``: seconds that a 429 is waited out; longer resets are raised
    as ``VenueRateLimited`` at once, and so are further requests until then. ``max_accounts`` below 64 may exclude
    Sanctum's routes (facts 3.9).
    """

    def __init__(
        self,
        base_url: str,
        owner: Pubkey,
        *,
        api_key: str | None = None,
        rate: RateLimit | None = None,
        timeout: float = 5.0,
        patience: float = 2.0,
        max_accounts: int = 64,
        routers: Sequence[Pubkey] = (JUPITER,),
        transport: httpx2.AsyncBaseTransport | None = None,
        clock: Clock | None = None,
        name: str = "jupiter",
    ) -> None:
        url = http_url(base_url.rstrip("/") + "/swap/v2/build", "the base URL of a Jupiter API (https://api.jup.ag)")
        self._name = name
        self._url = url
        self._owner = owner
        self._patience = patience
        self._max_accounts = max_accounts
        self._routers = frozenset(routers)
        self._clock = clock if clock is not None else SystemClock()
        self._limiter = rate.limiter() if rate is not None else None
        self._not_before = 0.0  # of clock.now(), while the venue refuses
        self._http = httpx2.AsyncClient(
            http2=url.scheme == "https",
            timeout=timeout,
            transport=transport,
            headers={"x-api-key": api_key} if api_key else {},
        )

    @property
    def name(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f"JupiterBuild({self._url.host})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._http.aclose()

    async def quote(self, sell: TokenAmount, buy: Mint, *, slippage: Bps) -> Quote:
        """See ``DexVenue.quote``. The instructions that come along are not kept: prices move between quote and swap."""
        require_sale(sell, buy, slippage)
        payload = await self._build(sell, buy, slippage, self._owner)
        return checked_quote(self._name, parse(self._name, QuoteModel, payload), sell, buy, slippage)

    async def swap(self, quote: Quote, owner: Pubkey) -> SwapInstructions:
        """Builds anew. Where the price has slipped since the quote, once more with the slippage that is left of it, so
        that the quote's minimum still holds; raises ``PriceMoved`` where nothing is left."""
        return await holding_minimum(quote, lambda slippage: self._instructions(quote, owner, slippage))

    async def _instructions(self, quote: Quote, owner: Pubkey, slippage: Bps) -> tuple[SwapInstructions, Quote]:
        sell, buy = quote.sell, quote.receive.mint
        model = parse(self._name, BuildModel, await self._build(sell, buy, slippage, owner))
        rebuilt = checked_quote(self._name, model, sell, buy, slippage)
        if model.tipInstruction is not None or model.otherInstructions:
            raise QuoteAbsurd(self._name, "contains instructions that were not asked for (tip or other)")
        foreign = [item for item in model.computeBudgetInstructions if item.programId != COMPUTE_BUDGET]
        if foreign:
            raise QuoteAbsurd(self._name, f"a compute-budget instruction of {foreign[0].programId}")
        cleanup = [model.cleanupInstruction.instruction()] if model.cleanupInstruction is not None else []
        built = Vetting(self._name, owner, sell, buy, self._routers).vet(
            [item.instruction() for item in model.setupInstructions],
            model.swapInstruction.instruction(),
            cleanup,
            self._lookup_tables(model),
        )
        return built, rebuilt

    def _lookup_tables(self, model: BuildModel) -> list[Pubkey]:
        try:
            return [Pubkey.from_string(key) for key in model.addressesByLookupTableAddress or {}]
        except ValueError as error:
            raise QuoteMalformed(
                self._name, "addressesByLookupTableAddress", list(model.addressesByLookupTableAddress or {})
            ) from error

    async def _build(self, sell: TokenAmount, buy: Mint, slippage: Bps, taker: Pubkey) -> Any:
        params = {
            "inputMint": sell.mint.address,
            "outputMint": buy.address,
            "amount": str(sell.units),
            "taker": str(taker),
            "slippageBps": str(slippage.value),
            "maxAccounts": str(self._max_accounts),
            "wrapAndUnwrapSol": "true",
        }
        try:
            return await self._get(params)
        except VenueRateLimited as limited:
            wait = 1.0 if limited.reset is None else limited.reset
            if wait > self._patience:
                raise
            await self._clock.sleep(wait)
            return await self._get(params)

    async def _get(self, params: dict[str, str]) -> Any:
        held = self._not_before - self._clock.now()
        if held > self._patience:
            raise VenueRateLimited(self._name, held)
        if held > 0:
            await self._clock.sleep(held)
        if self._limiter is not None:
            await self._limiter.acquire()
        try:
            response = await self._http.get(self._url, params=params)
        except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
            raise VenueUnavailable(self._name, f"{type(error).__name__} at {self._url.host}: {error}") from error
        return self._read(response)

    def _read(self, response: httpx2.Response) -> Any:
        status = response.status_code
        if status == httpx2.codes.TOO_MANY_REQUESTS:
            reset = self._reset(response.headers.get("x-ratelimit-reset"))
            self._not_before = self._clock.now() + (reset or 0.0)
            raise VenueRateLimited(self._name, reset)
        if status in (httpx2.codes.UNAUTHORIZED, httpx2.codes.FORBIDDEN):
            raise VenueUnauthorised(self._name, f"HTTP {status}; check the API key and its permissions")
        if status >= 500:
            raise VenueUnavailable(self._name, f"HTTP {status}: {_shown(response)}")
        try:
            payload = json.loads(response.content)
        except (ValueError, RecursionError) as error:
            raise VenueUnavailable(self._name, f"HTTP {status}, not JSON: {_shown(response)}") from error
        if status != httpx2.codes.OK:
            raise refusal(self._name, status, payload)
        return payload

    def _reset(self, header: str | None) -> float | None:
        """Seconds from now; the header is unix seconds, and never further than the window away."""
        if header is None or not header.strip().isascii() or not header.strip().isdigit():
            return None
        return min(WINDOW, max(0.0, int(header) - self._clock.wall()))


def refusal(venue: str, status: int, payload: object) -> VenueError:
    """The named error of a ``{"error", "errorCode"}`` body (facts 3.7)."""
    body = payload if isinstance(payload, dict) else {}
    code, message = body.get("errorCode"), body.get("error")
    words = message[:200] if isinstance(message, str) else f"HTTP {status}"
    if isinstance(code, str) and code in NO_ROUTE_CODES:
        return NoRoute(venue, words, code)
    return VenueUnavailable(venue, f"HTTP {status}: {words} ({code!r:.60})")


def _shown(response: httpx2.Response) -> str:
    return response.content[:120].decode("utf-8", errors="replace")
