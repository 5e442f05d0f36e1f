"""Accounts beside the margin account: configurations, permits, airspace, liquidation, registry (protocol.md 3.3, 3.7, 3.9, 6)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag

from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_AIRSPACE, GLOW_MARGIN, LOOKUP_TABLE_REGISTRY
from keeper.protocols.anchor import account_discriminator
from keeper.protocols.glow_margin.margin_account import NOBODY, PositionKind
from keeper.protocols.layout import Reader, require_owner
from keeper.units import Slot, UnixTime

TOKEN_CONFIG_DISCRIMINATOR = account_discriminator("TokenConfig")
ADAPTER_CONFIG_DISCRIMINATOR = account_discriminator("AdapterConfig")
PERMIT_DISCRIMINATOR = account_discriminator("Permit")
CONSTRAINT_TICKET_DISCRIMINATOR = account_discriminator("AccountConstraintTicket")
AIRSPACE_DISCRIMINATOR = account_discriminator("Airspace")
AIRSPACE_PERMIT_DISCRIMINATOR = account_discriminator("AirspacePermit")
LIQUIDATION_DISCRIMINATOR = account_discriminator("LiquidationState")
LOOKUP_REGISTRY_DISCRIMINATOR = account_discriminator("RegistryAccount")
TOKEN_CONFIG_AIRSPACE_OFFSET = 136
FEED_LENGTH = 32
LIQUIDATION_FEES = 6
MAX_REGISTRY_ENTRIES = 254
_KINDS = (PositionKind.COLLATERAL, PositionKind.CLAIM, PositionKind.ADAPTER_COLLATERAL)


class TokenFeature(IntFlag):
    """What a token is, and whether accounts without that feature are barred from it."""

    RESTRICTED = 1
    USD_STABLECOIN = 2
    SOL_BASED = 4
    WBTC_BASED = 8


class Permission(IntFlag):
    """Rights that governance granted to a key."""

    LIQUIDATE = 1
    REFRESH_POSITION_CONFIG = 2
    OPERATE_VAULTS = 4


@dataclass(frozen=True, slots=True)
class OracleAdmin:
    """Margin itself prices the token. ``feed_id``: 32 bytes, empty for no oracle at all; ``quote_feed_id``: the feed that a
    redemption rate is quoted by, empty for a plain price."""

    feed_id: bytes = b""
    quote_feed_id: bytes = b""

    @property
    def is_redemption(self) -> bool:
        return bool(self.quote_feed_id)


@dataclass(frozen=True, slots=True)
class AdapterAdmin:
    """An adapter program prices the token (the margin pool for its notes)."""

    program: Pubkey


@dataclass(frozen=True, slots=True)
class UnknownAdmin:
    """An administrator or oracle of a kind newer than this code: such a token cannot be priced here. ``oracle_tag`` is None where
    the administrator's own tag is the unknown one."""

    tag: int
    oracle_tag: int | None = None


TokenAdmin = OracleAdmin | AdapterAdmin | UnknownAdmin


@dataclass(frozen=True, slots=True)
class TokenConfig:
    """How an airspace treats a token. ``value_modifier`` in hundredths, ``max_staleness`` in seconds. ``token_features`` and
    ``version`` are None behind an unknown admin, whose length is unknown too."""

    mint: Pubkey
    mint_token_program: Pubkey
    underlying_mint: Pubkey
    underlying_token_program: Pubkey
    airspace: Pubkey
    token_kind: PositionKind
    value_modifier: int
    max_staleness: int
    admin: TokenAdmin
    token_features: TokenFeature | None
    version: int | None


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """Says that a program may be invoked through margin accounts of the airspace."""

    airspace: Pubkey
    adapter_program: Pubkey


@dataclass(frozen=True, slots=True)
class Permit:
    """Rights of ``owner`` in the airspace (margin program)."""

    airspace: Pubkey
    owner: Pubkey
    permissions: Permission


@dataclass(frozen=True, slots=True)
class Airspace:
    """An airspace; in a restricted one only an issuer may create permits."""

    authority: Pubkey
    is_restricted: bool


@dataclass(frozen=True, slots=True)
class AirspacePermit:
    """What lets ``owner`` open margin accounts in the airspace (airspace program)."""

    airspace: Pubkey
    owner: Pubkey
    issuer: Pubkey


@dataclass(frozen=True, slots=True)
class LiquidationState:
    """A liquidation in progress. Values are raw Number128; ``fees`` are (mint, base units) that the liquidator has earned."""

    liquidator: Pubkey
    margin_account: Pubkey
    equity_loss: int
    max_equity_loss: int
    collateral_change: int
    max_available_collateral_limit: int
    start_time: UnixTime
    is_collecting_fees: bool
    fees: tuple[tuple[Pubkey, int], ...]


@dataclass(frozen=True, slots=True)
class RegistryEntry:
    """One table of a registry; only an active one may be used."""

    discriminator: int
    table: Pubkey

    @property
    def is_active(self) -> bool:
        """0 is an empty entry, 1 a deactivated table."""
        return self.discriminator > 1


@dataclass(frozen=True, slots=True)
class LookupRegistry:
    """The lookup tables of ``authority`` (a margin account)."""

    authority: Pubkey
    version: int
    last_created_slot: Slot
    entries: tuple[RegistryEntry, ...]

    @property
    def tables(self) -> tuple[Pubkey, ...]:
        """Addresses of the active tables."""
        return tuple(entry.table for entry in self.entries if entry.is_active)


def _admin(read: Reader) -> TokenAdmin:
    tag = read.u8("admin")
    if tag == 1:
        return AdapterAdmin(read.pubkey("admin.adapter"))
    if tag != 0:
        return UnknownAdmin(tag)
    oracle = read.u8("admin.oracle")
    if oracle == 0:
        return OracleAdmin()
    if oracle == 1:
        return OracleAdmin(read.raw(FEED_LENGTH, "admin.oracle.feed_id"))
    if oracle == 2:
        feed = read.raw(FEED_LENGTH, "admin.oracle.feed_id")
        return OracleAdmin(feed, read.raw(FEED_LENGTH, "admin.oracle.quote_feed_id"))
    return UnknownAdmin(tag, oracle)


def decode_token_config(data: bytes, *, owner: Pubkey | None = None, program: Pubkey = GLOW_MARGIN) -> TokenConfig:
    """Decode a TokenConfig; its owner must be ``program`` where it is given. Bytes behind the version are reserved.

    Raises ``LayoutError``; an unknown admin or oracle tag is a value (``UnknownAdmin``), not an error.
    """
    require_owner("token config", owner, (program,))
    read = Reader(data, "token config")
    read.discriminator(TOKEN_CONFIG_DISCRIMINATOR)
    mint, mint_program = read.pubkey("mint"), read.pubkey("mint_token_program")
    underlying, underlying_program = read.pubkey("underlying_mint"), read.pubkey("underlying_token_program")
    airspace, kind = read.pubkey("airspace"), read.u8("token_kind")
    if kind >= len(_KINDS):
        raise read.fail("token_kind", "0 (collateral), 1 (claim) or 2 (adapter collateral)", str(kind))
    modifier, staleness, admin = read.u16("value_modifier"), read.u64("max_staleness"), _admin(read)
    known = not isinstance(admin, UnknownAdmin)
    return TokenConfig(
        mint=mint,
        mint_token_program=mint_program,
        underlying_mint=underlying,
        underlying_token_program=underlying_program,
        airspace=airspace,
        token_kind=_KINDS[kind],
        value_modifier=modifier,
        max_staleness=staleness,
        admin=admin,
        token_features=TokenFeature(read.u16("token_features")) if known else None,
        version=read.u8("version") if known else None,
    )


def decode_adapter_config(data: bytes, *, owner: Pubkey | None = None, program: Pubkey = GLOW_MARGIN) -> AdapterConfig:
    """Decode an AdapterConfig; its owner must be ``program`` where it is given. Raises ``LayoutError``."""
    require_owner("adapter config", owner, (program,))
    read = Reader(data, "adapter config")
    read.discriminator(ADAPTER_CONFIG_DISCRIMINATOR)
    return AdapterConfig(read.pubkey("airspace"), read.pubkey("adapter_program"))


def decode_permit(data: bytes, *, owner: Pubkey | None = None, program: Pubkey = GLOW_MARGIN) -> Permit:
    """Decode a margin Permit; its owner must be ``program`` where it is given. Raises ``LayoutError``."""
    require_owner("permit", owner, (program,))
    read = Reader(data, "permit")
    read.discriminator(PERMIT_DISCRIMINATOR)
    return Permit(read.pubkey("airspace"), read.pubkey("owner"), Permission(read.u32("permissions")))


def decode_airspace(data: bytes, *, owner: Pubkey | None = None, program: Pubkey = GLOW_AIRSPACE) -> Airspace:
    """Decode an Airspace; its owner must be ``program`` where it is given. Raises ``LayoutError``."""
    require_owner("airspace", owner, (program,))
    read = Reader(data, "airspace")
    read.discriminator(AIRSPACE_DISCRIMINATOR)
    return Airspace(read.pubkey("authority"), read.boolean("is_restricted"))


def decode_airspace_permit(
    data: bytes, *, owner: Pubkey | None = None, program: Pubkey = GLOW_AIRSPACE
) -> AirspacePermit:
    """Decode an AirspacePermit; its owner must be ``program`` where it is given. Raises ``LayoutError``."""
    require_owner("airspace permit", owner, (program,))
    read = Reader(data, "airspace permit")
    read.discriminator(AIRSPACE_PERMIT_DISCRIMINATOR)
    return AirspacePermit(read.pubkey("airspace"), read.pubkey("owner"), read.pubkey("issuer"))


def decode_liquidation_state(
    data: bytes, *, owner: Pubkey | None = None, program: Pubkey = GLOW_MARGIN
) -> LiquidationState:
    """Decode a LiquidationState; its owner must be ``program`` where it is given. Raises ``LayoutError``."""
    require_owner("liquidation", owner, (program,))
    read = Reader(data, "liquidation")
    read.discriminator(LIQUIDATION_DISCRIMINATOR)
    liquidator, margin_account = read.pubkey("liquidator"), read.pubkey("margin_account")
    loss, most_loss, change = read.i128("equity_loss"), read.i128("max_equity_loss"), read.i128("collateral_change")
    limit, start = read.i128("max_available_collateral_limit"), UnixTime(read.i64("start_time"))
    collecting = read.u8("is_collecting_fees") != 0
    read.raw(7, "padding")
    fees = read.array("fees", LIQUIDATION_FEES, lambda at: (read.pubkey(f"{at}.mint"), read.u64(f"{at}.amount")))
    earned = tuple((mint, amount) for mint, amount in fees if mint != NOBODY)
    return LiquidationState(liquidator, margin_account, loss, most_loss, change, limit, start, collecting, earned)


def decode_lookup_registry(
    data: bytes, *, owner: Pubkey | None = None, program: Pubkey = LOOKUP_TABLE_REGISTRY
) -> LookupRegistry:
    """Decode a registry of lookup tables; its owner must be ``program`` where it is given. Raises ``LayoutError``."""
    require_owner("lookup registry", owner, (program,))
    read = Reader(data, "lookup registry")
    read.discriminator(LOOKUP_REGISTRY_DISCRIMINATOR)
    authority, version = read.pubkey("authority"), read.u8("version")
    read.raw(7, "seed, length, capacity and reserve")
    created, count = Slot(read.u64("last_created_slot")), read.u32("entries")
    if count > MAX_REGISTRY_ENTRIES:
        raise read.fail("entries", f"up to {MAX_REGISTRY_ENTRIES}", str(count))
    entries = read.array("entries", count, lambda at: RegistryEntry(read.u64(f"{at}.discriminator"), read.pubkey(at)))
    return LookupRegistry(authority, version, created, entries)
