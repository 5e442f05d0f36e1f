"""A healthy ward for every test: each plants its one fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doctor.ward import Ward


@pytest.fixture
async def ward(tmp_path: Path) -> Ward:
    return await Ward.admit(tmp_path)
