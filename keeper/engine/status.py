"""The snapshot behind ``/status``: what the last tick saw, decided and did."""

from __future__ import annotations

from typing import Any

from keeper.engine.assembly import Parts
from keeper.engine.tick import Tick
from keeper.telemetry.status import decision_summary, view_summary


def status(tick: Tick | None, parts: Parts | None) -> dict[str, Any]:
    """Plain data; empty parts before the first tick."""
    if tick is None or parts is None:
        return {"state": "starting"}
    memory = tick.memory
    body: dict[str, Any] = {
        "state": tick.risk.trading.value,
        "cause": tick.risk.cause,
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
    return body
