"""PyPI's jupiter-python-sdk as a ``DexVenue``: the SDK lives in a worker process with an environment of its own, because it
pins another generation of solana and solders and blocks the event loop (docs/adr/0002)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from solders.pubkey import Pubkey

from keeper.chain.clock import Clock, SystemClock
from keeper.chain.errors import RpcError
from keeper.chain.rpc import RpcClient
from keeper.units import Bps, Mint, TokenAmount
from keeper.venues.decompile import Undecodable, decompile
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
from keeper.venues.jupiter_build import WINDOW, refusal
from keeper.venues.jupiter_models import QuoteModel
from keeper.venues.quote_checks import checked_quote, holding_minimum, parse, require_sale
from keeper.venues.vetting import COMPUTE_BUDGET, JUPITER, Vetting
from keeper.venues.worker_process import WorkerDown, WorkerProcess

WORKER = Path(__file__).with_name("sdk_worker.py")
DEFAULT_PYTHON = Path(__file__).parents[2] / ".venv-jupiter" / "bin" / "python"


class JupiterSdk:
    """Jupiter's v1 API through jupiter-python-sdk.

    ``base_url`` up to and without ``/quote`` (``https://api.jup.ag/swap/v1``); ``python``: interpreter of the SDK's environment;
    ``rpc`` reads lookup tables; ``timeout`` seconds per request. The worker starts with the first request.
    """

    def __init__(
        self,
        base_url: str,
        owner: Pubkey,
        rpc: RpcClient,
        *,
        python: str | Path = DEFAULT_PYTHON,
        api_key: str | None = None,
        timeout: float = 8.0,
        max_accounts: int = 64,
        routers: Sequence[Pubkey] = (JUPITER,),
        clock: Clock | None = None,
        on_log: Callable[[str], None] | None = None,
        name: str = "jupiter-sdk",
    ) -> None:
        self._name = name
        self._owner = owner
        self._rpc = rpc
        self._routers = frozenset(routers)
        self._clock = clock if clock is not None else SystemClock()
        # the SDK's own request ends before ours does, so a worker that does not answer is hung and not merely slow
        config = {"base_url": base_url, "api_key": api_key, "timeout": timeout * 0.4, "max_accounts": max_accounts}
        self.worker = WorkerProcess(
            (str(python), "-I", str(WORKER)),
            greeting=config,
            timeout=timeout,
            clock=self._clock,
            on_log=on_log,
        )

    @property
    def name(self) -> str:
        return self._name

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self.worker.aclose()

    async def quote(self, sell: TokenAmount, buy: Mint, *, slippage: Bps) -> Quote:
        """See ``DexVenue.quote``."""
        require_sale(sell, buy, slippage)
        answer = await self._ask("quote", sell, buy, slippage, self._owner)
        model = parse(self._name, QuoteModel, answer.get("quote"))
        return checked_quote(self._name, model, sell, buy, slippage)

    async def swap(self, quote: Quote, owner: Pubkey) -> SwapInstructions:
        """The SDK quotes anew and returns a whole transaction; it is taken apart, and its compute-budget instructions are
        dropped. Raises ``PriceMoved`` where it would enforce less than the quote's minimum."""
        return await holding_minimum(quote, lambda slippage: self._built(quote, owner, slippage))

    async def _built(self, quote: Quote, owner: Pubkey, slippage: Bps) -> tuple[SwapInstructions, Quote]:
        sell, buy = quote.sell, quote.receive.mint
        answer = await self._ask("swap", sell, buy, slippage, owner)
        model = parse(self._name, QuoteModel, answer.get("quote"))
        rebuilt = checked_quote(self._name, model, sell, buy, slippage)
        return await self._take_apart(answer.get("transaction"), quote, owner), rebuilt

    async def _take_apart(self, encoded: object, quote: Quote, owner: Pubkey) -> SwapInstructions:
        if not isinstance(encoded, str):
            raise QuoteMalformed(self._name, "swapTransaction", encoded)
        try:
            raw = base64.b64decode(encoded, validate=True)
            parts = await decompile(raw, self._rpc)
        except (ValueError, Undecodable) as error:
            raise QuoteMalformed(self._name, f"swapTransaction ({error})", encoded) from error
        except RpcError as error:
            raise VenueUnavailable(self._name, f"its lookup tables cannot be read: {error}") from error
        if parts.signers != (owner,):
            raise QuoteAbsurd(self._name, f"the transaction is to be signed by {[str(key) for key in parts.signers]}")
        instructions = [item for item in parts.instructions if item.program_id != COMPUTE_BUDGET]
        places = [index for index, item in enumerate(instructions) if item.program_id in self._routers]
        if len(places) != 1:
            raise QuoteAbsurd(self._name, f"the transaction has {len(places)} swap instructions")
        at = places[0]
        return Vetting(self._name, owner, quote.sell, quote.receive.mint, self._routers).vet(
            instructions[:at], instructions[at], instructions[at + 1 :], parts.lookup_tables
        )

    async def _ask(self, operation: str, sell: TokenAmount, buy: Mint, slippage: Bps, taker: Pubkey) -> dict[str, Any]:
        request = {
            "op": operation,
            "inputMint": sell.mint.address,
            "outputMint": buy.address,
            "amount": sell.units,
            "slippageBps": slippage.value,
            "taker": str(taker),
        }
        try:
            answer = await self.worker.ask(request)
        except WorkerDown as error:
            raise VenueUnavailable(self._name, str(error)) from error
        if "error" in answer:
            raise self._named(answer["error"])
        return answer

    def _named(self, error: dict[str, Any]) -> VenueError:
        """What the SDK turned into KeyError, JSONDecodeError or a bare Exception, by its HTTP answer."""
        status, body = error["status"], _json(error["body"])
        words = f"{error['type']}: {error['message']}"
        if status == 429:
            return VenueRateLimited(self._name, self._reset(error["reset"]))
        if status in (401, 403):
            return VenueUnauthorised(self._name, f"HTTP {status}; check the API key and its permissions")
        if isinstance(body, dict) and "error" in body:
            named = refusal(self._name, status, body)
            return (
                named if isinstance(named, NoRoute) or status != 200 else NoRoute(self._name, str(body["error"])[:200])
            )
        if status == 200 and body is not None:
            return QuoteMalformed(self._name, words, body)
        return VenueUnavailable(self._name, words if status in (None, 200) else f"HTTP {status}: {words}")

    def _reset(self, header: object) -> float | None:
        if not isinstance(header, str) or not header.isascii() or not header.isdigit():
            return None
        return min(WINDOW, max(0.0, int(header) - self._clock.wall()))


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
