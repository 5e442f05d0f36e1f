"""The snapshot behind ``/status``: what the last tick saw, decided and did."""

from __future__ import annotations

from typing import Any

from keeper.engine.assembly import Parts
from keeper.engine.tick import Tick
from keeper.journal.records import Order
from keeper.telemetry.status import decision_summary, view_summary


def status(tick: Tick | None, parts: Parts | None) -> dict[str, Any]:
    """Plain data; empty parts before the first tick."""
    if tick is None or parts is None:
        return {"state": "starting"}
    memory = tick.memory
    body: dict[str, Any] = {
        "state": tick.risk.trading.value,
        "cause": tick.risk.cause,
        "doctor": list(tick.gate.failing),
        "blind": memory.blind,
        "wallet": str(parts.owner),
        "ticks": memory.ticks,
        "landed": memory.landed,
        "in_flight": parts.executor.in_flight,
        "decisions": [decision_summary(name, decision) for name, decision in memory.decisions.items()],
        "denials": dict(memory.denials),
        "drift": [str(item) for item in memory.drift],
    }
    if memory.view is not None:
        body["view"] = view_summary(memory.view)
    if memory.valuation is not None:
        body["nav_lamports"] = memory.valuation.nav.value
        body["holding_lamports"] = memory.valuation.holding.value
        body["pnl_lamports"] = memory.valuation.against_holding.value
    body["strategies"] = _strategies(tick)
    return body


def _strategies(tick: Tick) -> dict[str, Any]:
    """What each strategy was allotted and owns, and what the operator told it. Lamports and token base units."""
    allocator, standing = tick.memory.allocator, tick.memory.standing
    if allocator is None or standing is None:
        return {}
    owned, budgets = allocator.owned, allocator.allocation.budgets
    return {
        name: {
            "budget_lamports": budgets[name].value if name in budgets else None,
            "deployed_lamports": owned.deployed(name),
            "debt_lamports": owned.debts.get(name, 0),
            "tokens": {mint: units for (owner, mint), units in sorted(owned.tokens.items()) if owner == name},
            "tickets": sum(owner == name for owner in owned.tickets.values()),
            "order": _order(standing.orders.get(name)),
        }
        for name in allocator.allocation.names
    }


def _order(order: Order | None) -> dict[str, Any] | None:
    if order is None:
        return None
    return {"kind": order.kind, "placed_at": int(order.placed_at), "done": order.done_at is not None}
