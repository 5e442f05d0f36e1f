"""Looking at a rehearsal from outside: the same journal, the same chain, another process."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from prometheus_client import CollectorRegistry

from keeper.config.loading import load_config
from keeper.engine.assembly import Edges, Parts, assemble
from keeper.engine.books import opening_balances
from keeper.engine.valuation import Valuation, value
from keeper.execution.reconcile import drift
from keeper.rehearsal.report import Report, landings
from keeper.telemetry.health import Health
from keeper.telemetry.metrics import Metrics


async def audit(config: Path, exit_code: int | None, edges: Edges | None = None) -> Report:
    """Read journal and chain and say what the run came to. Signs nothing and takes no leadership."""
    edges = edges or Edges()
    async with AsyncExitStack() as closing:
        parts = await assemble(
            load_config(config), edges, Metrics(CollectorRegistry()), Health(edges.clock.now), closing
        )
        return Report(
            landings=await landings(parts.journal),
            valuation=await _value(parts),
            drift=await drift(parts.journal, parts.endpoints.primary, parts.owner),
            exit_code=exit_code,
            booked_accounts=len(await parts.journal.balances()),
        )


async def _value(parts: Parts) -> Valuation:
    opening = await opening_balances(parts.journal, parts.owner)
    return value(await parts.observer.view(()), opening, parts.settings.engine.discount_rate)
