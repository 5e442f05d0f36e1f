"""The HTTP face for operators and machines: ``/metrics``, ``/livez``, ``/readyz``, ``/status`` and a page at ``/``.

It only reads. It holds no key, changes nothing, and its answers come from state that the tick maintains.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Metric, generate_latest

from keeper.telemetry.health import Health, Verdict
from keeper.telemetry.metrics import Metrics
from keeper.telemetry.page import render
from keeper.units.canonical import plain

Status = Callable[[], Mapping[str, Any]]
_log = structlog.stdlib.get_logger(__name__)
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


class TelemetryServer:
    """Serves ``metrics``, ``health`` and what ``status`` returns, on ``host``:``port`` (port 0: any free one).

    ``status`` is called on the event loop for each request and must only read. Mappings, lists, text, numbers and the
    house's frozen values may be in it.
    """

    def __init__(self, host: str, port: int, metrics: Metrics, health: Health, status: Status) -> None:
        self._host = host
        self._wanted_port = port
        self._metrics = metrics
        self._health = health
        self._status = status
        self._runner: web.AppRunner | None = None
        self._port: int | None = None

    @property
    def port(self) -> int:
        """The bound port. Raises ``RuntimeError`` before ``start``."""
        if self._port is None:
            raise RuntimeError("the telemetry server has no port before start()")
        return self._port

    async def start(self) -> None:
        """Bind and serve. Raises ``OSError`` when the address is taken or not ours."""
        if self._runner is not None:
            raise RuntimeError("the telemetry server was started already")
        app = web.Application()
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/metrics", self._exposition),
                web.get("/livez", self._livez),
                web.get("/readyz", self._readyz),
                web.get("/status", self._snapshot),
            ]
        )
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._wanted_port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        self._port = int(runner.addresses[0][1])
        _log.info("telemetry_listening", host=self._host, port=self._port)

    async def stop(self) -> None:
        """Stop serving and free the port. Harmless when it is not running."""
        runner, self._runner, self._port = self._runner, None, None
        if runner is not None:
            await runner.cleanup()

    async def _exposition(self, _request: web.Request) -> web.Response:
        body = exposition(self._metrics.registry)
        return web.Response(body=body, headers={**_HEADERS, "Content-Type": CONTENT_TYPE_LATEST})

    async def _livez(self, _request: web.Request) -> web.Response:
        return self._verdict(self._health.live())

    async def _readyz(self, _request: web.Request) -> web.Response:
        return self._verdict(self._health.ready())

    def _verdict(self, verdict: Verdict) -> web.Response:
        body = {"ok": verdict.ok, "role": self._health.role.value, "problems": list(verdict.problems)}
        return _json(body, 200 if verdict.ok else 503)

    def _whole_status(self) -> dict[str, Any]:
        live, ready = self._health.live(), self._health.ready()
        return {
            "live": live.ok,
            "ready": ready.ok,
            "role": self._health.role.value,
            "problems": list(ready.problems),
            **self._status(),
        }

    async def _snapshot(self, _request: web.Request) -> web.Response:
        return _json(self._whole_status(), 200)

    async def _page(self, _request: web.Request) -> web.Response:
        text = render(json.loads(_dumps(self._whole_status())))
        return web.Response(text=text, content_type="text/html", headers=_HEADERS)


def exposition(registry: CollectorRegistry) -> bytes:
    """The registry in Prometheus' text format, without the ``_created`` gauges that would double every counter."""
    return generate_latest(_WithoutCreated(registry))


class _WithoutCreated(CollectorRegistry):
    """A read-only look at a registry. ``disable_created_metrics()`` would do the same for the whole process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(auto_describe=False)
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for family in self._registry.collect():
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family


def _dumps(body: object) -> str:
    return json.dumps(body, default=_jsonable, allow_nan=True)


def _jsonable(value: object) -> Any:
    return plain(value)


def _json(body: object, status: int) -> web.Response:
    return web.Response(text=_dumps(body), status=status, content_type="application/json", headers=_HEADERS)
