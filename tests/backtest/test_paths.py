"""Paths: drawn from their seed alone, and as bad as they promise to be."""

from __future__ import annotations

import csv
import statistics
from itertools import pairwise
from pathlib import Path as File

import pytest

from keeper.backtest.paths import (
    DAY,
    DEPEG_SPELL,
    EPOCH,
    HOUR,
    PPM,
    RATE_UNIT,
    START,
    TOP_RATES,
    YEAR,
    Path,
    Spell,
    draw,
)

DATA = File("/work/shared/data")
SEEDS = range(60)


def worst(path: Path, kind: str) -> Spell:
    return next(one for one in path.spells if one.kind == kind)


def steps(path: Path) -> list[int]:
    at, found = START, [START]
    while at < path.end:
        at = path.following(at)
        found.append(at)
    return found


def test_a_seed_is_a_path() -> None:
    assert draw(7, 30) == draw(7, 30)
    assert draw(7, 30) != draw(8, 30)


def test_a_path_needs_a_week() -> None:
    with pytest.raises(ValueError, match="7 days at least, not 6"):
        draw(0, 6)


@pytest.mark.parametrize("days", [7, 30])
def test_every_path_has_a_depeg_within_an_hour_and_rates_at_the_top(days: int) -> None:
    for seed in SEEDS:
        path = draw(seed, days)
        fall = worst(path, DEPEG_SPELL)
        before, bottom = path.moment(fall.start), path.moment(fall.start + fall.ramp)
        assert fall.ramp <= HOUR
        assert fall.start + fall.ramp < path.end
        # 15 % of what it traded at, but for the noise of an hour
        assert before.dex - bottom.dex >= 150_000 - 6_000, seed
        assert bottom.stock <= before.stock
        top = worst(path, TOP_RATES)
        assert path.moment(min(top.start + top.ramp, path.end)).utilisation >= 5_000
        assert top.size >= 9_700


def test_the_oracle_follows_the_market_in_some_paths_and_redemption_in_others() -> None:
    paths = [draw(seed, 30) for seed in SEEDS]
    for path in paths:
        fall = worst(path, DEPEG_SPELL)
        bottom = path.moment(fall.start + fall.ramp)
        assert bottom.oracle == (min(bottom.dex, PPM) if path.climate.market_oracle else PPM)
    assert {path.climate.market_oracle for path in paths} == {True, False}
    assert {path.climate.risky_curve for path in paths} == {True, False}


def test_every_kind_of_spell_befalls_some_path() -> None:
    found = {one.kind for seed in range(200) for one in draw(seed, 30).spells}
    assert found == {
        "depeg",
        "top_rates",
        "dry_dex",
        "empty_reserve",
        "lrt_paused",
        "lending_paused",
        "stale_oracle",
        "weight_drift",
        "claims_unpaid",
    }


def test_it_is_looked_at_hourly_when_calm_each_minute_in_a_crash_and_at_every_turn() -> None:
    for seed in range(12):
        path = draw(seed, 30)
        looked = steps(path)
        gaps = [later - earlier for earlier, later in pairwise(looked)]
        assert looked[-1] == path.end
        assert min(gaps) > 0
        assert max(gaps) <= HOUR
        fall = worst(path, DEPEG_SPELL)
        inside = [one for one in looked if fall.start <= one <= fall.start + fall.ramp]
        assert len(inside) >= fall.ramp // 60
        assert {turn for turn in path.turns if START < turn < path.end} <= set(looked)


def test_rates_rise_at_an_epochs_update_and_fall_only_where_one_was_slashed() -> None:
    slashed = 0
    for seed in SEEDS:
        path = draw(seed, 30)
        falls = [now.ssol < before.ssol for before, now in pairwise(path.epochs)]
        slashed += any(falls)
        assert sum(falls) <= 1
        turn = path.epochs[path.epoch(START + 9 * DAY)]
        before, between, after = (path.moment(at) for at in (turn.at - 1, turn.at, turn.updated))
        assert before.epoch + 1 == between.epoch == after.epoch == turn.number
        assert not between.current
        assert after.current
        assert between.ssol == before.ssol
        assert after.ssol == turn.ssol
        assert between.last_epoch_ssol <= between.ssol or any(falls)
    assert 3 <= slashed <= 25


def test_a_spell_rises_holds_and_goes() -> None:
    spell = Spell("depeg", START, 100, 50, 200, 150_000)
    assert [spell.share(START + at) for at in (-1, 0, 50, 100, 149, 250, 350)] == [
        0,
        0,
        75_000,
        150_000,
        150_000,
        75_000,
        0,
    ]
    stays = Spell("depeg", START, 0, 0, None, 150_000)
    assert stays.share(START + 10**9) == 150_000


# against what really happened; the series are not part of the project


@pytest.mark.skipif(not (DATA / "lst_rate_solayer.csv").exists(), reason="the recorded series are not here")
def test_yields_are_those_that_were_recorded() -> None:
    with (DATA / "lst_rate_solayer.csv").open() as lines:
        rows = [(int(row["epoch"]), float(row["price"])) for row in csv.DictReader(lines)]
    recorded = [
        (later / earlier - 1) * YEAR / EPOCH
        for (first, earlier), (second, later) in pairwise(rows)
        if second == first + 1
    ]
    drawn = [
        (now.ssol - before.ssol) / before.ssol * YEAR / EPOCH
        for seed in SEEDS
        for before, now in pairwise(draw(seed, 30).epochs)
        if now.ssol > before.ssol
    ]
    middle = statistics.median(recorded)
    assert min(drawn) <= middle <= max(drawn), (min(drawn), middle, max(drawn))


@pytest.mark.skipif(not (DATA / "curve_steth_pool_daily.csv").exists(), reason="the recorded series are not here")
def test_the_depeg_is_deeper_than_the_worst_that_was_recorded() -> None:
    from keeper.sim.localnet.programs.curves import UNSCALED, stable_swap

    with (DATA / "curve_steth_pool_daily.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    prices = []
    for row in rows:
        steth, ether = int(row[" stETH Balance"]), int(row["ETH Balance"])
        paid = stable_swap(steth, ether, 10**18, 0, amplification=50, rate_in=UNSCALED, rate_out=UNSCALED)
        prices.append(paid.amount_out / 10**18)
    assert len(prices) > 200
    for seed in SEEDS:
        path = draw(seed, 30)
        fall = worst(path, DEPEG_SPELL)
        assert path.moment(fall.start + fall.ramp).dex / PPM < min(prices)


def test_rates_are_lamports_for_the_unit() -> None:
    moment = draw(0, 30).moment(START)
    assert 1.1 < moment.ssol / RATE_UNIT < 1.3
    assert 1.0 < moment.glowsol / RATE_UNIT < 1.2
