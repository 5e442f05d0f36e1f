"""The Jupiter face: quotes, errors and builds, and that what it hands out executes on the bank as quoted."""

from __future__ import annotations

import pytest
from solders.hash import Hash
from solders.keypair import Keypair

from keeper.protocols.addresses import COMPUTE_BUDGET, SPL_TOKEN, WSOL_MINT
from keeper.sim.localnet.jupiter.composition import read_lookup_table
from keeper.sim.localnet.programs import cpi
from tests.localnet_rpc.jupiter_client import AMOUNT, ask, execute, got, instruction, lamports, pair, refused
from tests.localnet_rpc.stage import SOL, Stage


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
