"""Fixtures of execution's tests."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keeper.journal.journal import Journal
from keeper.journal.records import Leadership
from tests.execution.lending import Lending, make_lending_world, open_books
from tests.execution.world import World, make_world
from tests.journal.blank import blank_journal


@pytest.fixture
def world() -> World:
    return make_world()


def _wall() -> float:
    return 1_790_000_000.0


@pytest.fixture(scope="session")
def empty_journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("journal") / "empty.db"
    path.write_bytes(blank_journal())
    return path


@pytest.fixture
async def journal(empty_journal: Path, tmp_path: Path) -> AsyncIterator[Journal]:
    path = tmp_path / "journal.db"
    shutil.copy(empty_journal, path)
    async with await Journal.open(f"sqlite:///{path}", wall=_wall) as opened:
        yield opened


@pytest.fixture
async def leadership(journal: Journal) -> Leadership:
    return await journal.acquire("test", 1e9)


@pytest.fixture
async def lending(journal: Journal, leadership: Leadership) -> Lending:
    """A wallet with a margin account (glowSOL, sSOL; a loan of SOL), 190 glowSOL and 86 sSOL, and some 700 SOL."""
    world, oracles, borrower = make_lending_world()
    return await open_books(world, oracles, borrower, journal, leadership)
