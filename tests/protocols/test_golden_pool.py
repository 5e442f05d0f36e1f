"""The facts' own numbers on the lending pools and price feeds, as they are written there (protocol.md 0.4, 0.5, 3.10b, 4, 5)."""

from dataclasses import replace
from decimal import ROUND_FLOOR, Decimal, localcontext

import pytest
from solders.pubkey import Pubkey

from keeper.protocols import pyth
from keeper.protocols.addresses import (
    PYTH_PUSH_ORACLE,
    PYTH_PUSH_ORACLE_UPGRADED,
    SOL_USD_FEED,
    SSOL_MINT,
    SSOL_RATE_FEED,
    WSOL_MINT,
)
from keeper.protocols.anchor import event_discriminator
from keeper.protocols.glow_margin_pool import (
    POOL_ERRORS,
    ChangeKind,
    PoolAction,
    PoolRefused,
    accounts,
    annual_yield,
    borrow_rate,
    decode_margin_pool,
    effects,
    exchange,
    growth,
    instructions,
    interest,
    number192,
    pda,
)
from tests.protocols.pool_bytes import DOCS, NOW, ONE, a_pool, an_update, pool_bytes, price_bytes

AIRSPACE = Pubkey.from_string("D9u84WRsjZ6jYtjQApBFa9BV5w47fiZ56kHwxmwM6uTY")
SOL_POOL = pda.pool_address(AIRSPACE, WSOL_MINT)
SSOL_POOL = pda.pool_address(AIRSPACE, SSOL_MINT)
SOL_NOTES = (pda.deposit_note_mint_address(SOL_POOL), pda.loan_note_mint_address(SOL_POOL))
SSOL_NOTES = (pda.deposit_note_mint_address(SSOL_POOL), pda.loan_note_mint_address(SSOL_POOL))


@pytest.mark.parametrize(
    ("derived", "written"),
    [
        (SOL_POOL, "DMS334FQdRZRHPSJjfcKGKGMQzrzjipXTj6jZMpoKqsT"),
        (pda.vault_address(SOL_POOL), "Fp8qeXadWapXELp9p21PZ5cEKTicBpahmqSd6ndHpf3d"),
        (SOL_NOTES[0], "9Q4qCUSVg1SrHCEd5wnUiUeNxxTxrvraD7Yn4XDyyvdu"),
        (SOL_NOTES[1], "2FetmGNKgwpkhv1rDSDuPA4rxnWzAtsaaGJbmWy1U4bC"),
        (pda.metadata_address(AIRSPACE, WSOL_MINT), "DEaH52s8zSCAHCVshq124oN2XHYGEaF6xr2LM4wACeNi"),
        (pda.metadata_address(AIRSPACE, SOL_NOTES[0]), "Bawv4uvW98GziE5Xxu2qPtGGbYHedTJq7nq7AWzzziwF"),
        (pda.metadata_address(AIRSPACE, SOL_NOTES[1]), "GnE1uWFJ2zHsVbBtCrenEyg4SJvM3bPSXZTiuyQFvpvL"),
        (SSOL_POOL, "DaYdhRuXdroU7aQKFGCfnmVvLBfS6bQQFRWgqJRVvzbb"),
        (pda.vault_address(SSOL_POOL), "D7MRboBRM35AE7p573eFpXkN3EP3wFwVYfy1gN6yM6Lg"),
        (SSOL_NOTES[0], "EJaEHbRmR9YfwYfka7z15GbPDkGb7q77pzskfAcScokw"),
        (SSOL_NOTES[1], "9TR4VtP8sLzTZvQ6ByWe7Con4ft796GHZDCke1Zt3hxa"),
        (pda.metadata_address(AIRSPACE, SSOL_MINT), "WWhA7zkzsnPn49JF7J3pyU2tNBwXm5ajSBddvLYv7N4"),
        (pda.metadata_address(AIRSPACE, SSOL_NOTES[0]), "GqhVXbnsXViTFeiM1DtBPmev3LL9Nc4Fmk5zQRpkbXMp"),
        (pda.metadata_address(AIRSPACE, SSOL_NOTES[1]), "6p6pSsSVjbGBmhqgvXFfR2nwXBMiLNe1fhnf73uwc5GH"),
    ],
)
def test_addresses_of_the_default_airspace(derived: Pubkey, written: str) -> None:
    assert str(derived) == written


@pytest.mark.parametrize(
    ("feed", "program", "written"),
    [
        (SOL_USD_FEED, PYTH_PUSH_ORACLE, "7UVimffxr9ow1uXYxsr4LHAcV58mLzhmwaeKvJ1pjLiE"),
        (SOL_USD_FEED, PYTH_PUSH_ORACLE_UPGRADED, "7AviUf9nL62mcxNbQGKm4nKDQnPjswo6c5MX4D57HmyE"),
        (SSOL_RATE_FEED, PYTH_PUSH_ORACLE, "2doCYXwYNt2FhzfCdgpW4YAwczvdzB27xtJkzQd5Kre2"),
        (SSOL_RATE_FEED, PYTH_PUSH_ORACLE_UPGRADED, "9qYStiZz65fSGkpTsk1niVYifjK34d79hMbpNNcwDxTd"),
    ],
)
def test_push_feeds(feed: bytes, program: Pubkey, written: str) -> None:
    assert str(pyth.push_feed_address(feed, program=program)) == written


@pytest.mark.parametrize(
    ("made", "written"),
    [
        (instructions.DEPOSIT, "f223c68952e1f2b6"),
        (instructions.WITHDRAW, "b712469c946da122"),
        (instructions.MARGIN_BORROW, "26532e3524a53441"),
        (instructions.MARGIN_BORROW_V2, "91534eb4c2ef0223"),
        (instructions.MARGIN_REPAY, "a02f25ae2537319a"),
        (instructions.REPAY, "ea674352d0eadba6"),
        (instructions.MARGIN_REFRESH_POSITION, "e7cd5e0330ee5ee6"),
        (instructions.REGISTER_LOAN, "04a665d7150ad7cf"),
        (instructions.CLOSE_LOAN, "60726fcc95e4eb7c"),
        (instructions.COLLECT, "d02fc29b116252ec"),
        (accounts.MARGIN_POOL_DISCRIMINATOR, "8eff1c20c4a8aaaf"),
        (accounts.POSITION_TOKEN_METADATA_DISCRIMINATOR, "bd9934e38c8afdf4"),
        (accounts.TOKEN_METADATA_DISCRIMINATOR, "edd784b6187fafad"),
        (pyth.PRICE_UPDATE_DISCRIMINATOR, "22f123639d7ef4cd"),
        (event_discriminator("Deposit"), "3ecdf2aff4a98834"),
        (event_discriminator("Withdraw"), "c0f1c9d946965af7"),
        (event_discriminator("MarginBorrow"), "3cb0db9c40fb47eb"),
        (event_discriminator("MarginRepay"), "50266c0313a75f42"),
        (event_discriminator("Repay"), "a3659b28cbf4b944"),
        (event_discriminator("Collect"), "213a03bf28eeaf65"),
    ],
)
def test_discriminators(made: bytes, written: str) -> None:
    assert made.hex() == written


def test_error_codes() -> None:
    written = (
        "Disabled InterestAccrualBehind DepositsOnly InsufficientLiquidity InvalidAmount InvalidPoolPrice InvalidPoolOracle "
        "InvalidSetTo RepaymentExceedsTotalOutstanding ExceedsMaxBorrowUtilRatio SetMathOp DepositLimitReached "
        "BorrowLimitReached TokenExtensionNotEnabled InvalidWithdrawalAuthority MissingQuoteOracleAccount PoolPermissionDenied"
    )
    assert dict(POOL_ERRORS) == dict(enumerate(written.split(), start=135_100))


def test_change_kinds() -> None:
    assert [(kind.value, kind.name) for kind in ChangeKind] == [
        (0, "SET_SOURCE_TO"),
        (1, "SET_DESTINATION_TO"),
        (2, "SHIFT_BY"),
    ]


@pytest.mark.parametrize(
    ("offset", "width", "read"),
    [
        (9, 1, "bump"),
        (234, 8, "config.flags"),
        (242, 2, "config.utilization_rate_1"),
        (244, 2, "config.utilization_rate_2"),
        (246, 2, "config.borrow_rate_0"),
        (248, 2, "config.borrow_rate_1"),
        (250, 2, "config.borrow_rate_2"),
        (252, 2, "config.borrow_rate_3"),
        (254, 2, "config.management_fee_rate"),
        (256, 8, "config.deposit_limit"),
        (264, 8, "config.borrow_limit"),
        (280, 24, "borrowed"),
        (304, 24, "uncollected_fees"),
        (328, 8, "deposit_tokens"),
        (336, 8, "deposit_notes"),
        (344, 8, "loan_notes"),
        (352, 8, "accrued_until"),
    ],
)
def test_offsets_of_numbers_in_a_pool(offset: int, width: int, read: str) -> None:
    data = bytearray(pool_bytes(a_pool()))
    planted = 0x0102030405060708 % 256**width
    data[offset : offset + width] = planted.to_bytes(width, "little")
    value: object = decode_margin_pool(bytes(data))
    for name in read.split("."):
        value = getattr(value, name)
    assert int(value) == planted  # type: ignore[call-overload]  # every field of the table is an integer


@pytest.mark.parametrize(
    ("offset", "read"),
    [
        (10, "airspace"),
        (42, "vault"),
        (74, "fee_destination"),
        (106, "deposit_note_mint"),
        (138, "loan_note_mint"),
        (170, "token_mint"),
        (202, "address"),
    ],
)
def test_offsets_of_addresses_in_a_pool(offset: int, read: str) -> None:
    data = bytearray(pool_bytes(a_pool()))
    data[offset : offset + 32] = bytes(SOL_POOL)
    assert getattr(decode_margin_pool(bytes(data)), read) == SOL_POOL


def test_offsets_of_a_pools_oracle() -> None:
    feed, quote = bytes(range(32)), bytes(range(32, 64))
    assert len(pool_bytes(a_pool())) == 360 + 1
    assert decode_margin_pool(pool_bytes(a_pool(), b"\1" + feed)).oracle == accounts.PythPull(feed)
    assert decode_margin_pool(pool_bytes(a_pool(), b"\2" + feed + quote)).oracle == accounts.PythPullRedemption(
        feed, quote
    )


@pytest.mark.parametrize(
    ("offset", "width", "field"),
    [
        (73, 8, "price"),
        (81, 8, "conf"),
        (93, 8, "publish_time"),
        (101, 8, "prev_publish_time"),
        (109, 8, "ema_price"),
        (117, 8, "ema_conf"),
        (125, 8, "posted_slot"),
    ],
)
def test_offsets_in_a_price_update(offset: int, width: int, field: str) -> None:
    full = price_bytes(an_update())
    assert len(full) == 134
    for data, start in ((full, offset), (full[:40] + b"\0\5" + full[41:-1], offset + 1)):
        changed = bytearray(data)
        changed[start : start + width] = (0x0A0B0C).to_bytes(width, "little")
        assert int(getattr(pyth.decode_price_update(bytes(changed)), field)) == 0x0A0B0C


@pytest.mark.parametrize(
    ("used_bps", "rate_bps"),
    [(0, 100), (8_500, 1_500), (9_500, 15_000), (10_000, 20_000), (4_250, 800), (9_000, 8_250), (9_750, 17_500)],
)
def test_borrow_rate_at_the_corners_and_middles_of_the_documented_curve(used_bps: int, rate_bps: int) -> None:
    assert borrow_rate(DOCS, used_bps * ONE // 10_000) == rate_bps * ONE // 10_000


def test_an_empty_pool_charges_the_lowest_rate() -> None:
    assert borrow_rate(DOCS, ONE, deposit_notes=0) == ONE // 100


def _cut(value: Decimal) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-15), rounding=ROUND_FLOOR)


def _series(rate_bps: int, seconds: int, terms: int) -> Decimal:
    """The program's series by decimals, to 15 places cut at every step: an evaluation that shares nothing with the keeper's."""
    with localcontext() as context:
        context.prec = 100
        x = _cut(Decimal(rate_bps) / 10_000 * seconds / 31_536_000)
        power = total = x
        factorial = Decimal(1)
        for index in range(2, terms + 1):
            power, factorial = _cut(power * x), factorial * index
            total += _cut(power / factorial)
        return total


@pytest.mark.parametrize(
    ("rate_bps", "seconds", "terms"),
    [
        (1_500, 1, 5),
        (1_500, 7_200, 5),
        (1_500, 7_201, 6),
        (15_000, 43_200, 6),
        (15_000, 43_201, 7),
        (20_000, 86_400, 7),
        (20_000, 86_401, 10),
        (20_000, 604_800, 10),
        (100, 604_800, 10),
    ],
)
def test_growth_to_the_last_unit(rate_bps: int, seconds: int, terms: int) -> None:
    grown = growth(rate_bps * ONE // 10_000, seconds)
    assert Decimal(grown).scaleb(-15) == _series(rate_bps, seconds, terms)
    with localcontext() as context:
        context.prec = 60
        exact = (Decimal(rate_bps) / 10_000 * seconds / 31_536_000).exp() - 1
        assert 0 <= exact - Decimal(grown).scaleb(-15) <= Decimal(3 * terms).scaleb(-15)


def test_the_programs_own_vector_of_the_series() -> None:
    assert number192.expm1(number192.from_decimal(2, -1), 5) == 221_402_666_666_665


@pytest.mark.parametrize("rate_bps", [100, 600, 1_500, 15_000, 20_000])
def test_borrow_apy_is_e_to_the_rate_less_one(rate_bps: int) -> None:
    with localcontext() as context:
        context.prec = 50
        exact = (Decimal(rate_bps) / 10_000).exp() - 1
        assert 0 <= exact - Decimal(annual_yield(rate_bps * ONE // 10_000)).scaleb(-15) < Decimal("1e-12")


def test_interest_and_fee_of_a_day_at_the_first_corner() -> None:
    """85 % of 1 000 SOL lent at 15 % a year: 850 SOL x (e^(0.15/365) - 1), a fifth of it the manager's."""
    pool = a_pool(borrowed=850 * 10**9 * ONE, idle=150 * 10**9, deposit_notes=10**12, loan_notes=850 * 10**9)
    day = interest.accrue(pool, pool.accrued_until + 86_400)
    earned = Decimal(day.borrowed - pool.borrowed).scaleb(-15)
    with localcontext() as context:
        context.prec = 50
        exact = 850 * 10**9 * ((Decimal("0.15") / 365).exp() - 1)
        assert abs(exact - earned) < Decimal("0.01")
    assert day.uncollected_fees == (day.borrowed - pool.borrowed) // 5
    assert day.accrued_until.value == NOW + 86_400


def test_the_utilisation_cap_of_the_programs_own_tests() -> None:
    pool = a_pool(idle=1_000_000, deposit_notes=1_000_000, config=replace(DOCS, borrow_limit=2**64 - 1))
    effects.borrowed(pool, exchange.FullAmount(950_000, 855_000))
    with pytest.raises(PoolRefused, match="ExceedsMaxBorrowUtilRatio"):
        effects.borrowed(pool, exchange.FullAmount(950_100, 855_090))


def test_roundings_of_the_programs_own_tests() -> None:
    """1 000 000 tokens for 900 000 notes: 1.111111111 tokens a note."""
    pool = a_pool(idle=1_000_000, deposit_notes=900_000)
    assert exchange.deposit_note_rate(pool) // 10**6 == 1_111_111_111
    assert exchange.from_notes(pool, PoolAction.WITHDRAW, 12).tokens == 13
    assert exchange.from_notes(pool, PoolAction.DEPOSIT, 12).tokens == 14
    assert exchange.from_notes(pool, PoolAction.WITHDRAW, 18).tokens == 19
    assert exchange.from_notes(pool, PoolAction.DEPOSIT, 1).tokens == 2
    assert exchange.withdraw(pool, 9).notes == 9
    assert exchange.deposit(pool, 14).notes == 12
    with pytest.raises(PoolRefused, match="InvalidAmount"):
        exchange.deposit(pool, 1)


def test_the_recorded_rate_of_ssol() -> None:
    """Devnet, 22 August 2026: 116 779 625 x 10^-8, confidence 1."""
    rate = an_update(116_779_625, conf=1, feed_id=SSOL_RATE_FEED, ema_price=116_779_625)
    assert pyth.problem(rate, rate.publish_time, feed_id=SSOL_RATE_FEED) == ""
    sol = an_update(10_000_000_000, conf=5_000_000)
    assert pyth.redemption_price(rate, sol).price == 11_677_962_500
