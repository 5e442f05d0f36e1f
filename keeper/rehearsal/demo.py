"""``keeper demo``: a localnet process, a moving market, the daemon on it over real HTTP and websockets, an audit at the end."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
from rich.console import Console
from rich.live import Live
from solders.keypair import Keypair

from keeper.rehearsal.audit import audit
from keeper.rehearsal.files import Folder, Net, sdk_python
from keeper.rehearsal.processes import Child, ProcessFailed, fund, start_localnet
from keeper.rehearsal.report import Report
from keeper.rehearsal.table import rows, table
from keeper.units import LAMPORTS_PER_SOL

FUNDS = 500 * LAMPORTS_PER_SOL
PLAIN_EVERY = 10.0
START_LIMIT = 60.0
STARTING = 30  # seconds that the market moves on while the keeper may still be starting


class DemoFailed(Exception):
    """The demo could not be played to its end."""


async def run_demo(folder: Path, *, seed: int, seconds: int, port: int) -> Report:
    """Play the demo in ``folder``. Raises ``DemoFailed``."""
    place = Folder(folder)
    try:
        localnet, net = await start_localnet(
            ["--demo-pace", "--rpc-port", "0", "--seed", str(seed), "--length", str((seconds + STARTING) * 10)],
            folder / "localnet.log",
        )
    except ProcessFailed as error:
        raise DemoFailed(str(error)) from error
    try:
        return await _play(place, net, localnet, seconds=seconds, port=port)
    except (ProcessFailed, httpx2.HTTPError) as error:
        raise DemoFailed(str(error)) from error
    finally:
        await localnet.stop(5.0)


async def _play(place: Folder, net: Net, localnet: Child, *, seconds: int, port: int) -> Report:
    wallet = Keypair()
    place.write_wallet(wallet)
    place.write_config(net, port=await _free_port(port), sdk_python=sdk_python())
    await fund(net, wallet.pubkey(), FUNDS)
    daemon = await Child.start("keeper", ["run", "--config", str(place.config)], place.path / "keeper.log")
    try:
        await _watch(place, daemon, localnet, seconds)
        code = await daemon.stop()
    finally:
        daemon.kill()
    return await audit(place.config, code)


async def _watch(place: Folder, daemon: Child, localnet: Child, seconds: int) -> None:
    """Show what the daemon says of itself until it has worked for ``seconds``. Raises ``ProcessFailed`` when one of the two dies,
    or when the daemon has not seen the market within ``START_LIMIT``."""
    url = f"http://127.0.0.1:{_configured_port(place)}"
    console = Console()
    console.print(f"metrics at {url}/metrics, status at {url}/status, files in {place.path}", highlight=False)
    started, deadline = False, time.monotonic() + START_LIMIT
    async with httpx2.AsyncClient(timeout=2) as http:
        with Live(console=console, refresh_per_second=4, auto_refresh=False, transient=True) as live:
            show = _screen(live) if console.is_terminal else _plain(console)
            while (left := deadline - time.monotonic()) > 0:
                for child in (daemon, localnet):
                    if not child.alive:
                        raise ProcessFailed(f"{child.name} ended with {child.process.returncode}: {child.last_words()}")
                status = await _status(http, url)
                if not started and "view" in status:
                    started, deadline = True, time.monotonic() + seconds  # the minute counts from the first view
                show(status, left if started else float(seconds))
                await asyncio.sleep(0.5)
    if not started:
        raise ProcessFailed(f"the keeper saw no market within {START_LIMIT:.0f} s: {daemon.last_words()}")


def _screen(live: Live) -> Callable[[dict[str, Any], float], None]:
    return lambda status, left: live.update(table(status, left), refresh=True)


def _plain(console: Console) -> Callable[[dict[str, Any], float], None]:
    """Where there is no terminal: one line now and then."""
    shown = [float("inf")]

    def show(status: dict[str, Any], left: float) -> None:
        if shown[0] - left >= PLAIN_EVERY or shown[0] == float("inf"):
            shown[0] = left
            console.print(
                " | ".join(f"{label}: {text}" for label, text in rows(status, left)),
                highlight=False,
                markup=False,
                soft_wrap=True,
            )

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


def _configured_port(place: Folder) -> int:
    from keeper.config import load_config

    return load_config(place.config).settings.telemetry.port
