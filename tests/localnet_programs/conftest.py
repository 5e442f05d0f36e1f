"""Fixtures of the model programs' tests."""

from __future__ import annotations

import pytest

from keeper.sim.localnet.actor import Actor
from tests.localnet_programs.world import World, make_world


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def user(world: World) -> Actor:
    return world.actor()
