"""What the client makes of well-formed answers, and what it asks."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from solders.hash import Hash
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from keeper.chain import Commitment, DataSize, MemCompare, WrongCluster
from keeper.units import (
    SOL,
    BlockHeight,
    ComputeUnits,
    Epoch,
    Lamports,
    MicroLamports,
    Mint,
    Slot,
    TokenAmount,
    UnixTime,
)

if TYPE_CHECKING:
    from tests.chain.conftest import MakeError, MakeNode

OWNER = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
KEY = Keypair.from_seed(bytes(32)).pubkey()
SIGNATURE = Signature.from_bytes(bytes(range(64)))


def account(data: bytes = b"\x01\x02", lamports: int = 5) -> dict[str, Any]:
    encoded = base64.b64encode(data).decode()
    return {
        "lamports": lamports,
        "owner": str(OWNER),
        "data": [encoded, "base64"],
        "executable": False,
        "rentEpoch": 2**64 - 1,
        "space": len(data),
    }


def context(value: Any, slot: int = 77) -> dict[str, Any]:
    return {"context": {"slot": slot, "apiVersion": "4.3.0"}, "value": value}


async def test_positions_carry_their_types(make_node: MakeNode) -> None:
    info = {"epoch": 900, "slotIndex": 5, "slotsInEpoch": 432000, "absoluteSlot": 10, "blockHeight": 9, "extra": None}
    answers = {"getSlot": 10, "getBlockHeight": 9, "getEpochInfo": info}
    node = make_node(lambda method, _: answers[method])
    assert await node.client.slot() == Slot(10)
    assert await node.client.block_height("finalized") == BlockHeight(9)
    epoch = await node.client.epoch_info()
    assert (epoch.epoch, epoch.absolute_slot, epoch.slots_in_epoch) == (Epoch(900), Slot(10), 432000)
    assert node.requests[0][1] == [{"commitment": "confirmed"}]
    assert node.requests[1][1] == [{"commitment": "finalized"}]


async def test_blockhash_with_its_slot_and_validity(make_node: MakeNode) -> None:
    value = {"blockhash": str(Hash.default()), "lastValidBlockHeight": 150}
    node = make_node(lambda method, _: context(True if method == "isBlockhashValid" else value))
    recent = await node.client.latest_blockhash(min_context_slot=Slot(70))
    assert (recent.hash, recent.last_valid_block_height, recent.slot) == (Hash.default(), BlockHeight(150), Slot(77))
    assert node.requests[0][1] == [{"commitment": "confirmed", "minContextSlot": 70}]
    assert await node.client.blockhash_valid(recent.hash, recent.slot) is True
    assert node.requests[1][1] == [str(Hash.default()), {"commitment": "confirmed", "minContextSlot": 77}]


async def test_account_and_its_absence(make_node: MakeNode) -> None:
    node = make_node(lambda _, params: context(account() if params[0] == str(KEY) else None))
    found = await node.client.account(KEY)
    assert found is not None
    assert (found.lamports, found.owner, found.data, found.executable) == (Lamports(5), OWNER, b"\x01\x02", False)
    assert await node.client.account(OWNER) is None


async def test_many_accounts_go_in_chunks_that_may_not_run_backwards(make_node: MakeNode) -> None:
    keys = [Keypair.from_seed(bytes([i, 1] + [0] * 30)).pubkey() for i in range(150)]
    slots = iter([80, 83])

    def reply(_: str, params: list[Any]) -> Any:
        return context([account(lamports=1) if key != str(keys[3]) else None for key in params[0]], next(slots))

    node = make_node(reply)
    snapshot = await node.client.accounts([*keys, keys[0]], Slot(60))
    assert [len(params[0]) for _, params in node.requests] == [100, 50]
    assert [params[1]["minContextSlot"] for _, params in node.requests] == [60, 80]
    assert (snapshot.slot, snapshot.highest, snapshot.torn) == (Slot(80), Slot(83), True)
    assert list(snapshot) == keys
    assert snapshot[keys[3]] is None
    assert len(snapshot.existing()) == 149


async def test_no_accounts_is_a_mistake_not_a_request(make_node: MakeNode) -> None:
    node = make_node(lambda *_: 1)
    with pytest.raises(ValueError, match="at least one key"):
        await node.client.accounts([])
    assert node.requests == []


async def test_program_accounts_with_filters(make_node: MakeNode) -> None:
    node = make_node(lambda *_: context([{"pubkey": str(KEY), "account": account(b"abc")}]))
    found = await node.client.program_accounts(OWNER, [DataSize(3), MemCompare(1, b"bc")])
    assert found.existing()[KEY].data == b"abc"
    filters = node.requests[0][1][1]["filters"]
    assert filters == [{"dataSize": 3}, {"memcmp": {"offset": 1, "bytes": "YmM=", "encoding": "base64"}}]
    assert node.requests[0][1][1]["withContext"] is True


async def test_token_accounts_of_both_programs(make_node: MakeNode) -> None:
    def reply(_: str, params: list[Any]) -> Any:
        first = params[1]["programId"] == str(OWNER)
        return context([{"pubkey": str(KEY if first else OWNER), "account": account()}], 90 if first else 91)

    node = make_node(reply)
    found = await node.client.token_accounts_by_owner(KEY)
    assert set(found) == {KEY, OWNER}
    assert (found.slot, found.highest) == (Slot(90), Slot(91))
    assert node.requests[1][1][2]["minContextSlot"] == 90


async def test_statuses_keep_order_and_compare(make_node: MakeNode) -> None:
    landed = {"slot": 8, "confirmations": None, "err": None, "status": {"Ok": None}, "confirmationStatus": "finalized"}
    failed = {
        "slot": 9,
        "confirmations": 1,
        "err": {"InstructionError": [1, {"Custom": 17}]},
        "confirmationStatus": "confirmed",
    }
    node = make_node(lambda *_: context([landed, None, failed]))
    first, second, third = await node.client.signature_statuses([SIGNATURE] * 3, search_history=True)
    assert second is None
    assert first is not None
    assert third is not None
    assert first.confirmation >= Commitment.CONFIRMED
    assert first.confirmation > third.confirmation
    assert third.confirmation > Commitment.PROCESSED
    assert third.err == {"InstructionError": [1, {"Custom": 17}]}
    assert node.requests[0][1][1] == {"searchTransactionHistory": True}


async def test_statuses_of_many_signatures_go_in_chunks(make_node: MakeNode) -> None:
    node = make_node(lambda _, params: context([None] * len(params[0])))
    assert await node.client.signature_statuses([SIGNATURE] * 300) == [None] * 300
    assert [len(params[0]) for _, params in node.requests] == [256, 44]


async def test_simulation_returns_accounts_after(make_node: MakeNode, signed: VersionedTransaction) -> None:
    value = {
        "err": None,
        "logs": ["Program log: hi"],
        "accounts": [account(lamports=9), None],
        "unitsConsumed": 450,
        "returnData": {"programId": str(OWNER), "data": ["aGk=", "base64"]},
        "replacementBlockhash": {"blockhash": str(Hash.default()), "lastValidBlockHeight": 200},
        "loadedAccountsDataSize": 1234,
    }
    node = make_node(lambda *_: context(value))
    result = await node.client.simulate(bytes(signed), accounts=[KEY, OWNER], min_context_slot=Slot(5))
    assert result.err is None
    assert result.units == ComputeUnits(450)
    after = result.accounts[KEY]
    assert after is not None
    assert after.lamports == Lamports(9)
    assert result.accounts[OWNER] is None
    assert result.return_data == (OWNER, b"hi")
    assert result.replacement is not None
    assert result.replacement.last_valid_block_height == BlockHeight(200)
    assert result.loaded_data_size == 1234
    config = node.requests[0][1][1]
    assert config["replaceRecentBlockhash"] is True
    assert config["sigVerify"] is False
    assert config["accounts"] == {"encoding": "base64", "addresses": [str(KEY), str(OWNER)]}
    assert config["minContextSlot"] == 5


async def test_failed_simulation_is_an_answer(make_node: MakeNode, signed: VersionedTransaction) -> None:
    value = {"err": "BlockhashNotFound", "logs": None, "accounts": None, "unitsConsumed": 0}
    node = make_node(lambda *_: context(value))
    result = await node.client.simulate(bytes(signed), accounts=[KEY])
    assert result.err == "BlockhashNotFound"
    assert result.accounts == {}
    assert result.logs == ()


def landed(**meta: Any) -> dict[str, Any]:
    other = str(Pubkey.default())
    token = {"amount": "100", "decimals": 6, "uiAmount": 0.0001, "uiAmountString": "0.0001"}
    return {
        "slot": 50,
        "blockTime": 1_790_000_000,
        "version": 1,
        "transaction": {"signatures": [str(SIGNATURE)], "message": {"accountKeys": [str(KEY)], "instructions": []}},
        "meta": {
            "err": None,
            "fee": 5000,
            "computeUnitsConsumed": 150,
            "preBalances": [100_000, 7],
            "postBalances": [90_000, 12],
            "preTokenBalances": [],
            "postTokenBalances": [{"accountIndex": 1, "mint": str(OWNER), "owner": str(KEY), "uiTokenAmount": token}],
            "loadedAddresses": {"writable": [other], "readonly": []},
            "logMessages": None,
            **meta,
        },
    }


async def test_landed_transaction_for_the_ledger(make_node: MakeNode) -> None:
    node = make_node(lambda *_: landed())
    found = await node.client.transaction(SIGNATURE)
    assert found is not None
    assert found.account_keys == (KEY, Pubkey.default())
    assert (found.fee, found.slot, found.block_time) == (Lamports(5000), Slot(50), UnixTime(1_790_000_000))
    assert found.lamports_change(KEY) == Lamports(-10_000)
    assert found.lamports_change(OWNER) == Lamports(0)
    mint = Mint(str(OWNER), "TOK", 6)
    assert found.token_change(KEY, mint) == TokenAmount(mint, 100)
    assert found.token_change(KEY, SOL) == TokenAmount(SOL, 0)
    assert node.requests[0][1][1]["maxSupportedTransactionVersion"] == 1


async def test_unknown_transaction_is_none(make_node: MakeNode) -> None:
    node = make_node(lambda *_: None)
    assert await node.client.transaction(SIGNATURE) is None
    assert len(node.requests) == 1


async def test_address_history(make_node: MakeNode) -> None:
    line = {"signature": str(SIGNATURE), "slot": 5, "err": None, "memo": None, "blockTime": None}
    node = make_node(lambda *_: [line, {**line, "err": "AccountInUse", "confirmationStatus": "confirmed"}])
    first, second = await node.client.signatures_for(KEY, 2, before=SIGNATURE)
    assert (first.signature, first.block_time, first.confirmation) == (SIGNATURE, None, None)
    assert (second.err, second.confirmation) == ("AccountInUse", Commitment.CONFIRMED)
    assert node.requests[0][1][1] == {"commitment": "confirmed", "limit": 2, "before": str(SIGNATURE)}


async def test_small_reads(make_node: MakeNode, error: MakeError) -> None:
    answers = {
        "getBalance": context(12),
        "getMinimumBalanceForRentExemption": 890_880,
        "getGenesisHash": str(Hash.default()),
        "getVersion": {"solana-core": "4.3.0", "feature-set": 1},
        "getRecentPrioritizationFees": [{"slot": 3, "prioritizationFee": 100}],
        "getRecentPerformanceSamples": [
            {"slot": 9, "numSlots": 240, "numTransactions": 5, "samplePeriodSecs": 60, "numNonVoteTransactions": 1}
        ],
        "getHealth": error(-32005, "Node is behind by 42 slots", {"numSlotsBehind": 42}),
    }
    node = make_node(lambda method, _: answers[method])
    assert await node.client.balance(KEY) == Lamports(12)
    assert await node.client.rent_exempt(0) == Lamports(890_880)
    assert await node.client.version() == "4.3.0"
    assert await node.client.prioritization_fees([KEY]) == [(Slot(3), MicroLamports(100))]
    (sample,) = await node.client.performance_samples()
    assert (sample.slots, sample.seconds) == (240, 60)
    health = await node.client.health()
    assert (health.ok, health.slots_behind) == (False, 42)
    await node.client.require_cluster(str(Hash.default()))
    with pytest.raises(WrongCluster, match="expects mainnet"):
        await node.client.require_cluster("mainnet")
