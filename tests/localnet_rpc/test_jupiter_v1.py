"""The Jupiter face's v1: swaps and swap instructions, and what it refuses."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from solders.compute_budget import set_compute_unit_price
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from keeper.protocols.addresses import COMPUTE_BUDGET, SPL_TOKEN, WSOL_MINT
from keeper.sim.localnet.jupiter.composition import read_lookup_table
from keeper.sim.localnet.programs import cpi
from tests.localnet_rpc.jupiter_client import ask, execute, got, pair, swap_body
from tests.localnet_rpc.stage import Stage


def sign(wire: str, signer: Keypair) -> VersionedTransaction:
    unsigned = VersionedTransaction.from_bytes(base64.b64decode(wire))
    assert str(unsigned.signatures[0]) == "1" * 64
    return VersionedTransaction(unsigned.message, [signer])


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("version", ["V1", "V2"])
async def test_a_v1_swap_executes_for_what_it_quoted(stage: Stage, version: str, legacy: bool) -> None:
    quote = await got(stage, "/swap/v1/quote", **pair(stage, sell=False), instructionVersion=version)
    body = await swap_body(
        stage, quote=quote, asLegacyTransaction=legacy, dynamicComputeUnitLimit=True, prioritizationFeeLamports=10_000
    )
    stage.net.bank.advance_slot()
    status, answer = await ask(stage, "POST", "/swap/v1/swap", body=body)
    assert status == 200, answer
    assert answer["simulationError"] is None
    transaction = sign(answer["swapTransaction"], stage.trader)
    assert isinstance(transaction.message, MessageV0) is not legacy
    before = stage.token_balance(stage.trader.pubkey(), stage.market.glowsol_mint)
    record = stage.net.bank.process(transaction)
    assert record.err is None, record.logs
    assert record.compute_units <= answer["computeUnitLimit"] < 1_400_000
    assert record.fee == 5_000 + answer["prioritizationFeeLamports"]
    assert 9_000 <= answer["prioritizationFeeLamports"] <= 10_000
    gained = stage.token_balance(stage.trader.pubkey(), stage.market.glowsol_mint) - before
    assert gained == int(quote["outAmount"])


async def test_swap_instructions_execute(stage: Stage) -> None:
    stage.net.bank.advance_slot()
    body = await swap_body(stage, prioritizationFeeLamports={"jitoTipLamports": 777})
    status, answer = await ask(stage, "POST", "/swap/v1/swap-instructions", body=body)
    assert status == 200, answer
    assert answer["addressLookupTableAddresses"] == [str(stage.market.lookup_table)]
    assert len(answer["otherInstructions"]) == 1
    assert answer["setupInstructions"] == []  # v1 looks: the trader's accounts exist
    table = read_lookup_table(stage.net.bank, stage.market.lookup_table)
    assert table is not None
    record = execute(stage, answer, {str(table.key): [str(item) for item in table.addresses]}, stage.trader)
    assert record.err is None, record.logs
    again = await ask(
        stage, "POST", "/swap/v1/swap-instructions", body=await swap_body(stage, skipUserAccountsRpcCalls=True)
    )
    assert len(again[1]["setupInstructions"]) == 1


async def test_a_failing_simulation_is_reported_in_the_swap(stage: Stage) -> None:
    body = await swap_body(stage, dynamicComputeUnitLimit=True)
    body["userPublicKey"] = str(Keypair().pubkey())
    status, answer = await ask(stage, "POST", "/swap/v1/swap", body=body)
    assert status == 200
    assert answer["simulationError"]["errorCode"] == "TRANSACTION_ERROR"
    assert answer["computeUnitLimit"] == 1_400_000


async def test_a_quote_that_lost_a_field_is_refused_by_its_name(stage: Stage) -> None:
    quote = await got(stage, "/swap/v1/quote", **pair(stage))
    for name in ("inputMint", "outAmount", "otherAmountThreshold", "slippageBps", "routePlan", "swapMode"):
        partial = {key: value for key, value in quote.items() if key != name}
        status, answer = await ask(stage, "POST", "/swap/v1/swap", body=await swap_body(stage, quote=partial))
        assert (status, name in answer["error"]) == (422, True), answer
    step = quote["routePlan"][0]
    for name in step["swapInfo"]:
        info = {key: value for key, value in step["swapInfo"].items() if key != name}
        partial = {**quote, "routePlan": [{**step, "swapInfo": info}]}
        status, answer = await ask(stage, "POST", "/swap/v1/swap", body=await swap_body(stage, quote=partial))
        assert (status, f"missing field `{name}`" in answer["error"]) == (422, True), answer


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        (
            {"computeUnitPriceMicroLamports": 1, "prioritizationFeeLamports": 1},
            400,
            "INVALID_COMPUTE_UNIT_PRICE_AND_PRIORITIZATION_FEE",
        ),
        ({"feeAccount": str(SPL_TOKEN)}, 400, "NOT_SUPPORTED"),
        ({"destinationTokenAccount": str(SPL_TOKEN)}, 400, "FAILED_TO_GET_SWAP_AND_ACCOUNT_METAS"),
        ({"prioritizationFeeLamports": "fast"}, 422, None),
        (
            {"prioritizationFeeLamports": {"priorityLevelWithMaxLamports": {"priorityLevel": "low", "maxLamports": 1}}},
            422,
            None,
        ),
        ({"wrapAndUnwrapSol": "yes"}, 422, None),
        ({"userPublicKey": None}, 422, None),
        ({"quoteResponse": None}, 422, None),
    ],
)
async def test_swap_bodies_are_checked(stage: Stage, more: dict[str, Any], status: int, code: str | None) -> None:
    body = {**await swap_body(stage), **more}
    answered, answer = await ask(stage, "POST", "/swap/v1/swap", body=body)
    assert (answered, answer.get("errorCode")) == (status, code), answer


async def test_swap_of_a_pool_that_is_gone(stage: Stage) -> None:
    quote = await got(stage, "/swap/v1/quote", **pair(stage))
    quote["routePlan"][0]["swapInfo"]["ammKey"] = str(Keypair().pubkey())
    status, answer = await ask(stage, "POST", "/swap/v1/swap", body=await swap_body(stage, quote=quote))
    assert (status, answer["errorCode"]) == (400, "MARKET_NOT_FOUND")


@pytest.mark.parametrize(
    "asked", ["auto", {"priorityLevelWithMaxLamports": {"priorityLevel": "veryHigh", "maxLamports": 700}}, 700]
)
async def test_priority_fees_stay_within_their_cap(stage: Stage, asked: Any) -> None:
    pools = list(stage.market.dex_pools.values())
    for number in range(6):  # somebody bids for the pools
        metas = [AccountMeta(key, False, True) for key in pools]
        metas += [AccountMeta(cpi.associated_address(key, WSOL_MINT), False, True) for key in pools]
        memo = Instruction(Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"), str(number).encode(), [])
        bid = Instruction(COMPUTE_BUDGET, set_compute_unit_price(50_000_000).data, metas)
        stage.net.bank.process(stage.signed(stage.trader, [bid, memo]))
        stage.net.bank.advance_slot()
    body = await swap_body(stage, prioritizationFeeLamports=asked)
    _, answer = await ask(stage, "POST", "/swap/v1/swap", body=body)
    cap = 5_000_000 if asked == "auto" else 700
    assert 0 < answer["prioritizationFeeLamports"] <= cap


async def test_bodies_that_are_no_json_object(stage: Stage) -> None:
    for body in (b"{", b"[]", b"", None):
        status, answer = await ask(stage, "POST", "/swap/v1/swap", body=body)
        assert status == 422
        assert answer["error"]
