"""Bytes of the margin program's accounts and events, written field by field from the facts (protocol.md 3), and a few values."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace

from solders.pubkey import Pubkey

from keeper.protocols import glow_margin as gm
from keeper.units import UnixTime
from tests.protocols.account_bytes import key

NOW = UnixTime(1_790_000_000)
MARGIN_ACCOUNT = bytes.fromhex("85dcadd5b3d32bee")
TOKEN_CONFIG = bytes.fromhex("5c49ff2b6b337565")
ADAPTER_CONFIG = bytes.fromhex("e8eedd7b37391b0e")
PERMIT = bytes.fromhex("dbc3baaec5e853a0")
AIRSPACE = bytes.fromhex("0e9a6826fa6d2d65")
AIRSPACE_PERMIT = bytes.fromhex("f4e92ce57057c858")
LIQUIDATION = bytes.fromhex("330326af5d90ffac")
REGISTRY = bytes.fromhex("715d6ac964a69262")


def position_bytes(one: gm.AccountPosition) -> bytes:
    """One slot of 192 bytes."""
    data = bytes(one.token) + bytes(one.address) + bytes(one.adapter) + one.value.to_bytes(16, "little", signed=True)
    data += struct.pack("<QQ", one.balance, one.balance_timestamp.value)
    data += struct.pack("<qQiB3x", one.price.value, one.price.timestamp.value, one.price.exponent, one.price.is_valid)
    data += struct.pack("<IhHQ", one.kind, one.exponent, one.value_modifier, one.max_staleness)
    data += struct.pack("<BBH20x", one.required | one.past_due << 1, one.is_token_2022, one.token_features)
    assert len(data) == 192
    return data


def margin_account_bytes(state: gm.MarginAccountState) -> bytes:
    """A margin account of 7 544 bytes, its map sorted by mint as the program keeps it."""
    data = MARGIN_ACCOUNT + struct.pack(
        "<BBHBBH", state.version, state.bump, state.seed, state.invocation, state.constraints, state.features
    )
    data += bytes(state.owner) + bytes(state.airspace) + bytes(state.liquidator or Pubkey.default())
    data += len(state.positions).to_bytes(8, "little")
    entries = sorted((bytes(one.token), one.slot) for one in state.positions)
    data += b"".join(mint + slot.to_bytes(8, "little") for mint, slot in entries).ljust(32 * 40, b"\0")
    slots = {one.slot: position_bytes(one) for one in state.positions}
    data += b"".join(slots.get(slot, bytes(192)) for slot in range(32))
    assert len(data) == 7544
    return data


def position(  # a fresh collateral of 1 token at 1 dollar, unless told otherwise
    slot: int = 0,
    *,
    kind: gm.PositionKind = gm.PositionKind.COLLATERAL,
    balance: int = 10**9,
    price: int = 10**8,
    modifier: int = 100,
    max_staleness: int = 0,
    at: UnixTime = NOW,
    past_due: bool = False,
) -> gm.AccountPosition:
    """A position of 9 decimals whose price has 8, both refreshed at ``at``."""
    blank = gm.AccountPosition(
        slot=slot,
        token=key(100 + slot),
        address=key(200 + slot),
        adapter=Pubkey.default(),
        value=0,
        balance=balance,
        balance_timestamp=at,
        price=gm.INVALID_PRICE,
        kind=kind,
        exponent=-9,
        value_modifier=modifier,
        max_staleness=max_staleness,
        required=False,
        past_due=past_due,
        is_token_2022=False,
        token_features=0,
    )
    return gm.revalued(blank, gm.PositionPrice(price, at, -8, is_valid=True), balance, at)


def margin_account(positions: Sequence[gm.AccountPosition] = ()) -> gm.MarginAccountState:
    """An account of ``key(1)`` in the airspace ``key(2)``; the positions get slots in their order."""
    return gm.MarginAccountState(
        bump=254,
        seed=7,
        invocation=0,
        constraints=gm.Constraint(0),
        features=gm.AccountFeature(0),
        owner=key(1),
        airspace=key(2),
        liquidator=None,
        positions=tuple(replace(one, slot=slot) for slot, one in enumerate(positions)),
    )


def admin_bytes(admin: gm.TokenAdmin) -> bytes:
    match admin:
        case gm.AdapterAdmin(program):
            return b"\1" + bytes(program)
        case gm.OracleAdmin(b"", b""):
            return b"\0\0"
        case gm.OracleAdmin(feed, b""):
            return b"\0\1" + feed
        case gm.OracleAdmin(feed, quote):
            return b"\0\2" + feed + quote
        case gm.UnknownAdmin(tag, oracle):
            return bytes([tag]) if oracle is None else bytes([tag, oracle])


def token_config_bytes(
    admin: gm.TokenAdmin, *, kind: int = 0, modifier: int = 95, staleness: int = 30, features: int = 4
) -> bytes:
    """A TokenConfig of the mint ``key(100)`` in the airspace ``key(2)``; ``kind`` as stored (0 collateral)."""
    keys = b"".join(bytes(key(n)) for n in (100, 4, 5, 6, 2))
    head = TOKEN_CONFIG + keys + struct.pack("<BHQ", kind, modifier, staleness)
    return head + admin_bytes(admin) + struct.pack("<HB", features, 2) + bytes(64)


def liquidation_data_bytes(*, collecting: bool = False, fees: Sequence[tuple[Pubkey, int]] = ()) -> bytes:
    """Equity loss -1, limit 2, change -3, collateral limit 4 (raw), begun at 5."""
    numbers = b"".join(value.to_bytes(16, "little", signed=True) for value in (-1, 2, -3, 4))
    earned = b"".join(bytes(mint) + amount.to_bytes(8, "little") for mint, amount in fees)
    return numbers + struct.pack("<qB7x", 5, collecting) + earned.ljust(6 * 40, b"\0")


def liquidation_bytes(*, collecting: bool = False, fees: Sequence[tuple[Pubkey, int]] = ()) -> bytes:
    head = LIQUIDATION + bytes(key(1)) + bytes(key(2))
    return head + liquidation_data_bytes(collecting=collecting, fees=fees)


def registry_bytes(entries: Sequence[tuple[int, Pubkey]]) -> bytes:
    head = REGISTRY + bytes(key(1)) + struct.pack("<BBBB4xQI", 0, 255, len(entries), len(entries), 77, len(entries))
    return head + b"".join(struct.pack("<Q", mark) + bytes(table) for mark, table in entries)
