"""The admin's side of the modelled glowSOL program: liquid SOL into sSOL and back, by CPI through stake pool and Solayer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.protocols.addresses import (
    CLOCK_SYSVAR,
    SOLAYER_RESTAKING,
    SPL_TOKEN,
    STAKE,
    STAKE_HISTORY_SYSVAR,
    STAKE_POOL_PROGRAM,
    SYSTEM,
)
from keeper.sim.localnet.interface import AccountView, InvokeContext
from keeper.sim.localnet.programs import cpi, solayer
from keeper.sim.localnet.programs.anchor import (
    AnchorError,
    require_key,
    require_program,
    require_token_program,
    take_accounts,
    token_account,
)
from keeper.sim.localnet.programs.borsh import Reader, u64
from keeper.sim.localnet.programs.glow_lrt_session import LrtSession
from keeper.sim.localnet.programs.glow_lrt_state import LrtError, staging_address


@dataclass(frozen=True, slots=True)
class StakingAccounts:
    """The accounts that both instructions share, in their order."""

    admin: AccountView
    pool: AccountView
    ssol_vault: AccountView
    pool_lst: AccountView
    lst_mint: AccountView
    ssol_mint: AccountView
    stake_pool: AccountView
    withdraw_authority: AccountView
    reserve_stake: AccountView
    manager_fee: AccountView
    restaking_pool: AccountView
    lst_vault: AccountView
    stake_pool_program: AccountView
    restaking_program: AccountView
    associated_token_program: AccountView
    token_program: AccountView
    system_program: AccountView


SHARED_ACCOUNTS = 17


def _open(ctx: InvokeContext, extra: int) -> tuple[StakingAccounts, Sequence[AccountView], LrtSession]:
    views = take_accounts(ctx, SHARED_ACCOUNTS + extra)
    accounts = StakingAccounts(*views[:SHARED_ACCOUNTS])
    session = LrtSession.open(ctx, accounts.pool, None)
    state = session.state
    session.check_admin(accounts.admin)
    require_key(accounts.ssol_vault, state.ssol_vault, "ssol_vault")
    require_key(accounts.lst_mint, state.lst_mint, "lst_mint")
    require_key(accounts.ssol_mint, state.ssol_mint, "ssol_mint")
    require_key(accounts.stake_pool, state.stake_pool, "stake_pool")
    require_key(accounts.restaking_pool, state.restaking_pool, "restaking_pool")
    require_program(accounts.stake_pool_program, STAKE_POOL_PROGRAM, "stake_pool_program")
    require_program(accounts.restaking_program, SOLAYER_RESTAKING, "restaking_program")
    require_token_program(accounts.token_program)
    token_account(accounts.pool_lst, state.lst_mint, "pool_lst", accounts.pool.key)
    return accounts, views[SHARED_ACCOUNTS:], session


def restake(ctx: InvokeContext, args: Reader) -> None:
    """Liquid SOL -> stake pool LST -> sSOL in the vault. The pool keeps its minimum reserve."""
    ctx.consume(14_000)
    lamports = args.u64()
    accounts, (staging,), session = _open(ctx, 1)
    if lamports == 0:
        raise LrtError.ZERO_AMOUNT.error()
    session.check_reserve_after(lamports)
    address, bump = staging_address(accounts.pool.key)
    if staging.key != address:
        raise AnchorError.CONSTRAINT_SEEDS.error("sol_staging")
    accounts.pool.lamports -= lamports
    staging.lamports += lamports
    before = token_account(accounts.pool_lst, session.state.lst_mint, "pool_lst").amount
    seeds = (b"sol_staging", bytes(accounts.pool.key), bytes([bump]))
    ctx.invoke(_deposit_sol(accounts, staging.key, lamports), [seeds])
    minted = token_account(accounts.pool_lst, session.state.lst_mint, "pool_lst").amount - before
    ctx.invoke(_convert(accounts, solayer.RESTAKE, minted), [session.state.seeds])
    session.emit("Restaked", u64(lamports) + u64(minted))


def unrestake(ctx: InvokeContext, args: Reader) -> None:
    """sSOL of the vault -> LST -> liquid SOL, as far as the stake pool's reserve reaches (its error 35)."""
    ctx.consume(14_000)
    amount = args.u64()
    accounts, _, session = _open(ctx, 3)
    if amount == 0:
        raise LrtError.ZERO_AMOUNT.error()
    before = accounts.pool.lamports
    ctx.invoke(_convert(accounts, solayer.UNRESTAKE, amount), [session.state.seeds])
    ctx.invoke(_withdraw_sol(accounts, amount), [session.state.seeds])
    session.emit("Unrestaked", u64(amount) + u64(accounts.pool.lamports - before))


def _deposit_sol(accounts: StakingAccounts, payer: Pubkey, lamports: int) -> Instruction:
    metas = [
        cpi.writable(accounts.stake_pool.key),
        cpi.readonly(accounts.withdraw_authority.key),
        cpi.writable(accounts.reserve_stake.key),
        cpi.writable(payer, True),
        cpi.writable(accounts.pool_lst.key),
        cpi.writable(accounts.manager_fee.key),
        cpi.writable(accounts.pool_lst.key),
        cpi.writable(accounts.lst_mint.key),
        cpi.readonly(SYSTEM),
        cpi.readonly(SPL_TOKEN),
    ]
    return Instruction(STAKE_POOL_PROGRAM, b"\x0e" + u64(lamports), metas)


def _withdraw_sol(accounts: StakingAccounts, pool_tokens: int) -> Instruction:
    metas = [
        cpi.writable(accounts.stake_pool.key),
        cpi.readonly(accounts.withdraw_authority.key),
        cpi.readonly(accounts.pool.key, True),
        cpi.writable(accounts.pool_lst.key),
        cpi.writable(accounts.reserve_stake.key),
        cpi.writable(accounts.pool.key),
        cpi.writable(accounts.manager_fee.key),
        cpi.writable(accounts.lst_mint.key),
        cpi.readonly(CLOCK_SYSVAR),
        cpi.readonly(STAKE_HISTORY_SYSVAR),
        cpi.readonly(STAKE),
        cpi.readonly(SPL_TOKEN),
    ]
    return Instruction(STAKE_POOL_PROGRAM, b"\x10" + u64(pool_tokens), metas)


def _convert(accounts: StakingAccounts, discriminator: bytes, amount: int) -> Instruction:
    metas = [
        cpi.writable(accounts.pool.key, True),
        cpi.readonly(accounts.lst_mint.key),
        cpi.writable(accounts.pool_lst.key),
        cpi.writable(accounts.ssol_vault.key),
        cpi.writable(accounts.ssol_mint.key),
        cpi.writable(accounts.lst_vault.key),
        cpi.readonly(accounts.restaking_pool.key),
        cpi.readonly(accounts.associated_token_program.key),
        cpi.readonly(SPL_TOKEN),
        cpi.readonly(SYSTEM),
    ]
    return Instruction(SOLAYER_RESTAKING, discriminator + u64(amount), metas)
