"""The rent rule at the end of a transaction: an account may not become, or grow as, rent-paying (agave svm rent_calculator)."""

from __future__ import annotations

from collections.abc import Callable

from solders.account import Account


def breaks_rent(before: Account | None, after: Account | None, minimum: Callable[[int], int]) -> bool:
    """Whether the step from ``before`` to ``after`` is forbidden. ``minimum``: exempt lamports by data size in bytes.

    Empty and exempt accounts are fine; a rent-paying one only if it was so before, with the same size and no more lamports.
    """
    if after is None or after.lamports == 0:
        return False
    size = len(after.data)
    if after.lamports >= minimum(size):
        return False
    if before is None or before.lamports == 0 or before.lamports >= minimum(len(before.data)):
        return True
    return len(before.data) != size or after.lamports > before.lamports
