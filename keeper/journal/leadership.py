"""The leadership row: who may write, and the fence that every write passes.

Safety rests on the epoch alone, which is compared in the transaction of each write. The lease only says when another may
try, so clocks that disagree cost time, never a second writer.
"""

from __future__ import annotations

import math

import sqlalchemy as sa
from sqlalchemy import Connection

from keeper.journal.records import FencedOut, JournalError, Leadership, LeadershipHeld
from keeper.journal.tables import leadership, probe

_ROW = sa.select(leadership.c.holder, leadership.c.epoch, leadership.c.expires_at)
# On PostgreSQL the row's lock lasts until the commit, so a takeover waits for writes under way and then fences the next.
# On SQLite the clause is left out: BEGIN IMMEDIATE has locked the whole file.
_LOCKED = _ROW.with_for_update()


def _row(conn: Connection, query: sa.Select[tuple[str, int, float]]) -> Leadership:
    row = conn.execute(query).one_or_none()
    if row is None:
        raise JournalError("the leadership row is missing from the journal; restore the database from a backup")
    return Leadership(row.holder, row.epoch, row.expires_at)


def _expiry(now: float, lease_seconds: float) -> float:
    if not (math.isfinite(lease_seconds) and lease_seconds > 0):
        raise JournalError(f"a lease must be a positive number of seconds, got {lease_seconds!r}")
    return now + lease_seconds


def acquire(conn: Connection, holder: str, now: float, lease_seconds: float) -> Leadership:
    """Take the row in a new epoch, or raise ``LeadershipHeld``."""
    if not holder:
        raise JournalError("a leader needs a name; give each replica its own, such as the pod's name")
    expires_at = _expiry(now, lease_seconds)
    row = _row(conn, _LOCKED)
    if row.holder not in ("", holder) and row.expires_at > now:
        raise LeadershipHeld(row.holder, row.expires_at)
    taken = Leadership(holder, row.epoch + 1, expires_at)
    conn.execute(leadership.update().values(holder=taken.holder, epoch=taken.epoch, expires_at=taken.expires_at))
    return taken


def fence(conn: Connection, held: Leadership) -> None:
    """Refuse the transaction unless ``held`` is the newest leadership. First thing in every write. Raises ``FencedOut``."""
    row = _row(conn, _LOCKED)
    if (row.holder, row.epoch) != (held.holder, held.epoch):
        now_leads = f"{row.holder!r} leads" if row.holder else "nobody leads"
        raise FencedOut(
            f"{held.holder!r} held epoch {held.epoch}, but {now_leads} in epoch {row.epoch}; stop signing and sending, "
            "then acquire again"
        )


def renew(conn: Connection, held: Leadership, now: float, lease_seconds: float) -> Leadership:
    """The lease from now on, in the same epoch. A lease that ran out is renewed too, if nobody took it meanwhile."""
    expires_at = _expiry(now, lease_seconds)
    fence(conn, held)
    conn.execute(leadership.update().values(expires_at=expires_at))
    return Leadership(held.holder, held.epoch, expires_at)


def release(conn: Connection, held: Leadership) -> None:
    """Free the row, if it is still held. The epoch stays, so it keeps growing."""
    mine = (leadership.c.epoch == held.epoch) & (leadership.c.holder == held.holder)
    conn.execute(leadership.update().where(mine).values(holder="", expires_at=0.0))


def current(conn: Connection) -> Leadership | None:
    """The row as it stands, None when it is free."""
    row = _row(conn, _ROW)
    return row if row.holder else None


def beat(conn: Connection, now: float) -> None:
    """The smallest durable write there is."""
    conn.execute(probe.update().values(written_at=now))
