"""Simulating, sending, and how a transaction settles."""

from __future__ import annotations

import base64

import pytest
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from keeper.sim.localnet.fees import LAMPORTS_PER_SIGNATURE
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.rpc.base58 import encode_base58
from tests.localnet_rpc.stage import SOL, CallFailed, Stage, wire

B64 = {"encoding": "base64"}


async def test_a_transaction_goes_from_processed_over_confirmed_to_finalized(stage: Stage) -> None:
    signature = await stage.send(stage.payment())
    landed = await stage.status(signature)
    assert (landed["confirmationStatus"], landed["confirmations"], landed["err"]) == ("processed", 0, None)
    confirmed = {"commitment": "confirmed", "maxSupportedTransactionVersion": 0}
    finalized = {"commitment": "finalized", "maxSupportedTransactionVersion": 0}
    assert await stage.call("getTransaction", signature, confirmed) is None
    stage.net.bank.advance_slot()
    assert (await stage.status(signature))["confirmationStatus"] == "confirmed"
    assert (await stage.call("getTransaction", signature, confirmed))["slot"] == landed["slot"]
    assert await stage.call("getTransaction", signature, finalized) is None
    stage.net.bank.advance_slot(30)
    assert (await stage.status(signature))["confirmations"] == 31
    stage.net.bank.advance_slot()
    rooted = await stage.status(signature)
    assert (rooted["confirmationStatus"], rooted["confirmations"]) == ("finalized", None)
    assert await stage.call("getTransaction", signature, finalized) is not None


async def test_slots_heights_and_blockhashes_lag_with_commitment(stage: Stage) -> None:
    stage.net.bank.advance_slot(40)
    tip = stage.net.bank.clock
    levels = ("processed", "confirmed", "finalized")
    slots = [await stage.call("getSlot", {"commitment": level}) for level in levels]
    heights = [await stage.call("getBlockHeight", {"commitment": level}) for level in levels]
    latest = [await stage.call("getLatestBlockhash", {"commitment": level}) for level in levels]
    assert slots == [tip.slot, tip.slot - 1, tip.slot - 32]
    assert heights == [tip.block_height, tip.block_height - 1, tip.block_height - 32]
    assert [answer["context"]["slot"] for answer in latest] == slots
    assert [
        answer["value"]["lastValidBlockHeight"] - height for answer, height in zip(latest, heights, strict=True)
    ] == [149] * 3
    for answer in latest:
        assert (await stage.call("isBlockhashValid", answer["value"]["blockhash"]))["value"]


async def test_before_the_first_finalized_slot_the_head_is_counted_back(stage: Stage) -> None:
    start = stage.net.bank.clock
    assert await stage.call("getSlot") == start.slot - 32
    assert await stage.call("getBlockHeight") == start.block_height - 32
    latest = await stage.call("getLatestBlockhash")
    assert (await stage.call("isBlockhashValid", latest["value"]["blockhash"]))["value"]


async def test_min_context_slot_is_held_against_the_commitment(stage: Stage) -> None:
    tip = stage.net.bank.clock.slot
    assert await stage.call("getSlot", {"commitment": "processed", "minContextSlot": tip}) == tip
    with pytest.raises(CallFailed, match="Minimum context slot has not been reached") as refused:
        await stage.call("getLatestBlockhash", {"commitment": "confirmed", "minContextSlot": tip})
    assert (refused.value.code, refused.value.data) == (-32016, {"contextSlot": tip - 1})
    with pytest.raises(CallFailed) as unsent:
        await stage.send(stage.payment(), preflightCommitment="confirmed", minContextSlot=tip)
    assert unsent.value.code == -32016


async def test_base58_is_the_default_encoding_of_a_sent_transaction(stage: Stage) -> None:
    transaction = stage.payment()
    signature = await stage.call("sendTransaction", encode_base58(bytes(transaction)))
    assert signature == str(transaction.signatures[0])
    assert (await stage.status(signature))["err"] is None


async def test_preflight_failure_carries_the_simulation(stage: Stage) -> None:
    poor = Keypair()
    stage.net.bank.airdrop(poor.pubkey(), SOL)
    transaction = stage.signed(
        poor, [transfer(TransferParams(from_pubkey=poor.pubkey(), to_pubkey=Keypair().pubkey(), lamports=2 * SOL))]
    )
    with pytest.raises(CallFailed) as failed:
        await stage.send(transaction)
    assert failed.value.code == -32002
    assert failed.value.message == (
        "Transaction simulation failed: Error processing Instruction 0: custom program error: 0x1"
    )
    assert failed.value.data["err"] == {"InstructionError": [0, {"Custom": 1}]}
    assert any("insufficient lamports" in line for line in failed.value.data["logs"])
    assert failed.value.data["unitsConsumed"] > 0
    assert {"accounts", "returnData", "innerInstructions", "replacementBlockhash"} <= failed.value.data.keys()
    # Past preflight it lands and fails, and its fee is charged.
    signature = await stage.send(transaction, skipPreflight=True)
    assert (await stage.status(signature))["err"] == {"InstructionError": [0, {"Custom": 1}]}
    assert (await stage.call("getBalance", str(poor.pubkey())))["value"] == SOL - LAMPORTS_PER_SIGNATURE


async def test_a_wrong_signature_is_refused_unless_preflight_is_skipped(stage: Stage) -> None:
    good = stage.payment()
    bad = VersionedTransaction.populate(good.message, [Keypair().sign_message(b"something else")])
    with pytest.raises(CallFailed, match="signature verification failure") as refused:
        await stage.send(bad)
    assert refused.value.code == -32003
    signature = await stage.send(bad, skipPreflight=True)
    assert await stage.status(signature) is None
    assert stage.net.rpc.sender.refused == {"SignatureFailure": 1}


async def test_sending_the_same_bytes_again_executes_once(stage: Stage) -> None:
    receiver = Keypair().pubkey()
    transaction = stage.payment(to=receiver)
    first = await stage.send(transaction)
    again = await stage.send(transaction, skipPreflight=True)
    assert first == again
    assert (await stage.call("getBalance", str(receiver)))["value"] == SOL
    with pytest.raises(CallFailed, match="already been processed") as refused:
        await stage.send(transaction)
    assert refused.value.data["err"] == "AlreadyProcessed"


async def test_a_dead_blockhash_fails_preflight_and_is_dropped_without(stage: Stage) -> None:
    transaction = stage.payment()
    stage.net.bank.advance_slot(151)
    with pytest.raises(CallFailed, match="Blockhash not found") as refused:
        await stage.send(transaction)
    assert refused.value.data["err"] == "BlockhashNotFound"
    assert await stage.status(await stage.send(transaction, skipPreflight=True)) is None


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ((), "`params` should have at least 1 argument"),
        ((5,), "invalid type: integer `5`, expected a string"),
        (("!!!", B64), "invalid base64 encoding"),
        (("0OIl",), "invalid base58 encoding"),
        (("AAAA", B64), "failed to deserialize solana_transaction::versioned::VersionedTransaction"),
        (("A" * 2_000, B64), "too large: 1500 bytes (max: 1232 bytes)"),
        (("1" * 1_702,), "base58 encoded solana_transaction::versioned::VersionedTransaction too large"),
        (("AAAA", {"encoding": "jsonParsed"}), "unsupported encoding: jsonParsed"),
        (("AAAA", {"encoding": "hex"}), "unknown variant `hex`"),
        (("AAAA", {**B64, "maxRetries": -1}), "expected usize"),
        (("AAAA", {**B64, "skipPreflight": "yes"}), "expected a boolean"),
    ],
)
async def test_malformed_transactions_are_invalid_params(stage: Stage, params: tuple[object, ...], words: str) -> None:
    with pytest.raises(CallFailed) as refused:
        await stage.call("sendTransaction", *params)
    assert refused.value.code == -32602
    assert words in refused.value.message


async def test_simulation_changes_nothing_and_shows_the_accounts_afterwards(stage: Stage) -> None:
    receiver = Keypair().pubkey()
    amount = 5 * SOL
    mint = stage.market.glowsol_mint
    target = cpi.associated_address(receiver, mint)
    transaction = stage.token_payment(receiver, amount)
    config = {
        **B64,
        "accounts": {"encoding": "jsonParsed", "addresses": [str(target), str(receiver)]},
        "innerInstructions": True,
    }
    answer = await stage.call("simulateTransaction", wire(transaction), config)
    value = answer["value"]
    assert value["err"] is None
    assert value["unitsConsumed"] > 0
    assert value["fee"] == LAMPORTS_PER_SIGNATURE
    assert value["accounts"][0]["data"]["parsed"]["info"]["tokenAmount"]["amount"] == str(amount)
    assert value["accounts"][1] is None
    assert value["innerInstructions"][0]["index"] == 0
    assert value["replacementBlockhash"] is None
    assert stage.net.bank.get_account(target) is None


async def test_simulation_replaces_a_dead_blockhash_and_takes_unsigned_transactions(stage: Stage) -> None:
    signed = stage.payment()
    unsigned = VersionedTransaction.populate(
        Message.new_with_blockhash(
            [transfer(TransferParams(from_pubkey=stage.trader.pubkey(), to_pubkey=Keypair().pubkey(), lamports=SOL))],
            stage.trader.pubkey(),
            Hash.new_unique(),
        ),
        [],
    )
    stage.net.bank.advance_slot(200)
    for transaction in (signed, unsigned):
        dead = await stage.call("simulateTransaction", wire(transaction), B64)
        assert dead["value"]["err"] == "BlockhashNotFound"
        alive = await stage.call("simulateTransaction", wire(transaction), {**B64, "replaceRecentBlockhash": True})
        assert alive["value"]["err"] is None
        blockhash, last_valid = stage.net.bank.latest_blockhash()
        expected = {"blockhash": str(blockhash), "lastValidBlockHeight": last_valid}
        assert alive["value"]["replacementBlockhash"] == expected


async def test_simulation_refuses_what_contradicts_itself(stage: Stage) -> None:
    text = wire(stage.payment())
    with pytest.raises(CallFailed, match="sigVerify may not be used with replaceRecentBlockhash") as conflict:
        await stage.call("simulateTransaction", text, {**B64, "sigVerify": True, "replaceRecentBlockhash": True})
    assert conflict.value.code == -32602
    many = [str(Keypair().pubkey()) for _ in range(9)]
    with pytest.raises(CallFailed, match="Too many accounts provided; max 3"):
        await stage.call("simulateTransaction", text, {**B64, "accounts": {"addresses": many}})
    with pytest.raises(CallFailed, match="base58 encoding not supported"):
        await stage.call("simulateTransaction", text, {**B64, "accounts": {"encoding": "base58", "addresses": []}})
    bad = VersionedTransaction.populate(stage.payment().message, [Keypair().sign_message(b"x")])
    with pytest.raises(CallFailed) as unverified:
        await stage.call("simulateTransaction", wire(bad), {**B64, "sigVerify": True})
    assert unverified.value.code == -32003


async def test_the_fee_of_a_message_is_what_it_pays(stage: Stage) -> None:
    transaction = stage.payment()

    message = base64.b64encode(bytes([0x80]) + bytes(transaction.message)).decode()
    quoted = (await stage.call("getFeeForMessage", message, {"commitment": "processed"}))["value"]
    before = (await stage.call("getBalance", str(stage.trader.pubkey())))["value"]
    await stage.send(transaction)
    after = (await stage.call("getBalance", str(stage.trader.pubkey())))["value"]
    assert before - after == SOL + quoted
    stage.net.bank.advance_slot(151)
    assert (await stage.call("getFeeForMessage", message))["value"] is None
    with pytest.raises(CallFailed, match="failed to deserialize"):
        await stage.call("getFeeForMessage", "AAAA")


async def test_recent_prioritization_fees_are_bounded_and_by_slot(stage: Stage) -> None:
    stage.net.bank.advance_slot(3)
    fees = await stage.call("getRecentPrioritizationFees", [str(stage.trader.pubkey())])
    assert [fee["slot"] for fee in fees] == list(range(fees[0]["slot"], fees[0]["slot"] + 3))
    with pytest.raises(CallFailed, match="Too many inputs provided; max 128"):
        await stage.call("getRecentPrioritizationFees", [str(stage.trader.pubkey())] * 129)


async def test_an_airdrop_is_a_transaction_and_too_small_a_one_is_refused(stage: Stage) -> None:
    receiver = Keypair().pubkey()
    signature = await stage.call("requestAirdrop", str(receiver), SOL)
    assert (await stage.status(signature))["err"] is None
    assert (await stage.call("getBalance", str(receiver)))["value"] == SOL
    with pytest.raises(CallFailed, match="airdrop refused") as refused:
        await stage.call("requestAirdrop", str(Keypair().pubkey()), 1)
    assert refused.value.code == -32603


@pytest.mark.parametrize(("text", "words"), [("", "WrongSize"), ("abc", "WrongSize"), ("0OIl", "Invalid")])
async def test_a_wrong_blockhash_is_named(stage: Stage, text: str, words: str) -> None:
    with pytest.raises(CallFailed) as refused:
        await stage.call("isBlockhashValid", text)
    assert (refused.value.code, refused.value.message) == (-32602, f"Invalid param: {words}")
