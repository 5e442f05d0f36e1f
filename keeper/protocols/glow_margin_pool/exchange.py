"""Tokens against notes, and what notes are worth (shared facts, protocol.md 4.3 and 4.5).

Every exchange is rounded for the pool: deposit down, withdraw up, borrow up, repay down from tokens to notes, and the other way
round from notes to tokens. Rates are raw Numbers of tokens per note; amounts base units. The state must be accrued.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from keeper.protocols.glow_margin_pool import number192 as number
from keeper.protocols.glow_margin_pool.accounts import MarginPoolState
from keeper.protocols.glow_margin_pool.errors import PoolRefused
from keeper.protocols.glow_margin_pool.rates import total_value
from keeper.protocols.pyth import PriceUpdate, TokenPrice


class PoolAction(Enum):
    """What is exchanged, and which side the rounding is on."""

    DEPOSIT = "deposit"
    WITHDRAW = "withdraw"
    BORROW = "borrow"
    REPAY = "repay"

    @property
    def of_deposits(self) -> bool:
        """Exchanges deposit notes; otherwise loan notes."""
        return self in (PoolAction.DEPOSIT, PoolAction.WITHDRAW)

    @property
    def notes_up(self) -> bool:
        """Tokens to notes round up: more of our notes are burnt, or more debt is written."""
        return self in (PoolAction.WITHDRAW, PoolAction.BORROW)


@dataclass(frozen=True, slots=True)
class FullAmount:
    """Both sides of one exchange, in base units."""

    tokens: int
    notes: int


def deposit_note_rate(state: MarginPoolState) -> int:
    """Tokens per deposit note: max(1, value - uncollected fees) / max(1, notes). Raises ``PoolPanic``."""
    lenders = number.subtract(total_value(state), state.uncollected_fees)
    return number.divide(max(number.ONE, lenders), number.whole(max(1, state.deposit_notes)))


def loan_note_rate(state: MarginPoolState) -> int:
    """Tokens per loan note: max(1, borrowed) / max(1, notes). Back at one as soon as nobody owes. Raises ``PoolPanic``."""
    return number.divide(max(number.ONE, state.borrowed), number.whole(max(1, state.loan_notes)))


def _rate(state: MarginPoolState, action: PoolAction) -> int:
    return deposit_note_rate(state) if action.of_deposits else loan_note_rate(state)


def from_tokens(state: MarginPoolState, action: PoolAction, tokens: int) -> FullAmount:
    """The exchange of ``tokens``. Raises ``PoolRefused`` (InvalidAmount) where it comes to no note, ``PoolPanic``."""
    exact = number.divide(number.whole(tokens), _rate(state, action))
    return _both_sides(FullAmount(tokens, number.ceil(exact) if action.notes_up else number.floor(exact)))


def from_notes(state: MarginPoolState, action: PoolAction, notes: int) -> FullAmount:
    """The exchange of ``notes``. Raises ``PoolRefused`` (InvalidAmount) where it comes to no token, ``PoolPanic``."""
    exact = number.multiply(number.whole(notes), _rate(state, action))
    return _both_sides(FullAmount(number.floor(exact) if action.notes_up else number.ceil(exact), notes))


def _both_sides(amount: FullAmount) -> FullAmount:
    if (amount.tokens == 0) != (amount.notes == 0):
        raise PoolRefused(
            "InvalidAmount", f"{amount.tokens} tokens against {amount.notes} notes: neither may be nothing"
        )
    return amount


def deposit(state: MarginPoolState, tokens: int) -> FullAmount:
    """Notes for ``tokens`` put in, rounded down. Raises ``PoolRefused`` (InvalidAmount), ``PoolPanic``."""
    return from_tokens(state, PoolAction.DEPOSIT, tokens)


def withdraw(state: MarginPoolState, tokens: int) -> FullAmount:
    """Notes burnt for ``tokens`` taken out, rounded up. Raises ``PoolRefused`` (InvalidAmount), ``PoolPanic``."""
    return from_tokens(state, PoolAction.WITHDRAW, tokens)


def borrow(state: MarginPoolState, tokens: int) -> FullAmount:
    """Loan notes written for ``tokens``, rounded up. Raises ``PoolRefused`` (InvalidAmount), ``PoolPanic``."""
    return from_tokens(state, PoolAction.BORROW, tokens)


def repay(state: MarginPoolState, tokens: int) -> FullAmount:
    """Loan notes burnt for ``tokens`` paid, rounded down. Raises ``PoolRefused`` (InvalidAmount), ``PoolPanic``."""
    return from_tokens(state, PoolAction.REPAY, tokens)


def redeemable(state: MarginPoolState, deposit_notes: int) -> int:
    """Tokens that ``deposit_notes`` are worth, rounded down; nothing for dust. Raises ``PoolPanic``."""
    return number.floor(number.multiply(number.whole(deposit_notes), deposit_note_rate(state)))


def owed(state: MarginPoolState, loan_notes: int) -> int:
    """Tokens that ``loan_notes`` owe, rounded up. Raises ``PoolPanic``."""
    return number.ceil(number.multiply(number.whole(loan_notes), loan_note_rate(state)))


def clearing_repayment(state: MarginPoolState, loan_notes: int) -> int:
    """The largest SHIFT_BY repayment that burns no more than ``loan_notes``: one note more would fail in the token program.

    It burns them all, but for a note that a note rate below one can make unreachable (a pool young enough for its roundings).
    Exact for this state only: what accrues until it lands leaves a few notes, in proportion to the loan, which a second
    repayment of this kind clears (its slack of one note outlasts the interest on so few). Raises ``PoolPanic``.
    """
    if loan_notes == 0:
        return 0
    tokens = -(-(loan_notes + 1) * loan_note_rate(state) // number.ONE)
    while from_tokens(state, PoolAction.REPAY, tokens).notes > loan_notes:
        tokens -= 1
    return min(tokens, number.ceil(state.borrowed))


@dataclass(frozen=True, slots=True)
class NotePrices:
    """Prices of both notes as ``margin_refresh_position`` reports them to margin."""

    deposit: TokenPrice
    loan: TokenPrice


def note_prices(state: MarginPoolState, update: PriceUpdate, quote: PriceUpdate | None = None) -> NotePrices:
    """Note price = token price x note rate, to the nearest unit of the price's exponent; confidence and average alike.

    ``quote`` belongs to a redemption oracle; the product of both feeds is not rounded in between. The pool's *stored* interest
    counts: the instruction does not accrue. Age is judged elsewhere (``pyth.problem``). Raises ``PoolPanic`` for a negative
    price or an exponent that the program cannot scale by.
    """
    scale = update.exponent
    price, conf, ema = (number.from_decimal(value, scale) for value in (update.price, update.conf, update.ema_price))
    published = update.publish_time
    if quote is not None:
        dollars, doubt, average = (
            number.from_decimal(value, quote.exponent) for value in (quote.price, quote.conf, quote.ema_price)
        )
        conf = number.add(number.multiply(conf, dollars), doubt)
        price, ema = number.multiply(price, dollars), number.multiply(ema, average)
        published = min(published, quote.publish_time)

    def priced(rate: int) -> TokenPrice:
        values = [number.rounded(number.multiply(value, rate), scale) for value in (price, conf, ema)]
        return TokenPrice(values[0], values[1], values[2], scale, published)

    return NotePrices(priced(deposit_note_rate(state)), priced(loan_note_rate(state)))
