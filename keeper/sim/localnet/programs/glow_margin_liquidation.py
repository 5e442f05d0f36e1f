"""Liquidation by a holder of a permit: begin, invoke, collect the fee, end (shared facts, protocol.md 3.4, 3.9).

The fee share of an invoke is ``tokens * 5/105`` in the program's fixed point. The public source scales the tokens up by their
decimals first and would panic above some 35 SOL an invoke; the facts state the plain formula, which is what runs here.
"""

from __future__ import annotations

from collections.abc import Sequence

from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_MARGIN, SYSTEM
from keeper.sim.localnet.interface import AccountView, InvokeContext
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.anchor import (
    AnchorError,
    require_key,
    require_program,
    require_signer,
    state_bytes,
    take_accounts,
)
from keeper.sim.localnet.programs.borsh import Reader, u8, u64
from keeper.sim.localnet.programs.glow_margin_config import Permission
from keeper.sim.localnet.programs.glow_margin_errors import MarginError
from keeper.sim.localnet.programs.glow_margin_health import Valuation
from keeper.sim.localnet.programs.glow_margin_invoke import invoke_many, read_inners
from keeper.sim.localnet.programs.glow_margin_liquidation_state import (
    LIQUIDATION_DISCRIMINATOR,
    LIQUIDATION_SIZE,
    LiquidationState,
    liquidation_address,
)
from keeper.sim.localnet.programs.glow_margin_number import (
    ONE,
    U64_MAX,
    as_u64,
    checked,
    divide,
    from_bps,
    from_decimal,
    multiply,
    panic,
    truncated,
)
from keeper.sim.localnet.programs.glow_margin_oracle import price_of
from keeper.sim.localnet.programs.glow_margin_positions import optional
from keeper.sim.localnet.programs.glow_margin_result import Cause, TokenChange
from keeper.sim.localnet.programs.glow_margin_session import MarginSession
from keeper.sim.localnet.programs.glow_margin_state import ZERO_KEY
from keeper.sim.localnet.programs.glow_margin_tokens import (
    mint_decimals,
    require_token_interface,
    token_account,
    transfer_checked,
)

TIMEOUT = 60
"""Seconds after which anybody may end a liquidation."""
FEE_BPS = 500
MAX_LOSS_BPS = 500
MAX_LOSS_USD = 1
MAX_AVAILABLE_BPS = 1_000


def _summary(value: Valuation) -> bytes:
    numbers = (value.equity, value.liabilities, value.required, value.weighted, value.effective, value.available)
    return b"".join(number.to_bytes(16, "little", signed=True) for number in numbers) + u8(value.past_due)


def _open(account: AccountView) -> LiquidationState:
    if not account.is_writable:
        raise AnchorError.CONSTRAINT_MUT.error("liquidation")
    return LiquidationState.decode(state_bytes(account, GLOW_MARGIN, LIQUIDATION_DISCRIMINATOR, "liquidation"))


def liquidate_begin(ctx: InvokeContext, _: Reader) -> None:
    ctx.consume(16_000)
    margin, payer, liquidator, permit_view, liquidation, system = take_accounts(ctx, 6)
    session = MarginSession.open(ctx, margin)
    require_signer(payer, "payer")
    require_signer(liquidator, "liquidator")
    require_program(system, SYSTEM, "system_program")
    permit = session.permit(permit_view)
    if permit.owner != liquidator.key or not permit.permissions & Permission.LIQUIDATE:
        raise MarginError.UNAUTHORIZED_LIQUIDATOR.error()
    address, bump = liquidation_address(margin.key, liquidator.key)
    if liquidation.key != address:
        raise AnchorError.CONSTRAINT_SEEDS.error("liquidation")
    value = session.valuation()
    value.verify_unhealthy()
    if session.state.is_liquidating and session.state.liquidator != liquidator.key:
        raise MarginError.LIQUIDATING.error(f"by {session.state.liquidator}")
    seeds = (b"liquidation", bytes(margin.key), bytes(liquidator.key), bytes([bump]))
    cpi.create_program_account(ctx, payer, liquidation, LIQUIDATION_SIZE, seeds)
    session.state.liquidator = liquidator.key
    session.store()
    state = LiquidationState(
        liquidator.key,
        margin.key,
        max_equity_loss=checked(multiply(from_bps(MAX_LOSS_BPS), value.liabilities) + from_decimal(MAX_LOSS_USD, 0)),
        max_available_collateral=multiply(value.required, from_bps(MAX_AVAILABLE_BPS)),
        start_time=session.now,
    )
    liquidation.data = state.encode()
    session.emit("LiquidationBegun", bytes(liquidator.key) + bytes(address) + state.body + _summary(value))


def liquidator_invoke(ctx: InvokeContext, args: Reader) -> None:
    """Invoke adapters with the account's signature, within what a liquidation may cost the account."""
    ctx.consume(15_000)
    inners = read_inners(args)
    liquidator, liquidation, margin, fee_mint, fee_program = take_accounts(ctx, 5)
    require_signer(liquidator, "liquidator")
    state = _open(liquidation)
    require_key(liquidator, state.liquidator, "liquidator")
    require_key(margin, state.margin_account, "margin_account")
    if state.is_collecting_fees:
        raise AnchorError.CONSTRAINT_RAW.error("the liquidation is collecting its fees")
    session = MarginSession.open(ctx, margin)
    mint_decimals(fee_mint, "liquidator_fee_mint")
    require_token_interface(fee_program)
    start = session.valuation()
    session.emit("LiquidatorInvokeBegin", bytes(liquidator.key))
    changes = invoke_many(session, ctx.accounts[5:], inners, signed=True)
    fee = liquidation_fee(fee_mint.key, changes)
    state.accrue(fee_mint.key, fee)
    end = session.valuation()
    _book(state, start, end)
    liquidation.data = state.encode()
    session.store()
    session.emit_end("LiquidatorInvokeEnd", state.body + _summary(end) + u64(fee) + bytes(fee_mint.key))


def liquidation_fee(mint: Pubkey, changes: Sequence[TokenChange]) -> int:
    """Base units of ``mint``: 5/105 of what was both swapped in and repaid. Raises LiquidationLostValue for a net borrow."""
    moved = dict.fromkeys(Cause, 0)
    for change in changes:
        if change.mint == mint:
            moved[change.cause] += change.tokens
    repaid = moved[Cause.REPAY] - moved[Cause.BORROW]
    if repaid < 0:
        raise MarginError.LIQUIDATION_LOST_VALUE.error(f"net borrow of {-repaid}")
    eligible = max(0, min(moved[Cause.EXTERNAL_INCREASE] - moved[Cause.EXTERNAL_DECREASE], repaid))
    if eligible > U64_MAX:
        raise panic("the eligible tokens do not fit a u64")
    share = divide(from_bps(FEE_BPS), ONE + from_bps(FEE_BPS))
    return truncated(share * eligible, ONE)


def _book(state: LiquidationState, start: Valuation, end: Valuation) -> None:
    """Add one invoke to the liquidation's totals. Raises LiquidationLostValue outside its limits."""
    state.equity_loss = checked(state.equity_loss + start.equity - end.equity)
    state.collateral_change = checked(state.collateral_change + end.available - start.available)
    if state.equity_loss > state.max_equity_loss:
        detail = f"equity loss {state.equity_loss} of at most {state.max_equity_loss}"
        raise MarginError.LIQUIDATION_LOST_VALUE.error(detail)
    if state.collateral_change < 0:
        raise MarginError.LIQUIDATION_LOST_VALUE.error(f"available collateral fell by {-state.collateral_change}")
    if end.available > state.max_available_collateral:
        detail = f"available collateral {end.available} of at most {state.max_available_collateral}"
        raise MarginError.LIQUIDATION_LOST_VALUE.error(detail)


def collect_liquidation_fee(ctx: InvokeContext, _: Reader) -> None:
    """Pay the accrued fee of one mint, less the equity that the liquidation lost; no invoke may follow."""
    ctx.consume(25_000)
    margin, liquidator, liquidation, target, source, mint, token, config_view, price_view, quote = take_accounts(
        ctx, 10
    )
    session = MarginSession.open(ctx, margin)
    require_signer(liquidator, "liquidator")
    if liquidation.key != liquidation_address(margin.key, liquidator.key)[0]:
        raise AnchorError.CONSTRAINT_SEEDS.error("liquidation")
    state = _open(liquidation)
    require_token_interface(token)
    decimals = mint_decimals(mint, "liquidation_fee_mint")
    token_account(target, mint.key, "liquidator_fee_token", program=token.key, owner=liquidator.key)
    token_account(source, mint.key, "margin_account_fee_source", program=token.key, owner=margin.key)
    config = session.token_config(config_view, mint.key)
    state.is_collecting_fees = True
    if mint.key not in state.fees:
        raise MarginError.INVALID_LIQUIDATION_FEE_MINT.error(str(mint.key))
    info = price_of(config.oracle, price_view, optional(ctx, quote), session.now).to_price_info(session.now)
    if not info.is_valid:
        raise MarginError.INVALID_PRICE.error(str(mint.key))
    price = from_decimal(info.value, info.exponent)
    fee = multiply(from_decimal(state.fees.pop(mint.key), -decimals), price)
    absorbed = min(max(state.equity_loss, 0), fee)
    state.equity_loss -= absorbed
    tokens = as_u64(divide(fee - absorbed, price), -decimals)
    if tokens:
        payment = transfer_checked(
            token.key, source.key, mint.key, target.key, margin.key, amount=tokens, decimals=decimals
        )
        ctx.invoke(payment, [session.state.seeds])
        left = token_account(source, mint.key, "margin_account_fee_source").amount
        session.state.require_position(mint.key, source.key).set_balance(left, session.now)
    liquidation.data = state.encode()
    session.store()
    session.valuation().verify_healthy()


def liquidate_end(ctx: InvokeContext, _: Reader) -> None:
    """By the liquidator at any time, by anybody after the timeout. The rent goes to who ends it."""
    ctx.consume(9_000)
    authority, margin, liquidation = take_accounts(ctx, 3)
    require_signer(authority, "authority")
    session = MarginSession.open(ctx, margin)
    state = _open(liquidation)
    if session.state.liquidator != state.liquidator:
        raise MarginError.UNAUTHORIZED_LIQUIDATOR.error()
    if state.margin_account != margin.key:
        raise MarginError.WRONG_LIQUIDATION_STATE.error()
    timed_out = session.now - state.start_time >= TIMEOUT
    if authority.key != state.liquidator and not timed_out:
        raise MarginError.UNAUTHORIZED_LIQUIDATOR.error(f"before {TIMEOUT} s only the liquidator may end it")
    session.state.liquidator = ZERO_KEY
    session.store()
    liquidation.data = b""
    authority.lamports += liquidation.lamports
    liquidation.lamports = 0
    session.emit("LiquidationEnded", bytes(authority.key) + u8(timed_out))
