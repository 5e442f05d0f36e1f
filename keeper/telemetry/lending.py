"""What is shown of the lending pools and of the keeper's margin account.

Health is the level that Glow's app shows, as a ratio: 0.10 is 10 %, and at 0 the account may be liquidated. Where a debt
cannot be valued, or the account cannot be read, health is NaN and ``keeper_margin_health_known`` is 0: an alert on health alone
would be quiet just then.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

from keeper.lending import RATE_SCALE, Collateral, LendingMarket, Loan, MarginAccount
from keeper.telemetry.label_values import BoundedValues
from keeper.telemetry.problems import ProblemGauge
from keeper.telemetry.series import Registrar
from keeper.units import BPS, Bps
from keeper.view import View

UNKNOWN = math.nan
MARGIN_SOURCE = "margin account"
"""The source of a view that speaks only where the account could not be read."""
PRICE_PROBLEMS = ("oracle_", "price_")
"""How the codes begin that speak of a price and not of the pool."""


class Lending:
    """The gauges, and how a view sets them."""

    def __init__(self, new: Registrar, tokens: BoundedValues, max_codes: int) -> None:
        self._tokens = tokens
        self.health = new.gauge(
            "keeper_margin_health_ratio",
            "Health of the margin account, by the worse of position and configuration: liquidation is due at 0; NaN if unknown",
        )
        self.health_known = new.gauge(
            "keeper_margin_health_known",
            "1 while the margin account's health can be computed, 0 while a debt cannot be valued or the account not be read",
        )
        self.health_floor = new.gauge(
            "keeper_margin_health_floor_ratio",
            "Least health that the risk review lets a plan leave (engine.min_health)",
        )
        self.leverage = new.gauge(
            "keeper_margin_leverage_ratio", "Assets over equity of the margin account by the oracle; NaN without equity"
        )
        self.equity = new.gauge(
            "keeper_margin_equity_lamports", "Collateral less debt by the oracle; negative when under water"
        )
        self.collateral = new.gauge(
            "keeper_margin_collateral_lamports",
            "Collateral by the oracle, whether or not its price may be used; deposits in lending pools included",
            "token",
        )
        self.debt = new.gauge(
            "keeper_margin_debt_lamports", "What is owed with interest to now, by the oracle; NaN if unpriced", "token"
        )
        self.margin_problem = ProblemGauge(
            new.gauge(
                "keeper_margin_problem",
                "1 for what keeps the margin account from being used; none if nothing",
                "problem",
            ),
            max_codes,
        )
        self.borrow_rate = new.gauge(
            "keeper_lending_borrow_rate_ratio",
            "What borrowing costs per year, continuously compounded; NaN while the pool's interest is too far behind",
            "pool",
        )
        self.deposit_rate = new.gauge(
            "keeper_lending_deposit_rate_ratio", "What lending earns per year, NaN likewise", "pool"
        )
        self.utilisation = new.gauge(
            "keeper_lending_utilisation_ratio",
            "Share of the pool that is borrowed; the program lends up to 0.95",
            "pool",
        )
        self.borrow_room = new.gauge(
            "keeper_lending_borrow_room_units", "Base units that can still be borrowed from the pool", "pool"
        )
        self.idle = new.gauge(
            "keeper_lending_idle_units",
            "Base units in the pool that are not lent: what depositors can withdraw",
            "pool",
        )
        self.pool_problem = ProblemGauge(
            new.gauge(
                "keeper_lending_pool_problem",
                "1 for what keeps the pool from being entered, or even left (side entry or exit); none if nothing",
                "pool",
                "side",
                "problem",
            ),
            max_codes,
        )
        self.oracle_problem = ProblemGauge(
            new.gauge(
                "keeper_oracle_problem",
                "1 for why the lending programs would not use a token's price now; none where they would",
                "token",
                "problem",
            ),
            max_codes,
        )

    def begin(self) -> None:
        """Nothing is known before the first view."""
        for gauge in (self.health, self.health_known, self.health_floor, self.leverage, self.equity):
            gauge.set(UNKNOWN)

    def floor(self, health: Bps) -> None:
        self.health_floor.set(health.value / BPS)

    def show(self, view: View) -> None:
        """A pool or an account that is gone leaves nothing behind."""
        self._pools(view.lending)
        self._account(view)
        self.oracle_problem.show({(self._name(token),): code for token, code in _prices(view).items()})

    def _pools(self, markets: tuple[LendingMarket, ...]) -> None:
        for gauge in (self.borrow_rate, self.deposit_rate, self.utilisation, self.borrow_room, self.idle):
            gauge.clear()
        problems: dict[tuple[str, ...], str] = {}
        for market in markets:
            pool = self._name(market.mint.symbol)
            behind = "interest_behind" in (market.problem, market.exit_problem)
            self.borrow_rate.labels(pool).set(UNKNOWN if behind else market.borrow_rate() / RATE_SCALE)
            self.deposit_rate.labels(pool).set(UNKNOWN if behind else market.deposit_rate / RATE_SCALE)
            self.utilisation.labels(pool).set(market.utilisation.value / BPS)
            self.borrow_room.labels(pool).set(market.borrow_room.units)
            self.idle.labels(pool).set(market.idle.units)
            problems |= {(pool, "entry"): market.problem, (pool, "exit"): market.exit_problem}
        self.pool_problem.show(problems)

    def _account(self, view: View) -> None:
        account = view.margin
        self.collateral.clear()
        self.debt.clear()
        self.margin_problem.show({} if account is None else {(): account.problem})
        if account is None:
            unread = any(source.name == MARGIN_SOURCE for source in view.fresh.sources)
            self.health_known.set(0 if unread else UNKNOWN)
            for gauge in (self.health, self.leverage, self.equity):
                gauge.set(UNKNOWN)
            return
        self._position(account)

    def _position(self, account: MarginAccount) -> None:
        known = not any(loan.problem and loan.amount for loan in account.loans)
        self.health_known.set(known)
        self.health.set(account.health.value / BPS if known else UNKNOWN)
        self.equity.set(account.equity.value if known else UNKNOWN)
        self.leverage.set(account.leverage.value / BPS if known and account.equity.value > 0 else UNKNOWN)
        collateral: Counter[str] = Counter()
        for place in account.collateral:
            collateral[self._name(place.mint.symbol)] += place.value.value
        for token, lamports in collateral.items():
            self.collateral.labels(token).set(lamports)
        for loan in account.loans:
            unpriced = bool(loan.problem and loan.amount)
            self.debt.labels(self._name(loan.mint.symbol)).set(UNKNOWN if unpriced else loan.value.value)

    def _name(self, symbol: str) -> str:
        return self._tokens.admit(symbol)


def _prices(view: View) -> Mapping[str, str]:
    """Token to why its price may not be used; empty where it may."""
    found: dict[str, str] = {}
    parts: list[LendingMarket | Collateral | Loan] = [*view.lending]
    if view.margin is not None:
        parts += [*view.margin.collateral, *view.margin.loans]
    for part in parts:
        code = part.problem if part.problem.startswith(PRICE_PROBLEMS) else ""
        found[part.mint.symbol] = found.get(part.mint.symbol) or code
    return found
