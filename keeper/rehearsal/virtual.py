"""The whole keeper in virtual time: the same observe, decide, review, execute and journal, with the localnet in process."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from prometheus_client import CollectorRegistry
from solders.keypair import Keypair

from keeper.config import load_config
from keeper.engine.assembly import Edges, assemble
from keeper.engine.decision_log import DecisionLog
from keeper.engine.leadership import Lease
from keeper.engine.startup import start
from keeper.engine.tick import TickResult
from keeper.rehearsal.audit import audit
from keeper.rehearsal.files import Folder, Net
from keeper.rehearsal.inprocess import JupiterTransport, RpcTransport, virtual_clock
from keeper.rehearsal.report import Report
from keeper.rehearsal.world import Pace, world
from keeper.sim.localnet.market_addresses import derived_keypair
from keeper.sim.localnet.server import Localnet
from keeper.telemetry.health import Health
from keeper.telemetry.metrics import Metrics
from keeper.units import LAMPORTS_PER_SOL

FUNDS = 500 * LAMPORTS_PER_SOL


async def run_virtual(folder: Path, *, seed: int, seconds: int, pace: Pace | None = None) -> Report:
    """Run the keeper for ``seconds`` of virtual time. The same arguments give the same decision log and the same report."""
    pace = pace or Pace(length=seconds * 10)
    net = Localnet(world(seed, pace, clock="virtual"))
    place = Folder(folder)
    wallet = derived_keypair("rehearsal wallet", seed)
    await _prepare(net, place, wallet)
    clock = virtual_clock(net)
    edges = Edges(clock, RpcTransport(net), JupiterTransport(net))
    loaded = load_config(place.config)
    names = [configured.name for configured in loaded.strategies]
    metrics, health = Metrics(CollectorRegistry(), strategies=names), Health(clock.now)
    async with AsyncExitStack() as closing:
        parts = await assemble(loaded, edges, metrics, health, closing)
        lease = await Lease.take(parts.journal, "rehearsal", 10_000.0, clock)
        decisions = DecisionLog(place.decisions)
        closing.callback(decisions.close)
        tick = await start(loaded, parts, lease, decisions)
        end = clock.now() + seconds
        while clock.now() < end:
            parts.observer.heard_of(await parts.endpoints.primary.slot("processed"))
            result = await tick.run()
            engine = loaded.settings.engine
            await clock.sleep(engine.min_interval if result is TickResult.TRADED else engine.min_interval * 2)
        await lease.give_up()
    return await audit(place.config, None, edges)


async def _prepare(net: Localnet, place: Folder, wallet: Keypair) -> None:
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
    place.write_config(where, port=0, sdk_python=None)
    net.bank.airdrop(wallet.pubkey(), FUNDS)
    net.bank.advance_slot(2)
