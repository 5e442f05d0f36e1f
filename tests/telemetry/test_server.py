"""The HTTP face over a real socket."""

from __future__ import annotations

import json
import socket
from typing import Any, Protocol

import pytest

from keeper.plan import Hold
from keeper.telemetry import Health, Metrics, Role, TelemetryServer, decision_summary, view_summary
from keeper.units import Lamports
from keeper.view import View


class Served(Protocol):
    server: TelemetryServer
    status: dict[str, Any]

    async def get(self, path: str) -> tuple[int, str]: ...


class MovableClock(Protocol):
    now: float

    def __call__(self) -> float: ...


async def test_metrics_are_served_in_the_text_format(served: Served, metrics: Metrics) -> None:
    metrics.tick("ok", 0.1)
    status, text = await served.get("/metrics")
    assert status == 200
    assert 'keeper_ticks_total{result="ok"} 1.0' in text
    assert "process_resident_memory_bytes" in text
    assert "_created" not in text


async def test_livez_fails_when_the_tick_stalls_although_the_server_answers(
    served: Served, health: Health, clock: MovableClock
) -> None:
    health.beat(clock())
    assert (await served.get("/livez"))[0] == 200
    clock.now += 31
    status, text = await served.get("/livez")
    assert status == 503
    assert json.loads(text)["problems"] == ["the last tick progressed 31 s ago; the limit is 30 s"]


async def test_readyz_names_the_role_and_what_is_missing(served: Served, health: Health, clock: MovableClock) -> None:
    assert (await served.get("/readyz"))[0] == 503
    health.beat(clock())
    health.view_fresh(True)
    health.journal_ok(True)
    health.leadership(Role.STANDBY)
    status, text = await served.get("/readyz")
    assert (status, json.loads(text)) == (200, {"ok": True, "role": "standby", "problems": []})


async def test_status_shows_the_snapshot_with_units_as_integers(served: Served, view: View) -> None:
    served.status["view"] = view_summary(view)
    served.status["decisions"] = [decision_summary("arbitrage", Hold("edge_below_minimum", {"edge_bps": 3}))]
    served.status["nav"] = Lamports(12)
    status, text = await served.get("/status")
    body = json.loads(text)
    assert status == 200
    assert body["nav"] == 12
    assert body["view"]["slot"] == 500
    assert body["view"]["queue"][0] == {"index": 0, "assets_lamports": 10, "ripe_at": 1_699_999_999, "ripe": True}
    assert body["decisions"][0]["numbers"] == {"edge_bps": 3}
    assert body["live"] is True
    assert body["ready"] is False


async def test_the_page_escapes_what_it_shows(served: Served) -> None:
    served.status["decisions"] = [{"reason": "<script>alert(1)</script>"}]
    status, text = await served.get("/")
    assert status == 200
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "not ready" in text


async def test_a_status_that_raises_costs_only_its_own_answer(served: Served) -> None:
    served.status["nav"] = object()  # has no JSON form
    assert (await served.get("/status"))[0] == 500
    assert (await served.get("/metrics"))[0] == 200


async def test_nothing_else_is_served_and_nothing_can_be_posted(served: Served) -> None:
    assert (await served.get("/metricsz"))[0] == 404
    assert (await served.get("/../etc/passwd"))[0] == 404


async def test_a_taken_port_is_an_error_that_leaves_nothing_behind(metrics: Metrics, health: Health) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = TelemetryServer("127.0.0.1", taken.getsockname()[1], metrics, health, dict)
        with pytest.raises(OSError, match="address already in use"):
            await server.start()
    with pytest.raises(RuntimeError, match="before start"):
        _ = server.port
    await server.start()
    await server.stop()
    await server.stop()
