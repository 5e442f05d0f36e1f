"""Accounts, token accounts, program scans and their encodings."""

from __future__ import annotations

import base64
import importlib.util

import pytest
from solders.account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.token.state import TokenAccount

from keeper.protocols.addresses import SPL_TOKEN, SYSTEM, TOKEN_2022, WSOL_MINT
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.rpc.base58 import encode_base58
from tests.localnet_rpc.stage import SOL, CallFailed, Stage

B64 = {"encoding": "base64"}


def put(stage: Stage, data: bytes, owner: Pubkey = SYSTEM) -> str:
    key = Keypair().pubkey()
    stage.net.bank.set_account(key, Account(SOL, data, owner))
    return str(key)


async def test_account_data_in_every_encoding(stage: Stage) -> None:
    data = bytes(range(64))
    key = put(stage, data)

    async def shown(**config: object) -> object:
        return (await stage.call("getAccountInfo", key, config))["value"]["data"]

    assert await shown() == encode_base58(data)
    assert await shown(encoding="base58") == [encode_base58(data), "base58"]
    assert await shown(encoding="base64") == [base64.b64encode(data).decode(), "base64"]
    assert await shown(encoding="jsonParsed") == [base64.b64encode(data).decode(), "base64"]
    part = {"offset": 60, "length": 10}
    assert await shown(encoding="base64", dataSlice=part) == [base64.b64encode(data[60:]).decode(), "base64"]
    assert await shown(encoding="base64", dataSlice={"offset": 99, "length": 1}) == ["", "base64"]
    whole = (await stage.call("getAccountInfo", key, {**B64, "dataSlice": part}))["value"]
    assert whole["space"] == 64
    assert (whole["lamports"], whole["owner"], whole["executable"]) == (SOL, str(SYSTEM), False)


@pytest.mark.skipif(importlib.util.find_spec("zstandard") is not None, reason="zstandard is installed")
async def test_zstd_without_a_library_says_what_to_do(stage: Stage) -> None:
    with pytest.raises(CallFailed, match="ask for base64"):
        await stage.call("getAccountInfo", put(stage, b"x"), {"encoding": "base64+zstd"})


async def test_base58_over_128_bytes_is_refused_for_one_account_and_marked_in_a_scan(stage: Stage) -> None:
    owner = Keypair().pubkey()
    key = put(stage, bytes(129), owner)
    with pytest.raises(CallFailed, match="should be less than 128 bytes") as refused:
        await stage.call("getAccountInfo", key)
    assert refused.value.code == -32600
    scanned = await stage.call("getProgramAccounts", str(owner), {"encoding": "base58"})
    assert scanned[0]["account"]["data"] == ["error: data too large for bs58 encoding", "base58"]


async def test_missing_accounts_are_null_and_balances_zero(stage: Stage) -> None:
    nobody, somebody = str(Keypair().pubkey()), put(stage, b"")
    assert (await stage.call("getAccountInfo", nobody))["value"] is None
    assert (await stage.call("getBalance", nobody))["value"] == 0
    both = await stage.call("getMultipleAccounts", [nobody, somebody])
    assert both["value"][0] is None
    assert both["value"][1]["data"] == ["", "base64"]
    with pytest.raises(CallFailed, match="Too many inputs provided; max 100"):
        await stage.call("getMultipleAccounts", [nobody] * 101)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("not base58 0OIl", "Invalid param: Invalid"),
        ("abc", "Invalid param: WrongSize"),
        (5, "integer `5`"),
        (None, "argument"),
    ],
)
async def test_a_wrong_address_is_named(stage: Stage, address: object, words: str) -> None:
    with pytest.raises(CallFailed) as refused:
        await stage.call("getBalance", address)
    assert refused.value.code == -32602
    assert words in refused.value.message


async def test_program_scan_filters(stage: Stage) -> None:
    owner = Keypair().pubkey()
    first, second, third = put(stage, b"\x01abc", owner), put(stage, b"\x02abc", owner), put(stage, b"\x01abcd", owner)

    async def found(*filters: object) -> set[str]:
        scanned = await stage.call("getProgramAccounts", str(owner), {**B64, "filters": list(filters)})
        return {item["pubkey"] for item in scanned}

    assert await found() == {first, second, third}
    assert await found({"dataSize": 4}) == {first, second}
    assert await found({"memcmp": {"offset": 0, "bytes": encode_base58(b"\x01")}}) == {first, third}
    text = base64.b64encode(b"\x02a").decode()
    assert await found({"memcmp": {"offset": 0, "bytes": text, "encoding": "base64"}}) == {second}
    assert await found({"memcmp": {"offset": 1, "bytes": list(b"abcd")}}) == {third}
    assert await found({"dataSize": 4}, {"memcmp": {"offset": 0, "bytes": encode_base58(b"\x01")}}) == {first}
    assert await found("tokenAccountState") == set()
    with_context = await stage.call("getProgramAccounts", str(owner), {**B64, "withContext": True})
    assert len(with_context["value"]) == 3
    assert with_context["context"]["slot"] >= 0


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ([{"dataSize": 1}] * 5, "Too many filters provided; max 4"),
        ([{"memcmp": {"offset": 0, "bytes": [0] * 129}}], "too large: 129 bytes"),
        ([{"memcmp": {"offset": 0, "bytes": "0"}}], "invalid base58 character"),
        ([{"memcmp": {"bytes": "1"}}], "missing field `offset`"),
        ([{"memcmp": {"offset": 0, "bytes": "1", "encoding": "hex"}}], "unknown variant `hex`"),
        ([{"size": 1}], "unknown variant `size`"),
        ([7], "expected a filter"),
    ],
)
async def test_program_scan_refuses_malformed_filters(stage: Stage, filters: list[object], words: str) -> None:
    with pytest.raises(CallFailed) as refused:
        await stage.call("getProgramAccounts", str(SPL_TOKEN), {"filters": filters})
    assert refused.value.code == -32602
    assert words in refused.value.message


async def test_token_queries_agree_with_the_account_bytes(stage: Stage) -> None:
    trader, mint = stage.trader.pubkey(), stage.market.glowsol_mint
    address = cpi.associated_address(trader, mint)
    account = stage.net.bank.get_account(address)
    assert account is not None
    amount = TokenAccount.from_bytes(account.data).amount
    balance = (await stage.call("getTokenAccountBalance", str(address)))["value"]
    assert balance["amount"] == str(amount)
    assert balance["decimals"] == 9
    by_mint = await stage.call("getTokenAccountsByOwner", str(trader), {"mint": str(mint)}, {"encoding": "jsonParsed"})
    assert [item["pubkey"] for item in by_mint["value"]] == [str(address)]
    info = by_mint["value"][0]["account"]["data"]["parsed"]["info"]
    assert (info["owner"], info["mint"], info["state"], info["isNative"]) == (
        str(trader),
        str(mint),
        "initialized",
        False,
    )
    assert info["tokenAmount"]["amount"] == str(amount)
    by_program = await stage.call("getTokenAccountsByOwner", str(trader), {"programId": str(SPL_TOKEN)}, B64)
    assert len(by_program["value"]) == 3
    other = await stage.call("getTokenAccountsByOwner", str(trader), {"programId": str(TOKEN_2022)}, B64)
    assert other["value"] == []
    held = await stage.call(
        "getProgramAccounts",
        str(SPL_TOKEN),
        {**B64, "filters": [{"memcmp": {"offset": 0, "bytes": str(mint)}}, {"dataSize": 165}]},
    )
    total = sum(int.from_bytes(base64.b64decode(item["account"]["data"][0])[64:72], "little") for item in held)
    supply = (await stage.call("getTokenSupply", str(mint)))["value"]
    assert supply["amount"] == str(total)
    largest = (await stage.call("getTokenLargestAccounts", str(mint)))["value"]
    assert sum(int(item["amount"]) for item in largest) == total
    assert [int(item["amount"]) for item in largest] == sorted((int(item["amount"]) for item in largest), reverse=True)


async def test_parsed_native_token_account_and_mint(stage: Stage) -> None:
    wrapped = cpi.associated_address(stage.trader.pubkey(), WSOL_MINT)
    info = (await stage.call("getAccountInfo", str(wrapped), {"encoding": "jsonParsed"}))["value"]["data"]["parsed"][
        "info"
    ]
    assert info["isNative"]
    assert info["rentExemptReserve"]["amount"] == str(await stage.call("getMinimumBalanceForRentExemption", 165))
    mint = (await stage.call("getAccountInfo", str(stage.market.glowsol_mint), {"encoding": "jsonParsed"}))["value"]
    assert mint["data"]["program"] == "spl-token"
    assert mint["data"]["parsed"]["type"] == "mint"
    assert mint["data"]["parsed"]["info"]["mintAuthority"] == str(stage.market.lrt_pool)


async def test_parsed_lookup_table(stage: Stage) -> None:
    shown = await stage.call("getAccountInfo", str(stage.market.lookup_table), {"encoding": "jsonParsed"})
    info = shown["value"]["data"]["parsed"]["info"]
    assert str(stage.market.glowsol_mint) in info["addresses"]
    assert info["deactivationSlot"] == str(2**64 - 1)
    assert info["authority"] == str(stage.market.operator.pubkey())


async def test_token_2022_accounts_parse_with_known_extensions_only(stage: Stage) -> None:
    account = stage.net.bank.get_account(cpi.associated_address(stage.trader.pubkey(), stage.market.glowsol_mint))
    assert account is not None
    immutable = put(stage, account.data + b"\x02" + bytes([7, 0, 0, 0]), TOKEN_2022)
    shown = (await stage.call("getAccountInfo", immutable, {"encoding": "jsonParsed"}))["value"]["data"]
    assert shown["program"] == "spl-token-2022"
    assert shown["parsed"]["info"]["extensions"] == [{"extension": "immutableOwner"}]
    unknown = put(stage, account.data + b"\x02" + bytes([2, 0, 1, 0, 9]), TOKEN_2022)
    assert (await stage.call("getAccountInfo", unknown, {"encoding": "jsonParsed"}))["value"]["data"][1] == "base64"


@pytest.mark.parametrize(
    ("method", "who", "words"),
    [
        ("getTokenAccountBalance", "nobody", "could not find account"),
        ("getTokenAccountBalance", "trader", "not a Token account"),
        ("getTokenSupply", "nobody", "could not find account"),
        ("getTokenSupply", "trader", "not a Token mint"),
    ],
)
async def test_token_queries_name_what_is_no_token(stage: Stage, method: str, who: str, words: str) -> None:
    key = stage.trader.pubkey() if who == "trader" else Keypair().pubkey()
    with pytest.raises(CallFailed) as refused:
        await stage.call(method, str(key))
    assert (refused.value.code, refused.value.message) == (-32602, f"Invalid param: {words}")


async def test_token_accounts_by_owner_refuses_unknown_mints_and_programs(stage: Stage) -> None:
    owner = str(stage.trader.pubkey())
    for choice, words in (
        ({"mint": str(Keypair().pubkey())}, "could not find mint"),
        ({"programId": str(SYSTEM)}, "unrecognized Token program id"),
        ({}, "expected `mint` or `programId`"),
    ):
        with pytest.raises(CallFailed, match=words):
            await stage.call("getTokenAccountsByOwner", owner, choice)
