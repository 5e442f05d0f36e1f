"""Pyth's price accounts: PriceUpdateV2 as the receiver writes it.

Layout: pyth-crosschain ``price_update.rs`` (shared facts, protocol.md 5.1).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from solders.pubkey import Pubkey

from keeper.protocols.addresses import PYTH_PUSH_ORACLE, PYTH_RECEIVER, PYTH_RECEIVER_UPGRADED, SYSTEM
from keeper.sim.localnet.programs.anchor import AnchorError, account_discriminator
from keeper.sim.localnet.programs.borsh import u16
from keeper.sim.localnet.programs.glow_margin_errors import PriceError

PRICE_UPDATE_SIZE = 134
_MESSAGE = struct.Struct("<32sqQiqqqQQ")
PRICE_UPDATE = account_discriminator("PriceUpdateV2")
RECEIVERS = frozenset({PYTH_RECEIVER, PYTH_RECEIVER_UPGRADED})
"""Programs that price accounts may belong to."""
MAX_AGE = 60
"""Seconds after its publication in which a price may be used."""


@dataclass(frozen=True, slots=True)
class PriceUpdate:
    """One feed's last price: ``price`` x 10^``exponent``. ``signatures``: None for a full verification, else their number."""

    feed_id: bytes
    price: int
    conf: int
    exponent: int
    publish_time: int
    prev_publish_time: int
    ema_price: int
    ema_conf: int
    posted_slot: int
    write_authority: Pubkey = SYSTEM
    signatures: int | None = None

    @classmethod
    def decode(cls, data: bytes) -> PriceUpdate:
        """Raises Anchor's 3002 or 3003 for bytes that are no price update."""
        if data[:8] != PRICE_UPDATE:
            raise AnchorError.ACCOUNT_DISCRIMINATOR_MISMATCH.error("price update")
        full = data[40:41] == b"\x01"
        start = 41 if full else 42
        if len(data) < start + _MESSAGE.size or data[40] > 1:
            raise AnchorError.ACCOUNT_DID_NOT_DESERIALIZE.error("price update")
        feed, price, conf, exponent, published, previous, ema, ema_conf, slot = _MESSAGE.unpack_from(data, start)
        signatures, authority = None if full else data[41], Pubkey(data[8:40])
        return cls(feed, price, conf, exponent, published, previous, ema, ema_conf, slot, authority, signatures)

    def encode(self) -> bytes:
        level = b"\x01" if self.signatures is None else bytes((0, self.signatures))
        message = _MESSAGE.pack(
            self.feed_id,
            self.price,
            self.conf,
            self.exponent,
            self.publish_time,
            self.prev_publish_time,
            self.ema_price,
            self.ema_conf,
            self.posted_slot,
        )
        return (PRICE_UPDATE + bytes(self.write_authority) + level + message).ljust(PRICE_UPDATE_SIZE, b"\0")

    def require_usable(self, feed_id: bytes, now: int) -> None:
        """What the receiver's SDK demands before it hands out a price: full verification, the feed, at most 60 s old.

        Raises its ``PriceError``.
        """
        if self.signatures is not None:
            raise PriceError.INSUFFICIENT_VERIFICATION_LEVEL.error(f"{self.signatures} signatures")
        if self.feed_id != feed_id:
            raise PriceError.MISMATCHED_FEED_ID.error(f"feed {self.feed_id.hex()}")
        if self.publish_time + MAX_AGE < now:
            raise PriceError.PRICE_TOO_OLD.error(f"published {now - self.publish_time} s ago")


def push_feed_address(feed_id: bytes, shard: int = 0) -> Pubkey:
    """The push oracle's account of a feed (classic push program)."""
    return Pubkey.find_program_address([u16(shard), feed_id], PYTH_PUSH_ORACLE)[0]
