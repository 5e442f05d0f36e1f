"""Price updates of Pyth: the account, when the lending programs accept it, and prices made of two of them.

Layout and limits: shared facts, protocol.md 5.1, 5.2 and 3.6. Prices are integers with an exponent of ten (dollars per token,
or units of the quote per token for a redemption rate); times are Unix seconds. A bad update is a named value, not a crash.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from solders.pubkey import Pubkey

from keeper.protocols.addresses import PYTH_PUSH_ORACLE, PYTH_RECEIVER
from keeper.protocols.anchor import account_discriminator
from keeper.protocols.layout import Reader, require_owner
from keeper.units import Duration, UnixTime

PRICE_UPDATE_DISCRIMINATOR = account_discriminator("PriceUpdateV2")
FEED_ID_LENGTH = 32
PARTIAL, FULL = 0, 1
MAX_AGE = Duration(60)
MAX_CONFIDENCE_PERCENT = 5
MIN_EXPONENT = -15
"""The finest exponent that the pool's 15 decimals hold without loss."""


@dataclass(frozen=True, slots=True)
class PriceUpdate:
    """One price account. ``conf`` and ``ema_conf`` share the price's ``exponent``.

    ``signatures``: how many guardians signed a partially verified update; None when it is fully verified, which is the only
    kind that Glow accepts.
    """

    write_authority: Pubkey
    signatures: int | None
    feed_id: bytes
    price: int
    conf: int
    exponent: int
    publish_time: UnixTime
    prev_publish_time: UnixTime
    ema_price: int
    ema_conf: int
    posted_slot: int


def push_feed_address(feed_id: bytes, shard: int = 0, program: Pubkey = PYTH_PUSH_ORACLE) -> Pubkey:
    """PDA [shard u16, feed id] of the push-oracle ``program``; the account itself belongs to the receiver program.

    Raises ``ValueError`` for a feed id that is not 32 bytes.
    """
    if len(feed_id) != FEED_ID_LENGTH:
        raise ValueError(f"a feed id has {FEED_ID_LENGTH} bytes, got {len(feed_id)} ({feed_id.hex()})")
    return Pubkey.find_program_address([shard.to_bytes(2, "little"), feed_id], program)[0]


def decode_price_update(
    data: bytes, *, owner: Pubkey | None = None, owners: Collection[Pubkey] = (PYTH_RECEIVER,)
) -> PriceUpdate:
    """Decode a PriceUpdateV2, fully or partially verified. ``owner`` must be one of the configured receivers ``owners``.

    Raises ``LayoutError``: truncated, foreign owner or discriminator, unknown verification level.
    """
    require_owner("price update", owner, sorted(owners, key=str))
    read = Reader(data, "price update")
    read.discriminator(PRICE_UPDATE_DISCRIMINATOR)
    write_authority, level = read.pubkey("write_authority"), read.u8("verification_level")
    if level not in (PARTIAL, FULL):
        raise read.fail("verification_level", "0 (partial) or 1 (full)", str(level))
    return PriceUpdate(
        write_authority=write_authority,
        signatures=read.u8("num_signatures") if level == PARTIAL else None,
        feed_id=read.raw(FEED_ID_LENGTH, "feed_id"),
        price=read.i64("price"),
        conf=read.u64("conf"),
        exponent=read.i32("exponent"),
        publish_time=UnixTime(read.i64("publish_time")),
        prev_publish_time=UnixTime(read.i64("prev_publish_time")),
        ema_price=read.i64("ema_price"),
        ema_conf=read.u64("ema_conf"),
        posted_slot=read.u64("posted_slot"),
    )


def problem(update: PriceUpdate, now: UnixTime, *, feed_id: bytes | None = None, max_age: Duration = MAX_AGE) -> str:
    """Why the lending programs would not use ``update`` at ``now``; empty when they would.

    "oracle_partial": not fully verified. "oracle_foreign": another feed than ``feed_id``. "oracle_stale": published more than
    ``max_age`` before ``now``. "price_not_positive". "oracle_unsure": the average is not positive, the confidence is above 5 %
    of it, or the exponent is one that the programs cannot hold.
    """
    if update.signatures is not None:
        return "oracle_partial"
    if feed_id is not None and update.feed_id != feed_id:
        return "oracle_foreign"
    if now.elapsed(update.publish_time) > max_age:
        return "oracle_stale"
    if not MIN_EXPONENT <= update.exponent <= 0:
        return "oracle_unsure"
    return _value_problem(update.price, update.conf, update.ema_price)


def usable(update: PriceUpdate, now: UnixTime, *, feed_id: bytes | None = None) -> bool:
    """Whether a refresh at ``now`` gives a position a price that counts."""
    return not problem(update, now, feed_id=feed_id)


def _value_problem(price: int, conf: int, ema: int) -> str:
    if price <= 0:
        return "price_not_positive"
    return "oracle_unsure" if ema <= 0 or conf * 100 > ema * MAX_CONFIDENCE_PERCENT else ""


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """A price as it reaches a position: ``price``, ``conf`` and ``ema`` in units of 10^``exponent``."""

    price: int
    conf: int
    ema: int
    exponent: int
    publish_time: UnixTime

    def problem(self, now: UnixTime) -> str:
        """Why margin would store it as invalid at ``now`` ("oracle_stale", "price_not_positive", "oracle_unsure")."""
        if now.elapsed(self.publish_time) > MAX_AGE:
            return "oracle_stale"
        return _value_problem(self.price, self.conf, self.ema)


class Rounding(Enum):
    """Which program makes the price of two feeds: its fixed point's decimals, and how it rounds to the feed's exponent."""

    NEAREST = 15
    """The pool: 15 decimals, to the nearest, halves up."""
    TRUNCATE = 10
    """Margin: 10 decimals, toward zero."""


def token_price(update: PriceUpdate) -> TokenPrice:
    """The price of a plain feed, as it stands in the account."""
    return TokenPrice(update.price, update.conf, update.ema_price, update.exponent, update.publish_time)


def redemption_price(rate: PriceUpdate, quote: PriceUpdate, *, rounding: Rounding = Rounding.TRUNCATE) -> TokenPrice:
    """Redemption ``rate`` (quote per token) times ``quote`` (dollars), in units of the rate's exponent (protocol.md 3.6).

    price = rate x quote; conf = rate.conf x quote + quote.conf; ema = rate.ema x quote.ema; published when the older of both
    was. Each factor and product is first cut to the program's decimals, then rounded to the exponent.
    """
    decimals = rounding.value

    def fixed(value: int, exponent: int) -> int:
        places = decimals + exponent
        return value * _ten(places) if places >= 0 else _toward_zero(value, _ten(-places))

    def product(a: int, b: int) -> int:
        return _toward_zero(a * b, _ten(decimals))

    def back(value: int) -> int:
        places = decimals + rate.exponent
        if places <= 0:
            return value * _ten(-places)
        unit = _ten(places)
        return (value + unit // 2) // unit if rounding is Rounding.NEAREST else _toward_zero(value, unit)

    dollars = fixed(quote.price, quote.exponent)
    conf = product(fixed(rate.conf, rate.exponent), dollars) + fixed(quote.conf, quote.exponent)
    return TokenPrice(
        price=back(product(fixed(rate.price, rate.exponent), dollars)),
        conf=back(conf),
        ema=back(product(fixed(rate.ema_price, rate.exponent), fixed(quote.ema_price, quote.exponent))),
        exponent=rate.exponent,
        publish_time=min(rate.publish_time, quote.publish_time),
    )


def _ten(places: int) -> int:
    return int(10**places)


def _toward_zero(value: int, unit: int) -> int:
    return value // unit if value >= 0 else -(-value // unit)
