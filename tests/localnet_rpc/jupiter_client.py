"""Asking the Jupiter face, and executing what it hands out."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.compute_budget import set_compute_unit_limit
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.protocols.addresses import WSOL_MINT
from keeper.sim.localnet.interface import TransactionRecord
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


async def swap_body(
    stage: Stage, *, sell: bool = True, quote: Mapping[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    quoted = quote or await got(stage, "/swap/v1/quote", **pair(stage, sell=sell))
    return {"userPublicKey": str(stage.trader.pubkey()), "quoteResponse": quoted, **more}
