"""/swap/v2/build: a route as raw instructions (facts, execution.md 3.5)."""

from __future__ import annotations

from typing import Any

from solders.compute_budget import set_compute_unit_price
from solders.pubkey import Pubkey

from keeper.protocols.addresses import SPL_TOKEN
from keeper.sim.localnet.interface import BankFace
from keeper.sim.localnet.jupiter.composition import (
    BLOCKHASH_BLOCKS,
    SwapAccounts,
    blockhash_for,
    compose,
    instruction_json,
    optional_instruction_json,
    price_at,
    useful_table,
)
from keeper.sim.localnet.jupiter.errors import ErrorCode, JupiterError, unreadable_query
from keeper.sim.localnet.jupiter.fees import PERCENTILES, tip_instruction
from keeper.sim.localnet.jupiter.quotes import best_route, quote_json
from keeper.sim.localnet.jupiter.requests import (
    U64_MAX,
    Query,
    QuoteRequest,
    optional_pubkey,
    query_boolean,
    query_integer,
    query_pubkey,
)

MAX_BLOCKS = 300
WHOLE_BPS = 10_000


def _percentile(query: Query) -> int:
    """In bps of the distribution: a level by name, or a number."""
    text = query.get("computeUnitPricePercentile") or "high"
    if text in PERCENTILES:
        return PERCENTILES[text]
    return query_integer(query, "computeUnitPricePercentile", PERCENTILES["high"], low=0, high=WHOLE_BPS)


def _destination(bank: BankFace, query: Query) -> Pubkey | None:
    destination = optional_pubkey(query, "destinationTokenAccount")
    if query.get("nativeDestinationAccount"):
        if destination is not None:
            raise unreadable_query("destinationTokenAccount and nativeDestinationAccount are mutually exclusive")
        raise JupiterError("nativeDestinationAccount is not supported on the localnet", ErrorCode.NOT_SUPPORTED)
    if destination is not None:
        account = bank.get_account(destination)
        if account is None or account.owner != SPL_TOKEN:
            raise JupiterError(
                f"destinationTokenAccount {destination} is not a token account",
                ErrorCode.FAILED_TO_GET_SWAP_AND_ACCOUNT_METAS,
            )
    return destination


def build(bank: BankFace, table: Pubkey | None, query: Query) -> dict[str, Any]:
    """GET /build. No compute-unit limit is among the instructions: that is the caller's to find by simulation."""
    taker = query_pubkey(query, "taker")
    if query.get("swapMode") not in (None, "", "ExactIn"):
        raise unreadable_query(f"swapMode: {query['swapMode']!r}; /build quotes ExactIn only")
    mode = query.get("mode")
    if mode not in (None, "", "fast"):
        raise unreadable_query(f"mode: unknown variant `{mode}`, expected `fast`")
    query_boolean(query, "forJitoBundle", default=False)
    asked = QuoteRequest.read(query, real_time_slippage=True)
    percentile = _percentile(query)
    blocks = query_integer(query, "blockhashSlotsToExpiry", BLOCKHASH_BLOCKS, low=1, high=MAX_BLOCKS)
    tip_lamports = query_integer(query, "tipAmount", 0, low=0, high=U64_MAX)
    payer = optional_pubkey(query, "payer") or taker
    accounts = SwapAccounts(
        taker=taker,
        payer=payer,
        destination=_destination(bank, query),
        wrap=query_boolean(query, "wrapAndUnwrapSol", default=True),
    )
    route = best_route(bank, asked)
    composition = compose(bank, route, accounts, slippage_bps=asked.slippage_bps, v2=True, skip_existing=False)
    price = set_compute_unit_price(price_at(bank, composition.all, percentile))
    tip = tip_instruction(bank, payer, tip_lamports) if tip_lamports else None
    found = useful_table(bank, table, composition.all)
    blockhash, last_valid = blockhash_for(bank, blocks)
    return {
        **quote_json(route, asked.slippage_bps, fees=False),
        "computeBudgetInstructions": [instruction_json(price)],
        "setupInstructions": [instruction_json(item) for item in composition.setup],
        "swapInstruction": instruction_json(composition.swap),
        "cleanupInstruction": optional_instruction_json(composition.cleanup),
        "otherInstructions": [],
        "tipInstruction": optional_instruction_json(tip),
        "addressesByLookupTableAddress": (
            None if found is None else {str(found.key): [str(key) for key in found.addresses]}
        ),
        "blockhashWithMetadata": {
            "blockhash": list(bytes(blockhash)),
            "lastValidBlockHeight": last_valid,
            "fetchedAt": {"secs_since_epoch": bank.clock.unix_timestamp, "nanos_since_epoch": 0},
        },
    }
