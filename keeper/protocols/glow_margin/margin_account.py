"""A margin account and its positions, decoded (zero-copy layout of 7 544 bytes; shared facts, protocol.md 3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag

from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_MARGIN
from keeper.protocols.anchor import account_discriminator
from keeper.protocols.layout import LayoutError, Reader, require_owner
from keeper.units import UnixTime

MARGIN_ACCOUNT_DISCRIMINATOR = account_discriminator("MarginAccount")
MARGIN_ACCOUNT_LENGTH = 7_544
MARGIN_ACCOUNT_VERSION = 1
MAP_OFFSET = 120
POSITION_LENGTH = 192
MAX_POSITIONS = 32
MAX_USER_POSITIONS = 24
NOBODY = Pubkey.default()
"""32 zero bytes: no liquidator, no adapter but margin itself, a slot that is not in use."""


class PositionKind(IntEnum):
    """What a position counts as. (A TokenConfig numbers the same kinds from zero.)"""

    COLLATERAL = 1
    CLAIM = 2
    ADAPTER_COLLATERAL = 3


class Constraint(IntFlag):
    """What an adapter denied the account."""

    DENY_WITHDRAWALS = 1
    DENY_DEPOSITS = 2
    DENY_TRANSFERS = 4


class AccountFeature(IntFlag):
    """Which tokens the account accepts, and whether it holds one that it should not."""

    VIOLATION = 1
    STABLECOINS_ONLY = 2
    SOL_BASED_ONLY = 4
    WBTC_BASED_ONLY = 8


@dataclass(frozen=True, slots=True)
class PositionPrice:
    """A position's price: dollars per whole token are ``value`` x 10^``exponent``. ``timestamp`` is the moment of the refresh,
    not of the publication. Where not ``is_valid``, nothing else of it means anything."""

    value: int
    timestamp: UnixTime
    exponent: int
    is_valid: bool


INVALID_PRICE = PositionPrice(0, UnixTime(0), 0, is_valid=False)
"""What the program stores for a price that it rejects."""


@dataclass(frozen=True, slots=True)
class AccountPosition:
    """One position. ``slot``: its place among the 32. ``value``: balance x price, raw Number128 dollars. ``balance``: base units.
    ``exponent``: minus the decimals. ``value_modifier``: hundredths (collateral: weight, claim: leverage). ``max_staleness``:
    seconds that the balance may be old, 0 for no limit. ``adapter``: the zero key where margin itself administers the token."""

    slot: int
    token: Pubkey
    address: Pubkey
    adapter: Pubkey
    value: int
    balance: int
    balance_timestamp: UnixTime
    price: PositionPrice
    kind: PositionKind
    exponent: int
    value_modifier: int
    max_staleness: int
    required: bool
    past_due: bool
    is_token_2022: bool
    token_features: int

    @property
    def is_claim(self) -> bool:
        return self.kind is PositionKind.CLAIM


@dataclass(frozen=True, slots=True)
class MarginAccountState:
    """A margin account. ``positions`` are the used slots in their order; ``liquidator`` is None while nobody liquidates it;
    ``invocation`` is 0 outside an invoke."""

    bump: int
    seed: int
    invocation: int
    constraints: Constraint
    features: AccountFeature
    owner: Pubkey
    airspace: Pubkey
    liquidator: Pubkey | None
    positions: tuple[AccountPosition, ...]
    version: int = MARGIN_ACCOUNT_VERSION

    def position(self, token: Pubkey) -> AccountPosition | None:
        """The position in ``token``, or None."""
        return next((one for one in self.positions if one.token == token), None)

    @property
    def is_being_liquidated(self) -> bool:
        """While so, every action of the owner fails with Liquidating."""
        return self.liquidator is not None


def _price(read: Reader, field: str) -> PositionPrice:
    value, timestamp = read.i64(f"{field}.value"), UnixTime(read.u64(f"{field}.timestamp"))
    exponent, valid = read.i32(f"{field}.exponent"), read.u8(f"{field}.is_valid")
    read.raw(3, f"{field}.padding")
    return PositionPrice(value, timestamp, exponent, valid == 1)


def _position(read: Reader, slot: int) -> AccountPosition | None:
    """The slot's position, or None for a free slot (address zero), whose other bytes are not looked at."""
    field, start = f"positions[{slot}]", read.position
    token, address = read.pubkey(f"{field}.token"), read.pubkey(f"{field}.address")
    if address == NOBODY:
        read.raw(start + POSITION_LENGTH - read.position, field)
        return None
    adapter, value = read.pubkey(f"{field}.adapter"), read.i128(f"{field}.value")
    balance, balance_timestamp = read.u64(f"{field}.balance"), UnixTime(read.u64(f"{field}.balance_timestamp"))
    price = _price(read, f"{field}.price")
    kind = read.u32(f"{field}.kind")
    if kind not in tuple(PositionKind):
        raise read.fail(f"{field}.kind", "1 (collateral), 2 (claim) or 3 (adapter collateral)", str(kind))
    exponent, modifier = read.i16(f"{field}.exponent"), read.u16(f"{field}.value_modifier")
    staleness, flags = read.u64(f"{field}.max_staleness"), read.u8(f"{field}.flags")
    token_2022, features = read.u8(f"{field}.is_token_2022"), read.u16(f"{field}.token_features")
    read.raw(start + POSITION_LENGTH - read.position, f"{field}.reserved")
    return AccountPosition(
        slot=slot,
        token=token,
        address=address,
        adapter=adapter,
        value=value,
        balance=balance,
        balance_timestamp=balance_timestamp,
        price=price,
        kind=PositionKind(kind),
        exponent=exponent,
        value_modifier=modifier,
        max_staleness=staleness,
        required=bool(flags & 1),
        past_due=bool(flags & 2),
        is_token_2022=token_2022 != 0,
        token_features=features,
    )


def decode_margin_account(
    data: bytes, *, owner: Pubkey | None = None, program: Pubkey = GLOW_MARGIN
) -> MarginAccountState:
    """Decode a margin account; its owner must be ``program`` where it is given.

    Raises ``LayoutError`` for a foreign owner, a wrong length, discriminator or version, a used slot of a kind that is not known,
    and for a map that does not name exactly the used slots: the program finds positions through it.
    """
    account = "margin account"
    require_owner(account, owner, (program,))
    if len(data) != MARGIN_ACCOUNT_LENGTH:
        raise LayoutError(account, "length", f"{MARGIN_ACCOUNT_LENGTH} bytes", f"{len(data)} bytes")
    read = Reader(data, account)
    read.discriminator(MARGIN_ACCOUNT_DISCRIMINATOR)
    read.discriminator(bytes([MARGIN_ACCOUNT_VERSION]), "version")
    bump, seed, invocation = read.u8("bump"), read.u16("user_seed"), read.u8("invocation")
    constraints, features = read.u8("constraints"), read.u16("features")
    holder, airspace, liquidator = read.pubkey("owner"), read.pubkey("airspace"), read.pubkey("liquidator")
    length = read.u64("positions.length")
    if length > MAX_POSITIONS:
        raise read.fail("positions.length", f"up to {MAX_POSITIONS}", str(length))
    entries = read.array("map", MAX_POSITIONS, lambda field: (read.pubkey(f"{field}.mint"), read.u64(f"{field}.index")))
    slots = tuple(_position(read, slot) for slot in range(MAX_POSITIONS))
    positions = tuple(one for one in slots if one is not None)
    found, named = {(one.token, one.slot) for one in positions}, entries[:length]
    if len(found) != length or set(named) != found:
        raise LayoutError(account, f"map @{MAP_OFFSET}", f"the {len(found)} slots in use", f"{length} other entries")
    return MarginAccountState(
        bump=bump,
        seed=seed,
        invocation=invocation,
        constraints=Constraint(constraints),
        features=AccountFeature(features),
        owner=holder,
        airspace=airspace,
        liquidator=None if liquidator == NOBODY else liquidator,
        positions=positions,
    )
