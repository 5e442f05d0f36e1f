"""SQLite under the journal: a file that is looked at before it is touched, and connections on which a commit is durable.

WAL with synchronous=FULL syncs the log at each commit (https://www.sqlite.org/pragma.html#pragma_synchronous).
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import URL, Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from keeper.journal.failures import DAMAGED, named
from keeper.journal.records import JournalCorrupt, JournalError

APPLICATION_ID = 0x474B4A31  # "GKJ1" in the file's header: this is a journal of ours and no other program's database
_MAGIC = b"SQLite format 3\0"
READ: dict[str, Any] = {"journal_write": False}
WRITE: dict[str, Any] = {"journal_write": True}
# One connection writes (a lock in Database sees to it), the others read beside it.
_CONNECTIONS = 3


def path_of(url: URL) -> Path:
    """The file that a ``sqlite:`` URL names. Raises ``JournalError`` for a database in memory or a missing directory."""
    if not url.database or ":memory:" in url.database or url.database.startswith("file:"):
        raise JournalError(
            "a journal in memory forgets what was signed; name a file, such as sqlite:////var/lib/keeper/journal.db"
        )
    if url.query:
        raise JournalError(f"the journal's url has options {dict(url.query)} that nothing reads; remove them")
    return Path(url.database).absolute()


def examine(path: Path) -> None:
    """Look at the file without writing to it. A missing or empty one is fine.

    Raises ``JournalCorrupt`` for damage and for another program's database, ``JournalError`` for a path that cannot be used.
    """
    if not path.parent.is_dir():
        raise JournalError(f"the directory {path.parent} of the journal {path.name} does not exist; create or mount it")
    with named(str(path)):
        try:
            with path.open("rb") as file:
                head = file.read(len(_MAGIC))
        except FileNotFoundError:
            return
        if not head:
            return
        if head != _MAGIC:
            raise JournalCorrupt(f"the journal {path} " + DAMAGED.format("it does not begin as a SQLite database"))
        # Read-only, so that a damaged file stays as it is. A rollback journal beside it (there is one only while a file is being
        # created) must be applied before anything can be read.
        mode = "rw" if Path(f"{path}-journal").exists() else "ro"
        with closing(sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, isolation_level=None)) as conn:
            verdict = conn.execute("PRAGMA quick_check(1)").fetchone()[0]
            if verdict != "ok":
                raise JournalCorrupt(f"the journal {path} " + DAMAGED.format(" ".join(verdict.split())))
            (owner,) = conn.execute("PRAGMA application_id").fetchone()
            (tables,) = conn.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if tables and owner != APPLICATION_ID:
                raise JournalCorrupt(f"{path} is another program's database; it was left as it is. Name another file")


def sync_directory(path: Path) -> None:
    """Make the file's name itself durable: SQLite syncs the directory for its logs, not for the database."""
    with named(str(path)):
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def engine(path: Path, patience: float) -> AsyncEngine:
    """An engine on ``path`` that waits ``patience`` seconds for another process's lock."""
    made = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(path)),
        # isolation_level None: the driver begins nothing by itself, _begin below does.
        connect_args={"isolation_level": None, "timeout": patience},
        pool_size=_CONNECTIONS,
        max_overflow=0,
    )
    event.listen(made.sync_engine, "connect", _configure)
    event.listen(made.sync_engine, "begin", _begin)
    return made


def _configure(connection: Any, record: ConnectionPoolEntry) -> None:  # noqa: ARG001 - the event's signature
    cursor = connection.cursor()
    try:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "fullfsync = ON", "foreign_keys = ON"):
            cursor.execute(f"PRAGMA {pragma}")
    finally:
        cursor.close()


def _begin(conn: Connection) -> None:
    # A write locks at once: a transaction that first reads and then finds the lock taken could only fail.
    write = conn.get_execution_options()["journal_write"]
    conn.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def check_durability(conn: Connection) -> None:
    """Raise ``JournalError`` unless a commit on this connection survives a power cut."""
    mode = conn.exec_driver_sql("PRAGMA journal_mode").scalar_one()
    synchronous = conn.exec_driver_sql("PRAGMA synchronous").scalar_one()
    foreign_keys = conn.exec_driver_sql("PRAGMA foreign_keys").scalar_one()
    if (mode, synchronous, foreign_keys) != ("wal", 2, 1):
        raise JournalError(
            f"SQLite runs with journal_mode={mode}, synchronous={synchronous}, foreign_keys={foreign_keys} here, and the journal "
            "needs wal, 2 (FULL), 1; put it on a local disk (not a network share), or use PostgreSQL"
        )


def adopt(conn: Connection) -> None:
    """Write the mark by which ``examine`` knows a journal."""
    conn.execute(sa.text(f"PRAGMA application_id = {APPLICATION_ID}"))
