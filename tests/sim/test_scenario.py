"""The market that moves: a seeded path, and traders who push the pools along it as far as their money goes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from solders.account import Account
from solders.pubkey import Pubkey

from keeper.rehearsal.world import Pace, scenario_hook, world
from keeper.sim.localnet.bank import Bank
from keeper.sim.localnet.interface import BankConfig
from keeper.sim.localnet.market import SOL, MarketConfig, create_market
from keeper.sim.localnet.market_addresses import Market
from keeper.sim.localnet.programs.curves import BPS
from keeper.sim.localnet.programs.dex_state import read_pool
from keeper.sim.localnet.server import Localnet
from keeper.sim.scenario import MICRO, PricePath, Scenario, ScenarioConfig, marginal_price

LENGTH = 700
STABLE = "glowSOL/SOL stable"


def path(config: ScenarioConfig) -> list[float]:
    walk = PricePath(config)
    return [walk.at(slot) for slot in range(0, config.length + 1, config.every)]


def make(config: ScenarioConfig, market: MarketConfig | None = None) -> tuple[Bank, Market, Scenario]:
    bank = Bank(BankConfig(seed=3))
    made = create_market(
        bank, market or MarketConfig(trader_tokens=20_000 * SOL, trader_lamports=60_000 * SOL, lrt_assets=80_000 * SOL)
    )
    scenario = Scenario(bank, made, config)
    bank.at_slot(scenario.on_slot)
    return bank, made, scenario


def distance_bps(bank: Bank, market: Market, name: str = STABLE) -> float:
    """A pool's marginal price as a distance from its own rate."""
    return marginal_price(read_pool(bank.get_account, market.dex_pools[name])) / MICRO - BPS


@pytest.mark.parametrize("seed", range(5))
def test_the_same_seed_is_the_same_path_and_another_is_another(seed: int) -> None:
    config = ScenarioConfig(seed=seed, length=LENGTH)
    assert path(config) == path(config)
    assert path(config) != path(replace(config, seed=seed + 1))


@pytest.mark.parametrize("seed", range(20))
def test_every_path_goes_both_ways_and_through_the_depeg(seed: int) -> None:
    config = ScenarioConfig(seed=seed, length=LENGTH)
    whole = path(config)
    assert max(whole) > 30.0
    quiet = path(replace(config, depeg_bps=0))
    assert min(quiet) < -30.0
    assert min(whole) < -(config.depeg_bps - max(config.shock_bps))
    begin = int(config.depeg_at * config.length / config.every)
    assert whole[:begin] == quiet[:begin]
    end = int((config.depeg_at + config.depeg_for) * config.length / config.every) + 2
    assert whole[end:] == quiet[end:], "the depeg recovers"


def test_the_pools_follow_the_path() -> None:
    config = ScenarioConfig(seed=4, length=120, depeg_bps=60)
    bank, market, scenario = make(config)
    furthest = 0.0
    for _ in range(120):
        bank.advance_slot()
        if (bank.clock.slot - scenario._start) % config.every == 0:
            furthest = max(furthest, abs(distance_bps(bank, market) - scenario.target_bps))
    assert scenario.trades >= 15
    assert scenario.failures == {}
    assert furthest < 1.0


def test_the_constant_product_pool_is_pushed_to_the_same_price() -> None:
    bank, market, scenario = make(ScenarioConfig(seed=1, length=60, noise_bps=0.0))
    bank.advance_slot(36)
    stable = read_pool(bank.get_account, market.dex_pools[STABLE])
    product = read_pool(bank.get_account, market.dex_pools["glowSOL/SOL amm"])
    price = marginal_price(product) * stable.pool.rate.denominator / stable.pool.rate.numerator
    own = product.pool.rate
    assert abs(price * own.numerator / own.denominator / MICRO - BPS - scenario.target_bps) < 2.0


def test_a_scenario_ends_at_its_length() -> None:
    bank, _, scenario = make(ScenarioConfig(length=30))
    bank.advance_slot(40)
    done, target = scenario.trades, scenario.target_bps
    bank.advance_slot(40)
    assert (scenario.trades, scenario.target_bps) == (done, target)


@pytest.mark.parametrize("depeg", [9_000, 50_000, -9_000])
def test_traders_who_run_out_of_money_stop_pushing_and_nothing_breaks(depeg: int) -> None:
    """Poor traders and a path that no pool can follow: the market stands where the money ended."""
    config = ScenarioConfig(seed=2, length=90, depeg_at=0.1, depeg_for=0.8, depeg_bps=depeg)
    bank, market, scenario = make(config, MarketConfig(trader_tokens=50 * SOL, trader_lamports=100 * SOL))
    bank.advance_slot(100)
    assert scenario.trades > 0
    assert abs(distance_bps(bank, market)) < 9_000


@pytest.mark.parametrize("depeg", [9_990, -50_000])
def test_rich_traders_and_an_impossible_path_do_not_stop_the_chain(depeg: int) -> None:
    config = ScenarioConfig(seed=2, length=60, depeg_at=0.1, depeg_for=0.8, depeg_bps=depeg)
    bank, _, scenario = make(config)
    bank.advance_slot(70)
    assert bank.clock.slot - scenario._start == 70
    assert scenario.trades > 0


def test_traders_who_cannot_pay_fees_are_counted_and_not_fatal() -> None:
    bank, market, scenario = make(ScenarioConfig(seed=1, length=60))
    for trader in market.traders:
        bank.set_account(trader.pubkey(), Account(0, b"", Pubkey.default()))
    bank.advance_slot(40)
    assert scenario.trades == 0
    assert sum(scenario.failures.values()) > 0


def test_a_hook_without_a_market_says_so() -> None:
    net = Localnet(replace(world(1, Pace(), clock="virtual"), market=None, scenario=scenario_hook(ScenarioConfig())))
    with pytest.raises(ValueError, match="needs a market"):
        net.bank.advance_slot()
