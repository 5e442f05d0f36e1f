"""What an instruction moves: its ChangeKind and amount against the balances that it finds (shared facts, protocol.md 4.4).

Balances in notes are turned into tokens by each instruction in its own way, and an instruction refuses a balance of dust on
either side (InvalidAmount) whatever its amount is. All states accrued, all amounts base units. Every function raises
``PoolRefused`` (SetMathOp where the target lies on the wrong side of what is there, InvalidAmount) and ``PoolPanic``.
"""

from __future__ import annotations

from keeper.protocols.glow_margin_pool.accounts import MarginPoolState
from keeper.protocols.glow_margin_pool.change import ChangeKind
from keeper.protocols.glow_margin_pool.errors import PoolRefused
from keeper.protocols.glow_margin_pool.exchange import FullAmount, PoolAction, from_notes, from_tokens


def tokens_to_move(action: PoolAction, change: ChangeKind, amount: int, *, source: int, destination: int) -> int:
    """The table of 4.4 in tokens. ``source`` and ``destination``: what is there now; a borrow's source and a repayment's
    destination are the loan. Raises ``PoolRefused`` (SetMathOp)."""
    if change is ChangeKind.SHIFT_BY:
        return amount
    if change is ChangeKind.SET_DESTINATION_TO:
        gap = destination - amount if action is PoolAction.REPAY else amount - destination
    else:
        gap = amount - source if action is PoolAction.BORROW else source - amount
    if gap < 0:
        raise PoolRefused(
            "SetMathOp", f"{action.value} {change.name} {amount}: source {source}, destination {destination}"
        )
    paying_back = action is PoolAction.REPAY and change is ChangeKind.SET_SOURCE_TO
    return min(gap, destination) if paying_back else gap


def deposit_amount(
    state: MarginPoolState, change: ChangeKind, amount: int, *, source_tokens: int, deposit_notes: int
) -> FullAmount:
    """Of ``deposit``: tokens of the source account into notes of the destination."""
    source = from_tokens(state, PoolAction.DEPOSIT, source_tokens).tokens
    destination = from_notes(state, PoolAction.DEPOSIT, deposit_notes).tokens
    return _moved(state, PoolAction.DEPOSIT, change, amount, source=source, destination=destination)


def withdraw_amount(
    state: MarginPoolState, change: ChangeKind, amount: int, *, deposit_notes: int, destination_tokens: int
) -> FullAmount:
    """Of ``withdraw``: notes of the source account into tokens of the destination."""
    source = from_notes(state, PoolAction.WITHDRAW, deposit_notes).tokens
    return _moved(state, PoolAction.WITHDRAW, change, amount, source=source, destination=destination_tokens)


def margin_borrow_amount(
    state: MarginPoolState, change: ChangeKind, amount: int, *, loan_notes: int, deposit_notes: int
) -> FullAmount:
    """Of ``margin_borrow``: the loan grows, and the deposit by as many tokens (``exchange.deposit`` says how many notes)."""
    source = from_notes(state, PoolAction.BORROW, loan_notes).tokens
    destination = from_notes(state, PoolAction.DEPOSIT, deposit_notes).tokens
    return _moved(state, PoolAction.BORROW, change, amount, source=source, destination=destination)


def margin_borrow_v2_amount(state: MarginPoolState, amount: int, *, loan_notes: int) -> FullAmount:
    """Of ``margin_borrow_v2``: always a shift. An existing loan worth no whole token is refused all the same."""
    from_notes(state, PoolAction.BORROW, loan_notes)
    return from_tokens(state, PoolAction.BORROW, amount)


def margin_repay_amount(
    state: MarginPoolState, change: ChangeKind, amount: int, *, deposit_notes: int, loan_notes: int
) -> tuple[FullAmount, FullAmount]:
    """Of ``margin_repay``: the loan burnt, and the deposit burnt for it. SET_DESTINATION_TO 0 clears the loan."""
    source = from_notes(state, PoolAction.WITHDRAW, deposit_notes).tokens
    destination = from_notes(state, PoolAction.REPAY, loan_notes).tokens
    loan = _moved(state, PoolAction.REPAY, change, amount, source=source, destination=destination)
    return loan, from_tokens(state, PoolAction.WITHDRAW, loan.tokens)


def repay_amount(
    state: MarginPoolState, change: ChangeKind, amount: int, *, source_tokens: int, loan_notes: int
) -> FullAmount:
    """Of ``repay``, as in the published program: it converts the loan's notes at the *deposit* rate, rounded up.

    So SET_DESTINATION_TO 0 (and SET_SOURCE_TO) leaves a part of the loan while a loan note owes more than a deposit note is
    worth, which is the rule, and asks to burn more notes than there are where it owes less. To repay everything use
    SHIFT_BY ``exchange.clearing_repayment``, or ``margin_repay`` out of a deposit.
    """
    source = from_tokens(state, PoolAction.BORROW, source_tokens).tokens
    destination = from_notes(state, PoolAction.DEPOSIT, loan_notes).tokens
    return _moved(state, PoolAction.REPAY, change, amount, source=source, destination=destination)


def _moved(
    state: MarginPoolState, action: PoolAction, change: ChangeKind, amount: int, *, source: int, destination: int
) -> FullAmount:
    return from_tokens(state, action, tokens_to_move(action, change, amount, source=source, destination=destination))
