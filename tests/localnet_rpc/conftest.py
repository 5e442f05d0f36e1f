"""Fixtures of the faces' tests: every test has a chain of its own, on a virtual clock unless it says otherwise."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from keeper.sim.localnet.interface import BankConfig
from keeper.sim.localnet.server import Localnet, LocalnetConfig
from tests.localnet_rpc.stage import Stage


@pytest.fixture
def stage() -> Stage:
    """Without sockets."""
    return Stage(Localnet(LocalnetConfig(clock="virtual", cranks=None)))


@pytest.fixture
async def served() -> AsyncIterator[Stage]:
    """With sockets; slots pass when the test says so."""
    async with Localnet(LocalnetConfig(clock="virtual", cranks=None)) as net:
        yield Stage(net)


@pytest.fixture
async def ticking() -> AsyncIterator[Stage]:
    """With sockets and a fast real clock."""
    async with Localnet(LocalnetConfig(bank=BankConfig(slot_ms=20))) as net:
        yield Stage(net)
