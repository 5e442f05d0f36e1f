"""Health of a margin account: the program's arithmetic against exact fractions, staleness, drift, prices, closed forms."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from keeper.protocols import glow_margin as gm
from keeper.protocols.glow_margin import number128
from keeper.protocols.pyth import TokenPrice
from keeper.units import BPS, Bps, UnitError, UnixTime
from tests.protocols.account_bytes import key
from tests.protocols.margin_bytes import NOW, margin_account, margin_account_bytes, position, token_config_bytes

ONE = 10**10
CLAIM = gm.PositionKind.CLAIM
WIDE = st.integers(-(10**24), 10**24)


def exact_quotient(dividend: int, divisor: int) -> int:
    return int(Fraction(dividend, divisor))  # int() cuts toward zero


@given(WIDE, WIDE)
@example(-1, 1)
@example(-15, 10**9)
def test_products_and_quotients_lose_their_fraction_toward_zero(left: int, right: int) -> None:
    if abs(left * right) < 2**127:
        assert number128.mul(left, right) == exact_quotient(left * right, ONE)
    if right and abs(left) < 10**24:
        assert number128.div(left, right) == exact_quotient(left * ONE, right)


@given(st.integers(-(2**64), 2**64), st.integers(-37, 5))
@example(-12345678901, -13)
def test_decimals(value: int, exponent: int) -> None:
    assert number128.from_decimal(value, exponent) == int(value * Fraction(10) ** (10 + exponent))


def test_numbers_as_published() -> None:
    assert number128.from_decimal(-12345678901, -13) == -12345678  # shown as -0.0012345678
    assert number128.from_decimal(1, 0) == ONE
    assert number128.from_bps(15_000) == 15 * 10**9
    assert number128.from_hundredths(95) == 95 * 10**8


@pytest.mark.parametrize(
    "panics",
    [
        lambda: number128.div(1, 0),
        lambda: number128.mul(2**100, 2**28),
        lambda: number128.div(2**100, 1),
        lambda: number128.from_decimal(1, 18),
        lambda: number128.from_decimal(1, -38),
        lambda: number128.from_decimal(2**64, 17),
        lambda: number128.checked(2**127),
    ],
)
def test_where_the_program_panics_there_is_a_named_error(panics: object) -> None:
    assert callable(panics)
    with pytest.raises(gm.NumberError):
        panics()


COLLATERAL = st.builds(
    position, balance=st.integers(1, 10**17), price=st.integers(1, 10**12), modifier=st.integers(0, 100)
)
CLAIMS = st.builds(
    position,
    kind=st.just(CLAIM),
    balance=st.integers(1, 10**17),
    price=st.integers(1, 10**12),
    modifier=st.integers(1, 10_000),
)


def exact_value(one: gm.AccountPosition) -> Fraction:
    return one.balance * Fraction(10) ** one.exponent * one.price.value * Fraction(10) ** one.price.exponent * ONE


@given(st.lists(COLLATERAL, max_size=6), st.lists(CLAIMS, max_size=4))
def test_totals_are_the_exact_ones_less_a_unit_for_each_truncation(
    collateral: list[gm.AccountPosition], claims: list[gm.AccountPosition]
) -> None:
    value = gm.valuation(margin_account([*collateral, *claims]), NOW)
    assets, debts = sum(map(exact_value, collateral)), sum(map(exact_value, claims))
    weighted = sum(exact_value(one) * one.value_modifier / 100 for one in collateral)
    required = sum(exact_value(one) * 100 / one.value_modifier for one in claims)
    assert 0 <= debts - value.liabilities <= len(claims)
    assert 0 <= weighted - value.weighted <= 2 * len(collateral)
    assert 0 <= required - value.required <= len(claims) + sum(Fraction(100, one.value_modifier) for one in claims)
    assert -len(claims) <= assets - debts - value.equity <= len(collateral)
    assert value.effective == value.weighted - value.liabilities
    assert value.available == value.effective - value.required
    assert value.healthy == (value.required <= value.effective) == (value.available >= 0)
    assert not value.stale
    assert not value.not_positive
    assert not value.past_due


@given(st.lists(COLLATERAL, max_size=6), st.lists(CLAIMS, max_size=4))
def test_the_health_level_is_the_formula_rounded_down(
    collateral: list[gm.AccountPosition], claims: list[gm.AccountPosition]
) -> None:
    value = gm.valuation(margin_account([*collateral, *claims]), NOW)
    level = gm.health_level(value).value
    if value.weighted and value.required + value.liabilities:
        exact = BPS * (1 - Fraction(value.required + value.liabilities, value.weighted))
        assert level <= exact < level + 1
        assert value.healthy == (exact >= 0)
    else:
        assert level == (0 if value.required + value.liabilities else BPS)


def test_without_debt_health_is_whole_and_without_collateral_none() -> None:
    assert gm.health_level(gm.valuation(margin_account(), NOW)) == Bps(BPS)
    assert gm.health_level(gm.valuation(margin_account([position()]), NOW)) == Bps(BPS)
    alone = gm.valuation(margin_account([position(kind=CLAIM, modifier=400)]), NOW)
    assert gm.health_level(alone) == Bps(0)
    assert not alone.healthy


def test_a_claim_without_leverage_can_never_be_carried() -> None:
    state = margin_account(
        [position(balance=10**18), position(kind=CLAIM, modifier=0), position(kind=CLAIM, modifier=400)]
    )
    value = gm.valuation(state, NOW)
    assert value.required == gm.INFINITE
    assert value.available == -gm.INFINITE
    assert not value.healthy
    assert gm.health_level(value).value < -(10**6)


@pytest.mark.parametrize("kind", list(gm.PositionKind))
@pytest.mark.parametrize(
    ("valid", "balance_age", "price_age", "reason"),
    [
        (True, 30, 30, None),
        (True, 31, 30, gm.StaleReason.OUTDATED_BALANCE),
        (True, 30, 31, gm.StaleReason.OUTDATED_PRICE),
        (True, 31, 31, gm.StaleReason.OUTDATED_BALANCE),
        (False, 31, 31, gm.StaleReason.INVALID_PRICE),
        (True, -5, -5, None),
    ],
)
def test_staleness_is_looked_for_in_the_programs_order(
    kind: gm.PositionKind, valid: bool, balance_age: int, price_age: int, reason: gm.StaleReason | None
) -> None:
    one = position(kind=kind, modifier=100, max_staleness=30)
    one = replace(
        one,
        balance_timestamp=NOW - balance_age,
        price=replace(one.price, timestamp=NOW - price_age, is_valid=valid),
    )
    state = margin_account([position(slot=1), one])
    if reason is None:
        value = gm.valuation(state, NOW)
        assert not value.stale
        assert value.equity == (0 if kind is CLAIM else 2 * ONE)
    elif kind is CLAIM:
        with pytest.raises(gm.ClaimStale, match=reason.value) as raised:
            gm.valuation(state, NOW)
        assert (raised.value.token, raised.value.reason) == (one.token, reason)
    else:
        value = gm.valuation(state, NOW)
        assert value.stale == (gm.StalePosition(one.token, reason),)
        assert (value.equity, value.weighted) == (ONE, ONE)


def test_a_balance_without_a_limit_never_ages_and_an_empty_position_never_matters() -> None:
    old = replace(position(), balance_timestamp=UnixTime(0))
    assert gm.valuation(margin_account([old]), NOW).weighted == ONE
    empty = replace(position(kind=CLAIM, modifier=0, past_due=True), balance=0, price=gm.INVALID_PRICE)
    value = gm.valuation(margin_account([empty]), NOW)
    assert (value.required, value.liabilities, value.past_due, value.healthy) == (0, 0, False, True)


def test_past_due_and_stale_decide_whether_it_may_be_liquidated() -> None:
    carried = [position(balance=10**12), position(kind=CLAIM, modifier=400, past_due=True)]
    value = gm.valuation(margin_account(carried), NOW)
    assert value.past_due
    assert value.healthy
    assert value.liquidatable
    stale = replace(position(), price=gm.INVALID_PRICE)
    assert not gm.valuation(margin_account([*carried, stale]), NOW).liquidatable
    assert not gm.valuation(margin_account([carried[0]]), NOW).liquidatable


def test_prices_that_are_not_positive_are_pointed_out() -> None:
    zero, negative = position(price=0), position(slot=1, price=-(10**8))
    value = gm.valuation(margin_account([zero, negative]), NOW)
    assert value.not_positive == (zero.token, negative.token)
    assert value.equity == value.weighted == -ONE
    owed = gm.valuation(margin_account([position(kind=CLAIM, price=-(10**8), modifier=400)]), NOW)
    assert (owed.liabilities, owed.required) == (-ONE, -ONE // 4)
    assert gm.health_level(owed) == Bps(BPS)


def _config(kind: int, modifier: int) -> gm.TokenConfig:
    return gm.decode_token_config(token_config_bytes(gm.OracleAdmin(), kind=kind, modifier=modifier))


@pytest.mark.parametrize(
    ("kind", "held", "configured_kind", "configured", "worst"),
    [
        (gm.PositionKind.COLLATERAL, 95, 0, 90, 90),
        (gm.PositionKind.COLLATERAL, 90, 0, 95, 90),
        (gm.PositionKind.COLLATERAL, 95, 1, 400, 0),
        (CLAIM, 400, 1, 300, 300),
        (CLAIM, 300, 1, 400, 300),
        (CLAIM, 400, 0, 95, 0),
        (gm.PositionKind.ADAPTER_COLLATERAL, 80, 2, 70, 70),
    ],
)
def test_pending_drift_counts_where_it_is_worse(
    kind: gm.PositionKind, held: int, configured_kind: int, configured: int, worst: int
) -> None:
    one = position(kind=kind, modifier=held)
    state = gm.worst_case(margin_account([one]), {one.token: _config(configured_kind, configured)})
    assert state.positions[0].value_modifier == worst
    assert gm.worst_case(margin_account([one]), {}) == margin_account([one])


@given(st.lists(COLLATERAL, max_size=4), st.lists(CLAIMS, max_size=3), st.data())
def test_the_worst_case_is_never_better(
    collateral: list[gm.AccountPosition], claims: list[gm.AccountPosition], draw: st.DataObject
) -> None:
    state = margin_account([*collateral, *claims])
    tokens = [replace(one, token=key(300 + one.slot)) for one in state.positions]
    state = replace(state, positions=tuple(tokens))
    configs = {
        one.token: _config(one.kind - 1, draw.draw(st.integers(1, 500))) for one in tokens if draw.draw(st.booleans())
    }
    now, then = gm.valuation(state, NOW), gm.valuation(gm.worst_case(state, configs), NOW)
    # Below zero the level is not ordered: without any collateral it is shown as zero.
    assert gm.health_level(then).value <= max(0, gm.health_level(now).value)
    assert now.healthy or not then.healthy
    assert (then.weighted, -then.required) <= (now.weighted, -now.required)
    assert gm.valuation_of(margin_account_bytes(state), configs, NOW) == then


def price(
    value: int = 10**8, *, conf: int = 0, ema: int = 10**8, exponent: int = -8, published: UnixTime = NOW
) -> TokenPrice:
    return TokenPrice(value, conf, ema, exponent, published)


@pytest.mark.parametrize(
    ("reported", "valid"),
    [
        (price(), True),
        (price(conf=5 * 10**6), True),
        (price(conf=5 * 10**6 + 1), False),
        (price(ema=0), False),
        (price(ema=1, exponent=-11), False),  # too small for ten decimals: it is zero
        (price(published=NOW - 60), True),
        (price(published=NOW - 61), False),
        (price(published=NOW + 1), True),
    ],
)
def test_which_prices_margin_stores(reported: TokenPrice, valid: bool) -> None:
    stored = gm.position_price(reported, NOW)
    assert stored == (gm.PositionPrice(10**8, NOW, reported.exponent, is_valid=True) if valid else gm.INVALID_PRICE)
    assert gm.price_is_usable(reported, NOW) == valid


def test_prices_that_the_program_would_take_but_we_do_not() -> None:
    for value in (0, -5):
        assert gm.position_price(price(value), NOW).is_valid
        assert not gm.price_is_usable(price(value), NOW)
    assert not gm.price_is_usable(price(exponent=99), NOW)
    with pytest.raises(gm.NumberError):
        gm.position_price(price(exponent=99), NOW)


LATER = UnixTime(NOW.value + 1000)


@given(st.integers(1, 10**12), st.integers(0, 10**15))
def test_a_refresh_in_memory_makes_the_account_fresh(dollars: int, balance: int) -> None:
    raw, lent = position(max_staleness=30), position(slot=1)
    debt = replace(position(kind=CLAIM, modifier=400), token=key(7))
    state = margin_account([raw, lent, debt])
    with pytest.raises(gm.ClaimStale):
        gm.valuation(state, LATER)
    fresh = price(dollars, ema=dollars, published=LATER)
    after = gm.priced(state, {raw.token: fresh, debt.token: fresh}, LATER, balances={raw.token: balance})
    assert after.positions[1] == state.positions[1]
    value = gm.valuation(after, LATER)
    assert value.weighted == balance * 10 * dollars * 100 // ONE == value.equity + value.liabilities
    assert value.liabilities == 10 * 10**9 * dollars * 100 // ONE
    # An empty position is not looked at, so only the untouched one is stale.
    assert [stale.token for stale in value.stale] == [lent.token]
    assert after.positions[0].balance_timestamp == after.positions[2].balance_timestamp == LATER


def test_one_refresh_leaves_the_other_half() -> None:
    one = position()
    priced = gm.revalued(one, price(2 * 10**8, published=LATER), None, LATER)
    assert (priced.value, priced.balance_timestamp, priced.price.timestamp) == (2 * ONE, NOW, LATER)
    counted = gm.revalued(one, None, 3 * 10**9, LATER)
    assert (counted.value, counted.balance_timestamp, counted.price.timestamp) == (3 * ONE, LATER, NOW)
    assert gm.revalued(one, None, None, LATER) is one
    rejected = gm.revalued(one, price(ema=0), None, LATER)
    assert (rejected.value, rejected.price) == (0, gm.INVALID_PRICE)


WEIGHTS, FACTORS = st.integers(50, 100), st.integers(100, 2_000)
LEVELS = st.integers(0, 9_000).map(Bps)


@given(LEVELS, WEIGHTS, FACTORS)
def test_leverage_and_health_are_inverse(health: Bps, weight: int, factor: int) -> None:
    try:
        leverage = gm.leverage_at(health, weight=weight, factor=factor)
    except UnitError:
        assert Fraction(weight * (BPS - health.value), 100 * BPS) >= 1 + Fraction(100, factor)
        return
    assert gm.health_at(leverage, weight=weight, factor=factor) == Fraction(health.value, BPS)


@given(LEVELS, WEIGHTS, FACTORS, st.integers(10**3, 10**15), st.integers(1, 10**15))
def test_a_repayment_reaches_the_level_and_not_a_unit_more(
    health: Bps, weight: int, factor: int, collateral: int, debt: int
) -> None:
    def level(owed: int) -> Fraction:
        return 1 - gm.fall_to_liquidation(collateral, owed, weight=weight, factor=factor)

    repaid = gm.repayment(collateral, debt, health, weight=weight, factor=factor)
    assert 0 <= repaid <= debt
    assert level(debt - repaid) >= Fraction(health.value, BPS)
    assert repaid == 0 or level(debt - repaid + 1) < Fraction(health.value, BPS)


@given(LEVELS, WEIGHTS, FACTORS, st.integers(10**3, 10**15), st.integers(1, 10**15), st.integers(5_000, 11_000))
def test_a_sale_reaches_the_level_and_not_a_unit_more(
    health: Bps, weight: int, factor: int, collateral: int, debt: int, bps: int
) -> None:
    received = Fraction(bps, BPS)

    def missing(sold: int) -> Fraction:
        k = 1 + Fraction(100, factor)
        return (debt - received * sold) * k - Fraction(weight * (BPS - health.value), 100 * BPS) * (collateral - sold)

    try:
        sold = gm.sale(collateral, debt, health, weight=weight, factor=factor, received=received)
    except UnitError:
        assert missing(collateral) > 0 or missing(1) >= missing(0)
        return
    assert missing(sold) <= 0
    assert sold == 0 or missing(sold - 1) > 0


def test_closed_forms_refuse_what_has_no_answer() -> None:
    with pytest.raises(UnitError, match="can never be carried"):
        gm.leverage_at(Bps(0), weight=95, factor=0)
    with pytest.raises(UnitError, match="never falls to"):
        gm.leverage_at(Bps(-5_000), weight=95, factor=400)
    with pytest.raises(UnitError, match="leverage of 1 or more"):
        gm.health_at(Fraction(1, 2), weight=95, factor=400)
    with pytest.raises(UnitError, match="counts nothing"):
        gm.fall_to_liquidation(0, 1, weight=95, factor=400)


@given(st.integers(1, 10**12), WEIGHTS, FACTORS)
def test_the_closed_form_is_the_programs_health_for_one_pair(debt: int, weight: int, factor: int) -> None:
    assets, owed = position(balance=10**12, modifier=weight), position(kind=CLAIM, balance=debt, modifier=factor)
    level = gm.health_level(gm.valuation(margin_account([assets, owed]), NOW)).value
    exact = BPS * (1 - gm.fall_to_liquidation(10**12, debt, weight=weight, factor=factor))
    assume(exact > -(10**6))
    assert abs(level - exact) <= 1
