"""What a database's failures are called, and what an operator should do about each."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from keeper.journal.records import JournalCorrupt, JournalError

# Overflow and encoding errors come from values that no column takes; they are raised by the drivers as they are.
FAILURES = (SQLAlchemyError, sqlite3.Error, OSError, OverflowError, UnicodeError)

# By SQLite's primary result code, https://www.sqlite.org/rescode.html
_SQLITE_REMEDIES = {
    sqlite3.SQLITE_BUSY: "another process holds the write lock; stop it, or give each keeper its own journal",
    sqlite3.SQLITE_LOCKED: "another connection holds the lock; stop it, or give each keeper its own journal",
    sqlite3.SQLITE_READONLY: "the file or its directory is read-only; make both writable for this user",
    sqlite3.SQLITE_PERM: "this user may not open the file; make it and its directory readable and writable",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened or created; check the path, and that the directory is writable",
    sqlite3.SQLITE_FULL: "the disk is full; free some space, nothing was written",
    sqlite3.SQLITE_IOERR: "the disk refuses the read or write; check its space, quota and health",
}
_SQLITE_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
DAMAGED = "is damaged: {}; it was left as it is. Move it away with its -wal and -shm files, and restore a backup"
_OTHERWISE = "check that the database is there, reachable and healthy"


@contextmanager
def named(place: str) -> Iterator[None]:
    """Turn what drivers raise into ``JournalError`` and its kinds, naming ``place`` and a remedy."""
    try:
        yield
    except FAILURES as error:
        raise failure(place, error) from error


def failure(place: str, error: BaseException) -> JournalError:
    """The journal's error for a driver's ``error``."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    text = " ".join(str(cause).split()) or type(cause).__name__
    code = getattr(cause, "sqlite_errorcode", None)
    if isinstance(code, int):
        primary = code & 0xFF
        if primary in _SQLITE_DAMAGE:
            return JournalCorrupt(f"the journal {place} " + DAMAGED.format(text))
        return JournalError(f"the journal {place} failed: {text}; {_SQLITE_REMEDIES.get(primary, _OTHERWISE)}")
    if isinstance(cause, OverflowError | UnicodeError):
        return JournalError(f"the journal {place} cannot hold a value that it was given: {text}; nothing was written")
    return JournalError(f"the journal {place} failed: {type(cause).__name__}: {text}; {_OTHERWISE}")
