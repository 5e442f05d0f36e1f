"""The strategies' shares, orders and yields on the gauges, and what the doctor found."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from keeper.telemetry import Capital, Metrics
from keeper.units import Lamports

Read = Callable[..., float | None]


def unknown(value: float | None) -> bool:
    return value is not None and math.isnan(value)


def share(budget: Lamports | None = Lamports(100), ordered_at: float | None = None, unwound: bool = False) -> Capital:
    return Capital("arbitrage", budget, Lamports(60), Lamports(35), Lamports(7), 2, ordered_at, unwound)


def test_before_the_first_tick_a_share_is_unknown_and_no_order_is_open(read: Read) -> None:
    for name in ("budget_lamports", "deployed_lamports", "free_lamports", "debt_lamports", "requests"):
        assert unknown(read(f"keeper_strategy_{name}", strategy="arbitrage")), name
    assert read("keeper_strategy_order", strategy="arbitrage", state="none") == 1
    assert unknown(read("keeper_strategy_order_open_since_timestamp_seconds", strategy="arbitrage"))


def test_a_share_is_shown_as_it_is(metrics: Metrics, read: Read) -> None:
    metrics.capital([share()])
    assert read("keeper_strategy_budget_lamports", strategy="arbitrage") == 100
    assert read("keeper_strategy_deployed_lamports", strategy="arbitrage") == 60
    assert read("keeper_strategy_free_lamports", strategy="arbitrage") == 35
    assert read("keeper_strategy_debt_lamports", strategy="arbitrage") == 7
    assert read("keeper_strategy_requests", strategy="arbitrage") == 2
    metrics.capital([share(budget=None)])
    assert unknown(read("keeper_strategy_budget_lamports", strategy="arbitrage"))


@pytest.mark.parametrize(
    ("placed", "done", "state"), [(None, False, "none"), (1_000.5, False, "open"), (1_000.5, True, "done")]
)
def test_an_order_is_none_open_or_done(
    placed: float | None, done: bool, state: str, metrics: Metrics, read: Read
) -> None:
    metrics.capital([share(ordered_at=999.0)])
    metrics.capital([share(ordered_at=placed, unwound=done)])
    states = {
        name: read("keeper_strategy_order", strategy="arbitrage", state=name) for name in ("none", "open", "done")
    }
    assert states == {name: float(name == state) for name in states}
    since = read("keeper_strategy_order_open_since_timestamp_seconds", strategy="arbitrage")
    assert since == placed if state == "open" else unknown(since)


def test_a_yield_that_is_not_measured_yet_is_unknown(metrics: Metrics, read: Read) -> None:
    metrics.yields({"sSOL": 71_000_000, "glowSOL": None})
    assert read("keeper_staking_yield_ratio", token="sSOL") == pytest.approx(0.071)
    assert unknown(read("keeper_staking_yield_ratio", token="glowSOL"))


def test_the_doctors_findings_are_counted_by_what_they_block(
    metrics: Metrics, read: Read, clock: Callable[[], float]
) -> None:
    assert unknown(read("keeper_doctor_failing_checks", blocks="yes"))
    assert read("keeper_doctor_last_look_timestamp_seconds") == 0
    metrics.examined({"oracle:SOL": True, "lookup table": False, "genesis": True})
    assert read("keeper_doctor_failing_checks", blocks="yes") == 2
    assert read("keeper_doctor_failing_checks", blocks="no") == 1
    assert read("keeper_doctor_check_failing", check="oracle:SOL") == 1
    assert read("keeper_doctor_last_look_timestamp_seconds") == clock()
    metrics.examined({"lookup table": False})
    assert read("keeper_doctor_failing_checks", blocks="yes") == 0
    assert read("keeper_doctor_check_failing", check="oracle:SOL") is None
    assert read("keeper_doctor_check_failing", check="lookup table") == 1
