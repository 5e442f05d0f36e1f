"""One instruction of the modelled glowSOL program at work: its pool, the totals of the pool, checks and CPIs as the pool."""

from __future__ import annotations

from dataclasses import dataclass

from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_LRT, STAKE_POOL_PROGRAM
from keeper.sim.localnet.interface import AccountView, InvokeContext
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.anchor import (
    AnchorError,
    event_discriminator,
    require_key,
    require_signer,
    state_bytes,
    token_account,
)
from keeper.sim.localnet.programs.glow_lrt_state import (
    POOL_DISCRIMINATOR,
    QUEUE_DISCRIMINATOR,
    LrtError,
    LrtPool,
    PendingWithdrawals,
    checked_u64,
    pool_address,
    queue_address,
)
from keeper.sim.localnet.programs.native_state import mint_supply
from keeper.sim.localnet.programs.stake_pool_state import StakePoolState


@dataclass(slots=True)
class LrtSession:
    """``state`` is changed in place and written back by ``store``. ``supply``: glowSOL in existence at the start."""

    ctx: InvokeContext
    pool: AccountView
    state: LrtPool
    supply: int

    @classmethod
    def open(cls, ctx: InvokeContext, pool: AccountView, glowsol_mint: AccountView | None) -> LrtSession:
        """Decodes and checks the pool and, where the instruction has it, its share mint."""
        state = LrtPool.decode(state_bytes(pool, GLOW_LRT, POOL_DISCRIMINATOR, "pool"))
        if pool.key != pool_address(state.glowsol_mint)[0]:
            raise AnchorError.CONSTRAINT_SEEDS.error("pool")
        supply = 0
        if glowsol_mint is not None:
            require_key(glowsol_mint, state.glowsol_mint, "glowsol_mint")
            supply = mint_supply(glowsol_mint)
        return cls(ctx, pool, state, supply)

    def store(self) -> None:
        self.pool.data = self.state.encode()

    @staticmethod
    def require(account: AccountView, expected: Pubkey, name: str) -> None:
        require_key(account, expected, name)

    def check_admin(self, admin: AccountView) -> None:
        require_signer(admin, "admin")
        if admin.key != self.state.admin:
            raise LrtError.UNAUTHORIZED.error()

    # totals

    @property
    def liquid(self) -> int:
        """Lamports above rent exemption."""
        return checked_u64(self.pool.lamports - self.ctx.rent_exempt(len(self.pool.data)))

    @property
    def outstanding(self) -> int:
        """Shares that are not in escrow."""
        return checked_u64(self.supply - self.state.pending_shares)

    def stake_pool(self, account: AccountView) -> StakePoolState:
        require_key(account, self.state.stake_pool, "stake_pool")
        if account.owner != STAKE_POOL_PROGRAM:
            raise AnchorError.ACCOUNT_OWNED_BY_WRONG_PROGRAM.error("stake_pool")
        return StakePoolState.decode(account.data)

    def total_assets(self, ssol_vault: AccountView, stake_pool: AccountView) -> int:
        """Lamports that belong to the outstanding shares."""
        require_key(ssol_vault, self.state.ssol_vault, "ssol_vault")
        staked = token_account(ssol_vault, self.state.ssol_mint, "ssol_vault", self.pool.key).amount
        value = self.stake_pool(stake_pool).lamports_for(staked)
        return checked_u64(self.liquid + value - self.state.pending_assets)

    def check_reserve_after(self, lamports: int) -> None:
        """``lamports`` may leave the pool only above its minimum reserve."""
        available = max(0, self.liquid - self.state.minimum_reserve)
        if lamports > available:
            self.ctx.log(f"{lamports} lamports wanted, {available} available above the minimum reserve")
            raise LrtError.MINIMUM_RESERVE_BREACHED.error()

    # effects

    def mint(self, glowsol_mint: AccountView, destination: AccountView, shares: int) -> None:
        self.ctx.invoke(cpi.mint_to(glowsol_mint.key, destination.key, self.pool.key, shares), [self.state.seeds])

    def emit(self, event: str, payload: bytes) -> None:
        """An Anchor event; its first field is always the pool."""
        self.ctx.emit(event_discriminator(event) + bytes(self.pool.key) + payload)


def open_queue(account: AccountView, pool: AccountView, owner: AccountView) -> PendingWithdrawals:
    """The queue of ``owner``, who must have signed."""
    require_signer(owner, "owner")
    queue = PendingWithdrawals.decode(state_bytes(account, GLOW_LRT, QUEUE_DISCRIMINATOR, "pending_withdrawals"))
    if account.key != queue_address(pool.key, owner.key)[0]:
        raise AnchorError.CONSTRAINT_SEEDS.error("pending_withdrawals")
    return queue
