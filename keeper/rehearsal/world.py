"""The market that a rehearsal runs in: deep enough to trade, fast enough that a week passes in half a minute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from keeper.sim.localnet.bank import Bank
from keeper.sim.localnet.cranks import CrankConfig
from keeper.sim.localnet.interface import BankConfig, ChainClock
from keeper.sim.localnet.market import SOL, MarketConfig
from keeper.sim.localnet.market_addresses import Market
from keeper.sim.localnet.server import LocalnetConfig
from keeper.sim.scenario import Scenario, ScenarioConfig

WEEK = 604_800
EPOCH = 172_800  # two days, in chain seconds


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the world runs. ``slot_ms`` real milliseconds a slot; a redemption's seven days take ``week_slots`` slots."""

    slot_ms: int = 100
    week_slots: int = 300
    length: int = 700

    @property
    def warp(self) -> int:
        """Chain seconds per real second."""
        return WEEK * 1000 // (self.week_slots * self.slot_ms)

    @property
    def slots_per_epoch(self) -> int:
        return EPOCH * self.week_slots // WEEK


def scenario_hook(config: ScenarioConfig) -> Callable[[Bank, Market | None, ChainClock], None]:
    """The scenario as the localnet calls it: at every slot, from the first one on."""
    running: list[Scenario] = []

    def on_slot(bank: Bank, market: Market | None, clock: ChainClock) -> None:
        if market is None:
            raise ValueError("a price scenario needs a market; give LocalnetConfig one")
        if not running:
            running.append(Scenario(bank, market, config))
        running[0].on_slot(clock)

    return on_slot


def world(seed: int, pace: Pace, *, rpc_port: int = 0, clock: Literal["real", "virtual"] = "real") -> LocalnetConfig:
    """The demo's localnet: Solayer, the restaking program, three DEX pools, traders with a plan of their own."""
    return LocalnetConfig(
        rpc_port=rpc_port,
        bank=BankConfig(slot_ms=pace.slot_ms, warp=pace.warp, slots_per_epoch=pace.slots_per_epoch, seed=seed),
        market=MarketConfig(
            seed=seed, trader_tokens=20_000 * SOL, trader_lamports=60_000 * SOL, lrt_assets=80_000 * SOL
        ),
        cranks=CrankConfig(update_delay=4, interval=3),
        scenario=scenario_hook(ScenarioConfig(seed=seed, length=pace.length)),
        clock=clock,
    )
