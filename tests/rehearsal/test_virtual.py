"""The demo's own market in virtual time: as long, as fast and with the seed that ``make demo`` plays by default."""

from __future__ import annotations

from pathlib import Path

from keeper.cli.parser import build_parser
from keeper.rehearsal.virtual import run_virtual
from keeper.units import Lamports


async def test_the_demos_market_pays_in_both_directions_and_the_queue_is_claimed(tmp_path: Path) -> None:
    played = build_parser().parse_args(["demo"])
    report = await run_virtual(tmp_path, seed=played.seed, seconds=played.seconds)
    assert report.problems == ()
    assert report.landings.premium >= 5
    assert report.landings.by_reason["buy_and_queue"] >= 5
    assert report.landings.claims >= 1
    assert report.valuation.against_holding > Lamports(0)
