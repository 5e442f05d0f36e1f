"""README's "Write a fourth strategy in 15 minutes" as written: its files, its tests, and its strategy at work in the demo."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from keeper.rehearsal.configuration import THREE, further_tables, merged
from keeper.rehearsal.report import landings
from keeper.rehearsal.virtual import Box, Run
from keeper.rehearsal.world import Pace, world
from keeper.sim.localnet.server import Localnet
from tests.docs.pages import ROOT, page
from tests.strategies.purity import breaches

HEADING = "## Write a fourth strategy in 15 minutes\n"
FILE = re.compile(r"\*\*\d\. `(?P<name>dip-strategy/[\w.-]+)`\*\*.*?```(?:toml|python)\n(?P<text>.*?)```", re.DOTALL)


def section() -> str:
    """With its code, up to the next heading of its level."""
    return page("README.md").text.partition(HEADING)[2].partition("\n## ")[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tutorial's folder, with what an installer makes of its pyproject."""
    root = tmp_path_factory.mktemp("tutorial")
    (root / "dip-strategy").mkdir()
    files = {found["name"]: found["text"] for found in FILE.finditer(section())}
    assert sorted(files) == [
        "dip-strategy/dip.py",
        "dip-strategy/pyproject.toml",
        "dip-strategy/test_dip.py",
        "dip-strategy/with-dip.toml",
    ]
    for name, text in files.items():
        (root / name).write_text(text)
    project = tomllib.loads(files["dip-strategy/pyproject.toml"])
    assert project["tool"]["setuptools"]["py-modules"] == ["dip"]
    points = project["project"]["entry-points"]["glow_keeper.strategies"]
    info = root / "dip-strategy" / "dip-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: dip\nVersion: 1.0\n")
    lines = "".join(f"{name} = {value}\n" for name, value in points.items())
    (info / "entry_points.txt").write_text(f"[glow_keeper.strategies]\n{lines}")
    return root


def run(folder: Path, *command: str) -> str:
    """In a process of its own that finds the package as if it were installed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(folder / "dip-strategy"), str(ROOT)))}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def commands() -> Iterator[str]:
    block = section().rsplit("```", 2)[1]
    yield from (line.strip() for line in block.splitlines() if line.strip())


def test_the_strategy_obeys_law_one(folder: Path) -> None:
    assert breaches((folder / "dip-strategy" / "dip.py").read_text()) == []


def test_its_tests_pass(folder: Path) -> None:
    assert "3 passed" in run(folder, "pytest", "-q", "-p", "no:cacheprovider", "dip-strategy")


async def test_it_trades_in_the_demo(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``keeper demo --virtual --with dip-strategy/with-dip.toml`` runs, until the new strategy has landed something."""
    monkeypatch.syspath_prepend(str(folder / "dip-strategy"))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))  # what is imported here is forgotten afterwards
    net = Localnet(world(7, Pace(), clock="virtual"))
    box = await Box.furnish(net, tmp_path, 7, merged(THREE, further_tables(folder / "dip-strategy" / "with-dip.toml")))
    assert [one.name for one in box.loaded.strategies] == ["arbitrage", "loop", "compound", "dip"]
    async with AsyncExitStack() as closing:
        run = await Run.begin(box, closing)
        for _ in range(20):
            await run.work(2)
            if (await landings(run.parts.journal)).by_strategy["dip"]:
                break
        await run.lease.give_up()
    report = await box.audit()
    assert report.landings.by_strategy["dip"] >= 1
    assert report.drift == ()


def test_the_commands_are_those_that_exist() -> None:
    install, tests, demo = commands()
    makefile = (ROOT / "Makefile").read_text()
    assert install.startswith("make install DIR=")
    assert "\ninstall:" in makefile
    assert tests == ".venv/bin/python -m pytest dip-strategy"
    assert demo == 'make demo ARGS="--virtual --with dip-strategy/with-dip.toml"'
