"""One collateral levered with one loan inside a margin account, and how far it may go before its health gives.

Limits are found by halving on the account's own arithmetic (``MarginAccount.changed``, ``health``) and not by formulas of their
own: what is promised here is what the account then says, whatever else it holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from keeper.lending import Collateral, Loan, MarginAccount, Stress
from keeper.units import BPS, Bps, Lamports, Mint, TokenAmount

GRAIN = 1 << 20
"""Limits are found to one part in this many of the range, on the safe side: finer ones are not worth the time."""


def largest(limit: int, holds: Callable[[int], bool]) -> int:
    """The largest n in 1..``limit`` that holds, for what holds up to some n (to the grain below); 0 where none does."""
    if limit <= 0 or holds(limit):
        return max(limit, 0)
    low, high = 0, limit
    while high - low > max(limit // GRAIN, 1):
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def least(limit: int, holds: Callable[[int], bool]) -> int:
    """The least n in 1..``limit`` that holds, for a condition that holds from some n on (to the grain above); ``limit`` where
    none does."""
    low, high = 0, max(limit, 0)
    while high - low > max(limit // GRAIN, 1):
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


@dataclass(frozen=True, slots=True)
class Position:
    """The collateral ``market`` (a ``Collateral.market``) against the loan ``lender`` (a ``Loan.market``), both of ``account``.

    The loan is of SOL: one base unit is one lamport. ``stress`` is what the position must outlive.
    """

    account: MarginAccount
    market: str
    lender: str
    stress: Stress

    @property
    def place(self) -> Collateral:
        return next(one for one in self.account.collateral if one.market == self.market)

    @property
    def loan(self) -> Loan:
        return next(one for one in self.account.loans if one.market == self.lender)

    @property
    def mint(self) -> Mint:
        return self.place.mint

    @property
    def problem(self) -> str:
        """Why health is not what it seems, and nothing can be taken out or borrowed: of the account, or of the collateral."""
        return self.account.problem or self.place.problem

    @property
    def assets(self) -> Lamports:
        return self.place.value

    @property
    def debt(self) -> Lamports:
        return Lamports(self.loan.amount.units)

    @property
    def equity(self) -> Lamports:
        """Of this collateral and this loan alone; negative when under water."""
        return self.assets - self.debt

    @property
    def stressed(self) -> Bps:
        """The account's health after the stress; 10 000 bps without debt."""
        return self.account.stressed(self.stress, self.mint).health

    def tokens(self, worth: Lamports) -> TokenAmount:
        """How much collateral is worth ``worth``, rounded down; nothing where its price is zero."""
        price = self.place.price
        return price.tokens(worth, self.mint) if price.numerator and worth > Lamports(0) else TokenAmount(self.mint, 0)

    def after(self, *, deposited: int = 0, borrowed: int = 0) -> Position:
        """After base units of collateral and lamports of debt were added (negative: taken out, repaid; never below nothing)."""
        added = max(deposited, -self.place.amount.units)
        owed = max(borrowed, -self.loan.amount.units)
        return replace(self, account=self.account.changed({self.market: added, f"loan:{self.lender}": owed}))

    def with_debt(self, debt: Lamports) -> Position:
        """Levered up or down to ``debt``: collateral bought or sold at its price with the difference."""
        change = debt.value - self.debt.value
        units = self.tokens(Lamports(abs(change))).units
        return self.after(deposited=units if change >= 0 else -units, borrowed=change)

    def safe_debt(self, floor: Bps, most: Lamports) -> Lamports:
        """The most debt up to ``most`` that ``with_debt`` can take on with stressed health at ``floor`` or above."""
        return Lamports(largest(most.value, lambda n: self.with_debt(Lamports(n)).stressed >= floor))

    def free(self, floor: Bps) -> TokenAmount:
        """The most collateral that can be taken out at once with health still at ``floor``, and that is there to be taken."""
        place = self.place
        most = place.amount if place.exit_room is None else min(place.amount, place.exit_room)
        fits = largest(most.units, lambda n: self.after(deposited=-n).account.health >= floor)
        return TokenAmount(self.mint, fits)

    def spare(self, floor: Bps) -> TokenAmount:
        """As ``free``, with the health under stress in place of today's."""
        fits = largest(self.free(floor).units, lambda n: self.after(deposited=-n).stressed >= floor)
        return TokenAmount(self.mint, fits)

    def borrowable(self, floor: Bps, most: Lamports) -> Lamports:
        """The most up to ``most`` that today's collateral carries on top of the debt with health at ``floor``."""
        return Lamports(largest(most.value, lambda n: self.after(borrowed=n).account.health >= floor))

    def middle(self, floor: Bps) -> Bps:
        """How low a step may let health go between its own intents: ``floor``, or half of today's where that is less."""
        return Bps(max(min(floor.value, self.account.health.value // 2), 0))

    def within(self, floor: Bps, leverage: Bps) -> bool:
        """Whether the stressed health is at ``floor`` or above, and assets are ``leverage`` times equity at most."""
        return self.stressed >= floor and not self.over(leverage)

    def over(self, leverage: Bps) -> bool:
        """Whether assets are more than ``leverage`` (10 000 bps is 1 x) times equity."""
        return self.debt.value * BPS > max(self.equity.value, 0) * (leverage.value - BPS)
