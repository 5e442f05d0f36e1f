"""``Swap``: a venue's quote and instructions, fresh for the exact amount, with the plan's minimum held on chain."""

from __future__ import annotations

from collections.abc import Mapping

from solders.pubkey import Pubkey

from keeper.execution.builders.site import Fragment, Site
from keeper.execution.outcome import Refusal, Stage
from keeper.plan import Swap
from keeper.units import BPS, Bps, TokenAmount
from keeper.venues.door import (
    DexVenue,
    NoRoute,
    PriceMoved,
    Quote,
    QuoteAbsurd,
    QuoteMalformed,
    SwapInstructions,
    VenueError,
    VenueRateLimited,
    VenueUnauthorised,
)
from keeper.view import View

_REASONS: tuple[tuple[type[VenueError], str], ...] = (
    (NoRoute, "no_route"),
    (PriceMoved, "min_out_unreachable"),
    (QuoteMalformed, "quote_malformed"),
    (QuoteAbsurd, "quote_absurd"),
    (VenueRateLimited, "venue_rate_limited"),
    (VenueUnauthorised, "venue_unauthorised"),
)


async def fetch(
    intent: Swap, venues: Mapping[str, DexVenue], owner: Pubkey, view: View, max_slippage: Bps
) -> SwapInstructions:
    """Instructions that sell exactly ``intent.sell`` for at least ``intent.min_receive``, enforced on chain.

    Raises ``Refusal``: ``min_out_unreachable`` with the quoted and the wanted amount, or the venue's trouble by name.
    """
    venue = venues.get(intent.venue)
    if venue is None:
        known = ", ".join(sorted(venues)) or "none"
        raise Refusal(
            Stage.COMPILE,
            "unknown_venue",
            f"no venue is called {intent.venue!r}; configured: {known}",
            venue=intent.venue,
        )
    least = intent.min_receive
    slippage = _expected_slippage(intent, view, max_slippage)
    try:
        quote = await venue.quote(intent.sell, least.mint, slippage=slippage)
        if quote.min_receive < least:
            quote = await venue.quote(intent.sell, least.mint, slippage=_room(quote, least, max_slippage))
        if quote.min_receive < least:
            raise _unreachable(quote, least)
        instructions = await venue.swap(quote, owner)
    except VenueError as error:
        raise Refusal(Stage.COMPILE, _reason(error), str(error), venue=intent.venue) from error
    if instructions.min_receive < least:
        raise _unreachable(quote, least)
    return instructions


def swap(site: Site, _: Swap) -> Fragment:
    """The venue's instructions for the swap at this position of the step. None of them are ours."""
    found = site.swaps[site.position]
    return Fragment((*found.setup, found.swap, *found.cleanup), (), found.lookup_tables)


def _expected_slippage(intent: Swap, view: View, widest: Bps) -> Bps:
    """The slippage that turns the View's price into the intent's minimum: asking for it first saves a second quote."""
    ladder = view.ladder(intent.sell.mint, intent.min_receive.mint)
    rung = ladder.at(intent.sell) if ladder is not None else None
    if rung is None or rung.receive <= intent.min_receive:
        return widest
    return min(_share(rung.receive, intent.min_receive), widest)


def _room(quote: Quote, least: TokenAmount, widest: Bps) -> Bps:
    """The widest slippage that still leaves ``least`` of what is quoted now."""
    if quote.receive < least:
        raise _unreachable(quote, least)
    return min(_share(quote.receive, least), widest)


def _share(receive: TokenAmount, least: TokenAmount) -> Bps:
    """(receive - least) / receive, rounded down: a minimum computed from it is never below ``least``."""
    return Bps((receive - least).units * BPS // receive.units)


def _unreachable(quote: Quote, least: TokenAmount) -> Refusal:
    return Refusal(
        Stage.COMPILE,
        "min_out_unreachable",
        f"{quote.venue} quotes {quote.receive} for {quote.sell}, the plan wants at least {least}",
        quoted=quote.receive.units,
        wanted=least.units,
        venue=quote.venue,
    )


def _reason(error: VenueError) -> str:
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), "venue_unavailable")
