"""Stake pool: layout at the published offsets, PDAs of Solayer's pool, account orders, rounding as the program rounds."""

import struct
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.protocols import stake_pool as sp
from keeper.protocols.addresses import SOLAYER_STAKE_POOL, STAKE, STAKE_POOL_PROGRAM, SYSTEM
from keeper.protocols.layout import LayoutError
from keeper.protocols.quotes import QuoteError
from keeper.protocols.stake_pool import Fee, FutureFee
from keeper.units import SSOL, STAKE_POOL_LST, Epoch, Lamports, Rate, TokenAmount, UnitError
from tests.protocols.account_bytes import fee, future, key, stake_pool_bytes

U64 = st.integers(0, 2**64 - 1)


def lst(units: int) -> TokenAmount:
    return TokenAmount(STAKE_POOL_LST, units)


def pool(**fields: Any) -> sp.StakePool:
    return replace(sp.decode_stake_pool(stake_pool_bytes()), **fields)


def priced(total: int, supply: int, **fields: Any) -> sp.StakePool:
    return pool(total_lamports=Lamports(total), pool_token_supply=supply, **fields)


# -- layout


def test_fields_stand_at_the_published_offsets() -> None:
    data = stake_pool_bytes(
        total=11,
        supply=12,
        epoch=13,
        stake_withdrawal_fee=fee(16, 15),
        sol_deposit_fee=fee(18, 17),
        sol_withdrawal_fee=fee(20, 19),
        last_supply=21,
        last_total=22,
    )
    assert len(data) == 611
    offsets = {258: 11, 266: 12, 274: 13, 330: 100, 338: 7, 365: 16, 373: 15, 384: 18, 402: 20, 419: 21, 427: 22}
    for offset, value in offsets.items():
        assert struct.unpack_from("<Q", data, offset)[0] == value
    seen = sp.decode_stake_pool(data, owner=STAKE_POOL_PROGRAM)
    assert (seen.manager, seen.validator_list, seen.reserve_stake) == (key(1), key(4), key(5))
    assert (seen.pool_mint, seen.manager_fee_account, seen.token_program_id) == (key(6), key(7), key(8))
    assert data[130:162] == bytes(seen.reserve_stake)
    assert (seen.total_lamports, seen.pool_token_supply, seen.last_update_epoch) == (Lamports(11), 12, Epoch(13))
    assert (seen.epoch_fee, seen.stake_withdrawal_fee) == (Fee(100, 7), Fee(16, 15))
    assert (seen.sol_deposit_fee, seen.sol_withdrawal_fee) == (Fee(18, 17), Fee(20, 19))
    assert (seen.last_epoch_pool_token_supply, seen.last_epoch_total_lamports) == (21, Lamports(22))
    assert (seen.stake_referral_fee, seen.sol_referral_fee) == (10, 20)
    assert (seen.lockup.unix_timestamp.value, seen.lockup.epoch, seen.lockup.custodian) == (-5, Epoch(6), key(9))


def test_options_shift_what_follows() -> None:
    seen = sp.decode_stake_pool(
        stake_pool_bytes(
            next_epoch_fee=future(1, fee(10, 1)),
            preferred_withdraw=key(40),
            sol_deposit_authority=key(41),
            sol_withdraw_authority=key(42),
            next_sol_withdrawal_fee=future(2, fee(10, 2)),
            last_supply=5,
            last_total=6,
        )
    )
    assert seen.next_epoch_fee == FutureFee(Fee(10, 1), 1)
    assert seen.next_sol_withdrawal_fee == FutureFee(Fee(10, 2), 2)
    assert (seen.preferred_withdraw_validator, seen.preferred_deposit_validator) == (key(40), None)
    assert (seen.sol_deposit_authority, seen.sol_withdraw_authority) == (key(41), key(42))
    assert seen.last_epoch_rate == Rate(6, 5)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"\2" + stake_pool_bytes()[1:], "account_type"),
        (stake_pool_bytes()[:430], "last_epoch_total_lamports"),
        (stake_pool_bytes(next_epoch_fee=b"\3"), "next_epoch_fee"),
        (b"", "account_type"),
    ],
)
def test_what_is_not_a_stake_pool_is_named(data: bytes, field: str) -> None:
    with pytest.raises(LayoutError, match=field):
        sp.decode_stake_pool(data)


def test_a_foreign_owner_is_refused() -> None:
    with pytest.raises(LayoutError, match="owner"):
        sp.decode_stake_pool(stake_pool_bytes(), owner=SYSTEM)


def validator_list_bytes(*entries: tuple[int, int, int, int, int, int, Pubkey], capacity: int = 10) -> bytes:
    body = struct.pack("<BII", 2, capacity, len(entries))
    for active, transient, epoch, transient_seed, seed, status, vote in entries:
        body += struct.pack("<QQQQIIB", active, transient, epoch, transient_seed, 0, seed, status) + bytes(vote)
    return body + bytes(73 * (capacity - len(entries)))


def test_validator_lists_decode_with_73_bytes_an_entry() -> None:
    data = validator_list_bytes((1, 2, 3, 4, 5, 0, key(50)), (6, 7, 8, 9, 0, 4, key(51)))
    assert len(data) == 9 + 10 * 73
    seen = sp.decode_validator_list(data)
    assert seen.max_validators == 10
    first, second = seen.validators
    assert (first.active, first.transient, first.last_update_epoch) == (Lamports(1), Lamports(2), Epoch(3))
    assert (first.transient_seed, first.validator_seed, first.vote) == (4, 5, key(50))
    assert (first.status, second.status) == (sp.StakeStatus.ACTIVE, sp.StakeStatus.DEACTIVATING_ALL)


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<BII", 1, 1, 0),
        struct.pack("<BII", 2, 1, 2) + bytes(200),
        struct.pack("<BII", 2, 9, 3) + bytes(100),
        validator_list_bytes((0, 0, 0, 0, 0, 5, key(1))),
    ],
)
def test_impossible_validator_lists_are_refused(data: bytes) -> None:
    with pytest.raises(LayoutError, match="validator list"):
        sp.decode_validator_list(data)


# -- addresses


def test_authorities_of_solayers_pool() -> None:
    assert str(sp.withdraw_authority(SOLAYER_STAKE_POOL)) == "H5rmot8ejBUWzMPt6E44h27xj5obbSz3jVuK4AsJpHmv"
    assert str(sp.deposit_authority(SOLAYER_STAKE_POOL)) == "Cr7iqy9Wd7ztmvoEoiYAT2bk1Wt5rXiVDo63FzAjCSoG"


def test_a_seed_of_zero_is_no_seed() -> None:
    plain = Pubkey.find_program_address([bytes(key(1)), bytes(key(2))], STAKE_POOL_PROGRAM)[0]
    assert sp.validator_stake_address(key(1), key(2)) == plain
    assert sp.validator_stake_address(key(1), key(2), 1) != plain
    seeds = [b"transient", bytes(key(1)), bytes(key(2)), bytes(8)]
    assert sp.transient_stake_address(key(1), key(2), 0) == Pubkey.find_program_address(seeds, STAKE_POOL_PROGRAM)[0]


# -- quotes


def test_deposits_round_down_and_fees_up() -> None:
    assert sp.quote_deposit_sol(priced(3, 2), Lamports(10)) == lst(6)  # floor(10 * 2 / 3)
    assert sp.quote_deposit_sol(priced(3, 2, sol_deposit_fee=Fee(1000, 1)), Lamports(10)) == lst(5)
    assert sp.quote_deposit_sol(priced(0, 0), Lamports(10)) == lst(10)
    assert sp.quote_deposit_sol(priced(5, 0), Lamports(10)) == lst(10)


def test_withdrawals_round_down_after_a_fee_rounded_up() -> None:
    current = priced(1_167_796_250, 1_000_000_000, sol_withdrawal_fee=Fee(10_000, 8))
    burnt = 1_000_001 - 801  # ceil(1_000_001 * 8 / 10_000) = 801
    assert sp.quote_withdraw_sol(current, lst(1_000_001)) == Lamports(burnt * 1_167_796_250 // 1_000_000_000)
    # The program's own test: the 1/10 fee on 10 SOL of rewards comes back one lamport short.
    assert sp.quote_withdraw_sol(priced(110 * 10**9, 100917431192), lst(917431192)) == Lamports(10**9 - 1)


def test_zero_results_are_refused_as_the_program_does() -> None:
    with pytest.raises(QuoteError, match="deposit_too_small"):
        sp.quote_deposit_sol(priced(2, 1), Lamports(1))
    with pytest.raises(QuoteError, match="deposit_too_small"):
        sp.quote_deposit_sol(priced(1, 1, sol_deposit_fee=Fee(1, 1)), Lamports(1))
    with pytest.raises(QuoteError, match="withdrawal_too_small"):
        sp.quote_withdraw_sol(priced(1, 2), lst(1))
    with pytest.raises(QuoteError, match="withdrawal_too_small"):
        sp.quote_withdraw_sol(priced(0, 0), lst(1))
    with pytest.raises(QuoteError, match="64 bits"):
        sp.quote_deposit_sol(priced(1, 2**63), Lamports(2**63))


def test_a_stale_pool_is_quoted_at_the_higher_of_the_current_and_the_next_fee() -> None:
    one_percent, two_percent = Fee(100, 1), Fee(100, 2)
    base = priced(1000, 1000, last_update_epoch=Epoch(7), sol_withdrawal_fee=one_percent)
    rising = replace(base, next_sol_withdrawal_fee=FutureFee(two_percent, 1))
    assert sp.quote_withdraw_sol(rising, lst(100), epoch=Epoch(7)) == Lamports(99)
    assert sp.quote_withdraw_sol(rising, lst(100), epoch=Epoch(8)) == Lamports(98)
    assert sp.quote_withdraw_sol(rising, lst(100)) == Lamports(98)
    two_updates_away = replace(base, next_sol_withdrawal_fee=FutureFee(two_percent, 2))
    assert sp.quote_withdraw_sol(two_updates_away, lst(100), epoch=Epoch(8)) == Lamports(99)
    falling = replace(base, next_sol_withdrawal_fee=FutureFee(Fee(0, 0), 1))
    assert sp.quote_withdraw_sol(falling, lst(100), epoch=Epoch(8)) == Lamports(99)
    of_stake = replace(base, stake_withdrawal_fee=Fee(0, 0), next_stake_withdrawal_fee=FutureFee(two_percent, 1))
    assert sp.quote_withdraw_stake(of_stake, lst(100), epoch=Epoch(7)) == Lamports(100)
    assert sp.quote_withdraw_stake(of_stake, lst(100), epoch=Epoch(8)) == Lamports(98)


def test_currency_of_the_pool_and_its_rate() -> None:
    current = priced(7, 5, last_update_epoch=Epoch(7))
    assert current.is_current(Epoch(7))
    assert not current.is_current(Epoch(8))
    assert current.rate == Rate(7, 5)
    assert priced(0, 0).rate == Rate(1, 1)
    assert priced(0, 0).last_epoch_rate is None


def test_amounts_of_other_tokens_are_refused() -> None:
    with pytest.raises(UnitError):
        sp.quote_withdraw_sol(priced(1, 1), TokenAmount(SSOL, 5))


def test_the_reserve_pays_all_but_its_rent() -> None:
    assert sp.withdrawable_reserve(Lamports(10), Lamports(3)) == Lamports(7)
    with pytest.raises(QuoteError, match="reserve_depleted"):
        sp.withdrawable_reserve(Lamports(2), Lamports(3))


FEES = st.builds(lambda d, n: Fee(d, min(d, n)), st.integers(0, 10_000), st.integers(0, 10_000))


@given(st.integers(1, 10**18), st.integers(1, 10**18), st.integers(1, 10**18), FEES, FEES)
def test_nobody_gains_by_going_in_and_out(total: int, supply: int, amount: int, fee_in: Fee, fee_out: Fee) -> None:
    before = priced(total, supply, sol_deposit_fee=fee_in, sol_withdrawal_fee=fee_out)
    try:
        tokens = sp.quote_deposit_sol(before, Lamports(amount))
        gross = amount * supply // total
        after = priced(total + amount, supply + gross, sol_withdrawal_fee=fee_out)
        assert sp.quote_withdraw_sol(after, tokens) <= Lamports(amount)
    except QuoteError:
        return


@given(FEES, st.integers(0, 2**64 - 1))
def test_fees_are_whole_units_rounded_up(one: Fee, amount: int) -> None:
    taken = one.apply(amount)
    if one.denominator == 0:
        assert taken == 0
    else:
        assert (taken - 1) * one.denominator < amount * one.numerator <= taken * one.denominator


@given(FEES, FEES)
def test_fee_order_is_that_of_the_ratios(one: Fee, other: Fee) -> None:
    def ratio(each: Fee) -> tuple[int, int]:
        return (each.numerator, each.denominator) if each.denominator else (0, 1)

    (a, b), (c, d) = ratio(one), ratio(other)
    assert one.exceeds(other) == (a * d > c * b)


# -- instructions

POOL = pool()
AUTHORITY = sp.withdraw_authority(key(60))


def shape(instruction: Instruction) -> list[tuple[Pubkey, str]]:
    flags = (("W" if a.is_writable else "") + ("S" if a.is_signer else "") for a in instruction.accounts)
    return [(account.pubkey, one) for account, one in zip(instruction.accounts, flags, strict=True)]


def test_deposit_sol_is_encoded_as_published() -> None:
    plain = sp.deposit_sol(key(60), POOL, funder=key(61), destination=key(62), amount=Lamports(9))
    guarded = sp.deposit_sol_with_slippage(
        key(60), POOL, funder=key(61), destination=key(62), amount=Lamports(9), minimum_out=lst(8), referrer=key(63)
    )
    assert plain.program_id == STAKE_POOL_PROGRAM
    assert bytes(plain.data) == struct.pack("<BQ", 14, 9)
    assert bytes(guarded.data) == struct.pack("<BQQ", 25, 9, 8)
    expected = [
        (key(60), "W"),
        (AUTHORITY, ""),
        (POOL.reserve_stake, "W"),
        (key(61), "WS"),
        (key(62), "W"),
        (POOL.manager_fee_account, "W"),
        (key(62), "W"),
        (POOL.pool_mint, "W"),
        (SYSTEM, ""),
        (key(8), ""),
    ]
    assert shape(plain) == expected
    assert shape(guarded)[6] == (key(63), "W")
    private = replace(POOL, sol_deposit_authority=key(64))
    signed = sp.deposit_sol(key(60), private, funder=key(61), destination=key(62), amount=Lamports(9))
    assert shape(signed) == [*expected, (key(64), "S")]


def test_withdraw_sol_is_encoded_as_published() -> None:
    who = {"owner": key(61), "source": key(62), "destination": key(63)}
    plain = sp.withdraw_sol(key(60), POOL, **who, amount=lst(9))
    guarded = sp.withdraw_sol_with_slippage(key(60), POOL, **who, amount=lst(9), minimum_out=Lamports(8))
    assert bytes(plain.data) == struct.pack("<BQ", 16, 9)
    assert bytes(guarded.data) == struct.pack("<BQQ", 26, 9, 8)
    clock, history = (
        Pubkey.from_string(text)
        for text in (
            "SysvarC1ock11111111111111111111111111111111",
            "SysvarStakeHistory1111111111111111111111111",
        )
    )
    assert (
        shape(plain)
        == shape(guarded)
        == [
            (key(60), "W"),
            (AUTHORITY, ""),
            (key(61), "S"),
            (key(62), "W"),
            (POOL.reserve_stake, "W"),
            (key(63), "W"),
            (POOL.manager_fee_account, "W"),
            (POOL.pool_mint, "W"),
            (clock, ""),
            (history, ""),
            (STAKE, ""),
            (key(8), ""),
        ]
    )
    private = replace(POOL, sol_withdraw_authority=key(64))
    assert shape(sp.withdraw_sol(key(60), private, **who, amount=lst(9)))[-1] == (key(64), "S")


def test_withdraw_stake_is_encoded_as_published() -> None:
    built = sp.withdraw_stake_with_slippage(
        key(60),
        POOL,
        owner=key(61),
        source=key(62),
        stake_to_split=key(65),
        stake_to_receive=key(66),
        amount=lst(9),
        minimum_out=Lamports(8),
    )
    assert bytes(built.data) == struct.pack("<BQQ", 24, 9, 8)
    assert [flags for _, flags in shape(built)] == ["W", "W", "", "W", "W", "", "S", "W", "W", "W", "", "", ""]
    assert shape(built)[1] == (POOL.validator_list, "W")
    assert [address for address, _ in shape(built)][3:7] == [key(65), key(66), key(61), key(61)]
    assert shape(built)[-1] == (STAKE, "")


def test_updates_carry_pairs_of_stake_accounts() -> None:
    (entry,) = sp.decode_validator_list(validator_list_bytes((1, 2, 3, 4, 5, 0, key(50)))).validators
    built = sp.update_validator_list_balance(key(60), POOL, [entry], start_index=4, no_merge=True)
    assert bytes(built.data) == struct.pack("<BIB", 6, 4, 1)
    assert shape(built)[0] == (key(60), "")
    assert shape(built)[7:] == [
        (sp.validator_stake_address(key(50), key(60), 5), "W"),
        (sp.transient_stake_address(key(50), key(60), 4), "W"),
    ]
    for count in (0, 5):
        with pytest.raises(ValueError, match="1 to 4"):
            sp.update_validator_list_balance(key(60), POOL, [entry] * count, start_index=0)
    balance = sp.update_stake_pool_balance(key(60), POOL)
    assert bytes(balance.data) == b"\7"
    assert [flags for _, flags in shape(balance)] == ["W", "", "W", "", "W", "W", ""]


def test_only_the_pool_token_is_taken() -> None:
    who = {"owner": key(61), "source": key(62), "destination": key(63)}
    with pytest.raises(UnitError):
        sp.withdraw_sol(key(60), POOL, **who, amount=TokenAmount(SSOL, 9))


def test_error_names_stand_at_the_published_codes() -> None:
    named = {
        9: "InvalidFeeAccount",
        16: "StakeListOutOfDate",
        17: "StakeListAndPoolOutOfDate",
        23: "StakeLamportsNotEqualToMinimum",
        25: "IncorrectWithdrawVoteAddress",
        28: "WithdrawalTooSmall",
        29: "DepositTooSmall",
        31: "InvalidSolDepositAuthority",
        34: "InvalidSolWithdrawAuthority",
        35: "SolWithdrawalTooLarge",
        39: "ExceededSlippage",
        41: "ReserveDepleted",
        43: "EpochRewardDistributionInProgress",
    }
    assert {code: sp.STAKE_POOL_ERRORS[code] for code in named} == named
