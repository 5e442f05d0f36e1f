"""DEX quotes and swap instructions, behind one door."""

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
    VenueUnavailable,
)
from keeper.venues.jupiter_build import JupiterBuild, RateLimit
from keeper.venues.jupiter_sdk import JupiterSdk
from keeper.venues.ladder import LadderFault, LadderResult, NotMonotone, depth_ladder

__all__ = [
    "DexVenue",
    "JupiterBuild",
    "JupiterSdk",
    "LadderFault",
    "LadderResult",
    "NoRoute",
    "NotMonotone",
    "PriceMoved",
    "Quote",
    "QuoteAbsurd",
    "QuoteMalformed",
    "RateLimit",
    "SwapInstructions",
    "VenueError",
    "VenueRateLimited",
    "VenueUnauthorised",
    "VenueUnavailable",
    "depth_ladder",
]
