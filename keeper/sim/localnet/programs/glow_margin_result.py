"""What an adapter returns to the margin program: changes of positions, Borsh (shared facts, protocol.md 3.8).

An AdapterResult is a list of (mint, list of changes). Models of adapters write it with ``encode_result``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from solders.pubkey import Pubkey

from keeper.sim.localnet.interface import ProgramError
from keeper.sim.localnet.programs.borsh import Reader, i64, u8, u32, u64
from keeper.sim.localnet.programs.glow_margin_health import PriceChange


class Cause(IntEnum):
    """Why an account's tokens changed."""

    DEFAULT = 0
    BORROW = 1
    REPAY = 2
    EXTERNAL_INCREASE = 3
    EXTERNAL_DECREASE = 4


@dataclass(frozen=True, slots=True)
class FlagsChange:
    """Set (``on``) or clear the ``flags`` of a position."""

    flags: int
    on: bool


@dataclass(frozen=True, slots=True)
class Register:
    """Open a position at ``token_account``."""

    token_account: Pubkey


@dataclass(frozen=True, slots=True)
class Close:
    """Forget the position at ``token_account``."""

    token_account: Pubkey


@dataclass(frozen=True, slots=True)
class TokenChange:
    """``tokens`` base units of ``mint`` came or went."""

    mint: Pubkey
    tokens: int
    cause: Cause


Change = PriceChange | FlagsChange | Register | Close | TokenChange
Result = Sequence[tuple[Pubkey, Sequence[Change]]]


def encode_result(result: Result) -> bytes:
    entries = [
        bytes(mint) + u32(len(changes)) + b"".join(_encode_change(change) for change in changes)
        for mint, changes in result
    ]
    return u32(len(result)) + b"".join(entries)


def decode_result(data: bytes) -> list[tuple[Pubkey, list[Change]]]:
    """Raises ``ProgramError("BorshIoError")`` for bytes that are no AdapterResult."""
    reader = Reader(data, error=ProgramError("BorshIoError", "return data is no AdapterResult"))
    return [(reader.key(), [_read_change(reader) for _ in range(reader.u32())]) for _ in range(reader.u32())]


def _encode_change(change: Change) -> bytes:
    match change:
        case PriceChange():
            exponent = change.exponent.to_bytes(4, "little", signed=True)
            prices = i64(change.value) + u64(change.confidence) + i64(change.ema)
            return u8(0) + prices + i64(change.publish_time) + exponent
        case FlagsChange():
            return u8(1) + u8(change.flags) + u8(change.on)
        case Register():
            return u8(2) + bytes(change.token_account)
        case Close():
            return u8(3) + bytes(change.token_account)
        case TokenChange():
            return u8(4) + bytes(change.mint) + u64(change.tokens) + u8(change.cause)


def _read_change(reader: Reader) -> Change:
    match reader.u8():
        case 0:
            value, confidence, ema, published = reader.i64(), reader.u64(), reader.i64(), reader.i64()
            return PriceChange(value, confidence, ema, published, int.from_bytes(reader.take(4), "little", signed=True))
        case 1:
            return FlagsChange(reader.u8(), reader.flag())
        case 2:
            return Register(reader.key())
        case 3:
            return Close(reader.key())
        case 4:
            mint, tokens, cause = reader.key(), reader.u64(), reader.u8()
            if cause <= max(Cause):
                return TokenChange(mint, tokens, Cause(cause))
    raise ProgramError("BorshIoError", "return data is no AdapterResult")
