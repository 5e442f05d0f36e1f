"""Instructions on loans: borrow, repay, open and close the loan account, and the prices of a pool's notes.

All but ``repay`` must be called by the margin program itself (shared facts, protocol.md 4.5).
"""

from __future__ import annotations

from keeper.protocols.addresses import GLOW_MARGIN, SYSTEM, TOKEN_2022
from keeper.sim.localnet.interface import AccountView, InvokeContext
from keeper.sim.localnet.programs.anchor import AnchorError, require_program, require_signer, state_bytes, take_accounts
from keeper.sim.localnet.programs.borsh import Reader
from keeper.sim.localnet.programs.glow_margin_config import PythPull, PythPullRedemption
from keeper.sim.localnet.programs.glow_margin_health import PriceChange
from keeper.sim.localnet.programs.glow_margin_pool_accounts import loan_account_address
from keeper.sim.localnet.programs.glow_margin_pool_exchange import Action, PoolError, wanted
from keeper.sim.localnet.programs.glow_margin_pool_lending import OWN_UNITS, change, optional_account
from keeper.sim.localnet.programs.glow_margin_pool_number import multiply, nearest, of_decimal
from keeper.sim.localnet.programs.glow_margin_pool_session import (
    PoolCall,
    create_token_account,
    read_account,
)
from keeper.sim.localnet.programs.glow_margin_result import Cause, Close, Register
from keeper.sim.localnet.programs.glow_margin_state import MARGIN_ACCOUNT_DISCRIMINATOR, require_direct_invocation
from keeper.sim.localnet.programs.glow_margin_tokens import close_account, mint_decimals, require_token_interface
from keeper.sim.localnet.programs.native_state import TokenBalanceState
from keeper.sim.localnet.programs.pyth_feed import RECEIVERS, PriceUpdate


def _called_by_margin(ctx: InvokeContext, margin: AccountView, *, signed: bool = True) -> None:
    data = state_bytes(margin, GLOW_MARGIN, MARGIN_ACCOUNT_DISCRIMINATOR, "margin_account")
    if signed:
        require_signer(margin, "margin_account")
    require_direct_invocation(data, ctx.stack_height)


def _loan_account(call: PoolCall, margin: AccountView, view: AccountView) -> TokenBalanceState:
    """The margin account's loan account at this pool. Raises Anchor's 3012, 3007, 2006 or 2003."""
    state = read_account(view, "loan_account")
    if view.key != loan_account_address(margin.key, call.pool.loan_note_mint)[0]:
        raise AnchorError.CONSTRAINT_SEEDS.error("loan_account")
    if state.owner != call.view.key:
        raise AnchorError.CONSTRAINT_RAW.error("loan_account")
    return state


def margin_borrow(ctx: InvokeContext, reader: Reader) -> None:
    """Borrow into a deposit of the same pool: no token moves."""
    kind, amount = change(reader)
    ctx.consume(OWN_UNITS)
    margin, pool_view, loan_mint, deposit_mint, loan_view, deposit_view, notes = take_accounts(ctx, 7)
    call = PoolCall.of(ctx, pool_view, loan_note_mint=loan_mint, deposit_note_mint=deposit_mint)
    _called_by_margin(ctx, margin)
    require_token_interface(notes)
    loan, held = _loan_account(call, margin, loan_view), read_account(deposit_view, "deposit_account")
    if held.owner != margin.key:
        raise AnchorError.CONSTRAINT_RAW.error("deposit_account")
    pool = call.pool
    pool.require_accrued(call.now)
    owed = pool.notes(loan.amount, Action.BORROW).tokens
    there = pool.notes(held.amount, Action.DEPOSIT).tokens
    borrowed = pool.tokens(wanted(kind, Action.BORROW, amount, source=owed, destination=there), Action.BORROW)
    pool.borrow(borrowed)
    lent = pool.tokens(borrowed.tokens, Action.DEPOSIT)
    pool.deposit(lent)
    call.save()
    call.mint(notes, loan_mint.key, loan_view.key, borrowed.notes)
    call.mint(notes, deposit_mint.key, deposit_view.key, lent.notes)
    amounts = (borrowed.tokens, borrowed.notes, lent.notes)
    call.emit("MarginBorrow", margin.key, loan_view.key, deposit_view.key, *amounts)
    call.report_tokens(borrowed.tokens, Cause.BORROW)


def margin_borrow_v2(ctx: InvokeContext, reader: Reader) -> None:
    """Borrow tokens into any token account."""
    amount = reader.u64()
    ctx.consume(OWN_UNITS)
    margin, pool_view, vault, loan_mint, mint, loan_view, target, tokens, notes = take_accounts(ctx, 9)
    call = PoolCall.of(ctx, pool_view, vault=vault, loan_note_mint=loan_mint)
    _called_by_margin(ctx, margin)
    require_token_interface(tokens)
    require_program(notes, TOKEN_2022, "pool_token_program")
    mint_decimals(mint, "token_mint")
    loan = _loan_account(call, margin, loan_view)
    read_account(target, "destination")
    pool = call.pool
    pool.require_accrued(call.now)
    pool.notes(loan.amount, Action.BORROW)
    borrowed = pool.tokens(amount, Action.BORROW)
    pool.borrow(borrowed)
    call.save()
    call.mint(notes, loan_mint.key, loan_view.key, borrowed.notes)
    call.pay(tokens, mint, target.key, borrowed.tokens)
    call.emit("MarginBorrow", margin.key, loan_view.key, target.key, borrowed.tokens, borrowed.notes, 0)
    call.report_tokens(borrowed.tokens, Cause.BORROW)


def margin_repay(ctx: InvokeContext, reader: Reader) -> None:
    """Repay out of a deposit of the same pool: notes against notes."""
    kind, amount = change(reader)
    ctx.consume(OWN_UNITS)
    margin, pool_view, loan_mint, deposit_mint, loan_view, deposit_view, notes = take_accounts(ctx, 7)
    call = PoolCall.of(ctx, pool_view, loan_note_mint=loan_mint, deposit_note_mint=deposit_mint)
    _called_by_margin(ctx, margin)
    require_token_interface(notes)
    loan, held = read_account(loan_view, "loan_account"), read_account(deposit_view, "deposit_account")
    pool = call.pool
    pool.require_accrued(call.now)
    there = pool.notes(held.amount, Action.WITHDRAW).tokens
    owed = pool.notes(loan.amount, Action.REPAY).tokens
    repaid = pool.tokens(wanted(kind, Action.REPAY, amount, source=there, destination=owed), Action.REPAY)
    burnt = pool.tokens(repaid.tokens, Action.WITHDRAW)
    pool.repay_with_notes(repaid, burnt)
    call.save()
    call.burn(notes, loan_mint.key, loan_view.key, pool_view.key, repaid.notes)
    call.burn(notes, deposit_mint.key, deposit_view.key, margin.key, burnt.notes)
    call.emit("MarginRepay", margin.key, loan_view.key, deposit_view.key, repaid.tokens, repaid.notes, burnt.notes)
    call.report_tokens(repaid.tokens, Cause.REPAY)


def repay(ctx: InvokeContext, reader: Reader, *, owed_by: Action = Action.REPAY) -> None:
    """Repay with tokens of anybody who signs. ``owed_by``: whose rate and rounding say what the loan notes owe."""
    kind, amount = change(reader)
    ctx.consume(OWN_UNITS)
    pool_view, loan_mint, mint, vault, loan_view, source_view, payer, tokens, notes = take_accounts(ctx, 9)
    call = PoolCall.of(ctx, pool_view, loan_note_mint=loan_mint, vault=vault)
    require_signer(payer, "repayment_account_authority")
    require_token_interface(tokens)
    require_token_interface(notes)
    mint_decimals(mint, "token_mint")
    loan, source = read_account(loan_view, "loan_account"), read_account(source_view, "repayment_token_account")
    pool = call.pool
    pool.require_accrued(call.now)
    owed = pool.notes(loan.amount, owed_by).tokens
    repaid = pool.tokens(wanted(kind, Action.REPAY, amount, source=source.amount, destination=owed), Action.REPAY)
    pool.repay(repaid)
    call.save()
    call.take(tokens, mint, source_view.key, payer.key, repaid.tokens)
    call.burn(notes, loan_mint.key, loan_view.key, pool_view.key, repaid.notes)
    call.emit("Repay", payer.key, loan_view.key, source_view.key, repaid.tokens, repaid.notes)
    call.report_tokens(repaid.tokens, Cause.REPAY)


def register_loan(ctx: InvokeContext, _: Reader) -> None:
    ctx.consume(OWN_UNITS)
    margin, _config, loan_view, loan_mint, pool_view, payer, notes, system, _rent = take_accounts(ctx, 9)
    call = PoolCall.of(ctx, pool_view, loan_note_mint=loan_mint)
    _called_by_margin(ctx, margin)
    require_signer(payer, "payer")
    require_program(notes, TOKEN_2022, "token_program")
    require_program(system, SYSTEM, "system_program")
    address, bump = loan_account_address(margin.key, loan_mint.key)
    if loan_view.key != address:
        raise AnchorError.CONSTRAINT_SEEDS.error("loan_note_account")
    seeds = (bytes(margin.key), bytes(loan_mint.key), bytes([bump]))
    create_token_account(ctx, loan_view, loan_mint.key, payer=payer.key, owner=pool_view.key, seeds=seeds)
    call.report((loan_mint.key, Register(loan_view.key)))


def close_loan(ctx: InvokeContext, _: Reader) -> None:
    ctx.consume(OWN_UNITS)
    margin, loan_view, loan_mint, pool_view, beneficiary, notes = take_accounts(ctx, 6)
    call = PoolCall.of(ctx, pool_view, loan_note_mint=loan_mint)
    _called_by_margin(ctx, margin)
    require_signer(beneficiary, "beneficiary")
    require_program(notes, TOKEN_2022, "token_program")
    _loan_account(call, margin, loan_view)
    ctx.invoke(close_account(TOKEN_2022, loan_view.key, beneficiary.key, pool_view.key), [call.pool.seeds])
    call.report((loan_mint.key, Close(loan_view.key)))


def margin_refresh_position(ctx: InvokeContext, _: Reader) -> None:
    """Publish the prices of both notes, by the pool's state as it is stored: no interest is accrued here."""
    ctx.consume(30_000)
    margin, pool_view, price_view = take_accounts(ctx, 3)
    quote_view = optional_account(ctx, 3)
    call = PoolCall.of(ctx, pool_view)
    pool = call.pool
    price = _update(price_view)
    published, exponent = price.publish_time, price.exponent
    match pool.oracle:
        case PythPull(feed_id):
            price.require_usable(feed_id, call.now)
            numbers = _numbers(price)
        case PythPullRedemption(feed_id, quote_id):
            if quote_view is None:
                raise PoolError.MISSING_QUOTE_ORACLE_ACCOUNT.error()
            quote = _update(quote_view)
            price.require_usable(feed_id, call.now)
            quote.require_usable(quote_id, call.now)
            per_unit, in_quote = _numbers(price), _numbers(quote)
            doubt = multiply(per_unit[1], in_quote[0]) + in_quote[1]
            numbers = (multiply(per_unit[0], in_quote[0]), doubt, multiply(per_unit[2], in_quote[2]))
            published = min(published, quote.publish_time)
        case _:
            raise PoolError.INVALID_POOL_ORACLE.error("the pool has no oracle")
    _called_by_margin(ctx, margin, signed=False)
    changes = []
    for mint, rate in ((pool.deposit_note_mint, pool.deposit_rate), (pool.loan_note_mint, pool.loan_rate)):
        scaled = [nearest(multiply(number, rate), exponent) for number in numbers]
        changes.append((mint, PriceChange(scaled[0], scaled[1], scaled[2], published, exponent)))
    call.report(*changes)


def _numbers(update: PriceUpdate) -> tuple[int, int, int]:
    """Price, confidence and average. Raises ``ProgramError`` for a negative one, as the program panics."""
    price, conf, ema = (of_decimal(one, update.exponent) for one in (update.price, update.conf, update.ema_price))
    return price, conf, ema


def _update(view: AccountView) -> PriceUpdate:
    """Raises error 135106 for an account that is not the receiver's, or Anchor's 3002 or 3003."""
    if view.owner not in RECEIVERS:
        raise PoolError.INVALID_POOL_ORACLE.error(f"{view.key} is owned by {view.owner}")
    return PriceUpdate.decode(view.data)
