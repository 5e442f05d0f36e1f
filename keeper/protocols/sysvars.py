"""Sysvar accounts: Clock, EpochSchedule, Rent. Layouts: Agave's ``sysvar`` crates (bincode, little-endian)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from solders.pubkey import Pubkey

from keeper.protocols.layout import LayoutError, require_owner
from keeper.units import Duration, Epoch, Lamports, Slot, UnixTime

SYSVAR_OWNER = Pubkey.from_string("Sysvar1111111111111111111111111111111111111")
EPOCH_SCHEDULE_SYSVAR = Pubkey.from_string("SysvarEpochSchedu1e111111111111111111111111")

ACCOUNT_OVERHEAD = 128
"""Bytes that every account is charged beside its data."""
FIRST_EPOCH_SLOTS = 32
"""Slots of the first epoch where epochs warm up; each following one has twice as many."""
NOMINAL_SLOT_MS = 400


@dataclass(frozen=True, slots=True)
class Clock:
    """The chain's own clock. ``epoch_start`` is the time of the epoch's first block."""

    slot: Slot
    epoch_start: UnixTime
    epoch: Epoch
    unix_timestamp: UnixTime


@dataclass(frozen=True, slots=True)
class EpochSchedule:
    """How slots make epochs: ``slots_per_epoch`` each from ``first_normal_epoch`` on."""

    slots_per_epoch: int
    first_normal_epoch: Epoch
    first_normal_slot: Slot

    def length(self, epoch: Epoch) -> int:
        """Slots of ``epoch``."""
        if epoch < self.first_normal_epoch:
            return FIRST_EPOCH_SLOTS << epoch.value
        return self.slots_per_epoch

    def first_slot(self, epoch: Epoch) -> Slot:
        """The slot that ``epoch`` starts with."""
        if epoch < self.first_normal_epoch:
            return Slot(FIRST_EPOCH_SLOTS * ((1 << epoch.value) - 1))
        return self.first_normal_slot + epoch.since(self.first_normal_epoch) * self.slots_per_epoch


@dataclass(frozen=True, slots=True)
class Rent:
    """What an account must hold to be exempt from rent, in lamports per byte (data and overhead)."""

    per_byte: Fraction

    def exempt(self, size: int) -> Lamports:
        """The minimum balance of an account with ``size`` bytes of data, truncated as the runtime does."""
        return Lamports(int((ACCOUNT_OVERHEAD + size) * self.per_byte))


def decode_clock(data: bytes, *, owner: Pubkey | None = None) -> Clock:
    """slot u64, epoch_start_timestamp i64, epoch u64, leader_schedule_epoch u64, unix_timestamp i64. Raises ``LayoutError``."""
    slot, started, epoch, _, unix = _unpack("<QqQQq", data, "Clock sysvar", owner)
    return Clock(Slot(slot), UnixTime(started), Epoch(epoch), UnixTime(unix))


def decode_epoch_schedule(data: bytes, *, owner: Pubkey | None = None) -> EpochSchedule:
    """slots_per_epoch u64, leader_schedule_slot_offset u64, warmup bool, first_normal_epoch u64, first_normal_slot u64.

    Raises ``LayoutError``, also for epochs without slots.
    """
    slots, _, _, epoch, slot = _unpack("<QQ?QQ", data, "EpochSchedule sysvar", owner)
    if slots == 0:
        raise LayoutError("EpochSchedule sysvar", "slots_per_epoch", "more than 0", "0")
    return EpochSchedule(slots, Epoch(epoch), Slot(slot))


def decode_rent(data: bytes, *, owner: Pubkey | None = None) -> Rent:
    """lamports_per_byte_year u64, exemption_threshold f64 (years), burn_percent u8. Raises ``LayoutError``.

    The threshold is taken as the exact fraction that its 64 bits are; it is 2, and becomes 1 with SIMD-0194.
    """
    lamports, threshold, _ = _unpack("<QdB", data, "Rent sysvar", owner)
    if not 0 < threshold < 1_000:  # also refuses what is not a number
        raise LayoutError("Rent sysvar", "exemption_threshold", "years above 0", str(threshold))
    return Rent(lamports * Fraction(threshold))


def epoch_times(clock: Clock, schedule: EpochSchedule) -> tuple[Duration, UnixTime]:
    """(How long the epoch of ``clock`` lasts, when it ends), estimated from how fast its slots have passed so far.

    In the first moments of an epoch, when nothing has been measured yet, a slot counts its nominal 400 ms. Integers, rounded
    up: what waits for the epoch's end waits rather a second longer.
    """
    slots = schedule.length(clock.epoch)
    passed = clock.slot.since(schedule.first_slot(clock.epoch))
    took = clock.unix_timestamp.since(clock.epoch_start)
    if passed > 0 and took > 0:
        length, rest = -(-slots * took // passed), -(-max(slots - passed, 0) * took // passed)
    else:
        length, rest = (-(-count * NOMINAL_SLOT_MS // 1_000) for count in (slots, max(slots - max(passed, 0), 0)))
    return Duration(length), clock.unix_timestamp.after(Duration(rest))


def _unpack(layout: str, data: bytes, account: str, owner: Pubkey | None) -> tuple[Any, ...]:
    require_owner(account, owner, (SYSVAR_OWNER,))
    size = struct.calcsize(layout)
    if len(data) < size:
        raise LayoutError(account, "length", f"{size} bytes", f"{len(data)} bytes")
    return struct.unpack_from(layout, data)
