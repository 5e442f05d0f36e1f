"""The MarginAccount and its positions, and (re-exported) the configurations beside it: what genesis and other models need.

Layout: shared facts, protocol.md 3.2: 7544 bytes, zero-copy. A header, a map of mints sorted by mint, 32 slots of 192 bytes; a
slot is in use when its token account's address is set. Only used slots are decoded, and the map is rebuilt from them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_MARGIN
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.anchor import AnchorError, account_discriminator
from keeper.sim.localnet.programs.glow_margin_config import (
    ZERO_KEY,
    AdapterConfig,
    Airspace,
    AirspacePermit,
    ConfigKind,
    NoOracle,
    Oracle,
    Permission,
    Permit,
    PythPull,
    PythPullRedemption,
    TokenConfig,
    TokenFeature,
    adapter_config_address,
    airspace_address,
    airspace_permit_address,
    encode_oracle,
    permit_address,
    permit_issuer_address,
    read_oracle,
    token_config_address,
)
from keeper.sim.localnet.programs.glow_margin_errors import MarginError
from keeper.sim.localnet.programs.glow_margin_number import from_decimal, multiply

MARGIN_ACCOUNT_DISCRIMINATOR = account_discriminator("MarginAccount")
MARGIN_ACCOUNT_SIZE = 7544
SLOTS = 32
USER_POSITIONS = 24
INVOCATION_OFFSET = 12

_HEADER = struct.Struct("<8sBB2sBBH32s32s32sQ")
_MAP = 120
_ENTRY = struct.Struct("<32sQ")
_POSITIONS = 1400
_SLOT = struct.Struct("<32s32s32s16sQQqQiB3xIhHQBBH20x")
_ZERO = bytes(32)


class PositionKind(IntEnum):
    """``kind`` of a position; a TokenConfig counts from zero instead."""

    COLLATERAL = 1
    CLAIM = 2
    ADAPTER_COLLATERAL = 3


class PositionFlag(IntFlag):
    """Flags that adapters set on positions."""

    REQUIRED = 1
    PAST_DUE = 2


class Constraint(IntFlag):
    """``constraints`` of an account."""

    DENY_WITHDRAWALS = 1
    DENY_DEPOSITS = 2
    DENY_TRANSFERS = 4


class AccountFeature(IntFlag):
    """``features`` of an account."""

    VIOLATION = 1
    STABLECOINS = 2
    SOL_BASED = 4
    WBTC_BASED = 8


@dataclass(frozen=True, slots=True)
class PriceInfo:
    """A position's price: ``value * 10**exponent`` USD a token, set at ``timestamp`` (unix seconds)."""

    value: int = 0
    timestamp: int = 0
    exponent: int = 0
    is_valid: bool = False


INVALID_PRICE = PriceInfo()


@dataclass(slots=True)
class AccountPosition:
    """One slot. ``value``: raw Number128 USD. ``balance``: base units. Set both through ``set_balance`` and ``set_price``."""

    token: Pubkey
    address: Pubkey
    adapter: Pubkey = ZERO_KEY
    value: int = 0
    balance: int = 0
    balance_timestamp: int = 0
    price: PriceInfo = INVALID_PRICE
    kind: PositionKind = PositionKind.COLLATERAL
    exponent: int = -9
    value_modifier: int = 100
    max_staleness: int = 0
    flags: int = 0
    is_token_2022: bool = False
    token_features: int = 0

    @classmethod
    def decode(cls, data: bytes, offset: int = 0) -> AccountPosition:
        (
            token,
            address,
            adapter,
            value,
            balance,
            balance_timestamp,
            price,
            price_timestamp,
            price_exponent,
            valid,
            kind,
            exponent,
            modifier,
            staleness,
            flags,
            is_2022,
            features,
        ) = _SLOT.unpack_from(data, offset)
        return cls(
            token=Pubkey(token),
            address=Pubkey(address),
            adapter=Pubkey(adapter),
            value=int.from_bytes(value, "little", signed=True),
            balance=balance,
            balance_timestamp=balance_timestamp,
            price=PriceInfo(price, price_timestamp, price_exponent, valid == 1),
            # As the program: a kind it does not know counts as collateral.
            kind=PositionKind(kind) if 1 <= kind <= 3 else PositionKind.COLLATERAL,
            exponent=exponent,
            value_modifier=modifier,
            max_staleness=staleness,
            flags=flags,
            is_token_2022=is_2022 == 1,
            token_features=features,
        )

    def encode_into(self, target: bytearray, offset: int) -> None:
        _SLOT.pack_into(
            target,
            offset,
            bytes(self.token),
            bytes(self.address),
            bytes(self.adapter),
            self.value.to_bytes(16, "little", signed=True),
            self.balance,
            self.balance_timestamp,
            self.price.value,
            self.price.timestamp,
            self.price.exponent,
            self.price.is_valid,
            self.kind,
            self.exponent,
            self.value_modifier,
            self.max_staleness,
            self.flags,
            self.is_token_2022,
            self.token_features,
        )

    def set_balance(self, balance: int, now: int) -> None:
        """``balance`` base units seen at ``now``; the value follows."""
        self.balance, self.balance_timestamp = balance, now
        self._calculate_value()

    def set_price(self, price: PriceInfo) -> None:
        self.price = price
        self._calculate_value()

    def _calculate_value(self) -> None:
        amount = from_decimal(self.balance, self.exponent)
        self.value = multiply(amount, from_decimal(self.price.value, self.price.exponent))


@dataclass(slots=True)
class MarginAccount:
    """A margin account; ``slots`` maps a slot's index to its position. ``liquidator`` zero: not being liquidated."""

    owner: Pubkey
    airspace: Pubkey
    bump: int
    user_seed: int = 0
    features: int = 0
    constraints: int = 0
    invocation: int = 0
    liquidator: Pubkey = ZERO_KEY
    version: int = 1
    slots: dict[int, AccountPosition] = field(default_factory=dict)

    @classmethod
    def decode(cls, data: bytes) -> MarginAccount:
        """Raises 3003 AccountDidNotDeserialize for bytes of another length."""
        if len(data) != MARGIN_ACCOUNT_SIZE:
            raise AnchorError.ACCOUNT_DID_NOT_DESERIALIZE.error("margin_account")
        _, version, bump, seed, invocation, constraints, features, owner, airspace, liquidator, _ = _HEADER.unpack_from(
            data
        )
        slots = {
            index: AccountPosition.decode(data, start)
            for index, start in enumerate(range(_POSITIONS, MARGIN_ACCOUNT_SIZE, _SLOT.size))
            if data[start + 32 : start + 64] != _ZERO
        }
        return cls(
            Pubkey(owner),
            Pubkey(airspace),
            bump,
            int.from_bytes(seed, "little"),
            features,
            constraints,
            invocation,
            Pubkey(liquidator),
            version,
            slots,
        )

    def encode(self) -> bytes:
        data = bytearray(MARGIN_ACCOUNT_SIZE)
        _HEADER.pack_into(
            data,
            0,
            MARGIN_ACCOUNT_DISCRIMINATOR,
            self.version,
            self.bump,
            self.user_seed.to_bytes(2, "little"),
            self.invocation,
            self.constraints,
            self.features,
            bytes(self.owner),
            bytes(self.airspace),
            bytes(self.liquidator),
            len(self.slots),
        )
        entries = sorted((bytes(position.token), index) for index, position in self.slots.items())
        for rank, (mint, index) in enumerate(entries):
            _ENTRY.pack_into(data, _MAP + rank * _ENTRY.size, mint, index)
        for index, position in self.slots.items():
            position.encode_into(data, _POSITIONS + index * _SLOT.size)
        return bytes(data)

    @property
    def seeds(self) -> cpi.Seeds:
        return (bytes(self.owner), bytes(self.airspace), self.user_seed.to_bytes(2, "little"), bytes([self.bump]))

    @property
    def is_liquidating(self) -> bool:
        return self.liquidator != ZERO_KEY

    @property
    def positions(self) -> list[AccountPosition]:
        """Used slots in the order of their indices, which is the order in which the program walks them."""
        return [self.slots[index] for index in sorted(self.slots)]

    def position(self, mint: Pubkey) -> AccountPosition | None:
        for held in self.slots.values():
            if held.token == mint:
                return held
        return None

    def require_position(self, mint: Pubkey, address: Pubkey | None = None) -> AccountPosition:
        """The position of ``mint`` (held at ``address``). Raises PositionNotRegistered."""
        held = self.position(mint)
        if held is None or (address is not None and held.address != address):
            raise MarginError.POSITION_NOT_REGISTERED.error(f"mint {mint}")
        return held

    def add(self, position: AccountPosition) -> None:
        """Into the first free slot. Raises MaxPositions when all 32 are used."""
        free = next((index for index in range(SLOTS) if index not in self.slots), None)
        if free is None:
            raise MarginError.MAX_POSITIONS.error(f"all {SLOTS} slots are used")
        self.slots[free] = position

    def remove(self, mint: Pubkey, address: Pubkey) -> AccountPosition:
        held = self.require_position(mint, address)
        del self.slots[next(index for index, position in self.slots.items() if position is held)]
        return held


def margin_account_address(owner: Pubkey, airspace: Pubkey, seed: int) -> tuple[Pubkey, int]:
    seeds = [bytes(owner), bytes(airspace), seed.to_bytes(2, "little")]
    return Pubkey.find_program_address(seeds, GLOW_MARGIN)


def position_token_address(margin_account: Pubkey, mint: Pubkey) -> tuple[Pubkey, int]:
    """Where ``register_position`` puts the tokens."""
    return Pubkey.find_program_address([bytes(margin_account), bytes(mint)], GLOW_MARGIN)


def invocation_mark(stack_height: int) -> int:
    """The bit of the invocation byte that says: margin, at ``stack_height``, has an adapter running."""
    return 1 << stack_height


def require_direct_invocation(data: bytes, stack_height: int) -> None:
    """For an adapter at ``stack_height``: ``data`` of the margin account must say that margin called it itself.

    Raises IndirectInvocation, for a top-level call and for a call through a third program alike.
    """
    if len(data) <= INVOCATION_OFFSET or not data[INVOCATION_OFFSET] & invocation_mark(stack_height - 1):
        raise MarginError.INDIRECT_INVOCATION.error()


__all__ = [
    "INVALID_PRICE",
    "MARGIN_ACCOUNT_DISCRIMINATOR",
    "MARGIN_ACCOUNT_SIZE",
    "SLOTS",
    "USER_POSITIONS",
    "ZERO_KEY",
    "AccountFeature",
    "AccountPosition",
    "AdapterConfig",
    "Airspace",
    "AirspacePermit",
    "ConfigKind",
    "Constraint",
    "MarginAccount",
    "NoOracle",
    "Oracle",
    "Permission",
    "Permit",
    "PositionFlag",
    "PositionKind",
    "PriceInfo",
    "PythPull",
    "PythPullRedemption",
    "TokenConfig",
    "TokenFeature",
    "adapter_config_address",
    "airspace_address",
    "airspace_permit_address",
    "encode_oracle",
    "invocation_mark",
    "margin_account_address",
    "permit_address",
    "permit_issuer_address",
    "position_token_address",
    "read_oracle",
    "require_direct_invocation",
    "token_config_address",
]
