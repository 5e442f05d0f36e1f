"""What a rehearsal came to: read from the journal and the chain, not from what the daemon said about itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from keeper.engine.valuation import Valuation
from keeper.execution.reconcile import Drift
from keeper.journal.journal import Journal
from keeper.journal.records import AttemptState
from keeper.units import Lamports

PREMIUM = "mint_and_"
DISCOUNT = "buy_and_"
CLAIM = "claim_ripe"


@dataclass(frozen=True, slots=True)
class Landings:
    """Landed transactions by what they were for, and everything else by its end."""

    by_reason: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    expired: int = 0
    open: int = 0
    fees: Lamports = Lamports(0)

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
    ends: Counter[AttemptState] = Counter()
    fees = Lamports(0)
    for attempt in await journal.attempts():
        ends[attempt.state] += 1
        fees += attempt.fee
        intent = await journal.intent(attempt.intent_id)
        if attempt.state is AttemptState.LANDED and intent is not None:
            reasons[intent.reason] += 1
    return Landings(reasons, ends[AttemptState.FAILED], ends[AttemptState.EXPIRED], ends[AttemptState.SIGNED], fees)


@dataclass(frozen=True, slots=True)
class Report:
    """The end of a rehearsal. ``problems`` is empty when it went as it should."""

    landings: Landings
    valuation: Valuation
    drift: tuple[Drift, ...]
    exit_code: int | None
    booked_accounts: int

    @property
    def problems(self) -> tuple[str, ...]:
        found = [f"ledger and chain differ: {item}" for item in self.drift]
        if self.exit_code not in (0, None):
            found.append(f"the daemon exited with {self.exit_code}")
        if self.landings.open:
            found.append(f"{self.landings.open} attempt(s) have no known end")
        return tuple(found)

    def lines(self) -> list[str]:
        """The summary, a line each."""
        land, worth = self.landings, self.valuation
        agreed = "agrees with the chain to the lamport" if not self.drift else "DISAGREES with the chain"
        return [
            f"landed      {sum(land.by_reason.values())} transactions: {land.premium} premium (mint and sell), "
            f"{land.discount} discount (buy and redeem), {land.claims} claims",
            "            " + ", ".join(f"{reason} {count}" for reason, count in sorted(land.by_reason.items())),
            f"other ends  {land.failed} failed on chain, {land.expired} expired, {land.open} open",
            f"fees        {land.fees}",
            f"NAV         {worth.nav}   (holding: {worth.holding})",
            f"PnL         {worth.against_holding} against holding, after all costs",
            f"ledger      {agreed} ({self.booked_accounts} balances)",
        ]
