"""One call of a pool: its state, what it signs for, and what it reports to the margin program and in events."""

from __future__ import annotations

from dataclasses import dataclass

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_MARGIN_POOL, SYSTEM, TOKEN_2022
from keeper.sim.localnet.interface import AccountView, InvokeContext
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.anchor import AnchorError, event_discriminator, require_key, state_bytes
from keeper.sim.localnet.programs.borsh import i64, u32, u64
from keeper.sim.localnet.programs.glow_margin_pool_number import down, up
from keeper.sim.localnet.programs.glow_margin_pool_state import POOL_DISCRIMINATOR, MarginPool
from keeper.sim.localnet.programs.glow_margin_result import Cause, Change, TokenChange, encode_result
from keeper.sim.localnet.programs.glow_margin_tokens import (
    TOKEN_PROGRAMS,
    held_tokens,
    mint_decimals,
    transfer_checked,
)
from keeper.sim.localnet.programs.native_state import TOKEN_ACCOUNT_SIZE, TokenBalanceState


@dataclass(slots=True)
class PoolCall:
    """A pool in one call. ``view``: its account."""

    ctx: InvokeContext
    view: AccountView
    pool: MarginPool

    @classmethod
    def of(cls, ctx: InvokeContext, view: AccountView, **named: AccountView) -> PoolCall:
        """The pool of this call. ``named``: accounts that the pool must name by those fields (has_one).

        Raises Anchor's 3012, 3007, 3002, 3003 or 2001.
        """
        pool = MarginPool.decode(state_bytes(view, GLOW_MARGIN_POOL, POOL_DISCRIMINATOR, "margin_pool"))
        for name, account in named.items():
            require_key(account, getattr(pool, name), name)
        return cls(ctx, view, pool)

    @property
    def now(self) -> int:
        return self.ctx.clock.unix_timestamp

    def save(self) -> None:
        self.view.data = self.pool.encode()

    # tokens

    def mint(self, program: AccountView, mint: Pubkey, to: Pubkey, notes: int) -> None:
        """Issue notes. Raises error 135100 while the pool is disabled."""
        metas = [cpi.writable(mint), cpi.writable(to), cpi.readonly(self.view.key, True)]
        self.ctx.invoke(Instruction(program.key, b"\x07" + u64(notes), metas), [self.pool.seeds])

    def burn(self, program: AccountView, mint: Pubkey, source: Pubkey, authority: Pubkey, notes: int) -> None:
        """Redeem notes that ``authority`` (the pool itself, or a signer of this call) holds."""
        metas = [cpi.writable(source), cpi.writable(mint), cpi.readonly(authority, True)]
        seeds = [self.pool.seeds] if authority == self.view.key else []
        self.ctx.invoke(Instruction(program.key, b"\x08" + u64(notes), metas), seeds)

    def pay(self, program: AccountView, mint: AccountView, to: Pubkey, tokens: int) -> None:
        """Move tokens out of the vault. Raises error 135100 while the pool is disabled."""
        key, vault, decimals = self.view.key, self.pool.vault, mint_decimals(mint, "token_mint")
        call = transfer_checked(program.key, vault, mint.key, to, key, amount=tokens, decimals=decimals)
        self.ctx.invoke(call, [self.pool.seeds])

    def take(self, program: AccountView, mint: AccountView, source: Pubkey, authority: Pubkey, tokens: int) -> None:
        """Move tokens of a signer of this call into the vault."""
        vault, decimals = self.pool.vault, mint_decimals(mint, "token_mint")
        self.ctx.invoke(
            transfer_checked(program.key, source, mint.key, vault, authority, amount=tokens, decimals=decimals)
        )

    # reports

    def emit(self, name: str, *fields: Pubkey | int) -> None:
        """An event: the pool, ``fields`` as keys and u64, and the summary of the pool."""
        pool = self.pool
        body = b"".join(u64(one) if isinstance(one, int) else bytes(one) for one in (self.view.key, *fields))
        totals = (
            up(pool.borrowed),
            down(pool.uncollected_fees),
            pool.deposit_tokens,
            pool.deposit_notes,
            pool.loan_notes,
        )
        summary = b"".join(u64(total) for total in totals) + i64(pool.accrued_until)
        self.ctx.emit(event_discriminator(name) + body + summary)

    def report(self, *changes: tuple[Pubkey, Change]) -> None:
        """The AdapterResult: for each position's mint one change."""
        self.ctx.set_return_data(encode_result([(mint, [change]) for mint, change in changes]))

    def report_tokens(self, tokens: int, cause: Cause) -> None:
        mint = self.pool.token_mint
        self.report((mint, TokenChange(mint, tokens, cause)))


def read_account(view: AccountView, name: str) -> TokenBalanceState:
    """A token account of either program. Raises Anchor's 3012, 3007 or 3003."""
    if not view.exists():
        raise AnchorError.ACCOUNT_NOT_INITIALIZED.error(name)
    if view.owner not in TOKEN_PROGRAMS:
        raise AnchorError.ACCOUNT_OWNED_BY_WRONG_PROGRAM.error(name)
    state = held_tokens(view)
    if state is None:
        raise AnchorError.ACCOUNT_DID_NOT_DESERIALIZE.error(name)
    return state


def create_token_account(
    ctx: InvokeContext, account: AccountView, mint: Pubkey, *, payer: Pubkey, owner: Pubkey, seeds: cpi.Seeds
) -> None:
    """Create ``account``, a PDA of the calling program, as a Token-2022 account of ``mint``, rent at ``payer``'s cost.

    One that exists already fails in the System program (custom 0), as on chain.
    """
    rent = ctx.rent_exempt(TOKEN_ACCOUNT_SIZE)
    size, target = u64(TOKEN_ACCOUNT_SIZE), cpi.writable(account.key, True)
    if account.lamports == 0:
        data = u32(0) + u64(rent) + size + bytes(TOKEN_2022)
        ctx.invoke(Instruction(SYSTEM, data, [cpi.writable(payer, True), target]), [seeds])
    else:
        if account.lamports < rent:
            ctx.invoke(cpi.system_transfer(payer, account.key, rent - account.lamports))
        ctx.invoke(Instruction(SYSTEM, u32(8) + size, [target]), [seeds])
        ctx.invoke(Instruction(SYSTEM, u32(1) + bytes(TOKEN_2022), [target]), [seeds])
    metas = [cpi.writable(account.key), cpi.readonly(mint)]
    ctx.invoke(Instruction(TOKEN_2022, b"\x12" + bytes(owner), metas))
