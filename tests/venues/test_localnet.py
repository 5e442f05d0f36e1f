"""Both venues against the localnet's Jupiter face: quotes agree, and the instructions really trade."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from solders.address_lookup_table_account import AddressLookupTable, AddressLookupTableAccount
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from keeper.chain import RpcClient, Sent
from keeper.sim.localnet.server import Localnet, LocalnetConfig
from keeper.units import SOL, SSOL, Bps, Mint, TokenAmount
from keeper.venues import (
    DexVenue,
    JupiterBuild,
    JupiterSdk,
    NoRoute,
    QuoteAbsurd,
    SwapInstructions,
    VenueRateLimited,
    VenueUnauthorised,
    depth_ladder,
)
from keeper.venues.jupiter_sdk import DEFAULT_PYTHON

TRADER = Keypair.from_seed(bytes([31] * 32))
SLIPPAGE = Bps(30)


@pytest.fixture
async def net() -> AsyncIterator[Localnet]:
    async with Localnet(LocalnetConfig(clock="virtual")) as net:
        net.bank.airdrop(TRADER.pubkey(), 50 * 10**9)
        net.bank.advance_slot(3)
        yield net


@pytest.fixture
async def rpc(net: Localnet) -> AsyncIterator[RpcClient]:
    async with RpcClient(net.rpc_url) as client:
        yield client


@pytest.fixture(params=["build", "sdk"])
async def dex(request: pytest.FixtureRequest, net: Localnet, rpc: RpcClient) -> AsyncIterator[DexVenue]:
    if request.param == "build":
        async with JupiterBuild(net.jupiter_url, TRADER.pubkey()) as build:
            yield build
        return
    if not await asyncio.to_thread(Path(DEFAULT_PYTHON).exists):
        pytest.skip("the SDK's environment is not built (uv sync --only-group jupiter-sdk)")
    url = f"{net.jupiter_url}/swap/v1"
    async with JupiterSdk(url, TRADER.pubkey(), rpc, timeout=20.0, on_log=lambda _: None) as sdk:
        yield sdk


async def land(net: Localnet, rpc: RpcClient, swap: SwapInstructions) -> TokenAmount:
    """Signs and sends the swap; what it really brought of the bought token (SOL: before the fee)."""
    tables = []
    for key in swap.lookup_tables:
        account = await rpc.account(key)
        assert account is not None
        tables.append(AddressLookupTableAccount(key, AddressLookupTable.deserialize(account.data).addresses))
    recent = await rpc.latest_blockhash()
    instructions = [*swap.setup, swap.swap, *swap.cleanup]
    message = MessageV0.try_compile(TRADER.pubkey(), instructions, tables, recent.hash)
    signed = VersionedTransaction(message, [TRADER])
    assert (await rpc.simulate(bytes(signed))).err is None
    assert await rpc.send_transaction(bytes(signed)) == Sent(signed.signatures[0])
    net.bank.advance_slot(2)
    landed = await rpc.transaction(signed.signatures[0])
    assert landed is not None
    assert landed.err is None
    if swap.min_receive.mint == SOL:
        gained = landed.lamports_change(TRADER.pubkey()) + landed.fee
        return TokenAmount(SOL, gained.value)
    return landed.token_change(TRADER.pubkey(), swap.min_receive.mint)


async def test_there_and_back_again(net: Localnet, rpc: RpcClient, dex: DexVenue) -> None:
    quote = await dex.quote(TokenAmount(SOL, 10**10), SSOL, slippage=SLIPPAGE)
    swap = await dex.swap(quote, TRADER.pubkey())
    bought = await land(net, rpc, swap)
    assert bought == quote.receive
    assert quote.min_receive <= swap.min_receive <= bought

    back = await dex.quote(bought, SOL, slippage=SLIPPAGE)
    swap = await dex.swap(back, TRADER.pubkey())
    returned = await land(net, rpc, swap)
    assert swap.min_receive <= returned == back.receive
    assert returned < TokenAmount(SOL, 10**10)  # two pool fees


async def test_an_unknown_mint_has_no_route(dex: DexVenue) -> None:
    unknown = Mint(str(Pubkey.from_bytes(bytes([5] * 32))), "NONE", 9)
    with pytest.raises(NoRoute):
        await dex.quote(TokenAmount(SOL, 10**9), unknown, slippage=SLIPPAGE)


async def test_for_another_owner_than_asked(net: Localnet) -> None:
    async with JupiterBuild(net.jupiter_url, TRADER.pubkey()) as dex:
        other = Keypair.from_seed(bytes([32] * 32)).pubkey()
        quote = await dex.quote(TokenAmount(SOL, 10**9), SSOL, slippage=SLIPPAGE)
        swap = await dex.swap(quote, other)
        assert any(meta.pubkey == other and meta.is_signer for meta in swap.swap.accounts)


async def test_a_ladder_over_both_directions(net: Localnet) -> None:
    async with JupiterBuild(net.jupiter_url, TRADER.pubkey()) as dex:
        sizes = [TokenAmount(SOL, n * 10**9) for n in (1, 10, 100, 1_000)]
        result = await depth_ladder([dex], sizes, SSOL, slippage=SLIPPAGE)
    assert [quote.sell for quote in result.quotes] == sizes
    prices = [quote.receive.units * 10**9 // quote.sell.units for quote in result.quotes]
    assert prices == sorted(prices, reverse=True)


async def test_keys_and_rate_limits() -> None:
    config = LocalnetConfig(clock="virtual", jupiter_api_key="right", jupiter_per_minute=2)
    sell = TokenAmount(SOL, 10**9)
    async with Localnet(config) as net:
        async with JupiterBuild(net.jupiter_url, TRADER.pubkey(), api_key="wrong") as dex:
            with pytest.raises(VenueUnauthorised):
                await dex.quote(sell, SSOL, slippage=SLIPPAGE)
        async with JupiterBuild(net.jupiter_url, TRADER.pubkey(), api_key="right") as dex:
            for _ in range(2):
                await dex.quote(sell, SSOL, slippage=SLIPPAGE)
            with pytest.raises(VenueRateLimited) as caught:
                await dex.quote(sell, SSOL, slippage=SLIPPAGE)
            assert caught.value.reset is not None
            assert 2 < caught.value.reset <= 60


async def test_a_router_that_is_not_configured_is_not_signed_for(net: Localnet) -> None:
    elsewhere = Pubkey.from_bytes(bytes([6] * 32))
    async with JupiterBuild(net.jupiter_url, TRADER.pubkey(), routers=[elsewhere]) as dex:
        quote = await dex.quote(TokenAmount(SOL, 10**9), SSOL, slippage=SLIPPAGE)
        with pytest.raises(QuoteAbsurd, match="not of a router that we know"):
            await dex.swap(quote, TRADER.pubkey())
