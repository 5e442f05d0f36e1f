"""What a rehearsal shows: its summary, its table for whatever ``/status`` says, and metrics that are all declared."""

from __future__ import annotations

import io
from collections import Counter
from contextlib import AsyncExitStack
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
from keeper.rehearsal.report import Landings, Report
from keeper.rehearsal.table import rows, table
from keeper.telemetry.server import exposition
from keeper.units import Lamports
from tests.engine.scripted import scripted, stake_plan
from tests.engine.stage import Stage


def report(**changes: Any) -> Report:
    base: dict[str, Any] = {
        "landings": Landings(
            Counter({"mint_and_sell": 3, "buy_and_queue": 2, "buy_and_sell_ssol": 1, "claim_ripe": 1})
        ),
        "valuation": Valuation(Lamports(502 * 10**9), Lamports(500 * 10**9)),
        "drift": (),
        "exit_code": 0,
        "booked_accounts": 3,
    }
    return Report(**{**base, **changes})


def test_a_good_report_has_no_problem_and_says_its_sums() -> None:
    good = report()
    assert good.problems == ()
    text = "\n".join(good.lines())
    assert "7 transactions: 3 premium (mint and sell), 3 discount (buy and redeem), 1 claims" in text
    assert "2.000000000 SOL against holding" in text
    assert "agrees with the chain to the lamport" in text
    assert report(exit_code=None).problems == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"drift": (Drift("a", "lamports", 5, 4),)}, "ledger and chain differ"),
        ({"exit_code": 1}, "exited with 1"),
        ({"exit_code": -9}, "exited with -9"),
        ({"landings": Landings(open=2)}, "2 attempt(s) have no known end"),
    ],
)
def test_what_went_wrong_is_a_problem(changes: dict[str, Any], said: str) -> None:
    bad = report(**changes)
    assert len(bad.problems) == 1
    assert said in bad.problems[0]
    assert bad.lines()
    assert ("DISAGREES" in "\n".join(bad.lines())) == bool(bad.drift)


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
