"""One transaction of a levered position, with its worst case and what remains after it. Pure, in the language of strategies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from keeper.plan import (
    Atomic,
    Borrow,
    ClaimUnstake,
    Deposit,
    Expected,
    Intent,
    Number,
    Plan,
    Repay,
    Stake,
    Swap,
    Unstake,
    Withdraw,
)
from keeper.tactics.leverage import Position
from keeper.units import BPS, SOL, Bps, Duration, Lamports

NOTHING = Lamports(0)
NOW = Duration(0)


def native_change(intents: tuple[Intent, ...]) -> Lamports:
    """What the bounds of ``intents`` move of the wallet's native SOL at the worst, fees and rents apart."""
    change = 0
    for intent in intents:
        match intent:
            case Borrow(_, amount) | Withdraw(_, amount) if amount.mint == SOL:
                change += amount.units
            case Repay(_, amount, _) | Deposit(_, amount) if amount.mint == SOL:
                change -= amount.units
            case Stake(Lamports() as spend, _):
                change -= spend.value
            case Unstake(_, received) | ClaimUnstake(_, received):
                change += received.value
            case Swap(sell, received, _):
                change += (received.units if received.mint == SOL else 0) - (sell.units if sell.mint == SOL else 0)
            case _:
                pass
    return Lamports(change)


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction. ``after`` is the position once it landed at its bounds; ``moved`` the SOL that it is about; ``loss`` what
    it gives up against the redemption rate, the cost of waiting included; ``fee`` is fee and rents."""

    way: str
    intents: tuple[Intent, ...]
    after: Position
    moved: Lamports
    loss: Lamports
    fee: Lamports
    ripens: Duration = NOW

    @property
    def share(self) -> Bps:
        """The loss as a share of what would be fair, rounded up; all of it where that is nothing."""
        worth = (self.moved + self.loss).value
        return Bps(-(-self.loss.value * BPS // worth)) if worth > 0 else Bps(BPS)

    def plan(
        self, floor: Bps | None, numbers: Mapping[str, Number], *, gain: Lamports = NOTHING, protects: bool = False
    ) -> Plan:
        """As a plan of this one step. ``floor``: the health it must leave; ``gain``: what it earns before its own costs."""
        costs = max(self.loss, NOTHING) + self.fee
        edge = Bps.between(self.moved + gain - costs, self.moved) if self.moved > NOTHING else Bps(0)
        change = native_change(self.intents) - self.fee
        expected = Expected(gain - costs, costs, edge, max(self.moved, NOTHING), self.ripens, change)
        return Plan((Atomic(self.intents, floor),), expected, self.way, numbers, protects)
