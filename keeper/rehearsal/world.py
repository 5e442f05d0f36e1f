"""The market that a rehearsal runs in: deep enough to trade, fast enough that a week passes in half a minute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from keeper.sim.lending_scenario import LendingScenario, LendingScenarioConfig
from keeper.sim.localnet.bank import Bank
from keeper.sim.localnet.cranks import CrankConfig
from keeper.sim.localnet.interface import BankConfig, ChainClock
from keeper.sim.localnet.market import SOL, MarketConfig
from keeper.sim.localnet.market_addresses import Market
from keeper.sim.localnet.server import LocalnetConfig
from keeper.sim.scenario import Scenario, ScenarioConfig

WEEK = 604_800
EPOCH = 172_800  # two days, in chain seconds
FUNDS = 500 * SOL  # what the rehearsal's wallet is given
UNWINDING = 90.0  # seconds that the way back to SOL may take; a request made at the last moment waits for 30 of them


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the world runs. ``slot_ms`` real milliseconds a slot; a redemption's seven days take ``week_slots`` slots. The
    keeper works for ``length`` slots, in which the borrow-rate spike and the depeg come, and unwinds in ``tail`` more."""

    slot_ms: int = 100
    week_slots: int = 300
    length: int = 700
    tail: int = 900

    @property
    def warp(self) -> int:
        """Chain seconds per real second."""
        return WEEK * 1000 // (self.week_slots * self.slot_ms)

    @property
    def whole(self) -> int:
        """Slots that the market moves for."""
        return self.length + self.tail

    @property
    def slots_per_epoch(self) -> int:
        return EPOCH * self.week_slots // WEEK


def scenario_hook(
    prices: ScenarioConfig, lending: LendingScenarioConfig | None = None
) -> Callable[[Bank, Market | None, ChainClock], None]:
    """The scenario as the localnet calls it: at every slot, from the first one on. Without ``lending`` its pools are let be."""
    running: list[Scenario | LendingScenario] = []

    def on_slot(bank: Bank, market: Market | None, clock: ChainClock) -> None:
        if market is None:
            raise ValueError("a price scenario needs a market; give LocalnetConfig one")
        if not running:
            running.append(Scenario(bank, market, prices))
            if lending is not None:
                running.append(LendingScenario(bank, market, lending))
        for part in running:
            part.on_slot(clock)

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
        scenario=scenario_hook(_prices(seed, pace), _lending(seed, pace)),
        clock=clock,
    )


def _prices(seed: int, pace: Pace) -> ScenarioConfig:
    """Noise and shocks to the end, the depeg in the second half of the keeper's work."""
    work = pace.length / pace.whole
    return ScenarioConfig(seed=seed, length=pace.whole, depeg_at=0.62 * work, depeg_for=0.14 * work, depeg_bps=450)


def _lending(seed: int, pace: Pace) -> LendingScenarioConfig:
    """A calm pool to the end, and the rush for its SOL before the depeg."""
    work = pace.length / pace.whole
    return LendingScenarioConfig(seed=seed, length=pace.whole, spike_at=0.36 * work, spike_for=0.08 * work)
