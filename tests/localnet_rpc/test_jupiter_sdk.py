"""The unmaintained jupiter-python-sdk 0.0.2.0, in an environment of its own, against the v1 face."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from keeper.protocols.addresses import WSOL_MINT
from tests.localnet_rpc.stage import SOL, Stage

PYTHON = Path(__file__).parents[2] / ".venv-jupiter" / "bin" / "python"
SCRIPT = Path(__file__).with_name("sdk_swap.py")
RUN_SECONDS = 60


@pytest.mark.skipif(not PYTHON.exists(), reason="no environment of the jupiter-python-sdk (.venv-jupiter)")
async def test_the_sdk_quotes_and_swaps(served: Stage) -> None:
    given = {
        "rpc": served.net.rpc_url,
        "api": served.net.jupiter_url,
        "signer": list(bytes(served.trader)),
        "input": str(served.market.glowsol_mint),
        "output": str(WSOL_MINT),
        "amount": 2 * SOL,
    }
    before = served.token_balance(served.trader.pubkey(), served.market.glowsol_mint)
    served.net.bank.advance_slot()
    process = await asyncio.create_subprocess_exec(
        str(PYTHON), str(SCRIPT), json.dumps(given), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(RUN_SECONDS):
            out, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode()
    told = json.loads(out)
    assert told["quote"]["inAmount"] == str(2 * SOL)
    assert told["refusal"] == "Input and output mints are not allowed to be equal"
    status = await served.status(told["signature"])
    assert status["err"] is None
    assert before - served.token_balance(served.trader.pubkey(), served.market.glowsol_mint) == 2 * SOL
