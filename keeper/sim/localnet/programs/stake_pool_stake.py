"""The stake-pool instructions that move stake accounts: DepositStake, WithdrawStake, UpdateValidatorListBalance.

Splits, merges and authority changes run in the real Stake program. Source: stake-pool ``processor.rs``.
"""

from __future__ import annotations

from solders.pubkey import Pubkey

from keeper.protocols.addresses import STAKE
from keeper.sim.localnet.interface import AccountView, InvokeContext
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.native_state import Delegation, StakeMeta, StakeState, read_stake
from keeper.sim.localnet.programs.stake_pool_session import PoolSession, accounts, require_program
from keeper.sim.localnet.programs.stake_pool_state import (
    ACTIVE_STATUS,
    MAX_VALIDATORS_TO_UPDATE,
    StakePoolError,
    ValidatorList,
    ValidatorRecord,
    deposit_authority,
    transient_stake_address,
    validator_stake_address,
)

MINIMUM_ACTIVE_STAKE = 1_000_000
"""Lamports a validator's stake must keep beside its rent (``lib.rs``; the cluster's minimum delegation is smaller)."""


def _delegated(account: AccountView) -> tuple[StakeMeta, Delegation]:
    state = read_stake(account)
    if state.meta is None or state.delegation is None:
        raise StakePoolError.WRONG_STAKE_STAKE.error()
    return state.meta, state.delegation


def _check_validator_stake(session: PoolSession, account: AccountView, record: ValidatorRecord) -> None:
    if account.key != validator_stake_address(session.view.key, record.vote, record.validator_seed_suffix):
        raise StakePoolError.INVALID_STAKE_ACCOUNT_ADDRESS.error()


def deposit_stake(ctx: InvokeContext, minimum_out: int | None) -> None:
    """Merge a user's active stake account into its validator's and mint pool tokens for it."""
    ctx.consume(15_000)
    views = accounts(ctx, 15)
    pool_view, validators, depositor, authority, stake, validator_stake, reserve, tokens_to = views[:8]
    manager_fee, referrer, mint, _, _, token, stake_program = views[8:]
    require_program(stake_program, STAKE)
    session = PoolSession.open(ctx, pool_view, authority)
    state = session.state
    if depositor.key != state.stake_deposit_authority:
        raise StakePoolError.INVALID_STAKE_DEPOSIT_AUTHORITY.error()
    session.check_mint(mint)
    session.check_validator_list(validators)
    session.check_reserve(reserve)
    session.check_token_program(token)
    session.check_fee_account(manager_fee)
    session.check_current()

    _, before = _delegated(validator_stake)
    lamports_before = validator_stake.lamports
    if state.preferred_deposit_validator not in (None, before.voter):
        raise StakePoolError.INCORRECT_DEPOSIT_VOTE_ADDRESS.error()
    listed = ValidatorList.decode(validators.data)
    record = listed.find(before.voter)
    _check_validator_stake(session, validator_stake, record)
    if record.status != ACTIVE_STATUS:
        raise StakePoolError.VALIDATOR_NOT_FOUND.error()

    own, bump = deposit_authority(pool_view.key)
    seeds = [(bytes(pool_view.key), b"deposit", bytes([bump]))] if depositor.key == own else []
    for withdrawer in (False, True):
        ctx.invoke(cpi.stake_authorize(stake.key, depositor.key, authority.key, withdrawer=withdrawer), seeds)
    ctx.invoke(cpi.stake_merge(validator_stake.key, stake.key, authority.key), [session.signer])

    _, after = _delegated(validator_stake)
    deposited = validator_stake.lamports - lamports_before
    staked = after.stake - before.stake
    gross = state.tokens_for_deposit(deposited)
    gross_of_stake = state.tokens_for_deposit(staked)
    fee = state.stake_deposit_fee.apply(gross_of_stake) + state.sol_deposit_fee.apply(gross - gross_of_stake)
    if fee > gross:
        raise StakePoolError.CALCULATION_FAILURE.error()
    referral = fee * state.stake_referral_fee // 100
    session.check_minted(gross - fee, minimum_out)
    session.mint(mint, tokens_to, gross - fee)
    session.mint(mint, manager_fee, fee - referral)
    session.mint(mint, referrer, referral)
    if deposited > staked:  # the rent of the merged account goes to the reserve
        ctx.invoke(
            cpi.stake_withdraw(validator_stake.key, reserve.key, authority.key, deposited - staked), [session.signer]
        )
    state.pool_token_supply += gross
    state.total_lamports += deposited
    session.store()
    record.active_lamports = validator_stake.lamports
    validators.data = listed.encode()


def withdraw_stake(ctx: InvokeContext, pool_tokens: int, minimum_out: int | None) -> None:
    """Split active stake worth ``pool_tokens`` into an empty stake account and hand it to the user."""
    ctx.consume(15_000)
    views = accounts(ctx, 13)
    pool_view, validators, authority, source, destination, new_authority, owner = views[:7]
    burn_from, manager_fee, mint, _, token, stake_program = views[7:]
    require_program(stake_program, STAKE)
    session = PoolSession.open(ctx, pool_view, None)
    state = session.state
    session.check_mint(mint)
    session.check_validator_list(validators)
    if authority.key != session.authority:
        raise StakePoolError.INVALID_PROGRAM_ADDRESS.error()
    session.check_fee_account(manager_fee)
    session.check_token_program(token)
    session.check_current()

    fee = 0 if session.is_fee_exempt(burn_from, manager_fee) else state.stake_withdrawal_fee.apply(pool_tokens)
    burnt, lamports = session.withdrawal(pool_tokens, fee, minimum_out)
    listed = ValidatorList.decode(validators.data)
    record = _withdraw_record(session, listed, source, lamports)

    ctx.invoke(cpi.burn(burn_from.key, mint.key, owner.key, burnt))
    ctx.invoke(cpi.stake_split(source.key, destination.key, authority.key, lamports), [session.signer])
    for withdrawer in (False, True):
        ctx.invoke(
            cpi.stake_authorize(destination.key, authority.key, new_authority.key, withdrawer=withdrawer),
            [session.signer],
        )
    if fee:
        decimals = mint.data[44]
        ctx.invoke(
            cpi.token_transfer_checked(
                burn_from.key, mint.key, manager_fee.key, owner.key, amount=fee, decimals=decimals
            )
        )
    state.pool_token_supply -= burnt
    state.total_lamports -= lamports
    session.store()
    if record is not None:
        record.active_lamports -= lamports
        validators.data = listed.encode()


def _withdraw_record(
    session: PoolSession, listed: ValidatorList, source: AccountView, lamports: int
) -> ValidatorRecord | None:
    """Whose stake may pay: the preferred validator's while it has any, then any active one, the reserve only last.

    None means the reserve. The pool keeps no transient stake and removes no validator in this model.
    """
    stake = read_stake(source)
    if stake.meta is None:
        raise StakePoolError.WRONG_STAKE_STAKE.error()
    state = session.state
    required = stake.meta.rent_exempt_reserve + MINIMUM_ACTIVE_STAKE
    per_token = -(-state.total_lamports // state.pool_token_supply)
    tolerance = required + per_token
    if source.key == state.reserve_stake:
        if any(record.active_lamports > tolerance for record in listed.records):
            session.ctx.log(
                "Error withdrawing from reserve: validator stake accounts have lamports available, "
                "please use those first."
            )
            raise StakePoolError.STAKE_LAMPORTS_NOT_EQUAL_TO_MINIMUM.error()
        if source.lamports - lamports < stake.meta.rent_exempt_reserve:
            raise StakePoolError.STAKE_LAMPORTS_NOT_EQUAL_TO_MINIMUM.error()
        return None
    if stake.delegation is None:
        raise StakePoolError.WRONG_STAKE_STAKE.error()
    preferred = state.preferred_withdraw_validator
    if preferred not in (None, stake.delegation.voter):
        available = listed.find(preferred).active_lamports - tolerance
        if available > 0:
            raise StakePoolError.INCORRECT_WITHDRAW_VOTE_ADDRESS.error()
    record = listed.find(stake.delegation.voter)
    _check_validator_stake(session, source, record)
    if record.status != ACTIVE_STATUS:
        raise StakePoolError.VALIDATOR_NOT_FOUND.error()
    if source.lamports - lamports < required:
        session.ctx.log(
            f"Attempting to withdraw {lamports} lamports from validator account with {source.lamports} stake lamports, "
            f"{required} must remain"
        )
        raise StakePoolError.STAKE_LAMPORTS_NOT_EQUAL_TO_MINIMUM.error()
    return record


def update_validator_list(ctx: InvokeContext, start: int, no_merge: bool) -> None:
    """Book the balances of up to four validators from ``start``, merging transient stake that is ripe."""
    ctx.consume(6_000)
    pool_view, authority, validators, reserve, _, _, stake_program = accounts(ctx, 7)
    pairs = ctx.accounts[7:]
    session = PoolSession.open(ctx, pool_view, authority)
    session.check_validator_list(validators)
    session.check_reserve(reserve)
    require_program(stake_program, STAKE)
    listed = ValidatorList.decode(validators.data)
    count = len(pairs) // 2
    if len(pairs) % 2 or start + count > len(listed.records) or count > MAX_VALIDATORS_TO_UPDATE:
        raise StakePoolError.UNEXPECTED_VALIDATOR_LIST_ACCOUNT_SIZE.error()
    for index in range(count):
        record = listed.records[start + index]
        active, transient = pairs[2 * index], pairs[2 * index + 1]
        if active.key != validator_stake_address(pool_view.key, record.vote, record.validator_seed_suffix):
            continue
        if transient.key != transient_stake_address(pool_view.key, record.vote, record.transient_seed_suffix):
            continue
        ctx.consume(3_000)
        record.transient_lamports = _book_transient(session, active, transient, reserve, no_merge)
        record.active_lamports = _book_active(session, active, reserve)
        record.last_update_epoch = ctx.clock.epoch
    validators.data = listed.encode()


def _usable(meta: StakeMeta | None, authority: Pubkey) -> bool:
    return meta is not None and meta.staker == authority and meta.withdrawer == authority


def _book_transient(
    session: PoolSession, active: AccountView, transient: AccountView, reserve: AccountView, no_merge: bool
) -> int:
    """Lamports still in transit after merging what is ripe: cooled down into the reserve, warmed up into the active."""
    state: StakeState = read_stake(transient)
    if not _usable(state.meta, session.authority):
        return 0
    if no_merge:
        return transient.lamports
    epoch = session.ctx.clock.epoch
    delegation = state.delegation
    target: AccountView | None = None
    if delegation is None or delegation.deactivation_epoch < epoch:
        target = reserve
    elif delegation.activation_epoch < epoch and read_stake(active).delegation is not None:
        target = active
    if target is None:
        return transient.lamports
    session.ctx.invoke(cpi.stake_merge(target.key, transient.key, session.authority), [session.signer])
    return 0


def _book_active(session: PoolSession, active: AccountView, reserve: AccountView) -> int:
    """Lamports of a validator's stake; what lies on the account beyond stake and rent is swept into the reserve."""
    state = read_stake(active)
    if state.meta is None or state.delegation is None:
        session.ctx.log("Validator stake account no longer part of the pool, ignoring")
        return 0
    surplus = active.lamports - state.delegation.stake - state.meta.rent_exempt_reserve
    if surplus > 0 and _usable(state.meta, session.authority):
        session.ctx.invoke(cpi.stake_withdraw(active.key, reserve.key, session.authority, surplus), [session.signer])
    return active.lamports
