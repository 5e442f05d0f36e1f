"""Summaries of a view and of decisions as plain data, for the status page and ``/status``."""

from __future__ import annotations

from typing import Any

from keeper.lending import LendingMarket, MarginAccount
from keeper.plan import Decision, Plan
from keeper.telemetry.market import MarketPrices
from keeper.units.canonical import plain
from keeper.view import View


def view_summary(view: View) -> dict[str, Any]:
    """The market and the wallet as a person would ask for them. Amounts are integers in base units, prices are floats."""
    prices = MarketPrices.of(view)
    return {
        "slot": view.slot.value,
        "epoch": view.epoch.value,
        "block_time": view.block_time.value,
        "fresh": view.fresh.ok,
        "problem": view.fresh.problem,
        "sources": [plain(source) for source in view.fresh.sources],
        "redemption_rate": prices.redemption,
        "dex_buy": prices.buy,
        "dex_sell": prices.sell,
        "discount": prices.discount,
        "premium": prices.premium,
        "stake_pools_current": {pool.mint.symbol: pool.current for pool in view.pools},
        "wallet_lamports": view.wallet.lamports.value,
        "wallet_tokens": {amount.mint.symbol: amount.units for amount in view.wallet.tokens},
        "queue": [
            {
                "index": ticket.id.index,
                "assets_lamports": ticket.assets.value,
                "ripe_at": ticket.ripe_at.value,
                "ripe": ticket.ripe(view.block_time),
            }
            for ticket in view.queue
        ],
        "margin": margin_summary(view.margin) if view.margin is not None else None,
        "lending": {market.mint.symbol: lending_summary(market) for market in view.lending},
    }


def margin_summary(margin: MarginAccount) -> dict[str, Any]:
    """The margin account: lamports by the oracle, health and leverage in bps; no leverage where nothing is owned."""
    leverage = margin.leverage.value if margin.equity.value > 0 else None
    return {
        "health_bps": margin.health.value,
        "leverage_bps": leverage,
        "collateral_lamports": margin.assets.value,
        "debt_lamports": margin.debt.value,
        "equity_lamports": margin.equity.value,
        "problem": margin.problem,
    }


def lending_summary(market: LendingMarket) -> dict[str, Any]:
    """A lending pool: its borrow rate in billionths per year, utilisation in bps."""
    return {
        "borrow_rate_ppb": market.borrow_rate(),
        "utilisation_bps": market.utilisation.value,
        "problem": market.problem,
    }


def decision_summary(strategy: str, decision: Decision) -> dict[str, Any]:
    """One decision with its reason and numbers; a plan also with what it promised."""
    summary: dict[str, Any] = {
        "strategy": strategy,
        "decision": "plan" if isinstance(decision, Plan) else "hold",
        "reason": decision.reason,
        "numbers": plain(decision.numbers),
    }
    if isinstance(decision, Plan):
        summary["steps"] = [[type(intent).__name__ for intent in step.intents] for step in decision.steps]
        summary["expected_profit_lamports"] = decision.expected.profit.value
        summary["edge_bps"] = decision.expected.edge.value
    return summary
