"""Pools, margin account and prices on the gauges: what is unknown is NaN, and never a healthy number."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from keeper.lending import Collateral, LendingMarket, Loan, MarginAccount
from keeper.telemetry import Metrics
from keeper.units import SOL, SSOL, Bps, Mint, Rate, Slot, TokenAmount
from keeper.view import Freshness, Source, View

Read = Callable[..., float | None]
GLOWSOL = Mint("gLow111111111111111111111111111111111111111", "glowSOL", 9)


def a_market(**changes: Any) -> LendingMarket:
    """880 borrowed of 1,000 SOL, at 12 % a year; lenders get 90 % of it."""
    market = LendingMarket(
        address="pool",
        mint=SOL,
        borrowed=TokenAmount(SOL, 880),
        idle=TokenAmount(SOL, 120),
        rate_line=((0, 120_000_000), (70, 2_000_000_000)),
        lenders_share=Bps(9_000),
        borrow_room=TokenAmount(SOL, 70),
        deposit_room=TokenAmount(SOL, 1_000),
    )
    return replace(market, **changes)


def an_account(owed: int = 400, loan_problem: str = "", **changes: Any) -> MarginAccount:
    """1,000 glowSOL at 1.05 and 100 lent SOL; a loan of ``owed`` SOL at 4 x."""
    account = MarginAccount(
        address="account",
        collateral=(
            Collateral("glow", GLOWSOL, TokenAmount(GLOWSOL, 1_000), Rate(105, 100), Bps(9_500)),
            Collateral("lent", SOL, TokenAmount(SOL, 100), Rate(1, 1), Bps(9_500), lent=True),
            Collateral("empty", SSOL, TokenAmount(SSOL, 0), Rate(11, 10), Bps(9_500), open=False),
        ),
        loans=(Loan("pool", SOL, TokenAmount(SOL, owed), Rate(1, 1), 400, problem=loan_problem),),
    )
    return replace(account, **changes)


def unknown(value: float | None) -> bool:
    return value is not None and math.isnan(value)


def test_a_pool_shows_its_rates_its_use_and_its_room(
    metrics: Metrics, read: Read, make_view: Callable[..., View]
) -> None:
    metrics.viewed(make_view(lending=(a_market(),)))
    assert read("keeper_lending_borrow_rate_ratio", pool="SOL") == pytest.approx(0.12)
    assert read("keeper_lending_deposit_rate_ratio", pool="SOL") == pytest.approx(0.12 * 0.88 * 0.9)
    assert read("keeper_lending_utilisation_ratio", pool="SOL") == pytest.approx(0.88)
    assert read("keeper_lending_borrow_room_units", pool="SOL") == 70
    assert read("keeper_lending_idle_units", pool="SOL") == 120
    assert read("keeper_lending_pool_problem", pool="SOL", side="entry", problem="none") == 1
    assert read("keeper_lending_pool_problem", pool="SOL", side="exit", problem="none") == 1


def test_the_rate_of_a_pool_whose_interest_is_behind_is_not_known(
    metrics: Metrics, read: Read, make_view: Callable[..., View]
) -> None:
    metrics.viewed(make_view(lending=(a_market(problem="interest_behind"),)))
    assert unknown(read("keeper_lending_borrow_rate_ratio", pool="SOL"))
    assert unknown(read("keeper_lending_deposit_rate_ratio", pool="SOL"))
    assert read("keeper_lending_utilisation_ratio", pool="SOL") == pytest.approx(0.88)


def test_a_problem_that_ends_falls_to_zero(metrics: Metrics, read: Read, make_view: Callable[..., View]) -> None:
    metrics.viewed(make_view(lending=(a_market(problem="pool_paused", exit_problem="pool_paused"),)))
    for side in ("entry", "exit"):
        assert read("keeper_lending_pool_problem", pool="SOL", side=side, problem="pool_paused") == 1
        assert read("keeper_lending_pool_problem", pool="SOL", side=side, problem="none") == 0
    metrics.viewed(make_view(lending=(a_market(problem="lending_closed"),)))
    assert read("keeper_lending_pool_problem", pool="SOL", side="entry", problem="pool_paused") == 0
    assert read("keeper_lending_pool_problem", pool="SOL", side="entry", problem="lending_closed") == 1
    assert read("keeper_lending_pool_problem", pool="SOL", side="exit", problem="none") == 1


def test_a_pool_that_cannot_be_read_any_more_leaves_nothing_behind(
    metrics: Metrics, registry: CollectorRegistry, make_view: Callable[..., View]
) -> None:
    metrics.viewed(make_view(lending=(a_market(problem="pool_paused"),)))
    metrics.viewed(make_view(lending=()))
    left = [
        sample.name
        for family in registry.collect()
        for sample in family.samples
        if sample.name.startswith("keeper_lending_")
    ]
    assert left == []


def test_the_account_shows_health_leverage_and_what_it_consists_of(
    metrics: Metrics, read: Read, make_view: Callable[..., View]
) -> None:
    metrics.viewed(make_view(margin=an_account()))
    assert read("keeper_margin_collateral_lamports", token="glowSOL") == 1_050
    assert read("keeper_margin_collateral_lamports", token="SOL") == 100
    assert read("keeper_margin_debt_lamports", token="SOL") == 400
    assert read("keeper_margin_equity_lamports") == 750
    assert read("keeper_margin_leverage_ratio") == pytest.approx(1_150 / 750, abs=1e-4)
    health = read("keeper_margin_health_ratio")
    assert health == pytest.approx(1 - 400 * 1.25 / (1_150 * 0.95), abs=2e-3)  # rounded down at these small numbers
    assert read("keeper_margin_health_known") == 1
    assert read("keeper_margin_problem", problem="none") == 1


def test_without_debt_health_is_one(metrics: Metrics, read: Read, make_view: Callable[..., View]) -> None:
    metrics.viewed(make_view(margin=an_account(owed=0)))
    assert (read("keeper_margin_health_ratio"), read("keeper_margin_leverage_ratio")) == (1, 1)


@pytest.mark.parametrize("problem", ["oracle_stale", "pool_unreadable"])
def test_a_debt_that_cannot_be_valued_makes_health_unknown_and_says_so(
    problem: str, metrics: Metrics, read: Read, make_view: Callable[..., View]
) -> None:
    metrics.viewed(make_view(margin=an_account(loan_problem=problem, problem="loan_not_priced")))
    for name in ("keeper_margin_health_ratio", "keeper_margin_leverage_ratio", "keeper_margin_equity_lamports"):
        assert unknown(read(name)), name
    assert unknown(read("keeper_margin_debt_lamports", token="SOL"))
    assert read("keeper_margin_health_known") == 0
    assert read("keeper_margin_problem", problem="loan_not_priced") == 1


def test_a_loan_that_is_nothing_needs_no_price(metrics: Metrics, read: Read, make_view: Callable[..., View]) -> None:
    metrics.viewed(make_view(margin=an_account(owed=0, loan_problem="oracle_stale")))
    assert (read("keeper_margin_health_ratio"), read("keeper_margin_health_known")) == (1, 1)
    assert read("keeper_margin_debt_lamports", token="SOL") == 0


def test_an_account_under_water_has_negative_health_and_no_leverage(
    metrics: Metrics, read: Read, make_view: Callable[..., View]
) -> None:
    metrics.viewed(make_view(margin=an_account(owed=1_200)))
    health = read("keeper_margin_health_ratio")
    assert health is not None
    assert health < 0
    assert read("keeper_margin_equity_lamports") == -50
    assert unknown(read("keeper_margin_leverage_ratio"))


def test_an_account_that_cannot_be_read_is_not_an_account_that_does_not_exist(
    metrics: Metrics, read: Read, make_view: Callable[..., View]
) -> None:
    metrics.viewed(make_view(margin=an_account(problem="being_liquidated")))
    assert read("keeper_margin_problem", problem="being_liquidated") == 1
    metrics.viewed(make_view(margin=None))
    assert unknown(read("keeper_margin_health_known"))  # there is none: nobody is woken
    assert read("keeper_margin_problem", problem="being_liquidated") is None
    fresh = Freshness("", (Source("rpc", Slot(500), 0), Source("margin account", None, None, "LayoutError")))
    metrics.viewed(make_view(margin=None, fresh=fresh))
    assert read("keeper_margin_health_known") == 0
    assert unknown(read("keeper_margin_health_ratio"))


def test_before_the_first_view_health_is_unknown_and_no_alarm(read: Read) -> None:
    assert unknown(read("keeper_margin_health_ratio"))
    assert unknown(read("keeper_margin_health_known"))


def test_the_floor_is_the_operators(metrics: Metrics, read: Read) -> None:
    metrics.health_floor(Bps(1_250))
    assert read("keeper_margin_health_floor_ratio") == 0.125


def test_a_price_is_unusable_wherever_that_was_noticed(
    metrics: Metrics, read: Read, make_view: Callable[..., View]
) -> None:
    account = an_account()
    glow, *others = account.collateral
    stale = replace(account, collateral=(replace(glow, problem="oracle_stale"), *others))
    metrics.viewed(make_view(margin=stale, lending=(a_market(problem="pool_paused"),)))
    assert read("keeper_oracle_problem", token="glowSOL", problem="oracle_stale") == 1
    assert read("keeper_oracle_problem", token="SOL", problem="none") == 1  # a paused pool is no fault of the oracle
    assert read("keeper_oracle_problem", token="sSOL", problem="none") == 1
    metrics.viewed(make_view(margin=account, lending=(a_market(problem="price_not_positive"),)))
    assert read("keeper_oracle_problem", token="glowSOL", problem="oracle_stale") == 0
    assert read("keeper_oracle_problem", token="SOL", problem="price_not_positive") == 1
