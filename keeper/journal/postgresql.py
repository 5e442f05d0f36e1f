"""PostgreSQL under the journal, for more than one replica."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from sqlalchemy import URL, Connection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from keeper.journal.records import JournalError

# A read sees one moment, however many statements it makes. Writes are ordered by the lock on the leadership row.
READ: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
WRITE: dict[str, Any] = {"isolation_level": "READ COMMITTED", "postgresql_readonly": False}
_MIGRATION_LOCK = 0x676C6F77  # "glow": any number that every keeper shares
_OPTIONS = frozenset({"host", "sslmode"})  # host: the directory of a Unix socket
_NETWORK_PATIENCE = 10.0  # seconds beyond the lock's patience, after which a silent server counts as gone


def engine(url: URL, patience: float) -> AsyncEngine:
    """An engine whose commits are synchronous and whose waits for locks and for the network end."""
    if find_spec("asyncpg") is None:
        raise JournalError("PostgreSQL needs the extra 'postgres': install glow-keeper[postgres]")
    milliseconds = str(max(1, round(patience * 1000)))
    if unknown := sorted(set(url.query) - _OPTIONS):
        raise JournalError(f"the journal's url has the option {unknown[0]!r}; known are {', '.join(sorted(_OPTIONS))}")
    # libpq's name for TLS; asyncpg takes the same words under another one.
    query = {("ssl" if name == "sslmode" else name): value for name, value in url.query.items()}
    return create_async_engine(
        url.set(drivername="postgresql+asyncpg", query=query),
        connect_args={
            "timeout": patience + _NETWORK_PATIENCE,
            "command_timeout": patience + _NETWORK_PATIENCE,
            "server_settings": {
                "application_name": "glow-keeper",
                "synchronous_commit": "on",
                "lock_timeout": milliseconds,
                "idle_in_transaction_session_timeout": "60000",
            },
        },
        pool_size=3,
        max_overflow=0,
        pool_pre_ping=True,  # a server restarted overnight costs one round trip, not one failed write
    )


def check_durability(conn: Connection) -> None:
    """Raise ``JournalError`` when the server does not sync its commits to disk."""
    for setting in ("fsync", "synchronous_commit"):
        value = conn.exec_driver_sql(f"SHOW {setting}").scalar_one()
        if value != "on":
            raise JournalError(f"the PostgreSQL server runs with {setting}={value}: a commit may be lost; set it to on")


def lock_migrations(conn: Connection) -> None:
    """Let one replica at a time migrate. Held until the transaction ends."""
    conn.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
