"""The daemon over real sockets: a localnet with a real clock and the daemon share this test's event loop."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from keeper.config.loading import load_config
from keeper.engine.assembly import StartupError
from keeper.engine.daemon import Daemon, StoppedEarly
from keeper.engine.supervision import TaskFault
from keeper.journal.journal import Journal
from keeper.journal.records import AttemptState, FencedOut
from keeper.plan import Decision, Hold
from keeper.rehearsal.files import Folder
from keeper.rehearsal.world import Pace
from keeper.sim.localnet.market_addresses import derived_keypair
from keeper.sim.localnet.rpc.faults import FaultRates
from keeper.sim.localnet.server import Localnet
from keeper.strategy import Configured
from keeper.view import View
from tests.engine.scripted import scripted, stake_plan
from tests.engine.stage import FUNDS, SOL_UNIT, edit, quiet_config, write_files

PATIENCE = 20.0  # seconds until a test that waits for something gives up


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(slots=True)
class House:
    """A running localnet, the daemon's files on it, and the daemon's own HTTP face."""

    net: Localnet
    place: Folder
    url: str
    http: httpx2.AsyncClient

    def daemon(self, *strategies: Configured[Any]) -> Daemon:
        loaded = load_config(self.place.config)
        return Daemon(replace(loaded, strategies=strategies) if strategies else loaded)

    async def get(self, path: str) -> httpx2.Response:
        return await self.http.get(f"{self.url}{path}")

    async def until(self, running: asyncio.Task[None], **wanted: Any) -> dict[str, Any]:
        """``/status`` once it shows ``wanted`` (numbers: at least). Fails when the daemon ends before."""
        async with asyncio.timeout(PATIENCE):
            while True:
                if running.done():
                    await running
                    raise AssertionError("the daemon returned")
                try:
                    body: dict[str, Any] = (await self.get("/status")).json()
                except httpx2.TransportError:
                    body = {}
                if all(_reached(body.get(key), value) for key, value in wanted.items()):
                    return body
                await asyncio.sleep(0.02)

    async def journal(self) -> Journal:
        return await Journal.open(f"sqlite:///{self.place.journal}", wall=lambda: 0.0)


def _reached(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, bool) or not isinstance(wanted, int):
        return bool(found == wanted)
    return isinstance(found, int) and found >= wanted


@asynccontextmanager
async def running(daemon: Daemon) -> AsyncIterator[asyncio.Task[None]]:
    """The daemon at work; stopped at the end whatever happens."""
    task = asyncio.create_task(daemon.run())
    try:
        yield task
    finally:
        daemon.stop()
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    wallet, port = derived_keypair("daemon wallet"), free_port()
    config = replace(quiet_config(pace=Pace(slot_ms=50)), clock="real")
    async with Localnet(config) as net, httpx2.AsyncClient(timeout=5) as http:
        urls = (net.rpc_url, net.ws_url, net.jupiter_url)
        place = await write_files(net, tmp_path, wallet, urls=urls)
        edit(place, "port = 0", f"port = {port}")
        edit(place, "min_interval = 0.2", "min_interval = 0.02")
        net.bank.airdrop(wallet.pubkey(), FUNDS)
        net.bank.advance_slot(3)
        yield House(net, place, f"http://127.0.0.1:{port}", http)


async def test_it_serves_works_and_ends_when_asked(house: House) -> None:
    daemon = house.daemon()
    async with running(daemon) as task:
        body = await house.until(task, ticks=2)
        assert body["state"] == "active"
        assert body["decisions"][0]["reason"] == "edge_below_minimum"
        assert body["view"]["fresh"]
        await house.until(task, ready=True)
        assert (await house.get("/readyz")).status_code == 200
        live, metrics = await house.get("/livez"), await house.get("/metrics")
        assert live.status_code == 200
        assert live.json()["role"] == "leader"
        for line in (
            'keeper_ticks_total{result="ok"}',
            "keeper_ws_connected 1.0",
            "keeper_is_leader 1.0",
            "keeper_journal_writable 1.0",
            'keeper_trading_state{state="active"} 1.0',
        ):
            assert line in metrics.text
        daemon.stop()
        daemon.stop()  # a second SIGTERM changes nothing
        async with asyncio.timeout(PATIENCE):
            await task
    with pytest.raises(httpx2.ConnectError):
        await house.get("/livez")
    async with await house.journal() as journal:
        assert await journal.leader() is None, "a successor need not wait"


async def test_news_from_the_chain_wakes_the_tick_before_its_timer(house: House) -> None:
    edit(house.place, "max_interval = 2.0", "max_interval = 600")
    async with running(house.daemon(scripted("idle", lambda _view: Hold("idle")))) as task:
        before = (await house.until(task, ticks=2))["ticks"]  # the second comes with the websocket's connection
        wallet = derived_keypair("daemon wallet").pubkey()
        house.net.bank.airdrop(wallet, SOL_UNIT)
        body = await house.until(task, ticks=before + 1)
        async with asyncio.timeout(PATIENCE):
            while body["view"]["wallet_lamports"] != FUNDS + SOL_UNIT:
                body = await house.until(task, ticks=before + 1)


async def test_stopping_lands_what_is_in_flight_and_decides_nothing_new(house: House) -> None:
    house.net.faults.rates = FaultRates(land_delay_slots=6)
    decided: list[View] = []

    def trade(view: View) -> Decision:
        decided.append(view)
        return stake_plan(view)

    daemon = house.daemon(scripted("staker", trade))
    async with running(daemon) as task:
        await house.until(task, in_flight=1)
        many = len(decided)
        daemon.stop()
        async with asyncio.timeout(PATIENCE):
            await task
    assert len(decided) == many
    async with await house.journal() as journal:
        states = [attempt.state for attempt in await journal.attempts()]
    assert states
    assert set(states) == {AttemptState.LANDED}


async def test_a_shutdown_that_runs_out_of_time_leaves_it_to_the_next_start(house: House) -> None:
    house.net.faults.rates = FaultRates(drop_rate_bps=10_000)
    edit(house.place, "min_interval = 0.02", 'min_interval = 0.02\nshutdown_timeout = "1 s"')
    daemon = house.daemon(scripted("staker", stake_plan))
    async with running(daemon) as task:
        await house.until(task, in_flight=1)
        daemon.stop()
        async with asyncio.timeout(PATIENCE):
            await task
    async with await house.journal() as journal:
        assert [attempt.state for attempt in await journal.attempts()] == [AttemptState.SIGNED]
        assert len(await journal.unresolved()) == 1
    others = [one for one in asyncio.all_tasks() if one.get_name().startswith("land ")]
    assert others == [], "nothing goes on signing or sending behind a daemon that has ended"
    # the next start, asked to stop while it still recovers, ends too
    again = house.daemon(scripted("staker", stake_plan))
    async with running(again) as task:
        await house.until(task, role="leader")
        again.stop()
        with pytest.raises(StoppedEarly):
            async with asyncio.timeout(PATIENCE):
                await task
    async with await house.journal() as journal:
        assert len(await journal.unresolved()) == 1


async def test_losing_the_lease_ends_the_run_with_a_fault(house: House) -> None:
    edit(house.place, 'lease = "10 s"', 'lease = "1 s"')
    async with running(house.daemon()) as task:
        await house.until(task, ticks=1)
        async with await house.journal() as journal:
            held = await journal.leader()
            assert held is not None
            await journal.release(held)
            await journal.acquire("another replica", 10_000.0)
        with pytest.raises(TaskFault, match="'lease' died: FencedOut") as caught:
            async with asyncio.timeout(PATIENCE):
                await task
        assert isinstance(caught.value.__cause__, FencedOut)


async def test_a_journal_that_breaks_ends_the_run_with_the_fault_and_not_with_the_farewell(house: House) -> None:
    """The lease cannot be released either; that failure must not take the place of what the run really died of."""
    async with running(house.daemon()) as task:
        await house.until(task, ticks=1)
        with sqlite3.connect(house.place.journal, timeout=10) as database:
            database.execute("DROP TABLE leadership")
        database.close()
        with pytest.raises(TaskFault, match="no such table"):
            async with asyncio.timeout(PATIENCE):
                await task


async def test_a_dead_companion_ends_the_run_with_a_fault(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    daemon = house.daemon()
    async with running(daemon) as task:
        await house.until(task, ticks=1)

        def broken() -> None:
            raise ZeroDivisionError("a listener's own mistake")

        monkeypatch.setattr(daemon.metrics, "ws_message", broken)
        with pytest.raises(TaskFault, match="'stream' died: ZeroDivisionError"):
            async with asyncio.timeout(PATIENCE):
                await task
        assert daemon.metrics.registry.get_sample_value("keeper_task_failures_total", {"task": "stream"}) == 1


async def test_a_taken_telemetry_port_is_a_clear_error(house: House) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(house.url.rsplit(":", 1)[1])))
        taken.listen()
        with pytest.raises(StartupError, match=r"change telemetry\.port"):
            await house.daemon().run()


async def test_a_standby_serves_its_probes_and_stops_when_asked(house: House) -> None:
    async with await house.journal() as journal:
        await journal.acquire("the leader", 10**10)
    daemon = house.daemon()
    async with running(daemon) as task:
        await house.until(task, role="standby")
        assert (await house.get("/livez")).status_code == 200
        daemon.stop()
        with pytest.raises(StoppedEarly):
            async with asyncio.timeout(PATIENCE):
                await task


async def test_a_node_that_is_not_there_yet_is_waited_for(house: House) -> None:
    edit(house.place, house.net.rpc_url + '"]', f'http://127.0.0.1:{free_port()}"]')
    daemon = house.daemon()
    async with running(daemon) as task:
        await house.until(task, state="starting")
        daemon.stop()
        with pytest.raises(StoppedEarly):
            async with asyncio.timeout(PATIENCE):
                await task


async def test_a_node_that_comes_and_goes_is_survived(house: House) -> None:
    daemon = house.daemon(scripted("idle", lambda _view: Hold("idle")))
    async with running(daemon) as task:
        await house.until(task, ready=True)
        house.net.faults.rates = FaultRates(error_rate_bps=10_000)
        body = await house.until(task, ready=False)
        assert any("RpcUnreachable" in problem for problem in body["problems"])
        house.net.faults.rates = FaultRates()
        body = await house.until(task, ready=True)
        assert body["state"] == "active"
