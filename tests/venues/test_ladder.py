"""Several sizes at several venues: the best of each, and no venue takes the others down."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from keeper.units import SOL, SSOL, Bps, Mint, TokenAmount
from keeper.venues import (
    NoRoute,
    NotMonotone,
    Quote,
    SwapInstructions,
    VenueUnavailable,
    depth_ladder,
)
from keeper.venues.ladder import monotone


class Curve:
    """A venue that pays ``table[size]``, raises what stands there, or never answers (None)."""

    def __init__(self, name: str, table: dict[int, int | Exception | None]) -> None:
        self.name = name
        self.table = table
        self.under_way = 0
        self.most = 0

    async def quote(self, sell: TokenAmount, buy: Mint, *, slippage: Bps) -> Quote:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(0)
            answer = self.table[sell.units]
            if answer is None:
                await asyncio.Event().wait()
            if isinstance(answer, Exception):
                raise answer
            assert isinstance(answer, int)
            return quote_of(sell.units, answer, self.name, buy, slippage)
        finally:
            self.under_way -= 1

    async def swap(self, quote: Quote, owner: Pubkey) -> SwapInstructions:
        raise AssertionError(f"a ladder never swaps: {quote} {owner}")


def quote_of(sell: int, receive: int, venue: str = "v", buy: Mint = SOL, slippage: Bps = Bps(0)) -> Quote:
    got = TokenAmount(buy, receive)
    return Quote(venue, TokenAmount(SSOL, sell), got, slippage.off(got), slippage, None, (), None)


def sizes(*units: int) -> list[TokenAmount]:
    return [TokenAmount(SSOL, unit) for unit in units]


async def test_the_best_of_each_size_in_order() -> None:
    a = Curve("a", {1: 10, 2: 19, 4: 30})
    b = Curve("b", {1: 9, 2: 19, 4: 36})
    result = await depth_ladder([a, b], sizes(4, 1, 2, 2), SOL, slippage=Bps(100))
    assert [(quote.sell.units, quote.receive.units, quote.venue) for quote in result.quotes] == [
        (1, 10, "a"),
        (2, 19, "b"),
        (4, 36, "b"),
    ]
    assert result.errors == ()


async def test_a_failing_venue_costs_only_its_own_quotes() -> None:
    broken = Curve("broken", {1: NoRoute("broken", "none"), 2: KeyError("swapTransaction"), 4: None})
    good = Curve("good", {1: 10, 2: 20, 4: 40})
    result = await depth_ladder([broken, good], sizes(1, 2, 4), SOL, slippage=Bps(0), seconds_each=0.05)
    assert [quote.receive.units for quote in result.quotes] == [10, 20, 40]
    assert [(fault.venue, fault.sell.units, type(fault.error)) for fault in result.errors] == [
        ("broken", 1, NoRoute),
        ("broken", 2, KeyError),
        ("broken", 4, VenueUnavailable),
    ]


async def test_nothing_anywhere_is_an_empty_ladder() -> None:
    broken = Curve("broken", {1: NoRoute("broken", "none")})
    result = await depth_ladder([broken], sizes(1), SOL, slippage=Bps(0))
    assert result.quotes == ()
    assert len(result.errors) == 1
    assert (await depth_ladder([], sizes(1), SOL, slippage=Bps(0))).quotes == ()


async def test_no_more_at_a_time_than_allowed() -> None:
    curve = Curve("c", {unit: unit for unit in range(1, 30)})
    await depth_ladder([curve], sizes(*range(1, 30)), SOL, slippage=Bps(0), concurrency=3)
    assert curve.most == 3


async def test_an_inflated_rung_is_dropped_and_named() -> None:
    curve = Curve("c", {1: 50, 2: 19, 4: 36, 8: 36})
    result = await depth_ladder([curve], sizes(1, 2, 4, 8), SOL, slippage=Bps(0))
    assert [quote.sell.units for quote in result.quotes] == [2, 4]
    assert [(fault.sell.units, type(fault.error)) for fault in result.errors] == [(1, NotMonotone), (8, NotMonotone)]


@given(st.lists(st.integers(1, 30), max_size=8))
def test_what_is_kept_rises_and_is_as_long_as_can_be(receives: list[int]) -> None:
    quotes = [quote_of(size, receive) for size, receive in enumerate(receives, 1)]
    kept = monotone(quotes)
    assert [quote for quote in quotes if quote in kept] == kept
    longest = 0
    for mask in range(2 ** len(receives)):
        chosen = [quote for index, quote in enumerate(quotes) if mask >> index & 1]
        if believable(chosen):
            longest = max(longest, len(chosen))
    assert believable(kept)
    assert len(kept) == longest


def believable(run: list[Quote]) -> bool:
    """Each next size brings more, at a price that is no better than 25 bps above the one before (and a unit of rounding)."""
    return all(
        small.receive < large.receive
        and Fraction(large.receive.units - 1, large.sell.units)
        <= Fraction(small.receive.units + 1, small.sell.units) * Fraction(10_025, 10_000)
        for small, large in pairwise(run)
    )


def quotes_of(*receives: int) -> list[Quote]:
    return [quote_of(size * 10**9, receive) for size, receive in zip((1, 2, 5, 10), receives, strict=True)]


def test_an_inflated_largest_size_is_dropped() -> None:
    """Selling more at a far better price: it rises, and no pool pays so."""
    honest = quotes_of(10**9, 2 * 10**9 - 10**6, 5 * 10**9 - 6 * 10**6, 99 * 10**9)
    assert monotone(honest) == honest[:3]


def test_a_router_that_splits_a_large_order_better_is_believed() -> None:
    splits = quotes_of(10**9, 2 * 10**9 + 10**6, 5 * 10**9 + 4 * 10**6, 10 * 10**9)
    assert monotone(splits) == splits


async def test_a_venue_that_left_a_size_unanswered_is_not_waited_for_again() -> None:
    hanging, honest = Curve("hanging", dict.fromkeys((1, 2, 4, 8))), Curve("honest", {1: 10, 2: 19, 4: 36, 8: 60})
    result = await depth_ladder(
        [hanging, honest], sizes(1, 2, 4, 8), SOL, slippage=Bps(0), concurrency=1, seconds_each=0.01
    )
    assert [quote.receive.units for quote in result.quotes] == [10, 19, 36, 60]
    assert [type(fault.error) for fault in result.errors] == [VenueUnavailable] * 4
    assert ["not asked" in str(fault.error) for fault in result.errors] == [False, True, True, True]
