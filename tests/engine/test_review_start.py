"""Starts that must not happen, and one that must: a keeper whose SOL is at work comes up again."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest
from solders.account import Account
from solders.hash import Hash

from keeper.chain.errors import WrongCluster
from keeper.engine.assembly import StartupError
from tests.engine.stage import Stage, edit

PRIMARY, SECOND = "http://localnet.invalid", "http://second.invalid"


class ByHost(httpx2.AsyncBaseTransport):
    """Two endpoints: what the second one answers may be another chain's."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, genesis: str | None) -> None:
        self._inner = inner
        self._genesis = genesis

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = await self._inner.handle_async_request(request)
        if request.url.host == "second.invalid" and self._genesis is not None and b"getGenesisHash" in request.content:
            body: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "result": self._genesis}
            return httpx2.Response(200, json=body)
        return answer


def two_endpoints(stage: Stage, second: str) -> None:
    edit(stage.place, f'rpc = ["{PRIMARY}"]', f'rpc = ["{PRIMARY}", "{second}"]')


async def test_a_second_endpoint_of_another_cluster_may_not_bear_witness(stage: Stage, closing: AsyncExitStack) -> None:
    two_endpoints(stage, SECOND)
    stage.rpc = ByHost(stage.rpc, str(Hash.default()))  # type: ignore[assignment]  # only its transport side is used
    with pytest.raises(WrongCluster):
        await stage.assemble(closing)


async def test_a_second_endpoint_of_the_same_cluster_may(stage: Stage, closing: AsyncExitStack) -> None:
    two_endpoints(stage, SECOND)
    parts = await stage.assemble(closing)
    assert len(parts.endpoints.all) == 2


async def test_one_url_twice_is_not_two_witnesses(stage: Stage, closing: AsyncExitStack) -> None:
    two_endpoints(stage, PRIMARY)
    with pytest.raises(StartupError, match="twice"):
        await stage.assemble(closing)


def set_lamports(stage: Stage, lamports: int) -> None:
    account = stage.net.bank.get_account(stage.wallet.pubkey())
    assert account is not None
    stage.net.bank.set_account(stage.wallet.pubkey(), Account(lamports, b"", account.owner))
    stage.net.bank.advance_slot(2)


async def test_a_keeper_whose_sol_is_at_work_starts_again(stage: Stage) -> None:
    async with AsyncExitStack() as first:
        await stage.open(first)
        await stage.lease.give_up()
    set_lamports(stage, 60_000_000)  # below gas_reserve: fees and rents have come out of it
    async with AsyncExitStack() as second:
        tick = await stage.open(second)
        await tick.run()
        await stage.lease.give_up()


async def test_an_empty_wallet_still_stops_a_first_start(stage: Stage, closing: AsyncExitStack) -> None:
    set_lamports(stage, 60_000_000)
    with pytest.raises(StartupError, match="gas_reserve"):
        await stage.assemble(closing)
