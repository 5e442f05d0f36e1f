"""One strategy through one path: when it is asked, when its plans land, and what must never happen on the way.

A keeper in service looks every few seconds. Here it is asked less often, which is harder on it: when something has moved since
it was asked last, when its last plan came to an end, and else every few hours. A plan lands half a minute later, in the market of
then, or not at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from keeper.backtest.checks import Checks
from keeper.backtest.exits import exit_exists
from keeper.backtest.fills import Fill, Miss, fill
from keeper.backtest.ground import GLOWSOL
from keeper.backtest.paper import Paper
from keeper.backtest.paths import DAY, HOUR, PPM, SOL, START, Moment, Path
from keeper.engine.cooldown import Cooldown
from keeper.execution.outcome import Expired, Failed, Landed, Outcome
from keeper.past import Past
from keeper.plan import Decision, Hold, Plan
from keeper.risk import Approved, Denied, Limits, RiskState, TradingState, review
from keeper.strategy import Configured
from keeper.units import BPS, Lamports, Slot, UnixTime
from keeper.view import View

LIMITS = Limits(Lamports(500 * SOL))
"""The shipped default of ``engine.max_plan_capital``."""
PATIENCE = 6 * HOUR
IMPATIENT = ("cooldown", "cooling_down")
"""Holds that pass by themselves: it is asked again at the next step."""
LATENCY = (5, 60)
"""Seconds from a decision to its landing."""
UNWIND = "unwind"
Tell = Callable[[str], None]


@dataclass(slots=True)
class PathClock:
    """The path's time for the engine's parts."""

    at: float = 0.0

    def now(self) -> float:
        return self.at

    def wall(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds


@dataclass(frozen=True, slots=True)
class Breach:
    """Something that must never happen."""

    rule: str
    at: int
    detail: str

    def __str__(self) -> str:
        return f"day {(self.at - START) / DAY:.3f}: {self.rule}: {self.detail}"


@dataclass(slots=True)
class Journey:
    """How it went. Amounts in lamports, health in bps, times in seconds."""

    seed: int
    days: int
    opening: int
    closing: int = 0
    peak: int = 0
    drawdown: int = 0
    liquidated: bool = False
    lowest: int = BPS
    levered: int = 0
    lasted: int = 0
    deepest_debt: int = 0
    landed: int = 0
    missed: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    holds: Counter[str] = field(default_factory=Counter)
    denied: Counter[str] = field(default_factory=Counter)
    breaches: list[Breach] = field(default_factory=list)
    ordered: bool = False
    unwound: bool = False
    asked: int = 0

    @property
    def net(self) -> float:
        """What it earned a year, compounded, on what it began with."""
        if self.closing <= 0 or not self.lasted:
            return -1.0
        return float((self.closing / self.opening) ** (365 * DAY / self.lasted) - 1)


def travel(path: Path, strategy: Configured[Any], *, capital: int, floor: int, tell: Tell | None = None) -> Journey:
    """``strategy`` through ``path`` with ``capital`` lamports; ``floor``: the health that it promises, in bps.

    ``tell`` hears everything that is done, line by line.
    """
    return _Traveller(path, strategy, capital, floor, tell).run()


class _Traveller:
    def __init__(self, path: Path, strategy: Configured[Any], capital: int, floor: int, tell: Tell | None) -> None:
        self.path = path
        self.strategy = strategy
        self.needs = strategy.needs(GLOWSOL)
        self.sizes = tuple(size.units for size in self.needs[0].sizes) if self.needs else (SOL,)
        self.market = Paper.open(path, capital)
        self.random = Random(f"landing {path.seed}")  # noqa: S311 - seeded market noise is not cryptography
        self.clock = PathClock()
        self.cooldown = Cooldown(self.clock, longest=120.0)
        self.floor = floor
        self.journey = Journey(path.seed, path.days, self.market.value)
        self.checks = Checks(self.breach)
        self.tell = tell
        self.asked_at: Moment | None = None
        self.last: Decision | None = None
        self.flying: Plan | None = None
        self.acted = False
        self.was: tuple[int, bool] = (BPS, False)

    def breach(self, rule: str, detail: str) -> None:
        found = Breach(rule, self.market.moment.at, detail)
        if sum(one.rule == rule for one in self.journey.breaches) < 5:
            self.journey.breaches.append(found)
        self.say(f"BREACH {found}")

    def say(self, text: str) -> None:
        if self.tell is not None:
            market = self.market
            day = (market.moment.at - START) / DAY
            health, owed = market.lender.health, market.lender.owed / SOL
            self.tell(f"{day:8.4f}  health {health / 100:6.2f} %  debt {owed:8.3f}  {text}")

    def run(self) -> Journey:
        at, journey = START, self.journey
        while True:
            self._look()
            if journey.liquidated or at >= self.path.end:
                break
            if self._wants_to_ask():
                self._ask()
            following = self.path.following(at)
            if self.flying is not None:
                following = min(following, at + self.random.randint(*LATENCY))
            self._advance(following)
            at = following
        journey.closing = self.market.value
        return journey

    # the world

    def _advance(self, at: int) -> None:
        market, journey = self.market, self.journey
        if market.lender.owed * 5 >= max(market.value, 1):
            journey.levered += at - market.moment.at
        self.checks.moves(market, at)
        self.clock.at = float(at)
        journey.lasted = at - START
        self.acted = False
        if market.lender.liquidable:
            journey.liquidated = True
            self.breach("liquidated", f"health {market.lender.health} bps, {market.lender.valuation()}")
        elif self.flying is not None:
            plan, self.flying = self.flying, None
            self._land(plan)

    def _look(self) -> None:
        """What is true now, held against what must be."""
        market, journey = self.market, self.journey
        value, health = market.value, market.lender.health
        journey.peak = max(journey.peak, value)
        journey.drawdown = max(journey.drawdown, journey.peak - value)
        journey.lowest = min(journey.lowest, health)
        journey.deepest_debt = max(journey.deepest_debt, market.lender.owed)
        below, open_now = health < self.floor, False
        if below:
            open_now = exit_exists(market, self.sizes)
            before, was_open = self.was
            if open_now and was_open and before >= self.floor:
                self.breach("fell_below_floor", f"{before} bps before, {health} now, with an exit open")
            elif open_now and was_open and not self.acted and self.flying is None:
                self.breach("exit_neglected", f"health {health} bps; the strategy says {self._said()}")
        else:
            open_now = market.lender.owed > 0 and exit_exists(market, self.sizes) if health < self.floor * 2 else True
        self.was = (health, open_now)

    def _said(self) -> str:
        return "nothing yet" if self.last is None else f"{self.last.reason} {dict(self.last.numbers)}"

    # the strategy

    def _wants_to_ask(self) -> bool:
        before, now = self.asked_at, self.market.moment
        if self.flying is not None:
            return False
        if before is None or self.acted or (isinstance(self.last, Hold) and self.last.reason in IMPATIENT):
            return True
        return now.at - before.at >= PATIENCE or _moved(before, now) or self._ripened(before, now)

    def _ripened(self, before: Moment, now: Moment) -> bool:
        return any(one.ready(now) and not one.ready(before) for one in self.market.queue)

    def _ask(self) -> None:
        market, journey = self.market, self.journey
        view = self._ordered(market.view(self.needs, self.cooldown.cooling(self.strategy.name)))
        self.checks.agrees(market, view)
        journey.asked += 1
        try:
            decision = self.strategy.decide(view)
        except Exception as error:  # noqa: BLE001 - a strategy is foreign code: that it raised is what is reported
            self.breach("strategy_raised", f"{type(error).__name__}: {error}")
            decision = Hold("strategy_raised")
        self.asked_at = market.moment
        if isinstance(decision, Hold):
            if self.last is None or self.last.reason != decision.reason:
                self.say(f"hold {decision.reason}")
            journey.holds[decision.reason] += 1
            journey.unwound = decision.reason == "unwound"
        else:
            self._propose(decision, view)
        self.last = decision

    def _ordered(self, view: View) -> View:
        due = self.path.unwind_at is not None and view.block_time.value >= self.path.unwind_at
        self.journey.ordered = due
        return replace(view, past=replace(view.past, order=UNWIND)) if due else view

    def _propose(self, plan: Plan, view: View) -> None:
        journey = self.journey
        state = RiskState(TradingState.REDUCING, "ordered") if view.past.order else RiskState()
        verdict: Approved | Denied = Denied("cooling_down", {"plan": plan.resting_name})
        if plan.resting_name not in view.cooling:
            verdict = review(plan, view, state, LIMITS)
        if isinstance(verdict, Denied):
            journey.denied[verdict.reason] += 1
            self.say(f"denied {plan.reason}: {verdict.reason} {dict(verdict.numbers)}")
            return
        self.checks.proposed(self.market, view, plan)
        self.flying = plan
        self.say(f"plan {plan.reason} {plan.steps} {dict(plan.numbers)}")

    def _land(self, plan: Plan) -> None:
        """Each step in the market of this moment, until one fails."""
        for step in plan.steps:
            outcome = self._step(plan, fill(self.market, step))
            if not isinstance(outcome, Landed):
                break
        self.acted = True
        self.cooldown.ended(self.strategy.name, plan.resting_name, (outcome,))

    def _step(self, plan: Plan, found: Fill | Miss) -> Outcome:
        market, journey = self.market, self.journey
        if self.random.randint(1, PPM) <= self.path.climate.failure:
            journey.missed["expired"] += 1
            self.say(f"expired {plan.reason}")
            return Expired("paper")
        if isinstance(found, Miss):
            market.lamports -= found.fee
            journey.missed[found.name] += 1
            self.say(f"missed {plan.reason}: {found.name}")
            return Failed(found.name, "paper", Lamports(found.fee))
        self.checks.filled(market, plan, found)
        self.market = found.after
        journey.landed += 1
        journey.reasons[plan.reason] += 1
        self.market.past = _landed(self.market.past, market.moment.at)
        self.say(
            f"landed {plan.reason}, lost {found.lost / SOL:.6f} SOL, fees and rent {(found.fee + found.rent) / SOL:.6f}"
        )
        return Landed("paper", Slot(0), Lamports(found.fee), {})


def _landed(past: Past, at: int) -> Past:
    return Past(past.rates, past.borrows, UnixTime(at), past.order)


def _moved(before: Moment, now: Moment) -> bool:
    """Whether anything moved that a strategy may care about since it was asked last."""
    flags = (
        "epoch",
        "current",
        "ssol",
        "weight",
        "position_weight",
        "lrt_paused",
        "lending_paused",
        "oracle_stale",
        "liquid",
    )
    if any(getattr(before, name) != getattr(now, name) for name in flags):
        return True
    if abs(before.dex - now.dex) > 3_000 or abs(before.oracle - now.oracle) > 1_000:
        return True
    if abs(before.utilisation - now.utilisation) > 500:
        return True
    return any(
        abs(getattr(before, name) - getattr(now, name)) * 5 > getattr(before, name)
        for name in ("depth", "stock", "reserve")
    )
