"""Model of Glow's liquid restaking program (LRtc6q...): SOL or sSOL in, glowSOL out, and the 7-day queue back to SOL.

Rules: ``total assets`` = liquid SOL + value of the sSOL vault at the stake pool's rate - lamports promised to the queue;
``outstanding`` = glowSOL supply - shares in escrow. Every division rounds down, so no user action lowers the rate between
them. Account orders and layouts: ``glow_lrt_idl``.
"""

from __future__ import annotations

from collections.abc import Callable

from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_LRT, SYSTEM
from keeper.sim.localnet.interface import AccountView, InvokeContext
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.anchor import (
    AnchorError,
    instruction_discriminator,
    require_program,
    require_signer,
    require_token_program,
    take_accounts,
    token_account,
)
from keeper.sim.localnet.programs.borsh import Reader, i64, u8, u16, u32, u64
from keeper.sim.localnet.programs.glow_lrt_session import LrtSession, open_queue
from keeper.sim.localnet.programs.glow_lrt_staking import restake, unrestake
from keeper.sim.localnet.programs.glow_lrt_state import (
    BPS,
    FREE_SLOT,
    QUEUE_SIZE,
    LrtError,
    PendingWithdrawal,
    PendingWithdrawals,
    assets_for,
    cancelled_shares,
    queue_address,
    shares_for,
)


class GlowLrtProgram:
    """The model at ``LRtc6q...``."""

    program_id: Pubkey = GLOW_LRT
    name = "glow_lrt"

    def process(self, ctx: InvokeContext) -> None:
        handler = _HANDLERS.get(ctx.data[:8])
        if handler is None:
            raise AnchorError.INSTRUCTION_FALLBACK_NOT_FOUND.error()
        name, run = handler
        ctx.log(f"Instruction: {name}")
        run(ctx, Reader(ctx.data, 8, error=AnchorError.INSTRUCTION_DID_NOT_DESERIALIZE.error()))


def _deposit_sol(ctx: InvokeContext, args: Reader) -> None:
    ctx.consume(18_000)
    lamports, minimum_shares = args.u64(), args.u64()
    owner, pool, glowsol_mint, owner_shares, ssol_vault, stake_pool, token, system = take_accounts(ctx, 8)
    require_signer(owner, "owner")
    require_token_program(token)
    require_program(system, SYSTEM, "system_program")
    session = LrtSession.open(ctx, pool, glowsol_mint)
    shares = _deposit_shares(session, ssol_vault, stake_pool, lamports, minimum_shares)
    token_account(owner_shares, glowsol_mint.key, "owner_shares")
    ctx.invoke(cpi.system_transfer(owner.key, pool.key, lamports))
    session.mint(glowsol_mint, owner_shares, shares)
    _deposited(session, owner, lamports, 0, shares)


def _deposit_stake(ctx: InvokeContext, args: Reader) -> None:
    ctx.consume(18_000)
    amount, minimum_shares = args.u64(), args.u64()
    owner, pool, glowsol_mint, owner_shares, ssol_vault, owner_ssol, ssol_mint, stake_pool, token = take_accounts(
        ctx, 9
    )
    require_signer(owner, "owner")
    require_token_program(token)
    session = LrtSession.open(ctx, pool, glowsol_mint)
    session.require(ssol_mint, session.state.ssol_mint, "ssol_mint")
    assets = session.stake_pool(stake_pool).lamports_for(amount)
    shares = _deposit_shares(session, ssol_vault, stake_pool, assets, minimum_shares)
    token_account(owner_shares, glowsol_mint.key, "owner_shares")
    token_account(owner_ssol, ssol_mint.key, "owner_ssol")
    decimals = ssol_mint.data[44]
    ctx.invoke(
        cpi.token_transfer_checked(
            owner_ssol.key, ssol_mint.key, ssol_vault.key, owner.key, amount=amount, decimals=decimals
        )
    )
    session.mint(glowsol_mint, owner_shares, shares)
    _deposited(session, owner, assets, amount, shares)


def _deposit_shares(
    session: LrtSession, ssol_vault: AccountView, stake_pool: AccountView, assets: int, minimum_shares: int
) -> int:
    """Shares for ``assets`` lamports under all of a deposit's conditions."""
    if session.state.paused:
        raise LrtError.POOL_PAUSED.error()
    if assets == 0:
        raise LrtError.ZERO_AMOUNT.error()
    if session.stake_pool(stake_pool).last_update_epoch < session.ctx.clock.epoch:
        # A stale rate is too low: a deposit at it would take rewards that holders have already earned.
        raise LrtError.STAKE_POOL_OUT_OF_DATE.error()
    total = session.total_assets(ssol_vault, stake_pool)
    if total + assets > session.state.deposit_cap:
        raise LrtError.DEPOSIT_CAP_EXCEEDED.error()
    shares = shares_for(assets, total, session.outstanding)
    if shares == 0:
        raise LrtError.ZERO_AMOUNT.error()
    if shares < minimum_shares:
        session.ctx.log(f"{shares} shares are below the minimum {minimum_shares}")
        raise LrtError.SLIPPAGE_EXCEEDED.error()
    return shares


def _deposited(session: LrtSession, owner: AccountView, assets: int, ssol_amount: int, shares: int) -> None:
    session.emit("Deposited", bytes(owner.key) + u64(assets) + u64(ssol_amount) + u64(shares))


def _create_queue(ctx: InvokeContext, _: Reader) -> None:
    ctx.consume(8_000)
    owner, pool, queue, system = take_accounts(ctx, 4)
    require_signer(owner, "owner")
    require_program(system, SYSTEM, "system_program")
    LrtSession.open(ctx, pool, None)
    address, bump = queue_address(pool.key, owner.key)
    if queue.key != address:
        raise AnchorError.CONSTRAINT_SEEDS.error("pending_withdrawals")
    seeds = (b"pending_withdrawals", bytes(pool.key), bytes(owner.key), bytes([bump]))
    cpi.create_program_account(ctx, owner, queue, QUEUE_SIZE, seeds)
    queue.data = PendingWithdrawals(owner.key, pool.key).encode()


def _initiate(ctx: InvokeContext, args: Reader) -> None:
    ctx.consume(20_000)
    shares = args.u64()
    owner, pool, glowsol_mint, owner_shares, escrow, ssol_vault, stake_pool, queue_view, token = take_accounts(ctx, 9)
    require_token_program(token)
    session = LrtSession.open(ctx, pool, glowsol_mint)
    state = session.state
    session.require(escrow, state.share_escrow, "share_escrow")
    queue = open_queue(queue_view, pool, owner)
    token_account(owner_shares, glowsol_mint.key, "owner_shares")
    if shares == 0:
        raise LrtError.ZERO_AMOUNT.error()
    free = next((index for index, slot in enumerate(queue.slots) if slot.is_free), None)
    if free is None:
        raise LrtError.TOO_MANY_PENDING_WITHDRAWALS.error()
    # Before the request is priced, so that more shares than are held fail as the token program's insufficient funds.
    total, outstanding = session.total_assets(ssol_vault, stake_pool), session.outstanding
    ctx.invoke(cpi.token_transfer(owner_shares.key, escrow.key, owner.key, shares))
    assets = assets_for(shares, total, outstanding)
    if assets == 0:
        raise LrtError.ZERO_AMOUNT.error()
    request = PendingWithdrawal(assets, shares, ctx.clock.unix_timestamp, state.waiting_period)
    queue.slots[free] = request
    queue_view.data = queue.encode()
    state.pending_assets += assets
    state.pending_shares += shares
    session.store()
    payload = bytes(owner.key) + u8(free) + u64(assets) + u64(shares) + i64(request.ripe_at)
    session.emit("WithdrawalInitiated", payload)


def _execute(ctx: InvokeContext, args: Reader) -> None:
    ctx.consume(16_000)
    index = args.u8()
    owner, pool, glowsol_mint, escrow, queue_view, token = take_accounts(ctx, 6)
    require_token_program(token)
    session = LrtSession.open(ctx, pool, glowsol_mint)
    session.require(escrow, session.state.share_escrow, "share_escrow")
    queue = open_queue(queue_view, pool, owner)
    request = queue.taken(index)
    if ctx.clock.unix_timestamp < request.ripe_at:
        raise LrtError.WAITING_PERIOD_NOT_PASSED.error()
    session.check_reserve_after(request.pending_assets)
    ctx.invoke(cpi.burn(escrow.key, glowsol_mint.key, pool.key, request.pending_shares), [session.state.seeds])
    pool.lamports -= request.pending_assets
    owner.lamports += request.pending_assets
    _release(session, queue_view, queue, index)
    payload = bytes(owner.key) + u8(index) + u64(request.pending_assets) + u64(request.pending_shares)
    session.emit("WithdrawalExecuted", payload)


def _cancel(ctx: InvokeContext, args: Reader) -> None:
    ctx.consume(20_000)
    index = args.u8()
    owner, pool, glowsol_mint, owner_shares, escrow, ssol_vault, stake_pool, queue_view, token = take_accounts(ctx, 9)
    require_token_program(token)
    session = LrtSession.open(ctx, pool, glowsol_mint)
    state = session.state
    session.require(escrow, state.share_escrow, "share_escrow")
    token_account(owner_shares, glowsol_mint.key, "owner_shares")
    queue = open_queue(queue_view, pool, owner)
    request = queue.taken(index)
    total = session.total_assets(ssol_vault, stake_pool)
    returned = cancelled_shares(request, total, session.outstanding, state.cancel_fee_bps)
    burnt = request.pending_shares - returned
    if returned:
        ctx.invoke(cpi.token_transfer(escrow.key, owner_shares.key, pool.key, returned), [state.seeds])
    if burnt:
        ctx.invoke(cpi.burn(escrow.key, glowsol_mint.key, pool.key, burnt), [state.seeds])
    _release(session, queue_view, queue, index)
    payload = bytes(owner.key) + u8(index) + u64(request.pending_assets) + u64(returned) + u64(burnt)
    session.emit("WithdrawalCancelled", payload)


def _release(session: LrtSession, queue_view: AccountView, queue: PendingWithdrawals, index: int) -> None:
    """Free a slot and take it off the pool's totals."""
    request = queue.slots[index]
    queue.slots[index] = FREE_SLOT
    queue_view.data = queue.encode()
    session.state.pending_assets -= request.pending_assets
    session.state.pending_shares -= request.pending_shares
    session.store()


def _close_queue(ctx: InvokeContext, _: Reader) -> None:
    ctx.consume(5_000)
    owner, pool, queue_view = take_accounts(ctx, 3)
    queue = open_queue(queue_view, pool, owner)
    if any(not slot.is_free for slot in queue.slots):
        raise LrtError.PENDING_WITHDRAWALS_NOT_EMPTY.error()
    queue_view.data = b""
    owner.lamports += queue_view.lamports
    queue_view.lamports = 0


def _configure(ctx: InvokeContext, args: Reader) -> None:
    ctx.consume(3_100)
    paused, deposit_cap, waiting_period, cancel_fee_bps = args.flag(), args.u64(), args.u32(), args.u16()
    admin, pool = take_accounts(ctx, 2)
    session = LrtSession.open(ctx, pool, None)
    session.check_admin(admin)
    if waiting_period == 0 or cancel_fee_bps > BPS:
        raise LrtError.INVALID_CONFIGURATION.error()
    state = session.state
    state.paused, state.deposit_cap = paused, deposit_cap
    state.waiting_period, state.cancel_fee_bps = waiting_period, cancel_fee_bps
    session.store()
    session.emit("PoolConfigured", u8(paused) + u64(deposit_cap) + u32(waiting_period) + u16(cancel_fee_bps))


_HANDLERS: dict[bytes, tuple[str, Callable[[InvokeContext, Reader], None]]] = {
    instruction_discriminator(name): ("".join(word.capitalize() for word in name.split("_")), run)
    for name, run in {
        "deposit_sol": _deposit_sol,
        "deposit_stake": _deposit_stake,
        "create_pending_withdrawals": _create_queue,
        "initiate_withdrawal": _initiate,
        "execute_withdrawal": _execute,
        "cancel_pending_withdrawal": _cancel,
        "close_pending_withdrawal": _close_queue,
        "configure_pool": _configure,
        "solayer_restake": restake,
        "solayer_unrestake": unrestake,
    }.items()
}
