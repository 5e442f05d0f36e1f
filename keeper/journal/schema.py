"""The schema's version: checked and brought up to date whenever a journal is opened, in one transaction."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from keeper.journal import postgresql, sqlite
from keeper.journal.records import JournalError, SchemaTooNew

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLE = (
    "journal_version"  # our own name: a shared PostgreSQL database may have an alembic_version of another program
)


def check_durability(conn: Connection) -> None:
    """Raise ``JournalError`` when this database does not make commits durable."""
    (sqlite if conn.dialect.name == "sqlite" else postgresql).check_durability(conn)


def migrate(conn: Connection) -> None:
    """Upgrade to the newest migration; all of it happens or nothing. Raises ``SchemaTooNew``, ``JournalError``."""
    if conn.dialect.name == "sqlite":
        sqlite.adopt(conn)
    else:
        postgresql.lock_migrations(conn)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = conn
    scripts = ScriptDirectory.from_config(config)
    newest = scripts.get_current_head()
    present = MigrationContext.configure(conn, opts={"version_table": VERSION_TABLE}).get_current_heads()
    known = {script.revision for script in scripts.walk_revisions()}
    unknown = sorted(set(present) - known)
    if unknown:
        raise SchemaTooNew(
            f"the journal is at schema {', '.join(unknown)} and this keeper knows only up to {newest}; run the keeper "
            "version that migrated it, or a newer one"
        )
    if present == (newest,):
        return
    if newest is None:
        raise JournalError(f"no migrations in {MIGRATIONS}; the installation is incomplete, install it again")
    command.upgrade(config, "head")
