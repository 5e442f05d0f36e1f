"""JSON-RPC itself: envelopes, batches, errors; and text codecs. Whatever comes in, a well-formed answer goes out."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from keeper.sim.localnet.rpc.base58 import decode_base58, encode_base58
from keeper.sim.localnet.rpc.methods import METHODS
from keeper.sim.localnet.rpc.token_state import ui_amount
from keeper.sim.localnet.server import Localnet, LocalnetConfig
from tests.localnet_rpc.stage import CallFailed, Stage


@given(st.binary(max_size=200))
def test_base58_round_trip(data: bytes) -> None:
    assert decode_base58(encode_base58(data)) == data


@given(st.binary(min_size=32, max_size=32))
def test_base58_agrees_with_solders(data: bytes) -> None:
    assert encode_base58(data) == str(Pubkey.from_bytes(data))


@given(st.integers(0, 2**64 - 1), st.integers(0, 18))
def test_ui_amount_text_is_exact(amount: int, decimals: int) -> None:
    shown = ui_amount(amount, decimals)
    whole, _, fraction = shown["uiAmountString"].partition(".")
    assert int(whole + fraction.ljust(decimals, "0")) == amount
    assert not fraction.endswith("0")


async def raw(stage: Stage, payload: bytes) -> Any:
    answer = await stage.net.rpc.handle(payload)
    return None if answer is None else json.loads(answer)


@pytest.mark.parametrize(
    ("payload", "code", "message"),
    [
        (b"{", -32700, "Parse error"),
        (b"\xff\xfe", -32700, "Parse error"),
        (b"[" * 100_000, -32700, "Parse error"),
        (b"[]", -32600, "Invalid request"),
        (b"5", -32600, "Invalid request"),
        (b'{"id":1,"method":"getSlot"}', -32600, "Invalid request"),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', -32600, "Invalid request"),
        (b'{"jsonrpc":"2.0","id":1,"method":"getSlot","params":{"a":1}}', -32600, "Invalid request"),
        (b'{"jsonrpc":"2.0","id":1,"method":"getSolt"}', -32601, "Method not found"),
    ],
)
async def test_envelope_errors(stage: Stage, payload: bytes, code: int, message: str) -> None:
    answer = await raw(stage, payload)
    assert answer["error"] == {"code": code, "message": message}
    assert answer["jsonrpc"] == "2.0"


async def test_batches_answer_in_order_and_notifications_not_at_all(stage: Stage) -> None:
    batch = [
        {"jsonrpc": "2.0", "id": "a", "method": "getHealth"},
        {"jsonrpc": "2.0", "method": "getHealth"},
        {"jsonrpc": "2.0", "id": 2, "method": "nope"},
        3,
    ]
    answers = await raw(stage, json.dumps(batch).encode())
    assert [answer["id"] for answer in answers] == ["a", 2, None]
    assert answers[0]["result"] == "ok"
    assert answers[1]["error"]["code"] == -32601
    assert await raw(stage, b'{"jsonrpc":"2.0","method":"getHealth"}') is None


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"commitment": "final"}, "unknown variant `final`, expected one of `processed`, `confirmed`, `finalized`"),
        ({"commitment": 3}, "invalid type: integer `3`, expected a string"),
        ({"minContextSlot": -1}, "invalid value: integer `-1`, expected u64"),
        ({"minContextSlot": True}, "invalid type: boolean `true`, expected u64"),
        ("finalized", 'invalid type: string "finalized", expected a map'),
    ],
)
async def test_configuration_errors_use_serdes_words(stage: Stage, config: object, words: str) -> None:
    with pytest.raises(CallFailed) as refused:
        await stage.call("getSlot", config)
    assert refused.value.code == -32602
    assert words in refused.value.message


async def test_the_cluster_describes_itself(stage: Stage) -> None:
    stage.net.bank.advance_slot(5)
    identity = (await stage.call("getIdentity"))["identity"]
    assert await stage.call("getSlotLeader") == identity
    assert await stage.call("getSlotLeaders", 1_000, 3) == [identity] * 3
    assert (await stage.call("getVersion"))["solana-core"]
    assert await stage.call("getGenesisHash") == await stage.call("getGenesisHash")
    other = Stage(Localnet(LocalnetConfig(clock="virtual", bank=type(stage.net.bank.config)(seed=1))))
    assert await other.call("getGenesisHash") != await stage.call("getGenesisHash")
    assert (await stage.call("getVoteAccounts"))["delinquent"] == []
    supply = (await stage.call("getSupply"))["value"]
    assert supply["total"] == supply["circulating"] > 0
    epoch = await stage.call("getEpochInfo", {"commitment": "processed"})
    schedule = await stage.call("getEpochSchedule")
    since = epoch["absoluteSlot"] - schedule["firstNormalSlot"]
    assert epoch["epoch"] == schedule["firstNormalEpoch"] + since // schedule["slotsPerEpoch"]
    assert epoch["slotIndex"] == since % schedule["slotsPerEpoch"]
    samples = await stage.call("getRecentPerformanceSamples", 4)
    assert samples[0]["numSlots"] == 5
    assert (await stage.call("localnet_market"))["mints"]["glowSOL"] == str(stage.market.glowsol_mint)


async def test_performance_samples_close_each_minute_of_slots(stage: Stage) -> None:
    await stage.send(stage.payment())
    stage.net.bank.advance_slot(301)
    first, second = (await stage.call("getRecentPerformanceSamples"))[:2]
    assert [sample["numSlots"] for sample in (first, second)] == [150, 150]
    assert [sample["numTransactions"] for sample in (first, second)] == [0, 1]
    assert first["samplePeriodSecs"] == 60


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**65) | st.floats(allow_nan=False) | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)
# Those that let time pass or that reach far back are bounded by their arguments, not by their shape.
FUZZED = sorted(set(METHODS) - {"localnet_advanceSlots", "localnet_warp"})


@pytest.fixture(scope="module")
def shared() -> Localnet:
    return Localnet(LocalnetConfig(clock="virtual", cranks=None))


@given(name=st.sampled_from(FUZZED), params=st.lists(JSON, max_size=4))
async def test_no_parameters_make_a_method_break(shared: Localnet, name: str, params: list[Any]) -> None:
    answer = await shared.rpc.handle({"jsonrpc": "2.0", "id": 1, "method": name, "params": params})
    assert answer is not None
    assert ("result" in answer) != ("error" in answer)
    if "error" in answer:
        assert answer["error"]["code"] != -32603 or name == "requestAirdrop", answer
    json.dumps(answer)


@given(wire=st.binary(max_size=300))
async def test_no_bytes_make_the_transaction_decoder_break(shared: Localnet, wire: bytes) -> None:
    for name in ("sendTransaction", "simulateTransaction", "getFeeForMessage"):
        params = [base64.b64encode(wire).decode(), {"encoding": "base64"}]
        answer = await shared.rpc.handle({"jsonrpc": "2.0", "id": 1, "method": name, "params": params})
        assert answer is not None
        assert answer.get("error", {"code": -32602})["code"] in (-32602, -32003, -32002), answer
