"""From the start of a tick to signed, journalled bytes, against a localnet in another process over loopback HTTP.

    .venv/bin/python -m benchmarks.tick_latency [--signed N]

Every part is the production one: observe (quotes and accounts), decide, compile, simulate, firewall, sign, write to SQLite.
Signing alone stands beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from prometheus_client import CollectorRegistry
from solders.keypair import Keypair

from benchmarks.figures import Figure, percentiles
from keeper.config import load_config
from keeper.engine.assembly import Edges, Parts, assemble
from keeper.engine.leadership import Lease
from keeper.execution.observer import Unobserved
from keeper.plan import Plan
from keeper.rehearsal.files import Folder
from keeper.rehearsal.processes import fund, start_localnet
from keeper.rehearsal.world import FUNDS
from keeper.strategy import Configured
from keeper.telemetry.health import Health
from keeper.telemetry.metrics import Metrics
from keeper.units import Bps, Lamports
from strategies.arbitrage import ARBITRAGE, Params


class Stopwatch(Unobserved):
    """Notes the moment at which an attempt was signed and durable."""

    def __init__(self) -> None:
        self._signed_at: float | None = None

    def take(self) -> float | None:
        """The moment of the last signature since ``take`` was called before; None where there was none."""
        moment, self._signed_at = self._signed_at, None
        return moment

    def attempt_signed(self, strategy: str, signature: str, seconds: float) -> None:
        del strategy, signature, seconds
        self._signed_at = time.perf_counter()


async def measure(signed: int) -> list[Figure]:
    """Latencies of ``signed`` transactions, and of signing alone."""
    with tempfile.TemporaryDirectory(prefix="glow-keeper-bench-") as folder:
        localnet, net = await start_localnet(
            ["--demo-pace", "--rpc-port", "0", "--length", "100000"], Path(folder) / "localnet.log"
        )
        try:
            place, wallet = Folder(Path(folder)), Keypair()
            place.write_wallet(wallet)
            place.write_config(net, port=0, sdk_python=None)
            await fund(net, wallet.pubkey(), FUNDS)
            async with AsyncExitStack() as closing:
                watch = Stopwatch()
                edges = Edges(watch=watch)
                loaded = load_config(place.config)
                parts = await assemble(loaded, edges, Metrics(CollectorRegistry()), Health(edges.clock.now), closing)
                lease = await Lease.take(parts.journal, "benchmark", 3600.0, edges.clock)
                await parts.executor.recover(lease.held)
                return [*await _ticks(parts, lease, watch, signed), _signing(wallet)]
        finally:
            await localnet.stop(5.0)


async def _ticks(parts: Parts, lease: Lease, watch: Stopwatch, signed: int) -> list[Figure]:
    eager = replace(Params(), min_edge=Bps(1), min_profit=Lamports(1), sizes=Params().sizes[:5])
    strategy = Configured(ARBITRAGE, eager)
    lrt = parts.market.lrt
    needs = strategy.needs(lrt.glowsol if lrt is not None else None)
    views: list[float] = []
    decisions: list[float] = []
    totals: list[float] = []
    give_up = time.perf_counter() + 240
    while len(totals) < signed and time.perf_counter() < give_up:
        begun = time.perf_counter()
        view = await parts.observer.view(needs)
        seen = time.perf_counter()
        decision = strategy.decide(view)
        decided = time.perf_counter()
        views.append(seen - begun)
        decisions.append(decided - seen)
        if isinstance(decision, Plan):
            await parts.executor.execute(lease.held, strategy.name, decision, view)
            moment = watch.take()
            if moment is not None:
                totals.append(moment - begun)
        else:
            await asyncio.sleep(0.1)
    return [
        percentiles("observe: 15 quotes and all accounts", views),
        percentiles("decide", decisions),
        percentiles("tick start to signed, journalled bytes", totals),
    ]


def _signing(wallet: Keypair) -> Figure:
    message = bytes(900)  # about the size of an arbitrage's message
    samples = []
    for _ in range(2_000):
        begun = time.perf_counter()
        wallet.sign_message(message)
        samples.append(time.perf_counter() - begun)
    return percentiles("signing alone (900-byte message)", samples)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--signed", type=int, default=40)
    for figure in asyncio.run(measure(parser.parse_args().signed)):
        print(figure)


if __name__ == "__main__":
    main()
