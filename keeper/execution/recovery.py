"""Startup is recovery: what an earlier process left in flight is brought to its end by the same loop that lands anything."""

from __future__ import annotations

from keeper.execution.landing import Landing
from keeper.execution.outcome import Outcome
from keeper.journal.records import Leadership

UNKNOWN_STRATEGY = ""


async def recover(leadership: Leadership, landing: Landing) -> tuple[Outcome, ...]:
    """Follow every unresolved attempt of the journal, oldest first, and hand back how each ended.

    One after the other: their blockhashes age together, so the first wait covers most of the others'. Raises
    ``JournalError`` as ``Landing.follow``.
    """
    outcomes: list[Outcome] = []
    for attempt in await landing.journal.unresolved():
        intent = await landing.journal.intent(attempt.intent_id)
        strategy = intent.strategy if intent is not None else UNKNOWN_STRATEGY
        started = landing.clock.now()
        outcome = await landing.follow(leadership, attempt, strategy)
        landing.observer.outcome(strategy, outcome, landing.clock.now() - started)
        outcomes.append(outcome)
    return tuple(outcomes)
