"""Looking at a journal without changing it: opening one creates and migrates, which is not for a mere look."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import ArgumentError

from keeper.journal import postgresql, sqlite
from keeper.journal.database import Database
from keeper.journal.failures import named
from keeper.journal.records import JournalError
from keeper.journal.schema import MIGRATIONS, VERSION_TABLE


@dataclass(frozen=True, slots=True)
class Inspected:
    """``place``: a file, or a URL without its password. ``schema``: the version that it is at, None where there is no journal
    yet. ``newest``: the version of this keeper. ``known``: this keeper can bring it from there to its own."""

    place: str
    schema: str | None
    newest: str
    known: bool

    @property
    def current(self) -> bool:
        return self.schema == self.newest


async def inspect(url: str, *, patience: float = 5.0) -> Inspected:
    """Raises ``JournalError`` and its kinds for a journal that cannot be reached or read."""
    try:
        parsed = sa.make_url(url)
    except ArgumentError as error:
        raise JournalError("the journal's url is not one; see docs/configuration.md, [journal]") from error
    if parsed.get_backend_name() == "sqlite":
        path = sqlite.path_of(parsed)
        place, schema = str(path), await asyncio.to_thread(_of_file, path)
    else:
        place = parsed.render_as_string(hide_password=True)
        database = Database(postgresql.engine(parsed, patience), place, postgresql)
        try:
            schema = await database.read(_version)
        finally:
            await database.close()
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    known = {script.revision for script in scripts.walk_revisions()}
    return Inspected(place, schema, scripts.get_current_head() or "", schema is None or schema in known)


def _version(conn: Connection) -> str | None:
    return MigrationContext.configure(conn, opts={"version_table": VERSION_TABLE}).get_current_revision()


def _of_file(path: Path) -> str | None:
    sqlite.examine(path)
    if not path.exists() or not path.stat().st_size:
        return None
    with named(str(path)), closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as conn:
        tables = conn.execute("SELECT count(*) FROM sqlite_master WHERE name = ?", (VERSION_TABLE,)).fetchone()[0]
        row = conn.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone() if tables else None  # noqa: S608 - our constant
        return None if row is None else str(row[0])
