"""Instructions of a pool's lenders: deposit, withdraw, collect. Callable at top level as well as through margin."""

from __future__ import annotations

from keeper.protocols.addresses import GLOW_MARGIN, GLOW_MARGIN_POOL, GLOW_METADATA
from keeper.sim.localnet.interface import AccountView, InvokeContext
from keeper.sim.localnet.programs.anchor import AnchorError, require_signer, state_bytes, take_accounts
from keeper.sim.localnet.programs.borsh import Reader
from keeper.sim.localnet.programs.glow_margin_config import TokenFeature
from keeper.sim.localnet.programs.glow_margin_pool_accounts import (
    POSITION_METADATA,
    PositionTokenMetadata,
    maybe_margin_account,
)
from keeper.sim.localnet.programs.glow_margin_pool_exchange import Action, ChangeKind, PoolError, wanted
from keeper.sim.localnet.programs.glow_margin_pool_session import (
    PoolCall,
    read_account,
)
from keeper.sim.localnet.programs.glow_margin_state import MARGIN_ACCOUNT_DISCRIMINATOR, Constraint, MarginAccount
from keeper.sim.localnet.programs.glow_margin_tokens import associated_address, mint_decimals, require_token_interface
from keeper.sim.localnet.programs.native_state import TokenBalanceState

OWN_UNITS = 45_000
"""Compute units of a call's own work (inferred; the token programs' are measured by the real programs)."""


def change(reader: Reader) -> tuple[ChangeKind, int]:
    """The two arguments of most instructions. Raises Anchor's 102 for an unknown kind."""
    kind = reader.u8()
    if kind > ChangeKind.SHIFT_BY:
        raise AnchorError.INSTRUCTION_DID_NOT_DESERIALIZE.error("change_kind")
    return ChangeKind(kind), reader.u64()


def deposit(ctx: InvokeContext, reader: Reader) -> None:
    kind, amount = change(reader)
    ctx.consume(OWN_UNITS)
    views = take_accounts(ctx, 10)
    pool_view, vault, note_mint, depositor, source_view, source_mint, target_view, tokens, notes, metadata = views
    call = PoolCall.of(ctx, pool_view, vault=vault, deposit_note_mint=note_mint)
    require_signer(depositor, "depositor")
    require_token_interface(tokens)
    require_token_interface(notes)
    mint_decimals(source_mint, "source_mint")
    source, target = read_account(source_view, "source"), read_account(target_view, "destination")
    if source.mint != source_mint.key or target.mint != note_mint.key:
        raise AnchorError.CONSTRAINT_TOKEN_MINT.error("source or destination")
    if source.owner != depositor.key:
        raise AnchorError.CONSTRAINT_TOKEN_OWNER.error("source")
    described = PositionTokenMetadata.decode(
        state_bytes(metadata, GLOW_METADATA, POSITION_METADATA, "deposit_metadata")
    )
    if described.position_token_mint != note_mint.key:
        raise AnchorError.CONSTRAINT_RAW.error("deposit_metadata")
    call.pool.require_accrued(call.now)
    if described.token_features & TokenFeature.RESTRICTED:
        _require_permission(call, optional_account(ctx, 10), depositor, target, described.token_features)
    pool = call.pool
    there = pool.notes(target.amount, Action.DEPOSIT).tokens
    moved = pool.tokens(wanted(kind, Action.DEPOSIT, amount, source=source.amount, destination=there), Action.DEPOSIT)
    pool.deposit(moved)
    call.save()
    call.take(tokens, source_mint, source_view.key, depositor.key, moved.tokens)
    call.mint(notes, note_mint.key, target_view.key, moved.notes)
    call.emit("Deposit", depositor.key, source_view.key, target_view.key, moved.tokens, moved.notes)


def optional_account(ctx: InvokeContext, index: int) -> AccountView | None:
    """An optional account: absent when the list ends before it or names the program itself."""
    if len(ctx.accounts) <= index or ctx.accounts[index].key == GLOW_MARGIN_POOL:
        return None
    return ctx.accounts[index]


def _require_permission(
    call: PoolCall, margin_view: AccountView | None, depositor: AccountView, target: TokenBalanceState, features: int
) -> None:
    """A restricted note only goes into the margin account of the wallet that pays. Raises error 135116."""
    if margin_view is None:
        raise PoolError.POOL_PERMISSION_DENIED.error("a restricted note needs the margin account")
    data = state_bytes(margin_view, GLOW_MARGIN, MARGIN_ACCOUNT_DISCRIMINATOR, "optional_margin_account")
    holder = MarginAccount.decode(data)
    allowed = (
        holder.owner == depositor.key
        and holder.airspace == call.pool.airspace
        and target.owner == margin_view.key
        and holder.features == features & ~TokenFeature.RESTRICTED
    )
    if not allowed:
        raise PoolError.POOL_PERMISSION_DENIED.error("the margin account may not hold this note")


def withdraw(ctx: InvokeContext, reader: Reader) -> None:
    kind, amount = change(reader)
    ctx.consume(OWN_UNITS)
    depositor, pool_view, vault, note_mint, source_view, target_view, ata, mint, tokens, notes = take_accounts(ctx, 10)
    call = PoolCall.of(ctx, pool_view, vault=vault, deposit_note_mint=note_mint)
    require_signer(depositor, "depositor")
    require_token_interface(tokens)
    require_token_interface(notes)
    target = read_account(target_view, "destination")
    if target.mint != mint.key:
        raise AnchorError.CONSTRAINT_TOKEN_MINT.error("destination")
    read_account(ata, "destination_ata")
    if ata.key != associated_address(depositor.key, mint.key, tokens.key):
        raise AnchorError.CONSTRAINT_ASSOCIATED.error("destination_ata")
    _require_destination(depositor, target_view, target, ata)
    call.pool.require_accrued(call.now)
    pool = call.pool
    there = pool.notes(read_account(source_view, "source").amount, Action.WITHDRAW).tokens
    moved = pool.tokens(wanted(kind, Action.WITHDRAW, amount, source=there, destination=target.amount), Action.WITHDRAW)
    pool.withdraw(moved)
    call.save()
    call.pay(tokens, mint, target_view.key, moved.tokens)
    call.burn(notes, note_mint.key, source_view.key, depositor.key, moved.notes)
    call.emit("Withdraw", depositor.key, source_view.key, target_view.key, moved.tokens, moved.notes)


def _require_destination(
    depositor: AccountView, target_view: AccountView, target: TokenBalanceState, ata: AccountView
) -> None:
    """Where withdrawn tokens may go. Raises error 135114."""
    holder = maybe_margin_account(depositor)
    if holder is not None and holder.constraints & (Constraint.DENY_WITHDRAWALS | Constraint.DENY_TRANSFERS):
        allowed = target_view.key == ata.key
    else:
        allowed = target.owner == depositor.key or (holder is not None and target.owner == holder.owner)
    if not allowed:
        raise PoolError.INVALID_WITHDRAWAL_AUTHORITY.error(f"{target.owner} may not receive this withdrawal")


def collect(ctx: InvokeContext, _: Reader) -> None:
    """Accrue interest; when that reaches the present, turn the fees into notes."""
    ctx.consume(OWN_UNITS)
    pool_view, vault, fees, note_mint, notes = take_accounts(ctx, 5)
    call = PoolCall.of(ctx, pool_view, vault=vault, fee_destination=fees, deposit_note_mint=note_mint)
    require_token_interface(notes)
    held = read_account(vault, "vault").amount
    pool = call.pool
    if not pool.accrue(call.now):
        ctx.log("could not fully accrue interest")
        call.save()
        return
    minted = pool.collect_fees()
    call.save()
    call.mint(notes, note_mint.key, fees.key, minted)
    claimed = pool.notes(minted, Action.WITHDRAW)
    balance = pool.notes(held, Action.WITHDRAW)
    call.emit("Collect", minted, claimed.tokens, balance.notes, balance.tokens)
