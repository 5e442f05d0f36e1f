"""Positions of a margin account: opened, closed, priced and balanced (shared facts, protocol.md 3.3, 3.6, 3.7).

Rules of registration that an adapter's return data shares with the instructions are in ``register`` and ``unregister``.
"""

from __future__ import annotations

from solders.pubkey import Pubkey

from keeper.protocols.addresses import ASSOCIATED_TOKEN, SYSTEM, TOKEN_2022
from keeper.sim.localnet.interface import AccountView, InvokeContext
from keeper.sim.localnet.programs.anchor import AnchorError, require_program, require_signer, take_accounts
from keeper.sim.localnet.programs.borsh import Reader
from keeper.sim.localnet.programs.glow_margin_config import ConfigKind, Permission, TokenConfig, TokenFeature
from keeper.sim.localnet.programs.glow_margin_errors import MarginError
from keeper.sim.localnet.programs.glow_margin_oracle import price_of
from keeper.sim.localnet.programs.glow_margin_session import MarginSession
from keeper.sim.localnet.programs.glow_margin_state import (
    USER_POSITIONS,
    AccountFeature,
    AccountPosition,
    Constraint,
    MarginAccount,
    PositionFlag,
    PositionKind,
    position_token_address,
)
from keeper.sim.localnet.programs.glow_margin_tokens import (
    associated_address,
    close_account,
    create_token_account,
    mint_decimals,
    read_token_account,
    require_known,
    require_token_interface,
    token_account,
    transfer_checked,
)

_KNOWN_FEATURES = 15


# --- rules ------------------------------------------------------------------------------------------------------------


def features_match(account_features: int, token_features: int) -> bool:
    """Whether a restricted account may hold such a token. Raises InvalidFeatureFlags for a token of two families."""
    family = token_features & ~TokenFeature.RESTRICTED
    if family.bit_count() > 1 or token_features & ~_KNOWN_FEATURES:
        raise MarginError.INVALID_FEATURE_FLAGS.error()
    return account_features == family


def register(
    account: MarginAccount, config: TokenConfig, decimals: int, address: Pubkey, *, owner: bool, adapter: Pubkey | None
) -> None:
    """Open a position at token account ``address``. ``owner``: the account's authority approves; ``adapter``: this one asks.

    A mint that has a position already is left as it is. Raises MaxPositions, WrongAirspace, RestrictedToken,
    UnknownTokenProgram, InvalidPositionOwner.
    """
    # As the public source: a deposit note's position is marked with the token program of what lies under it.
    collateral = config.token_kind is ConfigKind.COLLATERAL
    program = config.underlying_token_program if collateral else config.mint_token_program
    require_known(program)
    if not account.is_liquidating and len(account.slots) >= USER_POSITIONS:
        raise MarginError.MAX_POSITIONS.error()
    if account.airspace != config.airspace:
        raise MarginError.WRONG_AIRSPACE.error("config")
    if account.features:
        allowed = features_match(account.features, config.token_features)
    else:
        allowed = not config.token_features & TokenFeature.RESTRICTED
    if not allowed:
        raise MarginError.RESTRICTED_TOKEN.error(f"account {account.features}, token {config.token_features}")
    if account.position(config.mint) is not None:
        return
    position = AccountPosition(
        token=config.mint,
        address=address,
        adapter=config.adapter,
        kind=PositionKind(config.token_kind + 1),
        exponent=-decimals,
        value_modifier=config.value_modifier,
        max_staleness=config.max_staleness,
        is_token_2022=program == TOKEN_2022,
        token_features=config.token_features if config.token_features & TokenFeature.RESTRICTED else 0,
    )
    _require_approved(position, owner=owner, adapter=adapter)
    account.add(position)


def unregister(account: MarginAccount, mint: Pubkey, address: Pubkey, *, owner: bool, adapter: Pubkey | None) -> None:
    """Raises PositionNotRegistered, InvalidPositionOwner, CloseNonZeroPosition, CloseRequiredPosition."""
    position = account.remove(mint, address)
    _require_approved(position, owner=owner, adapter=adapter)
    if position.balance != 0:
        raise MarginError.CLOSE_NON_ZERO_POSITION.error(f"{position.balance} of {mint}")
    if position.flags & PositionFlag.REQUIRED:
        raise MarginError.CLOSE_REQUIRED_POSITION.error(str(mint))


def _require_approved(position: AccountPosition, *, owner: bool, adapter: Pubkey | None) -> None:
    """Collateral is the owner's alone to open and close; a claim needs its adapter's word too."""
    by_adapter = adapter is not None and adapter == position.adapter
    approved = not by_adapter if position.kind is PositionKind.COLLATERAL else by_adapter
    if not (owner and approved):
        raise MarginError.INVALID_POSITION_OWNER.error(str(position.token))


def check_features(account: MarginAccount) -> None:
    """At the end of an invoke: no balance of a token that the account may not hold. Clears the violation mark."""
    held = 0
    for position in account.slots.values():
        if position.balance > 0:
            held |= position.token_features
    if held == 0:
        return
    account.features &= ~AccountFeature.VIOLATION
    if (account.features == 0 and held & TokenFeature.RESTRICTED) or not features_match(account.features, held):
        raise MarginError.TOKEN_FEATURE_VIOLATION.error(f"account {account.features}, positions {held}")


# --- instructions -----------------------------------------------------------------------------------------------------


def register_position(ctx: InvokeContext, _: Reader) -> None:
    """A pool's deposit notes, in a token account at the margin program's own PDA, which is created."""
    ctx.consume(22_000)
    authority, payer, margin, mint, config_view, account, token, _rent, system = take_accounts(ctx, 9)
    session = MarginSession.open(ctx, margin)
    require_signer(payer, "payer")
    require_signer(authority, "authority")
    require_token_interface(token)
    require_program(system, SYSTEM, "system_program")
    decimals = mint_decimals(mint, "position_token_mint")
    config = session.token_config(config_view, mint.key)
    address, bump = position_token_address(margin.key, mint.key)
    if account.key != address:
        raise AnchorError.CONSTRAINT_SEEDS.error("token_account")
    if config.token_kind is not ConfigKind.COLLATERAL or config.adapter == Pubkey.default():
        raise MarginError.INVALID_CONFIG_REGISTER_POSITION.error("not collateral of an adapter")
    session.require_authority(authority)
    if session.state.position(mint.key) is not None:
        raise MarginError.POSITION_ALREADY_EXISTS.error(str(mint.key))
    seeds = (bytes(margin.key), bytes(mint.key), bytes([bump]))
    create_token_account(ctx, payer, account, mint, token, owner=margin.key, seeds=seeds)
    register(session.state, config, decimals, address, owner=True, adapter=None)
    session.store()


def create_deposit_position(ctx: InvokeContext, _: Reader) -> None:
    """Tokens in the margin account's associated account, which must exist."""
    ctx.consume(15_000)
    authority, payer, margin, mint, config_view, account, associated, token, _rent, system = take_accounts(ctx, 10)
    session = MarginSession.open(ctx, margin)
    require_signer(authority, "authority")
    require_signer(payer, "payer")
    require_program(associated, ASSOCIATED_TOKEN, "associated_token_program")
    require_token_interface(token)
    require_program(system, SYSTEM, "system_program")
    decimals = mint_decimals(mint, "mint")
    config = session.token_config(config_view, mint.key)
    token_account(account, mint.key, "token_account", program=token.key, owner=margin.key)
    if account.key != associated_address(margin.key, mint.key, token.key):
        raise AnchorError.CONSTRAINT_ASSOCIATED.error("token_account")
    if config.token_kind is not ConfigKind.COLLATERAL:
        raise MarginError.INVALID_CONFIG_REGISTER_POSITION.error("not collateral")
    session.require_authority(authority)
    register(session.state, config, decimals, account.key, owner=True, adapter=None)
    session.store()


def close_position(ctx: InvokeContext, _: Reader) -> None:
    """Forget an empty collateral position; a token account of the margin account is closed with it."""
    ctx.consume(12_000)
    authority, receiver, margin, mint, account, token = take_accounts(ctx, 6)
    session = MarginSession.open(ctx, margin)
    require_token_interface(token)
    held = token_account(account, mint.key, "token_account", program=token.key)
    session.require_authority(authority)
    unregister(session.state, mint.key, account.key, owner=True, adapter=None)
    session.store()
    if held.owner == margin.key:
        ctx.invoke(close_account(token.key, account.key, receiver.key, margin.key), [session.state.seeds])


def update_position_balance(ctx: InvokeContext, _: Reader) -> None:
    ctx.consume(6_000)
    margin, account = take_accounts(ctx, 2)
    session = MarginSession.open(ctx, margin)
    held = read_token_account(account, "token_account")
    session.state.require_position(held.mint, account.key).set_balance(held.amount, session.now)
    session.store()


def optional(ctx: InvokeContext, account: AccountView) -> AccountView | None:
    """An Anchor optional account: the program's own id stands for its absence."""
    return None if account.key == ctx.program_id else account


def refresh_deposit_position(ctx: InvokeContext, _: Reader) -> None:
    """Price a position by the oracle in its TokenConfig; a fifth account, its token account, refreshes the balance too."""
    ctx.consume(18_000)
    margin, config_view, price, quote = take_accounts(ctx, 4)
    session = MarginSession.open(ctx, margin)
    config = session.token_config(config_view)
    change = price_of(config.oracle, price, optional(ctx, quote), session.now)
    position = session.state.require_position(config.mint)
    if len(ctx.accounts) > 4:
        extra = ctx.accounts[4]
        if extra.key != position.address:
            raise MarginError.POSITION_NOT_REGISTERED.error(f"{extra.key} is not the position's account")
        position.set_balance(int.from_bytes(extra.data[64:72], "little"), session.now)
    position.set_price(change.to_price_info(session.now))
    session.store()


def refresh_position_config(ctx: InvokeContext, _: Reader) -> None:
    """Bring governance's changes into a position; the way by which config drift arrives."""
    ctx.consume(10_000)
    margin, config_view, permit_view, refresher = take_accounts(ctx, 4)
    session = MarginSession.open(ctx, margin)
    config, permit = session.token_config(config_view), session.permit(permit_view)
    require_signer(refresher, "refresher")
    if permit.owner != refresher.key:
        raise MarginError.PERMIT_NOT_OWNED.error()
    if not permit.permissions & Permission.REFRESH_POSITION_CONFIG:
        raise MarginError.INSUFFICIENT_PERMISSIONS.error()
    position = session.state.require_position(config.mint)
    position.kind = PositionKind(config.token_kind + 1)
    position.value_modifier = config.value_modifier
    position.max_staleness = config.max_staleness
    position.token_features = config.token_features
    if session.state.features == 0 and config.token_features & TokenFeature.RESTRICTED:
        session.state.features |= AccountFeature.VIOLATION
    session.store()


def transfer_deposit(ctx: InvokeContext, args: Reader) -> None:
    """Tokens into or out of a raw-token position. No health check, as in the public source.

    The public source lets the owner do so during a liquidation too; the facts (3.9) say that every owner action is blocked, and
    so it is here.
    """
    ctx.consume(12_000)
    amount = args.u64()
    owner, margin, source_owner, source, destination, mint, token = take_accounts(ctx, 7)
    session = MarginSession.open(ctx, margin)
    session.require_owner(owner)
    require_token_interface(token)
    decimals = mint_decimals(mint, "mint")
    token_account(source, mint.key, "source", program=token.key)
    token_account(destination, mint.key, "destination", program=token.key)
    session.require_not_liquidating()
    position = session.state.require_position(mint.key)
    outward = position.address == source.key
    if outward and session.state.constraints & Constraint.DENY_TRANSFERS:
        raise MarginError.ACCOUNT_CONSTRAINT_WITHDRAWAL.error()
    moved = source if outward else destination
    if position.address != moved.key:
        raise MarginError.POSITION_NOT_REGISTERED.error(f"{moved.key} is not the position's account")
    authority = margin.key if outward else source_owner.key
    instruction = transfer_checked(
        token.key, source.key, mint.key, destination.key, authority, amount=amount, decimals=decimals
    )
    ctx.invoke(instruction, [session.state.seeds] if outward else ())
    position.set_balance(token_account(moved, mint.key, "position").amount, session.now)
    session.store()
