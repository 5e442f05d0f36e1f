"""Sysvars: layouts, rent to the lamport, and the epoch's end by the chain's own clock."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.protocols.addresses import CLOCK_SYSVAR, RENT_SYSVAR, SYSTEM
from keeper.protocols.layout import LayoutError
from keeper.protocols.sysvars import (
    SYSVAR_OWNER,
    Clock,
    EpochSchedule,
    decode_clock,
    decode_epoch_schedule,
    decode_rent,
    epoch_times,
)
from keeper.units import Duration, Epoch, Lamports, Slot, UnixTime
from tests.protocols.runtime import Runtime

MAINNET = EpochSchedule(432_000, Epoch(0), Slot(0))


def test_the_runtimes_own_sysvars_decode(runtime: Runtime) -> None:
    clock, rent = decode_clock(runtime.data(CLOCK_SYSVAR)), decode_rent(runtime.data(RENT_SYSVAR))
    told = runtime.svm.get_clock()
    assert (clock.slot.value, clock.epoch.value, clock.unix_timestamp.value) == (
        told.slot,
        told.epoch,
        told.unix_timestamp,
    )
    for size in (0, 165, 200, 7_544):
        assert rent.exempt(size) == Lamports(runtime.svm.minimum_balance_for_rent_exemption(size))


@pytest.mark.parametrize(("threshold", "rent"), [(2.0, 2_282_880), (1.0, 1_141_440)])
def test_rent_follows_its_threshold(threshold: float, rent: int) -> None:
    assert decode_rent(struct.pack("<QdB", 3_480, threshold, 50)).exempt(200) == Lamports(rent)


@pytest.mark.parametrize("threshold", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rent_that_is_none_is_refused(threshold: float) -> None:
    with pytest.raises(LayoutError, match="exemption_threshold"):
        decode_rent(struct.pack("<QdB", 3_480, threshold, 50))


@pytest.mark.parametrize("decode", [decode_clock, decode_epoch_schedule, decode_rent])
def test_truncated_and_foreign_sysvars_are_named(decode: object) -> None:
    assert callable(decode)
    with pytest.raises(LayoutError, match="length"):
        decode(bytes(16), owner=SYSVAR_OWNER)
    with pytest.raises(LayoutError, match="owner"):
        decode(bytes(64), owner=SYSTEM)


def test_an_epoch_without_slots_is_refused() -> None:
    with pytest.raises(LayoutError, match="slots_per_epoch"):
        decode_epoch_schedule(struct.pack("<QQ?QQ", 0, 0, False, 0, 0))


def test_epochs_that_warm_up_double() -> None:
    schedule = decode_epoch_schedule(struct.pack("<QQ?QQ", 8_192, 8_192, True, 8, 8_160))
    assert [schedule.length(Epoch(epoch)) for epoch in (0, 1, 7, 8, 9)] == [32, 64, 4_096, 8_192, 8_192]
    assert [schedule.first_slot(Epoch(epoch)).value for epoch in (0, 1, 7, 8, 9)] == [0, 32, 4_064, 8_160, 16_352]


def at(passed: int, seconds: int, epoch: int = 900) -> Clock:
    start = UnixTime(1_790_000_000)
    return Clock(MAINNET.first_slot(Epoch(epoch)) + passed, start, Epoch(epoch), start + seconds)


def test_the_pace_so_far_tells_the_end() -> None:
    length, ends = epoch_times(at(216_000, 86_400), MAINNET)
    assert (length, ends) == (Duration(172_800), UnixTime(1_790_172_800))
    length, ends = epoch_times(at(108_000, 54_000), MAINNET)  # half a second each
    assert (length, ends) == (Duration(216_000), UnixTime(1_790_216_000))


def test_before_anything_was_measured_a_slot_takes_its_nominal_time() -> None:
    for clock in (at(0, 0), at(0, 1), at(1, 0)):
        length, _ = epoch_times(clock, MAINNET)
        assert length == Duration(172_800)


@given(st.integers(0, 432_000), st.integers(-10, 400_000))
def test_the_end_is_never_behind_and_never_promised_early(passed: int, seconds: int) -> None:
    clock = at(passed, seconds)
    length, ends = epoch_times(clock, MAINNET)
    assert ends >= clock.unix_timestamp
    assert length.value > 0
    if passed > 0 and seconds > 0:
        assert ends.since(clock.unix_timestamp) * passed >= (432_000 - passed) * seconds
