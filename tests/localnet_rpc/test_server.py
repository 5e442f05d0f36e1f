"""The localnet as a server: files it loads, ports, scenarios, and what happens when its clock dies."""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from solders.account import Account
from solders.keypair import Keypair

from keeper.protocols.addresses import SYSTEM
from keeper.sim.localnet.account_files import AccountFile, AccountFileError
from keeper.sim.localnet.interface import BankConfig, ChainClock
from keeper.sim.localnet.ports import bind_pair
from keeper.sim.localnet.server import Localnet, LocalnetConfig, LocalnetFailed
from tests.localnet_rpc.stage import SOL

VALUES = {
    "lamports": SOL,
    "data": ["aGVsbG8=", "base64"],
    "owner": str(SYSTEM),
    "executable": False,
    "rentEpoch": 18446744073709551615,
    "space": 5,
}


def bare(**changes: Any) -> LocalnetConfig:
    return replace(LocalnetConfig(market=None, clock="virtual"), **changes)


async def test_account_files_in_both_forms(tmp_path: Path) -> None:
    own, given = Keypair().pubkey(), Keypair().pubkey()
    file = tmp_path / "account.json"
    file.write_text(json.dumps({"pubkey": str(own), "account": VALUES}))
    plain = tmp_path / "plain.json"
    plain.write_text(json.dumps(VALUES))
    accounts = (AccountFile.of(file), AccountFile.of(file, "-"), AccountFile.of(plain, str(given)))
    net = Localnet(bare(accounts=accounts))
    for key in (own, given):
        assert net.bank.get_account(key) == Account(SOL, b"hello", SYSTEM, rent_epoch=2**64 - 1)
    elsewhere = Localnet(bare(accounts=(AccountFile.of(file, str(given)),)))
    assert elsewhere.bank.get_account(own) is None
    assert elsewhere.bank.get_account(given) is not None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "account.json"),
        ("[]", 'need an object with "pubkey" and "account"'),
        (json.dumps(VALUES), 'has no "pubkey"'),
        (json.dumps({"pubkey": "x", "account": VALUES}), "pubkey 'x' is not an address"),
        (json.dumps({"pubkey": str(SYSTEM), "account": {**VALUES, "data": "x"}}), "account.json"),
        (json.dumps({"pubkey": str(SYSTEM), "account": 5}), '"account" is not an object'),
    ],
)
def test_account_files_that_cannot_be_used_are_named(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "account.json"
    file.write_text(content)
    with pytest.raises(AccountFileError, match=r"account\.json") as refused:
        Localnet(bare(accounts=(AccountFile.of(file),)))
    assert words in str(refused.value)


def test_missing_files_and_bad_programs_are_named(tmp_path: Path) -> None:
    with pytest.raises(AccountFileError, match=r"nowhere\.json"):
        Localnet(bare(accounts=(AccountFile.of(tmp_path / "nowhere.json"),)))
    with pytest.raises(AccountFileError, match="not a base58 address"):
        AccountFile.of("x.json", "x")
    program = tmp_path / "program.so"
    with pytest.raises(AccountFileError, match=r"program\.so"):
        Localnet(bare(bpf_programs=((Keypair().pubkey(), program),)))
    program.write_bytes(b"\x7fELF, but not really")
    with pytest.raises(AccountFileError, match=r"program\.so"):
        Localnet(bare(bpf_programs=((str(Keypair().pubkey()), program),)))
    with pytest.raises(AccountFileError, match="not a base58 address"):
        Localnet(bare(bpf_programs=(("x", program),)))
    with pytest.raises(AccountFileError, match=r"program\.so: the file is not a keypair"):
        Localnet(bare(bpf_programs=((str(program), program),)))


def test_ports_come_in_neighbouring_pairs() -> None:
    first, second = bind_pair("127.0.0.1", 0)
    with first, second:
        port = first.getsockname()[1]
        assert second.getsockname()[1] == port + 1
        second.listen()
        with pytest.raises(OSError, match="in use"):
            bind_pair("127.0.0.1", port + 1)


def test_a_taken_websocket_port_is_named() -> None:
    first, second = bind_pair("127.0.0.1", 0)
    port = first.getsockname()[1]
    first.close()
    with second:
        second.listen()
        with pytest.raises(OSError, match=f"port {port + 1} \\(websockets"):
            bind_pair("127.0.0.1", port)


async def test_the_real_clock_drives_slots_and_the_scenario() -> None:
    seen: list[ChainClock] = []
    enough = asyncio.Event()

    def scenario(_bank: object, market: object, clock: ChainClock) -> None:
        assert market is None
        seen.append(clock)
        if len(seen) == 5:
            enough.set()

    async with Localnet(bare(clock="real", bank=BankConfig(slot_ms=5), scenario=scenario)):
        async with asyncio.timeout(5):
            await enough.wait()
    assert [clock.slot for clock in seen[:5]] == [1_001, 1_002, 1_003, 1_004, 1_005]
    count = len(seen)
    await asyncio.sleep(0.03)
    assert len(seen) == count  # the clock stopped with the server


async def test_a_clock_that_dies_stops_the_server_with_an_error() -> None:
    def scenario(_bank: object, _market: object, clock: ChainClock) -> None:
        if clock.slot == 1_003:
            raise ZeroDivisionError("the scenario broke")

    net = Localnet(bare(clock="real", bank=BankConfig(slot_ms=5), scenario=scenario))
    await net.start()
    with pytest.raises(LocalnetFailed, match="ZeroDivisionError: the scenario broke"):
        await asyncio.wait_for(net.wait(), 5)
    await net.stop()
    with pytest.raises(LocalnetFailed, match="slot 1003"):
        await net.wait()
    with pytest.raises(aiohttp.ClientConnectionError):
        async with aiohttp.ClientSession() as session, session.get(net.rpc_url + "/health"):
            raise AssertionError("the server still answers")


async def test_leaving_a_localnet_whose_clock_died_raises_even_if_nobody_waited() -> None:
    def scenario(_bank: object, _market: object, _clock: ChainClock) -> None:
        raise ZeroDivisionError

    with pytest.raises(LocalnetFailed):
        async with Localnet(bare(clock="real", bank=BankConfig(slot_ms=5), scenario=scenario)):
            await asyncio.sleep(0.2)


async def test_two_localnets_live_side_by_side() -> None:
    async with Localnet(bare()) as one, Localnet(bare(bank=BankConfig(seed=1))) as other:
        assert abs(one.port - other.port) > 1
        async with aiohttp.ClientSession() as session:
            for net in (one, other):
                async with session.get(net.rpc_url + "/health") as answer:
                    assert answer.status == 200


async def test_stopping_closes_the_ports() -> None:
    async with Localnet(bare()) as net:
        port = net.port
    with socket.socket() as probe:
        probe.settimeout(1)
        assert probe.connect_ex(("127.0.0.1", port)) != 0
