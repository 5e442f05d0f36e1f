"""Pools, note metadata and price updates for the tests, written field by field from the published layouts."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import replace

from hypothesis import strategies as st
from solders.pubkey import Pubkey

from keeper.protocols.glow_margin_pool import MarginPoolState, NoOracle, PoolConfig, PoolFlags
from keeper.protocols.lending import LendingPool, PriceFeed
from keeper.protocols.pyth import PriceUpdate
from keeper.units import SOL, UnixTime
from tests.protocols.account_bytes import key

ONE = 10**15
NOW = 1_790_000_000
DOCS = PoolConfig(
    flags=PoolFlags.ALLOW_LENDING,
    utilization_rate_1=8_500,
    utilization_rate_2=9_500,
    borrow_rate_0=100,
    borrow_rate_1=1_500,
    borrow_rate_2=15_000,
    borrow_rate_3=20_000,
    management_fee_rate=2_000,
    deposit_limit=2**63,
    borrow_limit=2**63,
)
"""The first row of the facts' table 4.6."""
FEED, QUOTE_FEED = bytes(range(32)), bytes(range(32, 64))
POOL = LendingPool(
    address=key(1),
    mint=SOL,
    token_program=key(2),
    vault=key(3),
    deposit_note_mint=key(4),
    loan_note_mint=key(5),
    fee_destination=key(6),
    deposit_metadata=key(7),
    deposit_config=key(8),
    loan_config=key(9),
    feed=PriceFeed(key(10), FEED),
    notes_count=True,
)


def disc(kind: str, name: str) -> bytes:
    return hashlib.sha256(f"{kind}:{name}".encode()).digest()[:8]


def pool_bytes(state: MarginPoolState, oracle: bytes = b"\0") -> bytes:
    """A pool account in the order of the facts' table 4.2."""
    config = state.config
    return b"".join(
        (
            disc("account", "MarginPool"),
            bytes([0, state.bump]),
            bytes(state.airspace),
            bytes(state.vault),
            bytes(state.fee_destination),
            bytes(state.deposit_note_mint),
            bytes(state.loan_note_mint),
            bytes(state.token_mint),
            bytes(state.address),
            struct.pack(
                "<Q7HQQQ",
                config.flags,
                config.utilization_rate_1,
                config.utilization_rate_2,
                config.borrow_rate_0,
                config.borrow_rate_1,
                config.borrow_rate_2,
                config.borrow_rate_3,
                config.management_fee_rate,
                config.deposit_limit,
                config.borrow_limit,
                0,
            ),
            state.borrowed.to_bytes(24, "little"),
            state.uncollected_fees.to_bytes(24, "little"),
            struct.pack(
                "<QQQq", state.deposit_tokens, state.deposit_notes, state.loan_notes, state.accrued_until.value
            ),
            oracle,
        )
    )


def price_bytes(update: PriceUpdate) -> bytes:
    level = b"\1" if update.signatures is None else bytes([0, update.signatures])
    body = struct.pack(
        "<qQiqqqQQ",
        update.price,
        update.conf,
        update.exponent,
        update.publish_time.value,
        update.prev_publish_time.value,
        update.ema_price,
        update.ema_conf,
        update.posted_slot,
    )
    data = disc("account", "PriceUpdateV2") + bytes(update.write_authority) + level + update.feed_id + body
    return data.ljust(134, b"\0")


def a_pool(
    *,
    config: PoolConfig = DOCS,
    borrowed: int = 0,
    fees: int = 0,
    idle: int = 0,
    deposit_notes: int = 0,
    loan_notes: int = 0,
) -> MarginPoolState:
    """``borrowed`` and ``fees`` raw, the rest base units; accrued until ``NOW``."""
    return MarginPoolState(
        address=key(1),
        airspace=key(11),
        token_mint=Pubkey.from_string(SOL.address),
        vault=key(3),
        fee_destination=key(6),
        deposit_note_mint=key(4),
        loan_note_mint=key(5),
        bump=254,
        config=config,
        borrowed=borrowed,
        uncollected_fees=fees,
        deposit_tokens=idle,
        deposit_notes=deposit_notes,
        loan_notes=loan_notes,
        accrued_until=UnixTime(NOW),
        oracle=NoOracle(),
    )


def an_update(price: int = 15_000_000_000, **changes: object) -> PriceUpdate:
    """A fully verified update published at ``NOW``, at most a little unsure."""
    update = PriceUpdate(
        write_authority=key(20),
        signatures=None,
        feed_id=FEED,
        price=price,
        conf=abs(price) // 1_000,
        exponent=-8,
        publish_time=UnixTime(NOW),
        prev_publish_time=UnixTime(NOW - 1),
        ema_price=price,
        ema_conf=abs(price) // 1_000,
        posted_slot=7,
    )
    return replace(update, **changes)  # type: ignore[arg-type]  # tests name fields of their own choice


@st.composite
def configs(draw: st.DrawFn) -> PoolConfig:
    """Curves that rise, with corners inside (0, 1), as governance sets them."""
    first = draw(st.integers(1, 9_998))
    second = draw(st.integers(first + 1, 9_999))
    rates = sorted(draw(st.lists(st.integers(0, 20_000), min_size=4, max_size=4)))
    return PoolConfig(
        flags=PoolFlags.ALLOW_LENDING,
        utilization_rate_1=first,
        utilization_rate_2=second,
        borrow_rate_0=rates[0],
        borrow_rate_1=rates[1],
        borrow_rate_2=rates[2],
        borrow_rate_3=rates[3],
        management_fee_rate=draw(st.integers(0, 10_000)),
        deposit_limit=draw(st.integers(0, 2**63)),
        borrow_limit=draw(st.integers(0, 2**63)),
    )


AMOUNTS = st.integers(0, 10**17) | st.integers(0, 10**6) | st.integers(0, 20)


@st.composite
def pools(draw: st.DrawFn) -> MarginPoolState:
    """Pools of every size, down to dust, with note rates around and above one."""
    borrowed_units, idle = draw(AMOUNTS), draw(AMOUNTS)
    borrowed = borrowed_units * ONE + draw(st.integers(0, ONE - 1)) if borrowed_units else 0
    fees = borrowed * draw(st.integers(0, 100)) // 1_000

    def notes(worth: int) -> int:
        return max(1, worth * draw(st.integers(600, 1_010)) // 1_000) if worth else 0

    return a_pool(
        config=draw(configs()),
        borrowed=borrowed,
        fees=fees,
        idle=idle,
        deposit_notes=notes(borrowed // ONE + idle),
        loan_notes=notes(borrowed // ONE),
    )
