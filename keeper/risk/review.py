"""The review of a plan: pure, last word before execution.

First form: the trading state, the freshness of the view, the wallet's gas reserve, the size and the rate of entries. An *exit*
(claiming or cancelling a request, selling or unstaking what is held, repaying) lowers exposure and passes in every state that
still has a fresh view; limits meant for entries do not touch it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from keeper.plan import (
    CancelUnstake,
    ClaimUnstake,
    Intent,
    Numbers,
    Plan,
    Repay,
    Stake,
    Swap,
    Unstake,
    Unwrap,
    Withdraw,
    Wrap,
)
from keeper.units import SOL, Lamports
from keeper.view import View, Wallet

_EXITS = (ClaimUnstake, CancelUnstake, Unstake, Repay, Withdraw, Unwrap)


class TradingState(StrEnum):
    """ACTIVE trades; REDUCING only exits; HALTED does nothing until a person looked."""

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


@dataclass(frozen=True, slots=True)
class RiskState:
    """The trading state and why it is not ACTIVE (empty when it is)."""

    trading: TradingState = TradingState.ACTIVE
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the operator allows: ``max_plan_capital`` in one plan, by its own account or by what its intents spend."""

    max_plan_capital: Lamports


@dataclass(frozen=True, slots=True)
class Approved:
    """A plan that may be executed. Only ``review`` makes one."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class Denied:
    """A plan that may not, with the reason code and its numbers."""

    reason: str
    numbers: Numbers


Verdict: TypeAlias = Approved | Denied


def is_exit(plan: Plan, wallet: Wallet) -> bool:
    """Whether every intent of the plan lowers exposure. A sale for SOL does so as far as ``wallet`` holds what is sold."""
    sold: dict[str, int] = {}
    for intent in _intents(plan):
        if isinstance(intent, Swap) and intent.min_receive.mint == SOL:
            mint = intent.sell.mint
            sold[mint.address] = sold.get(mint.address, 0) + intent.sell.units
            if sold[mint.address] > wallet.token(mint).units:
                return False
        elif not isinstance(intent, _EXITS):
            return False
    return True


def outlay(plan: Plan) -> Lamports:
    """The SOL that the plan's intents spend, whatever it says of its capital."""
    return Lamports(sum(_spent(intent) for intent in _intents(plan)))


def _intents(plan: Plan) -> Iterator[Intent]:
    return (intent for step in plan.steps for intent in step.intents)


def _spent(intent: Intent) -> int:
    match intent:
        case Stake(Lamports() as spend, _) | Wrap(spend):
            return spend.value
        case Swap(sell, _, _) if sell.mint == SOL:
            return sell.units
        case _:
            return 0


def review(plan: Plan, view: View, state: RiskState, limits: Limits) -> Verdict:
    """Hold ``plan`` against ``state`` and ``limits``."""
    if state.trading is TradingState.HALTED:
        return Denied("halted", {"cause": state.cause})
    if not view.fresh.ok:
        return Denied("view_not_fresh", {"problem": view.fresh.problem})
    if is_exit(plan, view.wallet):
        return Approved(plan)
    if state.trading is TradingState.REDUCING:
        return Denied("reducing", {"cause": state.cause})
    capital = max(plan.expected.capital, outlay(plan))
    if capital > limits.max_plan_capital:
        numbers = {"capital": capital.value, "max_plan_capital": limits.max_plan_capital.value}
        return Denied("plan_capital_above_limit", numbers)
    after = view.wallet.lamports + plan.expected.min_sol_change
    if after < view.wallet.gas_reserve:
        # a plan's bound includes fees and rent, which come out of the gas reserve: it may be touched, not used up
        floor = view.wallet.gas_reserve.value // 2
        if after.value < floor:
            return Denied("gas_reserve_at_risk", {"after": after.value, "floor": floor})
    return Approved(plan)
