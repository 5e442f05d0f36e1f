"""The pool after an action, with the guards of the program (shared facts, protocol.md 4.3).

Pure: each returns a new state. The state must be accrued to the moment of the action; amounts come from ``exchange`` or
``changes``. Raises ``PoolRefused`` by the program's own names, ``PoolPanic`` for sums beyond 64 bits.
"""

from __future__ import annotations

from dataclasses import replace

from keeper.protocols.glow_margin_pool import number192 as number
from keeper.protocols.glow_margin_pool.accounts import MarginPoolState, PoolFlags
from keeper.protocols.glow_margin_pool.errors import PoolRefused
from keeper.protocols.glow_margin_pool.exchange import FullAmount
from keeper.protocols.glow_margin_pool.rates import MAX_UTILISATION_AFTER_BORROW, utilisation
from keeper.units import BPS


def deposited(state: MarginPoolState, amount: FullAmount) -> MarginPoolState:
    """After a deposit. DepositLimitReached bounds the idle tokens. Raises ``PoolRefused``."""
    idle = number.word(state.deposit_tokens + amount.tokens)
    if idle > state.config.deposit_limit:
        raise PoolRefused("DepositLimitReached", f"{idle} idle tokens, the limit is {state.config.deposit_limit}")
    return _signed(replace(state, deposit_tokens=idle, deposit_notes=number.word(state.deposit_notes + amount.notes)))


def withdrawn(state: MarginPoolState, amount: FullAmount) -> MarginPoolState:
    """After a withdrawal: only idle tokens leave. Raises ``PoolRefused``."""
    return _signed(
        replace(
            state,
            deposit_tokens=_left(state.deposit_tokens, amount.tokens, "idle tokens"),
            deposit_notes=_left(state.deposit_notes, amount.notes, "deposit notes"),
        )
    )


def borrowed(state: MarginPoolState, amount: FullAmount) -> MarginPoolState:
    """After a loan: lending allowed, tokens idle, within the limit and 95 % utilisation. Raises ``PoolRefused``."""
    config = state.config
    if PoolFlags.ALLOW_LENDING not in config.flags:
        raise PoolRefused("DepositsOnly", "the pool gives no loans")
    after = replace(
        state,
        deposit_tokens=_left(state.deposit_tokens, amount.tokens, "idle tokens"),
        loan_notes=number.word(state.loan_notes + amount.notes),
        borrowed=number.add(state.borrowed, number.whole(amount.tokens)),
    )
    if after.borrowed > number.whole(config.borrow_limit):
        raise PoolRefused("BorrowLimitReached", f"{number.ceil(after.borrowed)} of {config.borrow_limit}")
    used = utilisation(after) // (number.ONE // BPS)
    if used > MAX_UTILISATION_AFTER_BORROW:
        raise PoolRefused("ExceedsMaxBorrowUtilRatio", f"{used} bps, at most {MAX_UTILISATION_AFTER_BORROW}")
    return _signed(after)


def repaid(state: MarginPoolState, amount: FullAmount) -> MarginPoolState:
    """After a repayment with tokens. Raises ``PoolRefused``."""
    return _settled(replace(state, deposit_tokens=number.word(state.deposit_tokens + amount.tokens)), amount)


def repaid_from_deposit(state: MarginPoolState, loan: FullAmount, burnt: FullAmount) -> MarginPoolState:
    """After a repayment out of a deposit: no token moves. Raises ``PoolRefused``."""
    return _settled(replace(state, deposit_notes=_left(state.deposit_notes, burnt.notes, "deposit notes")), loan)


def _settled(state: MarginPoolState, amount: FullAmount) -> MarginPoolState:
    notes = _left(state.loan_notes, amount.notes, "loan notes")
    outstanding = number.ceil(state.borrowed)
    if outstanding < amount.tokens:
        raise PoolRefused("RepaymentExceedsTotalOutstanding", f"{amount.tokens} of {outstanding}")
    return _signed(replace(state, loan_notes=notes, borrowed=max(0, state.borrowed - number.whole(amount.tokens))))


def _signed(state: MarginPoolState) -> MarginPoolState:
    """The program signs for the pool last of all, and refuses while it is disabled."""
    if state.config.disabled:
        raise PoolRefused("Disabled", "the pool is disabled: nothing enters and nothing leaves")
    return state


def _left(held: int, taken: int, what: str) -> int:
    if taken > held:
        raise PoolRefused("InsufficientLiquidity", f"{taken} of {held} {what}")
    return held - taken
