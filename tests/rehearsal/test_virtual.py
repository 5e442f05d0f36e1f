"""The demo's own market in virtual time: as long, as fast and with the seed that ``make demo`` plays by default."""

from __future__ import annotations

import json
from pathlib import Path

from keeper.cli.parser import build_parser
from keeper.rehearsal.goals import goals_of
from keeper.rehearsal.report import DUST
from keeper.rehearsal.virtual import run_virtual
from keeper.units import Lamports


async def test_the_demos_market_pays_in_both_directions_and_the_queue_is_claimed(tmp_path: Path) -> None:
    played = build_parser().parse_args(["demo"])
    goals = goals_of(played.seconds, {})
    assert goals is not None
    report = await run_virtual(tmp_path, seed=played.seed, seconds=played.seconds, goals=goals)
    assert report.problems == ()
    assert report.landings.premium >= 5
    assert report.landings.by_reason["buy_and_queue"] >= 5
    assert report.landings.claims >= 1
    assert min(report.landings.by_strategy[name] for name in ("loop", "compound")) >= 3
    assert report.left.orders == {"arbitrage": True, "compound": True, "loop": True}
    assert report.left.debt == Lamports(0)
    assert report.left.outside <= DUST
    decided = [json.loads(line) for line in (tmp_path / "decisions.jsonl").read_text().splitlines()]
    causes = {one["decision"]["numbers"].get("cause") for one in decided if one["strategy"] == "loop"}
    assert {"inversion", "unwinding"} <= causes, "the spike drives the loop out of debt before the order does"
    rates = [one["decision"]["numbers"].get("borrow_rate_ppb", 0) for one in decided if one["strategy"] == "loop"]
    assert max(rates) > 500_000_000
    assert rates[-1] < 50_000_000
    assert report.valuation.against_holding > Lamports(0)
