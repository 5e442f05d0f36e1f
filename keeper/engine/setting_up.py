"""``keeper setup``: what the wallet needs before the first trade, shown with its cost, asked for, and landed.

Every part looks at the chain first, so a second run does nothing and a run that was killed is simply started again: what it had
in flight is brought to its end, and what is missing then is what is left to do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from keeper.chain.answers import Commitment
from keeper.config.loading import Loaded
from keeper.engine.assembly import Edges, Parts, StartupError, assemble, execution_policy, priority_fee
from keeper.engine.leadership import Lease, lead_once
from keeper.engine.setup_preview import Preview
from keeper.engine.watching import ExecutionWatch
from keeper.execution.landing import Landing
from keeper.execution.lending_sight import tracked_accounts
from keeper.execution.naming import ErrorNames
from keeper.execution.outcome import Expired, Failed, Landed, Refusal
from keeper.execution.preparation.bundles import Bundle, bundles
from keeper.execution.preparation.closing import closing_steps
from keeper.execution.preparation.ground import Ground, survey
from keeper.execution.preparation.lander import Lander
from keeper.execution.preparation.missing import Wanted, missing_steps
from keeper.execution.preparation.steps import SetupRefused
from keeper.execution.preparation.wall import Wall
from keeper.execution.reconcile import opening_entries
from keeper.journal.records import FencedOut
from keeper.protocols.layout import LayoutError
from keeper.protocols.lending import LendingPool
from keeper.protocols.market import Market
from keeper.telemetry.health import Health
from keeper.telemetry.metrics import Metrics
from keeper.units import SOL, Lamports, MicroLamports, Slot, UnixTime

LEASE_SECONDS = 90.0
MOST_EXPIRIES = 3


@dataclass(frozen=True, slots=True)
class SetupOptions:
    """``borrow`` and ``lend``: symbols or mints of pools that get a loan or a deposit position; ``borrow`` None for the pool that
    lends SOL. ``close``: give up what holds nothing, in place of opening what is missing. ``dry_run``: only show."""

    borrow: tuple[str, ...] | None = None
    lend: tuple[str, ...] = ()
    close: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class SetupDone:
    """``landed``: the transactions of this run. ``change``: what they changed the wallet's SOL by. ``agreed``: whether the
    operator said yes, or there was nothing to ask."""

    preview: Preview
    landed: tuple[Landed, ...] = ()
    agreed: bool = True

    @property
    def change(self) -> Lamports:
        return Lamports(sum(one.native_change.value for one in self.landed))

    def lines(self) -> list[str]:
        """For the terminal, after everything that was shown before."""
        if not self.agreed:
            return ["nothing was done"]
        if not self.landed:
            return []
        verb = "paid" if self.change.value <= 0 else "received"
        return [f"done: {len(self.landed)} transactions landed, {verb} {Lamports(abs(self.change.value))} in all"]


async def set_up(
    loaded: Loaded,
    options: SetupOptions,
    *,
    ask: Callable[[Preview], bool],
    say: Callable[[str], None],
    edges: Edges | None = None,
) -> SetupDone:
    """Show what is to be done and what it costs, ask, and do it, under a lease of our own.

    ``ask`` is given what was shown and answers whether to go on. Raises ``StartupError`` while another leads, for a wallet that
    cannot pay and keep its reserve, and where a transaction failed or was refused; ``SetupRefused`` where the chain does not
    allow it; and what ``assemble`` raises.
    """
    edges = edges or Edges()
    async with AsyncExitStack() as closing:
        parts = await assemble(loaded, edges, Metrics(CollectorRegistry()), Health(edges.clock.now), closing)
        run = _Run(parts, options, await priority_fee(parts.settings, parts.endpoints.primary).price([parts.owner]))
        if options.dry_run:
            preview = await run.preview()
            _tell(preview, say)
            if await parts.journal.unresolved():
                say("a transaction has no known end yet: what it does is not in this")
            return SetupDone(preview)
        lease = await lead_once(parts.journal, "keeper setup", LEASE_SECONDS, edges.clock)
        closing.push_async_callback(lease.give_up)
        await parts.executor.recover(lease.held)
        await run.note_tables(lease)
        preview = await run.preview()
        _tell(preview, say)
        if not preview.bundles:
            return SetupDone(preview)
        if preview.shortfall.value:
            raise StartupError(preview.short())
        if not ask(preview):
            return SetupDone(preview, agreed=False)
        return SetupDone(preview, await run.work(lease, preview, say))


def _tell(preview: Preview, say: Callable[[str], None]) -> None:
    for line in preview.lines():
        say(line)


class _Run:
    """One run: looks, and lands what it finds to do until nothing is left."""

    def __init__(self, parts: Parts, options: SetupOptions, price: MicroLamports) -> None:
        self._parts = parts
        self._options = options
        self._price = price
        self._wanted = wanted_pools(parts.market, options)
        self._seen = Slot(0)
        watch = ExecutionWatch(parts.metrics, parts.health, parts.clock.now)
        landing = Landing(
            parts.endpoints,
            parts.journal,
            parts.owner,
            execution_policy(parts.settings),
            parts.clock,
            watch,
            ErrorNames.of(parts.market),
            tracked_accounts(parts.market.lending),
        )
        self._lander = Lander(landing, parts.signer, Wall(parts.owner, parts.market.lending))

    async def preview(self) -> Preview:
        """What there is to do now."""
        ground = await self._look()
        agenda = closing_steps(ground) if self._options.close else missing_steps(ground, self._wanted)
        return Preview(
            wallet=self._parts.owner,
            lamports=ground.lamports,
            reserve=self._parts.settings.wallet.gas_reserve,
            bundles=bundles(agenda.steps, self._parts.owner, self._price),
            notes=agenda.notes,
            closing=self._options.close,
        )

    async def _look(self) -> Ground:
        """The ground, from a node that has seen all that we landed."""
        parts = self._parts
        for entry in await parts.journal.entries(1):
            self._seen = max(self._seen, entry.slot)
        recent = await parts.endpoints.primary.slot(Commitment.FINALIZED)
        own = await parts.journal.tables(str(parts.owner))
        return await survey(parts.endpoints.primary, parts.owner, parts.market, own, recent, not_before=self._seen)

    async def work(self, lease: Lease, shown: Preview, say: Callable[[str], None]) -> tuple[Landed, ...]:
        """Land one transaction after the other, and look again before each."""
        parts = self._parts
        await self._renew(lease)
        now = UnixTime(int(parts.clock.wall()))
        try:
            entries = await opening_entries(parts.endpoints.primary, parts.owner, now, parts.market.lending)
        except LayoutError as error:
            raise StartupError(f"a token account of wallet {parts.owner} cannot be read: {error}; close it") from error
        await parts.journal.open_ledger(lease.held, entries)
        landed: list[Landed] = []
        expired = 0
        while True:
            await self.note_tables(lease)
            left = await self.preview()
            if not left.bundles:
                return tuple(landed)
            self._require_shown(shown, left, landed)
            await self._renew(lease)
            outcome = await self._land(lease, left.bundles[0])
            if isinstance(outcome, Failed):
                raise StartupError(
                    f"{_named(left.bundles[0])} failed on chain ({outcome.error}; transaction {outcome.signature}, fee "
                    f"{outcome.fee}): nothing else of it happened; run it again when the reason is gone"
                )
            if isinstance(outcome, Expired):
                expired += 1
                if expired >= MOST_EXPIRIES:
                    raise StartupError(
                        f"{_named(left.bundles[0])} expired {expired} times unexecuted and cost nothing: the network is busy; "
                        "run it again later, or raise execution.min_unit_price"
                    )
                continue
            landed.append(outcome)
            self._seen = max(self._seen, outcome.slot)
            say(f"landed: {_named(left.bundles[0])} ({outcome.native_change}, transaction {outcome.signature})")

    async def _land(self, lease: Lease, bundle: Bundle) -> Landed | Failed | Expired:
        try:
            return await self._lander.land(lease.held, bundle, self._seen)
        except Refusal as refusal:
            raise StartupError(f"{_named(bundle)} was not sent: {refusal}") from refusal

    async def note_tables(self, lease: Lease) -> None:
        """Strike out the tables that were written down and never made, or are closed: with nothing in flight, what is not there
        will not come. Those that are out of use are noted as such, so that the keeper stops naming them."""
        if await self._parts.journal.unresolved():
            return
        ground = await self._look()
        for table in ground.absent:
            await self._parts.journal.forget_table(lease.held, table.address)
        for table, found in ground.tables:
            if found.deactivation_slot is not None and not table.retired:
                await self._parts.journal.retire_table(lease.held, table.address)

    @staticmethod
    def _require_shown(shown: Preview, left: Preview, landed: Sequence[Landed]) -> None:
        done = Lamports(sum(one.native_change.value for one in landed))
        if done + left.change < shown.change:
            raise StartupError(
                f"what is left would change the wallet by {left.change} after {done}, shown was {shown.change} in all: the chain "
                "has changed meanwhile; run it again to see what is left"
            )

    async def _renew(self, lease: Lease) -> None:
        try:
            await lease.renew()
        except FencedOut as error:
            raise StartupError(f"a keeper took the lead meanwhile: stop it and run this again ({error})") from error


def _named(bundle: Bundle) -> str:
    return ", ".join(step.title for step in bundle.steps)


def wanted_pools(market: Market, options: SetupOptions) -> Wanted:
    """The pools that ``options`` name. Raises ``SetupRefused`` for one that is not configured."""
    pools = () if market.lending is None else market.lending.pools
    if options.borrow is None:
        borrow = tuple(pool for pool in pools if pool.mint == SOL)
    else:
        borrow = _named_pools(pools, options.borrow, "--borrow")
    return Wanted(borrow, _named_pools(pools, options.lend, "--lend"))


def _named_pools(pools: Sequence[LendingPool], names: Sequence[str], option: str) -> tuple[LendingPool, ...]:
    return tuple(dict.fromkeys(_pool(pools, name, option) for name in names))


def _pool(pools: Sequence[LendingPool], name: str, option: str) -> LendingPool:
    found = next((pool for pool in pools if name in (pool.mint.symbol, pool.mint.address)), None)
    if found is None:
        known = ", ".join(f"{pool.mint.symbol} ({pool.mint.address})" for pool in pools) or "none"
        raise SetupRefused(f"{option} {name}: no such pool is configured in market.lending.pools; there is: {known}")
    return found


__all__ = ["Preview", "SetupDone", "SetupOptions", "SetupRefused", "set_up", "wanted_pools"]
