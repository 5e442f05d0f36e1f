"""Fixtures of the localnet's bank."""

from __future__ import annotations

import pytest

from tests.localnet_bank.box import Box


@pytest.fixture
def box() -> Box:
    return Box()
