"""Fixtures of the protocol tests."""

import pytest

from tests.protocols.runtime import Runtime


@pytest.fixture
def runtime() -> Runtime:
    """A real runtime with its built-in programs and a funded wallet."""
    return Runtime()
