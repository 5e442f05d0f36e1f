"""Summaries of a view and of decisions as plain data, for the status page and ``/status``."""

from __future__ import annotations

from typing import Any

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
