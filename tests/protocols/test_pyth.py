"""Price updates: which ones the lending programs accept, and the price that two of them make."""

from decimal import ROUND_DOWN, ROUND_FLOOR, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.protocols import pyth
from keeper.protocols.addresses import PYTH_RECEIVER, PYTH_RECEIVER_UPGRADED, SOL_USD_FEED
from keeper.protocols.layout import LayoutError
from keeper.protocols.pyth import PriceUpdate, Rounding, decode_price_update, problem, redemption_price, usable
from keeper.units import UnixTime
from tests.protocols.pool_bytes import FEED, NOW, QUOTE_FEED, an_update, price_bytes

AT = UnixTime(NOW)


@given(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 2**64 - 1),
    st.integers(-(2**31), 2**31 - 1),
    st.none() | st.integers(0, 255),
)
def test_an_update_is_read_as_it_was_written(price: int, conf: int, exponent: int, signatures: int | None) -> None:
    update = an_update(price, conf=conf, exponent=exponent, signatures=signatures, ema_price=-price // 2, ema_conf=conf)
    assert decode_price_update(price_bytes(update)) == update


def test_either_receiver_by_configuration() -> None:
    data = price_bytes(an_update())
    both = frozenset({PYTH_RECEIVER, PYTH_RECEIVER_UPGRADED})
    for owner in both:
        assert decode_price_update(data, owner=owner, owners=both) == an_update()
    with pytest.raises(LayoutError, match=f"should be {PYTH_RECEIVER}, but is {PYTH_RECEIVER_UPGRADED}"):
        decode_price_update(data, owner=PYTH_RECEIVER_UPGRADED, owners=frozenset({PYTH_RECEIVER}))


@pytest.mark.parametrize(
    ("update", "seconds", "named"),
    [
        (an_update(), 0, ""),
        (an_update(), 60, ""),
        (an_update(), -10, ""),
        (an_update(), 61, "oracle_stale"),
        (an_update(signatures=5), 0, "oracle_partial"),
        (an_update(feed_id=QUOTE_FEED), 0, "oracle_foreign"),
        (an_update(0), 0, "price_not_positive"),
        (an_update(-1), 0, "price_not_positive"),
        (an_update(100, conf=5, ema_price=100), 0, ""),
        (an_update(100, conf=6, ema_price=100), 0, "oracle_unsure"),
        (an_update(100, conf=5, ema_price=99), 0, "oracle_unsure"),
        (an_update(100, conf=0, ema_price=0), 0, "oracle_unsure"),
        (an_update(100, conf=0, ema_price=-5), 0, "oracle_unsure"),
        (an_update(exponent=1), 0, "oracle_unsure"),
        (an_update(exponent=-16), 0, "oracle_unsure"),
        (an_update(exponent=-15), 0, ""),
    ],
)
def test_why_an_update_is_not_used(update: PriceUpdate, seconds: int, named: str) -> None:
    assert problem(update, UnixTime(NOW + seconds), feed_id=FEED) == named
    assert usable(update, UnixTime(NOW + seconds), feed_id=FEED) == (not named)


def test_the_feed_is_only_compared_when_it_is_named() -> None:
    assert problem(an_update(feed_id=QUOTE_FEED), AT) == ""


def test_a_feed_id_has_thirty_two_bytes() -> None:
    with pytest.raises(ValueError, match="32 bytes, got 31"):
        pyth.push_feed_address(SOL_USD_FEED[:31])
    assert pyth.push_feed_address(SOL_USD_FEED, shard=1) != pyth.push_feed_address(SOL_USD_FEED)


def test_a_redemption_price_of_both_programs() -> None:
    """1.00000003 x 150.00000019 = 150.00000469000000...: margin cuts what the pool rounds."""
    rate, quote = an_update(100_000_003, conf=1), an_update(15_000_000_019, conf=2, publish_time=UnixTime(NOW - 7))
    margin, pool = redemption_price(rate, quote), redemption_price(rate, quote, rounding=Rounding.NEAREST)
    assert (margin.price, pool.price) == (15_000_000_469, 15_000_000_469)
    odd = an_update(100_000_001, conf=0)
    margin, pool = redemption_price(odd, quote), redemption_price(odd, quote, rounding=Rounding.NEAREST)
    assert (margin.price, pool.price) == (15_000_000_169, 15_000_000_169)
    half = an_update(150_000_000, conf=0)
    third = an_update(1, conf=1, ema_price=1)
    margin, pool = redemption_price(half, third), redemption_price(half, third, rounding=Rounding.NEAREST)
    assert (margin.price, margin.conf, margin.ema) == (1, 1, 1)
    assert (pool.price, pool.conf, pool.ema) == (2, 1, 2)
    assert redemption_price(rate, quote).publish_time == UnixTime(NOW - 7)
    assert redemption_price(quote, rate).publish_time == UnixTime(NOW - 7)


@given(
    st.integers(1, 10**12),
    st.integers(0, 10**9),
    st.integers(1, 10**12),
    st.integers(0, 10**9),
    st.integers(-10, -5),
    st.integers(-10, -5),
)
def test_a_redemption_price_by_decimals(
    rate: int, rate_conf: int, quote: int, quote_conf: int, rate_exponent: int, quote_exponent: int
) -> None:
    """Both programs' fixed points evaluated by decimals, with exponents that neither of them has to cut."""
    left = an_update(rate, conf=rate_conf, exponent=rate_exponent)
    right = an_update(quote, conf=quote_conf, exponent=quote_exponent)
    with localcontext() as context:
        context.prec = 80
        a, b = Decimal(rate).scaleb(rate_exponent), Decimal(quote).scaleb(quote_exponent)
        a_conf, b_conf = Decimal(rate_conf).scaleb(rate_exponent), Decimal(quote_conf).scaleb(quote_exponent)
        for rounding, places in ((Rounding.TRUNCATE, 10), (Rounding.NEAREST, 15)):
            grain, unit = Decimal(1).scaleb(-places), Decimal(1).scaleb(rate_exponent)
            product = (a * b).quantize(grain, rounding=ROUND_FLOOR)
            doubt = (a_conf * b).quantize(grain, rounding=ROUND_FLOOR) + b_conf
            half = unit / 2 if rounding is Rounding.NEAREST else Decimal(0)
            made = redemption_price(left, right, rounding=rounding)
            assert made.price == int(((product + half) / unit).to_integral_value(rounding=ROUND_DOWN))
            assert made.conf == int(((doubt + half) / unit).to_integral_value(rounding=ROUND_DOWN))


@given(st.integers(-(10**15), 10**15), st.integers(-(10**15), 10**15), st.integers(-20, 3), st.integers(-20, 3))
def test_no_pair_of_updates_crashes_a_price(rate: int, quote: int, rate_exponent: int, quote_exponent: int) -> None:
    made = redemption_price(an_update(rate, exponent=rate_exponent), an_update(quote, exponent=quote_exponent))
    assert made.problem(AT) in {"", "price_not_positive", "oracle_unsure"}
    if rate * quote <= 0:
        assert made.problem(AT)


@pytest.mark.parametrize(
    ("price", "seconds", "named"),
    [
        (pyth.TokenPrice(100, 5, 100, -8, AT), 60, ""),
        (pyth.TokenPrice(100, 5, 100, -8, AT), 61, "oracle_stale"),
        (pyth.TokenPrice(100, 6, 100, -8, AT), 0, "oracle_unsure"),
        (pyth.TokenPrice(100, 0, 0, -8, AT), 0, "oracle_unsure"),
        (pyth.TokenPrice(0, 0, 1, -8, AT), 0, "price_not_positive"),
    ],
)
def test_why_margin_stores_a_price_as_invalid(price: pyth.TokenPrice, seconds: int, named: str) -> None:
    assert price.problem(UnixTime(NOW + seconds)) == named


def test_a_plain_feed_is_taken_as_it_is() -> None:
    update = an_update(123, conf=4, ema_price=120)
    assert pyth.token_price(update) == pyth.TokenPrice(123, 4, 120, -8, AT)
