"""What ``keeper setup`` is about to do, with its cost to the lamport, as lines for the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from solders.pubkey import Pubkey

from keeper.execution.preparation.bundles import Bundle
from keeper.execution.preparation.steps import Step
from keeper.units import Lamports

NOTHING = Lamports(0)
WIDTH = 38


@dataclass(frozen=True, slots=True)
class Preview:
    """``lamports``: what the wallet holds; ``reserve``: what it must keep. ``bundles`` are empty where nothing is to be done."""

    wallet: Pubkey
    lamports: Lamports
    reserve: Lamports
    bundles: tuple[Bundle, ...]
    notes: tuple[str, ...]
    closing: bool = False

    @property
    def fees(self) -> Lamports:
        return Lamports(sum(bundle.budget.fee.value for bundle in self.bundles))

    @property
    def change(self) -> Lamports:
        """What all of it changes the wallet's SOL by: negative where it costs."""
        return Lamports(sum(bundle.change.value for bundle in self.bundles))

    @property
    def after(self) -> Lamports:
        return self.lamports + self.change

    @property
    def shortfall(self) -> Lamports:
        """What the wallet lacks to pay for it and keep its reserve; closing is never held up by the reserve."""
        return NOTHING if self.closing else max(self.reserve - self.after, NOTHING)

    def short(self) -> str:
        """Why it cannot be paid."""
        return (
            f"wallet {self.wallet} holds {self.lamports}, and setting up costs {Lamports(-self.change.value)} while "
            f"wallet.gas_reserve ({self.reserve}) must stay: send at least {self.shortfall} to it; nothing was signed"
        )

    def lines(self) -> list[str]:
        """One thing a line, transaction by transaction, and the sums."""
        notes = [f"note: {note}" for note in self.notes]
        if not self.bundles:
            return [*notes, "nothing to do: " + ("nothing can be closed" if self.closing else "everything is set up")]
        return [f"wallet {self.wallet} holds {self.lamports}", *self._table(), *notes, self._sum()]

    def _table(self) -> Iterator[str]:
        for number, bundle in enumerate(self.bundles, 1):
            yield f"transaction {number}"
            for step in bundle.steps:
                yield f"  {step.title:<{WIDTH}} {_price(step)}"
            yield f"  {'fee':<{WIDTH}} {bundle.budget.fee}"

    def _sum(self) -> str:
        steps = [step for bundle in self.bundles for step in bundle.steps]
        rent = sum(step.rent.value for step in steps)
        back = sum(step.recoverable.value for step in steps)
        returned = sum(step.returned.value for step in steps)
        parts = []
        if returned:
            parts.append(f"{Lamports(returned)} of rent come back")
        if back:
            parts.append(f"{Lamports(back)} of rent, which come back when it is closed")
        if rent - back:
            parts.append(f"{Lamports(rent - back)} of rent, which do not")
        parts.append(f"{self.fees} of fees")
        verb = "costs" if self.change <= NOTHING else "brings"
        total = Lamports(abs(self.change.value))
        return f"in all it {verb} {total} ({', '.join(parts)}); the wallet then holds {self.after}"


def _price(step: Step) -> str:
    if step.returned:
        return f"{step.returned} of rent comes back"
    if not step.rent:
        return "no rent"
    return f"{step.rent} of rent, " + (
        "comes back when closed" if step.recoverable == step.rent else "does not come back"
    )
