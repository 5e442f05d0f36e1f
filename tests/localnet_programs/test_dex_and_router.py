"""DEX pools and Jupiter's router: quotes are what execution pays, floors hold, refusals have their codes."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.account import Account
from solders.instruction import AccountMeta, Instruction

from keeper.protocols.addresses import JUPITER_V6, SPL_TOKEN
from keeper.sim.localnet.actor import Actor
from keeper.sim.localnet.programs.curves import Rate
from keeper.sim.localnet.programs.dex_pool import SET_RATE, SWAP, set_rate_instruction, swap_instruction
from keeper.sim.localnet.programs.dex_state import DEX_LABELS, STABLE_DEX_PROGRAM, decode_pool, quote
from keeper.sim.localnet.programs.jupiter_router import (
    ROUTE,
    ROUTE_V2,
    find_route,
    minimum_out,
    route_instruction,
)
from keeper.sim.localnet.programs.routes import Route
from keeper.sim.localnet.user_instructions import unwrap, wrap
from tests.localnet_programs.world import SOL, World, code_of, landed, make_world

STABLE, SSOL_STABLE, EXIT, AMM = "glowSOL/SOL stable", "glowSOL/sSOL stable", "sSOL/SOL stable", "glowSOL/SOL amm"
POOLS = [STABLE, SSOL_STABLE, EXIT, AMM]


@cache
def trading_world() -> tuple[World, Actor]:
    """One world for all generated trades: each trade moves the pools on, which is the point."""
    world = make_world()
    return world, world.as_actor(world.market.traders[0])


@given(st.sampled_from(POOLS), st.integers(1, 300 * SOL), st.booleans())
def test_a_quote_is_what_the_swap_pays_and_the_pool_never_loses(name: str, amount: int, a_to_b: bool) -> None:
    world, trader = trading_world()
    world.bank.advance_slot()
    state = trader.pool(name)
    source, target = (state.pool.mint_a, state.pool.mint_b) if a_to_b else (state.pool.mint_b, state.pool.mint_a)
    amount = min(amount, trader.tokens(source))
    promised = quote(state, amount, a_to_b).amount_out
    held = trader.tokens(target)
    record = trader.swap(name, amount, a_to_b=a_to_b)
    if promised == 0:
        assert record.err is not None
        return
    landed(record)
    assert trader.tokens(target) - held == promised
    after = trader.pool(name)
    moved = (amount, -promised) if a_to_b else (-promised, amount)
    assert (after.reserve_a - state.reserve_a, after.reserve_b - state.reserve_b) == moved


def find(world: World, direct_only: bool = False, amount: int = 50 * SOL, **filters: frozenset[str]) -> Route | None:
    return find_route(
        world.bank,
        world.market.sol_mint,
        world.market.glowsol_mint,
        amount,
        dexes=filters.get("dexes"),
        exclude=filters.get("exclude", frozenset()),
        direct_only=direct_only,
    )


def built(route: Route, actor: Actor, *, slippage: int = 0, v2: bool = True, more: int = 0) -> Instruction:
    return route_instruction(
        route,
        actor.key,
        source=actor.account(route.input_mint),
        destination=actor.account(route.output_mint),
        quoted_out=route.out_amount + more,
        slippage_bps=slippage,
        v2=v2,
    )


@pytest.fixture
def trader(world: World) -> Actor:
    actor = world.actor()
    landed(actor.send(*wrap(actor.key, 5_000 * SOL)))
    return actor


@pytest.mark.parametrize("v2", [True, False])
@pytest.mark.parametrize("amount", [1_000, SOL, 50 * SOL, 2_000 * SOL])
def test_routes_pay_their_quote_to_the_unit(world: World, trader: Actor, v2: bool, amount: int) -> None:
    route = find(world, amount=amount)
    assert route is not None
    assert route.legs[-1].output_mint == world.market.glowsol_mint
    landed(trader.send(built(route, trader, v2=v2), lookup=True))
    assert trader.tokens(world.market.glowsol_mint) == route.out_amount


def test_a_large_trade_splits_and_pays_more_than_one_pool(world: World) -> None:
    split, direct = find(world, amount=2_000 * SOL), find(world, amount=2_000 * SOL, direct_only=True)
    assert split is not None
    assert direct is not None
    assert len(direct.legs) == 1
    assert len(split.legs) > 1
    assert split.out_amount > direct.out_amount
    assert split.intermediate_mints == (world.market.ssol_mint,)
    first = [leg for leg in split.legs if leg.input_mint == world.market.sol_mint]
    assert sum(leg.in_amount for leg in first) == 2_000 * SOL
    assert sum(leg.bps for leg in first) == 10_000
    assert direct.price_impact > split.price_impact > 0


def test_dexes_and_exclusions_choose_by_label(world: World) -> None:
    stable, amm = DEX_LABELS[STABLE_DEX_PROGRAM], "Localnet AMM"
    only = find(world, dexes=frozenset({amm}))
    assert only is not None
    assert {leg.label for leg in only.legs} == {amm}
    without = find(world, exclude=frozenset({stable}))
    assert without is not None
    assert {leg.label for leg in without.legs} == {amm}
    assert find(world, exclude=frozenset({stable, amm})) is None
    assert find(world, dexes=frozenset({"Raydium"})) is None
    assert find(world, amount=0) is None


@given(st.integers(0, 2**64 - 1), st.integers(0, 10_000))
def test_minimum_out_rounds_up(quoted: int, slippage: int) -> None:
    least = minimum_out(quoted, slippage)
    assert (least - 1) * 10_000 < quoted * (10_000 - slippage) <= least * 10_000


def test_minimum_out_is_jupiters_documented_sample() -> None:
    assert minimum_out(16_198_753, 50) == 16_117_760


@pytest.mark.parametrize("v2", [True, False])
def test_the_router_enforces_slippage(world: World, trader: Actor, v2: bool) -> None:
    route = find(world)
    assert route is not None
    assert code_of(trader, built(route, trader, v2=v2, more=1)) == 6001
    more = route.out_amount * 10 // 9_990 - 1
    assert code_of(trader, built(route, trader, v2=v2, more=more, slippage=10)) is None
    assert code_of(trader, built(route, trader, v2=v2, more=more + 3, slippage=10)) == 6001
    assert code_of(trader, built(route, trader, v2=v2, slippage=10_001)) == 6004


@pytest.mark.parametrize("v2", [True, False])
def test_the_routers_other_refusals(world: World, trader: Actor, v2: bool) -> None:
    route = find(world, direct_only=True)
    assert route is not None
    ix = built(route, trader, v2=v2)
    assert code_of(trader, Instruction(JUPITER_V6, ix.data, ix.accounts[:-1])) == 6008
    assert code_of(trader, Instruction(JUPITER_V6, ix.data, ix.accounts[:5])) == 3005
    assert code_of(trader, Instruction(JUPITER_V6, ix.data[:12], ix.accounts)) == 102
    assert code_of(trader, Instruction(JUPITER_V6, bytes(8), ix.accounts)) == 101
    empty = built(replace(route, legs=()), trader, v2=v2)
    assert code_of(trader, empty) == 6000
    poor = built(replace(route, in_amount=6_000 * SOL), trader, v2=v2)
    assert code_of(trader, poor) == 6024
    data = bytearray(ix.data)
    step = 8 + 8 + 8 + 2 + 2 + 2 + 4 if v2 else 12
    data[step + (3 if v2 else 2)] = 5  # input index
    assert code_of(trader, Instruction(JUPITER_V6, bytes(data), ix.accounts)) == 6006
    data = bytearray(ix.data)
    data[step + (4 if v2 else 3)] = 0  # output index
    assert code_of(trader, Instruction(JUPITER_V6, bytes(data), ix.accounts)) == 6007
    with_fee = bytearray(ix.data)
    with_fee[26 if v2 else -1] = 1
    assert code_of(trader, Instruction(JUPITER_V6, bytes(with_fee), ix.accounts)) == 6003
    unsigned = [AccountMeta(meta.pubkey, False, meta.is_writable) if meta.is_signer else meta for meta in ix.accounts]
    other = world.actor("other")
    assert code_of(other, Instruction(JUPITER_V6, ix.data, unsigned)) == 3010


def test_shares_beyond_the_whole_are_refused(world: World, trader: Actor) -> None:
    route = find(world, amount=2_000 * SOL)
    assert route is not None
    greedy = replace(route, legs=tuple(replace(leg, bps=20_000) for leg in route.legs))
    assert code_of(trader, built(greedy, trader)) == 6005


def test_discriminators_are_jupiters() -> None:
    assert (ROUTE.hex(), ROUTE_V2.hex()) == ("e517cb977ae3ad2a", "bb64facc31c4af14")


def test_a_swap_below_its_minimum_fails_and_keeps_the_pool(trader: Actor) -> None:
    before = trader.pool(STABLE)
    promised = quote(before, SOL, False).amount_out
    record = trader.swap(STABLE, SOL, a_to_b=False, minimum_out=promised + 1)
    assert record.err == {"InstructionError": [0, {"Custom": 6000}]}
    assert trader.pool(STABLE) == before
    landed(trader.swap(STABLE, SOL, a_to_b=False, minimum_out=promised))


def test_the_dexs_other_refusals(world: World, trader: Actor) -> None:
    pool = trader.pool(STABLE).pool
    amm = trader.pool(AMM).pool

    def swap(amount: int, a_to_b: bool = False) -> Instruction:
        accounts = (trader.account(pool.mint_b), trader.account(pool.mint_a))
        source, target = accounts[::-1] if a_to_b else accounts
        return swap_instruction(pool, trader.key, source, target, amount_in=amount, minimum_out=0, a_to_b=a_to_b)

    assert code_of(trader, swap(0)) == 6001
    assert code_of(trader, swap(1)) == 6002  # too little to be paid anything
    operator = world.as_actor(world.market.operator)
    ix = set_rate_instruction(pool, Rate(2, 1))
    mine = [AccountMeta(trader.key, True, False), ix.accounts[1]]
    assert code_of(trader, Instruction(STABLE_DEX_PROGRAM, ix.data, mine)) == 6005
    assert code_of(operator, Instruction(STABLE_DEX_PROGRAM, SET_RATE + bytes(16), ix.accounts)) == 6004
    assert code_of(operator, set_rate_instruction(amm, Rate(2, 1))) == 6004
    assert code_of(trader, Instruction(STABLE_DEX_PROGRAM, SWAP, swap(SOL).accounts)) == 102
    assert code_of(trader, Instruction(STABLE_DEX_PROGRAM, bytes(8), swap(SOL).accounts)) == 101
    account = world.bank.get_account(pool.address)
    assert account is not None
    paused = replace(pool, paused=True).encode()
    world.bank.set_account(pool.address, Account(account.lamports, paused, account.owner))
    assert code_of(trader, swap(SOL)) == 6003
    route = find(world)
    assert route is not None
    assert pool.address not in {leg.pool for leg in route.legs}


def test_pool_layout_is_documented_and_round_trips(trader: Actor) -> None:
    pool = trader.pool(STABLE).pool
    data = pool.encode()
    assert len(data) == 220
    assert data[14:46] == bytes(pool.mint_a)
    assert int.from_bytes(data[182:190], "little") == pool.rate.numerator
    assert decode_pool(pool.address, pool.program, data) == pool


def test_selling_a_lot_depegs_and_buying_back_costs(world: World) -> None:
    whale = world.as_actor(world.market.traders[0])
    held = whale.tokens(world.market.sol_mint)
    shares = 2_500 * SOL
    before = quote(whale.pool(STABLE), SOL, True).amount_out
    landed(whale.swap(STABLE, shares, a_to_b=True))
    after = quote(whale.pool(STABLE), SOL, True).amount_out
    assert after < before * 995 // 1_000  # a visible depeg
    received = whale.tokens(world.market.sol_mint) - held
    landed(whale.swap(STABLE, received, a_to_b=False))
    assert whale.tokens(world.market.glowsol_mint) < 4_000 * SOL


def test_wrapped_sol_comes_home(world: World, trader: Actor) -> None:
    account = world.bank.get_account(trader.account(world.market.sol_mint))
    assert account is not None
    assert account.owner == SPL_TOKEN
    lamports = trader.lamports
    record = landed(trader.send(unwrap(trader.key)))
    assert trader.lamports == lamports + account.lamports - record.fee
