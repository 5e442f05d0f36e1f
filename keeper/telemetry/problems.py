"""Gauges that name a problem: 1 for the code that holds now, ``none`` where there is none."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import Gauge

from keeper.telemetry.label_values import BoundedValues

NO_PROBLEM = "none"


class ProblemGauge:
    """One gauge whose last label is ``problem``. A code that held before stays as 0 while its subject is still seen, so that its
    end is a fall to 0 and no gap; a subject that is gone leaves nothing behind."""

    def __init__(self, gauge: Gauge, max_codes: int) -> None:
        self._gauge = gauge
        self._codes = BoundedValues(max_codes)
        self._seen: dict[tuple[str, ...], set[str]] = {}

    def show(self, found: Mapping[tuple[str, ...], str]) -> None:
        """``found``: subject (the labels before the last) to its code, empty for none. Subjects are label values already."""
        now = {subject: self._codes.admit(code or NO_PROBLEM) for subject, code in found.items()}
        self._seen = {subject: self._seen.get(subject, {NO_PROBLEM}) | {code} for subject, code in now.items()}
        self._gauge.clear()
        for subject, codes in self._seen.items():
            for code in sorted(codes):
                self._gauge.labels(*subject, code).set(code == now[subject])
