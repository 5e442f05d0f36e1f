"""Subscriptions over real sockets: what is told, when, and what happens to a client that does not listen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from solders.account import Account
from solders.keypair import Keypair

from keeper.protocols.addresses import SPL_TOKEN, SYSTEM
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.server import Localnet, LocalnetConfig
from tests.localnet_rpc.stage import SOL, Stage

PROCESSED = {"commitment": "processed"}


class Listener:
    """A websocket client that keeps answers and notifications apart."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.notes: list[dict[str, Any]] = []

    async def ask(self, method: str, *params: Any) -> Any:
        await self.socket.send_json({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
        while True:
            message = await self.socket.receive_json(timeout=5)
            if "id" in message:
                return message.get("result", message.get("error"))
            self.notes.append(message)

    async def note(self) -> dict[str, Any]:
        """The next notification's params."""
        if not self.notes:
            self.notes.append(await self.socket.receive_json(timeout=5))
        params: dict[str, Any] = self.notes.pop(0)["params"]
        return params

    async def drained(self) -> list[dict[str, Any]]:
        """Everything that was said before now: an unknown method's error marks the end."""
        assert (await self.ask("nope"))["code"] == -32601
        said, self.notes = self.notes, []
        return said


async def forgotten(net: Localnet, left: int) -> None:
    """Until the server noticed that clients went away and only ``left`` subscriptions remain."""
    for _ in range(500):
        if len(net.subscriptions) == left:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{len(net.subscriptions)} subscriptions are still held, expected {left}")


@pytest.fixture
async def listener(served: Stage) -> AsyncIterator[Listener]:
    async with aiohttp.ClientSession() as session, session.ws_connect(served.net.ws_url) as socket:
        yield Listener(socket)


async def test_both_ports_upgrade(served: Stage) -> None:
    async with aiohttp.ClientSession() as session:
        for url in (served.net.rpc_url, served.net.ws_url):
            async with session.ws_connect(url) as socket:
                assert isinstance(await Listener(socket).ask("slotSubscribe"), int)
        async with session.get(served.net.rpc_url) as plain:
            assert plain.status == 405
        async with session.get(served.net.rpc_url + "/health") as health:
            assert await health.text() == "ok"


async def test_account_changes_are_told_at_each_commitment(served: Stage, listener: Listener) -> None:
    receiver = Keypair().pubkey()
    numbers = {
        level: await listener.ask("accountSubscribe", str(receiver), {"commitment": level, "encoding": "base64"})
        for level in ("processed", "confirmed", "finalized")
    }
    slot = served.net.bank.clock.slot
    await served.send(served.payment(to=receiver))
    assert [note["params"]["subscription"] for note in await listener.drained()] == [numbers["processed"]]
    served.net.bank.advance_slot()
    (confirmed,) = await listener.drained()
    assert confirmed["method"] == "accountNotification"
    assert confirmed["params"]["subscription"] == numbers["confirmed"]
    assert confirmed["params"]["result"]["context"]["slot"] == slot
    assert confirmed["params"]["result"]["value"]["lamports"] == SOL
    served.net.bank.advance_slot(31)
    (finalized,) = await listener.drained()
    assert finalized["params"]["subscription"] == numbers["finalized"]


async def test_a_slot_is_settled_with_the_accounts_last_state(served: Stage, listener: Listener) -> None:
    receiver = Keypair().pubkey()
    await listener.ask("accountSubscribe", str(receiver), {"commitment": "confirmed"})
    await served.send(served.payment(SOL, to=receiver))
    await served.send(served.payment(2 * SOL, to=receiver))
    served.net.bank.advance_slot()
    (only,) = await listener.drained()
    assert only["params"]["result"]["value"]["lamports"] == 3 * SOL


async def test_a_closed_account_is_told_as_empty(served: Stage, listener: Listener) -> None:
    key = Keypair().pubkey()
    served.net.bank.set_account(key, Account(SOL, b"abc", SPL_TOKEN))
    await listener.ask("accountSubscribe", str(key), PROCESSED)
    served.net.bank.set_account(key, Account(0, b"", SYSTEM))
    value = (await listener.note())["result"]["value"]
    assert (value["lamports"], value["data"], value["owner"]) == (0, "", str(SYSTEM))


async def test_program_subscriptions_filter(served: Stage, listener: Listener) -> None:
    receiver, mint = Keypair().pubkey(), served.market.glowsol_mint
    filters = [{"dataSize": 165}, {"memcmp": {"offset": 32, "bytes": str(receiver)}}]
    config = {**PROCESSED, "encoding": "jsonParsed", "filters": filters}
    await listener.ask("programSubscribe", str(SPL_TOKEN), config)
    await served.send(served.token_payment(Keypair().pubkey(), SOL))
    await served.send(served.token_payment(receiver, SOL))
    (only,) = await listener.drained()
    value = only["params"]["result"]["value"]
    assert value["pubkey"] == str(cpi.associated_address(receiver, mint))
    assert value["account"]["data"]["parsed"]["info"]["tokenAmount"]["amount"] == str(SOL)


async def test_logs_for_everybody_and_for_one_address(served: Stage, listener: Listener) -> None:
    receiver = Keypair().pubkey()
    everything = await listener.ask("logsSubscribe", "all", PROCESSED)
    mentions = await listener.ask("logsSubscribe", {"mentions": [str(receiver)]}, PROCESSED)
    await served.send(served.payment())
    signature = await served.send(served.payment(to=receiver))
    said = await listener.drained()
    assert [note["params"]["subscription"] for note in said] == [everything, everything, mentions]
    assert said[-1]["params"]["result"]["value"]["signature"] == signature
    assert said[-1]["params"]["result"]["value"]["err"] is None
    assert any("success" in line for line in said[-1]["params"]["result"]["value"]["logs"])
    refused = await listener.ask("logsSubscribe", {"mentions": [str(receiver)] * 2})
    assert refused["code"] == -32602


async def test_a_signature_is_told_once_and_cancelled(served: Stage, listener: Listener) -> None:
    transaction = served.payment()
    config = {"commitment": "confirmed", "enableReceivedNotification": True}
    number = await listener.ask("signatureSubscribe", str(transaction.signatures[0]), config)
    await served.send(transaction)
    assert (await listener.note())["result"]["value"] == "receivedSignature"
    served.net.bank.advance_slot()
    assert await listener.note() == {
        "result": {"context": {"slot": served.net.bank.clock.slot}, "value": {"err": None}},
        "subscription": number,
    }
    served.net.bank.advance_slot(40)
    assert await listener.drained() == []
    assert (await listener.ask("signatureUnsubscribe", number))["message"] == "Invalid subscription id."


async def test_a_signature_that_is_settled_already_is_told_at_once(served: Stage, listener: Listener) -> None:
    signature = await served.send(served.payment())
    served.net.bank.advance_slot()
    number = await listener.ask("signatureSubscribe", signature, {"commitment": "confirmed"})
    assert (await listener.note())["subscription"] == number


async def test_slots_and_roots(served: Stage, listener: Listener) -> None:
    start = served.net.bank.clock.slot
    await listener.ask("slotSubscribe")
    served.net.bank.advance_slot(2)
    said = [note["params"]["result"] for note in await listener.drained()]
    assert said == [{"slot": start + n, "parent": start + n - 1, "root": start + n - 32} for n in (1, 2)]
    await listener.ask("rootSubscribe")
    served.net.bank.advance_slot(32)
    roots = [note["params"]["result"] for note in await listener.drained() if note["method"] == "rootNotification"]
    assert roots == [start, start + 1, start + 2]


async def test_unsubscribing_silences(served: Stage, listener: Listener) -> None:
    number = await listener.ask("slotSubscribe")
    assert await listener.ask("slotUnsubscribe", number) is True
    served.net.bank.advance_slot(3)
    assert await listener.drained() == []
    assert (await listener.ask("slotUnsubscribe", number))["code"] == -32602


async def test_malformed_frames_are_answered(served: Stage, listener: Listener) -> None:
    await listener.socket.send_str("{")
    assert (await listener.socket.receive_json(timeout=5))["error"]["code"] == -32700
    await listener.socket.send_str('{"jsonrpc":"2.0","method":"ping"}')
    assert (await listener.ask("accountSubscribe", "x"))["message"] == "Invalid param: WrongSize"
    assert len(served.net.subscriptions) == 0


async def test_a_client_that_leaves_is_forgotten(served: Stage) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(served.net.ws_url) as socket:
        await Listener(socket).ask("slotSubscribe")
        assert len(served.net.subscriptions) == 1
    await forgotten(served.net, 0)


async def test_a_slow_client_is_cut_off_and_the_others_hear_on() -> None:
    config = LocalnetConfig(clock="virtual", cranks=None, websocket_queue=16)
    async with (
        Localnet(config) as net,
        aiohttp.ClientSession() as session,
        session.ws_connect(net.ws_url) as slow,
        session.ws_connect(net.ws_url) as quick,
    ):
        await Listener(slow).ask("slotSubscribe")
        hearing = Listener(quick)
        await hearing.ask("rootSubscribe")
        # Without a turn of the event loop nobody can read: 17 notifications do not fit into 16 places.
        net.bank.advance_slot(17)
        await forgotten(net, 1)
        net.bank.advance_slot(16)
        assert (await hearing.note())["result"] == 1_000
        # What was on its way may still arrive; then the connection is over.
        async with asyncio.timeout(5):
            while (await slow.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
        assert slow.closed


async def test_many_clients_hear_the_same_slot(served: Stage) -> None:
    async with aiohttp.ClientSession() as session:
        sockets = [await session.ws_connect(served.net.ws_url) for _ in range(50)]
        clients = [Listener(socket) for socket in sockets]
        await asyncio.gather(*(client.ask("slotSubscribe") for client in clients))
        served.net.bank.advance_slot()
        heard = await asyncio.gather(*(client.note() for client in clients))
        assert {note["result"]["slot"] for note in heard} == {served.net.bank.clock.slot}
        assert len({note["subscription"] for note in heard}) == 50
        await asyncio.gather(*(socket.close() for socket in sockets))
