"""Starting is recovering: the leadership is taken, every attempt of a former life is brought to its end, the ledger is opened,
and only then is anything new decided. There is no other repair command.
"""

from __future__ import annotations

import structlog

from keeper.config.loading import Loaded
from keeper.engine.assembly import Parts, StartupError
from keeper.engine.books import Books
from keeper.engine.decision_log import DecisionLog
from keeper.engine.leadership import Lease
from keeper.engine.tick import Tick, TickConfig
from keeper.execution.bounds import LAMPORTS
from keeper.observe.parts import Keys
from keeper.protocols.layout import LayoutError
from keeper.risk import Limits
from keeper.strategy import LadderNeed

log = structlog.get_logger(__name__)


async def start(loaded: Loaded, parts: Parts, lease: Lease, decisions: DecisionLog) -> Tick:
    """Recover and make the tick ready. Raises what the journal and the chain raise."""
    outcomes = await parts.executor.recover(lease.held)
    log.info("recovered", attempts=len(outcomes), outcomes=[type(outcome).__name__ for outcome in outcomes])
    books = await _open_books(parts, lease)
    settings = parts.settings
    return Tick(
        sight=parts.observer,
        strategies=loaded.strategies,
        needs=_needs(loaded, parts),
        executor=parts.executor,
        books=books,
        leadership=lambda: lease.held,
        config=TickConfig(Limits(settings.engine.max_plan_capital), settings.engine.discount_rate),
        metrics=parts.metrics,
        health=parts.health,
        decisions=decisions,
        clock=parts.clock,
    )


def _needs(loaded: Loaded, parts: Parts) -> tuple[LadderNeed, ...]:
    glowsol = parts.market.lrt.glowsol if parts.market.lrt is not None else None
    return tuple(need for configured in loaded.strategies for need in configured.needs(glowsol))


async def _open_books(parts: Parts, lease: Lease) -> Books:
    traded = {LAMPORTS, *(mint.address for mint in Keys(parts.owner, parts.market).tokens)}
    books = Books(parts.journal, parts.endpoints.primary, parts.owner, parts.clock, traded)
    try:
        await books.open(lease.held)
    except LayoutError as error:
        raise StartupError(
            f"a token account of wallet {parts.owner} cannot be read: {error}; close it, or move to a fresh wallet"
        ) from error
    log.info("ledger_open", opening=dict(books.opening))
    return books
