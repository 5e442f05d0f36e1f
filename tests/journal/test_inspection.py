"""Looking at a journal: what schema it is at, and nothing of it changed by the look."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from keeper.journal.database import Database
from keeper.journal.inspection import inspect
from keeper.journal.journal import Journal
from keeper.journal.records import JournalCorrupt, JournalError
from keeper.journal.schema import VERSION_TABLE

if TYPE_CHECKING:
    from tests.journal.conftest import Clock

VERSIONS = sa.table(VERSION_TABLE, sa.column("version_num"))


async def at(url: str, version: str) -> None:
    database = await Database.open(url, patience=5.0)
    await database.write(lambda conn: conn.execute(VERSIONS.update().values(version_num=version)))
    await database.close()


async def test_a_journal_that_does_not_exist_is_none_and_is_not_made(url: str) -> None:
    found = await inspect(url)
    assert (found.schema, found.known, found.current) == (None, True, False)
    assert (await inspect(url)).schema is None, "a second look finds the same nothing"
    if url.startswith("sqlite"):
        assert not Path(found.place).exists()


async def test_a_journal_of_this_keeper_is_current_also_while_it_is_open(url: str, clock: Clock) -> None:
    async with await Journal.open(url, wall=clock):
        found = await inspect(url)
    assert found.schema == found.newest
    assert found.current
    assert (await inspect(url)).current


async def test_an_older_schema_is_known_and_stays(url: str, clock: Clock) -> None:
    await (await Journal.open(url, wall=clock)).close()
    await at(url, "0001")
    found = await inspect(url)
    assert (found.schema, found.known, found.current) == ("0001", True, False)
    assert (await inspect(url)).schema == "0001"


async def test_a_newer_schema_is_not_known(url: str, clock: Clock) -> None:
    await (await Journal.open(url, wall=clock)).close()
    await at(url, "9999")
    found = await inspect(url)
    assert (found.schema, found.known) == ("9999", False)


async def test_what_is_no_journal_is_named(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database at all")
    with pytest.raises(JournalCorrupt, match="does not begin"):
        await inspect(f"sqlite:///{tmp_path}/text")
    with pytest.raises(JournalError, match="does not exist"):
        await inspect(f"sqlite:///{tmp_path}/nowhere/journal.db")
    with pytest.raises(JournalError, match="not one"):
        await inspect("::")


async def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    with pytest.raises(JournalError) as caught:
        await inspect("postgresql://keeper:hunter22@127.0.0.1:1/journal", patience=1.0)
    assert "hunter22" not in str(caught.value)
