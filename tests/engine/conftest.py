"""A stage and a place to close what is opened on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.engine.stage import Stage


@pytest.fixture
async def stage(tmp_path: Path) -> Stage:
    return await Stage.build(tmp_path)


@pytest.fixture
async def closing() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack
