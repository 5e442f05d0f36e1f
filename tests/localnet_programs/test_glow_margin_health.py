"""The margin model's arithmetic against exact fractions, and its account layout over arbitrary accounts."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from keeper.sim.localnet.interface import ProgramError
from keeper.sim.localnet.programs.glow_margin_config import TokenConfig
from keeper.sim.localnet.programs.glow_margin_health import PriceChange, valuation
from keeper.sim.localnet.programs.glow_margin_number import (
    NUMBER_MAX,
    ONE,
    as_u64,
    divide,
    from_decimal,
    multiply,
    truncated,
)
from keeper.sim.localnet.programs.glow_margin_state import (
    SLOTS,
    AccountPosition,
    ConfigKind,
    MarginAccount,
    NoOracle,
    PositionKind,
    PriceInfo,
    PythPull,
    PythPullRedemption,
)

NOW = 1_800_000_000
keys = st.binary(min_size=32, max_size=32).filter(any).map(Pubkey.from_bytes)


def exact(raw: int) -> Fraction:
    return Fraction(raw, ONE)


# --- numbers ---------------------------------------------------------------------------------------------------------


@given(st.integers(-(10**18), 10**18), st.integers(-27, 8))
def test_from_decimal_truncates_toward_zero(value: int, exponent: int) -> None:
    shift = 10 + exponent
    scaled = Fraction(value) * Fraction(10) ** shift
    assert from_decimal(value, exponent) == int(scaled)  # int() of a Fraction truncates


@given(st.integers(-(10**18), 10**18), st.integers(-(10**18), 10**18).filter(bool))
def test_multiply_and_divide_truncate_toward_zero(left: int, right: int) -> None:
    assert multiply(left, right) == int(Fraction(left * right, ONE))
    assert divide(left, right) == int(Fraction(left * ONE, right))
    assert truncated(left, right) == int(Fraction(left, right))


def test_what_leaves_i128_or_u64_panics() -> None:
    calls: list[Callable[[], int]] = [
        lambda: multiply(2**100, 2**100),
        lambda: divide(NUMBER_MAX, 1),
        lambda: divide(1, 0),
        lambda: from_decimal(1, 18),
        lambda: as_u64(-1 * ONE, 0),
        lambda: as_u64(2**64 * ONE, 0),
    ]
    for panicking in calls:
        with pytest.raises(ProgramError, match="panicked"):
            panicking()
    assert as_u64((2**64 - 1) * ONE, 0) == 2**64 - 1
    assert as_u64(19_999_999_999, 0) == 1
    assert as_u64(ONE, -9) == 10**9


# --- valuation -------------------------------------------------------------------------------------------------------


@st.composite
def positions(draw: st.DrawFn) -> AccountPosition:
    kind = draw(st.sampled_from(PositionKind))
    limit = 10_000 if kind is PositionKind.CLAIM else 100
    position = AccountPosition(
        draw(keys),
        draw(keys),
        kind=kind,
        exponent=-draw(st.sampled_from([6, 9])),
        value_modifier=draw(st.integers(1, limit)),
        max_staleness=draw(st.sampled_from([0, 30])),
    )
    price = PriceInfo(draw(st.integers(1, 10**12)), NOW - draw(st.integers(0, 30)), -8, True)
    position.set_price(price)
    position.set_balance(draw(st.integers(0, 10**15)), NOW - draw(st.integers(0, 30)))
    return position


@st.composite
def accounts(draw: st.DrawFn) -> MarginAccount:
    held = draw(st.lists(positions(), max_size=SLOTS, unique_by=lambda position: position.token))
    indices = draw(st.permutations(range(SLOTS)))
    account = MarginAccount(draw(keys), draw(keys), draw(st.integers(0, 255)), draw(st.integers(0, 65_535)))
    account.slots = dict(zip(indices, held, strict=False))
    return account


@given(accounts())
@settings(max_examples=60)
def test_valuation_is_the_exact_sum_less_truncation(account: MarginAccount) -> None:
    value = valuation(account, NOW)
    equity = liabilities = required = weighted = Fraction(0)
    for position in account.positions:
        worth = Fraction(position.balance) * Fraction(10) ** position.exponent * Fraction(position.price.value, 10**8)
        factor = Fraction(position.value_modifier, 100)
        if position.kind is PositionKind.CLAIM:
            equity, liabilities, required = equity - worth, liabilities + worth, required + worth / factor
        else:
            equity, weighted = equity + worth, weighted + worth * factor
    # A value truncates once at 1e-10; what is derived from it inherits that, at most a hundredfold for a modifier of 0.01.
    slack = Fraction(len(account.slots) * 102, ONE)
    assert 0 <= liabilities - exact(value.liabilities) <= slack
    assert 0 <= weighted - exact(value.weighted) <= slack
    assert 0 <= required - exact(value.required) <= slack
    assert abs(equity - exact(value.equity)) <= slack
    assert value.effective == value.weighted - value.liabilities
    assert value.available == value.effective - value.required
    assert value.is_healthy == (value.available >= 0)
    assert not value.stale


@given(accounts(), st.integers(31, 10_000))
@settings(max_examples=40)
def test_stale_collateral_only_ever_lowers_health(account: MarginAccount, age: int) -> None:
    fresh = valuation(account, NOW)
    collateral = [held for held in account.positions if held.kind is not PositionKind.CLAIM and held.balance]
    for position in collateral:
        position.set_price(PriceInfo(position.price.value, NOW - age, -8, True))
    stale = valuation(account, NOW)
    assert [mint for mint, _ in stale.stale] == [position.token for position in collateral]
    assert (stale.weighted, stale.liabilities, stale.required) == (0, fresh.liabilities, fresh.required)
    assert stale.available <= fresh.available


@pytest.mark.parametrize(("health", "leverage"), [(0, "4.167"), (6, "3.501"), (10, "3.165")])
def test_leverage_at_a_health_level_is_the_facts_figure(health: int, leverage: str) -> None:
    """Facts 3.5: w = 0.95, f = 4. With that leverage the account's own totals give that health level."""
    k, w = Fraction(5, 4), Fraction(95, 100)
    lever = k / (k - w * (1 - Fraction(health, 100)))
    assert f"{float(lever):.3f}" == leverage
    account = MarginAccount(Pubkey.new_unique(), Pubkey.new_unique(), 255)
    debt = int((lever - 1) / lever * 10**15)
    for kind, modifier, balance in ((PositionKind.COLLATERAL, 95, 10**15), (PositionKind.CLAIM, 400, debt)):
        position = AccountPosition(Pubkey.new_unique(), Pubkey.new_unique(), kind=kind, value_modifier=modifier)
        position.set_price(PriceInfo(10**8, NOW, -8, True))
        position.set_balance(balance, NOW)
        account.add(position)
    value = valuation(account, NOW)
    level = 100 - 100 * Fraction(value.required + value.liabilities, value.weighted)
    assert abs(level - health) < Fraction(1, 10**9)


@given(st.integers(1, 10**12), st.integers(0, 10**12), st.integers(1, 10**12), st.integers(0, 120))
def test_a_price_is_valid_exactly_within_five_percent_and_sixty_seconds(
    value: int, confidence: int, ema: int, age: int
) -> None:
    info = PriceChange(value, confidence, ema, NOW - age, -8).to_price_info(NOW)
    # The quotient truncates at 1e-10, so that a confidence a hair above 5 % still passes.
    assert info.is_valid == (confidence * ONE // ema <= ONE // 20 and age <= 60)
    assert info.timestamp == (NOW if info.is_valid else 0)


# --- layouts ---------------------------------------------------------------------------------------------------------


@given(accounts())
@settings(max_examples=40)
def test_accounts_survive_their_layout(account: MarginAccount) -> None:
    data = account.encode()
    assert MarginAccount.decode(data) == account
    length = int.from_bytes(data[112:120], "little")
    mints = [data[120 + 40 * rank : 152 + 40 * rank] for rank in range(SLOTS)]
    assert length == len(account.slots)
    assert mints[:length] == sorted(mints[:length])
    assert mints[length:] == [bytes(32)] * (SLOTS - length)


@given(
    keys,
    keys,
    st.sampled_from(ConfigKind),
    st.integers(0, 65_535),
    st.one_of(
        keys,
        st.just(NoOracle()),
        st.binary(min_size=32, max_size=32).map(PythPull),
        st.binary(min_size=32, max_size=32).map(lambda feed: PythPullRedemption(feed, feed[::-1])),
    ),
)
def test_token_configs_survive_their_layout(
    mint: Pubkey, airspace: Pubkey, kind: ConfigKind, modifier: int, admin: NoOracle | PythPull | PythPullRedemption
) -> None:
    config = TokenConfig(mint, airspace, kind, modifier, 30, admin, token_features=5)
    data = config.encode()
    assert TokenConfig.decode(data) == config
    assert (data[168], data[8:40], data[136:168]) == (kind, bytes(mint), bytes(airspace))


@given(accounts(), st.binary(max_size=64), st.integers(0, 7_543))
@settings(max_examples=60)
def test_any_bytes_decode_or_fail_by_name(account: MarginAccount, noise: bytes, start: int) -> None:
    data = bytearray(account.encode())
    data[start : start + len(noise)] = noise
    try:
        MarginAccount.decode(bytes(data))
    except ProgramError as error:
        assert error.error == {"Custom": 3003}
