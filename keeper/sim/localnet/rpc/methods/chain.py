"""Slots, heights, epochs and blockhashes."""

from __future__ import annotations

from typing import Any

from keeper.sim.localnet.rpc.errors import invalid_params
from keeper.sim.localnet.rpc.node import Method, Node
from keeper.sim.localnet.rpc.params import Params, as_hash

MAX_LEADERS = 5_000


def get_slot(node: Node, params: Params) -> int:
    """The slot at the commitment."""
    return node.heads.check(params.config(0))


def get_block_height(node: Node, params: Params) -> int:
    """The block height at the commitment."""
    config = params.config(0)
    node.heads.check(config)
    return node.heads.moment(config.commitment()).block_height


def get_epoch_info(node: Node, params: Params) -> dict[str, Any]:
    """Where the chain is in its epoch."""
    config = params.config(0)
    slot = node.heads.check(config)
    clock = node.heads.moment(config.commitment()).clock
    return {
        "absoluteSlot": slot,
        "blockHeight": node.heads.moment(config.commitment()).block_height,
        "epoch": clock.epoch,
        # The head may be older than the slot asked for, where slots were skipped since.
        "slotIndex": max(0, clock.slot_index + slot - clock.slot),
        "slotsInEpoch": clock.slots_per_epoch,
        "transactionCount": node.performance.transactions,
    }


def get_epoch_schedule(node: Node, params: Params) -> dict[str, Any]:  # noqa: ARG001 - takes none
    """Epochs are equally long and counted from the first slot of the localnet."""
    config = node.bank.config
    return {
        "slotsPerEpoch": config.slots_per_epoch,
        "leaderScheduleSlotOffset": config.slots_per_epoch,
        "warmup": False,
        "firstNormalEpoch": config.start_epoch,
        "firstNormalSlot": config.start_slot,
    }


def get_latest_blockhash(node: Node, params: Params) -> dict[str, Any]:
    """The newest blockhash at the commitment and the last block height at which it is accepted."""
    config = params.config(0)
    context = node.heads.context(config)
    moment = node.heads.moment(config.commitment())
    value = {"blockhash": str(moment.blockhash), "lastValidBlockHeight": moment.last_valid}
    return {"context": context, "value": value}


def is_blockhash_valid(node: Node, params: Params) -> dict[str, Any]:
    """Whether a transaction with that blockhash may still land."""
    blockhash, config = as_hash(params.required(0)), params.config(1)
    context = node.heads.context(config)
    return {"context": context, "value": node.bank.blockhash_valid(blockhash)}


def get_slot_leader(node: Node, params: Params) -> str:
    """The node itself: it is the only leader."""
    node.heads.check(params.config(0))
    return str(node.identity)


def get_slot_leaders(node: Node, params: Params) -> list[str]:
    """The node itself, ``limit`` times."""
    params.integer(0)
    limit = params.integer(1)
    if not 1 <= limit <= MAX_LEADERS:
        raise invalid_params(f"Invalid limit; max {MAX_LEADERS}")
    return [str(node.identity)] * limit


def get_tip_slot(node: Node, params: Params) -> int:  # noqa: ARG001 - takes none
    """The newest slot this node knows."""
    return node.bank.clock.slot


def get_transaction_count(node: Node, params: Params) -> int:
    """Transactions since the start."""
    node.heads.check(params.config(0))
    return node.performance.transactions


CHAIN_METHODS: dict[str, Method] = {
    "getSlot": get_slot,
    "getBlockHeight": get_block_height,
    "getEpochInfo": get_epoch_info,
    "getEpochSchedule": get_epoch_schedule,
    "getLatestBlockhash": get_latest_blockhash,
    "isBlockhashValid": is_blockhash_valid,
    "getSlotLeader": get_slot_leader,
    "getSlotLeaders": get_slot_leaders,
    "getMaxShredInsertSlot": get_tip_slot,
    "getMaxRetransmitSlot": get_tip_slot,
    "getTransactionCount": get_transaction_count,
}
