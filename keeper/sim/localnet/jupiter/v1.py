"""/swap/v1: quote, swap, swap-instructions (facts, execution.md 3.3-3.4)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from keeper.protocols.addresses import SPL_TOKEN
from keeper.sim.localnet.fees import MAX_COMPUTE_UNITS
from keeper.sim.localnet.interface import BankFace
from keeper.sim.localnet.jupiter.composition import (
    BLOCKHASH_BLOCKS,
    Composition,
    SwapAccounts,
    blockhash_for,
    compose,
    instruction_json,
    optional_instruction_json,
    useful_table,
)
from keeper.sim.localnet.jupiter.errors import ErrorCode, JupiterError, unreadable_query
from keeper.sim.localnet.jupiter.fees import FeeChoice, choose_fees
from keeper.sim.localnet.jupiter.quotes import best_route, quote_v1_json, read_quote
from keeper.sim.localnet.jupiter.requests import Query, QuoteRequest, body_pubkey, body_unsigned, field, query_boolean
from keeper.sim.localnet.rpc.errors import describe

_PACKET_BYTES = 1_232


def quote(bank: BankFace, query: Query) -> dict[str, Any]:
    """GET /quote."""
    mode = query.get("swapMode") or "ExactIn"
    if mode not in ("ExactIn", "ExactOut"):
        raise unreadable_query(f"swapMode: unknown variant `{mode}`, expected `ExactIn` or `ExactOut`")
    version = query.get("instructionVersion") or "V1"
    if version not in ("V1", "V2"):
        raise unreadable_query(f"instructionVersion: unknown variant `{version}`, expected `V1` or `V2`")
    for name in ("restrictIntermediateTokens", "asLegacyTransaction", "dynamicSlippage", "forJitoBundle"):
        query_boolean(query, name, default=False)
    asked = QuoteRequest.read(query)
    if mode == "ExactOut":
        # On the real router only three DEXes quote ExactOut; none of them has a pool here.
        raise JupiterError("No routes found", ErrorCode.NO_ROUTES_FOUND)
    body = quote_v1_json(bank, best_route(bank, asked), asked.slippage_bps)
    return body if version == "V1" else body | {"instructionVersion": version}


@dataclass(frozen=True, slots=True)
class Swap:
    """A swap request worked out. ``limit`` in compute units; ``budget`` are the compute-budget instructions."""

    taker: Pubkey
    payer: Pubkey
    composition: Composition
    fees: FeeChoice
    limit: int
    budget: tuple[Instruction, ...]
    legacy: bool
    blocks: int
    simulation_error: dict[str, str] | None

    @property
    def instructions(self) -> list[Instruction]:
        return [*self.budget, *self.composition.all, *([self.fees.tip] if self.fees.tip is not None else [])]


def _token_account(bank: BankFace, body: Mapping[str, Any], name: str) -> Pubkey | None:
    if body.get(name) is None:
        return None
    key = body_pubkey(body, name)
    account = bank.get_account(key)
    if account is None or account.owner != SPL_TOKEN:
        raise JupiterError(f"{name} {key} is not a token account", ErrorCode.FAILED_TO_GET_SWAP_AND_ACCOUNT_METAS)
    return key


def _unsupported(body: Mapping[str, Any]) -> None:
    for name in ("feeAccount", "nativeDestinationAccount", "useTokenLedger"):
        if body.get(name):
            raise JupiterError(f"{name} is not supported on the localnet", ErrorCode.NOT_SUPPORTED)


def _work_out(bank: BankFace, table: Pubkey | None, body: Mapping[str, Any]) -> Swap:
    taker = body_pubkey(body, "userPublicKey")
    route, slippage_bps = read_quote(bank, body)
    _unsupported(body)
    payer = body_pubkey(body, "payer") if body.get("payer") is not None else taker
    accounts = SwapAccounts(
        taker=taker,
        payer=payer,
        destination=_token_account(bank, body, "destinationTokenAccount"),
        wrap=field(body, "wrapAndUnwrapSol", bool, default=True),
    )
    composition = compose(
        bank,
        route,
        accounts,
        slippage_bps=slippage_bps,
        v2=body["quoteResponse"].get("instructionVersion") == "V2",
        skip_existing=not field(body, "skipUserAccountsRpcCalls", bool, default=False),
    )
    limit, error = MAX_COMPUTE_UNITS, None
    legacy = field(body, "asLegacyTransaction", bool, default=False)
    if field(body, "dynamicComputeUnitLimit", bool, default=False):
        blockhash, _ = bank.latest_blockhash()
        trial = [set_compute_unit_limit(MAX_COMPUTE_UNITS), *composition.all]
        transaction = _unsigned(bank, table, trial, payer, blockhash, legacy=legacy)
        record = bank.simulate(transaction, replace_blockhash=True)
        if record.err is None:
            # A fifth of head room, and what the two compute-budget instructions cost themselves.
            limit = min(MAX_COMPUTE_UNITS, record.compute_units * 12 // 10 + 300)
        else:
            error = {"errorCode": "TRANSACTION_ERROR", "error": describe(record.err)}
    fees = choose_fees(bank, body, payer, composition.all, limit)
    budget = [set_compute_unit_limit(limit)]
    if fees.unit_price:
        budget.append(set_compute_unit_price(fees.unit_price))
    blocks = body_unsigned(body, "blockhashSlotsToExpiry", high=255)
    return Swap(
        taker=taker,
        payer=payer,
        composition=composition,
        fees=fees,
        limit=limit,
        budget=tuple(budget),
        legacy=legacy,
        blocks=BLOCKHASH_BLOCKS if blocks is None else blocks,
        simulation_error=error,
    )


def _unsigned(
    bank: BankFace,
    table: Pubkey | None,
    instructions: list[Instruction],
    payer: Pubkey,
    blockhash: Hash,
    *,
    legacy: bool,
) -> VersionedTransaction:
    """A transaction with default signatures; v0 with the market's lookup table, or legacy."""
    message: Message | MessageV0
    if legacy:
        message = Message.new_with_blockhash(instructions, payer, blockhash)
    else:
        found = useful_table(bank, table, instructions)
        message = MessageV0.try_compile(payer, instructions, [] if found is None else [found], blockhash)
    signatures = [Signature.default()] * message.header.num_required_signatures
    return VersionedTransaction.populate(message, signatures)


def swap(bank: BankFace, table: Pubkey | None, body: Mapping[str, Any]) -> dict[str, Any]:
    """POST /swap: an unsigned transaction."""
    worked = _work_out(bank, table, body)
    blockhash, last_valid = blockhash_for(bank, worked.blocks)
    transaction = _unsigned(bank, table, worked.instructions, worked.payer, blockhash, legacy=worked.legacy)
    wire = bytes(transaction)
    if len(wire) > _PACKET_BYTES:
        raise JupiterError(
            f"the swap makes a transaction of {len(wire)} bytes, the most is {_PACKET_BYTES}; use fewer accounts",
            ErrorCode.FAILED_TO_GET_SWAP_AND_ACCOUNT_METAS,
        )
    return {
        "swapTransaction": base64.b64encode(wire).decode(),
        "lastValidBlockHeight": last_valid,
        "prioritizationFeeLamports": worked.fees.priority_lamports,
        "computeUnitLimit": worked.limit,
        "prioritizationType": {
            "computeBudget": {"microLamports": worked.fees.unit_price, "estimatedMicroLamports": None}
        },
        "dynamicSlippageReport": None,
        "simulationError": worked.simulation_error,
    }


def swap_instructions(bank: BankFace, table: Pubkey | None, body: Mapping[str, Any]) -> dict[str, Any]:
    """POST /swap-instructions: the same, as instructions."""
    worked = _work_out(bank, table, body)
    composition, tip = worked.composition, worked.fees.tip
    found = useful_table(bank, table, worked.instructions)
    return {
        "tokenLedgerInstruction": None,
        "computeBudgetInstructions": [instruction_json(item) for item in worked.budget],
        "setupInstructions": [instruction_json(item) for item in composition.setup],
        "swapInstruction": instruction_json(composition.swap),
        "cleanupInstruction": optional_instruction_json(composition.cleanup),
        "otherInstructions": [] if tip is None else [instruction_json(tip)],
        "addressLookupTableAddresses": [] if found is None else [str(found.key)],
        "prioritizationFeeLamports": worked.fees.priority_lamports,
        "computeUnitLimit": worked.limit,
        "simulationError": worked.simulation_error,
    }
