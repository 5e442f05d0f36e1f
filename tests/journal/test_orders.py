"""Orders stand until they are cancelled, are placed beside a leader, and survive restarts; samples are kept as given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keeper.journal.journal import Journal
from keeper.journal.records import FencedOut, JournalError, Leadership, Order
from keeper.past import BorrowSample, EpochRates
from keeper.units import Epoch, Rate, UnixTime

if TYPE_CHECKING:
    from tests.journal.conftest import Clock

NOW = 1_800_000_000.0


async def orders(journal: Journal) -> dict[str, Order]:
    return dict((await journal.standing()).orders)


async def test_an_order_needs_no_leadership_and_stands_once(journal: Journal, held: Leadership, clock: Clock) -> None:
    assert held.holder == "keeper-0"
    first = await journal.place_orders(["loop", "arbitrage", "loop"])
    assert first == (Order("loop", "unwind", NOW), Order("arbitrage", "unwind", NOW))
    clock.now += 60
    assert await journal.place_orders(["loop", "compound"]) == (first[0], Order("compound", "unwind", NOW + 60))
    assert list(await orders(journal)) == ["arbitrage", "compound", "loop"]
    with pytest.raises(JournalError, match="name of a strategy"):
        await journal.place_orders([""])


async def test_an_order_that_is_done_stays_in_effect(journal: Journal, held: Leadership, clock: Clock) -> None:
    await journal.place_orders(["loop"])
    clock.now += 5
    await journal.order_done(held, "loop")
    clock.now += 5
    await journal.order_done(held, "loop")
    await journal.order_done(held, "never ordered")
    done = Order("loop", "unwind", NOW, done_at=NOW + 5)
    assert await orders(journal) == {"loop": done}
    assert await journal.place_orders(["loop"]) == (done,)


async def test_a_cancelled_order_is_gone_and_may_be_placed_anew(
    journal: Journal, held: Leadership, clock: Clock
) -> None:
    await journal.place_orders(["loop", "compound"])
    await journal.order_done(held, "loop")
    clock.now += 9
    assert await journal.cancel_orders(["loop", "arbitrage"]) == (Order("loop", "unwind", NOW, done_at=NOW),)
    assert list(await orders(journal)) == ["compound"]
    assert await journal.cancel_orders(["loop"]) == ()
    assert await journal.place_orders(["loop"]) == (Order("loop", "unwind", NOW + 9),)


async def test_orders_and_samples_survive_reopening(url: str, clock: Clock) -> None:
    rates = EpochRates(Epoch(7), UnixTime(70), Rate(2**64, 2**64 - 1), Rate(3, 2))
    sample = BorrowSample(UnixTime(70), "pool", 55_000_000)
    async with await Journal.open(url, wall=clock) as journal:
        held = await journal.acquire("keeper-0", 15.0)
        await journal.place_orders(["loop"])
        await journal.keep_samples(held, rates, [sample], forget_before=UnixTime(0))
    async with await Journal.open(url, wall=clock) as journal:
        assert await orders(journal) == {"loop": Order("loop", "unwind", NOW)}
        (kept,) = await journal.epoch_rates(5)
        assert (kept, kept.ssol.numerator, kept.ssol.denominator) == (rates, 2**64, 2**64 - 1)
        assert await journal.borrow_samples() == (sample,)


async def test_the_first_account_of_a_moment_stands_and_old_samples_go(journal: Journal, held: Leadership) -> None:
    one, other = Rate(1, 1), Rate(2, 1)
    for at, rate in ((1, one), (2, other)):
        await journal.keep_samples(held, EpochRates(Epoch(1), UnixTime(at), rate, None), [], forget_before=UnixTime(0))
    await journal.keep_samples(held, EpochRates(Epoch(0), UnixTime(9), other, one), [], forget_before=UnixTime(0))
    assert await journal.epoch_rates(9) == (
        EpochRates(Epoch(0), UnixTime(9), other, one),
        EpochRates(Epoch(1), UnixTime(1), one, None),
    )
    assert [rates.epoch for rates in await journal.epoch_rates(1)] == [Epoch(1)]
    samples = [BorrowSample(UnixTime(at), market, at) for at in (30, 10, 20) for market in ("a", "b")]
    await journal.keep_samples(held, None, samples, forget_before=UnixTime(0))
    await journal.keep_samples(held, None, [BorrowSample(UnixTime(30), "a", 99)], forget_before=UnixTime(20))
    kept = [(sample.at.value, sample.market, sample.rate) for sample in await journal.borrow_samples()]
    assert kept == [(20, "a", 20), (20, "b", 20), (30, "a", 30), (30, "b", 30)]


async def test_a_former_leader_keeps_nothing_and_ends_no_order(
    journal: Journal, held: Leadership, clock: Clock
) -> None:
    await journal.place_orders(["loop"])
    clock.now += 100
    await journal.acquire("keeper-1", 15.0)
    with pytest.raises(FencedOut):
        await journal.order_done(held, "loop")
    with pytest.raises(FencedOut):
        await journal.keep_samples(held, None, [BorrowSample(UnixTime(1), "a", 1)], forget_before=UnixTime(0))
    assert await journal.borrow_samples() == ()
    assert (await orders(journal))["loop"].done_at is None
