"""Sharing one wallet: what each strategy may see and spend of it, so that no strategy takes what another counts on.

SOL. A strategy with a budget may have that much out of the wallet at a time: what it has taken and not returned counts, losses
and fees too; what it earned may be put to work again. What a strategy of higher priority still has free in its budget is not
shown to those below it. A strategy without a budget sees what no budget claims. SOL that a strategy borrowed and has not spent
yet is its own, whatever its budget. ``protection`` is kept back from all of them for plans that protect.

Tokens. What a strategy acquired is its own and hidden from the others. What nobody acquired (opening balances, deposits, what a
strategy left behind that is unwound or no longer configured) is shown to ``compound``, where it is configured, else to the
strategy of lowest priority, and to ``arbitrage``, which may sell it: one plan is executed at a time, so it is never spent twice.

Requests on their way out. A strategy sees its own, and those that nobody is known to have asked for.

Pure over values: an ``Allocator`` is made anew for each view.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from keeper.engine.ownership import Ownership
from keeper.execution.bounds import LAMPORTS, flow
from keeper.plan import CancelUnstake, ClaimUnstake, Decision, Hold, Plan, TicketId
from keeper.units import Lamports, Mint, TokenAmount
from keeper.view import Ticket, View, Wallet

PRIORITY = ("arbitrage", "loop", "compound")
"""Whose plan goes first among those that neither protect nor only claim. Other strategies follow in the order of the file."""

COLLECTOR, SELLER = "compound", "arbitrage"

Held: TypeAlias = Mapping[str, Mapping[str, int]]
"""Strategy to what its plan in flight takes out of the wallet: asset to base units."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """What the operator allots. ``names`` are the configured strategies by priority; one without a budget takes what is left."""

    names: tuple[str, ...]
    budgets: Mapping[str, Lamports] = field(default_factory=dict)
    protection: Lamports = Lamports(0)

    @classmethod
    def of(cls, names: Iterable[str], budgets: Mapping[str, Lamports], protection: Lamports) -> Allocation:
        """``names`` in the order of the configuration."""
        return cls(by_priority(names), dict(budgets), protection)


def by_priority(names: Iterable[str]) -> tuple[str, ...]:
    """``names`` with those of ``PRIORITY`` first, the others behind them in the order given."""
    return tuple(sorted(names, key=lambda name: PRIORITY.index(name) if name in PRIORITY else len(PRIORITY)))


@dataclass(frozen=True, slots=True)
class Allocator:
    """The shares of the strategies in one wallet. ``held`` is what plans in flight take."""

    allocation: Allocation
    owned: Ownership = field(default_factory=Ownership)
    held: Held = field(default_factory=dict)

    def hold(self, strategy: str, plan: Plan) -> Allocator:
        """Reserve what ``plan`` takes until ``release``. A process that dies meanwhile needs no memory of it: every attempt is
        brought to its end before anything is decided again."""
        return replace(self, held={**self.held, strategy: outlay(plan)})

    def release(self, strategy: str) -> Allocator:
        """What was in flight has come to its end."""
        return replace(self, held={name: taken for name, taken in self.held.items() if name != strategy})

    def share(self, view: View, strategy: str) -> View:
        """``view`` as ``strategy`` may see it: its share of the wallet, and its requests."""
        wallet = replace(view.wallet, protection=self.allocation.protection)
        kept_back = wallet.lamports - wallet.spendable
        return replace(
            view,
            wallet=replace(
                wallet,
                lamports=kept_back + self._sol(wallet, strategy),
                tokens=tuple(self._token(amount, strategy) for amount in wallet.tokens),
            ),
            queue=tuple(ticket for ticket in view.queue if self._owner(ticket) in ("", strategy)),
        )

    def check(self, view: View, strategy: str, plan: Plan) -> Decision:
        """``plan``, or the Hold that it becomes where it takes more than its share or another's request. ``view`` is whole."""
        seen = self.share(view, strategy)
        for ticket in view.queue:
            if ticket not in seen.queue and ticket.id in _tickets(plan):
                return _breaks(self._owner(ticket), plan, {"ticket": ticket.id.index})
        for asset, spends in outlay(plan).items():
            share = _available(seen.wallet, asset, protects=plan.protects)
            if spends > share:
                numbers: dict[str, int | str] = {"asset": asset, "spends": spends, "share": share}
                whose = self._whose(view.wallet, strategy, asset, plan)
                if whose:
                    return _breaks(",".join(whose), plan, numbers)
                if asset == LAMPORTS and strategy in self.allocation.budgets:
                    budget = self.allocation.budgets[strategy].value
                    return Hold("above_budget", {**numbers, "budget": budget, "plan": plan.reason})
        return plan

    # -- SOL

    def _sol(self, wallet: Wallet, strategy: str) -> Lamports:
        """What ``strategy`` may spend above the reserves."""
        others = [name for name in self._names(strategy) if name != strategy]
        theirs = sum(self.owned.borrowed(name) + self._in_flight(name, LAMPORTS) for name in others)
        there = max(wallet.spendable.value - theirs, 0)
        own = min(self.owned.borrowed(strategy), there)
        rest = max(there - own - sum(self._reserved(strategy).values()), 0)
        if strategy in self.allocation.budgets:
            rest = min(rest, self._free(strategy))
        return Lamports(max(own + rest - self._in_flight(strategy, LAMPORTS), 0))

    def _reserved(self, strategy: str) -> dict[str, int]:
        """By strategy, the free budgets that ``strategy`` must leave alone: of those above it; without a budget, of all."""
        names, budgets = self.allocation.names, self.allocation.budgets
        above = names[: names.index(strategy)] if strategy in names and strategy in budgets else names
        return {name: self._free(name) for name in above if name != strategy and name not in self.owned.unwound}

    def _free(self, strategy: str) -> int:
        """What is left of a budget; nothing where there is none."""
        budget = self.allocation.budgets.get(strategy, Lamports(0))
        return max(budget.value - self.owned.deployed(strategy), 0)

    # -- tokens and requests

    def _token(self, amount: TokenAmount, strategy: str) -> TokenAmount:
        claims = self._claims(amount)
        seen = claims.get(strategy, 0)
        if strategy in self._heirs:
            borrowed = sum(
                max(self._in_flight(name, amount.mint.address) - claims.get(name, 0), 0)
                for name in self._names(strategy)
                if name != strategy
            )
            seen += max(amount.units - sum(claims.values()) - borrowed, 0)
        return TokenAmount(amount.mint, max(seen - self._in_flight(strategy, amount.mint.address), 0))

    def _claims(self, balance: TokenAmount) -> dict[str, int]:
        """Who owns what of ``balance``, cut to what is there, the highest priority served first."""
        left, claims = balance.units, {}
        for name in self.allocation.names:
            if name not in self.owned.unwound:
                claims[name] = min(self.owned.tokens.get((name, balance.mint.address), 0), left)
                left -= claims[name]
        return claims

    @property
    def _heirs(self) -> tuple[str, ...]:
        """Who sees what is nobody's."""
        names = self.allocation.names
        return (COLLECTOR if COLLECTOR in names else names[-1], SELLER) if names else ()

    def _owner(self, ticket: Ticket) -> str:
        """Empty for a request that is nobody's, or of a strategy that is not configured any more."""
        owner = self.owned.tickets.get(ticket.id, "")
        return owner if owner in self.allocation.names else ""

    # -- both

    def _names(self, strategy: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.allocation.names, strategy, *self.held)))

    def _in_flight(self, strategy: str, asset: str) -> int:
        return self.held.get(strategy, {}).get(asset, 0)

    def _whose(self, wallet: Wallet, strategy: str, asset: str, plan: Plan) -> list[str]:
        """Whose reservations stand in the way of ``strategy`` and ``asset``, by priority."""
        others = [name for name in self._names(strategy) if name != strategy]
        if asset == LAMPORTS:
            reserved = self._reserved(strategy)
            held = {name: self.owned.borrowed(name) + reserved.get(name, 0) for name in others}
        else:
            mint = Mint(asset, asset, 0)
            held = dict(self._claims(wallet.token(mint)))
        found = [name for name in others if held.get(name, 0) + self._in_flight(name, asset) > 0]
        kept_back = asset == LAMPORTS and self.allocation.protection and not plan.protects
        return [*found, "protection"] if kept_back else found


def outlay(plan: Plan) -> dict[str, int]:
    """The most that ``plan`` takes out of the wallet at any moment, by asset, if its bounds are just met; fees and rent apart.

    Raises ``UnsupportedIntent`` for an intent that execution does not know.
    """
    left: Counter[str] = Counter()
    deepest: Counter[str] = Counter()
    for step in plan.steps:
        for intent in step.intents:
            moved = flow(intent)
            left.subtract(moved.spends)
            for asset in moved.spends:
                deepest[asset] = max(deepest[asset], -left[asset])
            left.update(moved.brings)
    return {asset: units for asset, units in sorted(deepest.items()) if units > 0}


def _available(wallet: Wallet, asset: str, *, protects: bool) -> int:
    if asset == LAMPORTS:
        return (wallet.protecting if protects else wallet.spendable).value
    return wallet.token(Mint(asset, asset, 0)).units


def _tickets(plan: Plan) -> set[TicketId]:
    intents = (intent for step in plan.steps for intent in step.intents)
    return {intent.ticket for intent in intents if isinstance(intent, ClaimUnstake | CancelUnstake)}


def _breaks(whose: str, plan: Plan, numbers: Mapping[str, int | str]) -> Hold:
    return Hold("breaks_reservation", {"whose": whose, **numbers, "plan": plan.reason})
