"""What a rehearsal shows: its summary, its table for whatever ``/status`` says, and metrics that are all declared."""

from __future__ import annotations

import io
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from keeper.engine.status import status
from keeper.engine.valuation import Valuation
from keeper.execution.reconcile import Drift
from keeper.rehearsal.goals import WHOLE, goals_of
from keeper.rehearsal.report import DUST, Goals, Landings, Leftovers, Report
from keeper.rehearsal.table import line, rows, table
from keeper.telemetry.server import exposition
from keeper.units import Lamports
from tests.engine.scripted import scripted, stake_plan
from tests.engine.stage import Stage

HOME = Leftovers(Lamports(10**7), Lamports(0), {"arbitrage": True, "compound": True, "loop": True})


def report(**changes: Any) -> Report:
    base: dict[str, Any] = {
        "landings": Landings(
            Counter({"mint_and_sell": 5, "buy_and_queue": 4, "buy_and_sell_ssol": 1, "claim_ripe": 1, "boost_mint": 6}),
            by_strategy=Counter({"arbitrage": 11, "loop": 3, "compound": 3}),
        ),
        "valuation": Valuation(Lamports(502 * 10**9), Lamports(500 * 10**9)),
        "drift": (),
        "exit_code": 0,
        "booked_accounts": 3,
        "left": HOME,
        "goals": Goals(),
    }
    return Report(**{**base, **changes})


def test_a_good_report_has_no_problem_and_says_its_sums() -> None:
    good = report()
    assert good.problems == ()
    text = "\n".join(good.lines())
    assert "17 transactions: arbitrage 11, compound 3, loop 3" in text
    assert "5 premium (mint and sell), 5 discount (buy and redeem); 1 claims of all" in text
    assert "unwound     arbitrage, compound, loop; 0.010000000 SOL outside of SOL, 0.000000000 SOL owed" in text
    assert "2.000000000 SOL against holding" in text
    assert "agrees with the chain to the lamport" in text
    assert report(exit_code=None).problems == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"drift": (Drift("a", "lamports", 5, 4),)}, "ledger and chain differ"),
        ({"exit_code": 1}, "exited with 1"),
        ({"exit_code": -9}, "exited with -9"),
        ({"landings": Landings(open=2), "goals": None}, "2 attempt(s) have no known end"),
        ({"goals": Goals(premium=6)}, "5 premium trades landed, need 6 at least"),
        ({"goals": Goals(discount=6)}, "5 discount trades landed, need 6 at least"),
        ({"goals": Goals(claims=2)}, "1 claims landed, need 2 at least"),
        ({"goals": Goals(strategies={"loop": 4})}, "3 transactions of loop landed, need 4 at least"),
        ({"goals": Goals(strategies={"mine": 1})}, "0 transactions of mine landed, need 1 at least"),
        ({"left": replace(HOME, orders={"loop": False, "compound": True})}, "loop has not unwound"),
        ({"left": replace(HOME, orders={})}, "nothing was ordered to unwind"),
        ({"left": replace(HOME, debt=Lamports(1))}, "the margin account still owes 0.000000001 SOL"),
        ({"left": replace(HOME, outside=DUST + Lamports(1))}, "0.050000001 SOL are not back in SOL"),
    ],
)
def test_what_went_wrong_is_a_problem(changes: dict[str, Any], said: str) -> None:
    bad = report(**changes)
    assert len(bad.problems) == 1
    assert said in bad.problems[0]
    assert bad.lines()
    assert ("DISAGREES" in "\n".join(bad.lines())) == bool(bad.drift)


def test_a_short_run_is_held_to_its_ledger_alone() -> None:
    nothing = {"landings": Landings(), "left": replace(HOME, orders={"loop": False}, debt=Lamports(5))}
    assert report(**nothing, goals=None).problems == ()
    assert len(report(**nothing).problems) == 7


def test_goals_are_a_whole_demos_and_a_strangers_strategy_need_not_unwind() -> None:
    whole = goals_of(WHOLE, {})
    assert whole == Goals()
    assert whole.strategies == {"loop": 3, "compound": 3}
    assert (whole.premium, whole.discount, whole.claims) == (5, 5, 1)
    assert goals_of(WHOLE - 1, {}) is None
    assert goals_of(WHOLE, {"strategies": {"loop": {}}}) == Goals()
    assert goals_of(WHOLE, {"strategies": {"mine": {}}}) == Goals(home=False)


def drawn(body: dict[str, Any]) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(table(body, 12.0))
    text = console.file.getvalue()  # type: ignore[attr-defined]  # it is the StringIO above
    assert [label for label, _ in rows(body, 12.0)] == [label for label, _ in rows({}, 0.0)]
    return str(text)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"state": "starting"},
        {"state": "standby", "problems": ["[bold]no[/bold]"]},
        {"state": "[/odd]"},
        {"state": "active", "view": None, "decisions": None},
        {"state": "active", "view": {}, "decisions": []},
        {"state": "halted", "view": {"slot": 1, "queue": None, "problem": "[red]", "redemption_rate": None}},
        {"state": "active", "nav_lamports": 0, "pnl_lamports": -1, "in_flight": 3, "landed": 0},
    ],
)
def test_odd_statuses_are_drawn(body: dict[str, Any]) -> None:
    assert body.get("state", "starting") in drawn(body)


MARGIN = {
    "health_bps": 3038,
    "leverage_bps": 21_236,
    "collateral_lamports": 212_360_000_000,
    "debt_lamports": 112_360_000_000,
    "equity_lamports": 100_000_000_000,
    "problem": "",
}
LOOP = {"debt": 112_360_000_000, "equity": 100_000_000_000, "yield_ppb": 64_000_000, "borrow_rate_ppb": 35_000_000}


def test_the_margin_account_and_every_strategy_are_in_the_table() -> None:
    loop = {"strategy": "loop", "decision": "hold", "reason": "within_band", "numbers": {**LOOP, "stressed_bps": 1299}}
    compound = {"strategy": "compound", "decision": "plan", "reason": "mint_idle", "numbers": {"way": "mint_idle"}}
    body = {
        "state": "active",
        "view": {
            "margin": MARGIN,
            "lending": {"SOL": {"borrow_rate_ppb": 35_000_000, "utilisation_bps": 1500, "problem": "oracle_stale"}},
        },
        "decisions": [loop, compound],
        "strategies": {"loop": {"order": {"done": True}}, "compound": {"order": {"done": False}}},
    }
    shown = dict(rows(body, 1.0))
    assert shown["margin account"] == "health 30.38 %, leverage 2.12 x, debt 112.3600 SOL"
    assert shown["SOL pool"] == "borrow 3.50 %, utilisation 15.00 %   oracle_stale"
    assert shown["net APY of the loop"] == "9.66 %   (yield 6.40 %)", "6.4 + 1.1236 (6.4 - 3.5)"
    said = ["loop [unwound]: hold within_band stressed_bps=1299", "compound [to unwind]: plan mint_idle way=mint_idle"]
    assert shown["decisions"] == "\n".join(said)
    assert "; ".join(said) in line(body, 1.0)
    assert "\n" not in line(body, 1.0)


@pytest.mark.parametrize(
    ("margin", "numbers"),
    [
        ({**MARGIN, "leverage_bps": None, "equity_lamports": 0, "problem": "being_liquidated"}, {**LOOP, "equity": 0}),
        (MARGIN, {**LOOP, "yield_ppb": "unknown"}),
        (MARGIN, {}),
    ],
)
def test_what_is_not_known_of_the_loop_is_a_dash(margin: dict[str, Any], numbers: dict[str, Any]) -> None:
    decision = {"strategy": "loop", "decision": "hold", "reason": "x", "numbers": numbers}
    body = {"state": "active", "view": {"margin": margin, "lending": {}}, "decisions": [decision]}
    shown = dict(rows(body, 1.0))
    assert shown["net APY of the loop"] == "-"
    assert ("leverage -" in shown["margin account"]) == (margin["leverage_bps"] is None)
    assert ("being_liquidated" in shown["margin account"]) == bool(margin["problem"])
    drawn(body)


@given(
    rate=st.one_of(st.none(), st.floats(0, 1e6)),
    premium=st.one_of(st.none(), st.floats(-1, 10)),
    pnl=st.one_of(st.none(), st.integers(-(10**18), 10**18)),
    reason=st.text(st.characters(categories=("L", "N", "P", "S")), max_size=20),
)
def test_any_number_and_any_text_is_drawn(
    rate: float | None, premium: float | None, pnl: int | None, reason: str
) -> None:
    decision = {"strategy": "arbitrage", "decision": "hold", "reason": reason, "numbers": {"way": reason, "other": 1}}
    drawn(
        {
            "state": "active",
            "view": {"redemption_rate": rate, "dex_buy": rate, "premium": premium, "discount": premium},
            "decisions": [decision],
            "pnl_lamports": pnl,
        }
    )


async def test_the_status_of_a_keeper_at_work_is_drawn_and_its_metrics_are_declared(tmp_path: Path) -> None:
    stage = await Stage.build(tmp_path)
    async with AsyncExitStack() as closing:
        tick = await stage.open(closing, [scripted("staker", stake_plan)])
        await tick.run()
        await tick.run()
        text = drawn(status(tick, stage.parts))
        exported = exposition(stage.metrics.registry).decode()
    assert "staker: plan scripted" in text
    assert "0 / 2" in text
    declared = {one.name for one in stage.metrics.declared}
    names = set()
    for family in text_string_to_metric_families(exported):
        kind = {"counter": "_total"}.get(family.type, "")
        names |= {f"{family.name}{kind}"} if family.name.startswith("keeper_") else set()
    assert names
    assert names <= declared, names - declared
    moved = {
        sample.name
        for family in text_string_to_metric_families(exported)
        for sample in family.samples
        if sample.value == sample.value and sample.value != 0  # neither NaN nor nothing
    }
    assert {
        "keeper_ticks_total",
        "keeper_tx_attempts_total",
        "keeper_tx_results_total",
        "keeper_fees_paid_lamports_total",
        "keeper_nav_lamports",
        "keeper_slot",
        "keeper_rpc_requests_total",
        "keeper_trading_state",
    } <= moved
