"""Accounts and events of the pool program from bytes: the right fields, and nothing but LayoutError for wrong ones."""

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.protocols import pyth
from keeper.protocols.addresses import GLOW_MARGIN_POOL, GLOW_METADATA, PYTH_RECEIVER, SPL_TOKEN, TOKEN_2022
from keeper.protocols.glow_margin_pool import (
    MarginPoolState,
    PoolFlags,
    PoolSummary,
    PythPull,
    PythPullRedemption,
    TokenKind,
    UnknownOracle,
    decode_event,
    decode_margin_pool,
    decode_position_metadata,
    decode_token_metadata,
    events,
)
from keeper.protocols.layout import LayoutError
from keeper.units import UnixTime
from tests.protocols.account_bytes import key
from tests.protocols.pool_bytes import FEED, QUOTE_FEED, a_pool, an_update, disc, pool_bytes, pools, price_bytes

METADATA = (
    disc("account", "PositionTokenMetadata")
    + b"".join(bytes(key(number)) for number in range(1, 5))
    + bytes(TOKEN_2022)
    + struct.pack("<BHQHB", 2, 400, 30, 4, 2)
    + bytes(64)
)
TOKEN_METADATA = disc("account", "TokenMetadata") + bytes(key(1)) + bytes(key(2)) + b"\1" + FEED
SUMMARY = struct.pack("<QQQQQq", 1, 2, 3, 4, 5, 6)
FOUR_KEYS = b"".join(bytes(key(number)) for number in range(1, 5))
EVENTS = {
    "Deposit": FOUR_KEYS + struct.pack("<QQ", 7, 8) + SUMMARY,
    "Withdraw": FOUR_KEYS + struct.pack("<QQ", 7, 8) + SUMMARY,
    "MarginBorrow": FOUR_KEYS + struct.pack("<QQQ", 7, 8, 9) + SUMMARY,
    "MarginRepay": FOUR_KEYS + struct.pack("<QQQ", 7, 8, 9) + SUMMARY,
    "Repay": FOUR_KEYS + struct.pack("<QQ", 7, 8) + SUMMARY,
    "Collect": bytes(key(1)) + struct.pack("<QQQQ", 7, 8, 9, 10) + SUMMARY,
}
Decoder = Callable[[bytes], object]
GOOD: dict[str, tuple[Decoder, bytes]] = {
    "pool": (decode_margin_pool, pool_bytes(a_pool(), b"\2" + FEED + QUOTE_FEED)),
    "position metadata": (decode_position_metadata, METADATA),
    "token metadata": (decode_token_metadata, TOKEN_METADATA),
    "price update": (pyth.decode_price_update, price_bytes(an_update())),
    "partial price update": (pyth.decode_price_update, price_bytes(an_update(signatures=5))),
    **{f"event {name}": (decode_event, disc("event", name) + body) for name, body in EVENTS.items()},
}


@given(pools())
def test_a_pool_is_read_as_it_was_written(pool: MarginPoolState) -> None:
    assert decode_margin_pool(pool_bytes(pool), owner=GLOW_MARGIN_POOL) == pool


def test_the_oracle_of_a_pool() -> None:
    assert decode_margin_pool(pool_bytes(a_pool(), b"\1" + FEED)).oracle == PythPull(FEED)
    both = b"\2" + FEED + QUOTE_FEED + bytes(7)
    assert decode_margin_pool(pool_bytes(a_pool(), both)).oracle == PythPullRedemption(FEED, QUOTE_FEED)
    assert decode_margin_pool(pool_bytes(a_pool(), b"\x09")).oracle == UnknownOracle(9)


def test_switches_of_a_pool() -> None:
    data = bytearray(pool_bytes(a_pool()))
    seen = []
    for flags in range(4):
        data[234] = flags
        config = decode_margin_pool(bytes(data)).config
        seen.append((config.disabled, config.lends))
    assert seen == [(False, False), (True, False), (False, True), (True, False)]
    data[241] = 0x80
    assert PoolFlags.DISABLED in decode_margin_pool(bytes(data)).config.flags


def test_metadata_of_a_note() -> None:
    metadata = decode_position_metadata(METADATA, owner=GLOW_METADATA)
    assert (metadata.airspace, metadata.adapter_program) == (key(1), key(4))
    assert (metadata.token_kind, metadata.value_modifier, metadata.max_staleness) == (TokenKind.CLAIM, 400, 30)
    assert (metadata.token_features, metadata.version, metadata.token_program) == (4, 2, TOKEN_2022)
    with pytest.raises(LayoutError, match="token_kind"):
        decode_position_metadata(METADATA[:168] + b"\4" + METADATA[169:])


def test_metadata_of_a_token() -> None:
    metadata = decode_token_metadata(TOKEN_METADATA, owner=GLOW_METADATA)
    assert (metadata.airspace, metadata.token_mint, metadata.oracle) == (key(1), key(2), PythPull(FEED))


def test_events_are_told_apart() -> None:
    summary = PoolSummary(1, 2, 3, 4, 5, UnixTime(6))
    keys = (key(1), key(2), key(3), key(4))
    read = {name: decode_event(disc("event", name) + body) for name, body in EVENTS.items()}
    assert read == {
        "Deposit": events.DepositEvent(*keys, 7, 8, summary),
        "Withdraw": events.WithdrawEvent(*keys, 7, 8, summary),
        "MarginBorrow": events.MarginBorrowEvent(*keys, 7, 8, 9, summary),
        "MarginRepay": events.MarginRepayEvent(*keys, 7, 8, 9, summary),
        "Repay": events.RepayEvent(*keys, 7, 8, summary),
        "Collect": events.CollectEvent(key(1), 7, 8, 9, 10, summary),
    }
    assert decode_event(disc("event", "SomethingElse") + bytes(50)) is None
    assert decode_event(b"") is None


@pytest.mark.parametrize(
    ("decode", "data", "owner", "named"),
    [
        (decode_margin_pool, pool_bytes(a_pool()), SPL_TOKEN, "owner"),
        (decode_margin_pool, bytes(8) + pool_bytes(a_pool())[8:], None, "discriminator"),
        (decode_margin_pool, pool_bytes(a_pool())[:8] + b"\1" + pool_bytes(a_pool())[9:], None, "version"),
        (decode_position_metadata, METADATA, GLOW_MARGIN_POOL, "owner"),
        (decode_token_metadata, TOKEN_METADATA, GLOW_MARGIN_POOL, "owner"),
        (pyth.decode_price_update, price_bytes(an_update()), SPL_TOKEN, "owner"),
        (
            pyth.decode_price_update,
            price_bytes(an_update())[:40] + b"\2" + bytes(93),
            PYTH_RECEIVER,
            "verification_level",
        ),
    ],
)
def test_foreign_accounts_are_named(decode: Callable[..., object], data: bytes, owner: object, named: str) -> None:
    with pytest.raises(LayoutError) as caught:
        decode(data, owner=owner)
    assert caught.value.field.startswith(named)


def _survives(decode: Decoder, data: bytes) -> None:
    try:
        decode(data)
    except LayoutError as error:
        assert error.field
        assert error.account


@pytest.mark.parametrize("name", GOOD)
def test_every_truncation_is_a_layout_error(name: str) -> None:
    decode, good = GOOD[name]
    assert decode(good) is not None
    for end in range(8, len(good) - 64 if name == "position metadata" else len(good) - 1):
        with pytest.raises(LayoutError):
            decode(good[:end])


@given(st.sampled_from(sorted(GOOD)), st.binary(max_size=500))
def test_random_bytes(name: str, tail: bytes) -> None:
    decode, good = GOOD[name]
    _survives(decode, tail)
    _survives(decode, good[:8] + tail)


@given(st.sampled_from(sorted(GOOD)), st.data())
def test_damaged_bytes(name: str, draw: st.DataObject) -> None:
    decode, good = GOOD[name]
    data = bytearray(good)
    for _ in range(draw.draw(st.integers(1, 6))):
        data[draw.draw(st.integers(8, len(data) - 1))] = draw.draw(st.integers(0, 255))
    _survives(decode, bytes(data[: draw.draw(st.integers(0, len(data)) | st.just(len(data)))]))
