"""Transactions and blocks that were."""

from __future__ import annotations

import base64

import pytest
from solders.keypair import Keypair
from solders.message import Message
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from keeper.sim.localnet.jupiter.composition import read_lookup_table
from keeper.sim.localnet.programs import cpi
from tests.localnet_rpc.stage import SOL, CallFailed, Stage

V0 = {"commitment": "confirmed", "maxSupportedTransactionVersion": 0}


async def test_a_token_transfer_is_told_in_every_encoding(stage: Stage) -> None:
    receiver = Keypair().pubkey()
    sent = stage.token_payment(receiver, 3 * SOL)
    signature = await stage.send(sent)
    stage.net.bank.advance_slot()
    plain = await stage.call("getTransaction", signature, V0)
    assert plain["version"] == 0
    assert plain["transaction"]["message"]["header"]["numRequiredSignatures"] == 1
    assert plain["transaction"]["message"]["addressTableLookups"] == []
    meta = plain["meta"]
    assert (meta["err"], meta["status"]) == (None, {"Ok": None})
    assert meta["loadedAddresses"] == {"writable": [], "readonly": []}
    assert meta["computeUnitsConsumed"] > 0
    assert sum(meta["preBalances"]) - sum(meta["postBalances"]) == meta["fee"]
    keys = plain["transaction"]["message"]["accountKeys"]
    after = {keys[item["accountIndex"]]: int(item["uiTokenAmount"]["amount"]) for item in meta["postTokenBalances"]}
    assert after[str(cpi.associated_address(receiver, stage.market.glowsol_mint))] == 3 * SOL
    parsed = await stage.call("getTransaction", signature, {**V0, "encoding": "jsonParsed"})
    create, move = parsed["transaction"]["message"]["instructions"]
    assert (create["program"], create["parsed"]["type"]) == ("spl-associated-token-account", "createIdempotent")
    assert move["parsed"]["type"] == "transferChecked"
    assert move["parsed"]["info"]["tokenAmount"]["amount"] == str(3 * SOL)
    assert parsed["transaction"]["message"]["accountKeys"][0] == {
        "pubkey": str(stage.trader.pubkey()),
        "signer": True,
        "writable": True,
        "source": "transaction",
    }
    inner = parsed["meta"]["innerInstructions"][0]["instructions"]
    assert inner[-1]["parsed"]["type"] == "initializeAccount3"
    for encoding, name in (("base64", "base64"), ("base58", "base58")):
        binary = await stage.call("getTransaction", signature, {**V0, "encoding": encoding})
        assert binary["transaction"][1] == name
    binary = await stage.call("getTransaction", signature, {**V0, "encoding": "base64"})
    assert base64.b64decode(binary["transaction"][0]) == bytes(sent)


async def test_lookup_tables_show_in_meta_and_parsed_keys(stage: Stage) -> None:
    table = read_lookup_table(stage.net.bank, stage.market.lookup_table)
    assert table is not None
    mint, trader = stage.market.glowsol_mint, stage.trader.pubkey()
    sent = stage.signed(stage.trader, [cpi.create_associated(trader, trader, mint)], tables=[table])
    signature = await stage.send(sent)
    stage.net.bank.advance_slot()
    plain = await stage.call("getTransaction", signature, V0)
    assert str(mint) in plain["meta"]["loadedAddresses"]["readonly"]
    assert plain["transaction"]["message"]["addressTableLookups"][0]["accountKey"] == str(stage.market.lookup_table)
    parsed = await stage.call("getTransaction", signature, {**V0, "encoding": "jsonParsed"})
    sources = {key["pubkey"]: key["source"] for key in parsed["transaction"]["message"]["accountKeys"]}
    assert sources[str(mint)] == "lookupTable"


async def test_versions_must_be_understood_by_the_caller(stage: Stage) -> None:
    signature = await stage.send(stage.payment())
    legacy = VersionedTransaction(
        Message.new_with_blockhash(
            [transfer(TransferParams(from_pubkey=stage.trader.pubkey(), to_pubkey=Keypair().pubkey(), lamports=SOL))],
            stage.trader.pubkey(),
            stage.net.bank.latest_blockhash()[0],
        ),
        [stage.trader],
    )
    old = await stage.send(legacy)
    slot = stage.net.bank.clock.slot
    stage.net.bank.advance_slot()
    with pytest.raises(CallFailed, match="Transaction version \\(0\\) is not supported") as refused:
        await stage.call("getTransaction", signature, {"commitment": "confirmed"})
    assert refused.value.code == -32015
    with pytest.raises(CallFailed) as block:
        await stage.call("getBlock", slot, {"commitment": "confirmed"})
    assert block.value.code == -32015
    assert "version" not in await stage.call("getTransaction", old, {"commitment": "confirmed"})
    assert (await stage.call("getTransaction", old, V0))["version"] == "legacy"


async def test_history_is_told_from_confirmed_on(stage: Stage) -> None:
    for method, params in (
        ("getTransaction", [str(Signature.default())]),
        ("getBlock", [1_000]),
        ("getSignaturesForAddress", [str(stage.trader.pubkey())]),
    ):
        with pytest.raises(CallFailed, match="Method does not support commitment below `confirmed`"):
            await stage.call(method, *params, {"commitment": "processed"})


async def test_statuses_need_history_search_once_they_are_old(stage: Stage) -> None:
    signature = await stage.send(stage.payment())
    stage.net.bank.advance_slot(301)
    assert await stage.status(signature) is None
    found = await stage.call(
        "getSignatureStatuses", [signature, str(Signature.new_unique())], {"searchTransactionHistory": True}
    )
    assert found["value"][0]["confirmationStatus"] == "finalized"
    assert found["value"][1] is None
    with pytest.raises(CallFailed, match="Too many inputs provided; max 256"):
        await stage.call("getSignatureStatuses", [signature] * 257)


async def test_signatures_of_an_address_page_by_before_and_until(stage: Stage) -> None:
    sent = []
    receiver = Keypair().pubkey()
    for lamports in range(SOL, SOL + 5):
        sent.append(await stage.send(stage.payment(lamports, to=receiver)))
        stage.net.bank.advance_slot()
    newest_first = list(reversed(sent))

    async def page(**config: object) -> list[str]:
        shown = await stage.call("getSignaturesForAddress", str(receiver), {"commitment": "confirmed", **config})
        return [item["signature"] for item in shown]

    assert await page() == newest_first
    assert await page(limit=2) == newest_first[:2]
    assert await page(before=newest_first[1]) == newest_first[2:]
    assert await page(until=newest_first[3]) == newest_first[:3]
    assert await page(before=newest_first[0], until=newest_first[3]) == newest_first[1:3]
    assert await page(before=str(Signature.new_unique())) == []
    assert await stage.call("getSignaturesForAddress", str(receiver)) == []  # nothing is finalized yet
    with pytest.raises(CallFailed, match="Invalid limit; max 1000"):
        await page(limit=1_001)


async def test_blocks_link_and_list_their_transactions(stage: Stage) -> None:
    signature = await stage.send(stage.payment())
    slot = stage.net.bank.clock.slot
    with pytest.raises(CallFailed, match=f"Block not available for slot {slot}") as early:
        await stage.call("getBlock", slot, V0)
    assert early.value.code == -32004
    stage.net.bank.advance_slot(2)
    full = await stage.call("getBlock", slot, V0)
    following = await stage.call("getBlock", slot + 1, V0)
    assert following["previousBlockhash"] == full["blockhash"]
    assert (following["parentSlot"], following["blockHeight"]) == (slot, full["blockHeight"] + 1)
    assert [item["transaction"]["signatures"][0] for item in full["transactions"]] == [signature]
    assert full["rewards"] == []
    names = await stage.call("getBlock", slot, {**V0, "transactionDetails": "signatures", "rewards": False})
    assert names["signatures"] == [signature]
    assert "rewards" not in names
    accounts = await stage.call("getBlock", slot, {**V0, "transactionDetails": "accounts"})
    assert accounts["transactions"][0]["transaction"]["accountKeys"][0]["signer"]
    bare = await stage.call("getBlock", slot, {**V0, "transactionDetails": "none"})
    assert "transactions" not in bare
    assert await stage.call("getBlockTime", slot) == full["blockTime"]
    assert await stage.call("getBlocks", slot, slot + 1, {"commitment": "confirmed"}) == [slot, slot + 1]
    assert await stage.call("getBlocksWithLimit", slot, 1, {"commitment": "confirmed"}) == [slot]
    assert await stage.call("getFirstAvailableBlock") == slot
    with pytest.raises(CallFailed) as skipped:
        await stage.call("getBlock", slot - 500, V0)
    assert skipped.value.code == -32007
