"""How a figure is printed: one JSON line each, so that a script reads what a person reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """Percentiles of one thing that was timed, in milliseconds."""

    name: str
    samples: int
    p50_ms: float
    p99_ms: float

    def __str__(self) -> str:
        return json.dumps(
            {
                "case": self.name,
                "samples": self.samples,
                "p50_ms": round(self.p50_ms, 4),
                "p99_ms": round(self.p99_ms, 4),
            }
        )


def percentiles(name: str, seconds: Sequence[float]) -> Figure:
    """Nearest-rank p50 and p99. Raises ``ValueError`` when nothing was measured."""
    if not seconds:
        raise ValueError(f"{name}: nothing was measured")
    ordered = sorted(seconds)

    def rank(percent: int) -> float:
        return ordered[max(-(-len(ordered) * percent // 100) - 1, 0)] * 1000

    return Figure(name, len(ordered), rank(50), rank(99))
