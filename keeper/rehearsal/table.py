"""The demo's live table, drawn from what the daemon's ``/status`` says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

SOL = 1_000_000_000


def _sol(lamports: int | None) -> str:
    """To a tenth of a milli-SOL, cut towards zero."""
    if lamports is None:
        return "-"
    whole, rest = divmod(abs(lamports), SOL)
    return f"{'-' if lamports < 0 else ''}{whole:,}.{rest // 100_000:04d} SOL"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.6f}"


def _bps(value: float | None) -> str:
    return "-" if value is None else f"{value * 10_000:+.1f} bps"


def rows(status: Mapping[str, Any], seconds_left: float) -> list[tuple[str, str]]:
    """Label and text of each line. Floats are for the eye only."""
    view: Mapping[str, Any] = status.get("view") or {}
    decisions = status.get("decisions") or []
    decided = "; ".join(
        f"{one['strategy']}: {one['decision']} {one['reason']} {_numbers(one['numbers'])}" for one in decisions
    )
    queue = view.get("queue") or []
    waiting = _sol(sum(ticket["assets_lamports"] for ticket in queue))
    ripe = sum(bool(ticket["ripe"]) for ticket in queue)
    return [
        ("state", f"{status.get('state', 'starting')}   {seconds_left:.0f} s left"),
        ("slot / epoch", f"{view.get('slot', '-')} / {view.get('epoch', '-')}   view {view.get('problem') or 'fresh'}"),
        ("redemption rate", f"{_ratio(view.get('redemption_rate'))} SOL per glowSOL"),
        ("DEX buy / sell", f"{_ratio(view.get('dex_buy'))} / {_ratio(view.get('dex_sell'))}"),
        ("discount / premium", f"{_bps(view.get('discount'))} / {_bps(view.get('premium'))}"),
        ("decision", decided or "-"),
        ("in flight / landed", f"{status.get('in_flight', 0)} / {status.get('landed', 0)}"),
        ("queue", f"{len(queue)} requests ({ripe} ripe), {waiting}"),
        ("NAV", _sol(status.get("nav_lamports"))),
        ("PnL against holding", _sol(status.get("pnl_lamports"))),
    ]


def _numbers(numbers: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in numbers.items() if key in ("way", "edge_bps", "index"))


def table(status: Mapping[str, Any], seconds_left: float) -> Table:
    """The same as a rich table."""
    grid = Table(title="glow-keeper on its localnet", show_header=False, min_width=72)
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    for label, text in rows(status, seconds_left):
        grid.add_row(label, Text(text))  # a strategy's own words are no markup
    return grid
