"""What a rehearsal came to: read from the journal and the chain, not from what the daemon said about itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from keeper.engine.valuation import Valuation
from keeper.execution.reconcile import Drift
from keeper.journal.journal import Journal
from keeper.journal.records import AttemptState
from keeper.units import LAMPORTS_PER_SOL, Lamports

PREMIUM = "mint_and_"
DISCOUNT = "buy_and_"
CLAIM = "claim_ripe"
DUST = Lamports(LAMPORTS_PER_SOL // 20)
"""What may be left outside native SOL after unwinding: amounts below the fee or the quoted size of their way."""


@dataclass(frozen=True, slots=True)
class Landings:
    """Landed transactions by what they were for and by whose they were, and everything else by its end."""

    by_reason: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    expired: int = 0
    open: int = 0
    fees: Lamports = Lamports(0)
    by_strategy: Counter[str] = field(default_factory=Counter)

    def of(self, prefix: str) -> int:
        return sum(count for reason, count in self.by_reason.items() if reason.startswith(prefix))

    @property
    def premium(self) -> int:
        """glowSOL minted and sold."""
        return self.of(PREMIUM)

    @property
    def discount(self) -> int:
        """glowSOL bought to be redeemed."""
        return self.of(DISCOUNT)

    @property
    def claims(self) -> int:
        return self.of(CLAIM)


async def landings(journal: Journal) -> Landings:
    """Count every attempt in the journal."""
    reasons: Counter[str] = Counter()
    strategies: Counter[str] = Counter()
    ends: Counter[AttemptState] = Counter()
    fees = Lamports(0)
    for attempt in await journal.attempts():
        ends[attempt.state] += 1
        fees += attempt.fee
        intent = await journal.intent(attempt.intent_id)
        if attempt.state is AttemptState.LANDED and intent is not None:
            reasons[intent.reason] += 1
            strategies[intent.strategy] += 1
    return Landings(
        reasons, ends[AttemptState.FAILED], ends[AttemptState.EXPIRED], ends[AttemptState.SIGNED], fees, strategies
    )


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What is not back in native SOL. ``outside``: the worth of tokens, requests and collateral; ``debt``: what the margin
    account owes; ``orders``: by strategy that was ordered to unwind, whether it has said that it is done."""

    outside: Lamports
    debt: Lamports
    orders: Mapping[str, bool]

    @property
    def problems(self) -> tuple[str, ...]:
        """Why the way back to SOL is not finished; empty where it is."""
        found = [f"{name} has not unwound" for name, done in sorted(self.orders.items()) if not done]
        if not self.orders:
            found.append("nothing was ordered to unwind")
        if self.debt > Lamports(0):
            found.append(f"the margin account still owes {self.debt}")
        if self.outside > DUST:
            found.append(f"{self.outside} are not back in SOL")
        return tuple(found)

    def line(self) -> str:
        done = ", ".join(name for name, unwound in sorted(self.orders.items()) if unwound) or "nobody"
        return f"{done}; {self.outside} outside of SOL, {self.debt} owed"


@dataclass(frozen=True, slots=True)
class Goals:
    """What a whole demo must come to: the least landings of each kind, and everything back in SOL (``home``)."""

    premium: int = 5
    discount: int = 5
    claims: int = 1
    strategies: Mapping[str, int] = field(default_factory=lambda: {"loop": 3, "compound": 3})
    home: bool = True

    def missed(self, land: Landings, left: Leftovers) -> tuple[str, ...]:
        """A sentence for each goal that was not reached."""
        counts = {
            "premium trades": (land.premium, self.premium),
            "discount trades": (land.discount, self.discount),
            "claims": (land.claims, self.claims),
            **{f"transactions of {name}": (land.by_strategy[name], least) for name, least in self.strategies.items()},
        }
        found = [f"{got} {what} landed, need {least} at least" for what, (got, least) in counts.items() if got < least]
        return (*found, *(left.problems if self.home else ()))


@dataclass(frozen=True, slots=True)
class Report:
    """The end of a rehearsal. ``problems`` is empty when it went as it should; without ``goals`` (a run too short for them) the
    ledger and the daemon's own end are all that is judged."""

    landings: Landings
    valuation: Valuation
    drift: tuple[Drift, ...]
    exit_code: int | None
    booked_accounts: int
    left: Leftovers
    goals: Goals | None = None

    @property
    def problems(self) -> tuple[str, ...]:
        found = [f"ledger and chain differ: {item}" for item in self.drift]
        if self.exit_code not in (0, None):
            found.append(f"the daemon exited with {self.exit_code}")
        if self.landings.open:
            found.append(f"{self.landings.open} attempt(s) have no known end")
        return (*found, *(self.goals.missed(self.landings, self.left) if self.goals is not None else ()))

    def lines(self) -> list[str]:
        """The summary, a line each."""
        land, worth = self.landings, self.valuation
        agreed = "agrees with the chain to the lamport" if not self.drift else "DISAGREES with the chain"
        whose = ", ".join(f"{name} {count}" for name, count in sorted(land.by_strategy.items()))
        return [
            f"landed      {sum(land.by_reason.values())} transactions: {whose or 'none'}",
            f"arbitrage   {land.premium} premium (mint and sell), {land.discount} discount (buy and redeem); "
            f"{land.claims} claims of all",
            "            " + ", ".join(f"{reason} {count}" for reason, count in sorted(land.by_reason.items())),
            f"other ends  {land.failed} failed on chain, {land.expired} expired, {land.open} open",
            f"fees        {land.fees}",
            f"unwound     {self.left.line()}",
            f"NAV         {worth.nav}   (holding: {worth.holding})",
            f"PnL         {worth.against_holding} against holding, after all costs",
            f"ledger      {agreed} ({self.booked_accounts} balances)",
        ]
