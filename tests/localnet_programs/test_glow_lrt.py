"""glowSOL: deposits, the queue, cancellation, and every named error."""

from __future__ import annotations

import base64

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from solders.instruction import AccountMeta, Instruction

from keeper.protocols.addresses import GLOW_LRT
from keeper.sim.localnet import crank_instructions
from keeper.sim.localnet.actor import Actor
from keeper.sim.localnet.market import MarketConfig
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.anchor import event_discriminator
from keeper.sim.localnet.programs.glow_lrt_state import (
    PendingWithdrawal,
    PendingWithdrawals,
    assets_for,
    cancelled_shares,
    queue_address,
    shares_for,
)
from keeper.sim.localnet.user_instructions import convert_lst, lrt, stake_sol
from tests.localnet_programs.world import SOL, World, code_of, landed, make_world


def deposit(actor: Actor, lamports: int, minimum_shares: int = 0) -> Instruction:
    return lrt(actor.market, actor.key, "deposit_sol", lamports=lamports, minimum_shares=minimum_shares)


def queue_of(actor: Actor) -> PendingWithdrawals:
    account = actor.bank.get_account(queue_address(actor.market.lrt_pool, actor.key)[0])
    assert account is not None
    return PendingWithdrawals.decode(bytes(account.data))


def holder(world: World, lamports: int = 100 * SOL) -> Actor:
    """A user with glowSOL and an open queue."""
    actor = world.actor()
    landed(actor.send(deposit(actor, lamports), lrt(world.market, actor.key, "create_pending_withdrawals")))
    return actor


def configure(world: World, **changes: int) -> Instruction:
    pool = world.totals.pool
    values = {
        "paused": int(pool.paused),
        "deposit_cap": pool.deposit_cap,
        "waiting_period": pool.waiting_period,
        "cancel_fee_bps": pool.cancel_fee_bps,
    } | changes
    return lrt(world.market, world.market.admin.pubkey(), "configure_pool", **values)


def test_deposit_sol_mints_by_floor_and_never_below_the_minimum(world: World, user: Actor) -> None:
    before = world.totals
    expected = (3 * SOL + 7) * before.outstanding // before.total_assets
    assert code_of(user, deposit(user, 3 * SOL + 7, expected + 1)) == 6004
    record = landed(user.send(deposit(user, 3 * SOL + 7, expected)))
    assert user.tokens(world.market.glowsol_mint) == expected
    after = world.totals
    assert after.liquid == before.liquid + 3 * SOL + 7
    assert after.total_assets * before.outstanding >= before.total_assets * after.outstanding
    assert any(line.startswith("Program data: ") for line in record.logs)


def test_deposit_stake_is_worth_the_stake_pools_rate(world: World, user: Actor) -> None:
    market = world.market
    landed(user.send(stake_sol(market, user.key, 10 * SOL)))
    tokens = user.tokens(market.lst_mint)
    landed(user.send(convert_lst(market, user.key, tokens, restake=True)))
    before = world.totals
    assets = world.stake_pool.lamports_for(tokens)
    landed(user.send(lrt(market, user.key, "deposit_stake", ssol_amount=tokens, minimum_shares=0)))
    assert user.tokens(market.glowsol_mint) == assets * before.outstanding // before.total_assets
    assert world.totals.ssol == before.ssol + tokens


def test_the_queue_from_request_to_claim(world: World) -> None:
    market = world.market
    actor = holder(world)
    shares = actor.tokens(market.glowsol_mint)
    before = world.totals
    landed(actor.send(lrt(market, actor.key, "initiate_withdrawal", shares=shares)))
    request = queue_of(actor).slots[0]
    assert request.pending_assets == assets_for(shares, before.total_assets, before.outstanding)
    assert request.pending_shares == shares
    assert request.requested_at == world.bank.clock.unix_timestamp
    assert request.waiting_period == 604_800
    assert queue_of(actor).earliest_withdrawal_timestamp == request.ripe_at
    pool = world.totals.pool
    assert (pool.pending_assets, pool.pending_shares) == (request.pending_assets, shares)
    assert actor.tokens(market.glowsol_mint) == 0

    claim = lrt(market, actor.key, "execute_withdrawal", withdrawal_index=0)
    while world.bank.clock.unix_timestamp < request.ripe_at:
        assert code_of(actor, claim) == 6007
        world.bank.advance_slot(20)
    lamports, totals = actor.lamports, world.totals
    record = landed(actor.send(claim))
    assert actor.lamports == lamports + request.pending_assets - record.fee
    after = world.totals
    assert (after.total_assets, after.outstanding) == (totals.total_assets, totals.outstanding)
    assert (after.pool.pending_assets, after.pool.pending_shares) == (0, 0)

    rent = world.bank.rent_exempt(320)
    lamports = actor.lamports
    record = landed(actor.send(lrt(market, actor.key, "close_pending_withdrawal")))
    assert actor.lamports == lamports + rent - record.fee
    assert world.bank.get_account(queue_address(market.lrt_pool, actor.key)[0]) is None


def test_cancel_returns_the_shares_less_the_fee_which_is_burnt(world: World) -> None:
    market = world.market
    actor = holder(world)
    shares = actor.tokens(market.glowsol_mint)
    landed(actor.send(lrt(market, actor.key, "initiate_withdrawal", shares=shares)))
    before = world.totals
    landed(actor.send(lrt(market, actor.key, "cancel_pending_withdrawal", withdrawal_index=0)))
    fee = -(-shares * 10 // 10_000)
    assert actor.tokens(market.glowsol_mint) == shares - fee
    after = world.totals
    assert after.outstanding == before.outstanding + shares - fee
    assert after.pool.pending_assets == 0
    assert after.total_assets * before.outstanding >= before.total_assets * after.outstanding


def test_a_cancelled_request_does_not_take_the_rewards_it_missed() -> None:
    slot = PendingWithdrawal(pending_assets=105, pending_shares=100, requested_at=1, waiting_period=1)
    assert cancelled_shares(slot, 1_050_000, 1_000_000, 0) == 100
    assert cancelled_shares(slot, 1_100_000, 1_000_000, 0) == 95
    assert cancelled_shares(slot, 1_050_000, 1_000_000, 100) == 99


def test_every_refusal_of_a_deposit(world: World, user: Actor) -> None:
    admin = world.as_actor(world.market.admin)
    assert code_of(user, deposit(user, 0)) == 6001
    assert code_of(user, deposit(user, 1)) == 6001  # rounds to no share
    landed(admin.send(configure(world, deposit_cap=world.totals.total_assets + SOL)))
    assert code_of(user, deposit(user, SOL + 1)) == 6002
    assert code_of(user, deposit(user, SOL)) is None
    landed(admin.send(configure(world, paused=1)))
    assert code_of(user, deposit(user, SOL)) == 6000
    world.bank.advance_slot()  # the same bytes cannot land twice
    landed(admin.send(configure(world, paused=0)))
    world.turn_epoch()
    assert code_of(user, deposit(user, SOL)) == 6003
    world.crank()
    assert code_of(user, deposit(user, SOL)) is None


def test_every_refusal_of_the_queue(world: World) -> None:
    market = world.market
    actor = holder(world)

    def request(shares: int) -> Instruction:
        return lrt(market, actor.key, "initiate_withdrawal", shares=shares)

    assert code_of(actor, request(0)) == 6001
    assert code_of(actor, lrt(market, actor.key, "execute_withdrawal", withdrawal_index=0)) == 6006
    assert code_of(actor, lrt(market, actor.key, "cancel_pending_withdrawal", withdrawal_index=8)) == 6006
    assert code_of(actor, request(actor.tokens(market.glowsol_mint) + 1)) == 1  # the token program's
    for index in range(8):
        landed(actor.send(request(SOL + index)))
    world.bank.advance_slot()  # the same bytes cannot land twice
    assert code_of(actor, request(SOL)) == 6005
    assert code_of(actor, lrt(market, actor.key, "close_pending_withdrawal")) == 6009
    landed(actor.send(lrt(market, actor.key, "cancel_pending_withdrawal", withdrawal_index=3)))
    landed(actor.send(request(SOL)))
    assert not queue_of(actor).slots[3].is_free


def test_the_pool_keeps_its_minimum_reserve() -> None:
    world = make_world(market=MarketConfig(lrt_liquid=0))
    market = world.market
    actor = holder(world, 10 * SOL)
    landed(actor.send(lrt(market, actor.key, "initiate_withdrawal", shares=actor.tokens(market.glowsol_mint))))
    admin = world.as_actor(market.admin)
    # Restaking leaves exactly the reserve, so the claim cannot be paid until SOL comes back.
    landed(admin.send(crank_instructions.restake(market, world.totals.liquid - 100_000_000)))
    while world.bank.clock.unix_timestamp < queue_of(actor).earliest_withdrawal_timestamp:
        world.bank.advance_slot(20)
    world.crank()
    claim = lrt(market, actor.key, "execute_withdrawal", withdrawal_index=0)
    assert code_of(actor, claim) == 6008
    assert code_of(admin, crank_instructions.restake(market, 1)) == 6008
    landed(admin.send(crank_instructions.unrestake(market, 10 * SOL)))
    landed(actor.send(claim))
    assert world.totals.liquid >= 100_000_000


def test_admin_instructions_want_the_admin(world: World, user: Actor) -> None:
    market = world.market
    ix = configure(world)
    mine = [AccountMeta(user.key, True, False), *ix.accounts[1:]]
    assert code_of(user, Instruction(GLOW_LRT, ix.data, mine)) == 6010
    unsigned = [AccountMeta(market.admin.pubkey(), False, False), *ix.accounts[1:]]
    assert code_of(user, Instruction(GLOW_LRT, ix.data, unsigned)) == 3010
    admin = world.as_actor(market.admin)
    assert code_of(admin, configure(world, waiting_period=0)) == 6011
    assert code_of(admin, configure(world, cancel_fee_bps=10_001)) == 6011
    assert code_of(admin, crank_instructions.restake(market, 0)) == 6001
    assert code_of(admin, crank_instructions.unrestake(market, 0)) == 6001


def test_overflow_has_its_name(world: World, user: Actor) -> None:
    landed(world.as_actor(world.market.admin).send(configure(world, deposit_cap=2**64 - 1)))
    drained = world.bank.get_account(world.market.lrt_pool)
    assert drained is not None
    pool = world.totals.pool
    pool.pending_assets = 2**63
    world.bank.set_account(world.market.lrt_pool, type(drained)(drained.lamports, pool.encode(), GLOW_LRT))
    assert code_of(user, deposit(user, SOL)) == 6012


def test_restaking_moves_assets_without_changing_them_beyond_rounding(world: World) -> None:
    admin = world.as_actor(world.market.admin)
    before = world.totals
    landed(admin.send(crank_instructions.restake(world.market, 300 * SOL)))
    after = world.totals
    assert after.liquid == before.liquid - 300 * SOL
    assert 0 <= before.total_assets - after.total_assets <= 3
    landed(admin.send(crank_instructions.unrestake(world.market, 100 * SOL)))
    lost = after.total_assets - world.totals.total_assets
    fee = world.stake_pool.lamports_for(-(-100 * SOL * 8 // 10_000))
    assert abs(lost - fee) <= 3  # the stake pool's withdrawal fee is the holders' cost


def test_foreign_accounts_are_refused(world: World) -> None:
    market = world.market
    actor, other = holder(world), world.actor("other")
    landed(other.send(lrt(market, other.key, "create_pending_withdrawals")))
    ix = lrt(market, actor.key, "initiate_withdrawal", shares=SOL)

    def swapped(index: int, meta: AccountMeta) -> Instruction:
        metas = list(ix.accounts)
        metas[index] = meta
        return Instruction(ix.program_id, ix.data, metas)

    assert code_of(actor, swapped(7, AccountMeta(queue_address(market.lrt_pool, other.key)[0], False, True))) == 2006
    assert code_of(actor, swapped(4, AccountMeta(actor.account(market.glowsol_mint), False, True))) == 2001
    assert code_of(actor, swapped(5, AccountMeta(actor.account(market.ssol_mint), False, False))) == 2001
    assert code_of(actor, swapped(6, AccountMeta(market.lrt_pool, False, False))) == 2001
    assert code_of(actor, swapped(1, AccountMeta(market.stake_pool, False, True))) == 3007
    assert code_of(actor, swapped(3, AccountMeta(actor.account(market.ssol_mint), False, True))) == 2014
    assert code_of(actor, Instruction(GLOW_LRT, ix.data[:10], ix.accounts)) == 102
    assert code_of(actor, Instruction(GLOW_LRT, bytes(8), ix.accounts)) == 101


def test_a_stray_transfer_cannot_block_a_queue(world: World, user: Actor) -> None:

    address = queue_address(world.market.lrt_pool, user.key)[0]
    landed(user.send(cpi.system_transfer(user.key, address, 1_000_000)))
    landed(user.send(lrt(world.market, user.key, "create_pending_withdrawals")))
    assert queue_of(user).owner == user.key
    account = world.bank.get_account(address)
    assert account is not None
    assert account.lamports == world.bank.rent_exempt(320)


@given(st.integers(10**6, 10**17), st.integers(10**6, 10**17), st.integers(1, 10**12))
def test_shares_and_back_earn_nothing(total: int, outstanding: int, assets: int) -> None:
    assume(assets * outstanding // total < 2**64)
    shares = shares_for(assets, total, outstanding)
    assert (total + assets) * outstanding >= total * (outstanding + shares)
    if shares:
        assert assets_for(shares, total + assets, outstanding + shares) <= assets


@given(
    st.integers(1, 10**16),
    st.integers(2, 10**16),
    st.data(),
    st.integers(0, 10**14),
    st.integers(0, 10_000),
)
def test_cancelling_never_lowers_the_rate(
    total: int, outstanding: int, data: st.DataObject, reward: int, fee: int
) -> None:
    shares = data.draw(st.integers(1, outstanding - 1))
    assets = assets_for(shares, total, outstanding)
    rest_assets, rest_shares = total - assets + reward, outstanding - shares
    slot = PendingWithdrawal(assets, shares, 0, 1)
    returned = cancelled_shares(slot, rest_assets, rest_shares, fee)
    assert 0 <= returned <= shares
    assert (rest_assets + assets) * rest_shares >= rest_assets * (rest_shares + returned)


@pytest.mark.parametrize("event", ["Deposited", "WithdrawalInitiated", "WithdrawalCancelled"])
def test_events_are_emitted(world: World, event: str) -> None:

    market = world.market
    actor = holder(world)
    records = [
        actor.send(deposit(actor, 5 * SOL)),
        actor.send(lrt(market, actor.key, "initiate_withdrawal", shares=SOL)),
        actor.send(lrt(market, actor.key, "cancel_pending_withdrawal", withdrawal_index=0)),
    ]
    payloads = [
        base64.b64decode(line.removeprefix("Program data: "))
        for record in records
        for line in landed(record).logs
        if line.startswith("Program data: ")
    ]
    (payload,) = [payload for payload in payloads if payload[:8] == event_discriminator(event)]
    assert payload[8:40] == bytes(market.lrt_pool)
    assert payload[40:72] == bytes(actor.key)
