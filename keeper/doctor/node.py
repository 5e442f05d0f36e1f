"""The node and the chain that it serves: before anything else is believed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from keeper.chain.errors import RpcError, WrongCluster
from keeper.doctor.case import Case
from keeper.doctor.chart import Chart
from keeper.doctor.check import Check, Verdict, failed, passed, unknown
from keeper.doctor.finding import Finding, Status

MAINNET = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"
PUBLIC = {
    MAINNET: "mainnet-beta",
    "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG": "devnet",
    "4uhcVJyU9pJkvQyS88uRDiswHXSCkY3zQawwpjk2NsNY": "testnet",
}
"""Genesis hashes: protocol.md 9.2 for mainnet, Solana's documentation for the others."""
PROBE_SECONDS = 0.5
MOST_SKEW = 60


async def node(case: Case) -> Finding:
    """Whether the node answers, calls itself healthy and moves on. Never raises for what a node does."""
    try:
        health = await case.rpc.health()
        slot = await case.rpc.slot()
        waited = 0.0
        while waited < case.patience and await case.rpc.slot() <= slot:
            await case.clock.sleep(PROBE_SECONDS)
            waited += PROBE_SECONDS
        now = await case.rpc.slot() if case.patience else slot
    except RpcError as error:
        remedy = "check cluster.rpc, the provider's state and the key in the URL; put an endpoint that answers first"
        return Finding("node", Status.FAIL, f"no answer: {type(error).__name__}: {error}", remedy, blocks=True)
    if not health.ok:
        behind = f", {health.slots_behind} slots behind" if health.slots_behind is not None else ""
        remedy = "wait until the node has caught up, or put another endpoint first in cluster.rpc"
        return Finding("node", Status.FAIL, f"the node is unhealthy{behind}: {health.problem}", remedy, blocks=True)
    if case.patience and now <= slot:
        remedy = "the node is frozen although it calls itself healthy: put another endpoint first in cluster.rpc"
        return Finding("node", Status.FAIL, f"no slot after {slot} in {waited:.0f} s", remedy, blocks=True)
    return Finding("node", Status.PASS, f"{case.rpc.endpoint} is healthy, at slot {now}", blocks=True)


async def genesis(case: Case) -> AsyncIterator[Finding]:
    """Which chain every endpoint serves."""
    endpoints = (case.rpc, *case.witnesses)
    for number, rpc in enumerate(endpoints):
        name = "genesis" if number == 0 else f"witness:{rpc.endpoint}"
        try:
            await rpc.require_cluster(case.genesis_hash)
        except WrongCluster as error:
            meant = PUBLIC.get(error.actual, "a private cluster")
            remedy = (
                f"point cluster.rpc at a node of the cluster you mean, or write {error.actual} into cluster.genesis_hash "
                f"if {meant} is the one"
            )
            found = f"{rpc.endpoint} serves {meant} ({error.actual}), configured is {error.expected}"
            yield Finding(name, Status.FAIL, found, remedy, blocks=True)
        except RpcError as error:
            remedy = "check that endpoint of cluster.rpc, or remove it"
            yield Finding(name, Status.UNKNOWN, f"no answer: {type(error).__name__}: {error}", remedy, blocks=True)
        else:
            yield Finding(
                name, Status.PASS, PUBLIC.get(case.genesis_hash, "a private cluster, as configured"), blocks=True
            )


def _skew(chart: Chart) -> Iterator[Verdict]:
    """The chain's clock is the median of its validators' and a few seconds behind; leases and logs go by the machine's."""
    seconds = round(chart.case.clock.wall()) - int(chart.now.unix_timestamp)
    found = f"the machine is {abs(seconds)} s {'ahead of' if seconds >= 0 else 'behind'} the chain"
    if abs(seconds) <= MOST_SKEW:
        yield passed(found)
    elif chart.case.genesis_hash in PUBLIC:
        yield failed(found, "set the machine's clock by NTP (chrony, systemd-timesyncd)")
    else:
        remedy = (
            "a private cluster may keep a time of its own (localnet --warp); if yours does not, set the clocks by NTP"
        )
        yield unknown(found, remedy)


CHECKS = (Check("clock", _skew, blocks=False),)
