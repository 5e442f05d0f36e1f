"""Opening: created, migrated, recognised; and what is not a sound journal of ours is left as it is."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from keeper.journal.database import Database
from keeper.journal.journal import Journal
from keeper.journal.records import JournalCorrupt, JournalError, SchemaTooNew
from keeper.journal.schema import VERSION_TABLE
from keeper.journal.tables import metadata

if TYPE_CHECKING:
    from tests.journal.conftest import Clock, Records


async def fill(url: str, clock: Clock, records: Records) -> None:
    async with await Journal.open(url, wall=clock) as journal:
        held = await journal.acquire("keeper-0", 15.0)
        for number in range(60):
            await journal.record_intent(held, records.intent(f"i{number}", held, body="x" * 800))
            await journal.record_attempt(held, records.attempt(f"i{number}", f"s{number}", raw=b"y" * 900))


async def open_and_write(url: str, clock: Clock) -> None:
    async with await Journal.open(url, wall=clock) as journal:
        assert await journal.writable()


async def test_reopening_changes_nothing(url: str, clock: Clock, records: Records) -> None:
    async with await Journal.open(url, wall=clock) as journal:
        held = await journal.acquire("keeper-0", 15.0)
        await journal.record_intent(held, records.intent("i1", held))
        await journal.book(held, [records.entry("d", "external", 5)])
        before = await journal.snapshot()
    for _ in range(2):
        async with await Journal.open(url, wall=clock) as journal:
            assert await journal.snapshot() == before


async def test_the_migrations_make_the_tables_that_the_code_uses(url: str) -> None:
    database = await Database.open(url, patience=5.0)

    def differences(conn: sa.Connection) -> list[object]:
        options = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(conn, opts=options), metadata))

    try:
        assert await database.read(differences) == []
    finally:
        await database.close()


async def test_the_migrations_make_the_constraints_that_the_code_relies_on(
    sqlite_url: str, file: Path, tmp_path: Path, clock: Clock
) -> None:
    """Checks and partial indexes escape Alembic's comparison; SQLite keeps their text."""
    await (await Journal.open(sqlite_url, wall=clock)).close()
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'declared.db'}")
    metadata.create_all(engine)
    engine.dispose()

    def statements(path: Path) -> set[str]:
        with closing(sqlite3.connect(path)) as conn:
            found = conn.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name != ?", [VERSION_TABLE])
            return {" ".join(sql.split()) for (sql,) in found}

    assert statements(file) == statements(tmp_path / "declared.db")


async def test_commits_are_synced_and_foreign_keys_hold(sqlite_url: str) -> None:
    database = await Database.open(sqlite_url, patience=5.0)

    def pragmas(conn: sa.Connection) -> dict[str, object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        return {name: conn.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names}

    try:
        expected = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}
        assert await database.write(pragmas) == await database.read(pragmas) == expected
    finally:
        await database.close()


async def test_a_newer_schema_is_refused_untouched(url: str, clock: Clock) -> None:
    await (await Journal.open(url, wall=clock)).close()
    database = await Database.open(url, patience=5.0)
    await database.write(
        lambda conn: conn.execute(sa.table(VERSION_TABLE, sa.column("version_num")).update().values(version_num="9999"))
    )
    await database.close()
    with pytest.raises(SchemaTooNew, match=r"9999.*knows only up to 00\d\d"):
        await Journal.open(url, wall=clock)


async def test_a_migration_that_was_cut_short_leaves_nothing_behind(
    sqlite_url: str, file: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last table of the first migration cannot be made: the file must be as if the migration never began."""
    from alembic.operations import Operations

    create_table = Operations.create_table

    def fail_last(self: Operations, name: str, *columns: Any, **options: Any) -> object:
        if name == "totals":
            raise OSError(28, "No space left on device")
        return create_table(self, name, *columns, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Operations, "create_table", fail_last)
        with pytest.raises(JournalError, match="No space left"):
            await Journal.open(sqlite_url, wall=clock)
    with closing(sqlite3.connect(file)) as conn:
        assert conn.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    async with await Journal.open(sqlite_url, wall=clock) as journal:
        assert await journal.writable()


@pytest.mark.parametrize("damage", ["not a database", "page in the middle", "header", "cut in half"])
def test_a_damaged_file_is_named_and_left_untouched(
    sqlite_url: str, file: Path, clock: Clock, records: Records, damage: str
) -> None:
    asyncio.run(fill(sqlite_url, clock, records))
    content = bytearray(file.read_bytes())
    match damage:
        case "not a database":
            content = bytearray(b"this is my diary, not a database\n" * 200)
        case "page in the middle":
            for page in range(2, len(content) // 4096):
                content[page * 4096 : page * 4096 + 200] = b"\xa5" * 200
        case "header":
            content[16:100] = b"\xff" * 84
        case "cut in half":
            del content[len(content) // 2 :]
    file.write_bytes(content)
    with pytest.raises(JournalCorrupt, match=r"journal\.db.*damaged.*restore a backup"):
        asyncio.run(Journal.open(sqlite_url, wall=clock))
    assert file.read_bytes() == content


def test_another_programs_database_is_left_alone(sqlite_url: str, file: Path, clock: Clock) -> None:
    with closing(sqlite3.connect(file)) as conn:
        conn.execute("CREATE TABLE trades (id INTEGER)")
    content = file.read_bytes()
    with pytest.raises(JournalCorrupt, match="another program's database"):
        asyncio.run(Journal.open(sqlite_url, wall=clock))
    assert file.read_bytes() == content


def test_a_creation_that_was_killed_half_way_is_finished(sqlite_url: str, file: Path, clock: Clock) -> None:
    """A kill while SQLite makes the file may leave it empty, or with its first page under a rollback journal."""
    file.touch()
    asyncio.run(open_and_write(sqlite_url, clock))
    file.unlink()
    script = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('PRAGMA cache_size = 1');"
        "c.execute('PRAGMA user_version = 1'); c.execute('BEGIN'); c.execute('CREATE TABLE t (x)');"
        "c.executemany('INSERT INTO t VALUES (?)', [('y' * 4000,) for _ in range(100)]); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", script, file], check=True)
    assert Path(f"{file}-journal").exists()
    asyncio.run(open_and_write(sqlite_url, clock))


URLS = {
    "sqlite://": "in memory forgets",
    "sqlite:///:memory:": "in memory forgets",
    "sqlite:////no/such/directory/j.db": "directory /no/such/directory .* does not exist",
    "sqlite:////tmp": "Is a directory",
    "sqlite:////tmp/j.db?mode=ro": "options .* nothing reads",
    "mysql://host/x": "'mysql'; write sqlite:",
    "journal.db": "write sqlite:",
    "postgresql://keeper:hunter2@127.0.0.1:1/x?foo=1": "option 'foo'",
    "postgresql://keeper:hunter2@127.0.0.1:1/x": r"keeper:\*\*\*@127.0.0.1.*reachable",
}


@pytest.mark.parametrize("url", URLS)
async def test_a_url_that_cannot_work_says_why(url: str, clock: Clock) -> None:
    if url.startswith("postgresql"):
        pytest.importorskip("asyncpg")
    with pytest.raises(JournalError, match=URLS[url]) as refused:
        await Journal.open(url, wall=clock)
    assert "hunter2" not in str(refused.value)


async def test_postgresql_without_its_driver_names_the_extra(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keeper.journal.postgresql.find_spec", lambda _: None)
    with pytest.raises(JournalError, match=r"glow-keeper\[postgres\]"):
        await Journal.open("postgresql://keeper@localhost/x", wall=clock)


@pytest.mark.parametrize("directory_mode", [0o777, 0o555])
async def test_a_read_only_file_is_refused(clock: Clock, directory_mode: int) -> None:
    """Root may write anything, so root looks with another user's eyes."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        file = Path(name) / "journal.db"
        await (await Journal.open(f"sqlite:///{file}", wall=clock)).close()
        before = file.read_bytes()
        file.chmod(0o444)
        file.parent.chmod(directory_mode)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            with pytest.raises(JournalError, match=rf"{file} failed: .*(read-only|directory is writable)"):
                await Journal.open(f"sqlite:///{file}", wall=clock)
        finally:
            os.seteuid(user)
            file.parent.chmod(0o755)
        assert file.read_bytes() == before
