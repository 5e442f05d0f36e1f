"""The one door to every DEX: ask what a sale would bring, then ask for the instructions.

Amounts are base units. SOL is ``keeper.units.SOL``: the wallet's native lamports, wrapped and unwrapped by the swap itself.
A venue raises ``VenueError`` by name and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.units import Bps, Mint, Slot, TokenAmount


class VenueError(Exception):
    """Root of what a venue raises. ``venue`` is its name."""

    def __init__(self, venue: str, message: str) -> None:
        super().__init__(f"{venue}: {message}")
        self.venue = venue
        self.message = message


class NoRoute(VenueError):
    """The venue knows no way to trade this pair or this size. ``code`` is the venue's own, where it gives one."""

    def __init__(self, venue: str, message: str, code: str = "") -> None:
        super().__init__(venue, f"{message} ({code})" if code else message)
        self.code = code


class QuoteMalformed(VenueError):
    """A field of the answer is missing or is not what it should be. ``value`` is shortened."""

    def __init__(self, venue: str, field_name: str, value: object) -> None:
        shown = repr(value)
        super().__init__(venue, f"field {field_name}: {shown[:80]}{'...' if len(shown) > 80 else ''}")
        self.field = field_name
        self.value = value


class QuoteAbsurd(VenueError):
    """The answer is well-formed and not one to sign: other tokens, another amount, a minimum below our bound, foreign
    programs or signers. Nothing of it is used."""


class PriceMoved(VenueError):
    """The market no longer gives the quote's minimum; quote again."""


class VenueUnavailable(VenueError):
    """No usable answer: timeout, connection error, HTTP 5xx, garbage, or a worker that is down."""


class VenueRateLimited(VenueError):
    """Too many requests. ``reset``: seconds until the venue takes the next one, None where it does not say."""

    def __init__(self, venue: str, reset: float | None) -> None:
        super().__init__(venue, "too many requests" + (f", the next one in {reset:.1f} s" if reset is not None else ""))
        self.reset = reset


class VenueUnauthorised(VenueError):
    """The API key is missing, wrong or may not do this (HTTP 401, 403)."""


@dataclass(frozen=True, slots=True)
class Quote:
    """What selling ``sell`` would bring now. ``receive`` is expected, ``min_receive`` what the chain will insist on.

    ``price_impact`` is a share (0.01 is one percent), for people only. ``payload`` belongs to the venue.
    """

    venue: str
    sell: TokenAmount
    receive: TokenAmount
    min_receive: TokenAmount
    slippage: Bps
    price_impact: Decimal | None
    route_labels: tuple[str, ...]
    context_slot: Slot | None
    payload: object = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class SwapInstructions:
    """A swap to put into a transaction, in this order: ``setup``, own instructions, ``swap``, own ones, ``cleanup``.

    Compute-budget instructions are not among them: the caller sets its own. ``lookup_tables`` are addresses; what they contain
    is to be read from the chain. ``min_receive`` is enforced by the swap instruction and never below the quote's.
    """

    setup: tuple[Instruction, ...]
    swap: Instruction
    cleanup: tuple[Instruction, ...]
    lookup_tables: tuple[Pubkey, ...]
    min_receive: TokenAmount


class DexVenue(Protocol):
    """A place, or an aggregator of places, that swaps tokens."""

    @property
    def name(self) -> str: ...

    async def quote(self, sell: TokenAmount, buy: Mint, *, slippage: Bps) -> Quote:
        """What ``sell`` brings in ``buy``. Raises ``VenueError``; ``ValueError`` for a sale that makes no sense."""
        ...

    async def swap(self, quote: Quote, owner: Pubkey) -> SwapInstructions:
        """Instructions for ``owner`` that give at least ``quote.min_receive``, or fail on chain. Raises ``VenueError``."""
        ...
