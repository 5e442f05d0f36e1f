"""Intents, attempts and their transitions, as statements inside one transaction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from keeper.journal import ledger, standing
from keeper.journal.leadership import fence
from keeper.journal.records import (
    AttemptConflict,
    AttemptRecord,
    AttemptState,
    IntentRecord,
    JournalError,
    Leadership,
    LedgerEntry,
)
from keeper.journal.tables import SIGNED
from keeper.journal.tables import attempts as attempts_table
from keeper.journal.tables import intents as intents_table
from keeper.units import BlockHeight, Lamports, Slot

_LIVE = (AttemptState.SIGNED, AttemptState.LANDED)
# The intent, once for each attempt that a new one may collide with, or once with empty columns; no row: no such intent.
_RIVALS = (
    sa.select(attempts_table.c.intent_id, attempts_table.c.number, attempts_table.c.signature, attempts_table.c.state)
    .select_from(
        intents_table.outerjoin(
            attempts_table,
            sa.or_(
                attempts_table.c.intent_id == intents_table.c.intent_id,
                attempts_table.c.signature == sa.bindparam("signature"),
            ),
        )
    )
    .where(intents_table.c.intent_id == sa.bindparam("intent"))
    .order_by(attempts_table.c.seq)
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended."""

    signature: str
    state: AttemptState
    landed_slot: Slot | None
    error: str
    fee: Lamports
    entries: tuple[LedgerEntry, ...]

    def __post_init__(self) -> None:
        given = f"resolve({self.signature!r}, {self.state.value})"
        if not self.state.terminal:
            raise JournalError(f"{given}: resolve takes landed, failed or expired")
        if (self.landed_slot is None) != (self.state is AttemptState.EXPIRED):
            raise JournalError(
                f"{given} with landed_slot {self.landed_slot}: what executed has a slot, what expired has none"
            )
        if bool(self.error) != (self.state is AttemptState.FAILED) and self.state is not AttemptState.EXPIRED:
            raise JournalError(f"{given} with error {self.error!r}: failed needs the error's name, landed has none")
        if self.fee.value < 0 or (self.fee and self.state is AttemptState.EXPIRED):
            raise JournalError(f"{given} with fee {self.fee}: a fee is not negative, and what expired paid none")
        if self.entries and self.state is AttemptState.EXPIRED:
            raise JournalError(f"{given} with {len(self.entries)} ledger entries: what expired changed nothing")
        for entry in self.entries:
            if entry.signature != self.signature:
                raise JournalError(f"{given} with a ledger entry of {entry.signature!r}: book it by itself")
            if entry.kind == ledger.OPENING:
                raise JournalError(f"{given} with an opening balance: those go through open_ledger")


def record_intent(conn: Connection, held: Leadership, intent: IntentRecord, now: float) -> None:
    """Insert, or find the same one there."""
    fence(conn, held)
    if not intent.intent_id:
        raise JournalError("an intent needs an intent_id that identifies it for good")
    known = find_intent(conn, intent.intent_id)
    if known is not None:
        # The epoch says who wrote it first; a successor may decide the very same step.
        if replace(known, leader_epoch=intent.leader_epoch) != intent:
            raise JournalError(f"intent {intent.intent_id!r} is recorded as {known}, refused to change it to {intent}")
        return
    if intent.leader_epoch != held.epoch:
        raise JournalError(
            f"intent {intent.intent_id!r} says it was decided in epoch {intent.leader_epoch}, but {held.holder!r} leads in "
            f"epoch {held.epoch}; decide it again under this leadership"
        )
    conn.execute(
        intents_table.insert().values(
            intent_id=intent.intent_id,
            strategy=intent.strategy,
            reason=intent.reason,
            body=intent.body,
            decided_slot=intent.decided_slot.value,
            leader_epoch=intent.leader_epoch,
            recorded_at=now,
        )
    )


def record_attempt(conn: Connection, held: Leadership, attempt: AttemptRecord, now: float) -> None:
    """Insert a SIGNED attempt, or say what stands against it."""
    fence(conn, held)
    _check_new(attempt)
    rows = conn.execute(
        _RIVALS, {"intent": attempt.intent_id, "signature": attempt.signature}
    ).all()  # one statement: this is between a decision and its first byte sent
    if not rows:
        raise JournalError(f"intent {attempt.intent_id!r} is not recorded; record it before its attempts")
    rivals = [row for row in rows if row.signature is not None]
    for rival in rivals:
        if rival.intent_id == attempt.intent_id and rival.state in _LIVE:
            raise AttemptConflict(
                f"intent {attempt.intent_id!r} has attempt {rival.number}, {rival.signature}, which is {rival.state}; "
                f"refused attempt {attempt.number}, {attempt.signature}"
            )
    for rival in rivals:
        if rival.signature == attempt.signature:
            raise JournalError(f"signature {attempt.signature} is recorded already, for intent {rival.intent_id!r}")
        if rival.number == attempt.number:
            raise JournalError(
                f"intent {attempt.intent_id!r} already had an attempt {attempt.number}; number on from it"
            )
    conn.execute(
        attempts_table.insert().values(
            signature=attempt.signature,
            intent_id=attempt.intent_id,
            number=attempt.number,
            raw=attempt.raw,
            last_valid_block_height=attempt.last_valid_block_height.value,
            signed_slot=attempt.signed_slot.value,
            state=AttemptState.SIGNED.value,
            error="",
            fee=0,
            leader_epoch=held.epoch,
            recorded_at=now,
        )
    )


def _check_new(attempt: AttemptRecord) -> None:
    what = f"attempt {attempt.number} of intent {attempt.intent_id!r}"
    if not attempt.signature or not attempt.raw:
        raise JournalError(f"{what} needs its signature and its signed bytes")
    if attempt.number < 0:
        raise JournalError(f"{what}: attempts are numbered from 0 or 1 upwards")
    fresh = (AttemptState.SIGNED, None, "", Lamports(0))
    if (attempt.state, attempt.landed_slot, attempt.error, attempt.fee) != fresh:
        raise JournalError(
            f"{what} must be recorded before it is sent, in state signed and without an outcome: {attempt}"
        )


def resolve(conn: Connection, held: Leadership, outcome: Outcome, now: float) -> None:
    """SIGNED to a terminal state, with the ledger entries and running totals of it."""
    fence(conn, held)
    row = conn.execute(
        sa.select(attempts_table.c.state, intents_table.c.strategy, intents_table.c.body)
        .join(intents_table, intents_table.c.intent_id == attempts_table.c.intent_id)
        .where(attempts_table.c.signature == outcome.signature)
    ).one_or_none()
    if row is None:
        raise JournalError(
            f"signature {outcome.signature} is no recorded attempt; it cannot become {outcome.state.value}"
        )
    state = AttemptState(row.state)
    if state is outcome.state:
        return
    if state.terminal:
        raise JournalError(
            f"attempt {outcome.signature} is {state.value} for good; refused to call it {outcome.state.value}. One of the two "
            "was read from a node that was wrong: look the signature up on another"
        )
    conn.execute(
        attempts_table.update()
        .where(attempts_table.c.signature == outcome.signature)
        .values(
            state=outcome.state.value,
            landed_slot=None if outcome.landed_slot is None else outcome.landed_slot.value,
            error=outcome.error,
            fee=outcome.fee.value,
            resolved_at=now,
        )
    )
    ledger.append(conn, outcome.entries)
    ledger.count(conn, row.strategy, outcome.state, outcome.fee)
    if outcome.state is AttemptState.LANDED and outcome.landed_slot is not None:
        standing.landed(conn, row.strategy, row.body, outcome.landed_slot, outcome.entries)


def _attempt(row: Row[Any]) -> AttemptRecord:
    return AttemptRecord(
        signature=row.signature,
        intent_id=row.intent_id,
        number=row.number,
        raw=bytes(row.raw),
        last_valid_block_height=BlockHeight(row.last_valid_block_height),
        signed_slot=Slot(row.signed_slot),
        state=AttemptState(row.state),
        landed_slot=None if row.landed_slot is None else Slot(row.landed_slot),
        error=row.error,
        fee=Lamports(row.fee),
    )


def _intent(row: Row[Any]) -> IntentRecord:
    return IntentRecord(
        row.intent_id, row.strategy, row.reason, row.body, Slot(row.decided_slot), leader_epoch=row.leader_epoch
    )


def unresolved(conn: Connection) -> tuple[AttemptRecord, ...]:
    """SIGNED attempts, oldest first."""
    rows = conn.execute(attempts_table.select().where(SIGNED).order_by(attempts_table.c.seq))
    return tuple(_attempt(row) for row in rows)


def attempts(conn: Connection, intent_id: str | None) -> tuple[AttemptRecord, ...]:
    """Attempts of one intent or of all, oldest first."""
    query = attempts_table.select().order_by(attempts_table.c.seq)
    if intent_id is not None:
        query = query.where(attempts_table.c.intent_id == intent_id)
    return tuple(_attempt(row) for row in conn.execute(query))


def find_intent(conn: Connection, intent_id: str) -> IntentRecord | None:
    """One intent."""
    row = conn.execute(intents_table.select().where(intents_table.c.intent_id == intent_id)).one_or_none()
    return None if row is None else _intent(row)


def intents(conn: Connection, limit: int) -> tuple[IntentRecord, ...]:
    """Newest first."""
    rows = conn.execute(intents_table.select().order_by(intents_table.c.seq.desc()).limit(limit))
    return tuple(_intent(row) for row in rows)
