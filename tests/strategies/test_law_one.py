"""Law 1: a strategy is a pure function. No I/O; no clock and no randomness; no state."""

from __future__ import annotations

import builtins
import random
import secrets
import socket
import time
from pathlib import Path
from typing import NoReturn

import pytest

import keeper
import strategies
from keeper.plan import Hold, Plan
from keeper.strategy import installed, load
from keeper.units.canonical import canonical
from tests.strategies.market_views import GLOWSOL, view
from tests.strategies.purity import LANGUAGE, breaches

MODULES = sorted(path for path in Path(strategies.__file__).parent.glob("*.py") if path.name != "__init__.py")
SHARED = [Path(keeper.__file__).parent / "tactics" / f"{name}.py" for name in LANGUAGE]


@pytest.mark.parametrize("module", [*MODULES, *SHARED], ids=lambda path: path.stem)
def test_no_strategy_breaks_the_rules(module: Path) -> None:
    assert breaches(module.read_text()) == []


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_strategy_is_about_a_page(module: Path) -> None:
    assert len(module.read_text().splitlines()) < 200


@pytest.mark.parametrize(
    "bad",
    [
        "import time",
        "import random",
        "from datetime import datetime",
        "import httpx2",
        "from keeper.chain import rpc",
        "from keeper import execution",
        "def decide(view, params):\n    open('x')",
        "def decide(view, params):\n    print(view)",
        "seen = []",
        "seen: dict = {}",
        "def decide(view, params):\n    global seen\n    seen = 1",
        "from functools import lru_cache",
        "def decide(view, params):\n    return view.a / 2",
        "x = 0.5",
        "def decide(view, params):\n    return float(view.a)",
        "def decide(view, params):\n    return hash(view)",
        "def decide(view, params):\n    return [x for x in {1, 2}]",
        "async def decide(view, params): ...",
        "def decide(view, params):\n    return view.__class__",
    ],
)
def test_the_reader_sees_each_kind_of_breach(bad: str) -> None:
    assert breaches(bad)


def test_every_shipped_module_is_offered_by_an_entry_point() -> None:
    offered = {point.value.split(":")[0] for point in installed().values()}
    assert {f"strategies.{module.stem}" for module in MODULES} <= offered


@pytest.mark.parametrize("name", sorted(installed()))
def test_a_decision_needs_nothing_but_its_arguments(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the clock, randomness, files and sockets taken away, it still decides, twice the same, and changes no input."""
    strategy = load(name)
    params = strategy.params()
    markets = [view(price_bps=price) for price in (9_800, 10_000, 10_200)]
    before = [canonical(market) for market in markets]

    def forbidden(*_args: object, **_kwargs: object) -> NoReturn:
        raise AssertionError(f"{name} reached outside its arguments")

    with monkeypatch.context() as patch:
        for owner, names in (
            (time, ("time", "monotonic", "time_ns", "perf_counter")),
            (random, ("random", "randint", "choice", "getrandbits")),
            (secrets, ("token_bytes", "randbelow")),
            (socket, ("socket", "create_connection")),
            (builtins, ("open", "print", "input")),
        ):
            for attribute in names:
                patch.setattr(owner, attribute, forbidden)
        strategy.needs(params, GLOWSOL)
        first = [strategy.decide(market, params) for market in markets]
        second = [strategy.decide(market, params) for market in markets]
    assert all(isinstance(decision, Plan | Hold) for decision in first)
    assert [canonical(one) for one in first] == [canonical(one) for one in second]
    assert [canonical(market) for market in markets] == before
