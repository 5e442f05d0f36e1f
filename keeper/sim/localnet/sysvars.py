"""Sysvar accounts that real programs read: Clock, SlotHashes, EpochSchedule, StakeHistory.

They follow the timeline lazily: writing them costs some 170 microseconds, so it happens once for each slot in which somebody
looks, not in slots that only pass.
"""

from __future__ import annotations

import struct
from collections import deque

from solders.clock import Clock
from solders.epoch_schedule import EpochSchedule
from solders.hash import Hash
from solders.stake_history import StakeHistory, StakeHistoryEntry

from keeper.protocols.addresses import STAKE
from keeper.sim.localnet.interface import BankConfig, ChainClock
from keeper.sim.localnet.machine import Machine

MAX_SLOT_HASHES = 512
CLUSTER_STAKE = 400_000_000 * 10**9
"""Lamports staked by the rest of the cluster: enough that stake of ours warms up and cools down within one epoch."""
_NEVER = 2**64 - 1
_STAKE_STATE = 2
_STAKE_BYTES = 200


class Sysvars:
    """Keeps the machine's sysvars in step with the bank's clock."""

    def __init__(self, machine: Machine, config: BankConfig, parent: tuple[int, Hash]) -> None:
        self._machine = machine
        slot, blockhash = parent
        # The chain is taken to have run before: the finalized slot of a young box is one of these.
        before = ((earlier, blockhash) for earlier in range(slot, max(slot - MAX_SLOT_HASHES, -1), -1))
        self._hashes: deque[tuple[int, Hash]] = deque(before, maxlen=MAX_SLOT_HASHES)
        self._written: ChainClock | None = None
        schedule = struct.pack(
            "<QQ?QQ", config.slots_per_epoch, config.slots_per_epoch, False, config.start_epoch, config.start_slot
        )
        machine.svm.set_epoch_schedule(EpochSchedule.from_bytes(schedule))

    @property
    def recent_slots(self) -> frozenset[int]:
        """Slots that SlotHashes holds: those in which a deactivated lookup table still answers."""
        return frozenset(slot for slot, _ in self._hashes)

    def add_block(self, slot: int, blockhash: Hash) -> None:
        """A block was sealed."""
        self._hashes.appendleft((slot, blockhash))

    def write(self, clock: ChainClock) -> None:
        """Write Clock and SlotHashes, if they are not of this slot."""
        if self._written is not None and self._written.slot == clock.slot:
            return
        self._written = clock
        self._machine.svm.set_clock(
            Clock(
                slot=clock.slot,
                epoch_start_timestamp=clock.epoch_start_timestamp,
                epoch=clock.epoch,
                leader_schedule_epoch=clock.epoch + 1,
                unix_timestamp=clock.unix_timestamp,
            )
        )
        self._machine.svm.set_slot_hashes(list(self._hashes))

    def end_epoch(self, epoch: int) -> None:
        """Record the cluster's stake in the epoch that ended, for the stake program's warm-up arithmetic.

        Stake accounts of the box count in full: with ``CLUSTER_STAKE`` behind them nothing is ever rate-limited.
        """
        effective = CLUSTER_STAKE
        activating = deactivating = 0
        for _, account in self._machine.owned_by(STAKE):
            data = bytes(account.data)
            if len(data) < _STAKE_BYTES or data[0] != _STAKE_STATE:
                continue
            stake, started, stopped = struct.unpack_from("<QQQ", data, 156)
            since_ever = (
                started == _NEVER
            )  # bootstrap stake: active from the first epoch on, and it cools down like any other
            if started == stopped or (started > epoch and not since_ever):
                continue
            if started == epoch:
                activating += stake
            elif stopped == epoch:
                effective += stake
                deactivating += stake
            elif stopped == _NEVER or stopped > epoch:
                effective += stake
        history: StakeHistory = self._machine.svm.get_stake_history()
        history.add(epoch, StakeHistoryEntry(effective, activating, deactivating))
        self._machine.svm.set_stake_history(history)
