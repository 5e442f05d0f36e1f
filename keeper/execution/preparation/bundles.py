"""Steps packed into transactions, each with a fee that is known before anything is signed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.execution.message import NO_BLOCKHASH, Budget, Compiled, assemble
from keeper.execution.outcome import Refusal
from keeper.execution.preparation.steps import Opening, Step
from keeper.protocols.compute_budget import MAX_COMPUTE_UNITS
from keeper.units import Lamports, MicroLamports


@dataclass(frozen=True, slots=True)
class Bundle:
    """One transaction. It gets exactly this compute budget, so it costs exactly what was shown."""

    steps: tuple[Step, ...]
    price: MicroLamports

    @property
    def budget(self) -> Budget:
        limit = self.steps[0].limit
        for step in self.steps[1:]:
            limit = limit + step.limit
        return Budget(min(limit, MAX_COMPUTE_UNITS), self.price)

    @property
    def instructions(self) -> tuple[Instruction, ...]:
        return tuple(item for step in self.steps for item in step.instructions)

    @property
    def compiled(self) -> Compiled:
        return Compiled(self.instructions, self.instructions, ())

    @property
    def opened(self) -> tuple[Opening, ...]:
        return tuple(one for step in self.steps for one in step.opened)

    @property
    def change(self) -> Lamports:
        """What the wallet's native SOL changes by: rent given back, less rent put in, less the fee."""
        return total(self.steps) - self.budget.fee


def total(steps: Iterable[Step]) -> Lamports:
    """What ``steps`` change the wallet's native SOL by, fees apart."""
    return Lamports(sum(step.returned.value - step.rent.value for step in steps))


def bundles(steps: Sequence[Step], payer: Pubkey, price: MicroLamports) -> tuple[Bundle, ...]:
    """As many steps into each transaction as fit, in order. Without its first bundle the rest is packed the same again, so what
    is left after a stop costs what it would have cost. Raises ``Refusal`` for a step that fits into none."""
    found: list[Bundle] = []
    for step in steps:
        wider = Bundle((*found[-1].steps, step), price) if found else None
        if wider is not None and _fits(wider, payer):
            found[-1] = wider
        else:
            found.append(Bundle((step,), price))
            assemble(payer, found[-1].compiled, found[-1].budget, NO_BLOCKHASH)
    return tuple(found)


def _fits(bundle: Bundle, payer: Pubkey) -> bool:
    if sum(step.limit.value for step in bundle.steps) > MAX_COMPUTE_UNITS.value:
        return False
    try:
        assemble(payer, bundle.compiled, bundle.budget, NO_BLOCKHASH)
    except Refusal:
        return False
    return True
