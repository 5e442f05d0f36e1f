"""Starting is recovering: the leadership is taken, every attempt of a former life is brought to its end, the ledger is opened,
and only then is anything new decided. There is no other repair command.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import structlog

from keeper.config.loading import Loaded
from keeper.config.settings import Settings
from keeper.doctor import examine
from keeper.engine.allocator import Allocation
from keeper.engine.assembly import Parts, StartupError
from keeper.engine.books import Books
from keeper.engine.checkup import case_of
from keeper.engine.decision_log import DecisionLog
from keeper.engine.gate import Gate
from keeper.engine.leadership import Lease
from keeper.engine.past import Hindsight
from keeper.engine.tick import Tick, TickConfig
from keeper.execution.bounds import LAMPORTS
from keeper.observe.parts import Keys
from keeper.protocols.layout import LayoutError
from keeper.risk import Limits
from keeper.strategy import LadderNeed
from keeper.units import Lamports, Mint, TokenAmount

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
        journal=parts.journal,
        allocation=allocation(settings, [configured.name for configured in loaded.strategies]),
        hindsight=await Hindsight.load(parts.journal),
        leadership=lambda: lease.held,
        config=TickConfig(
            Limits(settings.engine.max_plan_capital, settings.engine.min_health), settings.engine.discount_rate
        ),
        metrics=parts.metrics,
        health=parts.health,
        decisions=decisions,
        gate=Gate(lambda: examine(case_of(parts)), settings.engine.doctor_every, parts.clock),
        clock=parts.clock,
    )


def allocation(settings: Settings, names: Sequence[str]) -> Allocation:
    """What the operator allots. Only a margin account can need protection: without lending nothing is kept back for it."""
    protection = settings.allocation.protect if settings.market.lending is not None else Lamports(0)
    return Allocation.of(names, settings.allocation.budgets, protection)


def _needs(loaded: Loaded, parts: Parts) -> tuple[LadderNeed, ...]:
    glowsol = parts.market.lrt.glowsol if parts.market.lrt is not None else None
    return merged(need for configured in loaded.strategies for need in configured.needs(glowsol))


def merged(needs: Iterable[LadderNeed]) -> tuple[LadderNeed, ...]:
    """One ladder a direction, with the sizes of all who want it: each is quoted once, and all strategies see the same market."""
    sizes: dict[tuple[Mint, Mint], set[TokenAmount]] = {}
    for need in needs:
        for size in need.sizes:
            sizes.setdefault((size.mint, need.buy), set()).add(size)
    return tuple(LadderNeed(tuple(sorted(wanted)), buy) for (_, buy), wanted in sizes.items())


async def _open_books(parts: Parts, lease: Lease) -> Books:
    lending = parts.market.lending
    traded = {LAMPORTS, *(mint.address for mint in Keys(parts.owner, parts.market).tokens)}
    if lending is not None:  # collateral must not go missing; a loan that shrinks is no loss
        traded |= {str(pool.deposit_note_mint) for pool in lending.pools} | {raw.mint.address for raw in lending.raw}
    books = Books(parts.journal, parts.endpoints.primary, parts.owner, parts.clock, traded, lending=lending)
    try:
        await books.open(lease.held)
    except LayoutError as error:
        raise StartupError(
            f"a token account of wallet {parts.owner} cannot be read: {error}; close it, or move to a fresh wallet"
        ) from error
    log.info("ledger_open", opening=dict(books.opening))
    return books
