"""The tick: observe, decide, review, execute, book."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol

import structlog

from keeper.chain.clock import Clock
from keeper.engine.books import Books, BooksState
from keeper.engine.cooldown import Cooldown
from keeper.engine.decision_log import DecisionLog
from keeper.engine.valuation import Valuation, value
from keeper.execution.executor import Executor
from keeper.execution.outcome import Landed, Outcome, Refused
from keeper.execution.reconcile import Drift
from keeper.journal.records import Leadership
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


@dataclass(slots=True)
class Memory:
    """What the last tick knew, for the status page."""

    view: View | None = None
    blind: str = ""
    decisions: dict[str, Decision] = field(default_factory=dict)
    denials: dict[str, str] = field(default_factory=dict)
    valuation: Valuation | None = None
    outcomes: tuple[Outcome, ...] = ()
    drift: tuple[Drift, ...] = ()
    ticks: int = 0
    landed: int = 0


class Tick:
    """One pass of the loop over one view. At most one plan is executed per tick: the next strategy decides on a fresh view."""

    def __init__(
        self,
        *,
        sight: Sight,
        strategies: Sequence[Configured[Any]],
        needs: Sequence[LadderNeed],
        executor: Executor,
        books: Books,
        leadership: Callable[[], Leadership],
        config: TickConfig,
        metrics: Metrics,
        health: Health,
        decisions: DecisionLog,
        clock: Clock,
    ) -> None:
        self._sight = sight
        self._strategies = tuple(strategies)
        self._needs = tuple(needs)
        self._executor = executor
        self._books = books
        self._leadership = leadership
        self._config = config
        self._metrics = metrics
        self._health = health
        self._decisions = decisions
        self._clock = clock
        self._since_reconciled = config.reconcile_every
        self._cooldown = Cooldown(clock)
        self.risk = RiskState()
        self.memory = Memory()
        metrics.trading(self.risk.trading.value)

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
        if traded:
            await self._check_books()
            return TickResult.TRADED
        return TickResult.HELD if view.fresh.ok else TickResult.STALE

    def _saw(self, view: View) -> None:
        self.memory.view = view
        self.memory.blind = ""
        self.memory.valuation = value(view, self._books.opening, self._config.discount_rate)
        self._metrics.viewed(view)
        self._metrics.nav(self.memory.valuation.nav, holding=self.memory.valuation.holding)
        self._health.view_fresh(view.fresh.ok, view.fresh.problem)

    async def _decide_and_act(self, view: View) -> bool:
        for configured in self._strategies:
            seen = replace(view, cooling=self._cooldown.cooling(configured.name))
            decision = self._decide(configured, seen)
            self.memory.denials.pop(configured.name, None)
            if isinstance(decision, Hold):
                continue
            approved = self._review(configured.name, decision, seen)
            if approved is None:
                continue
            outcomes = await self._executor.execute(self._leadership(), configured.name, approved.plan, seen)
            self._cooldown.ended(configured.name, decision.resting_name, outcomes)
            self.memory.outcomes = outcomes
            self.memory.landed += sum(isinstance(outcome, Landed) for outcome in outcomes)
            self._metrics.in_flight(self._executor.in_flight)
            if any(not isinstance(outcome, Refused) for outcome in outcomes):
                return True  # something was sent: the next strategy decides on a fresh view
        return False

    def _decide(self, configured: Configured[Any], view: View) -> Decision:
        decision: Decision
        try:
            decision = configured.decide(view)
        except Exception as error:
            log.exception("strategy_raised", strategy=configured.name)
            decision = Hold("strategy_raised", {"error": type(error).__name__})
        self._decisions.write(view, configured.name, decision)
        self._metrics.decided(configured.name, decision)
        self.memory.decisions[configured.name] = decision
        return decision

    def _review(self, strategy: str, plan: Plan, view: View) -> Approved | None:
        verdict: Approved | Denied
        try:
            if plan.resting_name in view.cooling:
                verdict = Denied("cooling_down", {"plan": plan.resting_name})
            else:
                verdict = review(plan, view, self._state, self._config.limits)
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

    @property
    def _state(self) -> RiskState:
        """While money is missing nothing is entered: it may have left by a transaction that was taken for dead."""
        if self.risk.trading is TradingState.ACTIVE and self._books.short:
            return RiskState(TradingState.REDUCING, "the books are in doubt")
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
