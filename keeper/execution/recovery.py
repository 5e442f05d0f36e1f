"""Startup is recovery: what an earlier process left in flight is brought to its end by the same loop that lands anything."""

from __future__ import annotations

from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from keeper.execution.landing import Landing
from keeper.execution.outcome import Outcome
from keeper.journal.records import AttemptRecord, JournalError, Leadership

UNKNOWN_STRATEGY = ""


async def recover(leadership: Leadership, landing: Landing) -> tuple[Outcome, ...]:
    """Follow every unresolved attempt of the journal, oldest first, and hand back how each ended.

    One after the other: their blockhashes age together, so the first wait covers most of the others'. Raises
    ``JournalError`` as ``Landing.follow``, and for an attempt that another wallet signed.
    """
    outcomes: list[Outcome] = []
    attempts = await landing.journal.unresolved()
    for attempt in attempts:
        _require_ours(attempt, landing.owner)
    for attempt in attempts:
        intent = await landing.journal.intent(attempt.intent_id)
        strategy = intent.strategy if intent is not None else UNKNOWN_STRATEGY
        started = landing.clock.now()
        outcome = await landing.follow(leadership, attempt, strategy)
        landing.observer.outcome(strategy, outcome, landing.clock.now() - started)
        outcomes.append(outcome)
    return tuple(outcomes)


def _require_ours(attempt: AttemptRecord, owner: Pubkey) -> None:
    signer = VersionedTransaction.from_bytes(attempt.raw).message.account_keys[0]
    if signer != owner:
        raise JournalError(
            f"attempt {attempt.signature} is in flight for wallet {signer}, but the keeper runs with {owner}; start it with the "
            "former keypair until that attempt has come to its end, or give the new wallet a journal of its own"
        )
