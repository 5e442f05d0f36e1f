"""What was recorded is what is exported."""

from __future__ import annotations

import math
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY, CollectorRegistry

from keeper.plan import Atomic, Expected, Hold, Plan, Wrap
from keeper.telemetry import Metrics
from keeper.telemetry.label_values import BoundedValues, endpoint_name
from keeper.telemetry.server import exposition
from keeper.units import Bps, Duration, Lamports, TokenAmount
from keeper.view import Freshness, View

if TYPE_CHECKING:
    from collections.abc import Callable

    Read = Callable[..., float | None]


def a_plan(profit: int) -> Plan:
    expected = Expected(Lamports(profit), Lamports(5), Bps(30), Lamports(1_000), Duration(0), Lamports(-10))
    return Plan((Atomic((Wrap(Lamports(1)),)),), expected, "premium")


def test_counters_start_at_zero_for_every_strategy_result_and_task(read: Read) -> None:
    for result in ("landed", "failed", "expired", "refused"):
        assert read("keeper_tx_results_total", strategy="arbitrage", result=result) == 0
    for result in ("ok", "stale", "failed"):
        assert read("keeper_ticks_total", result=result) == 0
    assert read("keeper_task_failures_total", task="tick") == 0
    assert read("keeper_tx_attempts_total", strategy="arbitrage") == 0
    assert read("keeper_risk_denials_total", strategy="arbitrage", reason="other") == 0
    assert read("keeper_tx_errors_total", strategy="arbitrage", error="other") == 0


def test_only_what_is_named_by_chain_and_configuration_is_missing_before_the_first_tick(
    metrics: Metrics, registry: CollectorRegistry
) -> None:
    exported = {sample.name for family in registry.collect() for sample in family.samples}
    declared = {f"{one.name}_count" if one.kind == "histogram" else one.name for one in metrics.declared}
    assert declared - exported == {
        "keeper_rpc_requests_total",
        "keeper_rpc_request_duration_seconds_count",
        "keeper_venue_requests_total",
        "keeper_stake_pool_current",
        "keeper_stake_pool_rate_ratio",
        "keeper_view_age_slots",
        "keeper_wallet_token_units",
        "keeper_doctor_check_failing",
        "keeper_lending_borrow_rate_ratio",
        "keeper_lending_borrow_room_units",
        "keeper_lending_deposit_rate_ratio",
        "keeper_lending_idle_units",
        "keeper_lending_pool_problem",
        "keeper_lending_utilisation_ratio",
        "keeper_margin_collateral_lamports",
        "keeper_margin_debt_lamports",
        "keeper_margin_problem",
        "keeper_oracle_problem",
        "keeper_staking_yield_ratio",
    }


def test_only_a_tick_that_went_well_moves_the_time_of_the_last_success(metrics: Metrics, read: Read) -> None:
    metrics.tick("failed", 0.1)
    metrics.tick("stale", 0.1)
    assert read("keeper_last_successful_tick_timestamp_seconds") == 0
    metrics.tick("ok", 0.2)
    assert read("keeper_last_successful_tick_timestamp_seconds") == 1_000
    assert read("keeper_tick_duration_seconds_count") == 3
    assert read("keeper_tick_duration_seconds_sum") == pytest.approx(0.4)


def test_decisions_are_counted_by_kind_and_reason(metrics: Metrics, read: Read) -> None:
    metrics.decided("arbitrage", Hold("edge_below_minimum"))
    metrics.decided("arbitrage", Hold("edge_below_minimum"))
    metrics.decided("arbitrage", a_plan(700))
    held = read("keeper_decisions_total", strategy="arbitrage", decision="hold", reason="edge_below_minimum")
    assert held == 2
    assert read("keeper_decisions_total", strategy="arbitrage", decision="plan", reason="premium") == 1
    assert read("keeper_expected_profit_lamports_total", strategy="arbitrage") == 700


def test_a_plan_that_costs_money_does_not_lower_a_counter(metrics: Metrics, read: Read) -> None:
    metrics.decided("arbitrage", a_plan(-20))
    assert read("keeper_expected_profit_lamports_total", strategy="arbitrage") == 0


def test_reasons_past_the_limit_are_counted_together(registry: CollectorRegistry) -> None:
    metrics = Metrics(registry, max_codes=3)
    for number in range(10):
        metrics.decided("arbitrage", Hold(f"reason_{number}"))
    names = {
        sample.labels["reason"]
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "keeper_decisions_total"
    }
    assert names == {"reason_0", "reason_1", "reason_2", "other"}
    other = registry.get_sample_value(
        "keeper_decisions_total", {"strategy": "arbitrage", "decision": "hold", "reason": "other"}
    )
    assert other == 7


def test_an_outcome_books_its_fee_its_time_and_its_error(metrics: Metrics, read: Read) -> None:
    metrics.attempted("arbitrage", 0.004)
    metrics.outcome("arbitrage", "landed", Lamports(5_100), 1.5)
    metrics.outcome("arbitrage", "failed", Lamports(5_000), error="SlippageExceeded")
    metrics.outcome("arbitrage", "expired", Lamports(0))
    assert read("keeper_tx_attempts_total", strategy="arbitrage") == 1
    assert read("keeper_fees_paid_lamports_total") == 10_100
    assert read("keeper_tx_landing_seconds_count") == 1
    assert read("keeper_decision_to_signed_seconds_sum") == pytest.approx(0.004)
    assert read("keeper_tx_errors_total", strategy="arbitrage", error="SlippageExceeded") == 1


def test_exactly_one_trading_state_holds(metrics: Metrics, read: Read) -> None:
    metrics.trading("active")
    metrics.trading("halted")
    metrics.denied("arbitrage", "capital_above_limit")
    assert [read("keeper_trading_state", state=state) for state in ("active", "reducing", "halted")] == [0, 0, 1]
    assert read("keeper_risk_denials_total", strategy="arbitrage", reason="capital_above_limit") == 1


def test_the_machinery_is_recorded(metrics: Metrics, read: Read, clock: Callable[[], float]) -> None:
    metrics.ws_connected(True)
    metrics.ws_message()
    metrics.ws_reconnected()
    metrics.venue_call("jupiter", "rate_limited")
    metrics.leader(True, 4)
    metrics.task_failed("tick")
    metrics.loop_lag(0.25)
    metrics.ledger_drift(Lamports(-3))
    metrics.in_flight(2)
    metrics.rebroadcast(3)
    journal = read("keeper_journal_writable")
    assert journal is not None
    assert math.isnan(journal)  # nobody has tried yet: no alert
    metrics.journal_writable(False)
    assert read("keeper_journal_writable") == 0
    assert (read("keeper_ws_connected"), read("keeper_ws_reconnects_total")) == (1, 1)
    assert read("keeper_ws_last_message_timestamp_seconds") == clock()
    assert read("keeper_venue_requests_total", venue="jupiter", result="rate_limited") == 1
    assert (read("keeper_is_leader"), read("keeper_leader_epoch")) == (1, 4)
    assert read("keeper_task_failures_total", task="tick") == 1
    assert (read("keeper_event_loop_lag_seconds"), read("keeper_ledger_drift_lamports")) == (0.25, -3)
    assert (read("keeper_in_flight_transactions"), read("keeper_tx_rebroadcasts_total")) == (2, 3)


def test_a_view_sets_market_wallet_and_queue(metrics: Metrics, read: Read, view: View) -> None:
    metrics.viewed(view)
    assert read("keeper_redemption_rate_ratio") == pytest.approx(1.05)
    assert read("keeper_dex_price_ratio", direction="buy") == pytest.approx(1.04)
    assert read("keeper_dex_price_ratio", direction="sell") == pytest.approx(1.03)
    assert read("keeper_discount_ratio") == pytest.approx(1 - 1.04 / 1.05)
    assert read("keeper_premium_ratio") == pytest.approx(1.03 / 1.05 - 1)
    assert read("keeper_stake_pool_current", pool="sSOL") == 0
    assert read("keeper_stake_pool_rate_ratio", pool="sSOL") == pytest.approx(1.1)
    assert (read("keeper_slot"), read("keeper_epoch"), read("keeper_view_fresh")) == (500, 7, 1)
    assert read("keeper_view_age_slots", source="jupiter") == 3
    assert read("keeper_wallet_balance_lamports") == 3_000
    assert read("keeper_wallet_token_units", token="glowSOL") == 42
    assert read("keeper_queue_tickets") == 2
    assert read("keeper_queue_ripe_tickets") == 1
    assert read("keeper_queue_assets_lamports") == 31
    assert read("keeper_queue_next_ripe_timestamp_seconds") == 1_699_999_999


def test_what_a_view_could_not_read_is_nan_and_not_the_last_value(
    metrics: Metrics, read: Read, view: View, make_view: Callable[..., View]
) -> None:
    metrics.viewed(view)
    metrics.viewed(make_view(glowsol=None, quotes=(), queue=(), fresh=Freshness("rpc_lagging", ())))
    for name in ("keeper_redemption_rate_ratio", "keeper_discount_ratio", "keeper_queue_next_ripe_timestamp_seconds"):
        value = read(name)
        assert value is not None
        assert math.isnan(value), name
    assert read("keeper_view_fresh") == 0
    assert read("keeper_view_age_slots", source="jupiter") is None


def test_without_the_restaking_program_the_dex_price_is_still_shown(
    metrics: Metrics, read: Read, make_view: Callable[..., View]
) -> None:
    metrics.viewed(make_view(glowsol=None))
    assert read("keeper_dex_price_ratio", direction="buy") == pytest.approx(1.04)


def test_a_token_that_left_the_wallet_leaves_no_balance_behind(
    metrics: Metrics, read: Read, view: View, make_view: Callable[..., View]
) -> None:
    metrics.viewed(view)
    (glowsol, _) = view.wallet.tokens
    metrics.viewed(make_view())
    assert read("keeper_wallet_token_units", token="glowSOL") == 42  # set again, not added up
    wallet = type(view.wallet)("owner", Lamports(1), Lamports(0), (TokenAmount(glowsol.mint, 7),))
    metrics.viewed(make_view(wallet=wallet))
    assert read("keeper_wallet_token_units", token="glowSOL") == 7
    assert read("keeper_wallet_token_units", token="sSOL") is None


def test_profit_is_against_having_held(metrics: Metrics, read: Read) -> None:
    metrics.nav(Lamports(900), holding=Lamports(1_010))
    assert (read("keeper_nav_lamports"), read("keeper_pnl_lamports")) == (900, -110)
    assert read("keeper_holding_lamports") == 1_010


def test_an_rpc_address_never_becomes_a_label_with_its_key(metrics: Metrics, registry: CollectorRegistry) -> None:
    metrics.rpc_call("getSlot", "https://user:pw@rpc.example:8899/v1/TOPSECRETKEY?api-key=TOPSECRETKEY", "ok", 0.1)
    text = exposition(registry).decode()
    assert 'endpoint="rpc.example:8899"' in text
    assert "TOPSECRETKEY" not in text
    assert "pw" not in text.split("endpoint=")[1].split("\n")[0]


@given(st.text(max_size=120))
def test_a_label_value_is_always_one_short_line_of_plain_text(value: str) -> None:
    admitted = BoundedValues(1).admit(value)
    assert admitted == "other" or (admitted == value and len(value) <= 96 and value.isascii() and value.isprintable())


@pytest.mark.parametrize(
    "name", ["edge_below_minimum", "RpcRateLimited", "stake-pool: ExceededSlippage (39)", "h:8899"]
)
def test_names_that_the_keeper_uses_are_kept_as_they_are(name: str) -> None:
    assert BoundedValues(1).admit(name) == name


@pytest.mark.parametrize("text", ["", "{'a': 1}", "https://host/key?x=1", "two\nlines", "x" * 97, "code\n"])
def test_text_that_is_no_name_is_other(text: str) -> None:
    assert BoundedValues(1).admit(text) == "other"


@given(st.lists(st.from_regex(r"[a-z]{1,4}", fullmatch=True)), st.integers(1, 5))
def test_a_label_never_has_more_values_than_its_limit(values: list[str], limit: int) -> None:
    bounded = BoundedValues(limit)
    admitted = [bounded.admit(value) for value in values]
    assert len(set(admitted) - {"other"}) <= limit
    assert [bounded.admit(value) for value in values] == [
        value if value in set(admitted) else "other" for value in values
    ]


def test_a_plain_endpoint_name_stays_as_it_is() -> None:
    assert endpoint_name("primary") == "primary"
    assert endpoint_name("http://[::1]:8899/x") == "::1:8899"


def test_everything_declared_is_exported_under_its_declared_name(metrics: Metrics) -> None:
    exported = {family.name: family.type for family in metrics.registry.collect()}
    for declared in metrics.declared:
        name = declared.name.removesuffix("_total") if declared.kind == "counter" else declared.name
        name = name.removesuffix("_info") if declared.name == "keeper_build_info" else name
        assert name in exported, declared.name
    ours = {name for name in exported if name.startswith("keeper_")}
    assert len(ours) == len(metrics.declared)


def test_nothing_is_registered_globally() -> None:
    Metrics(CollectorRegistry(), strategies=["arbitrage"])
    assert not [family.name for family in REGISTRY.collect() if family.name.startswith("keeper")]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
def test_promtool_has_no_complaint(metrics: Metrics, view: View) -> None:
    metrics.viewed(view)
    metrics.tick("ok", 0.1)
    metrics.decided("arbitrage", Hold("edge_below_minimum"))
    metrics.rpc_call("getSlot", "main", "ok", 0.1)
    metrics.venue_call("jupiter", "ok")
    metrics.outcome("arbitrage", "failed", Lamports(5_000), error="SlippageExceeded")
    lint = subprocess.run(
        ["promtool", "check", "metrics"], input=exposition(metrics.registry), capture_output=True, check=False
    )
    assert (lint.returncode, lint.stdout + lint.stderr) == (0, b"")
