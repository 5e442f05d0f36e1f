"""Quantities with units: types that cannot be mixed up, and the text they are written in.

Everything here is an integer inside. A ``Lamports`` cannot be added to a ``TokenAmount``, a ``Slot`` cannot be
compared with a ``BlockHeight``; the interpreter raises ``UnitError`` and mypy refuses earlier.
"""

from keeper.units.amounts import (
    LAMPORTS_PER_SOL,
    ComputeUnits,
    Lamports,
    MicroLamports,
    Mint,
    TokenAmount,
    UnitError,
)
from keeper.units.chain_time import (
    BlockHeight,
    Duration,
    Epoch,
    Slot,
    UnixTime,
)
from keeper.units.mints import GLOWSOL_SYMBOL, SOL, SSOL, STAKE_POOL_LST, WSOL_ADDRESS
from keeper.units.parse import UnitParseError, parse_bps, parse_duration, parse_lamports, parse_token_amount
from keeper.units.ratios import BPS, Bps, Rate

__all__ = [
    "BPS",
    "GLOWSOL_SYMBOL",
    "LAMPORTS_PER_SOL",
    "SOL",
    "SSOL",
    "STAKE_POOL_LST",
    "WSOL_ADDRESS",
    "BlockHeight",
    "Bps",
    "ComputeUnits",
    "Duration",
    "Epoch",
    "Lamports",
    "MicroLamports",
    "Mint",
    "Rate",
    "Slot",
    "TokenAmount",
    "UnitError",
    "UnitParseError",
    "UnixTime",
    "parse_bps",
    "parse_duration",
    "parse_lamports",
    "parse_token_amount",
]
