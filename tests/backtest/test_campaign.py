"""Campaigns: the same journeys whoever runs them, a report that names what failed, and the command."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keeper.backtest.campaign import Campaign, Report, run_campaign
from keeper.backtest.journey import Breach, Journey
from keeper.backtest.paths import DAY, START
from keeper.backtest.paths import SOL as UNIT
from keeper.cli.parser import build_parser
from keeper.strategy import ParameterError, StrategyNotFound

CHEAP = Campaign(2, days=7, seed=6)
BREACH = Breach("exit_neglected", START + 3 * DAY, "health 900 bps")


def journey(seed: int, **changes: object) -> Journey:
    base = Journey(seed, 30, opening=100 * UNIT, closing=101 * UNIT, peak=102 * UNIT, lasted=30 * DAY)
    return replace(base, **changes)  # type: ignore[arg-type]  # names are the caller's


def test_two_workers_travel_as_one_does() -> None:
    assert run_campaign(CHEAP, workers=2).journeys == run_campaign(CHEAP).journeys


def test_the_report_names_what_failed_and_how_to_see_it() -> None:
    bad = journey(
        7, breaches=[BREACH, BREACH], drawdown=10 * UNIT, lowest=900, deepest_debt=50 * UNIT, levered=15 * DAY
    )
    dead = journey(8, liquidated=True, breaches=[replace(BREACH, rule="liquidated")], closing=0)
    given = Campaign(3, seed=6, params={"max_leverage": "400 %"})
    report = Report(given, (journey(6), bad, dead), 12.0)
    text = "\n".join(report.lines())
    assert not report.ok
    assert "liquidated            1" in text
    assert "paths with a breach   2" in text
    assert "minimum health        9.00 %" in text
    assert "worst drawdown        10.00 % (seed 7)".replace(" %", "%") in text
    assert "seed 7: day 3.000: exit_neglected: health 900 bps (and 1 more)" in text
    assert "keeper campaign --days 30 --replay 7 --set 'max_leverage=400 %'" in text
    assert Report(replace(given, paths=1), (journey(6),), 1.0).ok
    assert not Report(given, (journey(6),), 1.0).ok, "a campaign that stopped early is no success"


def test_net_is_compounded_over_a_year() -> None:
    assert journey(0).net == pytest.approx(1.01 ** (365 / 30) - 1)
    assert journey(0, closing=-1).net == -1.0


def test_what_is_misspelt_is_said() -> None:
    with pytest.raises(StrategyNotFound, match="did you mean 'loop'"):
        Campaign(1, strategy="lopp").configured()
    with pytest.raises(ParameterError, match="max_leverage"):
        Campaign(1, params={"max_leverag": "300 %"}).configured()


def run(*words: str) -> int:
    options = build_parser().parse_args(["campaign", *words])
    found = options.run(options)
    assert isinstance(found, int)
    return found


def test_the_command_reports_and_replays(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--paths", "1", "--days", "7", "--seed", "6", "--workers", "1") == 0
    assert "1 paths of 7 days from seed 6" in capsys.readouterr().out
    assert run("--days", "7", "--replay", "6", "--set", "collateral=sSOL", "--set", "ladder_rungs=3") == 0
    told = capsys.readouterr().out
    assert told.startswith("seed 6: 7 days")
    assert "landed boost_mint" in told
    assert "0 breaches" in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--days", "3"), "7 days at least"),
        (("--set", "collateral"), "name=value"),
        (("--strategy", "nobody"), "no installed package"),
        (("--set", "horizon=2"), "strategies.loop.horizon"),
        (("--paths", "0"), "paths"),
    ],
)
def test_the_command_refuses_what_makes_no_sense(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--workers", "1", *words) == 2
    assert said in capsys.readouterr().err
