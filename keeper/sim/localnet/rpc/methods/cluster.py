"""The node and its cluster of one."""

from __future__ import annotations

from typing import Any

from solders.pubkey import Pubkey

from keeper.protocols.addresses import SPL_TOKEN, STAKE, STAKE_POOL_PROGRAM, SYSTEM, TOKEN_2022
from keeper.sim.localnet.rpc.errors import node_unhealthy
from keeper.sim.localnet.rpc.heads import API_VERSION
from keeper.sim.localnet.rpc.node import Method, Node
from keeper.sim.localnet.rpc.params import Params

VOTE = Pubkey.from_string("Vote111111111111111111111111111111111111111")
_FEATURE_SET = 0
_COUNTED_OWNERS = (SYSTEM, STAKE, VOTE, SPL_TOKEN, TOKEN_2022, STAKE_POOL_PROGRAM)


def get_health(node: Node, params: Params) -> str:  # noqa: ARG001 - takes none
    """A localnet has nobody to lag behind; the fault ``slots_behind`` lets it say that it does."""
    if node.faults.rates.slots_behind:
        raise node_unhealthy(node.faults.rates.slots_behind)
    return "ok"


def get_version(node: Node, params: Params) -> dict[str, Any]:  # noqa: ARG001 - takes none
    """The Agave runtime inside LiteSVM. Feature set 0: what a node without one reports."""
    return {"solana-core": API_VERSION, "feature-set": _FEATURE_SET}


def get_genesis_hash(node: Node, params: Params) -> str:  # noqa: ARG001 - takes none
    """One per seed."""
    return str(node.genesis_hash)


def get_identity(node: Node, params: Params) -> dict[str, str]:  # noqa: ARG001 - takes none
    """One per seed."""
    return {"identity": str(node.identity)}


def get_first_available_block(node: Node, params: Params) -> int:  # noqa: ARG001 - takes none
    """The oldest block in history; the current slot while no block is finished."""
    config, tip = node.bank.config, node.bank.clock.slot
    oldest = max(config.start_slot, tip - config.history_slots)
    return next((slot for slot in range(oldest, tip) if node.bank.block(slot) is not None), tip)


def get_vote_accounts(node: Node, params: Params) -> dict[str, Any]:
    """The box's vote accounts, each with the node as its validator; stake is not modelled per validator."""
    node.heads.check(params.config(0))
    clock = node.bank.clock
    current = [
        {
            "votePubkey": str(key),
            "nodePubkey": str(node.identity),
            "activatedStake": 0,
            "epochVoteAccount": True,
            "commission": 0,
            "lastVote": clock.slot,
            "rootSlot": max(0, clock.slot - 32),
            "epochCredits": [],
        }
        for key, _ in node.bank.program_accounts(VOTE)
    ]
    return {"current": current, "delinquent": []}


def get_supply(node: Node, params: Params) -> dict[str, Any]:
    """Lamports in accounts of the system, stake, vote, token and stake pool programs; all of them circulate."""
    context = node.heads.context(params.config(0))
    total = sum(account.lamports for owner in _COUNTED_OWNERS for _, account in node.bank.program_accounts(owner))
    value = {"total": total, "circulating": total, "nonCirculating": 0, "nonCirculatingAccounts": []}
    return {"context": context, "value": value}


def get_recent_performance_samples(node: Node, params: Params) -> list[dict[str, int]]:
    """Slots and transactions by minute, newest first."""
    limit = 720 if params.optional(0) is None else params.integer(0)
    return [
        {
            "slot": sample.slot,
            "numTransactions": sample.transactions,
            "numNonVoteTransactions": sample.transactions,
            "numSlots": sample.slots,
            "samplePeriodSecs": sample.seconds,
        }
        for sample in node.performance.recent(limit)
    ]


CLUSTER_METHODS: dict[str, Method] = {
    "getHealth": get_health,
    "getVersion": get_version,
    "getGenesisHash": get_genesis_hash,
    "getIdentity": get_identity,
    "getFirstAvailableBlock": get_first_available_block,
    "minimumLedgerSlot": get_first_available_block,
    "getVoteAccounts": get_vote_accounts,
    "getSupply": get_supply,
    "getRecentPerformanceSamples": get_recent_performance_samples,
}
