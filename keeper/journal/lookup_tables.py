"""The keeper's own lookup tables, as statements inside one transaction.

A table's address follows from the slot it was asked for in, which nobody could find again after a crash: so it is written down
before the transaction that creates it is signed, and struck out only when the table is proven not to be there.
"""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy import Connection

from keeper.journal.leadership import fence
from keeper.journal.records import JournalError, Leadership, OwnTable
from keeper.journal.tables import lookup_tables as rows
from keeper.units import Slot


def record(conn: Connection, held: Leadership, table: OwnTable, now: float) -> None:
    """Insert, or find the same one there."""
    fence(conn, held)
    if not table.address or not table.authority:
        raise JournalError(f"a lookup table needs its address and its authority, got {table}")
    known = next((one for one in tables(conn, None) if one.address == table.address), None)
    if known is None:
        conn.execute(
            rows.insert().values(
                address=table.address,
                authority=table.authority,
                recent_slot=table.recent_slot.value,
                recorded_at=now,
            )
        )
    elif replace(known, retired=table.retired) != table:
        raise JournalError(f"lookup table {table.address} is recorded as {known}, refused to change it to {table}")


def forget(conn: Connection, held: Leadership, address: str) -> None:
    """Strike a table out; without effect where it is not known."""
    fence(conn, held)
    conn.execute(rows.delete().where(rows.c.address == address))


def retire(conn: Connection, held: Leadership, address: str, now: float) -> None:
    """Note that a table is out of use for good; without effect where it is not known, or was noted before."""
    fence(conn, held)
    conn.execute(rows.update().where((rows.c.address == address) & rows.c.retired_at.is_(None)).values(retired_at=now))


def tables(conn: Connection, authority: str | None) -> tuple[OwnTable, ...]:
    """Those of ``authority``, or all, by rising slot."""
    query = sa.select(rows).order_by(rows.c.recent_slot, rows.c.address)
    if authority is not None:
        query = query.where(rows.c.authority == authority)
    return tuple(
        OwnTable(row.address, row.authority, Slot(row.recent_slot), row.retired_at is not None)
        for row in conn.execute(query)
    )
