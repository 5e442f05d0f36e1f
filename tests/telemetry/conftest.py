"""Views, clocks and a served telemetry face for the telemetry tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from aiohttp import ClientSession
from prometheus_client import CollectorRegistry

from keeper.plan import TicketId
from keeper.telemetry import Health, Metrics, TelemetryServer
from keeper.units import (
    SOL,
    SSOL,
    Bps,
    Duration,
    Epoch,
    Lamports,
    MicroLamports,
    Mint,
    Rate,
    Slot,
    TokenAmount,
    UnixTime,
)
from keeper.view import Fees, Freshness, GlowSol, Ladder, Rung, Source, StakePool, Ticket, View, Wallet

GLOWSOL = Mint("gLow111111111111111111111111111111111111111", "glowSOL", 9)


@dataclass
class Clock:
    """A clock that only moves when told."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


def ladder(sell: Mint, buy: Mint, sold: int, received: int) -> Ladder:
    """One direction with one size."""
    rung = Rung(TokenAmount(sell, sold), TokenAmount(buy, received), TokenAmount(buy, received - 1), "amm")
    return Ladder(sell, buy, (rung,), Slot(500))


def a_view(**changes: Any) -> View:
    """A fresh view: redemption rate 1.05, glowSOL bought at 1.04 and sold at 1.03, one ripe ticket and one waiting."""
    view = View(
        slot=Slot(500),
        block_time=UnixTime(1_700_000_000),
        epoch=Epoch(7),
        fresh=Freshness("", (Source("rpc", Slot(500), 0), Source("jupiter", Slot(497), 3))),
        glowsol=GlowSol(
            mint=GLOWSOL,
            total_assets=Lamports(1_050_000),
            outstanding=TokenAmount(GLOWSOL, 1_000_000),
            paused=False,
            deposit_room=Lamports(9_000),
            waiting_period=Duration(604_800),
            cancel_fee=Bps(10),
            liquid=Lamports(4_000),
            queue_open=True,
            queue_slots_free=6,
        ),
        pools=(StakePool(SSOL, Rate(11, 10), Rate(109, 100), Lamports(5), False, Epoch(6)),),
        quotes=(ladder(SOL, GLOWSOL, 1_040, 1_000), ladder(GLOWSOL, SOL, 1_000, 1_030)),
        lending=(),
        wallet=Wallet("owner", Lamports(3_000), Lamports(100), (TokenAmount(GLOWSOL, 42), TokenAmount(SSOL, 0))),
        queue=(
            Ticket(TicketId(0, UnixTime(1)), TokenAmount(GLOWSOL, 10), Lamports(10), ripe_at=UnixTime(1_699_999_999)),
            Ticket(TicketId(1, UnixTime(2)), TokenAmount(GLOWSOL, 20), Lamports(21), ripe_at=UnixTime(1_700_000_500)),
        ),
        fees=Fees(Lamports(5_000), MicroLamports(123), Lamports(2_039_280), Lamports(1)),
    )
    return replace(view, **changes)


@dataclass
class Reading:
    """Reads samples back from a registry by their exported name."""

    registry: CollectorRegistry

    def __call__(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def view() -> View:
    return a_view()


@pytest.fixture
def make_view() -> Callable[..., View]:
    return a_view


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry, clock: Clock) -> Metrics:
    return Metrics(registry, strategies=["arbitrage"], tasks=["tick"], clock=clock)


@pytest.fixture
def read(metrics: Metrics) -> Reading:
    return Reading(metrics.registry)


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(clock, stall_after=30, start_within=120)


@dataclass
class Served:
    """A running telemetry server and a way to ask it."""

    server: TelemetryServer
    session: ClientSession
    status: dict[str, Any] = field(default_factory=dict)

    async def get(self, path: str) -> tuple[int, str]:
        async with self.session.get(f"http://127.0.0.1:{self.server.port}{path}") as response:
            return response.status, await response.text()


@pytest.fixture
async def served(metrics: Metrics, health: Health) -> AsyncIterator[Served]:
    status: dict[str, Any] = {}
    server = TelemetryServer("127.0.0.1", 0, metrics, health, lambda: status)
    await server.start()
    async with ClientSession() as session:
        yield Served(server, session, status)
    await server.stop()
