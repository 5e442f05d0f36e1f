"""Faults and the ``localnet_`` extension: all reproducible."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from solders.keypair import Keypair

from keeper.protocols.addresses import SYSTEM
from keeper.sim.localnet.interface import BankConfig
from keeper.sim.localnet.rpc.faults import FaultRates
from keeper.sim.localnet.server import Localnet, LocalnetConfig
from tests.localnet_rpc.stage import SOL, CallFailed, Stage


def faulty(seed: int = 0, **rates: int) -> Stage:
    bank = BankConfig(seed=seed)
    return Stage(Localnet(LocalnetConfig(clock="virtual", cranks=None, bank=bank, faults=FaultRates(**rates))))


async def landed_pattern(stage: Stage, count: int) -> list[bool]:
    pattern = []
    for number in range(count):
        signature = await stage.send(stage.payment(SOL + number, to=stage.market.admin.pubkey()))
        pattern.append(await stage.status(signature) is not None)
    return pattern


async def test_dropped_transactions_land_when_they_are_sent_again() -> None:
    stage = faulty(drop_rate_bps=5_000)
    transaction = stage.payment()
    sends = 0
    while await stage.status(str(transaction.signatures[0])) is None:
        assert await stage.send(transaction, skipPreflight=True) == str(transaction.signatures[0])
        sends += 1
        assert sends < 60
    assert stage.net.rpc.sender.dropped == sends - 1


async def test_the_same_seed_drops_the_same_transactions() -> None:
    first = await landed_pattern(faulty(3, drop_rate_bps=5_000), 24)
    assert first == await landed_pattern(faulty(3, drop_rate_bps=5_000), 24)
    assert first != await landed_pattern(faulty(4, drop_rate_bps=5_000), 24)
    assert True in first
    assert False in first


async def test_delayed_transactions_land_later_and_once() -> None:
    stage = faulty(land_delay_slots=3)
    receiver = Keypair().pubkey()
    transaction = stage.payment(to=receiver)
    signature = await stage.send(transaction)
    slot = stage.net.bank.clock.slot
    stage.net.bank.advance_slot()
    await stage.send(transaction)  # still pending: preflight passes, and it is not queued twice
    stage.net.bank.advance_slot()
    assert await stage.status(signature) is None
    stage.net.bank.advance_slot(5)
    assert (await stage.status(signature))["slot"] == slot + 3
    assert (await stage.call("getBalance", str(receiver)))["value"] == SOL
    assert not stage.net.rpc.sender.refused


async def test_a_delay_past_the_blockhash_kills_the_transaction() -> None:
    stage = faulty(land_delay_slots=160)
    signature = await stage.send(stage.payment())
    stage.net.bank.advance_slot(170)
    assert await stage.status(signature) is None
    assert stage.net.rpc.sender.refused == {"BlockhashNotFound": 1}


async def post(url: str, method: str) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json={"jsonrpc": "2.0", "id": 1, "method": method}) as answer,
    ):
        return answer.status, await answer.text()


async def test_refused_requests_are_not_carried_out_and_lost_answers_are(served: Stage) -> None:
    url, clock = served.net.rpc_url, served.net.bank.clock
    await served.call("localnet_setFaults", {"error_rate_bps": 10_000})
    assert (await post(url, "localnet_advanceSlots"))[0] == 503
    assert served.net.bank.clock.slot == clock.slot
    await served.call("localnet_setFaults", {"error_rate_bps": 0, "lost_answer_bps": 10_000})
    assert (await post(url, "localnet_advanceSlots"))[0] == 503
    assert served.net.bank.clock.slot == clock.slot + 1
    await served.call("localnet_setFaults", {"lost_answer_bps": 0})
    assert (await post(url, "getHealth"))[0] == 200


async def test_a_node_that_lags_says_so(served: Stage) -> None:
    await served.call("localnet_setFaults", {"slots_behind": 200})
    status, body = await post(served.net.rpc_url, "getHealth")
    assert status == 200
    assert json.loads(body)["error"] == {
        "code": -32005,
        "message": "Node is behind by 200 slots",
        "data": {"numSlotsBehind": 200},
    }


async def test_latency_is_waited_for_before_the_answer(served: Stage) -> None:
    await served.call("localnet_setFaults", {"rpc_latency_ms": 60_000})
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await post(served.net.rpc_url, "getHealth")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"drop_rate": 1}, "unknown fault 'drop_rate'"),
        ({"drop_rate_bps": 10_001}, "the most is 10000"),
        ({"land_delay_slots": -1}, "zero or more"),
    ],
)
async def test_impossible_faults_are_named(stage: Stage, values: dict[str, int], words: str) -> None:
    with pytest.raises(CallFailed, match=words) as refused:
        await stage.call("localnet_setFaults", values)
    assert refused.value.code == -32602


async def test_warping_to_a_slot_an_epoch_or_a_time() -> None:
    bank = BankConfig(slots_per_epoch=50, warp=100, skip_rate_bps=2_000, seed=5)
    stage = Stage(Localnet(LocalnetConfig(clock="virtual", cranks=None, bank=bank)))
    assert (await stage.call("localnet_advanceSlots", 10))["slot"] >= 1_010
    there = await stage.call("localnet_warp", {"epoch": 903})
    assert there["epoch"] == 903
    assert there["slotIndex"] < 5
    time = there["unixTimestamp"] + 1_000
    assert (await stage.call("localnet_warp", {"unixTimestamp": time}))["unixTimestamp"] >= time
    slot = stage.net.bank.clock.slot
    assert (await stage.call("localnet_warp", {"slot": slot}))["slot"] == slot
    for params in ({"slot": slot - 1}, {"epoch": 1}, {"slot": 10**12}, {"parsec": 1}, {}, {"slot": slot, "epoch": 904}):
        with pytest.raises(CallFailed):
            await stage.call("localnet_warp", params)
    # A skipped slot has no block, and says so.
    produced = set(await stage.call("getBlocks", 1_000, slot - 40))
    skipped = next(number for number in range(1_000, slot - 40) if number not in produced)
    with pytest.raises(CallFailed, match=f"Slot {skipped} was skipped") as refused:
        await stage.call("getBlock", skipped)
    assert refused.value.code == -32007


async def test_accounts_can_be_written(stage: Stage) -> None:
    key = str(Keypair().pubkey())
    values = {
        "lamports": SOL,
        "owner": str(SYSTEM),
        "data": ["", "base64"],
        "executable": False,
        "rentEpoch": 2**64 - 1,
        "space": 0,
    }
    await stage.call("localnet_setAccount", key, values)
    assert (await stage.call("getBalance", key))["value"] == SOL
    for broken in (
        {**values, "data": "x"},
        {**values, "data": ["", "base58"]},
        {**values, "lamports": -1},
        {"lamports": 1},
    ):
        with pytest.raises(CallFailed):
            await stage.call("localnet_setAccount", key, broken)
