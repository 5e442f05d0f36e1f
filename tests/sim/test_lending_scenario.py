"""The lending market that moves: a seeded path of utilisation, and other users who hold the pool on it by real transactions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keeper.sim.lending_scenario import BPS, LendingScenario, LendingScenarioConfig, UtilisationPath
from keeper.sim.localnet.bank import Bank
from keeper.sim.localnet.interface import BankConfig
from keeper.sim.localnet.market import MarketConfig, create_market

CONFIG = LendingScenarioConfig(length=120, spike_at=0.4, spike_for=0.2)


def path(config: LendingScenarioConfig) -> list[int]:
    walk = UtilisationPath(config)
    return [walk.at(slot) for slot in range(0, config.length + 1, config.every)]


@pytest.mark.parametrize("seed", range(5))
def test_the_same_seed_is_the_same_path_and_another_is_another(seed: int) -> None:
    config = replace(CONFIG, seed=seed)
    assert path(config) == path(config)
    assert path(config) != path(replace(config, seed=seed + 1))


@pytest.mark.parametrize("seed", range(20))
def test_every_path_is_calm_but_for_one_spike(seed: int) -> None:
    config = replace(CONFIG, seed=seed)
    begin, end = int(config.spike_at * config.length), int((config.spike_at + config.spike_for) * config.length)
    slots = range(0, config.length + 1, config.every)
    for slot, target in zip(slots, path(config), strict=True):
        level = config.spike_bps if begin <= slot < end else config.calm_bps
        assert abs(target - level) < 10 * config.noise_bps


def test_no_noise_leads_out_of_what_a_pool_can_be() -> None:
    wild = replace(CONFIG, noise_bps=20_000.0)
    assert all(0 <= target < BPS for target in path(wild))


def test_the_pool_follows_the_path_up_and_down_again() -> None:
    bank = Bank(BankConfig(seed=3))
    market = create_market(bank, MarketConfig())
    scenario = LendingScenario(bank, market, CONFIG)
    bank.at_slot(scenario.on_slot)
    start, furthest, seen = bank.clock.slot, 0, []
    for _ in range(CONFIG.length):
        bank.advance_slot()
        target = scenario.crowd.target_bps
        if target is not None and (bank.clock.slot - start) % CONFIG.every == 0:
            seen.append(scenario.crowd.utilisation_bps)
            furthest = max(furthest, abs(seen[-1] - target))
    assert scenario.crowd.failures == []
    assert furthest <= scenario.crowd.config.slack_bps + 1
    assert max(seen) > CONFIG.spike_bps - 300
    assert seen[-1] < CONFIG.calm_bps + 300


def test_after_its_end_the_pool_is_held_where_it_came_to() -> None:
    bank = Bank(BankConfig(seed=3))
    scenario = LendingScenario(bank, create_market(bank, MarketConfig()), replace(CONFIG, length=12, spike_for=0.0))
    bank.at_slot(scenario.on_slot)
    bank.advance_slot(12)
    target = scenario.crowd.target_bps
    assert target is not None
    bank.advance_slot(30)
    assert scenario.crowd.target_bps == target
    assert abs(scenario.crowd.utilisation_bps - target) <= scenario.crowd.config.slack_bps + 1
