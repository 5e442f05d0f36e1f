"""Arithmetic over the bounds of intents: what a step surely has to spend, and what it must leave in the wallet.

Assets are ``"lamports"`` for native SOL and a mint's address for its token. In a ``Swap`` and in lending SOL is native SOL (they
wrap and unwrap by themselves), so wrapped SOL that stays wrapped is only moved by ``Wrap`` and ``Unwrap``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from keeper.execution.outcome import Refusal, Stage, UnsupportedIntent
from keeper.plan import (
    Atomic,
    Borrow,
    CancelUnstake,
    ClaimUnstake,
    Deposit,
    Intent,
    Repay,
    RequestUnstake,
    Stake,
    Swap,
    Unstake,
    Unwrap,
    Withdraw,
    Wrap,
)
from keeper.units import SOL, WSOL_ADDRESS, Lamports, TokenAmount
from keeper.view import Wallet

LAMPORTS = "lamports"


@dataclass(frozen=True, slots=True)
class Flow:
    """What one intent may take at most and must bring at least, by asset, in base units."""

    spends: Mapping[str, int]
    brings: Mapping[str, int]


def _asset(amount: Lamports | TokenAmount) -> tuple[str, int]:
    if isinstance(amount, Lamports):
        return LAMPORTS, amount.value
    return amount.mint.address, amount.units


def _swapped(amount: TokenAmount) -> tuple[str, int]:
    return (LAMPORTS if amount.mint == SOL else amount.mint.address), amount.units


def flow(intent: Intent) -> Flow:
    """The bounds of ``intent``. Raises ``UnsupportedIntent`` for one that no builder exists for."""
    match intent:
        case Swap(sell, receive, _):
            return Flow(dict([_swapped(sell)]), dict([_swapped(receive)]))
        case Stake(spend, minted):
            return Flow(dict([_asset(spend)]), dict([_asset(minted)]))
        case Unstake(burned, paid):
            return Flow(dict([_asset(burned)]), dict([_asset(paid)]))
        case RequestUnstake(queued, _):
            return Flow(dict([_asset(queued)]), {})
        case ClaimUnstake(_, claimed):
            return Flow({}, dict([_asset(claimed)]))
        case CancelUnstake(_, returned):
            return Flow({}, dict([_asset(returned)]))
        case Wrap(amount):
            return Flow({LAMPORTS: amount.value}, {WSOL_ADDRESS: amount.value})
        case Unwrap(least):
            return Flow({}, {LAMPORTS: least.value})
        case Deposit(_, amount) | Repay(_, amount, _):
            return Flow(dict([_swapped(amount)]), {})
        case Withdraw(_, amount) | Borrow(_, amount):
            return Flow({}, dict([_swapped(amount)]))
        case _:
            raise UnsupportedIntent(intent, f"no bounds are known for {type(intent).__name__}")


def opens_wrapped(intent: Intent) -> bool:
    """Whether the intent may empty the wallet's wrapped-SOL account into native SOL (unwrapping closes the account)."""
    if isinstance(intent, Unwrap):
        return True
    if isinstance(intent, Deposit | Withdraw | Borrow | Repay):
        return intent.amount.mint == SOL
    return isinstance(intent, Swap) and SOL in (intent.sell.mint, intent.min_receive.mint)


def net(step: Atomic) -> dict[str, int]:
    """The least that each asset of the wallet may change by in this step, fees and rent apart."""
    total: Counter[str] = Counter()
    for intent in step.intents:
        moved = flow(intent)
        total.update(moved.brings)
        total.subtract(moved.spends)
    return dict(total)


def holdings(wallet: Wallet, *, protects: bool = False) -> dict[str, int]:
    """What plans may spend: native SOL above the gas reserve (one that protects also what is kept for that), and every token."""
    native = wallet.protecting if protects else wallet.spendable
    return {LAMPORTS: native.value} | {amount.mint.address: amount.units for amount in wallet.tokens}


def require_covered(step: Atomic, pots: Mapping[str, int]) -> dict[str, int]:
    """The pots after ``step`` if its bounds are just met.

    Raises ``Refusal("spends_more_than_sure")`` where an intent sells more than the wallet holds plus what the intents before
    it are sure to bring: such a step could only land by luck.
    """
    left = Counter(pots)
    for position, intent in enumerate(step.intents):
        moved = flow(intent)
        for asset, amount in moved.spends.items():
            if amount > left[asset]:
                raise Refusal(
                    Stage.COMPILE,
                    "spends_more_than_sure",
                    f"intent {position} ({type(intent).__name__}) spends {amount} of {asset}, "
                    f"but only {left[asset]} are sure to be there",
                    asset=asset,
                    spends=amount,
                    sure=left[asset],
                    intent=position,
                )
            left[asset] -= amount
        left.update(moved.brings)
    return dict(left)
