"""kill -9 at random moments: what landed is never repeated, and nothing that landed is unknown."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path

import pytest
from solders.keypair import Keypair

from keeper.chain.rpc import RpcClient
from keeper.execution.reconcile import drift
from keeper.journal.journal import Journal
from keeper.journal.records import AttemptState
from keeper.rehearsal.files import Folder, Net
from keeper.rehearsal.world import Pace, scenario_hook, world
from keeper.sim.localnet.rpc.faults import FaultRates
from keeper.sim.localnet.server import Localnet, LocalnetConfig
from keeper.sim.scenario import ScenarioConfig
from tests.rehearsal.daemon_process import start

KILLS = 20
SEEDS = [int(seed) for seed in os.environ.get("GLOW_KEEPER_KILL_SEEDS", "11").split(",")]  # more: a campaign
PACE = Pace(slot_ms=50, week_slots=400, length=4_000)


def _config(seed: int) -> LocalnetConfig:
    """The demo's world, at twice its speed, with a node that swallows a third of what it is sent."""
    return replace(
        world(seed, PACE),
        scenario=scenario_hook(ScenarioConfig(seed=seed, length=PACE.length, every=16, shock_every=32, noise_bps=1.0)),
        faults=FaultRates(drop_rate_bps=5_000, lost_answer_bps=200),
    )


async def _prepare(net: Localnet, folder: Path) -> tuple[Folder, Keypair]:
    assert net.market is not None
    place, wallet = Folder(folder), Keypair()
    place.write_wallet(wallet)
    answer = await net.rpc.handle({"jsonrpc": "2.0", "id": 1, "method": "getGenesisHash", "params": []})
    assert answer is not None
    market = net.market
    where = Net(
        rpc=net.rpc_url,
        websocket=net.ws_url,
        jupiter=net.jupiter_url,
        genesis=answer["result"],
        glowsol=str(market.glowsol_mint),
        lrt_pool=str(market.lrt_pool),
        lookup_table=str(market.lookup_table),
    )
    place.write_config(where, port=0, sdk_python=None)
    net.bank.airdrop(wallet.pubkey(), 500 * 10**9)
    return place, wallet


async def _live(place: Folder, until: Awaitable[None], *, kill: bool) -> int | None:
    """Start the daemon, let it live until ``until``, end it by SIGKILL or SIGTERM; its exit code."""
    process = start(place.config, place.path / "keeper.log")
    try:
        await until
        early = process.exitcode
        assert early is None, f"it ended by itself with {early}: {(place.path / 'keeper.log').read_text()[-2000:]}"
        if kill:
            process.kill()
        else:
            process.terminate()
        await asyncio.to_thread(process.join, 60)
    finally:
        process.kill()
    return process.exitcode


async def _next_plan(place: Folder, then: float) -> None:
    """Until one more plan has been decided, however slow the machine is, and ``then`` seconds."""

    def plans() -> int:
        return place.decisions.read_text().count('"type":"Plan"') if place.decisions.exists() else 0

    before = plans()
    for _ in range(2_000):
        if plans() > before:
            break
        await asyncio.sleep(0.02)
    await asyncio.sleep(then)


async def _unresolved(place: Folder) -> int:
    """1 when the dead daemon left an attempt without an end."""
    async with await Journal.open(f"sqlite:///{place.journal}", wall=lambda: 0.0) as journal:
        return bool(await journal.unresolved())


@pytest.mark.parametrize("seed", SEEDS)
async def test_twenty_kills_repeat_nothing_and_lose_nothing(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    print(f"seed {seed}")  # noqa: T201 - shown by pytest when it fails
    async with Localnet(_config(seed)) as net:
        place, wallet = await _prepare(net, tmp_path)
        in_flight = 0
        for number in range(KILLS):
            # any moment of its life, and moments in which something is under way
            blind, aimed = asyncio.sleep(rng.uniform(0.2, 1.8)), _next_plan(place, rng.uniform(0.0, 0.5))
            chosen, other = (blind, aimed) if number % 2 else (aimed, blind)
            other.close()
            assert await _live(place, chosen, kill=True) == -9
            in_flight += await _unresolved(place)
        assert await _live(place, _next_plan(place, 1.0), kill=False) == 0
        async with (
            RpcClient(net.rpc_url) as rpc,
            await Journal.open(f"sqlite:///{place.journal}", wall=lambda: 0.0) as journal,
        ):
            attempts = await journal.attempts()
            on_chain = await rpc.signatures_for(wallet.pubkey())
            found = await drift(journal, rpc, wallet.pubkey())
    ends = {attempt.signature: attempt.state for attempt in attempts}
    assert AttemptState.SIGNED not in ends.values()
    landed_per_intent = Counter(a.intent_id for a in attempts if a.state is AttemptState.LANDED)
    assert landed_per_intent, "nothing was traded, so nothing was tested"
    assert max(landed_per_intent.values()) == 1
    assert in_flight >= 3, "too few of the kills came while something was in flight"
    ours = {str(item.signature): item.err is None for item in on_chain if str(item.signature) in ends}
    strangers = [item for item in on_chain if str(item.signature) not in ends]
    assert len(strangers) == 1, "only the airdrop touched the wallet without being in the journal"
    executed = {signature for signature, state in ends.items() if state in (AttemptState.LANDED, AttemptState.FAILED)}
    assert set(ours) == executed, "the journal and the chain name the same transactions"
    assert all(ours[signature] == (ends[signature] is AttemptState.LANDED) for signature in ours)
    assert found == ()
