"""Starting is recovering: the leadership is taken, every attempt of a former life is brought to its end, the ledger is opened,
and only then is anything new decided. There is no other repair command.
"""

from __future__ import annotations

import structlog

from keeper.config.loading import Loaded
from keeper.engine.assembly import Parts
from keeper.engine.books import Books, opening_balances
from keeper.engine.decision_log import DecisionLog
from keeper.engine.leadership import Lease
from keeper.engine.tick import Tick, TickConfig
from keeper.execution.reconcile import opening_entries
from keeper.risk import Limits
from keeper.strategy import LadderNeed
from keeper.units import UnixTime

log = structlog.get_logger(__name__)


async def start(loaded: Loaded, parts: Parts, lease: Lease, decisions: DecisionLog) -> Tick:
    """Recover and make the tick ready. Raises what the journal and the chain raise."""
    outcomes = await parts.executor.recover(lease.held)
    log.info("recovered", attempts=len(outcomes), outcomes=[type(outcome).__name__ for outcome in outcomes])
    opening = await _open_ledger(parts, lease)
    settings = parts.settings
    return Tick(
        sight=parts.observer,
        strategies=loaded.strategies,
        needs=_needs(loaded, parts),
        executor=parts.executor,
        books=Books(parts.journal, parts.endpoints.primary, parts.owner, parts.clock),
        leadership=lambda: lease.held,
        opening=opening,
        config=TickConfig(Limits(settings.engine.max_plan_capital), settings.engine.discount_rate),
        metrics=parts.metrics,
        health=parts.health,
        decisions=decisions,
        clock=parts.clock,
    )


def _needs(loaded: Loaded, parts: Parts) -> tuple[LadderNeed, ...]:
    glowsol = parts.market.lrt.glowsol if parts.market.lrt is not None else None
    return tuple(need for configured in loaded.strategies for need in configured.needs(glowsol))


async def _open_ledger(parts: Parts, lease: Lease) -> dict[str, int]:
    """Opening balances by asset, written at the very first start and read at every later one."""
    now = UnixTime(int(parts.clock.wall()))
    await parts.journal.open_ledger(lease.held, await opening_entries(parts.endpoints.primary, parts.owner, now))
    opening = await opening_balances(parts.journal, parts.owner)
    log.info("ledger_open", opening=opening)
    return opening
