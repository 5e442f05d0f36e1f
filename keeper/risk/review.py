"""The review of a plan: pure, last word before execution.

It holds a plan against the trading state, the freshness of the view, the wallet's gas reserve, the size of entries, and what a
loan must leave of the margin account's health. An *exit* (claiming or cancelling a request, asking for the slow way out, selling
or unstaking what is held, repaying, withdrawing collateral on the way to that) lowers exposure and passes in every state that
still has a fresh view; limits meant for entries do not touch it. Depositing and borrowing are entries.

A plan that says it protects passes the reducing state, unless it borrows: that it says so lifts no limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from keeper.plan import (
    Borrow,
    CancelUnstake,
    ClaimUnstake,
    Deposit,
    Intent,
    Numbers,
    Plan,
    Repay,
    RequestUnstake,
    Stake,
    Swap,
    Unstake,
    Unwrap,
    Withdraw,
    Wrap,
)
from keeper.units import SOL, SSOL, Bps, Lamports, TokenAmount
from keeper.view import View, Wallet

_EXITS = (ClaimUnstake, CancelUnstake, Unstake, Repay, Withdraw, Unwrap)
BEING_LIQUIDATED = "being_liquidated"


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
    """What the operator allows: ``max_plan_capital`` in one plan, by its own account or by what its intents spend;
    ``min_health`` is the least health of the margin account that a step which lowers it must demand of itself."""

    max_plan_capital: Lamports
    min_health: Bps = Bps(1_000)


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
    """Whether every intent of the plan lowers exposure. A sale for SOL, and a request for the slow way out, do so as far as
    ``wallet`` holds what is given up, or the plan withdraws it before."""
    given: dict[str, int] = {}
    for step in plan.steps:
        for position, intent in enumerate(step.intents):
            if isinstance(intent, Withdraw):
                mint = intent.amount.mint.address
                given[mint] = given.get(mint, 0) - intent.amount.units
            leaving = _leaving(intent, step.intents[position + 1 :])
            if leaving is not None:
                mint = leaving.mint.address
                given[mint] = given.get(mint, 0) + leaving.units
                if given[mint] > wallet.token(leaving.mint).units:
                    return False
            elif not isinstance(intent, _EXITS):
                return False
    return True


def _leaving(intent: Intent, then: Sequence[Intent]) -> TokenAmount | None:
    """The token that an intent turns into SOL, now or later, and that must be held for that. Buying sSOL counts where the same
    transaction then unstakes all that the purchase is sure to bring."""
    match intent:
        case Swap(sell, receive, _) if receive.mint == SSOL:
            unstaked = (other.spend for other in then if isinstance(other, Unstake))
            return sell if any(spend >= receive for spend in unstaked if spend.mint == SSOL) else None
        case Swap(sell, receive, _) if receive.mint == SOL:
            return sell
        case RequestUnstake(spend, _):
            return spend
        case _:
            return None


def is_claim(plan: Plan) -> bool:
    """Whether the plan only collects what is ripe."""
    return all(isinstance(intent, ClaimUnstake) for intent in _intents(plan))


def borrows(plan: Plan) -> bool:
    """Whether the plan raises a debt."""
    return any(isinstance(intent, Borrow) for intent in _intents(plan))


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
        case Deposit(_, amount) if amount.mint == SOL:
            return amount.units
        case _:
            return 0


def review(plan: Plan, view: View, state: RiskState, limits: Limits) -> Verdict:
    """Hold ``plan`` against ``state`` and ``limits``."""
    if state.trading is TradingState.HALTED:
        return Denied("halted", {"cause": state.cause})
    if not view.fresh.allows(leaving=is_exit(plan, view.wallet)):
        return Denied("view_not_fresh", {"problem": view.fresh.problem})
    if view.margin is not None and view.margin.problem == BEING_LIQUIDATED and not is_claim(plan):
        return Denied(BEING_LIQUIDATED, {"account": view.margin.address})
    careless = _careless(plan, view, limits)
    if careless is not None:
        return careless
    if is_exit(plan, view.wallet):
        return Approved(plan)
    if state.trading is TradingState.REDUCING and (not plan.protects or borrows(plan)):
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


def _careless(plan: Plan, view: View, limits: Limits) -> Denied | None:
    """A step that raises a debt, or takes collateral from under one that it does not repay, must say which health it leaves:
    execution then holds it to that, exactly. A plan that repays later may pass through a low health on its way, but says how low:
    what comes later may fail."""
    owing = view.margin is None or any(loan.amount for loan in view.margin.loans)
    repays = any(isinstance(intent, Repay) for intent in _intents(plan))
    for number, step in enumerate(plan.steps):
        kinds = {type(intent) for intent in step.intents}
        owing = owing or Borrow in kinds
        low = step.min_health is None or step.min_health < limits.min_health
        bare = owing and Withdraw in kinds and Repay not in kinds
        if (Borrow in kinds and low) or (bare and (step.min_health is None or (low and not repays))):
            given = "none" if step.min_health is None else step.min_health.value
            return Denied("min_health_missing", {"step": number, "given": given, "least": limits.min_health.value})
    return None
