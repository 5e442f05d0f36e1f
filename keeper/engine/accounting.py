"""``keeper books``: what ledger and chain say of each balance, and booking a change that the operator made himself.

A withdrawal by hand looks like theft to a keeper that runs, and halts it. Whoever withdraws stops the keeper, moves the money,
and accepts the difference here; it is booked as ``external``, so that profit and loss are not made of it.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from keeper.config.loading import Loaded
from keeper.engine.assembly import Edges, StartupError, assemble
from keeper.engine.books import book_external
from keeper.engine.leadership import Lease
from keeper.execution.reconcile import Drift, drift
from keeper.telemetry.health import Health
from keeper.telemetry.metrics import Metrics

LEASE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Accounting:
    """The differences found, and whether they were booked."""

    differences: tuple[Drift, ...]
    accepted: bool

    def lines(self) -> list[str]:
        """For the terminal, a line each."""
        if not self.differences:
            return ["the ledger agrees with the chain on every balance"]
        done = "booked as external" if self.accepted else "not booked; add --accept when you know why"
        return [
            *(
                f"{one.asset} of {one.account}: booked {one.booked}, on chain {one.on_chain} ({one.on_chain - one.booked:+d})"
                for one in self.differences
            ),
            done,
        ]


async def account(loaded: Loaded, *, accept: bool, edges: Edges | None = None) -> Accounting:
    """Compare, and with ``accept`` book the differences under a lease of our own.

    Raises ``StartupError`` while another keeper leads or an attempt has no known end, and what ``assemble`` raises.
    """
    edges = edges or Edges()
    async with AsyncExitStack() as closing:
        parts = await assemble(loaded, edges, Metrics(CollectorRegistry()), Health(edges.clock.now), closing)
        if await parts.journal.unresolved():
            raise StartupError(
                "a transaction has no known end yet; start the keeper once, which brings it to its end, and stop it"
            )
        found = await drift(parts.journal, parts.endpoints.primary, parts.owner)
        if not accept or not found:
            return Accounting(found, accepted=False)
        leader = await parts.journal.leader()
        if leader is not None and leader.expires_at > edges.clock.wall():
            raise StartupError(f"a keeper ({leader.holder}) is running on this journal; stop it first")
        lease = await Lease.take(parts.journal, "keeper books", LEASE_SECONDS, edges.clock)
        closing.push_async_callback(lease.give_up)
        await book_external(parts.journal, parts.endpoints.primary, lease.held, found, edges.clock)
        return Accounting(found, accepted=True)
