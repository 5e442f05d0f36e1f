"""What every room's tests share: hypothesis profiles (a failing example and its seed are printed), and the order of the suite."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "suite", max_examples=60, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("campaign", max_examples=5_000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("GLOW_KEEPER_HYPOTHESIS", "suite"))

LONG = ("tests/rehearsal/", "tests/docs/test_tutorial.py", "tests/backtest/", "tests/setup/")
"""Tests that wait for processes and for real time. They begin, so that none of them is what the others wait for in the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files with long tests in three parts, each where one of three workers begins (pytest-xdist, worksteal)."""
    long = [item for item in items if item.nodeid.startswith(LONG)]
    short = [item for item in items if not item.nodeid.startswith(LONG)]
    files = list(dict.fromkeys(item.nodeid.partition("::")[0] for item in long))
    ordered: list[pytest.Item] = []
    share = len(items) // 3
    for part in range(3):
        begin = [item for item in long if item.nodeid.partition("::")[0] in files[part::3]]
        rest = max(share - len(begin), 0) if part < 2 else len(short)
        ordered += [*begin, *short[:rest]]
        short = short[rest:]
    items[:] = ordered
