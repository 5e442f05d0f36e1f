"""The face itself: from method, path, query, headers and body to an answer. No sockets."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

from solders.pubkey import Pubkey

from keeper.sim.localnet.interface import BankFace
from keeper.sim.localnet.jupiter import v1, v2
from keeper.sim.localnet.jupiter.access import Access
from keeper.sim.localnet.jupiter.errors import JupiterError, unreadable_body
from keeper.sim.localnet.market_addresses import Market
from keeper.sim.localnet.programs.dex_state import DEX_LABELS

Answer = tuple[int, dict[str, str], Any]
"""(HTTP status, headers, JSON body). A body that is a string is plain text, as the gateway's own answers are."""


class JupiterFace:
    """Jupiter's Swap API v1 and v2 over the pools of ``bank``. ``market`` None: no lookup table is used."""

    def __init__(self, bank: BankFace, market: Market | None, *, access: Access | None = None) -> None:
        self._bank = bank
        self._table: Pubkey | None = None if market is None else market.lookup_table
        self._access = access or Access()
        self._requests = itertools.count(1)

    async def handle(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes | Mapping[str, Any] | None = None,
    ) -> Answer:
        """Answer one request. ``query`` is decoded; ``body`` is bytes or parsed JSON.

        An exception that comes out of here is a fault of the localnet itself; the server answers 500 and logs it.
        """
        status, extra = self._access.admit(headers)
        answered = {"x-api-gateway-request-id": f"localnet-{next(self._requests)}", **extra}
        if status == 401:
            return status, answered, {"code": 401, "message": "Unauthorized"}
        if status == 429:
            return status, answered, "[API Gateway] Too many requests"
        try:
            return 200, answered, self._route(method, path, query, body)
        except JupiterError as error:
            return error.status, answered, error.to_json()

    def _route(self, method: str, path: str, query: Mapping[str, str], body: bytes | Mapping[str, Any] | None) -> Any:
        match method, path:
            case "GET", "/swap/v1/quote":
                return v1.quote(self._bank, query)
            case "POST", "/swap/v1/swap":
                return v1.swap(self._bank, self._table, _json_body(body))
            case "POST", "/swap/v1/swap-instructions":
                return v1.swap_instructions(self._bank, self._table, _json_body(body))
            case "GET", "/swap/v1/program-id-to-label":
                return {str(program): label for program, label in DEX_LABELS.items()}
            case "GET", "/swap/v2/build":
                return v2.build(self._bank, self._table, query)
        raise JupiterError(f"Route {path} not found", status=404)


def _json_body(body: bytes | Mapping[str, Any] | None) -> Mapping[str, Any]:
    if isinstance(body, bytes):
        try:
            body = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise unreadable_body(f"not JSON: {error}") from error
    if not isinstance(body, Mapping):
        raise unreadable_body("expected struct SwapRequest")
    return body
