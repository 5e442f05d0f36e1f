"""A lending market that moves: its other users hold the SOL pool's utilisation on a seeded path, by real loans and repayments.

The path is a calm utilisation with mean-reverting noise, and one spike: demand for SOL that carries the borrow rate up its curve,
stays for a while and is gone.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from keeper.sim.localnet.interface import BankFace, ChainClock
from keeper.sim.localnet.lending_crowd import CrowdConfig, LendingCrowd
from keeper.sim.localnet.market_addresses import Market

BPS = 10_000


@dataclass(frozen=True, slots=True)
class LendingScenarioConfig:
    """``length`` in slots; shares of it say when the spike begins and how long it lasts. Utilisations in bps."""

    seed: int = 0
    length: int = 600
    every: int = 6
    calm_bps: int = 1_500
    noise_bps: float = 40.0
    reversion: float = 0.1
    spike_at: float = 0.45
    spike_for: float = 0.12
    spike_bps: int = 9_000


class UtilisationPath:
    """The wished-for utilisation, step by step. The same seed gives the same path."""

    def __init__(self, config: LendingScenarioConfig) -> None:
        self._config = config
        self._random = random.Random(f"lending {config.seed}")
        self._noise = 0.0

    def at(self, slot: int) -> int:
        """Utilisation in bps at ``slot`` since the start. Call with rising slots, once per step."""
        config = self._config
        self._noise += -config.reversion * self._noise + self._random.gauss(0.0, config.noise_bps)
        begin = config.spike_at * config.length
        spiking = begin <= slot < begin + config.spike_for * config.length
        level = config.spike_bps if spiking else config.calm_bps
        return min(max(round(level + self._noise), 0), BPS - 1)


class LendingScenario:
    """Call ``on_slot`` at every slot. The crowd's own account of what failed is ``crowd.failures``."""

    def __init__(self, bank: BankFace, market: Market, config: LendingScenarioConfig | None = None) -> None:
        self._config = config or LendingScenarioConfig()
        self._path = UtilisationPath(self._config)
        self._start = bank.clock.slot
        self.crowd = LendingCrowd(bank, market, CrowdConfig(interval=1, collect_interval=0))

    def on_slot(self, clock: ChainClock) -> None:
        """Move the pool towards the path, every ``every`` slots, until ``length`` is over; then hold what it came to."""
        into = clock.slot - self._start
        if into % self._config.every:
            return
        if into <= self._config.length:
            self.crowd.target_bps = self._path.at(into)
        self.crowd.turn(clock)
