"""The whole keeper in virtual time: the same setting up, observing, deciding and landing, with the localnet in process."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry
from solders.keypair import Keypair

from keeper.config import load_config
from keeper.config.loading import Loaded
from keeper.engine.assembly import Edges, Parts, assemble
from keeper.engine.decision_log import DecisionLog
from keeper.engine.leadership import Lease
from keeper.engine.orders import unwind
from keeper.engine.setting_up import SetupOptions, set_up
from keeper.engine.startup import start
from keeper.engine.tick import UNWOUND, Tick, TickResult
from keeper.rehearsal.audit import audit
from keeper.rehearsal.configuration import NOTHING, THREE, Tables, merged
from keeper.rehearsal.files import Folder, Net
from keeper.rehearsal.inprocess import JupiterTransport, RpcTransport, virtual_clock
from keeper.rehearsal.report import Goals, Report
from keeper.rehearsal.world import FUNDS, UNWINDING, Pace, world
from keeper.sim.localnet.market_addresses import derived_keypair
from keeper.sim.localnet.server import Localnet
from keeper.telemetry.health import Health
from keeper.telemetry.metrics import Metrics


async def run_virtual(
    folder: Path,
    *,
    seed: int,
    seconds: int,
    pace: Pace | None = None,
    further: Tables = NOTHING,
    goals: Goals | None = None,
) -> Report:
    """Let the keeper work for ``seconds`` of virtual time and then unwind, for ``UNWINDING`` seconds at most.

    ``further`` is merged into its configuration. The same arguments give the same decision log and the same report. Raises
    ``ConfigError`` for tables that the keeper does not take.
    """
    net = Localnet(world(seed, pace or Pace(length=seconds * 10), clock="virtual"))
    box = await Box.furnish(net, folder, seed, merged(THREE, further))
    async with AsyncExitStack() as closing:
        run = await Run.begin(box, closing)
        await run.work(seconds)
        await run.unwind()
        await run.lease.give_up()
    return await box.audit(goals)


@dataclass(frozen=True, slots=True)
class Box:
    """A localnet in process with a wallet that is set up on it, and a configuration for it in ``place``."""

    net: Localnet
    place: Folder
    loaded: Loaded
    edges: Edges

    @classmethod
    async def furnish(cls, net: Localnet, folder: Path, seed: int, further: Tables) -> Box:
        """Fund a wallet and set it up as ``keeper setup --yes`` would. Raises ``ConfigError`` for unusable tables."""
        place = Folder(folder)
        await _prepare(net, place, derived_keypair("rehearsal wallet", seed), further)
        edges = Edges(virtual_clock(net), RpcTransport(net), JupiterTransport(net))
        loaded = load_config(place.config)
        await set_up(loaded, SetupOptions(), ask=lambda _: True, say=lambda _: None, edges=edges)
        return cls(net, place, loaded, edges)

    async def audit(self, goals: Goals | None = None) -> Report:
        """What a run on it came to."""
        return await audit(self.place.config, None, self.edges, goals)


@dataclass(frozen=True, slots=True)
class Run:
    """A keeper at work in virtual time, tick by tick."""

    box: Box
    parts: Parts
    lease: Lease
    tick: Tick

    @classmethod
    async def begin(cls, box: Box, closing: AsyncExitStack) -> Run:
        """Assemble, lead and recover, as the daemon does. What must be closed is pushed on ``closing``."""
        loaded, edges = box.loaded, box.edges
        names = [configured.name for configured in loaded.strategies]
        metrics, health = Metrics(CollectorRegistry(), strategies=names), Health(edges.clock.now)
        parts = await assemble(loaded, edges, metrics, health, closing)
        lease = await Lease.take(parts.journal, "rehearsal", 10_000.0, edges.clock)
        decisions = DecisionLog(box.place.decisions)
        closing.callback(decisions.close)
        return cls(box, parts, lease, await start(loaded, parts, lease, decisions))

    async def work(
        self, seconds: float, until: Callable[[], bool] = lambda: False, *, pause: float | None = None
    ) -> None:
        """Tick for ``seconds``, or until ``until`` holds; ``pause`` seconds between ticks in place of the configured ones."""
        clock, shortest = self.parts.clock, self.parts.settings.engine.min_interval
        end = clock.now() + seconds
        while clock.now() < end and not until():
            self.parts.observer.heard_of(await self.parts.endpoints.primary.slot("processed"))
            result = await self.tick.run()
            await clock.sleep(pause or (shortest if result is TickResult.TRADED else shortest * 2))

    async def unwind(self, seconds: float = UNWINDING) -> None:
        """Place the order to unwind as an operator does, and tick until everything is back in SOL, for ``seconds`` at most."""
        await unwind(self.box.loaded, (), cancel=False, wall=self.parts.clock.wall)
        await self.work(seconds, until=self.unwound)

    def unwound(self) -> bool:
        """Whether every strategy was told to unwind, and has nothing left now: what one leaves may be another's."""
        memory = self.tick.memory
        orders = memory.standing.orders.values() if memory.standing is not None else ()
        done = all(order.done_at is not None for order in orders)
        return bool(orders) and done and all(one.reason == UNWOUND for one in memory.decisions.values())


async def _prepare(net: Localnet, place: Folder, wallet: Keypair, further: Tables) -> None:
    if net.market is None:
        raise ValueError("a rehearsal needs the market")
    place.write_wallet(wallet)
    market = net.market
    answer = await net.rpc.handle({"jsonrpc": "2.0", "id": 1, "method": "getGenesisHash", "params": []})
    if answer is None:
        raise ValueError("the localnet did not answer getGenesisHash")
    where = Net(
        rpc="http://localnet.invalid",
        websocket="ws://localnet.invalid",
        jupiter="http://localnet.invalid",
        genesis=answer["result"],
        glowsol=str(market.glowsol_mint),
        lrt_pool=str(market.lrt_pool),
        lookup_table=str(market.lookup_table),
    )
    place.write_config(where, port=0, sdk_python=None, further=further)
    net.bank.airdrop(wallet.pubkey(), FUNDS)
    net.bank.advance_slot(2)
