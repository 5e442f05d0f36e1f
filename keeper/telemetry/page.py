"""The status page: whatever ``/status`` says, as tables, without scripts, reloading itself."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

RELOAD_SECONDS = 5
_STYLE = """
body { font: 14px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1c2330 }
h1 { font-size: 1.3rem } h2 { font-size: 1rem; margin: 1.6rem 0 .4rem; color: #56607a }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .25rem .6rem; vertical-align: top }
tr + tr { border-top: 1px solid #e3e7ef } th { font-weight: 500; color: #56607a; width: 16rem }
td { font-variant-numeric: tabular-nums; overflow-wrap: anywhere }
.good { color: #12703a } .bad { color: #b3261e; font-weight: 600 } nav a { margin-right: 1rem }
@media (prefers-color-scheme: dark) { body { background: #12161f; color: #dfe5f2 } tr + tr { border-color: #2a3142 } }
"""


def render(status: Mapping[str, Any]) -> str:
    """``status`` (plain JSON data) as a page. Everything in it is escaped."""
    good = bool(status.get("live")) and bool(status.get("ready"))
    word = "running" if good else "not ready"
    scalars = {key: item for key, item in status.items() if not isinstance(item, (dict, list))}
    sections = {key: item for key, item in status.items() if isinstance(item, (dict, list))}
    body = [
        "<!doctype html><html lang=en><head><meta charset=utf-8>",
        f'<meta http-equiv=refresh content="{RELOAD_SECONDS}"><title>glow-keeper: {word}</title>',
        f"<style>{_STYLE}</style></head><body>",
        f'<h1>glow-keeper <span class="{"good" if good else "bad"}">{word}</span></h1>',
        '<nav><a href="status">status</a><a href="metrics">metrics</a><a href="livez">livez</a>',
        '<a href="readyz">readyz</a></nav>',
        _table(scalars),
        *(f"<h2>{escape(_title(key))}</h2>{_value(item)}" for key, item in sections.items()),
        "</body></html>",
    ]
    return "".join(body)


def _title(key: str) -> str:
    return key.replace("_", " ")


def _table(rows: Mapping[str, Any]) -> str:
    cells = (f"<tr><th>{escape(_title(str(key)))}</th><td>{_value(item)}</td></tr>" for key, item in rows.items())
    return f"<table>{''.join(cells)}</table>"


def _value(item: Any) -> str:
    match item:
        case None:
            return "-"
        case bool():
            return "yes" if item else "no"
        case int():
            return f"{item:,}".replace(",", "&#8239;")
        case float():
            return f"{item:.9g}"
        case dict():
            return _table(item) if item else "none"
        case list() if item and all(isinstance(entry, dict) for entry in item):
            return "".join(_table(entry) for entry in item)
        case list():
            return ", ".join(_value(entry) for entry in item) or "none"
    return escape(str(item))
