"""The lending market at genesis, its price publisher and its crowd."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import pytest
from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_LRT, GLOW_MARGIN_POOL, JUPITER_V6, PYTH_RECEIVER, TOKEN_2022
from keeper.sim.localnet.bank import Bank
from keeper.sim.localnet.cranks import CrankConfig
from keeper.sim.localnet.interface import BankConfig
from keeper.sim.localnet.lending_addresses import GLOWSOL_RATE, SOL_USD, SSOL_RATE
from keeper.sim.localnet.lending_books import margin_book
from keeper.sim.localnet.lending_crowd import CrowdConfig, LendingCrowd
from keeper.sim.localnet.lending_user import Borrower, pool_of
from keeper.sim.localnet.market import LendingConfig, MarketConfig, create_market
from keeper.sim.localnet.market_lending import LENDING_POOLS, LendingPoolConfig
from keeper.sim.localnet.market_rates import lrt_totals, stake_pool_of
from keeper.sim.localnet.oracles import OracleConfig, Oracles
from keeper.sim.localnet.programs.glow_margin_pool_number import ONE
from keeper.sim.localnet.programs.glow_margin_state import TokenConfig
from keeper.sim.localnet.programs.native_state import supply_of, token_amount
from keeper.sim.localnet.programs.pyth_feed import PRICE_UPDATE, PRICE_UPDATE_SIZE, PriceUpdate, push_feed_address
from keeper.sim.localnet.server import Localnet, LocalnetConfig
from tests.localnet_programs.lending_world import LendingWorld, make_lending_world
from tests.localnet_programs.world import SOL, World, make_world


@pytest.fixture
def lending() -> LendingWorld:
    return make_lending_world()


def test_every_address_is_the_one_of_the_facts(lending: LendingWorld) -> None:
    market = lending.world.market
    sol, ssol = market.lending_pools["SOL"], market.lending_pools["sSOL"]
    facts = {
        market.airspace: "D9u84WRsjZ6jYtjQApBFa9BV5w47fiZ56kHwxmwM6uTY",
        sol.pool: "DMS334FQdRZRHPSJjfcKGKGMQzrzjipXTj6jZMpoKqsT",
        sol.vault: "Fp8qeXadWapXELp9p21PZ5cEKTicBpahmqSd6ndHpf3d",
        sol.deposit_note_mint: "9Q4qCUSVg1SrHCEd5wnUiUeNxxTxrvraD7Yn4XDyyvdu",
        sol.loan_note_mint: "2FetmGNKgwpkhv1rDSDuPA4rxnWzAtsaaGJbmWy1U4bC",
        sol.deposit_config: "8m8LqUzwcinLqYYdaCx32Fc4UNMPDD6yo5AdfZABGiDV",
        sol.loan_config: "GaFHKXho424V746YUHUCPKCvsPZK8h889Pvqc7Woz1y8",
        sol.token_metadata: "DEaH52s8zSCAHCVshq124oN2XHYGEaF6xr2LM4wACeNi",
        sol.deposit_metadata: "Bawv4uvW98GziE5Xxu2qPtGGbYHedTJq7nq7AWzzziwF",
        sol.loan_metadata: "GnE1uWFJ2zHsVbBtCrenEyg4SJvM3bPSXZTiuyQFvpvL",
        ssol.pool: "DaYdhRuXdroU7aQKFGCfnmVvLBfS6bQQFRWgqJRVvzbb",
        ssol.vault: "D7MRboBRM35AE7p573eFpXkN3EP3wFwVYfy1gN6yM6Lg",
        ssol.deposit_note_mint: "EJaEHbRmR9YfwYfka7z15GbPDkGb7q77pzskfAcScokw",
        ssol.loan_note_mint: "9TR4VtP8sLzTZvQ6ByWe7Con4ft796GHZDCke1Zt3hxa",
        ssol.deposit_config: "84yrvNGmZicrXFZPdxH5Eczi62mNzqi4e2EQ2Fr1k7ru",
        ssol.loan_config: "A2u3GYsQimcgNWNoLKk6He2JskiUWYYCyYcfucu4Gq3p",
        market.raw_tokens["SOL"].config: "HokZAiy3xXRqbLSnGQUvms2Wz4bgyfca1RWbV4CcMEzV",
        market.raw_tokens["sSOL"].config: "8n5SFyKSuoy6yFUdzPjjhENGN6opWfCaUzHT8dXdPwjV",
        market.adapter_configs[GLOW_MARGIN_POOL]: "H986UUegFYtcqbWCEQLJSC7mdkmFZT9WUFwHS2qN8oK8",
        market.adapter_configs[GLOW_LRT]: "KxHCokZYpFV6uojeZHBDfTYfzjaQeU6ms5nzTuZ9V6Y",
        market.adapter_configs[JUPITER_V6]: "9spnmrvPHdwKjVSxBP9HLcJAvcX7APVQePHcxHZuXDPz",
        market.feeds[SOL_USD]: "7UVimffxr9ow1uXYxsr4LHAcV58mLzhmwaeKvJ1pjLiE",
        market.feeds[SSOL_RATE]: "2doCYXwYNt2FhzfCdgpW4YAwczvdzB27xtJkzQd5Kre2",
    }
    for address, expected in facts.items():
        assert str(address) == expected
        account = lending.world.bank.get_account(address)
        assert account is not None, expected
        assert account.lamports >= lending.world.bank.rent_exempt(len(account.data))


@pytest.mark.parametrize("symbol", ["SOL", "sSOL"])
def test_every_pool_is_backed_and_its_notes_have_holders(lending: LendingWorld, symbol: str) -> None:
    where, state = lending.world.market.lending_pools[symbol], lending.state(symbol)
    spec = next(spec for spec in LENDING_POOLS if spec.symbol == symbol)
    assert state.borrowed + ONE * state.deposit_tokens == ONE * spec.supplied
    assert state.borrowed * 10_000 // (ONE * spec.supplied) == spec.utilisation_bps
    assert lending.amount(where.vault) == state.deposit_tokens
    for mint, booked in ((where.deposit_note_mint, state.deposit_notes), (where.loan_note_mint, state.loan_notes)):
        account = lending.world.bank.get_account(mint)
        assert account is not None
        assert account.owner == TOKEN_2022
        holders = [
            token_amount(bytes(held.data))
            for _, held in lending.world.bank.program_accounts(TOKEN_2022)
            if len(bytes(held.data)) >= 165 and bytes(held.data)[:32] == bytes(mint)
        ]
        assert supply_of(bytes(account.data)) == sum(holders) == booked > 0
    assert state.deposit_rate == pytest.approx(
        ONE * spec.deposit_note.numerator // spec.deposit_note.denominator, abs=1_000
    )


def test_the_resident_borrower_is_healthy_and_owes_what_was_lent(lending: LendingWorld) -> None:
    market, bank = lending.world.market, lending.world.bank
    resident = Borrower(lending.world.as_actor(market.borrower))
    book = margin_book(bank, market, resident.state)
    assert book is not None
    assert resident.debt("SOL") == pytest.approx(10_000 * SOL, abs=10)
    assert book.available > book.debt
    assert resident.send(*resident.refresh()).err is None


def test_configurations_say_what_the_config_says() -> None:
    chosen = LendingConfig(collateral_weight=90, loan_leverage=300, max_staleness=20, raw=("SOL", "glowSOL", "sSOL"))
    lending = make_lending_world(chosen)
    market = lending.world.market

    def config(key: Pubkey) -> TokenConfig:
        account = lending.world.bank.get_account(key)
        assert account is not None
        return TokenConfig.decode(bytes(account.data))

    glowsol, loan = config(market.raw_tokens["glowSOL"].config), config(lending.sol.loan_config)
    note = config(lending.sol.deposit_config)
    assert (glowsol.value_modifier, note.value_modifier, loan.value_modifier) == (90, 90, 300)
    assert {glowsol.max_staleness, note.max_staleness, loan.max_staleness} == {20}
    assert glowsol.adapter == Pubkey.default()
    assert note.adapter == loan.adapter == GLOW_MARGIN_POOL


def test_a_market_without_lending_is_as_before() -> None:
    world = make_world(market=MarketConfig(lending=None))
    assert world.market.lending_pools == {}
    assert world.bank.get_account(world.market.airspace) is None
    assert "lending" not in world.market.as_json()


def test_addresses_of_lending_are_public_and_its_secrets_are_not(lending: LendingWorld) -> None:
    market = lending.world.market
    text = json.dumps(market.as_json())
    assert str(lending.sol.pool) in text
    for keypair in (market.borrower, market.liquidator, market.fee_owner):
        assert str(list(bytes(keypair)))[1:60] not in text


@pytest.mark.parametrize(
    "bad", [replace(LENDING_POOLS[0], utilisation_bps=10_000), replace(LENDING_POOLS[0], supplied=0)]
)
def test_an_impossible_pool_is_refused(bad: LendingPoolConfig) -> None:
    config = LendingConfig(pools=(bad,))
    with pytest.raises(ValueError, match="lending pool SOL"):
        create_market(Bank(), MarketConfig(lending=config))


# --- prices -----------------------------------------------------------------------------------------------------------


def published(world: World, name: str) -> PriceUpdate:
    account = world.bank.get_account(world.market.feeds[name])
    assert account is not None
    assert account.owner == PYTH_RECEIVER
    return PriceUpdate.decode(bytes(account.data))


def test_a_price_account_lies_as_the_receiver_writes_it(lending: LendingWorld) -> None:
    lending.advance(3)
    account = lending.world.bank.get_account(lending.world.market.feeds[SOL_USD])
    assert account is not None
    data, clock = bytes(account.data), lending.world.bank.clock
    assert (len(data), data[:8].hex(), PRICE_UPDATE_SIZE) == (134, "22f123639d7ef4cd", 134)
    assert data[:8] == PRICE_UPDATE
    assert data[40] == 1
    assert data[41:73].hex().startswith("ef0d8b6f")
    signed = {73: (8, 15_000_000_000), 81: (8, 6_000_000), 89: (4, -8), 93: (8, clock.unix_timestamp)}
    signed |= {101: (8, clock.unix_timestamp - 4), 109: (8, 15_000_000_000), 125: (8, clock.slot)}
    for offset, (size, value) in signed.items():
        assert int.from_bytes(data[offset : offset + size], "little", signed=True) == value, offset
    assert push_feed_address(data[41:73]) == lending.world.market.feeds[SOL_USD]


def test_rates_follow_redemption_through_an_epoch() -> None:
    world = make_world(cranks=CrankConfig(update_delay=2))
    oracles = Oracles(world.bank, world.market)
    oracles.attach()
    world.bank.advance_slot()
    before = {name: published(world, name).price for name in (SSOL_RATE, GLOWSOL_RATE)}
    assert before == {SSOL_RATE: 116_000_000, GLOWSOL_RATE: 104_999_999}
    for _ in range(4):
        world.turn_epoch()
        world.bank.advance_slot(5)
    pool, lrt = stake_pool_of(world.bank, world.market), lrt_totals(world.bank, world.market)
    after = {name: published(world, name).price for name in before}
    assert after[SSOL_RATE] == pool.total_lamports * 10**8 // pool.pool_token_supply > before[SSOL_RATE]
    assert after[GLOWSOL_RATE] == lrt.total_assets * 10**8 // lrt.outstanding > before[GLOWSOL_RATE]


def test_faults_of_the_publisher_are_planted_and_healed(lending: LendingWorld) -> None:
    world, oracles = lending.world, lending.oracles
    oracles.shock(GLOWSOL_RATE, -1_500)
    oracles.widen(GLOWSOL_RATE, 300)
    oracles.stop(SSOL_RATE)
    oracles.weaken(SOL_USD, 5)
    then = published(world, SSOL_RATE).publish_time
    lending.advance(2)
    assert published(world, GLOWSOL_RATE).price == 104_999_999 * 8_500 // 10_000
    assert published(world, GLOWSOL_RATE).conf == published(world, GLOWSOL_RATE).price * 300 // 10_000
    assert published(world, SSOL_RATE).publish_time == then
    assert published(world, SOL_USD).signatures == 5
    oracles.heal(GLOWSOL_RATE)
    lending.advance()
    assert published(world, GLOWSOL_RATE).price == 104_999_999
    oracles.heal()
    lending.advance()
    assert published(world, SSOL_RATE).publish_time == world.bank.clock.unix_timestamp
    assert published(world, SOL_USD).signatures is None
    with pytest.raises(KeyError):
        oracles.shock("BTC/USD", 1)


def test_sol_walks_by_seed_and_stays_in_its_step() -> None:
    def walk(seed: int) -> list[int]:
        world = make_world()
        oracles = Oracles(world.bank, world.market, OracleConfig(walk_bps=50, seed=seed))
        oracles.attach()
        prices = []
        for _ in range(30):
            world.bank.advance_slot()
            prices.append(published(world, SOL_USD).price)
        return prices

    one = walk(1)
    assert one == walk(1) != walk(2)
    steps = [abs(b - a) * 10_000 / a for a, b in pairwise(one)]
    assert 0 < max(steps) <= 50


# --- the crowd --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("symbol", ["SOL", "sSOL"])
def test_the_crowd_moves_utilisation_by_transactions(lending: LendingWorld, symbol: str) -> None:
    world = lending.world
    crowd = LendingCrowd(world.bank, world.market, CrowdConfig(symbol=symbol))
    ends = [9_500, 9_900, 5_000, 9_700, 2_000] if symbol == "SOL" else [9_000, 1_000]
    for target in ends:
        assert crowd.push(target), crowd.failures
        assert abs(crowd.utilisation_bps - target) <= 1
        world.bank.advance_slot()
        state, where = lending.state(symbol), world.market.lending_pools[symbol]
        assert lending.amount(where.vault) == state.deposit_tokens
    with pytest.raises(ValueError, match="bps"):
        crowd.push(10_000)


def test_a_held_utilisation_comes_back(lending: LendingWorld) -> None:
    crowd = LendingCrowd(lending.world.bank, lending.world.market, CrowdConfig(interval=2), target_bps=9_400)
    crowd.attach()
    lending.advance(3)
    assert abs(crowd.utilisation_bps - 9_400) <= 1
    borrower = lending.borrower(collateral=1_000 * SOL)
    assert borrower.repay("SOL", 0).err is None
    lender = lending.lender()
    assert lender.send(lending.deposit(lender, 900 * SOL)).err is None
    assert crowd.utilisation_bps < 9_300
    lending.advance(3)
    assert abs(crowd.utilisation_bps - 9_400) <= 1


def test_the_crowd_keeps_interest_current_and_fails_in_the_open(lending: LendingWorld) -> None:
    world = lending.world
    crowd = LendingCrowd(world.bank, world.market, CrowdConfig(collect_interval=10))
    crowd.attach()
    lending.advance(25)
    assert world.bank.clock.unix_timestamp - lending.state().accrued_until < 40
    assert world.bank.clock.unix_timestamp - lending.state("sSOL").accrued_until < 40
    world.as_actor(world.market.borrower).fund(0)
    assert not crowd.push(8_000)
    assert crowd.failures == ["AccountNotFound"]


def test_a_localnet_runs_its_lending_by_itself() -> None:
    net = Localnet(LocalnetConfig(clock="virtual", bank=BankConfig(warp=5_000)))
    assert net.market is not None
    assert net.oracles is not None
    assert net.crowd is not None
    assert net.liquidator is not None
    net.bank.advance_slot(120)
    account = net.bank.get_account(net.market.feeds[SOL_USD])
    assert account is not None
    assert PriceUpdate.decode(bytes(account.data)).publish_time == net.bank.clock.unix_timestamp
    assert net.bank.clock.unix_timestamp - pool_of(net.bank, net.market.lending_pools["SOL"]).accrued_until < 200_000
    assert net.crowd.failures == []
    assert net.liquidator.failures == []
