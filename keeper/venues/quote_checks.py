"""From Jupiter's quote fields to a ``Quote`` that may be believed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from keeper.units import BPS, Bps, Mint, Slot, TokenAmount
from keeper.venues.door import PriceMoved, Quote, QuoteAbsurd, QuoteMalformed, SwapInstructions
from keeper.venues.jupiter_models import QuoteModel

M = TypeVar("M", bound=BaseModel)

ABSURD_IMPACT = Decimal("0.5")
"""A quote that says it moves the price by half, or improves it by half, is no quote to act on."""


def parse(venue: str, model: type[M], payload: object) -> M:
    """``payload`` as ``model``. Raises ``QuoteMalformed`` with the first bad field."""
    if not isinstance(payload, Mapping):
        raise QuoteMalformed(venue, "(the whole answer)", payload)
    try:
        return model.model_validate(payload)
    except ValidationError as error:
        first: Any = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"]) or "(the whole answer)"
        value = "missing" if first["type"] == "missing" else first["input"]
        raise QuoteMalformed(venue, name, value) from error


def require_sale(sell: TokenAmount, buy: Mint, slippage: Bps) -> None:
    """Raises ``ValueError`` for a question that no venue could answer: the caller's mistake."""
    if sell.units <= 0:
        raise ValueError(f"cannot sell {sell}: the amount must be positive")
    sell.as_u64()
    if sell.mint == buy:
        raise ValueError(f"cannot swap {sell.mint} for itself")
    if not 0 <= slippage.value < BPS:
        raise ValueError(f"slippage must lie in 0..9999 bps, got {slippage}")


def checked_quote(venue: str, model: QuoteModel, sell: TokenAmount, buy: Mint, slippage: Bps) -> Quote:
    """The quote, held against what was asked. Raises ``QuoteAbsurd``.

    ``min_receive`` is computed from ``outAmount`` and *our* slippage, rounded down: the program enforces quoted amount and
    slippage, not ``otherAmountThreshold`` (facts 3.4), which is only checked to say no less.
    """
    if (model.inputMint, model.outputMint) != (sell.mint.address, buy.address):
        raise QuoteAbsurd(
            venue, f"asked {sell.mint.address} to {buy.address}, got {model.inputMint} to {model.outputMint}"
        )
    if model.inAmount != sell.units:
        raise QuoteAbsurd(venue, f"asked to sell {sell.units} base units of {sell.mint}, quoted {model.inAmount}")
    if model.swapMode != "ExactIn":
        raise QuoteAbsurd(venue, f"asked ExactIn, got {model.swapMode!r:.40}")
    if model.slippageBps != slippage.value:
        raise QuoteAbsurd(venue, f"asked {slippage} of slippage, got {model.slippageBps} bps")
    if model.outAmount == 0:
        raise QuoteAbsurd(venue, f"{sell} would bring nothing")
    receive = TokenAmount(buy, model.outAmount)
    floor = slippage.off(receive)
    if not floor.units <= model.otherAmountThreshold <= receive.units:
        raise QuoteAbsurd(
            venue,
            f"minimum {model.otherAmountThreshold} for {receive.units} at {slippage} lies outside "
            f"{floor.units}..{receive.units}",
        )
    impact = model.priceImpactPct
    if impact is not None and not -ABSURD_IMPACT < impact < ABSURD_IMPACT:
        raise QuoteAbsurd(venue, f"price impact of {impact} (a share) on {sell}")
    return Quote(
        venue=venue,
        sell=sell,
        receive=receive,
        min_receive=floor,
        slippage=slippage,
        price_impact=impact,
        route_labels=tuple(step.swapInfo.label for step in model.routePlan),
        context_slot=None if model.contextSlot is None else Slot(model.contextSlot),
    )


async def holding_minimum(
    quote: Quote, build: Callable[[Bps], Awaitable[tuple[SwapInstructions, Quote]]]
) -> SwapInstructions:
    """A swap built anew that still enforces ``quote.min_receive``.

    Where the price has slipped, it is built once more with the slippage that is left of the quote's. Raises ``PriceMoved``
    where none is left, and ``QuoteAbsurd`` for a swap that enforces less than was quoted together with it.
    """
    slippage = quote.slippage
    for _ in range(2):
        built, rebuilt = await build(slippage)
        if built.min_receive < rebuilt.min_receive:
            raise QuoteAbsurd(
                quote.venue, f"the swap enforces {built.min_receive} although {rebuilt.min_receive} was quoted"
            )
        if built.min_receive >= quote.min_receive:
            return built
        # rounded down: the narrower slippage
        slippage = Bps((rebuilt.receive - quote.min_receive).units * BPS // rebuilt.receive.units)
        if slippage.value < 0:
            break
    raise PriceMoved(
        quote.venue, f"{quote.sell} now brings {rebuilt.receive}, the quote's minimum is {quote.min_receive}"
    )
