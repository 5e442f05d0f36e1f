"""The worker that speaks to jupiter-python-sdk, inside the SDK's own environment. It must not import keeper.

JSON lines on stdin: first the configuration ``{"base_url", "api_key", "timeout", "max_accounts"}``, then requests
``{"id", "op": "quote"|"swap", "inputMint", "outputMint", "amount", "slippageBps", "taker"}``. On stdout, in any order, answers
``{"id", "quote", "transaction"?}`` or ``{"id", "error": {...}}``. Ends when stdin closes.

What it works round (SDK 0.0.2.0, source read): blocking HTTP in coroutines (a thread per request), no timeout, status code or
header support (``Http`` stands in for its httpx module), URLs in a class-level dict (a dict per instance), a slippage of 0
that is dropped (put into the URL), error bodies that are lost (kept by ``Http``), a keypair where only its address is used.
"""

import asyncio
import copy
import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TextIO

import httpx  # type: ignore[import-not-found]  # lives in the SDK's environment, not in the keeper's
from jupiter_python_sdk import jupiter as sdk  # type: ignore[import-not-found]  # as above
from solders.pubkey import Pubkey


class Http:
    """Takes the place of the module ``httpx`` in the SDK: adds key and timeout, remembers the last answers per thread."""

    def __init__(self, api_key: str | None, timeout: float) -> None:
        self._client = httpx.Client(timeout=timeout, headers={"x-api-key": api_key} if api_key else {})
        self.seen = threading.local()

    def get(self, url: str) -> httpx.Response:
        return self._note(self._client.get(url))

    def post(self, url: str, json: Any) -> httpx.Response:
        return self._note(self._client.post(url, json=json))

    def _note(self, response: httpx.Response) -> httpx.Response:
        self.seen.last = response
        if response.status_code != 200:
            raise HttpRefusal(response)
        return response


class HttpRefusal(Exception):
    """An HTTP status other than 200, which the SDK would have misread."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(f"HTTP {response.status_code}")
        self.response = response


class Taker:
    """Stands in for the keypair: the SDK asks it for its address only, and the worker has no business with secrets."""

    def __init__(self, address: str) -> None:
        self._address = Pubkey.from_string(address)

    def pubkey(self) -> Pubkey:
        return self._address


def serve_one(request: dict[str, Any], config: dict[str, Any], template: Any) -> dict[str, Any]:
    """One request through the SDK. Raises whatever the SDK raises."""
    base, slippage = config["base_url"].rstrip("/"), int(request["slippageBps"])
    jupiter = copy.copy(template)
    jupiter.keypair = Taker(request["taker"])
    jupiter.ENDPOINT_APIS_URL = {
        "QUOTE": f"{base}/quote?" + ("slippageBps=0&" if slippage == 0 else ""),
        "SWAP": f"{base}/swap",
    }
    arguments = {
        "input_mint": request["inputMint"],
        "output_mint": request["outputMint"],
        "amount": int(request["amount"]),
        "slippage_bps": slippage,
        "max_accounts": config["max_accounts"],
    }
    if request["op"] == "quote":
        return {"quote": asyncio.run(jupiter.quote(**arguments))}
    quotes: list[Any] = []
    ask = jupiter.quote

    async def quote_and_keep(**given: Any) -> Any:
        quotes.append(await ask(**given))  # the SDK quotes anew inside swap() and does not tell what it got
        return quotes[-1]

    jupiter.quote = quote_and_keep
    transaction = asyncio.run(jupiter.swap(**arguments))
    return {"quote": quotes[-1], "transaction": transaction}


def describe(error: BaseException, http: Http) -> dict[str, Any]:
    """What the parent needs to name the error. ``status`` is null where no HTTP answer came."""
    response = error.response if isinstance(error, HttpRefusal) else getattr(http.seen, "last", None)
    kind = "transport" if isinstance(error, httpx.HTTPError) else "http" if isinstance(error, HttpRefusal) else "sdk"
    return {
        "kind": kind,
        "type": type(error).__name__,
        "message": str(error)[:300],
        "status": None if response is None or kind == "transport" else response.status_code,
        "reset": None if response is None else response.headers.get("x-ratelimit-reset"),
        "body": "" if response is None or kind == "transport" else response.text[:2000],
    }


def main() -> None:
    """Reads requests until stdin closes."""
    answers: TextIO = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)  # whatever the SDK prints must not end up among the answers
    config = json.loads(sys.stdin.readline())
    http = Http(config["api_key"], config["timeout"])
    sdk.httpx = http
    template = sdk.Jupiter(None, Taker(str(Pubkey.default())))  # parses an IDL: once is enough
    lock = threading.Lock()

    def answer(line: str) -> None:
        request: dict[str, Any] = {}
        http.seen.last = None
        try:
            request = json.loads(line)
            reply = serve_one(request, config, template)
        except BaseException as error:  # noqa: BLE001 - also a panic of solders must become an answer
            reply = {"error": describe(error, http)}
        with lock:
            answers.write(json.dumps({"id": request.get("id"), **reply}) + "\n")

    pool = ThreadPoolExecutor(max_workers=8)
    for line in sys.stdin:
        pool.submit(answer, line)
    os._exit(0)  # nobody reads the answers any more, so requests under way are not waited for


if __name__ == "__main__":
    main()
