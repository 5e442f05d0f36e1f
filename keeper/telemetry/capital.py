"""What is shown of the strategies' shares in the wallet, of orders on them, and of what they count on to earn."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import Gauge

from keeper.telemetry.label_values import BoundedValues
from keeper.telemetry.series import Registrar
from keeper.units import Lamports

UNKNOWN = math.nan
YIELD_SCALE = 10**9
"""Yields arrive as integers per year in billionths."""


@dataclass(frozen=True, slots=True)
class Capital:
    """One strategy's share. ``budget`` is None without one; ``ordered_at`` (Unix seconds) is None without an order; ``unwound``:
    that the order is done."""

    strategy: str
    budget: Lamports | None
    deployed: Lamports
    free: Lamports
    debt: Lamports
    requests: int
    ordered_at: float | None = None
    unwound: bool = False


class Shares:
    """The gauges, and how they are set."""

    def __init__(self, new: Registrar, tokens: BoundedValues) -> None:
        self._tokens = tokens
        self.budget = new.gauge(
            "keeper_strategy_budget_lamports",
            "What the strategy may have out of the wallet at a time; NaN without a budget",
            "strategy",
        )
        self.deployed = new.gauge(
            "keeper_strategy_deployed_lamports", "What it took out of the wallet and has not returned", "strategy"
        )
        self.free = new.gauge(
            "keeper_strategy_free_lamports",
            "Native SOL that it may spend now: its share above the reserves",
            "strategy",
        )
        self.debt = new.gauge(
            "keeper_strategy_debt_lamports", "What it owes to lending pools, with interest to now", "strategy"
        )
        self.requests = new.gauge(
            "keeper_strategy_requests", "Requests on their way out that it made, waiting and ripe", "strategy"
        )
        self.order = new.gauge(
            "keeper_strategy_order",
            "1 for the operator's order to unwind as it stands: none, open or done",
            "strategy",
            "state",
        )
        self.order_since = new.gauge(
            "keeper_strategy_order_open_since_timestamp_seconds",
            "Unix time at which the order was placed that is not done yet; NaN if there is none",
            "strategy",
        )
        self.staking_yield = new.gauge(
            "keeper_staking_yield_ratio",
            "What holding the token earns per year, measured over epochs; NaN before the first is known",
            "token",
        )

    def begin(self, strategy: str) -> None:
        """Nothing is known before the first tick."""
        for gauge in self._amounts:
            gauge.labels(strategy).set(UNKNOWN)
        self._ordered(strategy, None, done=False)

    def show(self, capital: Iterable[Capital]) -> None:
        for one in capital:
            self.budget.labels(one.strategy).set(UNKNOWN if one.budget is None else one.budget.value)
            self.deployed.labels(one.strategy).set(one.deployed.value)
            self.free.labels(one.strategy).set(one.free.value)
            self.debt.labels(one.strategy).set(one.debt.value)
            self.requests.labels(one.strategy).set(one.requests)
            self._ordered(one.strategy, one.ordered_at, done=one.unwound)

    def yields(self, found: Mapping[str, int | None]) -> None:
        """By token, in billionths per year; None where nothing was measured."""
        for token, rate in found.items():
            self.staking_yield.labels(self._tokens.admit(token)).set(UNKNOWN if rate is None else rate / YIELD_SCALE)

    @property
    def _amounts(self) -> tuple[Gauge, ...]:
        return self.budget, self.deployed, self.free, self.debt, self.requests

    def _ordered(self, strategy: str, placed_at: float | None, *, done: bool) -> None:
        state = "none" if placed_at is None else "done" if done else "open"
        for name in ("none", "open", "done"):
            self.order.labels(strategy, name).set(name == state)
        self.order_since.labels(strategy).set(UNKNOWN if placed_at is None or done else placed_at)
