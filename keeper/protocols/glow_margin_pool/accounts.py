"""Accounts of the pool program and of the metadata program, read field by field (shared facts, protocol.md 4.2, 4.5)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag

from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_MARGIN_POOL, GLOW_METADATA
from keeper.protocols.anchor import account_discriminator
from keeper.protocols.glow_margin_pool.number192 import LENGTH
from keeper.protocols.layout import Reader, require_owner
from keeper.protocols.pyth import FEED_ID_LENGTH
from keeper.units import UnixTime

MARGIN_POOL_DISCRIMINATOR = account_discriminator("MarginPool")
POSITION_TOKEN_METADATA_DISCRIMINATOR = account_discriminator("PositionTokenMetadata")
TOKEN_METADATA_DISCRIMINATOR = account_discriminator("TokenMetadata")
POOL_VERSION = 0


class PoolFlags(IntFlag):
    """Switches of a pool. Bits that are not named here are kept and mean nothing to us."""

    DISABLED = 1
    ALLOW_LENDING = 2


class TokenKind(IntEnum):
    """What a position of this token is, as the metadata program counts it (margin's TokenConfig counts otherwise)."""

    NON_COLLATERAL = 0
    COLLATERAL = 1
    CLAIM = 2
    ADAPTER_COLLATERAL = 3


@dataclass(frozen=True, slots=True)
class NoOracle:
    """The token has no price."""


@dataclass(frozen=True, slots=True)
class PythPull:
    """One feed prices the token in dollars."""

    feed_id: bytes


@dataclass(frozen=True, slots=True)
class PythPullRedemption:
    """A redemption rate and the feed that prices what it is quoted in."""

    feed_id: bytes
    quote_feed_id: bytes


@dataclass(frozen=True, slots=True)
class UnknownOracle:
    """A kind of a later build: cannot be priced, and is no reason to crash. Fields behind it are not read."""

    tag: int


Oracle = NoOracle | PythPull | PythPullRedemption | UnknownOracle


@dataclass(frozen=True, slots=True)
class PoolConfig:
    """Parameters of a pool. Utilisations, rates (per year) and the fee (of interest) in basis points, limits in base units."""

    flags: PoolFlags
    utilization_rate_1: int
    utilization_rate_2: int
    borrow_rate_0: int
    borrow_rate_1: int
    borrow_rate_2: int
    borrow_rate_3: int
    management_fee_rate: int
    deposit_limit: int
    borrow_limit: int

    @property
    def disabled(self) -> bool:
        """Nothing can be done with the pool, not even repaid."""
        return PoolFlags.DISABLED in self.flags

    @property
    def lends(self) -> bool:
        """New loans are given."""
        return PoolFlags.ALLOW_LENDING in self.flags and not self.disabled


@dataclass(frozen=True, slots=True)
class MarginPoolState:
    """A lending pool. ``borrowed`` and ``uncollected_fees`` are raw Numbers (base units x 10^15), ``deposit_tokens`` the idle
    tokens as booked, notes and tokens base units. Interest is in it up to ``accrued_until``."""

    address: Pubkey
    airspace: Pubkey
    token_mint: Pubkey
    vault: Pubkey
    fee_destination: Pubkey
    deposit_note_mint: Pubkey
    loan_note_mint: Pubkey
    bump: int
    config: PoolConfig
    borrowed: int
    uncollected_fees: int
    deposit_tokens: int
    deposit_notes: int
    loan_notes: int
    accrued_until: UnixTime
    oracle: Oracle


@dataclass(frozen=True, slots=True)
class PositionTokenMetadata:
    """How a note counts as a position. ``value_modifier`` in hundredths, ``max_staleness`` in seconds."""

    airspace: Pubkey
    position_token_mint: Pubkey
    underlying_token_mint: Pubkey
    adapter_program: Pubkey
    token_program: Pubkey
    token_kind: TokenKind
    value_modifier: int
    max_staleness: int
    token_features: int
    version: int


@dataclass(frozen=True, slots=True)
class TokenMetadata:
    """Which oracle prices a token."""

    airspace: Pubkey
    token_mint: Pubkey
    oracle: Oracle


def read_oracle(read: Reader, field: str) -> Oracle:
    """The oracle enum at the reader's place: tag 0 none, 1 one feed, 2 a redemption rate and its quote."""
    tag = read.u8(f"{field}.tag")
    if tag == 0:
        return NoOracle()
    if tag == 1:
        return PythPull(read.raw(FEED_ID_LENGTH, f"{field}.feed_id"))
    if tag == 2:
        feed_id = read.raw(FEED_ID_LENGTH, f"{field}.feed_id")
        return PythPullRedemption(feed_id, read.raw(FEED_ID_LENGTH, f"{field}.quote_feed_id"))
    return UnknownOracle(tag)


def _number(read: Reader, field: str) -> int:
    return int.from_bytes(read.raw(LENGTH, field), "little")


def _config(read: Reader) -> PoolConfig:
    config = PoolConfig(
        flags=PoolFlags(read.u64("config.flags")),
        utilization_rate_1=read.u16("config.utilization_rate_1"),
        utilization_rate_2=read.u16("config.utilization_rate_2"),
        borrow_rate_0=read.u16("config.borrow_rate_0"),
        borrow_rate_1=read.u16("config.borrow_rate_1"),
        borrow_rate_2=read.u16("config.borrow_rate_2"),
        borrow_rate_3=read.u16("config.borrow_rate_3"),
        management_fee_rate=read.u16("config.management_fee_rate"),
        deposit_limit=read.u64("config.deposit_limit"),
        borrow_limit=read.u64("config.borrow_limit"),
    )
    read.u64("config.reserved")
    return config


def decode_margin_pool(
    data: bytes, *, owner: Pubkey | None = None, program: Pubkey = GLOW_MARGIN_POOL
) -> MarginPoolState:
    """Decode a pool account; its owner is checked when given. Bytes after the oracle are free space.

    Raises ``LayoutError``: truncated, foreign owner or discriminator, or another version than the one known.
    """
    require_owner("margin pool", owner, (program,))
    read = Reader(data, "margin pool")
    read.discriminator(MARGIN_POOL_DISCRIMINATOR)
    version, bump, key = read.u8("version"), read.u8("bump"), read.pubkey
    if version != POOL_VERSION:
        raise read.fail("version", str(POOL_VERSION), str(version))
    airspace, vault, fee_destination = key("airspace"), key("vault"), key("fee_destination")
    deposit_note_mint, loan_note_mint = key("deposit_note_mint"), key("loan_note_mint")
    token_mint, address = key("token_mint"), key("address")
    return MarginPoolState(
        address=address,
        airspace=airspace,
        token_mint=token_mint,
        vault=vault,
        fee_destination=fee_destination,
        deposit_note_mint=deposit_note_mint,
        loan_note_mint=loan_note_mint,
        bump=bump,
        config=_config(read),
        borrowed=_number(read, "borrowed_tokens"),
        uncollected_fees=_number(read, "uncollected_fees"),
        deposit_tokens=read.u64("deposit_tokens"),
        deposit_notes=read.u64("deposit_notes"),
        loan_notes=read.u64("loan_notes"),
        accrued_until=UnixTime(read.i64("accrued_until")),
        oracle=read_oracle(read, "oracle"),
    )


def decode_position_metadata(
    data: bytes, *, owner: Pubkey | None = None, program: Pubkey = GLOW_METADATA
) -> PositionTokenMetadata:
    """Decode the metadata of a note; its owner is checked when given. Raises ``LayoutError``."""
    require_owner("position metadata", owner, (program,))
    read = Reader(data, "position metadata")
    read.discriminator(POSITION_TOKEN_METADATA_DISCRIMINATOR)
    key = read.pubkey
    airspace, mint, underlying = key("airspace"), key("position_token_mint"), key("underlying_token_mint")
    adapter, token_program, kind = key("adapter_program"), key("token_program"), read.u8("token_kind")
    if kind > max(TokenKind):
        raise read.fail("token_kind", "0 to 3", str(kind))
    return PositionTokenMetadata(
        airspace=airspace,
        position_token_mint=mint,
        underlying_token_mint=underlying,
        adapter_program=adapter,
        token_program=token_program,
        token_kind=TokenKind(kind),
        value_modifier=read.u16("value_modifier"),
        max_staleness=read.u64("max_staleness"),
        token_features=read.u16("token_features"),
        version=read.u8("version"),
    )


def decode_token_metadata(
    data: bytes, *, owner: Pubkey | None = None, program: Pubkey = GLOW_METADATA
) -> TokenMetadata:
    """Decode the metadata of a token; its owner is checked when given. Raises ``LayoutError``."""
    require_owner("token metadata", owner, (program,))
    read = Reader(data, "token metadata")
    read.discriminator(TOKEN_METADATA_DISCRIMINATOR)
    return TokenMetadata(read.pubkey("airspace"), read.pubkey("token_mint"), read_oracle(read, "oracle"))
