"""An observer on a quiet in-process localnet whose wallet has tokens, requests in the queue, and a DEX to ask."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.chain.clock import VirtualClock
from keeper.chain.priority import PriorityFee
from keeper.chain.retry import ONCE
from keeper.chain.rpc import RpcClient
from keeper.observe.discovery import LrtSource, discover
from keeper.observe.freshness import FreshnessRules
from keeper.observe.observer import Observer, ObserverConfig
from keeper.protocols import addresses
from keeper.protocols.glow_lrt import LOCALNET_LRT_MAPPING
from keeper.protocols.market import LrtAddresses, Market
from keeper.rehearsal.inprocess import JupiterTransport, RpcTransport, virtual_clock
from keeper.sim.localnet.market_addresses import derived_keypair
from keeper.sim.localnet.server import Localnet
from keeper.strategy import LadderNeed
from keeper.units import SOL, SSOL, Bps, Lamports, MicroLamports, TokenAmount
from keeper.venues.jupiter_build import JupiterBuild, RateLimit
from tests.engine.stage import SOL_UNIT, Wire, genesis_of, market_of, quiet_config, stake_and_queue

RULES = FreshnessRules(
    max_age_slots=40, frozen_after=20.0, max_rate_step=Bps(20), max_rate_fall=Bps(1), max_quote_age_slots=150
)
GAS_RESERVE = Lamports(SOL_UNIT)
FLOOR = MicroLamports(1_000)
STAKED, QUEUED = 50 * SOL_UNIT, (10 * SOL_UNIT, 5 * SOL_UNIT)


@dataclass(slots=True)
class Eye:
    """Everything that observing needs. ``observer`` makes a new one; ``quoted`` is what observers told about quotes."""

    net: Localnet
    wire: Wire
    venue_wire: Wire
    rpc: RpcClient
    venue: JupiterBuild
    wallet: Keypair
    market: Market
    clock: VirtualClock
    quoted: list[tuple[str, Exception | None]] = field(default_factory=list)

    @property
    def owner(self) -> Pubkey:
        return self.wallet.pubkey()

    @property
    def lrt(self) -> LrtAddresses:
        assert self.market.lrt is not None
        return self.market.lrt

    @property
    def needs(self) -> tuple[LadderNeed, ...]:
        """Three directions at three sizes."""
        sizes = (SOL_UNIT, 5 * SOL_UNIT, 20 * SOL_UNIT)
        tokens = tuple(TokenAmount(self.lrt.glowsol, size) for size in sizes)
        sols = tuple(TokenAmount(SOL, size) for size in sizes)
        return LadderNeed(tokens, SOL), LadderNeed(tokens, SSOL), LadderNeed(sols, self.lrt.glowsol)

    def observer(self, rules: FreshnessRules = RULES, market: Market | None = None) -> Observer:
        return Observer(
            self.rpc,
            (self.venue,),
            market or self.market,
            self.owner,
            ObserverConfig(GAS_RESERVE, Bps(3), rules),
            priority=PriorityFee(self.rpc, floor=FLOOR, cap=MicroLamports(500_000)),
            clock=self.clock,
            on_quote=lambda venue, error: self.quoted.append((venue, error)),
        )


def lrt_source(net: Localnet) -> LrtSource:
    sim = market_of(net)
    return LrtSource(sim.glowsol_mint, sim.lrt_pool, sim.lrt_program, None, LOCALNET_LRT_MAPPING)


async def make_eye() -> Eye:
    net = Localnet(quiet_config())
    clock, wire, venue_wire = virtual_clock(net), Wire(RpcTransport(net)), Wire(JupiterTransport(net))
    rpc = RpcClient("http://localnet.invalid", transport=wire, retry=ONCE)
    wallet = derived_keypair("observing wallet")
    venue = JupiterBuild(
        "http://localnet.invalid",
        wallet.pubkey(),
        rate=RateLimit(100_000, 1.0),
        transport=venue_wire,
        clock=clock,
        name="jupiter",
    )
    net.bank.airdrop(wallet.pubkey(), 200 * SOL_UNIT)
    net.bank.advance_slot(40)
    market = await discover(rpc, await genesis_of(net), lrt_source(net), ())
    assert market.lrt is not None
    stake_and_queue(net, wallet, market.lrt, stake=STAKED, queue=QUEUED)
    net.bank.advance_slot(2)
    return Eye(net, wire, venue_wire, rpc, venue, wallet, market, clock)


@pytest.fixture
async def eye() -> AsyncIterator[Eye]:
    made = await make_eye()
    yield made
    await made.venue.aclose()
    await made.rpc.aclose()


def without_lrt(market: Market) -> Market:
    return replace(market, lrt=None)


__all__ = ["Eye", "addresses", "lrt_source", "make_eye", "without_lrt"]
