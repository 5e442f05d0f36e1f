"""Model of the SPL stake pool program (SPoo1...): deposits, withdrawals and the epoch's updates.

Order of checks, rounding and errors follow solana-program/stake-pool ``processor.rs``. SOL and stake move by CPI into the
real System, Stake and SPL Token programs. Not modelled (``InvalidInstructionData``): the instructions of the pool's manager
and staker. Error 43 does not occur: the localnet pays an epoch's rewards at once.
"""

from __future__ import annotations

from collections.abc import Sequence

from solders.pubkey import Pubkey

from keeper.protocols.addresses import STAKE, STAKE_POOL_PROGRAM, SYSTEM
from keeper.sim.localnet.interface import AccountView, InvokeContext, ProgramError
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.borsh import Reader
from keeper.sim.localnet.programs.native_state import mint_supply
from keeper.sim.localnet.programs.stake_pool_session import PoolSession, accounts, require_program
from keeper.sim.localnet.programs.stake_pool_stake import deposit_stake, update_validator_list, withdraw_stake
from keeper.sim.localnet.programs.stake_pool_state import StakePoolError, ValidatorList


class StakePoolProgram:
    """The model at ``SPoo1...``. Compute charged for its own work makes totals those measured on the real binary."""

    program_id: Pubkey = STAKE_POOL_PROGRAM
    name = "spl_stake_pool"

    def process(self, ctx: InvokeContext) -> None:
        reader = Reader(ctx.data)
        tag = reader.u8()
        if tag == 6:
            start, no_merge = reader.u32(), reader.flag()
            ctx.log("Instruction: UpdateValidatorListBalance")
            update_validator_list(ctx, start, no_merge)
        elif tag == 7:
            ctx.log("Instruction: UpdateStakePoolBalance")
            _update_pool(ctx)
        elif tag == 8:
            ctx.log("Instruction: CleanupRemovedValidatorEntries")
            _cleanup(ctx)
        elif tag in (9, 23):
            ctx.log("Instruction: DepositStake")
            deposit_stake(ctx, reader.u64() if tag == 23 else None)
        elif tag in (10, 24):
            ctx.log("Instruction: WithdrawStake")
            withdraw_stake(ctx, reader.u64(), reader.u64() if tag == 24 else None)
        elif tag in (14, 25):
            ctx.log("Instruction: DepositSol")
            _deposit_sol(ctx, reader.u64(), reader.u64() if tag == 25 else None)
        elif tag in (16, 26):
            ctx.log("Instruction: WithdrawSol")
            _withdraw_sol(ctx, reader.u64(), reader.u64() if tag == 26 else None)
        else:
            raise ProgramError("InvalidInstructionData", f"stake-pool instruction {tag} is not modelled")


def _require_authority(optional: Sequence[AccountView], expected: Pubkey | None, wrong: StakePoolError) -> None:
    """A pool may demand that a set authority signs SOL deposits or withdrawals."""
    if expected is None:
        return
    if not optional:
        raise ProgramError("NotEnoughAccountKeys")
    if optional[0].key != expected:
        raise wrong.error()
    if not optional[0].is_signer:
        raise StakePoolError.SIGNATURE_MISSING.error()


def _deposit_sol(ctx: InvokeContext, lamports: int, minimum_out: int | None) -> None:
    ctx.consume(11_700)
    pool_view, authority, reserve, payer, tokens_to, manager_fee, referrer, mint, system, token = accounts(ctx, 10)
    session = PoolSession.open(ctx, pool_view, authority)
    state = session.state
    _require_authority(ctx.accounts[10:], state.sol_deposit_authority, StakePoolError.INVALID_SOL_DEPOSIT_AUTHORITY)
    session.check_mint(mint)
    session.check_reserve(reserve)
    session.check_token_program(token)
    require_program(system, SYSTEM)
    session.check_fee_account(manager_fee)
    session.check_current()

    gross = state.tokens_for_deposit(lamports)
    fee = state.sol_deposit_fee.apply(gross)
    if fee > gross:
        raise StakePoolError.CALCULATION_FAILURE.error()
    user = gross - fee
    referral = fee * state.sol_referral_fee // 100
    session.check_minted(user, minimum_out)
    if payer.key != reserve.key:
        ctx.invoke(cpi.system_transfer(payer.key, reserve.key, lamports))
    session.mint(mint, tokens_to, user)
    session.mint(mint, manager_fee, fee - referral)
    session.mint(mint, referrer, referral)
    state.pool_token_supply += gross
    state.total_lamports += lamports
    session.store()


def _withdraw_sol(ctx: InvokeContext, pool_tokens: int, minimum_out: int | None) -> None:
    ctx.consume(17_300)
    (pool_view, authority, owner, burn_from, reserve, recipient, manager_fee, mint, _, _, stake, token) = accounts(
        ctx, 12
    )
    session = PoolSession.open(ctx, pool_view, authority)
    state = session.state
    _require_authority(ctx.accounts[12:], state.sol_withdraw_authority, StakePoolError.INVALID_SOL_WITHDRAW_AUTHORITY)
    session.check_mint(mint)
    session.check_reserve(reserve)
    session.check_token_program(token)
    require_program(stake, STAKE)
    session.check_fee_account(manager_fee)
    session.check_current()

    fee = 0 if session.is_fee_exempt(burn_from, manager_fee) else state.sol_withdrawal_fee.apply(pool_tokens)
    burnt, lamports = session.withdrawal(pool_tokens, fee, minimum_out)
    minimum_reserve = session.reserve_minimum(reserve)
    if reserve.lamports - lamports < minimum_reserve:
        available = max(0, reserve.lamports - minimum_reserve)
        ctx.log(f"Attempting to withdraw {lamports} lamports, maximum possible SOL withdrawal is {available} lamports")
        raise StakePoolError.SOL_WITHDRAWAL_TOO_LARGE.error()
    session.take_tokens(mint, burn_from, owner, manager_fee, burnt=burnt, fee=fee)
    ctx.invoke(cpi.stake_withdraw(reserve.key, recipient.key, authority.key, lamports), [session.signer])
    state.pool_token_supply -= burnt
    state.total_lamports -= lamports
    session.store()


def _update_pool(ctx: InvokeContext) -> None:
    ctx.consume(8_000)
    pool_view, authority, validators, reserve, manager_fee, mint, token = accounts(ctx, 7)
    session = PoolSession.open(ctx, pool_view, authority)
    state = session.state
    session.check_mint(mint)
    session.check_reserve(reserve)
    session.check_fee_account(manager_fee)
    session.check_validator_list(validators)
    session.check_token_program(token)

    previous_lamports, previous_supply = state.total_lamports, state.pool_token_supply
    total = reserve.lamports - session.reserve_minimum(reserve)
    if total < 0:
        raise StakePoolError.CALCULATION_FAILURE.error()
    for record in ValidatorList.decode(validators.data).records:
        if record.last_update_epoch < ctx.clock.epoch:
            raise StakePoolError.STAKE_LIST_OUT_OF_DATE.error()
        total += record.lamports
    if session.fee_account_is_valid(manager_fee):
        session.mint(mint, manager_fee, state.epoch_fee_tokens(max(0, total - previous_lamports)))
    if state.last_update_epoch < ctx.clock.epoch:
        state.turn_epoch(ctx.clock.epoch, previous_lamports, previous_supply)
    state.total_lamports = total
    state.pool_token_supply = mint_supply(mint)
    session.store()


def _cleanup(ctx: InvokeContext) -> None:
    """Drops entries that are ready for removal (status 3)."""
    ctx.consume(2_000)
    pool_view, validators = accounts(ctx, 2)
    session = PoolSession.open(ctx, pool_view, None)
    session.check_validator_list(validators)
    listed = ValidatorList.decode(validators.data)
    kept = [record for record in listed.records if record.status != 3]
    if len(kept) != len(listed.records):
        listed.records = kept
        validators.data = listed.encode()
