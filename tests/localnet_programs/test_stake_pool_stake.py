"""Stake accounts in and out of the stake pool, moved by the real Stake program."""

from __future__ import annotations

from solders.account import Account
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.protocols.addresses import STAKE
from keeper.sim.localnet.actor import Actor
from keeper.sim.localnet.market_addresses import derived_keypair
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.native_state import Delegation, StakeMeta, StakeState, decode_stake
from keeper.sim.localnet.programs.stake_pool_state import deposit_authority
from keeper.sim.localnet.user_instructions import stake_sol, stake_stake, unstake_stake
from tests.localnet_programs.world import SOL, World, code_of, landed


def test_stake_leaves_and_comes_back_through_the_real_stake_program(world: World, user: Actor) -> None:
    market = world.market
    landed(user.send(stake_sol(market, user.key, 100 * SOL)))
    tokens = user.tokens(market.lst_mint)
    source = market.validators[1].stake
    split = derived_keypair("split")
    world.bank.set_account(split.pubkey(), Account(world.bank.rent_exempt(200), bytes(200), STAKE))
    before = world.stake_pool
    ix = unstake_stake(market, user.key, tokens // 2, source=source, destination=split.pubkey())
    landed(user.send(ix))
    fee = -(-(tokens // 2) * 8 // 10_000)
    lamports = before.lamports_for(tokens // 2 - fee)
    account = world.bank.get_account(split.pubkey())
    assert account is not None
    state = decode_stake(bytes(account.data))
    assert state.meta is not None
    assert state.delegation is not None
    assert state.meta.withdrawer == user.key
    assert state.delegation.stake == lamports
    assert world.stake_pool.total_lamports == before.total_lamports - lamports

    authority = deposit_authority(market.stake_pool)[0]
    handover = [
        cpi.stake_authorize(split.pubkey(), user.key, authority, withdrawer=False),
        cpi.stake_authorize(split.pubkey(), user.key, authority, withdrawer=True),
    ]
    middle, held, whole = world.stake_pool, user.tokens(market.lst_mint), account.lamports
    deposit = stake_stake(market, user.key, stake=split.pubkey(), validator_stake=source, deposit_authority=authority)
    landed(user.send(*handover, deposit))
    assert user.tokens(market.lst_mint) == held + middle.tokens_for_deposit(whole)
    assert world.stake_pool.total_lamports == middle.total_lamports + whole
    assert world.bank.get_account(split.pubkey()) is None
    world.crank()
    assert world.stake_pool.total_lamports == middle.total_lamports + whole


def test_withdraw_stake_obeys_preference_and_minimum(world: World, user: Actor) -> None:
    market = world.market
    landed(user.send(stake_sol(market, user.key, 10 * SOL)))
    tokens = user.tokens(market.lst_mint)
    split = derived_keypair("split").pubkey()
    world.bank.set_account(split, Account(world.bank.rent_exempt(200), bytes(200), STAKE))

    def leave(source: Pubkey, amount: int = tokens) -> Instruction:
        return unstake_stake(market, user.key, amount, source=source, destination=split)

    world.write_stake_pool(preferred_withdraw_validator=market.validators[0].vote)
    assert code_of(user, leave(market.validators[1].stake)) == 25
    assert code_of(user, leave(market.validators[0].stake)) is None
    assert code_of(user, leave(market.reserve_stake)) == 23
    assert code_of(user, leave(market.validators[0].stake, 1)) == 28
    whole = world.stake_pool.pool_token_supply // 3
    assert code_of(user, leave(market.validators[0].stake, whole)) == 23


def stake_bytes(world: World, voter: Pubkey) -> Account:
    """An active stake account of nobody's, delegated to ``voter``."""
    rent = world.bank.rent_exempt(200)
    stranger = derived_keypair("stranger").pubkey()
    delegation = Delegation(voter, 50 * SOL, 2**64 - 1, 2**64 - 1, 0)
    return Account(50 * SOL + rent, StakeState(StakeMeta(rent, stranger, stranger), delegation).encode(), STAKE)


def test_foreign_stake_is_refused(world: World, user: Actor) -> None:
    market = world.market
    landed(user.send(stake_sol(market, user.key, 10 * SOL)))
    tokens = user.tokens(market.lst_mint)
    unknown, elsewhere = derived_keypair("unknown").pubkey(), derived_keypair("elsewhere").pubkey()
    world.bank.set_account(unknown, stake_bytes(world, derived_keypair("some vote").pubkey()))
    world.bank.set_account(elsewhere, stake_bytes(world, market.validators[0].vote))

    def leave(source: Pubkey) -> Instruction:
        return unstake_stake(market, user.key, tokens, source=source, destination=derived_keypair("to").pubkey())

    assert code_of(user, leave(unknown)) == 14
    assert code_of(user, leave(elsewhere)) == 15
    assert code_of(user, leave(user.account(market.lst_mint))) == 11


def test_deposited_stake_has_its_conditions(world: World, user: Actor) -> None:
    market = world.market
    stake = derived_keypair("mine").pubkey()
    world.bank.set_account(stake, stake_bytes(world, market.validators[0].vote))
    authority = deposit_authority(market.stake_pool)[0]

    def deposit(authority: Pubkey) -> Instruction:
        return stake_stake(
            market,
            user.key,
            stake=stake,
            validator_stake=market.validators[0].stake,
            deposit_authority=authority,
        )

    assert code_of(user, deposit(user.key)) == 30
    world.write_stake_pool(preferred_deposit_validator=market.validators[1].vote)
    assert code_of(user, deposit(authority)) == 24
