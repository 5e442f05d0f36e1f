"""The demo's live table, drawn from what the daemon's ``/status`` says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

SOL = 1_000_000_000
BPS = 10_000
WORTH_SHOWING = ("way", "edge_bps", "index", "cause", "stressed_bps", "due_after")


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


def _percent(bps: float | None) -> str:
    return "-" if bps is None else f"{bps / 100:.2f} %"


def rows(status: Mapping[str, Any], seconds_left: float) -> list[tuple[str, str]]:
    """Label and text of each line; what several strategies say is a line of the text each. Floats are for the eye only."""
    view: Mapping[str, Any] = status.get("view") or {}
    queue = view.get("queue") or []
    waiting = _sol(sum(ticket["assets_lamports"] for ticket in queue))
    ripe = sum(bool(ticket["ripe"]) for ticket in queue)
    return [
        ("state", f"{status.get('state', 'starting')}   {seconds_left:.0f} s left"),
        ("slot / epoch", f"{view.get('slot', '-')} / {view.get('epoch', '-')}   view {view.get('problem') or 'fresh'}"),
        ("redemption rate", f"{_ratio(view.get('redemption_rate'))} SOL per glowSOL"),
        ("DEX buy / sell", f"{_ratio(view.get('dex_buy'))} / {_ratio(view.get('dex_sell'))}"),
        ("discount / premium", f"{_bps(view.get('discount'))} / {_bps(view.get('premium'))}"),
        ("SOL pool", _pool(view)),
        ("margin account", _margin(view)),
        ("net APY of the loop", _net_apy(status)),
        ("decisions", "\n".join(_decisions(status)) or "-"),
        ("in flight / landed", f"{status.get('in_flight', 0)} / {status.get('landed', 0)}"),
        ("queue", f"{len(queue)} requests ({ripe} ripe), {waiting}"),
        ("NAV", _sol(status.get("nav_lamports"))),
        ("PnL against holding", _sol(status.get("pnl_lamports"))),
    ]


def _pool(view: Mapping[str, Any]) -> str:
    pool = (view.get("lending") or {}).get("SOL")
    if not pool:
        return "-"
    return f"borrow {_percent(pool['borrow_rate_ppb'] / 1e5)}, utilisation {_percent(pool['utilisation_bps'])}{_problem(pool)}"


def _margin(view: Mapping[str, Any]) -> str:
    margin = view.get("margin")
    if not margin:
        return "-"
    leverage = margin["leverage_bps"]
    levered = "-" if leverage is None else f"{leverage / BPS:.2f} x"
    health = _percent(margin["health_bps"])
    return f"health {health}, leverage {levered}, debt {_sol(margin['debt_lamports'])}{_problem(margin)}"


def _problem(part: Mapping[str, Any]) -> str:
    return f"   {part['problem']}" if part.get("problem") else ""


def _net_apy(status: Mapping[str, Any]) -> str:
    """L y - (L - 1) b on equity, from what the loop measured: before the costs of coming and going."""
    loop = (one["numbers"] for one in status.get("decisions") or [] if one["strategy"] == "loop")
    numbers: Mapping[str, Any] = next(loop, {})
    found = [numbers.get(key) for key in ("debt", "equity", "yield_ppb", "borrow_rate_ppb")]
    known = [one for one in found if isinstance(one, int)]
    if len(known) < len(found) or known[1] <= 0:
        return "-"
    debt, equity, earned, rate = known
    net = earned + (earned - rate) * debt / equity
    return f"{_percent(net / 1e5)}   (yield {_percent(earned / 1e5)})"


def _decisions(status: Mapping[str, Any]) -> list[str]:
    parts = status.get("strategies") or {}
    found = []
    for one in status.get("decisions") or []:
        order = (parts.get(one["strategy"]) or {}).get("order")
        told = "" if not order else " [unwound]" if order.get("done") else " [to unwind]"
        found.append(f"{one['strategy']}{told}: {one['decision']} {one['reason']} {_numbers(one['numbers'])}".rstrip())
    return found


def _numbers(numbers: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in numbers.items() if key in WORTH_SHOWING)


def table(status: Mapping[str, Any], seconds_left: float) -> Table:
    """The same as a rich table."""
    grid = Table(title="glow-keeper on its localnet", show_header=False, min_width=72)
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    for label, text in rows(status, seconds_left):
        grid.add_row(label, Text(text))  # a strategy's own words are no markup
    return grid


def line(status: Mapping[str, Any], seconds_left: float) -> str:
    """The same as one line, where there is no terminal."""
    return " | ".join(f"{label}: {text.replace(chr(10), '; ')}" for label, text in rows(status, seconds_left))
