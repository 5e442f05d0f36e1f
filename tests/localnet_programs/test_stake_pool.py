"""The stake pool: layout, rates, fees, the epoch rule, and each refusal by its code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from keeper.protocols.addresses import SOLAYER_STAKE_POOL, STAKE, STAKE_POOL_PROGRAM
from keeper.sim.localnet import crank_instructions
from keeper.sim.localnet.actor import Actor
from keeper.sim.localnet.cranks import Cranks
from keeper.sim.localnet.market import MarketConfig
from keeper.sim.localnet.market_addresses import derived_keypair
from keeper.sim.localnet.programs.native_state import token_amount
from keeper.sim.localnet.programs.stake_pool_state import (
    Fee,
    FutureFee,
    StakePoolState,
    ValidatorList,
    ValidatorRecord,
)
from keeper.sim.localnet.user_instructions import stake_sol, unstake_sol
from tests.localnet_programs.world import SOL, World, code, code_of, landed, make_world

KEYS = st.binary(min_size=32, max_size=32).map(Pubkey.from_bytes)
U64 = st.integers(0, 2**64 - 1)
FEES = st.builds(Fee, U64, U64)
FUTURE_FEES = st.one_of(st.just(FutureFee(0, Fee(0, 0))), st.builds(FutureFee, st.integers(1, 2), FEES))
POOLS = st.builds(
    StakePoolState,
    manager=KEYS,
    staker=KEYS,
    stake_deposit_authority=KEYS,
    stake_withdraw_bump_seed=st.integers(0, 255),
    validator_list=KEYS,
    reserve_stake=KEYS,
    pool_mint=KEYS,
    manager_fee_account=KEYS,
    total_lamports=U64,
    pool_token_supply=U64,
    last_update_epoch=U64,
    epoch_fee=FEES,
    next_epoch_fee=FUTURE_FEES,
    preferred_deposit_validator=st.none() | KEYS,
    preferred_withdraw_validator=st.none() | KEYS,
    stake_withdrawal_fee=FEES,
    next_stake_withdrawal_fee=FUTURE_FEES,
    stake_referral_fee=st.integers(0, 255),
    sol_deposit_authority=st.none() | KEYS,
    sol_deposit_fee=FEES,
    sol_withdraw_authority=st.none() | KEYS,
    sol_withdrawal_fee=FEES,
    next_sol_withdrawal_fee=FUTURE_FEES,
    last_epoch_total_lamports=U64,
)


@given(POOLS)
def test_layout_round_trips_at_611_bytes(pool: StakePoolState) -> None:
    data = pool.encode()
    assert len(data) == 611
    assert StakePoolState.decode(data) == pool
    assert int.from_bytes(data[258:266], "little") == pool.total_lamports
    assert data[130:162] == bytes(pool.reserve_stake)


def test_fees_sit_at_the_published_offsets_while_no_option_is_set(world: World) -> None:
    account = world.bank.get_account(SOLAYER_STAKE_POOL)
    assert account is not None
    data = bytes(account.data)
    assert account.owner == STAKE_POOL_PROGRAM
    assert (data[330:338], data[338:346]) == ((100).to_bytes(8, "little"), (7).to_bytes(8, "little"))
    assert int.from_bytes(data[402:410], "little") == 10_000
    assert int.from_bytes(data[410:418], "little") == 8


def test_validator_list_round_trips() -> None:
    listed = ValidatorList(5, [ValidatorRecord(derived_keypair("v").pubkey(), 1, 2, 3, 4, 5, 6, 1)])
    data = listed.encode()
    assert len(data) == 9 + 5 * 73
    assert ValidatorList.decode(data) == listed


def test_deposit_and_withdrawal_pay_by_the_integer_formulas(world: World, user: Actor) -> None:
    before = world.stake_pool
    landed(user.send(stake_sol(world.market, user.key, 7 * SOL + 3)))
    minted = user.tokens(world.market.lst_mint)
    assert minted == (7 * SOL + 3) * before.pool_token_supply // before.total_lamports
    middle, lamports = world.stake_pool, user.lamports
    record = landed(user.send(unstake_sol(world.market, user.key, minted)))
    fee = -(-minted * 8 // 10_000)
    paid = (minted - fee) * middle.total_lamports // middle.pool_token_supply
    assert user.lamports == lamports + paid - record.fee
    after = world.stake_pool
    assert after.pool_token_supply == middle.pool_token_supply - (minted - fee)
    assert after.total_lamports == middle.total_lamports - paid


@given(st.integers(1, 10**15), st.integers(1, 10**15), st.integers(1, 10**12))
def test_deposit_then_withdraw_earns_nothing_and_never_lowers_the_rate(total: int, supply: int, lamports: int) -> None:
    pool = make_pool(total, supply)
    tokens = pool.tokens_for_deposit(lamports)
    pool.total_lamports, pool.pool_token_supply = total + lamports, supply + tokens
    assert pool.total_lamports * supply >= total * pool.pool_token_supply
    back = pool.lamports_for(tokens)
    assert back <= lamports
    rest_lamports, rest_supply = pool.total_lamports - back, pool.pool_token_supply - tokens
    assert rest_lamports * pool.pool_token_supply >= pool.total_lamports * rest_supply


def make_pool(total: int, supply: int) -> StakePoolState:
    key = derived_keypair("pool").pubkey()
    return StakePoolState(
        manager=key,
        staker=key,
        stake_deposit_authority=key,
        stake_withdraw_bump_seed=255,
        validator_list=key,
        reserve_stake=key,
        pool_mint=key,
        manager_fee_account=key,
        total_lamports=total,
        pool_token_supply=supply,
        last_update_epoch=0,
    )


def test_slippage_variants_hold_their_floor(world: World, user: Actor) -> None:
    market = world.market
    expected = world.stake_pool.tokens_for_deposit(SOL)
    assert code_of(user, stake_sol(market, user.key, SOL, expected + 1)) == 39
    landed(user.send(stake_sol(market, user.key, SOL, expected)))
    pool, fee = world.stake_pool, -(-expected * 8 // 10_000)
    paid = pool.lamports_for(expected - fee)
    assert code_of(user, unstake_sol(market, user.key, expected, paid + 1)) == 39
    landed(user.send(unstake_sol(market, user.key, expected, paid)))


def test_dust_is_refused(world: World, user: Actor) -> None:
    market = world.market
    assert code_of(user, stake_sol(market, user.key, 1)) == 29
    landed(user.send(stake_sol(market, user.key, SOL)))
    assert code_of(user, unstake_sol(market, user.key, 1)) == 28


def test_wrong_accounts_have_their_codes(world: World, user: Actor) -> None:
    market = world.market
    stranger = user.account(market.lst_mint)

    def with_account(index: int, key: Pubkey) -> Instruction:
        ix = stake_sol(market, user.key, SOL)
        metas = list(ix.accounts)
        metas[index] = AccountMeta(key, metas[index].is_signer, metas[index].is_writable)
        return Instruction(ix.program_id, ix.data, metas)

    assert code_of(user, with_account(5, stranger)) == 9
    assert code_of(user, with_account(7, market.ssol_mint)) == 10
    assert code_of(user, with_account(1, user.key)) == 1
    assert code_of(user, with_account(2, stranger)) == 1
    assert code_of(user, with_account(9, STAKE)) == "IncorrectProgramId"
    assert code_of(user, with_account(0, user.key)) == "IncorrectProgramId"
    ix = stake_sol(market, user.key, SOL)
    assert code_of(user, Instruction(ix.program_id, ix.data, ix.accounts[:9])) == "NotEnoughAccountKeys"
    assert code_of(user, Instruction(ix.program_id, b"\x0e\x01", ix.accounts)) == "InvalidInstructionData"
    assert code_of(user, Instruction(ix.program_id, b"\x02", ix.accounts)) == "InvalidInstructionData"


def test_an_authority_gate_wants_its_signature(world: World, user: Actor) -> None:
    gate = derived_keypair("gate")
    world.write_stake_pool(sol_deposit_authority=gate.pubkey(), sol_withdraw_authority=gate.pubkey())
    deposit, withdraw = stake_sol(world.market, user.key, SOL), unstake_sol(world.market, user.key, SOL)

    def gated(ix: Instruction, key: Pubkey, signer: bool) -> Instruction:
        return Instruction(ix.program_id, ix.data, [*ix.accounts, AccountMeta(key, signer, False)])

    assert code_of(user, deposit) == "NotEnoughAccountKeys"
    assert code_of(user, gated(deposit, user.key, True)) == 31
    assert code_of(user, gated(withdraw, user.key, True)) == 34
    assert code_of(user, gated(deposit, gate.pubkey(), False)) == 7
    landed(user.send(gated(deposit, gate.pubkey(), True), signers=[gate]))


def test_the_reserve_limits_instant_withdrawals() -> None:
    world = make_world(market=MarketConfig(reserve_lamports=10 * SOL))
    holder = world.as_actor(world.market.holders)
    holder.fund(SOL)
    pool = world.stake_pool
    tokens = 10 * SOL * pool.pool_token_supply // pool.total_lamports
    gross = tokens * 10_000 // 9_992
    assert code_of(holder, unstake_sol(world.market, holder.key, gross + 10)) == 35
    landed(holder.send(unstake_sol(world.market, holder.key, gross - 10)))
    reserve = world.bank.get_account(world.market.reserve_stake)
    assert reserve is not None
    assert reserve.lamports >= world.bank.rent_exempt(200)


def test_epoch_rule_17_then_16_then_open(world: World, user: Actor) -> None:
    market = world.market
    landed(user.send(stake_sol(market, user.key, SOL)))
    tokens = user.tokens(market.lst_mint)
    world.turn_epoch()
    assert code_of(user, stake_sol(market, user.key, SOL)) == 17
    assert code_of(user, unstake_sol(market, user.key, tokens)) == 17
    assert code_of(user, crank_instructions.update_pool(market)) == 16
    landed(user.send(*crank_instructions.update_list(market), crank_instructions.update_pool(market)))
    landed(user.send(stake_sol(market, user.key, SOL)))


def test_rewards_raise_the_rate_and_the_manager_gets_his_share(world: World, user: Actor) -> None:
    market = world.market
    cranks = Cranks(world.bank, market)
    world.bank.at_epoch(cranks.pay_rewards)
    cranks.rewarded_until = world.bank.clock.unix_timestamp
    start = world.stake_pool
    world.turn_epoch()
    stale = world.stake_pool
    assert stale == start  # rewards count when the pool is updated, not before
    landed(user.send(*crank_instructions.update_list(market), crank_instructions.update_pool(market)))
    fresh = world.stake_pool
    reward = fresh.total_lamports - stale.total_lamports
    assert reward > 0
    minted = fresh.pool_token_supply - stale.pool_token_supply
    fee_lamports = -(-reward * 7 // 100)
    assert minted == stale.pool_token_supply * fee_lamports // (fresh.total_lamports - fee_lamports)
    assert fresh.total_lamports * stale.pool_token_supply > stale.total_lamports * fresh.pool_token_supply
    assert (fresh.last_epoch_total_lamports, fresh.last_epoch_pool_token_supply) == (
        stale.total_lamports,
        stale.pool_token_supply,
    )
    assert fresh.last_update_epoch == world.bank.clock.epoch


def test_announced_fees_become_active_at_the_update_they_are_due(world: World) -> None:
    world.write_stake_pool(
        next_epoch_fee=FutureFee(2, Fee(100, 9)),
        next_sol_withdrawal_fee=FutureFee(1, Fee(1_000, 1)),
        next_stake_withdrawal_fee=FutureFee(1, Fee(1_000, 2)),
    )
    world.turn_epoch()
    world.crank()
    pool = world.stake_pool
    assert (pool.epoch_fee, pool.next_epoch_fee) == (Fee(100, 7), FutureFee(1, Fee(100, 9)))
    assert (pool.sol_withdrawal_fee, pool.stake_withdrawal_fee) == (Fee(1_000, 1), Fee(1_000, 2))
    assert pool.next_sol_withdrawal_fee.tag == 0
    world.turn_epoch()
    world.crank()
    assert world.stake_pool.epoch_fee == Fee(100, 9)


def test_list_updates_check_their_accounts(world: World, user: Actor) -> None:
    (ix,) = crank_instructions.update_list(world.market)
    assert code_of(user, Instruction(ix.program_id, ix.data, ix.accounts[:-1])) == 20
    start_beyond = b"\x06" + (2).to_bytes(4, "little") + b"\0"
    assert code_of(user, Instruction(ix.program_id, start_beyond, ix.accounts)) == 20
    landed(user.send(Instruction(STAKE_POOL_PROGRAM, b"\x08", [ix.accounts[0], ix.accounts[2]])))


@pytest.mark.parametrize("validators", [1, 6])
def test_any_number_of_validators_updates(validators: int) -> None:
    world = make_world(market=MarketConfig(validators=validators))
    world.turn_epoch()
    world.crank()
    assert world.stake_pool.last_update_epoch == world.bank.clock.epoch


def test_a_failed_instruction_leaves_nothing_behind(world: World, user: Actor) -> None:
    market, before = world.market, world.stake_pool
    record = user.send(stake_sol(market, user.key, SOL), stake_sol(market, user.key, 2 * SOL, 10**12))
    assert code(record) == 39
    assert world.stake_pool == before
    assert user.tokens(market.lst_mint) == 0


def test_a_broken_pool_is_an_invalid_state(world: World, user: Actor) -> None:
    market = world.market
    update = crank_instructions.update_pool(market)
    metas = list(update.accounts)
    metas[2] = AccountMeta(market.stake_pool, False, True)
    assert code_of(user, Instruction(update.program_id, update.data, metas)) == 8
    world.write_stake_pool(sol_deposit_fee=Fee(1, 2))
    assert code_of(user, stake_sol(market, user.key, SOL)) == 3
    reserve = world.bank.get_account(market.reserve_stake)
    assert reserve is not None
    world.bank.set_account(market.reserve_stake, Account(reserve.lamports, bytes(200), STAKE))
    assert code_of(user, update) == 11
    world.bank.set_account(SOLAYER_STAKE_POOL, Account(10**9, bytes(611), STAKE_POOL_PROGRAM))
    assert code_of(user, update) == 2


def test_deposit_fee_and_referral_are_shared_out(world: World, user: Actor) -> None:
    market = world.market
    world.write_stake_pool(sol_deposit_fee=Fee(1_000, 3), sol_referral_fee=50)
    pool = world.stake_pool
    referrer = world.actor("referrer")
    ix = stake_sol(market, user.key, 10 * SOL)
    metas = list(ix.accounts)
    metas[6] = AccountMeta(referrer.account(market.lst_mint), False, True)
    landed(user.send(Instruction(ix.program_id, ix.data, metas)))
    gross = pool.tokens_for_deposit(10 * SOL)
    fee = -(-gross * 3 // 1_000)
    assert user.tokens(market.lst_mint) == gross - fee
    assert referrer.tokens(market.lst_mint) == fee // 2
    manager = world.bank.get_account(market.manager_fee)
    assert manager is not None
    assert token_amount(bytes(manager.data)) == fee - fee // 2
    assert world.stake_pool.pool_token_supply == pool.pool_token_supply + gross
