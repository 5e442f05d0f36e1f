"""What all quotes share: the amounts that a program refuses, by name, before any lamport moves."""

from __future__ import annotations

from keeper.units.quantity import U64_MAX


class QuoteError(ValueError):
    """A program would refuse this amount now. ``reason`` is a short code, the message has the numbers."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason


def require_u64(value: int, reason: str, what: str) -> int:
    """``value`` when it is positive and fits the chain's u64. Raises ``QuoteError(reason)`` otherwise."""
    if value <= 0:
        raise QuoteError(reason, f"{what} comes to {value}, which the program refuses")
    if value > U64_MAX:
        raise QuoteError("calculation_failure", f"{what} comes to {value}, beyond the chain's 64 bits")
    return value
