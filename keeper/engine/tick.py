"""The tick: observe, decide, review, execute, book."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from typing import Any, Protocol

import structlog

from keeper.chain.clock import Clock
from keeper.engine.allocator import Allocation, Allocator, Held
from keeper.engine.books import Books, BooksState
from keeper.engine.cooldown import Cooldown
from keeper.engine.decision_log import DecisionLog
from keeper.engine.gate import Gate
from keeper.engine.gauges import capital, yields
from keeper.engine.ownership import ownership
from keeper.engine.past import Hindsight
from keeper.engine.ranking import Proposal, ranked
from keeper.engine.valuation import Valuation, value
from keeper.execution.executor import Executor
from keeper.execution.outcome import Landed, Outcome, Refused
from keeper.execution.reconcile import Drift
from keeper.journal.journal import Journal
from keeper.journal.records import Leadership, Standing
from keeper.observe.observer import ObservationFailed
from keeper.plan import Decision, Hold, Plan
from keeper.risk import Approved, Denied, Limits, RiskState, TradingState, review
from keeper.strategy import Configured, LadderNeed
from keeper.telemetry.health import Health
from keeper.telemetry.metrics import Metrics
from keeper.units import Bps, Lamports
from keeper.view import View

log = structlog.get_logger(__name__)


class TickResult(StrEnum):
    """How a tick ended, which says when the next should come."""

    TRADED = "traded"
    HELD = "held"
    STALE = "stale"
    BLIND = "blind"


class Sight(Protocol):
    """What builds views (``keeper.observe.observer.Observer``, or a replay)."""

    async def view(self, needs: Sequence[LadderNeed]) -> View: ...


@dataclass(frozen=True, slots=True)
class TickConfig:
    """``reconcile_every``: ticks without a trade until the ledger is held against the chain (always done after a trade)."""

    limits: Limits
    discount_rate: Bps
    reconcile_every: int = 20


UNWOUND = "unwound"
"""What a strategy under the operator's order answers when it has nothing left to do."""


@dataclass(slots=True)
class Memory:
    """What the last tick knew, for the status page."""

    view: View | None = None
    blind: str = ""
    decisions: dict[str, Decision] = field(default_factory=dict)
    denials: dict[str, str] = field(default_factory=dict)
    valuation: Valuation | None = None
    allocator: Allocator | None = None
    standing: Standing | None = None
    outcomes: tuple[Outcome, ...] = ()
    drift: tuple[Drift, ...] = ()
    ticks: int = 0
    landed: int = 0


class Tick:
    """One pass of the loop over one view. Every strategy decides on its share of it; the plans are ranked, and the first that
    passes the review is executed. At most one a tick: the next decision sees a fresh view."""

    def __init__(
        self,
        *,
        sight: Sight,
        strategies: Sequence[Configured[Any]],
        needs: Sequence[LadderNeed],
        executor: Executor,
        books: Books,
        journal: Journal,
        allocation: Allocation,
        hindsight: Hindsight,
        leadership: Callable[[], Leadership],
        config: TickConfig,
        metrics: Metrics,
        health: Health,
        decisions: DecisionLog,
        gate: Gate,
        clock: Clock,
    ) -> None:
        self._sight = sight
        names = allocation.names
        self._strategies = tuple(sorted(strategies, key=lambda configured: names.index(configured.name)))
        self._needs = tuple(needs)
        self._executor = executor
        self._books = books
        self._journal = journal
        self._allocation = allocation
        self._hindsight = hindsight
        self._held: Held = {}
        self._leadership = leadership
        self._config = config
        self._metrics = metrics
        self._health = health
        self._decisions = decisions
        self.gate = gate
        self._clock = clock
        self._since_reconciled = config.reconcile_every
        self._cooldown = Cooldown(clock)
        self.risk = RiskState()
        self.memory = Memory()
        metrics.trading(self.risk.trading.value)
        metrics.health_floor(config.limits.min_health)

    async def run(self) -> TickResult:
        """One tick. Raises what must end the daemon (``FencedOut``, ``JournalError``); a node's failure is a BLIND tick."""
        started = self._clock.now()
        result = await self._run()
        seconds = self._clock.now() - started
        kind: dict[TickResult, Any] = {TickResult.STALE: "stale", TickResult.BLIND: "failed"}
        self._metrics.tick(kind.get(result, "ok"), seconds)
        self._health.beat(self._clock.now())
        self.memory.ticks += 1
        return result

    async def _run(self) -> TickResult:
        await self._consult()
        self._since_reconciled += 1
        if self._since_reconciled >= self._config.reconcile_every or self._books.in_doubt:
            await self._check_books()  # before anything is decided: also at the start, on whatever a former life left
        try:
            view = await self._sight.view(self._needs)
        except ObservationFailed as error:
            log.warning("no_view", error=str(error))
            self._metrics.unseen()
            self._health.view_fresh(False, str(error))
            self.memory.blind = str(error)
            return TickResult.BLIND
        self._saw(view)
        traded = await self._decide_and_act(view)
        self._show_shares(view)
        if traded:
            await self._check_books()
            return TickResult.TRADED
        return TickResult.HELD if view.fresh.ok else TickResult.STALE

    async def _consult(self) -> None:
        """A market whose doctor fails is only left, until it is healed; what was halted stays so."""
        if (examination := await self.gate.look()) is not None:
            self._metrics.examined({finding.check: finding.blocks for finding in examination.failed})
        cause = self.gate.cause
        wanted = RiskState(TradingState.REDUCING, cause) if cause else RiskState()
        if self.risk.trading is TradingState.HALTED or wanted == self.risk:
            return
        self.risk = wanted
        self._metrics.trading(wanted.trading.value)

    def _saw(self, view: View) -> None:
        self.memory.view = view
        self.memory.blind = ""
        self.memory.valuation = value(view, self._books.opening, self._config.discount_rate)
        self._metrics.viewed(view)
        self._metrics.nav(self.memory.valuation.nav, holding=self.memory.valuation.holding)
        self._health.view_fresh(view.fresh.ok, view.fresh.problem)

    def _show_shares(self, view: View) -> None:
        """After the decision: nobody waits for it."""
        allocator, standing = self.memory.allocator, self.memory.standing
        if allocator is not None and standing is not None:
            self._metrics.capital(capital(view, allocator, standing))
            self._metrics.yields(yields(view, self._hindsight.rates))

    async def _decide_and_act(self, view: View) -> bool:
        standing = await self._journal.standing()
        await self._hindsight.look(self._journal, self._leadership(), view)
        allocator = Allocator(self._allocation, ownership(view, standing, self._hindsight.rates), self._held)
        self.memory.standing, self.memory.allocator = standing, allocator
        proposals = [proposal async for proposal in self._proposals(view, standing, allocator)]
        for one in ranked(proposals):
            approved = self._review(one, standing)
            if approved is not None and await self._execute(one.strategy, approved.plan, one.seen, allocator):
                return True  # something was sent: the next decision is made on a fresh view
        return False

    async def _proposals(self, view: View, standing: Standing, allocator: Allocator) -> AsyncIterator[Proposal]:
        """Every strategy's decision on its share, in the order of priority: those that are plans."""
        for configured in self._strategies:
            name = configured.name
            seen = replace(
                allocator.share(view, name),
                cooling=self._cooldown.cooling(name),
                past=self._hindsight.past(name, standing),
            )
            decision = self._decide(configured, seen, partial(allocator.check, view, name))
            self.memory.denials.pop(name, None)
            if isinstance(decision, Plan):
                yield Proposal(name, decision, seen)
            elif decision.reason == UNWOUND:
                await self._unwound(name, standing)

    async def _unwound(self, strategy: str, standing: Standing) -> None:
        """The first time that a strategy under an order says that it is done, it is written down."""
        order = standing.orders.get(strategy)
        if order is not None and order.done_at is None:
            await self._journal.order_done(self._leadership(), strategy)
            log.info("unwound", strategy=strategy, remedy=f"keeper unwind {strategy} --cancel lets it enter again")

    async def _execute(self, strategy: str, plan: Plan, seen: View, allocator: Allocator) -> bool:
        """Whether anything was sent."""
        self._held = allocator.hold(strategy, plan).held
        outcomes = await self._executor.execute(self._leadership(), strategy, plan, seen)
        self._held = allocator.release(strategy).held
        self._cooldown.ended(strategy, plan.resting_name, outcomes)
        self.memory.outcomes = outcomes
        self.memory.landed += sum(isinstance(outcome, Landed) for outcome in outcomes)
        self._metrics.in_flight(self._executor.in_flight)
        return any(not isinstance(outcome, Refused) for outcome in outcomes)

    def _decide(self, configured: Configured[Any], view: View, check: Callable[[Plan], Decision]) -> Decision:
        """What the strategy answers, after ``check`` has held a plan against what is others'."""
        decision: Decision
        try:
            decision = configured.decide(view)
            decision = check(decision) if isinstance(decision, Plan) else decision
        except Exception as error:
            log.exception("strategy_raised", strategy=configured.name)
            decision = Hold("strategy_raised", {"error": type(error).__name__})
        self._decisions.write(view, configured.name, decision)
        self._metrics.decided(configured.name, decision)
        self.memory.decisions[configured.name] = decision
        return decision

    def _review(self, proposal: Proposal, standing: Standing) -> Approved | None:
        strategy, plan, view = proposal.strategy, proposal.plan, proposal.seen
        verdict: Approved | Denied
        try:
            if plan.resting_name in view.cooling:
                verdict = Denied("cooling_down", {"plan": plan.resting_name})
            else:
                verdict = review(plan, view, self._state(strategy, standing, plan), self._config.limits)
        except Exception as error:
            log.exception("risk_raised", strategy=strategy)
            self.halt(f"risk review raised {type(error).__name__}")
            return None
        if isinstance(verdict, Denied):
            log.info("denied", strategy=strategy, reason=verdict.reason, **dict(verdict.numbers))
            self.memory.denials[strategy] = verdict.reason
            self._metrics.denied(strategy, verdict.reason)
            return None
        return verdict

    def _state(self, strategy: str, standing: Standing, plan: Plan) -> RiskState:
        """While money is missing nothing is entered: it may have left by a transaction that was taken for dead. Nor does a
        strategy enter that was ordered to unwind, whatever it makes of the order itself, nor one where the doctor fails."""
        if self.risk.trading is TradingState.ACTIVE and self._books.short:
            return RiskState(TradingState.REDUCING, "the books are in doubt")
        if self.risk.trading is TradingState.ACTIVE and strategy in standing.orders:
            return RiskState(TradingState.REDUCING, "the operator ordered it to unwind")
        if self.risk.trading is TradingState.ACTIVE and (cause := self.gate.closed_to(plan)):
            return RiskState(TradingState.REDUCING, cause)
        return self.risk

    def halt(self, cause: str) -> None:
        """Stop trading until the process is started again by a person who looked."""
        if self.risk.trading is TradingState.HALTED:
            return  # the first cause is the one to look at
        log.error("halted", cause=cause)
        self.risk = replace(self.risk, trading=TradingState.HALTED, cause=cause)
        self._metrics.trading(self.risk.trading.value)

    async def _check_books(self) -> None:
        self._since_reconciled = 0
        state = await self._books.check(self._leadership())
        self.memory.drift = self._books.drift
        self._metrics.ledger_drift(Lamports(sum(abs(item.on_chain - item.booked) for item in self._books.drift)))
        if state is BooksState.BROKEN:
            self.halt("the ledger and the chain disagree")
