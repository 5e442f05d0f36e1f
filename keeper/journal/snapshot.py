"""The journal at one moment, for a status page or a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from keeper.journal import attempts, leadership, ledger
from keeper.journal.records import AttemptRecord, IntentRecord, Leadership, LedgerEntry, Totals


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Read in one transaction, so its parts agree with each other. ``intents`` and ``entries`` are newest first."""

    leader: Leadership | None
    unresolved: tuple[AttemptRecord, ...]
    intents: tuple[IntentRecord, ...]
    attempts: Mapping[
        str, tuple[AttemptRecord, ...]
    ]  # intent_id -> its attempts, oldest first, for each of ``intents``
    entries: tuple[LedgerEntry, ...]
    balances: Mapping[tuple[str, str], int]
    totals: Totals


def take(conn: Connection, recent: int) -> Snapshot:
    """The state with the newest ``recent`` intents and ledger entries."""
    newest = attempts.intents(conn, recent)
    return Snapshot(
        leader=leadership.current(conn),
        unresolved=attempts.unresolved(conn),
        intents=newest,
        attempts={intent.intent_id: attempts.attempts(conn, intent.intent_id) for intent in newest},
        entries=ledger.entries(conn, recent),
        balances=ledger.balances(conn),
        totals=ledger.totals(conn),
    )
