"""A rehearsal in virtual time earns, accounts for everything, and is repeated byte by byte in another process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog

from keeper.rehearsal.report import Report
from keeper.units import Lamports
from tests.rehearsal.virtual_process import play

SEED, SECONDS, WEEK_SLOTS = 7, 14, 60  # a redemption ripens after six seconds


@contextmanager
def quietly() -> Iterator[None]:
    """Without a line of log for every transaction."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    try:
        yield
    finally:
        structlog.configure(**before)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    folder = tmp_path_factory.mktemp("played")
    with quietly():
        return folder, play(folder, SEED, SECONDS, WEEK_SLOTS)


def test_both_directions_and_a_claim_land(played: tuple[Path, Report]) -> None:
    landed = played[1].landings
    assert landed.premium >= 2
    assert landed.discount >= 1
    assert landed.claims >= 1
    assert landed.open == 0


def test_loop_and_compound_land_and_everything_is_home_again(played: tuple[Path, Report]) -> None:
    report = played[1]
    assert report.landings.by_strategy["loop"] >= 3
    assert report.landings.by_strategy["compound"] >= 3
    assert report.left.problems == ()


def test_the_ledger_is_the_chain_to_the_lamport_and_it_pays(played: tuple[Path, Report]) -> None:
    report = played[1]
    assert report.drift == ()
    assert report.problems == ()
    assert report.valuation.against_holding > Lamports(0)
    assert report.booked_accounts >= 3


def test_the_same_seed_in_another_process_decides_the_same(played: tuple[Path, Report], tmp_path: Path) -> None:
    numbers = [str(number) for number in (SEED, SECONDS, WEEK_SLOTS)]
    subprocess.run(
        [sys.executable, "-m", "tests.rehearsal.virtual_process", str(tmp_path), *numbers],
        env={**os.environ, "PYTHONHASHSEED": "4242"},
        check=True,
        timeout=120,
        cwd=Path(__file__).parents[2],
    )
    first, second = ((folder / "decisions.jsonl").read_bytes() for folder in (played[0], tmp_path))
    assert first.count(b"\n") >= 20
    assert first == second


def test_another_seed_decides_otherwise(played: tuple[Path, Report], tmp_path: Path) -> None:
    with quietly():
        play(tmp_path, SEED + 1, 3, WEEK_SLOTS)
    lines = (tmp_path / "decisions.jsonl").read_text().splitlines()
    assert lines
    assert lines != (played[0] / "decisions.jsonl").read_text().splitlines()[: len(lines)]
