"""How many sendTransaction a second the localnet's JSON-RPC face carries, with its server in a process of its own.

Run: ``.venv/bin/python -m benchmarks.localnet_rpc [--count N] [--clients N]``. Prints figures; exits 1 when a transaction
that was answered did not land, or when the rate is below ``--floor``.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import multiprocessing
import statistics
import sys
import time
from multiprocessing.connection import Connection
from typing import Any

import aiohttp
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from keeper.sim.localnet.interface import BankConfig
from keeper.sim.localnet.server import Localnet, LocalnetConfig

MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
LAMPORTS = 1_000_000
STATUSES_AT_ONCE = 256


def serve(pipe: Connection) -> None:
    """The child: a whole localnet with its market, until the parent says stop."""

    async def run() -> None:
        async with Localnet(LocalnetConfig(bank=BankConfig(slot_ms=400))) as net:
            pipe.send(net.rpc_url)
            await asyncio.to_thread(pipe.recv)

    asyncio.run(run())


def signed(payer: Keypair, number: int, blockhash: Hash) -> str:
    """A transfer made unique by a memo, as base64."""
    receiver = Pubkey.from_bytes(number.to_bytes(32, "big"))
    instructions = [
        transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=receiver, lamports=LAMPORTS)),
        Instruction(MEMO, str(number).encode(), []),
    ]
    message = MessageV0.try_compile(payer.pubkey(), instructions, [], blockhash)
    return base64.b64encode(bytes(VersionedTransaction(message, [payer]))).decode()


class Client:
    """The least a client can do, so that the server is what is measured."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def call(self, method: str, *params: Any) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        async with self._session.post(self._url, json=body) as response:
            answer = json.loads(await response.read())
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]


async def send_all(
    client: Client, wires: list[str], *, clients: int, skip_preflight: bool
) -> tuple[float, list[float], list[str]]:
    """(seconds, latency of each call in seconds, signatures): ``clients`` senders, each with one call in flight."""
    waiting = iter(wires)
    latencies: list[float] = []
    signatures: list[str] = []
    config = {"encoding": "base64", "skipPreflight": skip_preflight, "preflightCommitment": "confirmed"}

    async def sender() -> None:
        for wire in waiting:
            begun = time.perf_counter()
            signatures.append(await client.call("sendTransaction", wire, config))
            latencies.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    await asyncio.gather(*(sender() for _ in range(clients)))
    return time.perf_counter() - begun, latencies, signatures


async def landed(client: Client, signatures: list[str]) -> int:
    """How many of them the bank executed without error."""
    found = 0
    for at in range(0, len(signatures), STATUSES_AT_ONCE):
        answer = await client.call("getSignatureStatuses", signatures[at : at + STATUSES_AT_ONCE])
        found += sum(status is not None and status["err"] is None for status in answer["value"])
    return found


async def measure(url: str, *, count: int, clients: int) -> tuple[float, bool]:
    """Print the figures; (lowest rate per second, whether everything landed)."""
    rates: list[float] = []
    complete = True
    async with aiohttp.ClientSession() as session:
        client = Client(session, url)
        payer = Keypair()
        await client.call("requestAirdrop", str(payer.pubkey()), 10_000 * LAMPORTS + 2 * count * (LAMPORTS + 10_000))
        for offset, skip_preflight in enumerate((True, False)):
            latest = await client.call("getLatestBlockhash", {"commitment": "confirmed"})
            blockhash = Hash.from_string(latest["value"]["blockhash"])
            wires = [signed(payer, 1_000_000 + offset * count + number, blockhash) for number in range(count)]
            seconds, latencies, signatures = await send_all(
                client, wires, clients=clients, skip_preflight=skip_preflight
            )
            executed = await landed(client, signatures)
            complete = complete and executed == count
            rates.append(count / seconds)
            cuts = statistics.quantiles(latencies, n=100)
            print(
                f"sendTransaction {'skipPreflight' if skip_preflight else 'with preflight':14} {clients} clients: "
                f"{rates[-1]:7.0f}/s   p50 {cuts[49] * 1e3:6.2f} ms   p99 {cuts[98] * 1e3:6.2f} ms   landed {executed}/{count}"
            )
        begun = time.perf_counter()
        for _ in range(count):
            await client.call("getSlot")
        seconds = time.perf_counter() - begun
        print(f"getSlot one after another: {count / seconds:7.0f}/s   {seconds / count * 1e3:.2f} ms each")
    return min(rates), complete


def main() -> int:
    """Start the server, measure, stop it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=1_500, help="transactions in each of the two runs")
    options.add_argument("--clients", type=int, default=8, help="senders with one call in flight each")
    options.add_argument("--floor", type=float, default=0.0, help="exit 1 below this rate per second")
    chosen = options.parse_args()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=serve, args=(theirs,))
    child.start()
    theirs.close()
    try:
        url = ours.recv()
        rate, complete = asyncio.run(measure(url, count=chosen.count, clients=chosen.clients))
        ours.send("stop")
        child.join(10)
    finally:
        if child.is_alive():
            child.terminate()
            child.join()
    if not complete:
        print("FAILED: a transaction that was answered did not land")
        return 1
    if rate < chosen.floor:
        print(f"FAILED: {rate:.0f}/s is below {chosen.floor:.0f}/s")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
