"""One JSON-RPC request over HTTP, without repeats: a result or a named error, never anything else."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import count
from typing import Any

import httpx2

from keeper.chain.errors import (
    RpcBadResponse,
    RpcError,
    RpcForbidden,
    RpcRateLimited,
    RpcUnreachable,
    refusal,
)

_SHOWN = 120


@dataclass(frozen=True, slots=True)
class RpcCall:
    """One HTTP request as an observer sees it. ``outcome`` is "ok" or the error's class name; ``seconds`` wall time."""

    method: str
    endpoint: str
    attempt: int
    seconds: float
    outcome: str


class JsonRpc:
    """Posts JSON-RPC 2.0 requests to one URL. ``label`` is the host alone: paths and queries carry providers' keys."""

    def __init__(
        self,
        url: str,
        *,
        timeout: float,
        transport: httpx2.AsyncBaseTransport | None,
        observer: Callable[[RpcCall], None] | None,
    ) -> None:
        parsed = http_url(url, "an RPC endpoint (http://host:port or https://host/path)")
        self.label = parsed.netloc.decode("ascii").rpartition("@")[2]
        self._url = parsed
        self._observer = observer
        self._ids = count(1)
        self._http = httpx2.AsyncClient(http2=parsed.scheme == "https", timeout=timeout, transport=transport)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def call(self, method: str, params: list[Any], *, attempt: int = 1) -> Any:
        """The ``result`` of one request. Raises ``RpcError`` by name (shared facts, execution.md 1.5)."""
        started = time.perf_counter()
        outcome = "cancelled"
        try:
            result = await self._exchange(method, params)
        except RpcError as error:
            outcome = type(error).__name__
            raise
        else:
            outcome = "ok"
            return result
        finally:
            if self._observer is not None:
                self._observer(RpcCall(method, self.label, attempt, time.perf_counter() - started, outcome))

    async def _exchange(self, method: str, params: list[Any]) -> Any:
        request_id = next(self._ids)
        body = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
        try:
            response = await self._http.post(self._url, json=body)
        except httpx2.DecodingError as error:
            raise RpcBadResponse(f"undecodable body: {error}", method=method, endpoint=self.label) from error
        except httpx2.TimeoutException as error:
            raise RpcUnreachable(
                f"no answer in time ({type(error).__name__})", method=method, endpoint=self.label
            ) from error
        except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
            # httpx errors may have an empty text; the class name never is
            raise RpcUnreachable(f"{type(error).__name__}: {error}", method=method, endpoint=self.label) from error
        return self._read(response, method, request_id)

    def _read(self, response: httpx2.Response, method: str, request_id: int) -> Any:
        status = response.status_code
        if status == httpx2.codes.TOO_MANY_REQUESTS:
            after = retry_after(response.headers.get("retry-after"))
            raise RpcRateLimited("HTTP 429", method=method, endpoint=self.label, retry_after=after)
        if status >= 500:
            raise RpcUnreachable(
                f"HTTP {status}: {_shown(response)}", method=method, endpoint=self.label, status=status
            )
        if status in (httpx2.codes.UNAUTHORIZED, httpx2.codes.FORBIDDEN):
            raise RpcForbidden(f"HTTP {status}; check the provider's key and plan", method=method, endpoint=self.label)
        try:
            payload = json.loads(response.content)
        except (ValueError, RecursionError) as error:
            raise self._bad(method, f"HTTP {status}, not JSON: {_shown(response)}") from error
        if not isinstance(payload, dict):
            raise self._bad(method, f"HTTP {status}, not a JSON-RPC object: {_shown(response)}")
        if payload.get("error") is not None:
            raise self._error(payload["error"], method, retry_after(response.headers.get("retry-after")))
        if status != httpx2.codes.OK or "result" not in payload:
            raise self._bad(method, f"HTTP {status} without a result: {_shown(response)}")
        if payload.get("id") != request_id:
            raise self._bad(method, f"answer to request {payload.get('id')!r} instead of {request_id}")
        return payload["result"]

    def _error(self, error: object, method: str, after: float | None) -> RpcError:
        if not isinstance(error, dict):
            # some gateways write the text alone; its meaning decides all the same
            named = refusal(0, str(error)[:_SHOWN], None, method=method, endpoint=self.label)
            return named if isinstance(named, RpcRateLimited) else self._bad(method, f"error {error!r:.{_SHOWN}}")
        code, message = error.get("code"), error.get("message")
        if isinstance(code, bool) or not isinstance(code, int) or not isinstance(message, str):
            return self._bad(method, f"malformed error object {error!r:.{_SHOWN}}")
        named = refusal(code, message, error.get("data"), method=method, endpoint=self.label)
        if isinstance(named, RpcRateLimited):
            named.retry_after = after
        return named

    def _bad(self, method: str, message: str) -> RpcBadResponse:
        return RpcBadResponse(message, method=method, endpoint=self.label)


def http_url(text: str, wanted: str) -> httpx2.URL:
    """``text`` as an HTTP URL. Raises ``ValueError`` that shows scheme and host alone: the rest may be a secret."""
    try:
        parsed = httpx2.URL(text)
    except httpx2.InvalidURL:
        raise ValueError(f"the configured URL cannot be read; it should be {wanted}") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ValueError(f"a URL with scheme {parsed.scheme!r} and host {parsed.host!r} is not {wanted}")
    return parsed


def retry_after(value: str | None) -> float | None:
    """Seconds from a Retry-After header: a number, or an HTTP date against our clock; None where it says neither."""
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit() and len(value.strip()) < 10:
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _shown(response: httpx2.Response) -> str:
    content = response.content[:_SHOWN]
    return content.decode("utf-8", errors="replace") + ("..." if len(response.content) > _SHOWN else "")
