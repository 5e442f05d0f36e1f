"""Solayer's restaking: one to one, both ways, and its refusals."""

from __future__ import annotations

from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from keeper.protocols.addresses import RESTAKING_POOL, SOLAYER_RESTAKING, SPL_TOKEN, SYSTEM
from keeper.sim.localnet.actor import Actor
from keeper.sim.localnet.market_addresses import Market, derived_keypair
from keeper.sim.localnet.programs.native_state import encode_mint, supply_of
from keeper.sim.localnet.programs.solayer import INITIALIZE, RestakingPoolState, restaking_pool_address
from keeper.sim.localnet.user_instructions import convert_lst, stake_sol
from tests.localnet_programs.world import SOL, World, code_of, landed


def supply(world: World, mint: Pubkey) -> int:
    account = world.bank.get_account(mint)
    assert account is not None
    return supply_of(bytes(account.data))


def with_account(ix: Instruction, index: int, key: Pubkey) -> Instruction:
    metas = list(ix.accounts)
    metas[index] = AccountMeta(key, metas[index].is_signer, metas[index].is_writable)
    return Instruction(ix.program_id, ix.data, metas)


def staked(world: World, actor: Actor, lamports: int = 10 * SOL) -> int:
    landed(actor.send(stake_sol(world.market, actor.key, lamports)))
    return actor.tokens(world.market.lst_mint)


def test_restake_creates_the_account_and_wraps_one_to_one(world: World) -> None:
    market = world.market
    actor = Actor(world.bank, market, derived_keypair("bare"))
    actor.fund(100 * SOL)
    landed(actor.open_accounts(market.lst_mint))
    tokens, ssol = staked(world, actor), supply(world, market.ssol_mint)
    assert world.bank.get_account(actor.account(market.ssol_mint)) is None
    landed(actor.send(convert_lst(market, actor.key, tokens, restake=True)))
    assert (actor.tokens(market.lst_mint), actor.tokens(market.ssol_mint)) == (0, tokens)
    assert supply(world, market.ssol_mint) == ssol + tokens
    landed(actor.send(convert_lst(market, actor.key, tokens - 1, restake=False)))
    assert (actor.tokens(market.lst_mint), actor.tokens(market.ssol_mint)) == (tokens - 1, 1)


def test_its_account_is_mainnets(world: World) -> None:
    account = world.bank.get_account(RESTAKING_POOL)
    assert account is not None
    data = bytes(account.data)
    assert len(data) == 74
    assert data[:8].hex() == "0c05648f7d5e1ad6"
    assert data[72] == 255


def test_refusals_have_their_codes(world: World, user: Actor) -> None:
    market: Market = world.market
    tokens = staked(world, user)
    ix = convert_lst(market, user.key, tokens, restake=True)
    assert code_of(user, with_account(ix, 1, market.ssol_mint)) == 6000
    assert code_of(user, with_account(ix, 4, market.glowsol_mint)) == 6003
    assert code_of(user, with_account(ix, 5, user.account(market.lst_mint))) == 2001
    assert code_of(user, convert_lst(market, user.key, tokens + 1, restake=True)) == 1  # the token program's
    empty_vault(world)
    landed(world.as_actor(market.traders[0]).open_accounts(market.lst_mint))
    trader = world.as_actor(market.traders[0])
    assert code_of(trader, convert_lst(market, trader.key, SOL, restake=False)) == 6002
    assert code_of(user, Instruction(SOLAYER_RESTAKING, b"\1" * 8, ix.accounts)) == 101
    assert code_of(user, Instruction(SOLAYER_RESTAKING, ix.data[:9], ix.accounts)) == 102
    assert code_of(user, Instruction(SOLAYER_RESTAKING, ix.data, ix.accounts[:5])) == 3005


def empty_vault(world: World) -> None:
    """An LST vault that was drained: the liquidity error's only cause."""
    account = world.bank.get_account(world.market.lst_vault)
    assert account is not None
    data = bytearray(bytes(account.data))
    data[64:72] = bytes(8)
    world.bank.set_account(world.market.lst_vault, Account(account.lamports, bytes(data), SPL_TOKEN))


def test_initialize_wants_an_unissued_token(world: World, user: Actor) -> None:
    lst, rst = derived_keypair("other lst").pubkey(), derived_keypair("other rst").pubkey()
    rent = world.bank.rent_exempt(82)
    world.bank.set_account(lst, Account(rent, encode_mint(5, 9, user.key), SPL_TOKEN))
    world.bank.set_account(rst, Account(rent, encode_mint(0, 9, user.key), SPL_TOKEN))
    pool = restaking_pool_address(lst)[0]

    def initialize(rst_mint: Pubkey) -> Instruction:
        metas = [
            AccountMeta(user.key, True, True),
            AccountMeta(lst, False, False),
            AccountMeta(rst_mint, False, False),
            AccountMeta(pool, False, True),
            AccountMeta(SYSTEM, False, False),
        ]
        return Instruction(SOLAYER_RESTAKING, INITIALIZE, metas)

    assert code_of(user, initialize(world.market.ssol_mint)) == 6001
    landed(user.send(initialize(rst)))
    account = world.bank.get_account(pool)
    assert account is not None
    assert RestakingPoolState.decode(bytes(account.data)).rst_mint == rst
