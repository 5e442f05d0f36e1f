"""What is remembered of rates: an epoch once, a borrow rate hourly or when it moves, and the same after a restart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from keeper.engine.past import EPOCHS, KEPT, Hindsight
from keeper.journal.journal import Journal
from keeper.journal.records import Order, Standing
from keeper.lending import LendingMarket
from keeper.past import EpochRates, Past
from keeper.tactics.yields import staking_yield
from keeper.units import SOL, SSOL, Bps, Duration, Epoch, Rate, TokenAmount, UnixTime
from keeper.view import Freshness, View
from tests.strategies.market_views import NOW, view, with_glow

NOBODY = Standing({}, (), {}, {})
HOUR = 3_600
FIVE = 50_000_000  # 5 % a year


def market(rate: int, problem: str) -> LendingMarket:
    sol = TokenAmount(SOL, 10**12)
    return LendingMarket("pool", SOL, sol, sol, ((0, rate),), Bps(9_000), sol, sol, problem=problem)


def seen(*, after: int = 0, epoch: int = 900, rate: int | None = None, problem: str = "") -> View:
    base = view()
    return replace(
        base,
        block_time=UnixTime(NOW.value + after),
        epoch=Epoch(epoch),
        pools=tuple(replace(pool, last_update_epoch=Epoch(epoch)) for pool in base.pools),
        lending=() if rate is None else (market(rate, problem),),
    )


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    async with await Journal.open(f"sqlite:///{tmp_path / 'journal.db'}", wall=lambda: 0.0) as opened:
        yield opened


async def after_looking(journal: Journal, *views: View) -> Past:
    """The past after ``views``, which is the same for one who was there and for one who starts now."""
    held = await journal.acquire("keeper", 60.0)
    hindsight = await Hindsight.load(journal)
    for one in views:
        await hindsight.look(journal, held, one)
    past = hindsight.past("loop", NOBODY)
    assert (await Hindsight.load(journal)).past("loop", NOBODY) == past
    return past


def samples(past: Past) -> list[tuple[int, int]]:
    return [(sample.at.since(NOW), sample.rate) for sample in past.borrows]


async def test_an_epoch_is_noted_when_it_is_first_seen_and_its_pool_is_updated(journal: Journal) -> None:
    turned = seen(epoch=901, after=20)
    turning = replace(
        turned, pools=tuple(replace(one, current=False, last_update_epoch=Epoch(900)) for one in turned.pools)
    )
    blind = replace(seen(epoch=902, after=30), fresh=Freshness("node_behind", ()))
    past = await after_looking(journal, seen(), seen(after=10), turning, turned, seen(epoch=901, after=25), blind)
    pool, glow = seen().pools[0], seen().glowsol
    assert glow is not None
    assert past.rates == (
        EpochRates(Epoch(900), NOW, pool.rate, glow.rate),
        EpochRates(Epoch(901), UnixTime(NOW.value + 20), pool.rate, glow.rate),
    )


async def test_an_epoch_is_dated_by_its_beginning_however_late_it_is_seen(journal: Journal) -> None:
    """A keeper that was down for most of an epoch would else measure an epoch's growth over half a day: four times the yield."""
    length, base, pool = 172_800, 10**12, seen().pools[0]

    def at(number: int, late: int) -> View:
        grown = replace(pool, last_update_epoch=Epoch(900 + number), rate=Rate(base + number * 400_000_000, base))
        starts = NOW.value + number * length
        return replace(
            seen(epoch=900 + number, after=number * length + late),
            pools=(grown,),
            epoch_length=Duration(length),
            epoch_ends_at=UnixTime(starts + length),
        )

    past = await after_looking(journal, at(0, 0), at(1, 130_000), at(2, 10))
    assert [one.at.since(NOW) for one in past.rates] == [0, length, 2 * length]
    even = staking_yield(replace(at(2, 10), past=past), SSOL)
    assert even is not None
    assert abs(even - 73_000_000) < 100_000  # 4 bps an epoch of two days


async def test_without_the_restaking_program_only_ssol_has_a_rate(journal: Journal) -> None:
    empty = with_glow(seen(epoch=901), outstanding=TokenAmount(TokenAmount(SOL, 0).mint, 0))
    past = await after_looking(journal, replace(seen(), glowsol=None), empty)
    assert [one.glowsol for one in past.rates] == [None, None]


async def test_an_earlier_epoch_is_not_news(journal: Journal) -> None:
    past = await after_looking(journal, seen(epoch=901), seen(epoch=900, after=5))
    assert [one.epoch.value for one in past.rates] == [901]


async def test_only_the_newest_epochs_are_shown(journal: Journal) -> None:
    past = await after_looking(journal, *(seen(epoch=n, after=n) for n in range(EPOCHS + 3)))
    assert [one.epoch.value for one in past.rates] == list(range(3, EPOCHS + 3))


@pytest.mark.parametrize(
    ("offered", "kept"),
    [
        ([(0, FIVE), (60, FIVE), (HOUR - 1, FIVE + 1)], [(0, FIVE)]),
        ([(0, FIVE), (HOUR, FIVE)], [(0, FIVE), (HOUR, FIVE)]),
        ([(0, FIVE), (60, FIVE + 5_000_000)], [(0, FIVE), (60, FIVE + 5_000_000)]),
        ([(0, FIVE), (60, FIVE + 4_999_999)], [(0, FIVE)]),
        ([(0, 10 * FIVE), (60, 10 * FIVE + 5_000_000)], [(0, 10 * FIVE)]),
        ([(0, FIVE), (59, 0)], [(0, FIVE)]),
        ([(0, FIVE), (60, 0)], [(0, FIVE), (60, 0)]),
        ([(0, FIVE), (-HOUR, 9 * FIVE)], [(0, FIVE)]),
    ],
)
async def test_a_borrow_rate_is_sampled_hourly_and_when_it_moves_much(
    journal: Journal, offered: list[tuple[int, int]], kept: list[tuple[int, int]]
) -> None:
    past = await after_looking(journal, *(seen(after=after, rate=rate) for after, rate in offered))
    assert samples(past) == kept


async def test_a_rate_that_nobody_knows_is_no_sample(journal: Journal) -> None:
    behind = seen(rate=FIVE, problem="interest_behind")
    assert samples(await after_looking(journal, behind, seen(after=9, rate=FIVE, problem="pool_paused"))) == [(9, FIVE)]


async def test_samples_are_forgotten_after_their_time(journal: Journal) -> None:
    last = KEPT.value + HOUR
    past = await after_looking(journal, *(seen(after=after, rate=FIVE) for after in (0, HOUR, 2 * HOUR, last)))
    assert [after for after, _ in samples(past)] == [HOUR, 2 * HOUR, last]


async def test_what_is_known_is_not_written_again(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[object] = []
    keep = journal.keep_samples

    async def counted(*given: object, **named: object) -> None:
        written.append(given)
        await keep(*given, **named)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(journal, "keep_samples", counted)
    await after_looking(journal, *(seen(after=after, rate=FIVE) for after in range(0, HOUR, 600)))
    assert len(written) == 1


def test_each_strategy_sees_its_own_order_and_its_own_last_act() -> None:
    orders = {"loop": Order("loop", "unwind", 1.0), "compound": Order("compound", "unwind", 1.0, done_at=2.0)}
    standing = Standing({}, (), {"arbitrage": NOW}, orders)
    hindsight = Hindsight()
    assert [hindsight.past(name, standing).order for name in ("arbitrage", "loop", "compound")] == [
        "",
        "unwind",
        "unwind",
    ]
    assert [hindsight.past(name, standing).last_landed for name in ("arbitrage", "loop")] == [NOW, None]
