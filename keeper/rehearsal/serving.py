"""``keeper localnet``: the options of the command turned into a running localnet, and the line that says where it is."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from collections.abc import Callable
from dataclasses import replace

from keeper.rehearsal.world import Pace, scenario_hook, world
from keeper.sim.localnet.account_files import AccountFile
from keeper.sim.localnet.interface import BankConfig
from keeper.sim.localnet.programs.dex_state import read_pool
from keeper.sim.localnet.rpc.faults import FaultRates
from keeper.sim.localnet.server import Localnet, LocalnetConfig
from keeper.sim.scenario import ScenarioConfig

READY = "localnet ready "
MAX_PORT = 65_534


def localnet_config(options: argparse.Namespace) -> LocalnetConfig:
    """Raises ``ValueError`` for a number that makes no sense."""
    if not 0 <= options.rpc_port <= MAX_PORT:
        raise ValueError(
            f"--rpc-port {options.rpc_port} is not a port; need 0 to {MAX_PORT} (the next one is taken too)"
        )
    if options.demo_pace:
        base = world(options.seed, Pace(length=options.length), rpc_port=options.rpc_port)
    else:
        bank = BankConfig(
            slot_ms=options.slot_ms, warp=options.warp, slots_per_epoch=options.slots_per_epoch, seed=options.seed
        )
        path = ScenarioConfig(seed=options.seed, length=options.length)
        base = LocalnetConfig(
            rpc_port=options.rpc_port, bank=bank, scenario=scenario_hook(path) if options.scenario else None
        )
    return replace(
        base,
        host=options.host,
        jupiter_api_key=options.jupiter_api_key,
        jupiter_per_minute=options.jupiter_per_minute,
        faults=FaultRates(drop_rate_bps=options.drop_rate_bps),
        bpf_programs=tuple((address, file) for address, file in options.bpf_program),
        accounts=tuple(_account(words) for words in options.account),
    )


def _account(words: list[str]) -> AccountFile:
    if len(words) not in (1, 2):
        raise ValueError(f"--account takes [ADDRESS] FILE, got {' '.join(words)!r}")
    return AccountFile.of(words[-1], words[0] if len(words) == 2 else None)


def ready_line(net: Localnet) -> str:
    """Where everything is, as one line of JSON behind ``READY``: for scripts and for people."""
    market = net.market.as_json() if net.market is not None else {}
    where = {
        "rpc": net.rpc_url,
        "websocket": net.ws_url,
        "jupiter": net.jupiter_url,
        "market": market,
        "dex_vaults": dex_vaults(net),
    }
    return READY + json.dumps(where)


def dex_vaults(net: Localnet) -> list[str]:
    """The token accounts that every DEX trade changes: what a keeper watches to hear of price moves."""
    pools = net.market.dex_pools.values() if net.market is not None else ()
    states = [read_pool(net.bank.get_account, address).pool for address in pools]
    return [str(vault) for pool in states for vault in (pool.vault_a, pool.vault_b)]


async def serve(options: argparse.Namespace, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT. Raises what the localnet raises."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Localnet(localnet_config(options)) as net:
        say(ready_line(net))
        ended, stopped = asyncio.create_task(net.wait()), asyncio.create_task(stop.wait())
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in (ended, stopped):
            task.cancel()
        await asyncio.gather(ended, stopped, return_exceptions=True)
