"""``keeper demo``: a localnet process, a moving market, the daemon on it over real HTTP and websockets, an audit at the end.

Every part is a process of its own, started by the command that a person would give: ``keeper localnet``, ``setup``, ``run``,
``unwind``.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import httpx2
from rich.console import Console
from rich.live import Live
from solders.keypair import Keypair

from keeper.config import load_config
from keeper.engine.tick import UNWOUND
from keeper.rehearsal.audit import audit
from keeper.rehearsal.configuration import NOTHING, THREE, Tables, merged
from keeper.rehearsal.files import Folder, sdk_python
from keeper.rehearsal.processes import Child, ProcessFailed, fund, start_localnet
from keeper.rehearsal.report import Goals, Report
from keeper.rehearsal.table import line, table
from keeper.rehearsal.world import FUNDS, UNWINDING

Show: TypeAlias = Callable[[dict[str, Any], float], None]

PLAIN_EVERY = 10.0
START_LIMIT = 60.0
SETTING_UP = 60.0
ORDERING = 30.0
STARTING = 30  # seconds that the market moves on while the keeper may still be starting


class DemoFailed(Exception):
    """The demo could not be played to its end."""


async def run_demo(
    folder: Path, *, seed: int, seconds: int, port: int, further: Tables = NOTHING, goals: Goals | None = None
) -> Report:
    """Play the demo in ``folder``: set up, let the keeper work for ``seconds``, unwind, look. ``further`` is merged into the
    keeper's configuration. Raises ``DemoFailed``; ``ConfigError`` for tables that the keeper does not take."""
    place = Folder(folder)
    length = (seconds + STARTING) * 10
    try:
        localnet, net = await start_localnet(
            ["--demo-pace", "--rpc-port", "0", "--seed", str(seed), "--length", str(length)], folder / "localnet.log"
        )
    except ProcessFailed as error:
        raise DemoFailed(str(error)) from error
    try:
        wallet = Keypair()
        place.write_wallet(wallet)
        place.write_config(net, port=await _free_port(port), sdk_python=sdk_python(), further=merged(THREE, further))
        load_config(place.config)
        await fund(net, wallet.pubkey(), FUNDS)
        code = await Play(place, localnet, seconds).run()
        return await audit(place.config, code, goals=goals)
    except (ProcessFailed, httpx2.HTTPError) as error:
        raise DemoFailed(str(error)) from error
    finally:
        await localnet.stop(5.0)


class Play:
    """One demo: the commands that a person would give, and what the daemon says of itself meanwhile."""

    def __init__(self, place: Folder, localnet: Child, seconds: int) -> None:
        telemetry = load_config(place.config).settings.telemetry
        self._place = place
        self._localnet = localnet
        self._seconds = seconds
        self._url = f"http://{telemetry.host}:{telemetry.port}"
        self._console = Console()
        self._status: dict[str, Any] = {}
        self._started = False

    async def run(self) -> int | None:
        """Set up, work, unwind, stop; the daemon's exit code. Raises ``ProcessFailed``."""
        place, console = self._place, self._console
        console.print(
            f"metrics at {self._url}/metrics, status at {self._url}/status, files in {place.path}", highlight=False
        )
        said = await (await self._start("setup", "--yes")).done(SETTING_UP)
        console.print(f"keeper setup: {' '.join(said.splitlines()[-1:])}", highlight=False, soft_wrap=True)
        daemon = await self._start("run")
        try:
            with Live(console=console, refresh_per_second=4, auto_refresh=False, transient=True) as live:
                show = _screen(live) if console.is_terminal else _plain(console)
                await self._watch(daemon, show, START_LIMIT, self._seen)
                if not self._started:
                    raise ProcessFailed(f"the keeper saw no market within {START_LIMIT:.0f} s: {daemon.last_words()}")
                await self._watch(daemon, show, self._seconds, lambda: False)
                ordered = await (await self._start("unwind")).done(ORDERING)
                console.print(f"keeper unwind: {'; '.join(ordered.splitlines())}", highlight=False, soft_wrap=True)
                await self._watch(daemon, show, UNWINDING, self._unwound)
            return await daemon.stop()
        finally:
            daemon.kill()

    async def _start(self, command: str, *options: str) -> Child:
        log = self._place.path / ("keeper.log" if command == "run" else f"{command}.log")
        name = "keeper" if command == "run" else f"keeper {command}"
        return await Child.start(name, [command, "--config", str(self._place.config), *options], log)

    async def _watch(self, daemon: Child, show: Show, seconds: float, done: Callable[[], bool]) -> None:
        """Show what the daemon says of itself for ``seconds``, or until ``done``. Raises ``ProcessFailed`` for one that dies."""
        deadline = time.monotonic() + seconds
        async with httpx2.AsyncClient(timeout=2) as http:
            while (left := deadline - time.monotonic()) > 0 and not done():
                for child in (daemon, self._localnet):
                    if not child.alive:
                        raise ProcessFailed(f"{child.name} ended with {child.process.returncode}: {child.last_words()}")
                self._status = await _status(http, self._url)
                show(self._status, left)
                await asyncio.sleep(0.5)

    def _seen(self) -> bool:
        """Whether the keeper has seen the market: its time counts from its first view."""
        self._started = "view" in self._status
        return self._started

    def _unwound(self) -> bool:
        """Whether every strategy was told to unwind, and has nothing left now: what one leaves may be another's."""
        parts = self._status.get("strategies") or {}
        orders = [part.get("order") for part in parts.values()]
        done = all(order and order["done"] for order in orders)
        return bool(orders) and done and all(one["reason"] == UNWOUND for one in self._status["decisions"])


def _screen(live: Live) -> Show:
    return lambda status, left: live.update(table(status, left), refresh=True)


def _plain(console: Console) -> Show:
    """Where there is no terminal: one line now and then."""
    shown = [float("inf")]

    def show(status: dict[str, Any], left: float) -> None:
        if not 0 <= shown[0] - left < PLAIN_EVERY:  # more is left than before: a new part of the demo
            shown[0] = left
            console.print(line(status, left), highlight=False, markup=False, soft_wrap=True)

    return show


async def _status(http: httpx2.AsyncClient, url: str) -> dict[str, Any]:
    try:
        body: dict[str, Any] = (await http.get(f"{url}/status")).json()
    except httpx2.TransportError:
        return {"state": "starting"}
    return body


async def _free_port(wanted: int) -> int:
    """``wanted`` when it is free, else any: a demo must not fail over another one that is still running."""
    for port in (wanted, 0):
        try:
            server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", port)
        except OSError:
            sys.stderr.write(f"port {port} is taken; taking another\n")
            continue
        found: int = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        return found
    raise DemoFailed("no free port on 127.0.0.1")
