"""An unmodified @solana/web3.js ``Connection``, installed by npm into the test's own folder."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.sim.localnet.interface import BankConfig
from keeper.sim.localnet.market_addresses import GLOWSOL_MINT
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.server import Localnet, LocalnetConfig
from tests.localnet_rpc.command import TOKEN_ACCOUNT_RENT, funded, localnet
from tests.localnet_rpc.stage import SOL, Stage

SCRIPT = Path(__file__).with_name("web3_transfer.mjs")
PACKAGE = "@solana/web3.js@1.98"
INSTALL_SECONDS = 90
RUN_SECONDS = 60


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with web3.js and the script; skips where there is no npm, or no registry to install from."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("npm and node are not installed")
    folder = tmp_path_factory.mktemp("web3js")
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    command = [npm, "install", "--no-audit", "--no-fund", "--prefer-offline", "--silent", PACKAGE]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=INSTALL_SECONDS)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"npm could not install {PACKAGE}: {error}")
    shutil.copy(SCRIPT, folder)
    return folder


async def run(project: Path, arguments: dict[str, Any]) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        "node",
        SCRIPT.name,
        json.dumps(arguments),
        cwd=project,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(RUN_SECONDS):
            out, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode()
    answer: dict[str, Any] = json.loads(out)
    return answer


def arguments(url: str, payer: Keypair, receiver: Pubkey, table: str) -> dict[str, Any]:
    """What the script wants to know: 11 glowSOL from ``payer`` to ``receiver``."""
    return {
        "url": url,
        "payer": list(bytes(payer)),
        "mint": str(GLOWSOL_MINT),
        "source": str(cpi.associated_address(payer.pubkey(), GLOWSOL_MINT)),
        "target": str(cpi.associated_address(receiver, GLOWSOL_MINT)),
        "receiver": str(receiver),
        "table": table,
        "amount": str(11 * SOL),
        "decimals": 9,
    }


async def test_web3js_on_the_command(project: Path, tmp_path: Path) -> None:
    """The same script on ``keeper localnet`` in a process of its own."""
    payer, receiver = Keypair(), Keypair().pubkey()
    async with localnet(tmp_path, *funded(tmp_path, payer.pubkey(), 50 * SOL)) as net:
        told = await run(project, arguments(net.rpc, payer, receiver, net.lookup_table))
    assert (told["simulated"], told["confirmed"], told["dropped"]) == (None, None, None)
    assert told["parsed"]["info"]["tokenAmount"]["amount"] == str(11 * SOL)
    assert told["balance"] == told["held"] == str(11 * SOL)
    assert told["inBlock"]
    assert told["heard"] == TOKEN_ACCOUNT_RENT
    assert told["genesis"] == net.genesis


async def test_web3js_sends_confirms_and_reads_back_a_token_transfer(project: Path) -> None:
    async with Localnet(LocalnetConfig(bank=BankConfig(slot_ms=40))) as net:
        stage = Stage(net)
        receiver, mint = Keypair().pubkey(), stage.market.glowsol_mint
        target = cpi.associated_address(receiver, mint)
        told = await run(project, arguments(net.rpc_url, stage.trader, receiver, str(stage.market.lookup_table)))
        assert stage.token_balance(receiver, mint) == 11 * SOL
        record = next(record for key in net.bank.signatures_for(target) if (record := net.bank.transaction(key)))
        held = net.bank.get_account(target)
    assert told["signature"] == str(record.signature)
    assert (told["simulated"], told["confirmed"], told["dropped"]) == (None, None, None)
    assert told["slot"] == record.slot
    assert told["parsed"]["type"] == "transferChecked"
    assert told["parsed"]["info"]["tokenAmount"]["amount"] == str(11 * SOL)
    assert told["balance"] == told["held"] == str(11 * SOL)
    assert told["fromTable"] == told["loaded"] > 0
    assert told["inBlock"]
    assert held is not None
    assert told["heard"] == held.lamports
    assert told["refusal"]["known"]
    assert any("insufficient lamports" in line for line in told["refusal"]["logs"])
    assert told["epoch"] == 900
