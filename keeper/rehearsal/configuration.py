"""The configuration of a rehearsal: a complete one, with whatever a person adds to it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

Tables: TypeAlias = Mapping[str, Any]

OPEN = ("strategies", "allocation")
"""What may be added to: the strategies, and how they share the wallet."""
NOTHING: Tables = {}

TEMPLATE = """\
[cluster]
rpc = ["{rpc}"]
websocket = "{websocket}"
genesis_hash = "{genesis}"

[wallet]
keypair = "wallet.json"
gas_reserve = "1 SOL"

[market]
lookup_tables = ["{lookup_table}"]
watch = {watch}

[market.lrt]
glowsol = "{glowsol}"
pool = "{lrt_pool}"
idl = "chain"
mapping = "localnet"

[venues]
slippage = "3 bps"

[venues.jupiter]
base_url = "{jupiter}"
requests_per_minute = 60000

[execution]
rebroadcast_interval = 0.4
poll_interval = 0.1

[engine]
min_interval = 0.2
max_interval = 2.0
max_view_age_slots = 40

[journal]
url = "sqlite:///journal.db"
lease = "10 s"

[telemetry]
port = {port}
log_format = "json"
decision_log = "decisions.jsonl"

[strategies.arbitrage]
sizes = ["1 SOL", "3 SOL", "8 SOL", "20 SOL", "40 SOL"]
max_trade = "40 SOL"
queue_capital = "250 SOL"
"""

THREE = tomllib.loads("""
[market.lending]
airspace = "default"

[allocation]
protect = "5 SOL"

[allocation.budgets]
arbitrage = "250 SOL"
loop = "100 SOL"

[strategies.loop]
equity = "100 SOL"
sizes = ["1 SOL", "8 SOL", "40 SOL", "120 SOL"]

[strategies.compound]
max_trade = "30 SOL"
sizes = ["1 SOL", "8 SOL", "40 SOL"]
""")
"""What the demo adds: the lending market, and all three strategies on one wallet. Sizes that several name are quoted once,
and every quote costs a part of the tick."""


class UnusableTables(ValueError):
    """The file with further tables cannot be used. The message says what to change."""


def further_tables(path: Path) -> Tables:
    """The tables of a file that are to be merged into a rehearsal's configuration. Raises ``UnusableTables``."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableTables(f"{path} cannot be read: {error}; check the path") from error
    except tomllib.TOMLDecodeError as error:
        raise UnusableTables(f"{path} is not TOML: {error}") from error
    strangers = [name for name in tables if name not in OPEN]
    if strangers:
        raise UnusableTables(
            f"{path} has {', '.join(f'[{name}]' for name in strangers)}; a rehearsal has its own chain, wallet and "
            "journal, and takes only [strategies.NAME] and [allocation] tables"
        )
    if not isinstance(tables.get("strategies", {}), dict) or not isinstance(tables.get("allocation", {}), dict):
        raise UnusableTables(f"{path}: strategies and allocation are tables; write [strategies.NAME]")
    return tables


def merged(base: Tables, further: Tables) -> dict[str, Any]:
    """``base`` with ``further``: tables key by key, everything else replaced."""
    found = dict(base)
    for key, value in further.items():
        here = found.get(key)
        found[key] = merged(here, value) if isinstance(here, dict) and isinstance(value, dict) else value
    return found


def toml(tables: Tables) -> str:
    """``tables`` as TOML text: strings, numbers, switches, and lists of them, by table.

    Raises ``UnusableTables`` for a value of another kind, such as a date or a list of tables.
    """
    return "\n".join(_lines(tables, ()))


def _lines(table: Tables, path: tuple[str, ...]) -> Iterator[str]:
    plain = {key: value for key, value in table.items() if not isinstance(value, dict)}
    if path and (plain or not table):
        yield f"\n[{'.'.join(_key(part) for part in path)}]"
    for key, value in plain.items():
        yield f"{_key(key)} = {_value(value, (*path, key))}"
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _lines(value, (*path, key))


def _key(name: str) -> str:
    return name if name.isascii() and name.replace("_", "").replace("-", "").isalnum() else _text(name)


def _text(value: str) -> str:
    """A JSON string is a TOML basic string, but for DEL, which TOML wants escaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: object, path: tuple[str, ...]) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return _text(value)
        case list():
            return f"[{', '.join(_value(item, path) for item in value)}]"
    raise UnusableTables(f"{'.'.join(path)} = {value!r}: no configuration key has a value of that kind")
