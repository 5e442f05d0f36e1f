"""docs/configuration.md has every key that the code reads, its default and its bounds, and no other."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from solders.pubkey import Pubkey

from keeper.config import ConfigError, load_config
from keeper.config.settings import Settings
from keeper.strategy import installed, load
from keeper.units import Bps, Duration, Lamports, MicroLamports
from tests.docs.pages import Page, coded, page

PAGE = "docs/configuration.md"
Key = tuple[str, str]


@pytest.fixture(scope="module")
def doc() -> Page:
    return page(PAGE)


def tables(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Every table of the file by its dotted name, nested ones too."""
    for name, field in model.model_fields.items():
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield f"{prefix}{name}", kind
                yield from tables(kind, f"{prefix}{name}.")


def written(value: object) -> str:
    """A default as the configuration writes it, without TOML's quotes around a single text."""
    match value:
        case bool():
            return str(value).lower()
        case Lamports():
            sol = f"{value.value // 10**9}.{value.value % 10**9:09d}".rstrip("0").rstrip(".")
            return f"{sol} SOL"
        case Bps():
            return f"{value.value} bps"
        case Duration():
            return f"{value.value} s"
        case MicroLamports():
            return str(value.value)
        case None:
            return "none"
        case dict():
            return "{" + ", ".join(f'{key} = "{written(item)}"' for key, item in value.items()) + "}"
        case tuple():
            return "[" + ", ".join(f'"{written(item)}"' for item in value) + "]"
        case Pubkey() | str() | int() | float():
            return str(value)
    raise AssertionError(f"no way to write a default of {type(value).__name__}")


def expected() -> dict[Key, tuple[str, list[str]]]:
    """(table, key) to its default and the numbers that bound it."""
    found: dict[Key, tuple[str, list[str]]] = {}
    for table, model in tables(Settings):
        for name, field in model.model_fields.items():
            if (f"{table}.{name}") in dict(tables(Settings)):
                continue
            default: Any = field.get_default(call_default_factory=True, validated_data={})
            text = "required" if default is PydanticUndefined else written(default)
            bounds = [
                str(getattr(rule, side))
                for rule in field.metadata
                for side in ("ge", "gt", "le", "lt")
                if hasattr(rule, side)
            ]
            found[table, name] = text, bounds
    for strategy in installed():
        for param in dataclasses.fields(load(strategy).params):
            text = "required" if param.default is dataclasses.MISSING else written(param.default)
            found[f"strategies.{strategy}", param.name] = text, []
    return found


def documented(doc: Page) -> dict[Key, list[str]]:
    headings = [heading[1:-1] for heading in doc.headings if heading.startswith("[") and heading.endswith("]")]
    return {(table, coded(row[0])): row[1:] for table in headings for row in doc.table(f"[{table}]")}


def test_the_keys_are_those_of_the_code(doc: Page) -> None:
    wanted, found = set(expected()), set(documented(doc))
    assert found - wanted == set(), "documented, and unknown to the code"
    assert wanted - found == set(), "read by the code, and not documented"


@pytest.mark.parametrize("key", sorted(expected()), ids=".".join)
def test_default_and_bounds_are_those_of_the_code(key: Key, doc: Page) -> None:
    default, bounds = expected()[key]
    kind, documented_default, _ = documented(doc)[key]
    assert coded(documented_default) == default
    for bound in bounds:
        assert bound in kind or (bound == "0" and "above 0" in kind), f"{key}: {kind!r} does not name {bound}"


def test_every_documented_key_says_what_it_means(doc: Page) -> None:
    obvious = {"log_format", "log_level"}
    assert [key for key, row in documented(doc).items() if not row[2] and key[1] not in obvious] == []


EXAMPLE = """
[cluster]
rpc = ["http://127.0.0.1:8899"]
websocket = "ws://127.0.0.1:8900"
genesis_hash = "abc"
[wallet]
keypair = "wallet.json"
[journal]
url = "sqlite:///keeper.db"
[venues.jupiter]
[strategies.arbitrage]
"""


@pytest.fixture
def example(tmp_path: Path) -> Path:
    path = tmp_path / "keeper.toml"
    path.write_text(EXAMPLE)
    return path


def test_the_environment_overrides_as_described(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOW_KEEPER__CLUSTER__REQUEST_TIMEOUT", "5 s")
    monkeypatch.setenv("GLOW_KEEPER__CLUSTER__RPC", '["https://a", "https://b"]')
    monkeypatch.setenv("GLOW_KEEPER__VENUES__JUPITER__REQUESTS_PER_MINUTE", "600")
    monkeypatch.setenv("GLOW_KEEPER__STRATEGIES__ARBITRAGE__MIN_EDGE", "20 bps")
    loaded = load_config(example)
    assert loaded.settings.cluster.request_timeout == Duration(5)
    assert loaded.settings.cluster.rpc == ("https://a", "https://b")
    assert loaded.settings.venues.jupiter is not None
    assert loaded.settings.venues.jupiter.requests_per_minute == 600
    assert loaded.strategies[0].params.min_edge == Bps(20)
    assert loaded.settings.wallet.keypair == example.parent / "wallet.json"


@pytest.mark.parametrize(
    ("variable", "value", "field"),
    [
        ("GLOW_KEEPER__CLUSTR__TIMEOUT", "5 s", "GLOW_KEEPER__CLUSTR__TIMEOUT"),
        ("GLOW_KEEPER__CLUSTER__TIMEOUT", "5 s", "cluster.timeout"),
        ("GLOW_KEEPER__STRATEGIES__ARBITRAGE__COMPUTE_LIMIT", "300000", "strategies.arbitrage.compute_limit"),
    ],
)
def test_the_environment_refuses_as_described(
    variable: str, value: str, field: str, example: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as caught:
        load_config(example)
    assert [problem.field for problem in caught.value.problems] == [field]
