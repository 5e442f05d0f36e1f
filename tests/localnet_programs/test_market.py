"""The market as a whole: what genesis promises, and what those who run it do."""

from __future__ import annotations

import json

import pytest
from solders.pubkey import Pubkey

from keeper.protocols.addresses import LST_VAULT, RESTAKING_POOL, SOLAYER_STAKE_POOL, SPL_TOKEN
from keeper.sim.localnet import crank_instructions
from keeper.sim.localnet.bank import Bank
from keeper.sim.localnet.cranks import CrankConfig, Cranks
from keeper.sim.localnet.market import DexPoolConfig, MarketConfig, create_market
from keeper.sim.localnet.market_rates import relative_rate, sol_values
from keeper.sim.localnet.programs.native_state import TOKEN_ACCOUNT_SIZE, supply_of, token_amount
from keeper.sim.localnet.programs.stake_pool_state import ValidatorList
from keeper.sim.localnet.user_instructions import lrt, stake_sol, unwrap, wrap
from tests.localnet_programs.world import SOL, World, code, code_of, landed, make_world

QUIET = CrankConfig(operate_lrt=False, refresh_rates=False)


def amount_at(world: World, key: Pubkey) -> int:
    account = world.bank.get_account(key)
    assert account is not None
    return token_amount(bytes(account.data))


@pytest.mark.parametrize("symbol", ["LST", "sSOL", "glowSOL"])
def test_every_supply_is_the_sum_of_its_holders(world: World, symbol: str) -> None:
    mint = world.market.mints[symbol]
    held = sum(
        token_amount(bytes(account.data))
        for _, account in world.bank.program_accounts(SPL_TOKEN)
        if len(bytes(account.data)) == TOKEN_ACCOUNT_SIZE and bytes(account.data)[:32] == bytes(mint)
    )
    account = world.bank.get_account(mint)
    assert account is not None
    assert supply_of(bytes(account.data)) == held > 0


def test_everything_is_backed(world: World) -> None:
    market, pool = world.market, world.stake_pool
    account = world.bank.get_account(market.ssol_mint)
    assert account is not None
    assert amount_at(world, LST_VAULT) == supply_of(bytes(account.data))
    reserve = world.bank.get_account(market.reserve_stake)
    listed = world.bank.get_account(market.validator_list)
    assert reserve is not None
    assert listed is not None
    records = ValidatorList.decode(bytes(listed.data)).records
    assert pool.total_lamports == sum(record.lamports for record in records) + 4_000 * SOL
    for record, validator in zip(records, market.validators, strict=True):
        stake = world.bank.get_account(validator.stake)
        assert stake is not None
        assert stake.lamports == record.active_lamports
    totals = world.totals
    assert abs(totals.total_assets - 40_000 * SOL) <= 2
    assert totals.outstanding * 105 // 100 == pytest.approx(totals.total_assets, abs=5)


def test_an_update_of_an_untouched_pool_changes_nothing_but_the_epoch() -> None:
    world = make_world()
    before = world.stake_pool
    world.turn_epoch()
    world.crank()
    after = world.stake_pool
    assert (after.total_lamports, after.pool_token_supply) == (before.total_lamports, before.pool_token_supply)


def test_addresses_are_public_knowledge_and_secrets_are_not(world: World) -> None:
    text = json.dumps(world.market.as_json())
    assert str(SOLAYER_STAKE_POOL) in text
    assert str(RESTAKING_POOL) in text
    assert str(world.market.glowsol_mint) in text
    assert str(list(bytes(world.market.admin)))[1:60] not in text
    assert "Keypair" not in repr(world.market)


def test_the_seed_names_the_people_and_not_the_tokens() -> None:
    one, two = create_market(Bank(), MarketConfig(seed=1)), create_market(Bank(), MarketConfig(seed=2))
    again = create_market(Bank(), MarketConfig(seed=1))
    assert one.glowsol_mint == two.glowsol_mint
    assert one.admin != two.admin
    assert one.as_json() == again.as_json()


@pytest.mark.parametrize(
    ("config", "named"),
    [
        (MarketConfig(reserve_lamports=600_000 * SOL), "reserve_lamports"),
        (MarketConfig(lrt_liquid=50_000 * SOL), "lrt_liquid"),
        (MarketConfig(trader_tokens=300_000 * SOL), "sSOL"),
        (MarketConfig(dex_pools=(DexPoolConfig("mSOL", "SOL", SOL, 5),)), "mSOL"),
    ],
)
def test_a_contradictory_config_is_refused(config: MarketConfig, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        create_market(Bank(), config)


def test_the_epoch_window_is_real_and_closes_by_itself() -> None:
    world = make_world(cranks=CrankConfig(update_delay=5))
    user = world.actor()
    world.turn_epoch()
    seen = []
    for _ in range(8):
        seen.append(code_of(user, stake_sol(world.market, user.key, SOL)))
        world.bank.advance_slot()
    assert seen == [17] * 5 + [None] * 3


def test_without_the_crank_the_window_stays_open() -> None:
    world = make_world(cranks=CrankConfig(update_stake_pool=False))
    user = world.actor()
    world.turn_epoch()
    world.bank.advance_slot(30)
    assert code_of(user, stake_sol(world.market, user.key, SOL)) == 17


def test_rewards_are_the_configured_yearly_rate() -> None:
    world = make_world(cranks=QUIET)
    start, begun = world.stake_pool, world.bank.clock.unix_timestamp
    for _ in range(5):
        world.turn_epoch()
    paid_until = world.bank.clock.epoch_start_timestamp
    world.bank.advance_slot(25)
    pool = world.stake_pool
    years = (paid_until - begun) / 31_557_600
    gross = 0.07 * years * (600_000 - 4_000) / 600_000  # the reserve is not staked
    grown = (pool.total_lamports / pool.pool_token_supply) / (start.total_lamports / start.pool_token_supply) - 1
    assert grown == pytest.approx(gross * 0.93, rel=2e-3)


def test_the_operator_restakes_idle_sol_and_refreshes_the_dex() -> None:
    world = make_world(cranks=CrankConfig(idle_target=100 * SOL, idle_slack=50 * SOL))
    user = world.actor()
    landed(user.send(lrt(world.market, user.key, "deposit_sol", lamports=1_000 * SOL, minimum_shares=0)))
    world.bank.advance_slot(12)
    assert world.totals.liquid == 100 * SOL + 100_000_000
    world.turn_epoch()
    world.bank.advance_slot(35)
    values = sol_values(world.bank, world.market)
    for name in ("glowSOL/SOL stable", "glowSOL/sSOL stable", "sSOL/SOL stable"):
        pool = user.pool(name).pool
        assert pool.rate == relative_rate(values, pool.mint_a, pool.mint_b)


def test_the_operator_takes_what_a_short_reserve_has() -> None:
    world = make_world(market=MarketConfig(reserve_lamports=10 * SOL, lrt_liquid=SOL))
    market = world.market
    cranks = Cranks(world.bank, market, CrankConfig(horizon=700_000))
    holder = world.as_actor(market.holders)
    holder.fund(SOL)
    request = lrt(market, holder.key, "initiate_withdrawal", shares=50 * SOL)
    landed(holder.send(lrt(market, holder.key, "create_pending_withdrawals"), request))
    cranks.balance_liquidity(world.bank.clock)
    world.bank.advance_slot()
    cranks.balance_liquidity(world.bank.clock)
    assert not cranks.failures
    reserve = world.bank.get_account(market.reserve_stake)
    assert reserve is not None
    assert reserve.lamports - world.bank.rent_exempt(200) <= 2
    assert 11 * SOL - 5 <= world.totals.liquid <= 11 * SOL
    staker = world.actor()
    landed(staker.send(stake_sol(market, staker.key, 100 * SOL)))
    world.bank.advance_slot()
    cranks.balance_liquidity(world.bank.clock)
    assert not cranks.failures
    assert world.totals.liquid >= world.totals.pool.pending_assets + 100_000_000  # the claim can be paid


def test_cranks_fail_in_the_open_and_try_again(world: World) -> None:
    cranks = Cranks(world.bank, world.market)
    world.turn_epoch()
    operator = world.as_actor(world.market.operator)
    operator.fund(0)
    assert not cranks.update_stake_pool()
    assert cranks.failures[0].name == "stake-pool update"
    assert cranks.failures[0].error == "AccountNotFound"
    operator.fund(SOL)
    assert cranks.update_stake_pool()
    cranks.market = world.market
    record = operator.send(crank_instructions.update_pool(world.market))
    assert code(record) is None


def test_from_sol_to_glowsol_and_back_by_both_ways() -> None:
    """SOL -> glowSOL, sell, buy back, request, seven days, claim: every lamport has a reason."""
    world = make_world(warp=20_000, slots_per_epoch=20, cranks=CrankConfig(update_delay=2, interval=2, idle_target=0))
    market = world.market
    user = world.actor(lamports=10_000 * SOL)
    landed(user.send(lrt(market, user.key, "deposit_sol", lamports=2_000 * SOL, minimum_shares=0)))
    shares = user.tokens(market.glowsol_mint)
    assert shares == 2_000 * SOL * 38_095_238_095_238 // 39_999_999_999_998

    landed(user.swap("glowSOL/SOL stable", shares // 2, a_to_b=True))
    sol = user.tokens(market.sol_mint)
    assert 990 * SOL < sol < 1_000 * SOL
    landed(user.swap("glowSOL/SOL stable", sol, a_to_b=False))
    left = user.tokens(market.glowsol_mint)
    assert shares * 998 // 1_000 < left < shares

    landed(
        user.send(
            lrt(market, user.key, "create_pending_withdrawals"),
            lrt(market, user.key, "initiate_withdrawal", shares=left),
        )
    )
    promised = world.totals.pool.pending_assets
    claim = lrt(market, user.key, "execute_withdrawal", withdrawal_index=0)
    assert code_of(user, claim) == 6007
    requested = world.bank.clock.unix_timestamp
    while world.bank.clock.unix_timestamp < requested + 604_800:
        world.bank.advance_slot()
    rate_before = world.totals
    lamports = user.lamports
    record = landed(user.send(claim))
    assert user.lamports == lamports + promised - record.fee
    assert world.totals.total_assets == rate_before.total_assets
    assert rate_before.total_assets * 38_095_238_095_238 > 39_999_999_999_998 * rate_before.outstanding  # it earned
    landed(user.send(*wrap(user.key, SOL), unwrap(user.key)))
