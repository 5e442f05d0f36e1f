"""``keeper books``: what ledger and chain say of each balance, and booking a change that the operator made himself.

A withdrawal by hand looks like theft to a keeper that runs, and halts it. Whoever withdraws stops the keeper, moves the money,
and accepts the difference here; it is booked as ``external``, so that profit and loss are not made of it.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from keeper.config.loading import Loaded
from keeper.engine.assembly import Edges, Parts, StartupError, assemble
from keeper.engine.books import book_external
from keeper.engine.leadership import lead_once
from keeper.execution.bounds import LAMPORTS
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

    Accepting leads first and looks then: nobody else can sign or book between the look and the booking. Raises ``StartupError``
    while another leads, where an attempt has no known end or the ledger is not this wallet's, and what ``assemble`` raises.
    """
    edges = edges or Edges()
    async with AsyncExitStack() as closing:
        parts = await assemble(loaded, edges, Metrics(CollectorRegistry()), Health(edges.clock.now), closing)
        await _require_books(parts)
        if not accept:
            return Accounting(await _differences(parts), accepted=False)
        lease = await lead_once(parts.journal, "keeper books", LEASE_SECONDS, edges.clock)
        closing.push_async_callback(lease.give_up)
        found = await _differences(parts)
        if found:
            await book_external(parts.journal, parts.endpoints.primary, lease.held, found, edges.clock)
        return Accounting(found, accepted=bool(found))


async def _require_books(parts: Parts) -> None:
    """Raises ``StartupError`` where this wallet was never booked: accepting would write another wallet's money off."""
    if (str(parts.owner), LAMPORTS) not in await parts.journal.balances():
        raise StartupError(
            f"the ledger has never booked wallet {parts.owner}: a first start of the keeper opens it; or check that "
            "wallet.keypair and journal.url are the ones you mean"
        )


async def _differences(parts: Parts) -> tuple[Drift, ...]:
    if await parts.journal.unresolved():
        raise StartupError(
            "a transaction has no known end yet; where a keeper runs, ask again in a moment, else start it once, which brings "
            "the transaction to its end, and stop it"
        )
    return await drift(parts.journal, parts.endpoints.primary, parts.owner, parts.market.lending)
