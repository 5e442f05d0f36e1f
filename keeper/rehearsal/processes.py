"""The processes of a rehearsal: a localnet and a keeper, started as a person would start them."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2
from solders.pubkey import Pubkey

from keeper.rehearsal.files import Net
from keeper.rehearsal.serving import READY

STOP_SECONDS = 100.0


class ProcessFailed(Exception):
    """A process of the rehearsal did not come up or ended early. The message has its last words."""


class Child:
    """A ``keeper`` command in a process of its own. Its stderr goes to ``log``."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.process = process
        self.log = log

    @classmethod
    async def start(cls, name: str, arguments: Sequence[str], log: Path) -> Child:
        with log.open("ab") as sink:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "keeper", *arguments, stdout=asyncio.subprocess.PIPE, stderr=sink
            )
        return cls(name, process, log)

    @property
    def alive(self) -> bool:
        return self.process.returncode is None

    async def line(self, prefix: str, seconds: float) -> str:
        """The rest of the first line that starts with ``prefix``. Raises ``ProcessFailed``."""
        output = self.process.stdout
        if output is None:
            raise ProcessFailed(f"{self.name} has no standard output to read")
        try:
            async with asyncio.timeout(seconds):
                while raw := await output.readline():
                    text = raw.decode()
                    if text.startswith(prefix):
                        return text[len(prefix) :]
        except TimeoutError:
            raise ProcessFailed(f"{self.name} was not ready within {seconds} s: {self.last_words()}") from None
        await self.process.wait()
        raise ProcessFailed(f"{self.name} ended with {self.process.returncode}: {self.last_words()}")

    async def done(self, seconds: float) -> str:
        """What it said, once it has ended with 0. Raises ``ProcessFailed``."""
        try:
            async with asyncio.timeout(seconds):
                output, _ = await self.process.communicate()
        except TimeoutError:
            raise ProcessFailed(f"{self.name} had not ended after {seconds} s: {self.last_words()}") from None
        if self.process.returncode != 0:
            raise ProcessFailed(f"{self.name} ended with {self.process.returncode}: {self.last_words()}")
        return output.decode()

    def last_words(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-1500:].strip() or "it said nothing"

    def kill(self) -> None:
        """SIGKILL, as a node that loses power."""
        if self.alive:
            self.process.send_signal(signal.SIGKILL)

    async def stop(self, seconds: float = STOP_SECONDS) -> int | None:
        """SIGTERM and wait; SIGKILL when it does not end. Returns the exit code."""
        if self.alive:
            self.process.terminate()
        try:
            async with asyncio.timeout(seconds):
                return await self.process.wait()
        except TimeoutError:
            self.kill()
            return await self.process.wait()


async def start_localnet(arguments: Sequence[str], log: Path) -> tuple[Child, Net]:
    """A localnet process and where it is. Raises ``ProcessFailed``."""
    child = await Child.start("localnet", ["localnet", *arguments], log)
    where: dict[str, Any] = json.loads(await child.line(READY, 30.0))
    market = where["market"]
    genesis = await call(where["rpc"], "getGenesisHash", [])
    net = Net(
        rpc=where["rpc"],
        websocket=where["websocket"],
        jupiter=where["jupiter"],
        genesis=genesis,
        glowsol=market["mints"]["glowSOL"],
        lrt_pool=market["lrt_pool"],
        lookup_table=market["lookup_table"],
        watch=tuple(where["dex_vaults"]),
    )
    return child, net


async def call(url: str, method: str, params: list[Any]) -> Any:
    """One JSON-RPC call of the rehearsal itself (funding, questions). Raises ``ProcessFailed`` for an error."""
    async with httpx2.AsyncClient(timeout=10) as http:
        answer = (await http.post(url, json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params})).json()
    if "error" in answer:
        raise ProcessFailed(f"{method} failed: {answer['error']}")
    return answer["result"]


async def fund(net: Net, owner: Pubkey, lamports: int) -> None:
    """Airdrop ``lamports`` and wait until they are there. Raises ``ProcessFailed``."""
    await call(net.rpc, "requestAirdrop", [str(owner), lamports])
    for _ in range(100):
        if (await call(net.rpc, "getBalance", [str(owner)]))["value"] >= lamports:
            return
        await asyncio.sleep(0.1)
    raise ProcessFailed(f"the airdrop of {lamports} lamports to {owner} did not arrive")
