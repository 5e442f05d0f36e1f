"""Tokens against notes: which way an exchange rounds, and how much of it an instruction asks for.

The tables of the shared facts (protocol.md 4.3 rounding, 4.4 ChangeKind). Rates are Numbers of tokens per note.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import NamedTuple

from keeper.sim.localnet.interface import ProgramError
from keeper.sim.localnet.programs.glow_margin_errors import CODE_OFFSET
from keeper.sim.localnet.programs.glow_margin_pool_number import divide, down, multiply, of_integer, up


class PoolError(IntEnum):
    """Custom codes of the margin-pool program."""

    DISABLED = 135100
    INTEREST_ACCRUAL_BEHIND = 135101
    DEPOSITS_ONLY = 135102
    INSUFFICIENT_LIQUIDITY = 135103
    INVALID_AMOUNT = 135104
    INVALID_POOL_PRICE = 135105
    INVALID_POOL_ORACLE = 135106
    INVALID_SET_TO = 135107
    REPAYMENT_EXCEEDS_TOTAL_OUTSTANDING = 135108
    EXCEEDS_MAX_BORROW_UTIL_RATIO = 135109
    SET_MATH_OP = 135110
    DEPOSIT_LIMIT_REACHED = 135111
    BORROW_LIMIT_REACHED = 135112
    TOKEN_EXTENSION_NOT_ENABLED = 135113
    INVALID_WITHDRAWAL_AUTHORITY = 135114
    MISSING_QUOTE_ORACLE_ACCOUNT = 135115
    POOL_PERMISSION_DENIED = 135116

    def error(self, said: str = "") -> ProgramError:
        """``said``: what was wrong, for the log."""
        name = "".join(word.capitalize() for word in self.name.split("_"))
        return ProgramError.custom(self.value + CODE_OFFSET, f"{name}: {said}" if said else name)


class Action(Enum):
    """What is done to the pool."""

    DEPOSIT = "deposit"
    WITHDRAW = "withdraw"
    BORROW = "borrow"
    REPAY = "repay"

    @property
    def lends(self) -> bool:
        """Exchanges deposit notes; the other actions exchange loan notes."""
        return self in (Action.DEPOSIT, Action.WITHDRAW)

    @property
    def notes_up(self) -> bool:
        """Tokens to notes rounds up; notes to tokens always rounds the other way."""
        return self in (Action.WITHDRAW, Action.BORROW)


class ChangeKind(IntEnum):
    """How an instruction's amount of tokens is meant."""

    SET_SOURCE_TO = 0
    SET_DESTINATION_TO = 1
    SHIFT_BY = 2


class Amount(NamedTuple):
    """The two sides of one exchange, in base units."""

    tokens: int
    notes: int


def of_tokens(tokens: int, rate: int, action: Action) -> Amount:
    """The exchange of ``tokens``. Raises error 135104 where one side would be nothing and the other not."""
    exact = divide(of_integer(tokens), rate)
    return _whole(Amount(tokens, up(exact) if action.notes_up else down(exact)))


def of_notes(notes: int, rate: int, action: Action) -> Amount:
    """The exchange of ``notes``. Raises error 135104 where one side would be nothing and the other not."""
    exact = multiply(of_integer(notes), rate)
    return _whole(Amount(down(exact) if action.notes_up else up(exact), notes))


def _whole(amount: Amount) -> Amount:
    if (amount.tokens == 0) != (amount.notes == 0):
        raise PoolError.INVALID_AMOUNT.error(f"{amount.tokens} tokens for {amount.notes} notes")
    return amount


def wanted(kind: ChangeKind, action: Action, amount: int, *, source: int, destination: int) -> int:
    """Tokens to move. ``source`` and ``destination``: what is there now, in tokens.

    A borrow's source is the loan and a repayment's destination is the loan: there the target is what the debt shall be.
    Raises error 135110 for a target on the wrong side of what is there.
    """
    if kind is ChangeKind.SHIFT_BY:
        return amount
    if kind is ChangeKind.SET_DESTINATION_TO:
        return _gap(destination - amount if action is Action.REPAY else amount - destination)
    if action is Action.BORROW:
        return _gap(amount - source)
    room = _gap(source - amount)
    return min(room, destination) if action is Action.REPAY else room


def _gap(tokens: int) -> int:
    if tokens < 0:
        raise PoolError.SET_MATH_OP.error(f"the target is passed by {-tokens} already")
    return tokens
