"""kill -9 at random moments of three strategies: what landed is never repeated, and nothing that landed is unknown."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
from collections import Counter
from collections.abc import Awaitable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from solders.keypair import Keypair

from keeper.chain.rpc import RpcClient
from keeper.config import load_config
from keeper.engine.setting_up import SetupOptions, set_up
from keeper.journal.journal import Journal
from keeper.journal.records import AttemptState
from keeper.rehearsal.audit import audit
from keeper.rehearsal.configuration import THREE, merged
from keeper.rehearsal.files import Folder, Net
from keeper.rehearsal.report import landings
from keeper.rehearsal.world import FUNDS, Pace, scenario_hook, world
from keeper.sim.lending_scenario import LendingScenarioConfig
from keeper.sim.localnet.rpc.faults import FaultRates
from keeper.sim.localnet.server import Localnet, LocalnetConfig
from keeper.sim.scenario import ScenarioConfig
from tests.rehearsal.daemon_process import start

KILLS = 20
LEAST = 3  # transactions of each of loop and compound
SEEDS = [int(seed) for seed in os.environ.get("GLOW_KEEPER_KILL_SEEDS", "11").split(",")]  # more: a campaign
PACE = Pace(slot_ms=50, week_slots=400, length=4_000)
# Arbitrage, which goes first, rests mostly; the loop levers up in three steps, and compounding goes on in small ones.
BUSY = {
    "strategies": {
        "arbitrage": {"min_edge": "40 bps"},
        "loop": {"cooldown": "60 s"},
        "compound": {"max_trade": "4 SOL", "sizes": ["1 SOL", "4 SOL"]},
    }
}


def _config(seed: int) -> LocalnetConfig:
    """The demo's world, at twice its speed, with a node that swallows a third of what it is sent."""
    return replace(
        world(seed, PACE),
        scenario=scenario_hook(
            ScenarioConfig(seed=seed, length=PACE.length, every=16, shock_every=32, noise_bps=1.0),
            LendingScenarioConfig(seed=seed, length=PACE.length, every=16, spike_for=0.0),
        ),
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
    place.write_config(where, port=0, sdk_python=None, further=merged(THREE, BUSY))
    net.bank.airdrop(wallet.pubkey(), FUNDS)
    await _past_the_first_epoch(net)
    await set_up(load_config(place.config), SetupOptions(), ask=lambda _: True, say=lambda _: None)
    return place, wallet


async def _past_the_first_epoch(net: Localnet) -> None:
    """Before it has ended nobody knows a yield, so nothing would be levered or compounded."""
    turned = asyncio.Event()
    net.bank.at_epoch(lambda _: turned.set())
    await turned.wait()


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


async def _under_way(place: Folder, then: float) -> None:
    """Until the journal shows a signed attempt without an end, however slow the machine is, and ``then`` seconds."""

    def signed() -> bool:
        with closing(sqlite3.connect(f"file:{place.journal}?mode=ro", uri=True)) as journal:
            return bool(journal.execute("SELECT 1 FROM attempts WHERE state = 'signed' LIMIT 1").fetchall())

    # what an earlier life left is brought to its end first: that it is there says nothing of this one
    for wanted in (False, True):
        for _ in range(1_500):
            if signed() is wanted:
                break
            await asyncio.sleep(0.02)
    await asyncio.sleep(then)


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


async def _landed(place: Folder) -> Counter[str]:
    """Transactions that the journal knows to have landed, by strategy."""
    async with await Journal.open(f"sqlite:///{place.journal}", wall=lambda: 0.0) as journal:
        return (await landings(journal)).by_strategy


async def _enough(place: Folder) -> None:
    """Until loop and compound have landed what they are to be judged by, and one more plan was decided."""
    for _ in range(200):
        found = await _landed(place)
        if min(found["loop"], found["compound"]) >= LEAST:
            break
        await asyncio.sleep(0.3)
    await _next_plan(place, 0.5)


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
            blind, aimed = asyncio.sleep(rng.uniform(0.2, 1.8)), _under_way(place, rng.uniform(0.0, 0.1))
            chosen, other = (blind, aimed) if number % 2 else (aimed, blind)
            other.close()
            assert await _live(place, chosen, kill=True) == -9
            in_flight += await _unresolved(place)
        killed = await _landed(place)
        assert await _live(place, _enough(place), kill=False) == 0
        async with (
            RpcClient(net.rpc_url) as rpc,
            await Journal.open(f"sqlite:///{place.journal}", wall=lambda: 0.0) as journal,
        ):
            attempts = await journal.attempts()
            on_chain = await rpc.signatures_for(wallet.pubkey())
            intents = {a.intent_id: await journal.intent(a.intent_id) for a in attempts}
        report = await audit(place.config, 0)
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
    assert report.drift == (), "of the margin account's balances, too"
    assert min(killed["loop"], killed["compound"]) >= 1, f"the kills did not come among all strategies: {killed}"
    assert report.landings.by_strategy["loop"] >= LEAST
    assert report.landings.by_strategy["compound"] >= LEAST
    assert len(ends) == len(attempts)
    assert None not in intents.values()
