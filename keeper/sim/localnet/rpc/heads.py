"""Commitment on one node: what the chain's head was when it was as settled as the caller asks.

There are no forks here. ``processed`` is the bank's tip; ``confirmed`` and ``finalized`` are the tip some slots ago. Slots,
heights and blockhashes follow that lag. Account data is always the tip's, so a response is at least as new as the context
slot it carries: what ``minContextSlot`` promises holds, and nothing ever rolls back.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from typing import Any

from solders.hash import Hash

from keeper.sim.localnet.interface import BankFace, ChainClock
from keeper.sim.localnet.rpc.errors import min_context_slot_not_reached
from keeper.sim.localnet.rpc.params import Commitment, Config

API_VERSION = "4.1.2"
"""Version of the Agave runtime inside solders 0.29 (facts, components.md A)."""

_KEPT = 1_024


@dataclass(frozen=True, slots=True)
class Moment:
    """The head of the chain at one slot. ``last_valid`` is the last block height at which ``blockhash`` is accepted."""

    clock: ChainClock
    slot: int
    block_height: int
    blockhash: Hash
    last_valid: int


class Heads:
    """Remembers the last heads of the bank. ``confirmed_lag`` and ``finalized_lag`` in slots."""

    def __init__(self, bank: BankFace, *, confirmed_lag: int = 1, finalized_lag: int = 32) -> None:
        if not 0 <= confirmed_lag <= finalized_lag < _KEPT:
            raise ValueError(
                f"lags of {confirmed_lag} and {finalized_lag} slots; need 0 <= confirmed <= finalized < {_KEPT}"
            )
        self._bank = bank
        self._lags = {Commitment.PROCESSED: 0, Commitment.CONFIRMED: confirmed_lag, Commitment.FINALIZED: finalized_lag}
        self._slots: list[int] = []
        self._moments: list[Moment] = []
        self.note()

    def note(self) -> None:
        """Record the bank's head; called once in every slot."""
        moment = self._tip()
        if self._slots and self._slots[-1] == moment.slot:
            self._moments[-1] = moment
            return
        self._slots.append(moment.slot)
        self._moments.append(moment)
        if len(self._slots) > 2 * _KEPT:
            del self._slots[:_KEPT]
            del self._moments[:_KEPT]

    def _tip(self) -> Moment:
        clock = self._bank.clock
        blockhash, last_valid = self._bank.latest_blockhash()
        return Moment(clock, clock.slot, clock.block_height, blockhash, last_valid)

    def slot(self, commitment: Commitment) -> int:
        """The slot at that commitment."""
        return max(0, self._bank.clock.slot - self._lags[commitment])

    def moment(self, commitment: Commitment) -> Moment:
        """The head at that commitment. Before this node's first slot: its first head, with slot and height counted back."""
        slot = self.slot(commitment)
        if self._lags[commitment] == 0:
            return self._tip()
        at = bisect.bisect_right(self._slots, slot) - 1
        if at >= 0:
            return self._moments[at]
        first = self._moments[0]
        behind = first.slot - slot
        return Moment(first.clock, slot, max(0, first.block_height - behind), first.blockhash, first.last_valid)

    def level(self, slot: int) -> Commitment:
        """How settled a transaction of ``slot`` is."""
        age = self._bank.clock.slot - slot
        if age >= self._lags[Commitment.FINALIZED]:
            return Commitment.FINALIZED
        return Commitment.CONFIRMED if age >= self._lags[Commitment.CONFIRMED] else Commitment.PROCESSED

    def confirmations(self, slot: int) -> int | None:
        """Blocks on top of ``slot``; None once it is finalized, as getSignatureStatuses reports it."""
        return None if self.level(slot) is Commitment.FINALIZED else self._bank.clock.slot - slot

    def check(self, config: Config, *, commitment_name: str = "commitment") -> int:
        """The context slot for a call; raises -32016 where it is below the call's minContextSlot."""
        slot = self.slot(config.commitment(name=commitment_name))
        minimum = config.integer("minContextSlot")
        if minimum is not None and slot < minimum:
            raise min_context_slot_not_reached(slot)
        return slot

    def context(self, config: Config) -> dict[str, Any]:
        """The ``context`` member of a response."""
        return {"apiVersion": API_VERSION, "slot": self.check(config)}
