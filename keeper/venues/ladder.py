"""How deep a market is: several sizes quoted at once, the best venue for each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from keeper.units import BPS, Bps, Mint, TokenAmount
from keeper.venues.door import DexVenue, Quote, VenueError, VenueUnavailable

BETTER_IN_BULK = Bps(25)
"""How much better the price of a larger size may be. In any pool, and in the best of several, it only worsens with size; two
quotes of a moving market, or of a router that splits a large order more finely, differ by a little."""


class NotMonotone(VenueError):
    """Selling more would bring no more than selling less, or bring a better price: one of the two quotes is wrong, and this
    one was dropped."""


@dataclass(frozen=True, slots=True)
class LadderFault:
    """A venue gave no usable quote for a size."""

    venue: str
    sell: TokenAmount
    error: Exception


@dataclass(frozen=True, slots=True)
class LadderResult:
    """``quotes``: the best per size, by rising size, each bringing more than the one before. May be empty."""

    quotes: tuple[Quote, ...]
    errors: tuple[LadderFault, ...]


async def depth_ladder(
    venues: Sequence[DexVenue],
    sell_sizes: Sequence[TokenAmount],
    buy: Mint,
    *,
    slippage: Bps,
    concurrency: int = 2,
    seconds_each: float = 20.0,
) -> LadderResult:
    """Quotes every size at every venue, at most ``concurrency`` at a time and ``seconds_each`` for one.

    A venue's failure, even an unnamed one, is an entry in ``errors``: it costs that venue's quotes and nothing else. One that
    did not answer in time is not asked for its other sizes, so that it does not hold up the rest for each of them.
    """
    gate = asyncio.Semaphore(concurrency)
    mute: set[str] = set()

    async def ask(venue: DexVenue, sell: TokenAmount) -> Quote | LadderFault:
        async with gate:
            if venue.name in mute:
                return LadderFault(
                    venue.name, sell, VenueUnavailable(venue.name, "not asked: it left a size unanswered")
                )
            try:
                async with asyncio.timeout(seconds_each):
                    return await venue.quote(sell, buy, slippage=slippage)
            except TimeoutError:
                mute.add(venue.name)
                return LadderFault(venue.name, sell, VenueUnavailable(venue.name, f"no quote in {seconds_each} s"))
            except Exception as error:  # noqa: BLE001 - a venue of somebody else's may raise anything; see the docstring
                return LadderFault(venue.name, sell, error)

    sizes = sorted(set(sell_sizes))
    asked = [(venue, sell) for sell in sizes for venue in venues]
    answers = await asyncio.gather(*(ask(venue, sell) for venue, sell in asked))
    faults = [answer for answer in answers if isinstance(answer, LadderFault)]
    best: list[Quote] = []
    for size in sizes:
        quotes = [answer for answer in answers if isinstance(answer, Quote) and answer.sell == size]
        if quotes:
            best.append(max(quotes, key=lambda quote: (quote.receive, quote.min_receive, quote.venue)))
    kept = monotone(best)
    faults += [
        LadderFault(quote.venue, quote.sell, NotMonotone(quote.venue, f"{quote.sell} for {quote.receive}"))
        for quote in best
        if quote not in kept
    ]
    return LadderResult(tuple(kept), tuple(faults))


def monotone(quotes: Sequence[Quote]) -> list[Quote]:
    """The longest run of ``quotes`` (by rising size) in which every next one brings more at no better a price; of equal runs
    the one that promises least, so that a single inflated quote loses against its neighbours."""
    runs: list[list[Quote]] = []
    for quote in quotes:
        before = [run for run in runs if run[-1].receive < quote.receive and _no_bargain(run[-1], quote)]
        runs.append([*max(before, key=_preference, default=[]), quote])
    return max(runs, key=_preference, default=[])


def _no_bargain(small: Quote, large: Quote) -> bool:
    """Whether the larger sale's price is no better than the smaller one's, give or take one unit of rounding."""
    cross = (large.receive.units - 1) * small.sell.units * BPS
    return cross <= (small.receive.units + 1) * large.sell.units * (BPS + BETTER_IN_BULK.value)


def _preference(run: list[Quote]) -> tuple[int, int]:
    return len(run), -sum(quote.receive.units for quote in run)
