"""How the margin program reads Pyth price accounts (shared facts, protocol.md 3.6 and 5.1).

A wrong owner, feed, verification level or age reverts the instruction; a bad confidence is left to the position.
"""

from __future__ import annotations

from keeper.sim.localnet.interface import AccountView
from keeper.sim.localnet.programs.glow_margin_config import NoOracle, Oracle, PythPull
from keeper.sim.localnet.programs.glow_margin_errors import MarginError
from keeper.sim.localnet.programs.glow_margin_health import PriceChange
from keeper.sim.localnet.programs.glow_margin_number import as_u64, checked, from_decimal, multiply
from keeper.sim.localnet.programs.pyth_feed import RECEIVERS, PriceUpdate

_I64_MAX = 2**63 - 1


def price_of(oracle: Oracle | None, price: AccountView, quote: AccountView | None, now: int) -> PriceChange:
    """What ``oracle`` says at ``now`` (unix seconds) by its accounts.

    Raises InvalidOracle (no oracle, a missing quote account, a foreign owner) and the SDK's PriceTooOld, MismatchedFeedId and
    InsufficientVerificationLevel.
    """
    if oracle is None or isinstance(oracle, NoOracle):
        raise MarginError.INVALID_ORACLE.error("the token has no oracle in the margin program")
    if isinstance(oracle, PythPull):
        return _read(price, oracle.feed_id, now)
    if quote is None:
        raise MarginError.INVALID_ORACLE.error("a redemption rate needs its quote account")
    return _redemption(_read(price, oracle.feed_id, now), _read(quote, oracle.quote_feed_id, now))


def _read(account: AccountView, feed_id: bytes, now: int) -> PriceChange:
    if account.owner not in RECEIVERS:
        raise MarginError.INVALID_ORACLE.error(f"{account.key} is owned by {account.owner}")
    update = PriceUpdate.decode(account.data)
    update.require_usable(feed_id, now)
    return PriceChange(update.price, update.conf, update.ema_price, update.publish_time, update.exponent)


def _redemption(rate: PriceChange, quote: PriceChange) -> PriceChange:
    """Rate times quote in the rate's exponent, truncating. A negative product is a panic, as the program's conversion is."""
    quote_price = from_decimal(quote.value, quote.exponent)
    value = as_u64(multiply(from_decimal(rate.value, rate.exponent), quote_price), rate.exponent)
    ema = as_u64(
        multiply(from_decimal(rate.ema, rate.exponent), from_decimal(quote.ema, quote.exponent)), rate.exponent
    )
    if max(value, ema) > _I64_MAX:
        raise MarginError.MATH_OP_FAILED.error("a redemption price does not fit an i64")
    spread = multiply(from_decimal(rate.confidence, rate.exponent), quote_price)
    confidence = as_u64(checked(spread + from_decimal(quote.confidence, quote.exponent)), rate.exponent)
    return PriceChange(value, confidence, ema, min(rate.publish_time, quote.publish_time), rate.exponent)
