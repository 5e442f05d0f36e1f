"""Logs and compute units of one transaction, counted over all its instructions, real and modelled."""

from __future__ import annotations

from collections.abc import Iterable

from keeper.sim.localnet.transaction_errors import ComputeExhausted

LOG_BYTES = 10_000
"""Log bytes kept of a transaction before ``Log truncated`` (agave LOG_MESSAGES_BYTES_LIMIT)."""


class ExecutionLog:
    """Log lines, truncated where a validator truncates them."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._bytes = 0
        self._full = False

    def add(self, line: str) -> None:
        """Append one line."""
        if self._full:
            return
        self._bytes += len(line.encode())
        if self._bytes >= LOG_BYTES:
            self._full = True
            self.lines.append("Log truncated")
        else:
            self.lines.append(line)

    def extend(self, lines: Iterable[str]) -> None:
        """Append lines in order."""
        for line in lines:
            self.add(line)


class ComputeMeter:
    """Compute units left of a transaction's limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.left = limit

    @property
    def used(self) -> int:
        return self.limit - self.left

    def charge(self, units: int) -> None:
        """Take ``units``. Raises ``ComputeExhausted`` (ProgramFailedToComplete) with nothing left when there are too few."""
        if units < 0:
            raise ValueError(f"a charge of {units} compute units; it must not be negative")
        if units > self.left:
            self.left = 0
            raise ComputeExhausted("ProgramFailedToComplete", "exceeded CUs meter at BPF instruction")
        self.left -= units
