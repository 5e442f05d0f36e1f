"""Looking at a rehearsal from outside: the same journal, the same chain, another process."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from prometheus_client import CollectorRegistry

from keeper.config.loading import load_config
from keeper.engine.assembly import Edges, assemble
from keeper.engine.books import opening_balances
from keeper.engine.valuation import value
from keeper.execution.reconcile import drift
from keeper.journal.journal import Journal
from keeper.rehearsal.report import Goals, Leftovers, Report, landings
from keeper.telemetry.health import Health
from keeper.telemetry.metrics import Metrics
from keeper.units import Lamports
from keeper.view import View


async def audit(config: Path, exit_code: int | None, edges: Edges | None = None, goals: Goals | None = None) -> Report:
    """Read journal and chain and say what the run came to. Signs nothing and takes no leadership."""
    edges = edges or Edges()
    async with AsyncExitStack() as closing:
        parts = await assemble(
            load_config(config), edges, Metrics(CollectorRegistry()), Health(edges.clock.now), closing
        )
        view = await parts.observer.view(())
        worth = value(view, await opening_balances(parts.journal, parts.owner), parts.settings.engine.discount_rate)
        return Report(
            landings=await landings(parts.journal),
            valuation=worth,
            drift=await drift(parts.journal, parts.endpoints.primary, parts.owner, parts.market.lending),
            exit_code=exit_code,
            booked_accounts=len(await parts.journal.balances()),
            left=await _left(parts.journal, view, worth.nav),
            goals=goals,
        )


async def _left(journal: Journal, view: View, nav: Lamports) -> Leftovers:
    """The NAV counts debt in full, so what is outside of native SOL is what it has beyond it and the debt."""
    debt = view.margin.debt if view.margin is not None else Lamports(0)
    orders = (await journal.standing()).orders
    done = {name: order.done_at is not None for name, order in orders.items()}
    return Leftovers(nav + debt - view.wallet.lamports, debt, done)
