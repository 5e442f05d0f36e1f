"""``keeper localnet`` as a stranger starts it: a process of its own, and files of his own for --account and --bpf-program."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from solders.pubkey import Pubkey

from keeper.protocols.addresses import SPL_TOKEN, SYSTEM
from keeper.rehearsal.files import Net
from keeper.rehearsal.processes import start_localnet
from keeper.sim.localnet.market_addresses import GLOWSOL_MINT
from keeper.sim.localnet.programs import cpi

SOL = 10**9
TOKEN_ACCOUNT_RENT = 2_039_280


@asynccontextmanager
async def localnet(folder: Path, *arguments: str) -> AsyncIterator[Net]:
    """The command, until the end of the block; then SIGTERM, which must end it with exit code 0."""
    child, net = await start_localnet(["--rpc-port", "0", "--slot-ms", "40", *arguments], folder / "localnet.log")
    try:
        yield net
    finally:
        code = await child.stop(20.0)
    assert code == 0, child.last_words()


def account_file(path: Path, address: Pubkey, owner: Pubkey, lamports: int, data: bytes = b"") -> str:
    """An account as ``solana account --output json`` writes it; returns the path as a word of the command line."""
    account = {
        "lamports": lamports,
        "data": [base64.b64encode(data).decode(), "base64"],
        "owner": str(owner),
        "executable": False,
        "rentEpoch": 2**64 - 1,
        "space": len(data),
    }
    path.write_text(json.dumps({"pubkey": str(address), "account": account}))
    return str(path)


def funded(folder: Path, wallet: Pubkey, tokens: int) -> list[str]:
    """Options that give ``wallet`` 10 SOL and ``tokens`` base units of glowSOL: one file alone, one behind its address."""
    holding = cpi.associated_address(wallet, GLOWSOL_MINT)
    data = bytes(GLOWSOL_MINT) + bytes(wallet) + tokens.to_bytes(8, "little") + bytes(36) + b"\x01" + bytes(56)
    own = account_file(folder / "wallet-account.json", wallet, SYSTEM, 10 * SOL)
    token = account_file(folder / "token-account.json", Pubkey.default(), SPL_TOKEN, TOKEN_ACCOUNT_RENT, data)
    return ["--account", own, "--account", str(holding), token]
