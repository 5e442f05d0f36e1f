"""Accounts that governance writes: token and adapter configurations, permits, airspaces. Borsh, little-endian.

Layouts: shared facts, protocol.md 3.3 and 3.7. Sizes: what the fields need, except the airspace program's declared ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag

from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_AIRSPACE, GLOW_MARGIN, SPL_TOKEN
from keeper.sim.localnet.programs.anchor import AnchorError, account_discriminator
from keeper.sim.localnet.programs.borsh import Reader, u8, u16, u32, u64

TOKEN_CONFIG_DISCRIMINATOR = account_discriminator("TokenConfig")
ADAPTER_CONFIG_DISCRIMINATOR = account_discriminator("AdapterConfig")
PERMIT_DISCRIMINATOR = account_discriminator("Permit")
AIRSPACE_DISCRIMINATOR = account_discriminator("Airspace")
AIRSPACE_PERMIT_DISCRIMINATOR = account_discriminator("AirspacePermit")
ISSUER_DISCRIMINATOR = account_discriminator("AirspacePermitIssuerId")
AIRSPACE_SIZE = 304
AIRSPACE_PERMIT_SIZE = 128
TOKEN_CONFIG_VERSION = 2
ZERO_KEY = Pubkey.default()


class ConfigKind(IntEnum):
    """``token_kind`` of a TokenConfig; a position counts from one instead."""

    COLLATERAL = 0
    CLAIM = 1
    ADAPTER_COLLATERAL = 2


class TokenFeature(IntFlag):
    """Bits of ``token_features``."""

    RESTRICTED = 1
    USD_STABLECOIN = 2
    SOL_BASED = 4
    WBTC_BASED = 8


class Permission(IntFlag):
    """Bits of a Permit."""

    LIQUIDATE = 1
    REFRESH_POSITION_CONFIG = 2
    OPERATE_VAULTS = 4


@dataclass(frozen=True, slots=True)
class NoOracle:
    """The margin program administers the token, but cannot price it."""


@dataclass(frozen=True, slots=True)
class PythPull:
    """Priced by one Pyth feed (32-byte id)."""

    feed_id: bytes


@dataclass(frozen=True, slots=True)
class PythPullRedemption:
    """Priced by a redemption rate in another token and that token's price."""

    feed_id: bytes
    quote_feed_id: bytes


Oracle = NoOracle | PythPull | PythPullRedemption


def encode_oracle(oracle: Oracle) -> bytes:
    match oracle:
        case PythPull():
            return u8(1) + oracle.feed_id
        case PythPullRedemption():
            return u8(2) + oracle.feed_id + oracle.quote_feed_id
    return u8(0)


def read_oracle(reader: Reader) -> Oracle:
    """Raises 3003 AccountDidNotDeserialize for a tag that this build does not know."""
    match reader.u8():
        case 0:
            return NoOracle()
        case 1:
            return PythPull(reader.take(32))
        case 2:
            return PythPullRedemption(reader.take(32), reader.take(32))
    raise AnchorError.ACCOUNT_DID_NOT_DESERIALIZE.error("oracle")


@dataclass(slots=True)
class TokenConfig:
    """``admin``: the oracle by which margin prices the token, or the key of the adapter program that does.

    ``value_modifier`` in hundredths: weight of a collateral, leverage of a claim. ``max_staleness`` in seconds.
    """

    mint: Pubkey
    airspace: Pubkey
    token_kind: ConfigKind
    value_modifier: int
    max_staleness: int
    admin: Oracle | Pubkey
    mint_token_program: Pubkey = SPL_TOKEN
    underlying_mint: Pubkey = ZERO_KEY
    underlying_token_program: Pubkey = SPL_TOKEN
    token_features: int = 0
    version: int = TOKEN_CONFIG_VERSION

    @classmethod
    def decode(cls, data: bytes) -> TokenConfig:
        reader = Reader(data, 8, error=AnchorError.ACCOUNT_DID_NOT_DESERIALIZE.error("token_config"))
        mint, mint_program, underlying, underlying_program = (reader.key() for _ in range(4))
        airspace, kind = reader.key(), reader.u8()
        if kind > max(ConfigKind):
            raise AnchorError.ACCOUNT_DID_NOT_DESERIALIZE.error("token_config.token_kind")
        modifier, staleness = reader.u16(), reader.u64()
        admin = reader.key() if reader.flag() else read_oracle(reader)
        config = cls(mint, airspace, ConfigKind(kind), modifier, staleness, admin)
        config.mint_token_program, config.underlying_token_program = mint_program, underlying_program
        config.underlying_mint = underlying
        config.token_features, config.version = reader.u16(), reader.u8()
        reader.take(64)
        return config

    def encode(self) -> bytes:
        is_adapter = isinstance(self.admin, Pubkey)
        admin = bytes(self.admin) if isinstance(self.admin, Pubkey) else encode_oracle(self.admin)
        return b"".join(
            (
                TOKEN_CONFIG_DISCRIMINATOR,
                bytes(self.mint),
                bytes(self.mint_token_program),
                bytes(self.underlying_mint),
                bytes(self.underlying_token_program),
                bytes(self.airspace),
                u8(self.token_kind),
                u16(self.value_modifier),
                u64(self.max_staleness),
                u8(is_adapter),
                admin,
                u16(self.token_features),
                u8(self.version),
                bytes(64),
            )
        )

    @property
    def adapter(self) -> Pubkey:
        """The adapter program, or the zero key for a token that margin administers itself."""
        return self.admin if isinstance(self.admin, Pubkey) else ZERO_KEY

    @property
    def oracle(self) -> Oracle | None:
        return None if isinstance(self.admin, Pubkey) else self.admin


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """A program that accounts of ``airspace`` may invoke."""

    airspace: Pubkey
    adapter_program: Pubkey

    @classmethod
    def decode(cls, data: bytes) -> AdapterConfig:
        reader = Reader(data, 8, error=AnchorError.ACCOUNT_DID_NOT_DESERIALIZE.error("adapter_config"))
        return cls(reader.key(), reader.key())

    def encode(self) -> bytes:
        return ADAPTER_CONFIG_DISCRIMINATOR + bytes(self.airspace) + bytes(self.adapter_program)


@dataclass(frozen=True, slots=True)
class Permit:
    """``permissions``: bits of ``Permission`` that ``owner`` has in ``airspace``."""

    airspace: Pubkey
    owner: Pubkey
    permissions: int

    @classmethod
    def decode(cls, data: bytes) -> Permit:
        reader = Reader(data, 8, error=AnchorError.ACCOUNT_DID_NOT_DESERIALIZE.error("permit"))
        return cls(reader.key(), reader.key(), reader.u32())

    def encode(self) -> bytes:
        return PERMIT_DISCRIMINATOR + bytes(self.airspace) + bytes(self.owner) + u32(self.permissions)


@dataclass(frozen=True, slots=True)
class Airspace:
    """The isolation boundary of accounts and pools."""

    authority: Pubkey
    is_restricted: bool = False

    @classmethod
    def decode(cls, data: bytes) -> Airspace:
        reader = Reader(data, 8, error=AnchorError.ACCOUNT_DID_NOT_DESERIALIZE.error("airspace"))
        return cls(reader.key(), reader.flag())

    def encode(self) -> bytes:
        body = AIRSPACE_DISCRIMINATOR + bytes(self.authority) + u8(self.is_restricted)
        return body.ljust(AIRSPACE_SIZE, b"\0")


@dataclass(frozen=True, slots=True)
class AirspacePermit:
    """``owner`` may open accounts in ``airspace``."""

    airspace: Pubkey
    owner: Pubkey
    issuer: Pubkey

    @classmethod
    def decode(cls, data: bytes) -> AirspacePermit:
        reader = Reader(data, 8, error=AnchorError.ACCOUNT_DID_NOT_DESERIALIZE.error("permit"))
        return cls(reader.key(), reader.key(), reader.key())

    def encode(self) -> bytes:
        body = AIRSPACE_PERMIT_DISCRIMINATOR + bytes(self.airspace) + bytes(self.owner) + bytes(self.issuer)
        return body.ljust(AIRSPACE_PERMIT_SIZE, b"\0")


# --- addresses --------------------------------------------------------------------------------------------------------


def _margin_pda(*seeds: bytes) -> Pubkey:
    return Pubkey.find_program_address(list(seeds), GLOW_MARGIN)[0]


def token_config_address(airspace: Pubkey, mint: Pubkey) -> Pubkey:
    return _margin_pda(b"token-config", bytes(airspace), bytes(mint))


def adapter_config_address(airspace: Pubkey, program: Pubkey) -> Pubkey:
    return _margin_pda(b"adapter-config", bytes(airspace), bytes(program))


def permit_address(airspace: Pubkey, owner: Pubkey) -> Pubkey:
    return _margin_pda(b"permit", bytes(airspace), bytes(owner))


def airspace_address(name: str) -> Pubkey:
    return Pubkey.find_program_address([b"airspace", name.encode()], GLOW_AIRSPACE)[0]


def airspace_permit_address(airspace: Pubkey, owner: Pubkey) -> tuple[Pubkey, int]:
    return Pubkey.find_program_address([b"airspace-permit", bytes(airspace), bytes(owner)], GLOW_AIRSPACE)


def permit_issuer_address(airspace: Pubkey, authority: Pubkey) -> Pubkey:
    seeds = [b"airspace-permit-issuer", bytes(airspace), bytes(authority)]
    return Pubkey.find_program_address(seeds, GLOW_AIRSPACE)[0]
