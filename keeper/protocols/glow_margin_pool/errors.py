"""What the pool program refuses, by its own code and name, before any lamport moves.

Codes: shared facts, protocol.md 4.5 (the comments in the program's source name other numbers; these are the enum's).
"""

from __future__ import annotations

from types import MappingProxyType

POOL_ERRORS = MappingProxyType(
    {
        135100: "Disabled",
        135101: "InterestAccrualBehind",
        135102: "DepositsOnly",
        135103: "InsufficientLiquidity",
        135104: "InvalidAmount",
        135105: "InvalidPoolPrice",
        135106: "InvalidPoolOracle",
        135107: "InvalidSetTo",
        135108: "RepaymentExceedsTotalOutstanding",
        135109: "ExceedsMaxBorrowUtilRatio",
        135110: "SetMathOp",
        135111: "DepositLimitReached",
        135112: "BorrowLimitReached",
        135113: "TokenExtensionNotEnabled",
        135114: "InvalidWithdrawalAuthority",
        135115: "MissingQuoteOracleAccount",
        135116: "PoolPermissionDenied",
    }
)
"""Custom codes of the margin-pool program; what is below 6000 is the Anchor framework's."""

POOL_CODES = MappingProxyType({name: code for code, name in POOL_ERRORS.items()})


class PoolError(ValueError):
    """The pool program would fail on this. ``reason`` is the program's name for it; the message has the numbers."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason


class PoolRefused(PoolError):
    """The program's own refusal: ``reason`` is a name of ``POOL_ERRORS``, ``code`` its custom code."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason, message)
        self.code = POOL_CODES[reason]


class InterestAccrualBehind(PoolRefused):
    """The pool is more than seven days behind: ``collect`` has to be called ``collects`` times first."""

    def __init__(self, behind: int, collects: int) -> None:
        super().__init__(
            "InterestAccrualBehind",
            f"the pool is {behind} s behind, more than one call accrues; {collects} calls of collect catch up",
        )
        self.behind = behind
        self.collects = collects


class PoolPanic(PoolError):
    """Arithmetic at which the program panics, so that the transaction fails without a code of its own: overflow, a negative
    number, a division by zero, a rate above 200 %. ``reason`` is one of those in words."""
