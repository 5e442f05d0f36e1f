"""Discovery: the right market is found, and anything else is named with its remedy."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from solders.account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.chain.errors import RpcUnreachable, WrongCluster
from keeper.chain.retry import ONCE
from keeper.chain.rpc import RpcClient
from keeper.observe.discovery import DiscoveryError, LrtSource, discover
from keeper.protocols import addresses
from keeper.protocols.glow_lrt import decode_idl_account, encode_idl_account, idl_address
from keeper.protocols.market import Market
from keeper.rehearsal.inprocess import RpcTransport
from keeper.sim.localnet.server import Localnet
from keeper.units import GLOWSOL_SYMBOL
from tests.engine.stage import Wire, genesis_of, market_of, quiet_config
from tests.observe.conftest import lrt_source

OTHER = Pubkey.from_bytes(bytes([9] * 32))


@pytest.fixture
def net() -> Localnet:
    made = Localnet(quiet_config())
    made.bank.advance_slot(2)
    return made


async def find(net: Localnet, lrt: LrtSource | None, *, genesis: str | None = None) -> Market:
    async with RpcClient("http://localnet.invalid", transport=RpcTransport(net), retry=ONCE) as rpc:
        return await discover(rpc, genesis or await genesis_of(net), lrt, (OTHER,))


async def refusal(net: Localnet, lrt: LrtSource | None) -> str:
    with pytest.raises(DiscoveryError) as caught:
        await find(net, lrt)
    return str(caught.value)


def put(net: Localnet, key: Pubkey, data: bytes | None, owner: Pubkey | None = None) -> None:
    """Replace an account's data (None removes it) and, where given, its owner."""
    old = net.bank.get_account(key)
    assert old is not None
    lamports = max(old.lamports, net.bank.rent_exempt(len(data))) if data is not None else 0
    net.bank.set_account(key, Account(lamports, data or b"", owner or old.owner))


def changed(net: Localnet, key: Pubkey, change: Callable[[bytearray], object]) -> bytes:
    account = net.bank.get_account(key)
    assert account is not None
    data = bytearray(account.data)
    change(data)
    return bytes(data)


def publish(net: Localnet, change: Callable[[dict[str, object]], object]) -> None:
    """Publish the IDL again, changed."""
    sim = market_of(net)
    account = net.bank.get_account(sim.lrt_idl)
    assert account is not None
    idl = json.loads(decode_idl_account(bytes(account.data)))
    change(idl)
    put(net, sim.lrt_idl, encode_idl_account(json.dumps(idl), OTHER))


async def test_the_market_of_the_localnet_is_found_as_it_is(net: Localnet) -> None:
    sim = market_of(net)
    market = await find(net, lrt_source(net))
    assert market.genesis_hash == await genesis_of(net)
    assert market.lookup_tables == (OTHER,)
    solayer = market.solayer
    assert (solayer.stake_pool, solayer.reserve_stake, solayer.validator_list, solayer.manager_fee) == (
        sim.stake_pool,
        sim.reserve_stake,
        sim.validator_list,
        sim.manager_fee,
    )
    assert solayer.withdraw_authority == sim.stake_pool_withdraw_authority
    assert (solayer.restaking_pool, solayer.lst_vault) == (sim.restaking_pool, sim.lst_vault)
    assert (solayer.ssol.address, solayer.lst.address) == (str(sim.ssol_mint), str(sim.lst_mint))
    assert market.lrt is not None
    assert (market.lrt.pool, market.lrt.ssol_vault) == (sim.lrt_pool, sim.ssol_vault)
    assert (market.lrt.glowsol.address, market.lrt.glowsol.symbol) == (str(sim.glowsol_mint), GLOWSOL_SYMBOL)
    assert market.lrt.glowsol.decimals == 9
    assert market.lrt.program.missing() == ()


async def test_without_the_restaking_program_the_rest_is_found(net: Localnet) -> None:
    put(net, market_of(net).lrt_idl, None)
    market = await find(net, None)
    assert market.lrt is None
    assert market.solayer.stake_pool == addresses.SOLAYER_STAKE_POOL


async def test_an_idl_from_a_file_needs_none_on_chain(net: Localnet) -> None:
    sim = market_of(net)
    account = net.bank.get_account(sim.lrt_idl)
    assert account is not None
    text = decode_idl_account(bytes(account.data))
    put(net, sim.lrt_idl, None)
    market = await find(net, replace(lrt_source(net), idl=text))
    assert market.lrt is not None


async def test_another_chain_is_refused_before_anything_is_read(net: Localnet) -> None:
    wire = Wire(RpcTransport(net))
    async with RpcClient("http://localnet.invalid", transport=wire, retry=ONCE) as rpc:
        with pytest.raises(WrongCluster, match=str(OTHER)):
            await discover(rpc, str(OTHER), lrt_source(net), ())
    assert set(wire.calls) == {"getGenesisHash"}


async def test_a_silent_node_is_unreachable_and_not_a_missing_market(net: Localnet) -> None:
    wire = Wire(RpcTransport(net))
    wire.down = True
    async with RpcClient("http://localnet.invalid", transport=wire, retry=ONCE) as rpc:
        with pytest.raises(RpcUnreachable):
            await discover(rpc, "x", None, ())


@pytest.mark.parametrize(
    ("account", "said"),
    [
        ("stake_pool", "Solayer's stake pool"),
        ("restaking_pool", "Solayer's restaking pool"),
        ("lrt_pool", "market.lrt.pool"),
        ("glowsol_mint", "market.lrt.glowsol"),
        ("lrt_idl", "market.lrt.idl"),
    ],
)
async def test_a_missing_account_is_named_with_its_remedy(net: Localnet, account: str, said: str) -> None:
    key = getattr(market_of(net), account)
    put(net, key, None)
    text = await refusal(net, lrt_source(net))
    assert str(key) in text
    assert said in text
    assert "check" in text or "give one" in text


@pytest.mark.parametrize("account", ["stake_pool", "restaking_pool", "lrt_pool", "glowsol_mint", "lrt_idl"])
@pytest.mark.parametrize("harm", ["foreign owner", "cut short", "empty"])
async def test_a_foreign_or_truncated_account_is_refused(net: Localnet, account: str, harm: str) -> None:
    key = getattr(market_of(net), account)
    before = net.bank.get_account(key)
    assert before is not None
    if harm == "foreign owner":
        put(net, key, bytes(before.data), OTHER)
    else:
        put(net, key, bytes(before.data)[: len(before.data) // 2] if harm == "cut short" else b"")
    text = await refusal(net, lrt_source(net))
    if harm == "foreign owner":
        assert "owner" in text
        assert str(OTHER) in text
    if account == "lrt_idl":
        assert "IDL" in text
        assert "market.lrt.idl" in text


async def test_a_stake_pool_of_another_token_is_refused(net: Localnet) -> None:
    """Byte 162 of the stake pool is its mint (facts, protocol.md: the SPL stake pool's layout)."""
    key = addresses.SOLAYER_STAKE_POOL
    at = bytes(changed(net, key, lambda data: data)).index(bytes(addresses.LST_MINT))

    def foreign(data: bytearray) -> None:
        data[at : at + 32] = bytes(OTHER)

    put(net, key, changed(net, key, foreign))
    text = await refusal(net, None)
    assert str(OTHER) in text
    assert str(addresses.LST_MINT) in text
    assert "do not trade" in text


@pytest.mark.parametrize("which", ["glowsol_mint", "ssol_mint", "stake_pool"])
async def test_a_pool_that_mints_or_restakes_something_else_is_refused(net: Localnet, which: str) -> None:
    sim = market_of(net)
    known = getattr(sim, which)
    at = bytes(changed(net, sim.lrt_pool, lambda data: data)).index(bytes(known))

    def foreign(data: bytearray) -> None:
        data[at : at + 32] = bytes(OTHER)

    put(net, sim.lrt_pool, changed(net, sim.lrt_pool, foreign))
    text = await refusal(net, lrt_source(net))
    assert str(OTHER) in text
    assert str(sim.lrt_pool) in text


async def test_another_mint_in_the_configuration_is_refused(net: Localnet) -> None:
    source = replace(lrt_source(net), glowsol=addresses.SSOL_MINT)
    text = await refusal(net, source)
    assert str(addresses.SSOL_MINT) in text
    assert str(market_of(net).glowsol_mint) in text


async def test_an_idl_without_the_mapped_instruction_names_it(net: Localnet) -> None:
    def drop(idl: dict[str, object]) -> None:
        instructions = idl["instructions"]
        assert isinstance(instructions, list)
        idl["instructions"] = [one for one in instructions if one["name"] != "initiate_withdrawal"]

    publish(net, drop)
    text = await refusal(net, lrt_source(net))
    assert "initiate_withdrawal" in text
    assert "market.lrt.mapping" in text


async def test_an_idl_whose_pool_lost_a_mapped_field_names_it(net: Localnet) -> None:
    def rename(idl: dict[str, object]) -> None:
        types = idl["types"]
        assert isinstance(types, list)
        pool = next(one for one in types if one["name"] == "LrtPool")
        for field in pool["type"]["fields"]:
            if field["name"] == "deposit_cap":
                field["name"] = "ceiling"

    publish(net, rename)
    text = await refusal(net, lrt_source(net))
    assert "deposit_cap" in text
    assert "market.lrt.mapping" in text


@pytest.mark.parametrize("text", ["", "[]", "not json", '{"instructions": 3}', "{}", "[" * 5_000])
async def test_a_garbage_idl_is_refused_whether_from_chain_or_file(net: Localnet, text: str) -> None:
    assert "IDL" in await refusal(net, replace(lrt_source(net), idl=text))
    put(net, market_of(net).lrt_idl, encode_idl_account(text, OTHER))
    assert "IDL" in await refusal(net, lrt_source(net))


async def test_the_idl_address_of_another_program_is_asked_for_and_not_there(net: Localnet) -> None:
    program = Keypair.from_seed(bytes([5] * 32)).pubkey()
    text = await refusal(net, replace(lrt_source(net), program=program))
    assert str(idl_address(program)) in text
