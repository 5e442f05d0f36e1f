"""A market whose doctor fails is not entered, and is entered again when it is healed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from solders.pubkey import Pubkey

from keeper.chain.clock import VirtualClock
from keeper.config.loading import load_config
from keeper.doctor import Examination, Finding, Scope, Status
from keeper.engine.daemon import Daemon
from keeper.engine.gate import Gate
from keeper.engine.tick import Tick, TickResult
from keeper.journal.journal import Journal
from keeper.plan import Borrow, Decision, RequestUnstake, Stake
from keeper.risk import TradingState
from keeper.sim.localnet.interface import BankConfig
from keeper.sim.localnet.market_addresses import derived_keypair
from keeper.sim.localnet.programs.glow_lrt_state import LrtPool
from keeper.sim.localnet.programs.glow_margin_config import Airspace, airspace_permit_address
from keeper.sim.localnet.server import Localnet, LocalnetConfig
from keeper.units import SOL, Duration, Lamports, TokenAmount
from keeper.view import View
from tests.doctor.ward import Ward, configuration
from tests.engine.scripted import plan, scripted, stake_plan
from tests.engine.stage import FUNDS, SOL_UNIT, genesis_of, market_of, stake_and_queue

PATIENCE = 20.0
UNHEALTHY = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32005, "message": "Node is behind by 42 slots"}}
BAD_CLUSTER = Finding("genesis", Status.FAIL, "another", "point elsewhere", Scope.KEEPER, blocks=True)
BAD_ORACLE = Finding("oracle:SOL", Status.FAIL, "old", "wait", Scope.LENDING, blocks=True)
BAD_EPOCH = Finding("stake_pool_epoch", Status.FAIL, "old", "wait", Scope.KEEPER, blocks=False)


class Scripted:
    """A doctor that finds what it is told to, and counts how often it is asked."""

    def __init__(self) -> None:
        self.findings: tuple[Finding, ...] = ()
        self.asked = 0

    async def __call__(self) -> Examination:
        self.asked += 1
        return Examination(self.findings)


STAKING = plan(Stake(Lamports(SOL_UNIT), TokenAmount(SOL, 1)))
BORROWING = plan(Borrow("pool", TokenAmount(SOL, 1)))


async def test_the_doctor_is_asked_at_first_then_now_and_then_and_sooner_while_it_fails() -> None:
    doctor, clock = Scripted(), VirtualClock()
    gate = Gate(doctor, Duration(300), clock)
    assert "not looked yet" in gate.cause
    assert gate.closed_to(STAKING)
    assert await gate.look() is not None
    assert gate.cause == ""
    clock.advance(299)
    assert await gate.look() is None
    clock.advance(1)
    doctor.findings = (BAD_CLUSTER, BAD_EPOCH)
    await gate.look()
    assert (doctor.asked, gate.failing) == (2, ("genesis",))
    assert gate.cause == "the doctor fails: genesis"
    clock.advance(14)
    await gate.look()
    assert doctor.asked == 2
    clock.advance(1)
    doctor.findings = (BAD_EPOCH,)
    await gate.look()
    assert (doctor.asked, gate.cause, gate.failing) == (3, "", ())
    clock.advance(15)
    await gate.look()
    assert doctor.asked == 3, "a failure that does not block is no reason to hurry"


async def test_a_fault_of_the_lending_market_only_closes_the_lending_market() -> None:
    doctor = Scripted()
    doctor.findings = (BAD_ORACLE,)
    gate = Gate(doctor, Duration(300), VirtualClock())
    await gate.look()
    assert gate.cause == ""
    assert gate.closed_to(STAKING) == ""
    assert gate.closed_to(BORROWING) == "the doctor fails: oracle:SOL"


@pytest.fixture
async def closing() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def opened(ward: Ward, closing: AsyncExitStack, decide: Callable[[View], Decision]) -> Tick:
    return await ward.stage.open(closing, [scripted("one", decide)])


async def test_a_tick_enters_nothing_while_the_doctor_fails_and_enters_once_it_is_healed(
    ward: Ward, closing: AsyncExitStack
) -> None:
    tick = await opened(ward, closing, stake_plan)
    ward.stage.rpc.tamper = lambda method, answer: UNHEALTHY if method == "getHealth" else answer
    assert await tick.run() is TickResult.HELD
    assert trading(tick) == ("reducing", "the doctor fails: node")
    assert tick.memory.denials == {"one": "reducing"}
    assert ward.stage.metric("keeper_trading_state", state="reducing") == 1
    assert not await tick_attempts(ward)
    ward.stage.rpc.tamper = None
    assert await tick.run() is TickResult.HELD, "it is looked again after a while, not at once"
    ward.clock.advance(15)
    assert await tick.run() is TickResult.TRADED
    assert trading(tick) == ("active", "")
    assert ward.stage.metric("keeper_trading_state", state="active") == 1
    assert len(await tick_attempts(ward)) == 1


def trading(tick: Tick) -> tuple[str, str]:
    return tick.risk.trading.value, tick.risk.cause


async def tick_attempts(ward: Ward) -> tuple[Any, ...]:
    return await ward.stage.parts.journal.attempts()


async def test_exits_go_on_while_the_doctor_fails(ward: Ward, closing: AsyncExitStack) -> None:
    def leave(view: View) -> Decision:
        assert view.glowsol is not None
        return plan(RequestUnstake(TokenAmount(view.glowsol.mint, SOL_UNIT), Lamports(1)))

    lrt = (await ward.stage.assemble(closing)).market.lrt
    assert lrt is not None
    stake_and_queue(ward.stage.net, ward.stage.wallet, lrt, stake=5 * SOL_UNIT, queue=())
    ward.stage.net.bank.advance_slot(2)
    tick = await opened(ward, closing, leave)
    ward.stage.rpc.tamper = lambda method, answer: UNHEALTHY if method == "getHealth" else answer
    assert await tick.run() is TickResult.TRADED
    assert tick.risk.trading is TradingState.REDUCING


async def test_a_broken_lending_market_does_not_keep_from_staking(ward: Ward, closing: AsyncExitStack) -> None:
    ward.change(ward.market.airspace, Airspace.decode, is_restricted=True)
    ward.remove(airspace_permit_address(ward.market.airspace, ward.stage.wallet.pubkey())[0])
    tick = await opened(ward, closing, stake_plan)
    assert await tick.run() is TickResult.TRADED
    assert tick.gate.failing == ("airspace_permit",)
    assert tick.risk.trading is TradingState.ACTIVE


async def test_what_was_halted_stays_halted(ward: Ward, closing: AsyncExitStack) -> None:
    tick = await opened(ward, closing, stake_plan)
    tick.halt("a person must look")
    ward.stage.rpc.tamper = lambda method, answer: UNHEALTHY if method == "getHealth" else answer
    await tick.run()
    assert tick.risk.cause == "a person must look"


async def test_the_daemon_waits_for_the_doctor(tmp_path: Path) -> None:
    """Over real sockets: the restaking program is paused, then resumed."""
    wallet, port = derived_keypair("daemon wallet"), free_port()
    config = LocalnetConfig(bank=BankConfig(slot_ms=50), cranks=None, clock="real")
    async with Localnet(config) as net:
        place = await configuration(net, tmp_path, wallet, urls=(net.rpc_url, net.ws_url, net.jupiter_url))
        text = place.config.read_text().replace("[telemetry]", f"[telemetry]\nport = {port}")
        place.config.write_text(text + '\n[engine]\nmin_interval = 0.02\nmax_interval = 0.2\ndoctor_every = "1 s"\n')
        net.bank.airdrop(wallet.pubkey(), FUNDS)
        set_paused(net, paused=True)
        loaded = replace(load_config(place.config), strategies=(scripted("staker", stake_plan),))
        daemon = Daemon(loaded)
        running = asyncio.create_task(daemon.run())
        try:
            body = await until(port, running, lambda body: body.get("ticks", 0) >= 3)
            assert (body["state"], body["landed"]) == ("reducing", 0)
            assert "lrt_paused" in body["cause"]
            assert body["doctor"] == ["lrt_paused"]
            set_paused(net, paused=False)
            body = await until(port, running, lambda body: body.get("landed", 0) >= 1)
            assert (body["state"], body["doctor"]) == ("active", [])
        finally:
            daemon.stop()
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(running, return_exceptions=True)
    async with await Journal.open(f"sqlite:///{place.journal}", wall=lambda: 0.0) as journal:
        assert await journal.attempts()
    assert await genesis_of(net)


def set_paused(net: Localnet, *, paused: bool) -> None:
    key: Pubkey = market_of(net).lrt_pool
    account = net.bank.get_account(key)
    assert account is not None
    state = replace(LrtPool.decode(bytes(account.data)), paused=paused)
    net.bank.set_account(key, type(account)(account.lamports, state.encode(), account.owner))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def until(port: int, running: asyncio.Task[None], reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """``/status`` once it is as wanted. Fails where the daemon ends before."""
    async with asyncio.timeout(PATIENCE), httpx2.AsyncClient() as http:
        while True:
            if running.done():
                await running
                raise AssertionError("the daemon returned")
            try:
                body: dict[str, Any] = (await http.get(f"http://127.0.0.1:{port}/status")).json()
            except httpx2.TransportError:
                body = {}
            if reached(body):
                return body
            await asyncio.sleep(0.02)
