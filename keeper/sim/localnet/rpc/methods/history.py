"""Statuses, transactions and blocks that were."""

from __future__ import annotations

from typing import Any

from solders.signature import Signature

from keeper.sim.localnet.interface import TransactionRecord
from keeper.sim.localnet.rpc.errors import block_not_available, invalid_param, invalid_params, slot_skipped
from keeper.sim.localnet.rpc.node import Method, Node
from keeper.sim.localnet.rpc.params import Commitment, Config, Params, as_integer, as_list, as_signature
from keeper.sim.localnet.rpc.transaction_data import (
    ENCODINGS,
    account_keys_json,
    balances_json,
    encoded_transaction,
    status_json,
    version_json,
)

MAX_STATUSES = 256
MAX_SIGNATURES = 1_000
MAX_BLOCK_RANGE = 500_000
STATUS_CACHE_SLOTS = 300
"""Slots for which statuses are known without searching history (agave MAX_RECENT_BLOCKHASHES)."""


def _settled_commitment(config: Config) -> Commitment:
    """History is only told of what is at least confirmed."""
    commitment = config.commitment()
    if commitment is Commitment.PROCESSED:
        raise invalid_params("Method does not support commitment below `confirmed`")
    return commitment


def _config(params: Params, index: int) -> Config:
    """The configuration, which older clients give as the bare name of an encoding."""
    value = params.optional(index)
    return Config({"encoding": value}) if isinstance(value, str) else params.config(index)


def get_signature_statuses(node: Node, params: Params) -> dict[str, Any]:
    """Statuses of up to 256 signatures, null for the unknown. Without searchTransactionHistory only of the last 300 slots."""
    values, config = as_list(params.required(0)), params.config(1)
    if len(values) > MAX_STATUSES:
        raise invalid_params(f"Too many inputs provided; max {MAX_STATUSES}")
    signatures = [as_signature(value) for value in values]
    search = config.boolean("searchTransactionHistory")
    context = node.heads.context(Config({"commitment": "processed"}))
    return {"context": context, "value": [_status(node, signature, search=search) for signature in signatures]}


def _status(node: Node, signature: Signature, *, search: bool) -> dict[str, Any] | None:
    record = node.bank.transaction(signature)
    if record is None or (not search and node.bank.clock.slot - record.slot > STATUS_CACHE_SLOTS):
        return None
    return {
        "slot": record.slot,
        "confirmations": node.heads.confirmations(record.slot),
        "err": record.err,
        "status": status_json(record),
        "confirmationStatus": node.heads.level(record.slot).label,
    }


def _memo(record: TransactionRecord) -> str | None:
    """The memos of a transaction as getSignaturesForAddress shows them: ``[bytes] text``, joined by ``; ``."""
    keys = record.account_keys
    memos = [
        bytes(item.data)
        for item in record.transaction.message.instructions
        if str(keys[item.program_id_index]).startswith("Memo")
    ]
    return "; ".join(f"[{len(memo)}] {memo.decode(errors='replace')}" for memo in memos) or None


def get_signatures_for_address(node: Node, params: Params) -> list[dict[str, Any]]:
    """Landed transactions that name an address, newest first; ``before`` and ``until`` are exclusive."""
    address, config = params.pubkey(0), params.config(1)
    commitment = _settled_commitment(config)
    node.heads.check(config)
    limit = config.integer("limit")
    if limit is None:
        limit = MAX_SIGNATURES
    if not 1 <= limit <= MAX_SIGNATURES:
        raise invalid_params(f"Invalid limit; max {MAX_SIGNATURES}")
    before = None if config.get("before") is None else as_signature(config.get("before"))
    until = None if config.get("until") is None else as_signature(config.get("until"))
    signatures = node.bank.signatures_for(address)
    if before is not None:
        # An unknown ``before`` gives nothing, as on a node whose history does not reach it.
        signatures = signatures[signatures.index(before) + 1 :] if before in signatures else []
    shown: list[dict[str, Any]] = []
    for signature in signatures:
        if signature == until or len(shown) == limit:
            break
        record = node.bank.transaction(signature)
        if record is None or node.heads.level(record.slot) < commitment:
            continue
        shown.append(
            {
                "signature": str(signature),
                "slot": record.slot,
                "err": record.err,
                "memo": _memo(record),
                "blockTime": record.block_time,
                "confirmationStatus": node.heads.level(record.slot).label,
            }
        )
    return shown


def get_transaction(node: Node, params: Params) -> dict[str, Any] | None:
    """One landed transaction at the commitment (finalized unless asked otherwise), or null."""
    signature, config = as_signature(params.required(0)), _config(params, 1)
    commitment = _settled_commitment(config)
    encoding = config.choice("encoding", ENCODINGS, "json")
    record = node.bank.transaction(signature)
    if record is None or node.heads.level(record.slot) < commitment:
        return None
    return {
        "slot": record.slot,
        "blockTime": record.block_time,
        **encoded_transaction(record, encoding, config.integer("maxSupportedTransactionVersion")),
    }


def get_block(node: Node, params: Params) -> dict[str, Any]:
    """One block. -32004 while it is younger than the commitment, -32007 for a slot without one."""
    slot, config = params.integer(0), _config(params, 1)
    commitment = _settled_commitment(config)
    encoding = config.choice("encoding", ENCODINGS, "json")
    details = config.choice("transactionDetails", ("full", "accounts", "signatures", "none"), "full")
    if slot > node.heads.slot(commitment):
        raise block_not_available(slot)
    block = node.bank.block(slot)
    if block is None:
        # With a lag of no slots the head's own block is still being built.
        raise block_not_available(slot) if slot == node.bank.clock.slot else slot_skipped(slot)
    body: dict[str, Any] = {
        "blockHeight": block.block_height,
        "blockTime": block.block_time,
        "blockhash": str(block.blockhash),
        "parentSlot": block.parent_slot,
        "previousBlockhash": str(block.previous_blockhash),
    }
    if config.boolean("rewards", default=True):
        body["rewards"] = []
    if details == "signatures":
        body["signatures"] = [str(signature) for signature in block.signatures]
    elif details != "none":
        max_version = config.integer("maxSupportedTransactionVersion")
        records = [record for signature in block.signatures if (record := node.bank.transaction(signature)) is not None]
        if details == "full":
            body["transactions"] = [encoded_transaction(record, encoding, max_version) for record in records]
        else:
            body["transactions"] = [_accounts_only(record, max_version) for record in records]
    return body


def _accounts_only(record: TransactionRecord, max_version: int | None) -> dict[str, Any]:
    """A transaction as ``transactionDetails: accounts`` shows it."""
    return {
        "transaction": {
            "signatures": [str(signature) for signature in record.transaction.signatures],
            "accountKeys": account_keys_json(record),
        },
        "meta": {"err": record.err, "status": status_json(record), "fee": record.fee, **balances_json(record)},
        **version_json(record, max_version),
    }


def get_blocks(node: Node, params: Params) -> list[int]:
    """Slots with a block from the first to the last (default: the newest) slot, both included."""
    first = params.integer(0)
    last_given = params.optional(1)
    config = params.config(1) if isinstance(last_given, dict) else params.config(2)
    newest = node.heads.slot(_settled_commitment(config))
    last = newest if last_given is None or isinstance(last_given, dict) else min(as_integer(last_given), newest)
    if last - first > MAX_BLOCK_RANGE:
        raise invalid_param(f"Slot range too large; max {MAX_BLOCK_RANGE}")
    return _blocks_between(node, first, last)


def get_blocks_with_limit(node: Node, params: Params) -> list[int]:
    """The first ``limit`` slots with a block from a slot on."""
    first, limit, config = params.integer(0), params.integer(1), params.config(2)
    if limit > MAX_BLOCK_RANGE:
        raise invalid_param(f"Limit too large; max {MAX_BLOCK_RANGE}")
    return _blocks_between(node, first, node.heads.slot(_settled_commitment(config)))[:limit]


def _blocks_between(node: Node, first: int, last: int) -> list[int]:
    start = max(first, node.bank.config.start_slot)
    return [slot for slot in range(start, last + 1) if node.bank.block(slot) is not None]


def get_block_time(node: Node, params: Params) -> int:
    """Unix seconds of a block; -32004 for one that does not exist yet, -32007 for a slot without one."""
    slot = params.integer(0)
    if slot > node.bank.clock.slot:
        raise block_not_available(slot)
    if slot == node.bank.clock.slot:
        return node.bank.clock.unix_timestamp
    block = node.bank.block(slot)
    if block is None:
        raise slot_skipped(slot)
    return block.block_time


HISTORY_METHODS: dict[str, Method] = {
    "getSignatureStatuses": get_signature_statuses,
    "getSignaturesForAddress": get_signatures_for_address,
    "getTransaction": get_transaction,
    "getBlock": get_block,
    "getBlocks": get_blocks,
    "getBlocksWithLimit": get_blocks_with_limit,
    "getBlockTime": get_block_time,
}
