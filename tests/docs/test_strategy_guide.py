"""docs/writing-a-strategy.md is a strategy that works: it obeys law 1, installs, configures and passes its own tests."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from keeper.config import load_config
from keeper.units import Lamports
from tests.docs.pages import ROOT, Page, page
from tests.strategies.purity import breaches

PACKAGE = "my_strategies"


@pytest.fixture(scope="module")
def guide() -> Page:
    return page("docs/writing-a-strategy.md")


@pytest.fixture
def installed(guide: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The guide's package as an installer would leave it in site-packages."""
    module, _ = guide.blocks("python")
    entry, _ = guide.blocks("toml")
    package = tmp_path / PACKAGE
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "idle.py").write_text(module)
    info = tmp_path / f"{PACKAGE}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 1.0\n")
    header, point = entry.strip().splitlines()
    assert header == '[project.entry-points."glow_keeper.strategies"]'
    (info / "entry_points.txt").write_text(f"[glow_keeper.strategies]\n{point.replace(chr(34), '')}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))  # what is imported here is forgotten afterwards
    return tmp_path


def test_the_strategy_obeys_law_one(guide: Page) -> None:
    module, _ = guide.blocks("python")
    assert breaches(module) == []


def test_its_own_tests_pass(guide: Page, installed: Path) -> None:
    del installed
    _, tests = guide.blocks("python")
    module = ModuleType("guide_tests")
    exec(compile(tests, "docs/writing-a-strategy.md", "exec"), module.__dict__)  # noqa: S102 - our own page
    found = [value for name, value in vars(module).items() if name.startswith("test_")]
    assert len(found) == 3
    for test in found:
        test()


def test_it_is_found_and_configured_as_described(guide: Page, installed: Path) -> None:
    _, table = guide.blocks("toml")
    config = installed / "keeper.toml"
    config.write_text(
        "[cluster]\n"
        'rpc = ["http://127.0.0.1:1"]\nwebsocket = "ws://127.0.0.1:1"\ngenesis_hash = "x"\n'
        '[wallet]\nkeypair = "id.json"\n[journal]\nurl = "sqlite:///j.db"\n[venues.jupiter]\n' + table
    )
    (configured,) = load_config(config).strategies
    assert configured.name == "idle"
    assert configured.params.keep == Lamports(20 * 10**9)
    assert configured.needs(None) == ()


def test_the_intents_it_names_are_all_and_have_builders(guide: Page) -> None:
    from typing import get_args

    from keeper.execution.compile import BUILDERS
    from keeper.plan import Intent

    lines = " ".join(guide.section("A whole strategy").split())
    built, _, _ = lines.partition("**Intents**: ")[2].partition(" have builders. ")
    named = set(built.replace("`", "").split(", "))
    assert {kind.__name__ for kind in BUILDERS} == named
    assert {kind.__name__ for kind in get_args(Intent)} == named


def test_the_files_it_names_exist(guide: Page) -> None:
    for name in ("tests/strategies/market_views.py", "tests/strategies/purity.py", "tests/strategies/test_law_one.py"):
        assert f"`{name}`" in guide.text
        assert (ROOT / name).exists()
