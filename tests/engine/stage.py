"""A localnet in process and the keeper's own parts on it, with a hand on the wire: what these rooms' tests play on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
from prometheus_client import CollectorRegistry
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from spl.token.instructions import create_associated_token_account

from keeper.chain.clock import VirtualClock
from keeper.chain.rpc import RpcClient
from keeper.config.loading import Loaded, load_config
from keeper.engine.assembly import Edges, Parts, assemble
from keeper.engine.decision_log import DecisionLog
from keeper.engine.leadership import Lease
from keeper.engine.startup import start
from keeper.engine.tick import Tick
from keeper.protocols.market import LrtAddresses
from keeper.rehearsal.files import Folder, Net
from keeper.rehearsal.inprocess import JupiterTransport, RpcTransport, virtual_clock
from keeper.rehearsal.world import Pace, world
from keeper.sim.localnet.market_addresses import Market as SimMarket
from keeper.sim.localnet.market_addresses import derived_keypair
from keeper.sim.localnet.server import Localnet, LocalnetConfig
from keeper.strategy import Configured
from keeper.telemetry.health import Health
from keeper.telemetry.metrics import Metrics
from keeper.units import Lamports, TokenAmount
from tests.journal.blank import blank_journal

SOL_UNIT = 10**9
FUNDS = 500 * SOL_UNIT
Tamper = Callable[[str, Any], Any]


class Wire(httpx2.AsyncBaseTransport):
    """The way to a face of the localnet. ``down`` refuses connections; ``tamper(method, answer)`` changes an answer's JSON."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner
        self.down = False
        self.status: int | None = None
        self.tamper: Tamper | None = None
        self.calls: Counter[str] = Counter()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = await request.aread()
        method = json.loads(body)["method"] if body else request.url.path
        self.calls[method] += 1
        if self.down:
            raise httpx2.ConnectError("connection refused")
        if self.status is not None:
            return httpx2.Response(self.status, content=b"<html>not today</html>")
        answer = await self._inner.handle_async_request(request)
        if self.tamper is None:
            return answer
        changed = self.tamper(method, json.loads(answer.content))
        content = changed if isinstance(changed, bytes) else json.dumps(changed).encode()
        return httpx2.Response(answer.status_code, content=content)


def quiet_config(seed: int = 7, pace: Pace | None = None) -> LocalnetConfig:
    """The rehearsal's market without its traders: prices stay until somebody trades."""
    return replace(world(seed, pace or Pace(), clock="virtual"), scenario=None)


def market_of(net: Localnet) -> SimMarket:
    assert net.market is not None
    return net.market


async def genesis_of(net: Localnet) -> str:
    async with RpcClient("http://localnet.invalid", transport=RpcTransport(net)) as rpc:
        return await rpc.genesis_hash()


async def write_files(
    net: Localnet, folder: Path, wallet: Keypair, *, urls: tuple[str, str, str] | None = None
) -> Folder:
    """Wallet and configuration of a keeper on ``net``; ``urls`` are RPC, websocket and Jupiter where sockets are used."""
    rpc, websocket, jupiter = urls or ("http://localnet.invalid", "ws://localnet.invalid", "http://localnet.invalid")
    sim, place = market_of(net), Folder(folder)
    where = Net(
        rpc=rpc,
        websocket=websocket,
        jupiter=jupiter,
        genesis=await genesis_of(net),
        glowsol=str(sim.glowsol_mint),
        lrt_pool=str(sim.lrt_pool),
        lookup_table=str(sim.lookup_table),
    )
    place.write_wallet(wallet)
    place.write_config(where, port=0, sdk_python=None)
    return place


def edit(place: Folder, old: str, new: str) -> None:
    """Change the configuration file; ``old`` must stand in it exactly once."""
    text = place.config.read_text()
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the configuration"
    place.config.write_text(text.replace(old, new))


def pay(net: Localnet, signer: Keypair, *instructions: Instruction) -> None:
    """Execute ``instructions`` now; they must succeed."""
    net.bank.advance_slot()
    blockhash, _ = net.bank.latest_blockhash()
    message = MessageV0.try_compile(signer.pubkey(), list(instructions), [], blockhash)
    record = net.bank.process(VersionedTransaction(message, [signer]))
    assert record.err is None, (record.err, record.logs)


def open_token_account(net: Localnet, owner: Keypair, mint: Pubkey) -> None:
    pay(net, owner, create_associated_token_account(owner.pubkey(), owner.pubkey(), mint))


def stake_and_queue(net: Localnet, owner: Keypair, lrt: LrtAddresses, *, stake: int, queue: Sequence[int]) -> None:
    """Stake ``stake`` lamports for glowSOL and put ``queue`` base units of it into the queue, one request each."""
    program, mint = lrt.program, lrt.glowsol
    open_token_account(net, owner, Pubkey.from_string(mint.address))
    pay(net, owner, program.deposit_sol(owner.pubkey(), Lamports(stake)))
    if queue:
        pay(net, owner, program.create_queue(owner.pubkey()))
    for units in queue:
        pay(net, owner, program.request_unstake(owner.pubkey(), TokenAmount(mint, units)))


@dataclass(slots=True)
class Stage:
    """A keeper's parts on a virtual localnet. ``open`` makes them as the daemon would."""

    net: Localnet
    place: Folder
    wallet: Keypair
    clock: VirtualClock
    rpc: Wire
    jupiter: Wire
    metrics: Metrics = field(init=False)
    health: Health = field(init=False)
    parts: Parts = field(init=False)
    lease: Lease = field(init=False)

    @classmethod
    async def build(cls, folder: Path, *, config: LocalnetConfig | None = None, funds: int = FUNDS) -> Stage:
        net = Localnet(config or quiet_config())
        wallet = derived_keypair("stage wallet")
        place = await write_files(net, folder, wallet)
        if funds:
            net.bank.airdrop(wallet.pubkey(), funds)
        net.bank.advance_slot(2)
        return cls(net, place, wallet, virtual_clock(net), Wire(RpcTransport(net)), Wire(JupiterTransport(net)))

    @property
    def edges(self) -> Edges:
        return Edges(self.clock, self.rpc, self.jupiter)

    async def assemble(self, closing: AsyncExitStack, loaded: Loaded | None = None) -> Parts:
        loaded = loaded or load_config(self.place.config)
        self.metrics = Metrics(CollectorRegistry(), strategies=[one.name for one in loaded.strategies])
        self.health = Health(self.clock.now)
        self.parts = await assemble(loaded, self.edges, self.metrics, self.health, closing)
        return self.parts

    async def open(self, closing: AsyncExitStack, strategies: Sequence[Configured[Any]] | None = None) -> Tick:
        """Assemble, lead, recover: a tick that can be run. ``strategies`` replace the configured ones."""
        loaded = load_config(self.place.config)
        if strategies is not None:
            loaded = replace(loaded, strategies=tuple(strategies))
        if not self.place.journal.exists():
            self.place.journal.write_bytes(blank_journal())
        parts = await self.assemble(closing, loaded)
        self.lease = await Lease.take(parts.journal, "stage", 10_000.0, self.clock)
        decisions = DecisionLog(self.place.decisions)
        closing.callback(decisions.close)
        return await start(loaded, parts, self.lease, decisions)

    def metric(self, name: str, **labels: str) -> float | None:
        """A sample as a scrape would see it."""
        return self.metrics.registry.get_sample_value(name, labels)
