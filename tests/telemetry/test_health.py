"""Liveness follows the tick's own heartbeat; readiness follows what the tick found."""

from __future__ import annotations

from typing import Protocol

import pytest

from keeper.telemetry import Health, Role


class MovableClock(Protocol):
    now: float

    def __call__(self) -> float: ...


@pytest.fixture
def ready(health: Health, clock: MovableClock) -> Health:
    health.beat(clock())
    health.view_fresh(True)
    health.journal_ok(True)
    health.leadership(Role.LEADER)
    return health


def test_before_the_first_tick_the_process_has_time_to_recover(health: Health, clock: MovableClock) -> None:
    clock.now += 120
    assert health.live().ok
    clock.now += 1
    assert health.live().problems == ("no tick in 121 s since the start; the limit is 120 s",)


def test_a_tick_that_stops_progressing_is_dead_and_says_since_when(ready: Health, clock: MovableClock) -> None:
    clock.now += 30
    assert ready.live().ok
    clock.now += 1
    assert ready.live().problems == ("the last tick progressed 31 s ago; the limit is 30 s",)


def test_asking_does_not_keep_the_process_alive(ready: Health, clock: MovableClock) -> None:
    for _ in range(40):
        clock.now += 1
        ready.live()
        ready.ready()
    assert not ready.live().ok


def test_a_beat_brings_it_back_and_a_late_one_does_not_turn_time_back(ready: Health, clock: MovableClock) -> None:
    clock.now += 31
    ready.beat(clock())
    ready.beat(clock() - 100)
    assert ready.live().ok


def test_all_well_is_ready_for_leader_and_standby(ready: Health) -> None:
    assert ready.ready().ok
    ready.leadership(Role.STANDBY)
    assert ready.ready().ok


def test_a_stale_view_is_not_ready_but_alive(ready: Health) -> None:
    ready.view_fresh(False, "rpc_lagging")
    assert ready.ready().problems == ("the view is not fresh: rpc_lagging",)
    assert ready.live().ok


def test_a_journal_that_cannot_be_written_is_not_ready(ready: Health) -> None:
    ready.journal_ok(False, "disk full")
    assert ready.ready().problems == ("the journal is not writable: disk full",)


def test_an_unknown_role_is_not_ready(ready: Health) -> None:
    ready.leadership(Role.UNKNOWN)
    assert not ready.ready().ok


def test_stopping_ends_readiness_at_once_and_liveness_not(ready: Health) -> None:
    ready.stopping()
    assert ready.ready().problems == ("the keeper is stopping",)
    assert ready.live().ok


def test_a_new_process_is_not_ready_and_says_everything_that_is_missing(health: Health) -> None:
    assert len(health.ready().problems) == 4
