"""Samples of how many slots and transactions passed in each minute of slots, as getRecentPerformanceSamples tells them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

MAX_SAMPLES = 720
_SAMPLE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Sample:
    """Counts of one period. ``slot`` is its last slot, ``seconds`` its length by the slots' own time."""

    slot: int
    slots: int
    transactions: int
    seconds: int


class Performance:
    """Counts transactions since the start. A sample closes when a minute's worth of slots has passed."""

    def __init__(self, *, slot_ms: int, start_slot: int) -> None:
        self._slot_ms = slot_ms
        self._per_sample = max(1, _SAMPLE_MS // slot_ms)
        self._begun = start_slot
        self._slot = start_slot
        self._counted = 0
        self._samples: deque[Sample] = deque(maxlen=MAX_SAMPLES)
        self.transactions = 0

    def transaction(self) -> None:
        """One transaction entered a block."""
        self.transactions += 1
        self._counted += 1

    def slot(self, slot: int) -> None:
        """``slot`` began."""
        self._slot = slot
        if slot - self._begun >= self._per_sample:
            self._samples.append(self._open())
            self._begun, self._counted = slot, 0

    def _open(self) -> Sample:
        slots = self._slot - self._begun
        return Sample(self._slot, slots, self._counted, max(1, slots * self._slot_ms // 1_000))

    def recent(self, limit: int) -> list[Sample]:
        """Newest first. Before the first minute is over: the open period, so that a client has something to read."""
        if not self._samples:
            return [self._open()][:limit] if self._slot > self._begun else []
        return list(reversed(self._samples))[:limit]
