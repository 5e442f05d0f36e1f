"""``keeper doctor`` on a localnet over real sockets: table, JSON, exit codes."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from keeper.cli import main
from keeper.sim.localnet.interface import BankConfig
from keeper.sim.localnet.market_addresses import derived_keypair
from keeper.sim.localnet.server import Localnet, LocalnetConfig
from tests.doctor.ward import configuration
from tests.engine.stage import FUNDS


@dataclass(slots=True)
class Served:
    """A localnet in a thread of its own, because the command runs an event loop of its own."""

    config: Path
    wallet: Path


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    ready, done = threading.Event(), threading.Event()
    wallet = derived_keypair("doctor wallet")
    made: list[Served] = []

    async def serve() -> None:
        async with Localnet(LocalnetConfig(bank=BankConfig(slot_ms=50), clock="real")) as net:
            net.bank.airdrop(wallet.pubkey(), FUNDS)
            net.bank.advance_slot(3)
            place = await configuration(net, tmp_path, wallet, urls=(net.rpc_url, net.ws_url, net.jupiter_url))
            made.append(Served(place.config, place.wallet))
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(20)
        yield made[0]
    finally:
        done.set()
        thread.join(20)


def test_a_sound_market_is_exit_zero_and_a_broken_one_is_one(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--config", str(served.config)]) == 0, capsys.readouterr().out
    table = capsys.readouterr().out
    assert "0 failed" in table.splitlines()[-1]
    for check in ("websocket", "venue:jupiter", "lrt_idl", "margin_account"):
        assert check in table
    served.wallet.chmod(0o644)
    assert main(["doctor", "--config", str(served.config), "--json"]) == 1
    body = json.loads(capsys.readouterr().out)
    failed = [finding for finding in body["findings"] if finding["status"] == "fail"]
    assert [finding["check"] for finding in failed] == ["keypair"]
    assert "chmod 600" in failed[0]["found"]


def test_a_configuration_that_cannot_be_used_is_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "keeper.toml"
    path.write_text("[cluster]\n")
    assert main(["doctor", "--config", str(path)]) == 2
    assert "problem" in capsys.readouterr().err
