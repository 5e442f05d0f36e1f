"""One stake-pool instruction at work: the decoded pool, the checks its instructions share, and its CPIs as authority."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from solders.pubkey import Pubkey

from keeper.protocols.addresses import STAKE_POOL_PROGRAM
from keeper.sim.localnet.interface import AccountView, InvokeContext, ProgramError
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.native_state import mint_supply, read_stake, read_token_account
from keeper.sim.localnet.programs.stake_pool_state import StakePoolError, StakePoolState, withdraw_authority


def accounts(ctx: InvokeContext, count: int) -> Sequence[AccountView]:
    """The first ``count`` accounts. Raises "NotEnoughAccountKeys"."""
    if len(ctx.accounts) < count:
        raise ProgramError("NotEnoughAccountKeys", f"{count} accounts wanted, {len(ctx.accounts)} given")
    return ctx.accounts[:count]


def require_program(account: AccountView, program: Pubkey) -> None:
    if account.key != program:
        raise ProgramError("IncorrectProgramId", f"expected program {program}, received {account.key}")


@dataclass(slots=True)
class PoolSession:
    """``state`` is changed in place and written back by ``store``."""

    ctx: InvokeContext
    view: AccountView
    state: StakePoolState
    authority: Pubkey
    signer: cpi.Seeds

    @classmethod
    def open(cls, ctx: InvokeContext, view: AccountView, authority: AccountView | None) -> PoolSession:
        """Decodes and checks the pool account and, where the instruction has it, the withdraw authority."""
        if view.owner != STAKE_POOL_PROGRAM:
            raise ProgramError("IncorrectProgramId", f"{view.key} is not owned by the stake-pool program")
        state = StakePoolState.decode(view.data)
        expected, bump = withdraw_authority(view.key)
        if authority is not None and (authority.key != expected or state.stake_withdraw_bump_seed != bump):
            raise StakePoolError.INVALID_PROGRAM_ADDRESS.error()
        return cls(ctx, view, state, expected, (bytes(view.key), b"withdraw", bytes([bump])))

    def store(self) -> None:
        self.view.data = self.state.encode()

    # checks

    def check_mint(self, mint: AccountView) -> None:
        if mint.key != self.state.pool_mint:
            raise StakePoolError.WRONG_POOL_MINT.error()
        mint_supply(mint)

    def check_reserve(self, reserve: AccountView) -> None:
        if reserve.key != self.state.reserve_stake:
            raise StakePoolError.INVALID_PROGRAM_ADDRESS.error()

    def check_token_program(self, token: AccountView) -> None:
        require_program(token, self.state.token_program)

    def check_fee_account(self, account: AccountView) -> None:
        if account.key != self.state.manager_fee_account:
            raise StakePoolError.INVALID_FEE_ACCOUNT.error()

    def check_validator_list(self, validators: AccountView) -> None:
        if validators.key != self.state.validator_list:
            raise StakePoolError.INVALID_VALIDATOR_STAKE_LIST.error()
        if validators.owner != STAKE_POOL_PROGRAM:
            raise ProgramError("IncorrectProgramId")

    def check_current(self) -> None:
        """The epoch rule: no deposit or withdrawal before the pool was updated in this epoch."""
        if self.state.last_update_epoch < self.ctx.clock.epoch:
            raise StakePoolError.STAKE_LIST_AND_POOL_OUT_OF_DATE.error()

    def check_minted(self, user_tokens: int, minimum_out: int | None) -> None:
        if user_tokens == 0:
            raise StakePoolError.DEPOSIT_TOO_SMALL.error()
        if minimum_out is not None and user_tokens < minimum_out:
            raise StakePoolError.EXCEEDED_SLIPPAGE.error()

    def fee_account_is_valid(self, account: AccountView) -> bool:
        """A broken fee account forfeits its fees instead of blocking withdrawals and updates."""
        try:
            return read_token_account(account).mint == self.state.pool_mint
        except ProgramError:
            return False

    def is_fee_exempt(self, burn_from: AccountView, manager_fee: AccountView) -> bool:
        """The manager pays himself no withdrawal fee; nor is one due to a fee account that cannot take it."""
        return burn_from.key == self.state.manager_fee_account or not self.fee_account_is_valid(manager_fee)

    def reserve_minimum(self, reserve: AccountView) -> int:
        """Lamports that must stay in the reserve: its rent-exempt balance."""
        stake = read_stake(reserve)
        if stake.meta is None or stake.delegation is not None:
            raise StakePoolError.WRONG_STAKE_STAKE.error()
        return stake.meta.rent_exempt_reserve

    # amounts

    def withdrawal(self, pool_tokens: int, fee: int, minimum_out: int | None) -> tuple[int, int]:
        """(pool tokens to burn, lamports they are worth). Raises 28 and 39."""
        if fee > pool_tokens:
            raise StakePoolError.CALCULATION_FAILURE.error()
        burnt = pool_tokens - fee
        lamports = self.state.lamports_for(burnt)
        if lamports == 0:
            raise StakePoolError.WITHDRAWAL_TOO_SMALL.error()
        if minimum_out is not None and lamports < minimum_out:
            raise StakePoolError.EXCEEDED_SLIPPAGE.error()
        return burnt, lamports

    # CPIs

    def mint(self, mint: AccountView, destination: AccountView, amount: int) -> None:
        """Mint pool tokens as the withdraw authority; nothing for a zero amount."""
        if amount:
            self.ctx.invoke(cpi.mint_to(mint.key, destination.key, self.authority, amount), [self.signer])

    def take_tokens(
        self,
        mint: AccountView,
        source: AccountView,
        owner: AccountView,
        manager_fee: AccountView,
        *,
        burnt: int,
        fee: int,
    ) -> None:
        """Burn ``burnt`` of the user's pool tokens and pass ``fee`` to the manager, under the user's signature."""
        self.ctx.invoke(cpi.burn(source.key, mint.key, owner.key, burnt))
        if fee:
            decimals = mint.data[44]
            self.ctx.invoke(
                cpi.token_transfer_checked(
                    source.key, mint.key, manager_fee.key, owner.key, amount=fee, decimals=decimals
                )
            )
