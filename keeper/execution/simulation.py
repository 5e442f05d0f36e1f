"""Running a step on a node before it is signed: does it work, what does it use, what would it do to the wallet."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from solders.pubkey import Pubkey

from keeper.chain.answers import Simulation
from keeper.chain.errors import RpcError
from keeper.execution.balances import Effects
from keeper.execution.message import NO_BLOCKHASH, SIGNATURE_FEE, WIDEST, Compiled, assemble, resolve, unsigned
from keeper.execution.naming import ErrorNames
from keeper.execution.outcome import Refusal, Stage
from keeper.execution.policy import ExecutionPolicy
from keeper.execution.ports import Node
from keeper.protocols.compute_budget import MAX_COMPUTE_UNITS
from keeper.units import BPS, ComputeUnits, Lamports, Slot

LAST_LOGS = 8


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A simulation that succeeded: what it used, and the writable accounts before and after it."""

    units: ComputeUnits
    fee: Lamports
    before_after: Effects
    writable: tuple[Pubkey, ...]


async def rehearse(node: Node, wallet: Pubkey, compiled: Compiled, slot: Slot, names: ErrorNames) -> Rehearsal:
    """Simulate with the widest compute limit, no priority fee and a replaced blockhash, on a node not behind ``slot``.

    Raises ``Refusal`` of stage SIMULATION with the program's error by name and its last logs. The accounts before are read
    beside the simulation: lamports that strangers send in that moment are the only thing that could blur the comparison.
    """
    message = assemble(wallet, compiled, WIDEST, NO_BLOCKHASH)
    writable = resolve(message, compiled.tables).writable
    raw = unsigned(message)
    try:
        before, simulated = await asyncio.gather(
            node.accounts(writable, min_context_slot=slot),
            node.simulate(raw, accounts=writable, replace_blockhash=True, min_context_slot=slot),
        )
    except RpcError as error:
        raise Refusal(Stage.SIMULATION, "node_unavailable", str(error)) from error
    if simulated.err is not None:
        raise _failed(simulated, raw, names)
    missing = [key for key in writable if key not in simulated.accounts]
    if missing:
        raise Refusal(
            Stage.SIMULATION,
            "accounts_missing",
            f"the node did not return {len(missing)} of {len(writable)} accounts after the simulation",
            missing=len(missing),
        )
    fee = SIGNATURE_FEE if simulated.fee is None else simulated.fee
    return Rehearsal(simulated.units, fee, Effects(before.accounts, simulated.accounts, Lamports(0)), writable)


def compute_limit(units: ComputeUnits, policy: ExecutionPolicy) -> ComputeUnits:
    """The limit for a transaction that used ``units`` in simulation: a margin on top, within what the runtime takes."""
    margin = -(-units.value * (BPS + policy.compute_margin.value) // BPS)
    return min(ComputeUnits(margin) + policy.compute_overhead, MAX_COMPUTE_UNITS)


def _failed(simulated: Simulation, raw: bytes, names: ErrorNames) -> Refusal:
    error = simulated.err if simulated.err is not None else ""
    name = names.name(error, raw, simulated.logs)
    tail = "\n".join(simulated.logs[-LAST_LOGS:])
    return Refusal(
        Stage.SIMULATION,
        "program_error" if isinstance(error, dict) and "InstructionError" in error else "runtime_error",
        f"{name}\n{tail}" if tail else name,
        error=name,
        slot=simulated.slot.value,
    )
