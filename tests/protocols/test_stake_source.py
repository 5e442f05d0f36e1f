"""Whose stake pays a WithdrawStake: the keeper's choice is one that the pool's own rule accepts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from keeper.protocols.addresses import SOLAYER_STAKE_POOL
from keeper.protocols.quotes import QuoteError
from keeper.protocols.stake_pool import (
    MINIMUM_ACTIVE_STAKE,
    Fee,
    Lockup,
    StakePool,
    StakeSource,
    StakeStatus,
    ValidatorList,
    ValidatorStake,
    stake_source,
    transient_stake_address,
    validator_stake_address,
)
from keeper.units import Epoch, Lamports, UnixTime
from tests.protocols.account_bytes import key

RENT = Lamports(2_282_880)
KEPT = RENT + MINIMUM_ACTIVE_STAKE
NO_FEE = Fee(0, 0)
POOL = StakePool(
    manager=key(1),
    staker=key(1),
    stake_deposit_authority=key(1),
    stake_withdraw_bump_seed=255,
    validator_list=key(2),
    reserve_stake=key(3),
    pool_mint=key(4),
    manager_fee_account=key(5),
    token_program_id=key(6),
    total_lamports=Lamports(116),
    pool_token_supply=100,
    last_update_epoch=Epoch(1),
    lockup=Lockup(UnixTime(0), Epoch(0), key(0)),
    epoch_fee=NO_FEE,
    next_epoch_fee=None,
    preferred_deposit_validator=None,
    preferred_withdraw_validator=None,
    stake_deposit_fee=NO_FEE,
    stake_withdrawal_fee=NO_FEE,
    next_stake_withdrawal_fee=None,
    stake_referral_fee=0,
    sol_deposit_authority=None,
    sol_deposit_fee=NO_FEE,
    sol_referral_fee=0,
    sol_withdraw_authority=None,
    sol_withdrawal_fee=NO_FEE,
    next_sol_withdrawal_fee=None,
    last_epoch_pool_token_supply=0,
    last_epoch_total_lamports=Lamports(0),
)
PER_TOKEN = Lamports(2)  # 116 / 100, rounded up
TOLERANCE = KEPT + PER_TOKEN


def validator(tag: int, active: int, transient: int = 0, status: StakeStatus = StakeStatus.ACTIVE) -> ValidatorStake:
    return ValidatorStake(Lamports(active), Lamports(transient), Epoch(1), 10 + tag, tag, status, key(tag))


def choose(
    amount: int, *validators: ValidatorStake, preferred: int | None = None, reserve: int = 10**12
) -> StakeSource:
    pool = replace(POOL, preferred_withdraw_validator=None if preferred is None else key(preferred))
    listed = ValidatorList(100, validators)
    return stake_source(SOLAYER_STAKE_POOL, pool, listed, Lamports(amount), reserve=Lamports(reserve), rent=RENT)


def active(tag: int) -> Pubkey:
    return validator_stake_address(key(tag), SOLAYER_STAKE_POOL, tag)


def transient(tag: int) -> Pubkey:
    return transient_stake_address(key(tag), SOLAYER_STAKE_POOL, 10 + tag)


def test_the_largest_active_stake_pays() -> None:
    found = choose(10**9, validator(20, 5 * 10**9), validator(21, 9 * 10**9, 10**12))
    assert found == StakeSource(active(21), Lamports(9 * 10**9) - KEPT)


def test_the_preferred_validator_goes_first_even_where_it_cannot_pay_it_all() -> None:
    small, large = validator(20, 5 * 10**9), validator(21, 9 * 10**9)
    assert choose(10**9, small, large, preferred=20).account == active(20)
    with pytest.raises(QuoteError, match="stake_unavailable"):
        choose(6 * 10**9, small, large, preferred=20)
    drained = validator(20, TOLERANCE.value)
    assert choose(6 * 10**9, drained, large, preferred=20).account == active(21)
    assert choose(10**9, small, large, preferred=99).account == active(21)


def test_validators_on_their_way_out_do_not_pay() -> None:
    leaving = validator(20, 50 * 10**9, status=StakeStatus.DEACTIVATING_VALIDATOR)
    assert choose(10**9, leaving, validator(21, 9 * 10**9)).account == active(21)
    with pytest.raises(QuoteError, match="the most that one can give is 0"):
        choose(10**9, leaving)


def test_transient_stake_pays_only_where_nobody_has_active_stake_and_the_reserve_last() -> None:
    low = TOLERANCE.value
    assert choose(10**9, validator(20, low, 5 * 10**9)).account == transient(20)
    found = choose(10**9, validator(20, low, low))
    assert found == StakeSource(key(3), Lamports(10**12) - RENT)
    assert choose(10**9).account == key(3)
    with pytest.raises(QuoteError, match="stake_unavailable"):
        choose(10**9, validator(20, low, low), reserve=10**9)


amounts = st.integers(0, 10**10)
entries = st.builds(
    validator,
    st.integers(20, 30),
    amounts,
    amounts,
    st.sampled_from((StakeStatus.ACTIVE, StakeStatus.READY_FOR_REMOVAL)),
)


@given(st.lists(entries, max_size=5, unique_by=lambda one: one.vote), st.integers(1, 10**10), st.integers(20, 30))
def test_what_is_chosen_is_what_the_programs_rule_takes(
    listed: list[ValidatorStake], amount: int, preferred: int
) -> None:
    """The rule as the program's source checks it, from the chosen account's side."""
    try:
        found = choose(amount, *listed, preferred=preferred)
    except QuoteError:
        return
    assert found.most.value >= amount
    has_active = any(one.active > TOLERANCE for one in listed)
    has_transient = any(one.transient > TOLERANCE for one in listed)
    if found.account == key(3):
        assert not has_active
        assert not has_transient
        return
    payer = next(one for one in listed if found.account in (active(one.validator_seed), transient(one.validator_seed)))
    assert payer.status == StakeStatus.ACTIVE
    assert found.account == (active if has_active else transient)(payer.validator_seed)
    held = payer.active if has_active else payer.transient
    assert held.value - amount >= KEPT.value
    first = next((one for one in listed if one.vote == key(preferred)), None)
    if first is not None and first.active > TOLERANCE:
        assert payer == first
