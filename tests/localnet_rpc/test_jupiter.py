"""The Jupiter face: quotes, errors, and that what it hands out executes on the bank as quoted."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from keeper.protocols.addresses import COMPUTE_BUDGET, SPL_TOKEN, WSOL_MINT
from keeper.sim.localnet.interface import TransactionRecord
from keeper.sim.localnet.jupiter.composition import read_lookup_table
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.server import Localnet, LocalnetConfig
from tests.localnet_rpc.stage import SOL, Stage

AMOUNT = 10 * SOL


async def ask(
    stage: Stage, method: str, path: str, query: Mapping[str, Any] | None = None, body: Any = None
) -> tuple[int, Any]:
    texts = {name: str(value) for name, value in (query or {}).items()}
    status, _, answer = await stage.net.jupiter.handle(method, path, texts, {}, body)
    return status, answer


async def got(stage: Stage, path: str, **query: Any) -> Any:
    status, answer = await ask(stage, "GET", path, query)
    assert status == 200, answer
    return answer


async def refused(stage: Stage, path: str, **query: Any) -> tuple[int, str | None]:
    status, answer = await ask(stage, "GET", path, query)
    assert answer["error"]
    return status, answer.get("errorCode")


def pair(stage: Stage, *, sell: bool = True) -> dict[str, Any]:
    mints = (stage.market.glowsol_mint, WSOL_MINT) if sell else (WSOL_MINT, stage.market.glowsol_mint)
    return {"inputMint": mints[0], "outputMint": mints[1], "amount": AMOUNT}


def instruction(values: Mapping[str, Any]) -> Instruction:
    metas = [
        AccountMeta(Pubkey.from_string(item["pubkey"]), item["isSigner"], item["isWritable"])
        for item in values["accounts"]
    ]
    return Instruction(Pubkey.from_string(values["programId"]), base64.b64decode(values["data"]), metas)


def execute(
    stage: Stage, answer: Mapping[str, Any], tables: Mapping[str, list[str]], signer: Keypair
) -> TransactionRecord:
    """In the order the facts give: compute budget, setup, swap, cleanup, tip."""
    listed = [*answer["computeBudgetInstructions"], *answer["setupInstructions"], answer["swapInstruction"]]
    listed += [item for item in (answer["cleanupInstruction"], answer.get("tipInstruction")) if item is not None]
    listed += answer["otherInstructions"]
    instructions = [instruction(item) for item in listed]
    if "addressesByLookupTableAddress" in answer:  # v2 leaves the limit to the caller
        instructions.insert(0, set_compute_unit_limit(400_000))
    known = [
        AddressLookupTableAccount(Pubkey.from_string(key), [Pubkey.from_string(item) for item in items])
        for key, items in tables.items()
    ]
    transaction = stage.signed(signer, instructions, tables=known)
    return stage.net.bank.process(transaction)


def lamports(stage: Stage, key: Pubkey) -> int:
    account = stage.net.bank.get_account(key)
    return 0 if account is None else account.lamports


async def test_quote_has_every_field_as_text(stage: Stage) -> None:
    quote = await got(stage, "/swap/v1/quote", **pair(stage), slippageBps=30)
    assert quote["inAmount"] == str(AMOUNT)
    out = int(quote["outAmount"])
    assert int(quote["otherAmountThreshold"]) == -(-out * 9_970 // 10_000)
    assert (quote["swapMode"], quote["slippageBps"], quote["platformFee"]) == ("ExactIn", 30, None)
    assert float(quote["priceImpactPct"]) >= 0
    assert quote["contextSlot"] == stage.net.bank.clock.slot
    for step in quote["routePlan"]:
        assert all(isinstance(value, str) for value in step["swapInfo"].values())
        assert step["percent"] * 100 == step["bps"]
    direct = sum(
        int(step["swapInfo"]["outAmount"])
        for step in quote["routePlan"]
        if step["swapInfo"]["outputMint"] == str(WSOL_MINT)
    )
    assert direct == out


async def test_labels_choose_and_exclude_dexes(stage: Stage) -> None:
    labels = await got(stage, "/swap/v1/program-id-to-label")
    assert set(labels.values()) == {"Localnet Stable", "Localnet AMM"}
    only = await got(stage, "/swap/v1/quote", **pair(stage), dexes="Localnet AMM")
    without = await got(stage, "/swap/v1/quote", **pair(stage), excludeDexes="Localnet Stable")
    assert {step["swapInfo"]["label"] for step in only["routePlan"]} == {"Localnet AMM"}
    assert only["outAmount"] == without["outAmount"]
    best = await got(stage, "/swap/v1/quote", **pair(stage))
    assert int(best["outAmount"]) > int(only["outAmount"])
    case = await got(stage, "/swap/v1/quote", **pair(stage), excludeDexes="localnet stable")
    assert case["outAmount"] == best["outAmount"]  # labels are case-sensitive
    assert await refused(stage, "/swap/v1/quote", **pair(stage), dexes="Orca V2") == (400, "COULD_NOT_FIND_ANY_ROUTE")


async def test_big_trades_split_and_small_limits_go_direct(stage: Stage) -> None:
    big = {**pair(stage), "amount": 800 * SOL}
    split = await got(stage, "/swap/v1/quote", **big)
    direct = await got(stage, "/swap/v1/quote", **big, onlyDirectRoutes="true")
    narrow = await got(stage, "/swap/v1/quote", **big, maxAccounts=7)
    assert len(split["routePlan"]) > len(direct["routePlan"]) == 1
    assert int(split["outAmount"]) > int(direct["outAmount"]) == int(narrow["outAmount"])
    assert await refused(stage, "/swap/v1/quote", **big, maxAccounts=6) == (400, "COULD_NOT_FIND_ANY_ROUTE")


async def test_routing_errors_by_name(stage: Stage) -> None:
    glowsol, unknown = stage.market.glowsol_mint, Keypair().pubkey()
    quote = "/swap/v1/quote"
    same = {"inputMint": glowsol, "outputMint": glowsol, "amount": 1}
    assert await refused(stage, quote, **same) == (400, "CIRCULAR_ARBITRAGE_IS_DISABLED")
    assert await refused(stage, quote, **{**pair(stage), "outputMint": unknown}) == (400, "TOKEN_NOT_TRADABLE")
    assert await refused(stage, quote, **{**pair(stage), "amount": 0}) == (400, "NO_ROUTES_FOUND")
    assert await refused(stage, quote, **pair(stage), swapMode="ExactOut") == (400, "NO_ROUTES_FOUND")
    assert await refused(stage, quote, **pair(stage), maxAccounts=65) == (400, "MAX_ACCOUNT_GREATER_THAN_MAX")
    assert await refused(stage, quote, **pair(stage), platformFeeBps=10) == (400, "NOT_SUPPORTED")
    whole, nothing = (400, "ROUTE_PLAN_DOES_NOT_CONSUME_ALL_THE_AMOUNT"), (400, "CANNOT_COMPUTE_OTHER_AMOUNT_THRESHOLD")
    assert await refused(stage, quote, **{**pair(stage), "amount": 2**64 - 1}) == whole
    assert await refused(stage, quote, **pair(stage), slippageBps=10_000) == nothing


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"inputMint": ""}, "missing field `inputMint`"),
        ({"inputMint": "abc"}, "inputMint: 'abc' is not a base58 address"),
        ({"amount": ""}, "missing field `amount`"),
        ({"amount": "1.5"}, "amount: invalid digit found"),
        ({"amount": "-1"}, "amount: invalid digit found"),
        ({"amount": str(2**64)}, "is not from 0 to 18446744073709551615"),
        ({"slippageBps": "10001"}, "slippageBps: 10001 is not from 0 to 10000"),
        ({"onlyDirectRoutes": "yes"}, "onlyDirectRoutes"),
        ({"swapMode": "Both"}, "unknown variant `Both`"),
        ({"dexes": "a", "excludeDexes": "b"}, "mutually exclusive"),
    ],
)
async def test_unreadable_queries_say_what_is_wrong(stage: Stage, changes: dict[str, str], words: str) -> None:
    status, answer = await ask(stage, "GET", "/swap/v1/quote", {**pair(stage), **changes})
    assert status == 400
    assert words in answer["error"]


async def test_unknown_paths_and_methods(stage: Stage) -> None:
    assert (await ask(stage, "GET", "/swap/v3/quote"))[0] == 404
    assert (await ask(stage, "POST", "/swap/v1/quote"))[0] == 404


@pytest.mark.parametrize("sell", [True, False])
async def test_a_build_executes_for_what_it_quoted(stage: Stage, sell: bool) -> None:
    taker = stage.trader
    market = stage.market
    stage.net.bank.advance_slot()
    before_tokens = stage.token_balance(taker.pubkey(), market.glowsol_mint)
    answer = await got(stage, "/swap/v2/build", **pair(stage, sell=sell), taker=taker.pubkey(), tipAmount=1_234)
    budget = [instruction(item) for item in answer["computeBudgetInstructions"]]
    assert [(item.program_id, item.data[0]) for item in budget] == [(COMPUTE_BUDGET, 3)]
    assert "feeAmount" not in answer["routePlan"][0]["swapInfo"]
    # The trader holds wrapped SOL of its own, which unwrapping pays out as well.
    wrapped = cpi.associated_address(taker.pubkey(), WSOL_MINT)
    held = lamports(stage, taker.pubkey()) + lamports(stage, wrapped)
    record = execute(stage, answer, answer["addressesByLookupTableAddress"], taker)
    assert record.err is None, record.logs
    assert record.loaded_writable
    gained = lamports(stage, taker.pubkey()) - held + record.fee + 1_234
    tokens = stage.token_balance(taker.pubkey(), market.glowsol_mint) - before_tokens
    out = int(answer["outAmount"])
    assert (gained, tokens) == ((out, -AMOUNT) if sell else (-AMOUNT, out))
    assert stage.net.bank.get_account(wrapped) is None


async def test_build_names_the_lookup_table_and_a_living_blockhash(stage: Stage) -> None:
    stage.net.bank.advance_slot(200)
    query = {**pair(stage), "taker": Keypair().pubkey()}
    answer = await got(stage, "/swap/v2/build", **query)
    table = read_lookup_table(stage.net.bank, stage.market.lookup_table)
    assert table is not None
    assert answer["addressesByLookupTableAddress"] == {str(table.key): [str(item) for item in table.addresses]}
    with_metadata = answer["blockhashWithMetadata"]
    blockhash, last_valid = stage.net.bank.latest_blockhash()
    assert Hash(bytes(with_metadata["blockhash"])) == blockhash
    assert with_metadata["lastValidBlockHeight"] == last_valid
    assert with_metadata["fetchedAt"]["secs_since_epoch"] == stage.net.bank.clock.unix_timestamp
    short = (await got(stage, "/swap/v2/build", **query, blockhashSlotsToExpiry=20))["blockhashWithMetadata"]
    assert short["lastValidBlockHeight"] == last_valid - 130
    old = Hash(bytes(short["blockhash"]))
    assert stage.net.bank.blockhash_valid(old)
    stage.net.bank.advance_slot(short["lastValidBlockHeight"] + 2 - stage.net.bank.clock.block_height)
    assert not stage.net.bank.blockhash_valid(old)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"taker": ""}, "missing field `taker`"),
        ({"swapMode": "ExactOut"}, "ExactIn only"),
        ({"mode": "slow"}, "unknown variant `slow`"),
        ({"computeUnitPricePercentile": "10001"}, "computeUnitPricePercentile"),
        ({"blockhashSlotsToExpiry": "301"}, "blockhashSlotsToExpiry: 301 is not from 1 to 300"),
        ({"destinationTokenAccount": str(SPL_TOKEN)}, "is not a token account"),
    ],
)
async def test_build_refuses(stage: Stage, changes: dict[str, str], words: str) -> None:
    query = {**pair(stage), "taker": Keypair().pubkey(), **changes}
    status, answer = await ask(stage, "GET", "/swap/v2/build", query)
    assert status == 400
    assert words in answer["error"]


async def test_build_pays_into_a_named_token_account_and_leaves_wrapped_sol_alone(stage: Stage) -> None:
    taker, target_owner = stage.trader, Keypair().pubkey()
    stage.net.bank.process(stage.signed(taker, [cpi.create_associated(taker.pubkey(), target_owner, WSOL_MINT)]))
    target = cpi.associated_address(target_owner, WSOL_MINT)
    answer = await got(
        stage, "/swap/v2/build", **pair(stage), taker=taker.pubkey(), destinationTokenAccount=target, slippageBps="rtse"
    )
    assert (answer["setupInstructions"], answer["cleanupInstruction"]) == ([], None)
    assert execute(stage, answer, {}, taker).err is None
    assert stage.token_balance(target_owner, WSOL_MINT) == int(answer["outAmount"])
    unwrapped = await got(
        stage, "/swap/v2/build", **pair(stage, sell=False), taker=taker.pubkey(), wrapAndUnwrapSol="false"
    )
    assert unwrapped["cleanupInstruction"] is None
    assert len(unwrapped["setupInstructions"]) == 1
    before = stage.token_balance(taker.pubkey(), WSOL_MINT)
    assert execute(stage, unwrapped, {}, taker).err is None
    assert before - stage.token_balance(taker.pubkey(), WSOL_MINT) == AMOUNT


async def test_a_moved_price_fails_with_slippage_and_changes_nothing(stage: Stage) -> None:
    answer = await got(stage, "/swap/v2/build", **pair(stage), taker=stage.trader.pubkey(), slippageBps=1)
    other = await got(
        stage, "/swap/v2/build", **{**pair(stage), "amount": 900 * SOL}, taker=stage.market.traders[1].pubkey()
    )
    assert execute(stage, other, {}, stage.market.traders[1]).err is None
    before = stage.token_balance(stage.trader.pubkey(), stage.market.glowsol_mint)
    record = execute(stage, answer, {}, stage.trader)
    assert isinstance(record.err, dict)
    assert record.err["InstructionError"][1] == {"Custom": 6001}
    assert stage.token_balance(stage.trader.pubkey(), stage.market.glowsol_mint) == before


async def swap_body(
    stage: Stage, *, sell: bool = True, quote: Mapping[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    quoted = quote or await got(stage, "/swap/v1/quote", **pair(stage, sell=sell))
    return {"userPublicKey": str(stage.trader.pubkey()), "quoteResponse": quoted, **more}


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


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.text(max_size=60)
    | st.just("9" * 5_000)
    | st.just("NaN"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def replaced(value: Any, data: st.DataObject) -> Any:
    """``value`` with one of its parts, at any depth, replaced by something else."""
    parts = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    if not parts or data.draw(st.integers(0, 3)) == 0:
        return data.draw(JSON)
    chosen = data.draw(st.sampled_from(parts))
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[chosen] = replaced(copied[chosen], data)
    return copied


@pytest.fixture(scope="module")
def shared() -> Stage:
    return Stage(Localnet(LocalnetConfig(clock="virtual", cranks=None)))


@given(data=st.data())
async def test_no_swap_body_makes_the_face_break(shared: Stage, data: st.DataObject) -> None:
    more: dict[str, Any] = {"dynamicComputeUnitLimit": True, "payer": str(SPL_TOKEN), "blockhashSlotsToExpiry": 3}
    more |= {"prioritizationFeeLamports": {"priorityLevelWithMaxLamports": {"priorityLevel": "high", "maxLamports": 5}}}
    body = replaced(await swap_body(shared, **more), data)
    status, answer = await ask(shared, "POST", "/swap/v1/swap", body=json.dumps(body).encode())
    assert status in (200, 400, 422), answer
    json.dumps(answer)


QUERY_NAMES = (
    "inputMint",
    "outputMint",
    "amount",
    "taker",
    "slippageBps",
    "dexes",
    "maxAccounts",
    "tipAmount",
    "payer",
    "mode",
)


@given(changes=st.dictionaries(st.sampled_from(QUERY_NAMES), st.text(max_size=45) | st.integers(-1, 2**70), max_size=3))
async def test_no_query_makes_the_face_break(shared: Stage, changes: dict[str, Any]) -> None:
    status, answer = await ask(
        shared, "GET", "/swap/v2/build", {**pair(shared), "taker": shared.trader.pubkey(), **changes}
    )
    assert status in (200, 400), answer
    json.dumps(answer)
