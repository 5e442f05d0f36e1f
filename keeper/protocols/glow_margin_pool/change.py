"""How an instruction's amount is meant (shared facts, protocol.md 4.4)."""

from __future__ import annotations

from enum import IntEnum


class ChangeKind(IntEnum):
    """The first argument of deposit, withdraw, margin_borrow, margin_repay and repay; the amount is always in tokens."""

    SET_SOURCE_TO = 0
    SET_DESTINATION_TO = 1
    SHIFT_BY = 2
