"""How a loan is paid back to nothing, though interest grows until the repayment lands. Pure.

"Bring the loan down to zero" would be the program's own word for it (SET_DESTINATION_TO 0). But the published program prices
the loan's notes at the rate of *deposits* there: it leaves a part of the loan while a loan note owes more than a deposit note is
worth, which is the rule, and fails where it owes less (``glow_margin_pool.changes.repay_amount``). So two repayments in one call:
exactly what clears the loan as of the read, then "down to zero" for what interest has added since, which is so little that what
it leaves is nothing or dust. Where the second one might fail it is left out, and some seconds' interest stays for another time.
"""

from __future__ import annotations

from dataclasses import dataclass

from keeper.protocols import glow_margin_pool as margin_pool
from keeper.protocols.glow_margin_pool import ChangeKind, MarginPoolState, PoolAction, PoolError
from keeper.units import UnixTime

SPAN = 60
"""Seconds between reading the debt and repaying it that are reckoned with: a blockhash lives about so long."""
STEP = 4


@dataclass(frozen=True, slots=True)
class WholeRepayment:
    """``owed``: tokens, as of the read. ``clearing``: what the first repayment pays. ``brings_down``: a second one follows."""

    owed: int
    clearing: int
    brings_down: bool


def whole_repayment(state: MarginPoolState, notes: int, now: UnixTime, allowed: int) -> WholeRepayment:
    """For a loan of ``notes`` in the pool as stored in ``state``, read at ``now``; ``allowed`` tokens may be spent in all.

    Raises ``PoolError`` where the pool's state cannot be computed with.
    """
    accrued = margin_pool.accrue_fully(state, now)
    owed = margin_pool.owed(accrued, notes)
    clearing = margin_pool.clearing_repayment(accrued, notes)
    if owed <= allowed < clearing:  # the largest repayment that clears takes a last unit for its rounding; it need not
        clearing = allowed
    brings_down = clearing <= allowed and all(
        _brings_down(state, notes, clearing, now + seconds, allowed) for seconds in range(0, SPAN + 1, STEP)
    )
    return WholeRepayment(owed, clearing, brings_down)


def _brings_down(state: MarginPoolState, notes: int, clearing: int, at: UnixTime, allowed: int) -> bool:
    """Whether the second repayment succeeds if both land at ``at``: what is left must not come to less than a note, nor be priced
    at more notes than there are, nor cost more than what is still allowed."""
    try:
        later = margin_pool.accrue_fully(state, at)
        first = margin_pool.from_tokens(later, PoolAction.REPAY, clearing)
        later = margin_pool.effects.repaid(later, first)
        left = notes - first.notes
        rest = margin_pool.changes.repay_amount(
            later, ChangeKind.SET_DESTINATION_TO, 0, source_tokens=allowed - clearing, loan_notes=left
        )
        margin_pool.effects.repaid(later, rest)
    except PoolError:
        return False
    # The facts (protocol.md 4.3) price what is left at the loan's own rate: allow for that, too.
    return rest.notes <= left and max(rest.tokens, margin_pool.owed(later, left)) <= allowed - clearing
