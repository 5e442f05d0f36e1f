"""One database behind the journal: how it is opened, how a transaction runs, and what its failures are called."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, Self, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine

from keeper.journal import postgresql, schema, sqlite
from keeper.journal.failures import named
from keeper.journal.records import JournalError

Answer = TypeVar("Answer")


class Backend(Protocol):
    """What ``keeper.journal.sqlite`` and ``keeper.journal.postgresql`` say about their transactions."""

    READ: dict[str, Any]
    WRITE: dict[str, Any]


class Database:
    """Transactions on one engine. Writes of this process go one after the other; reads run beside them."""

    def __init__(self, engine: AsyncEngine, place: str, backend: Backend) -> None:
        self._engine = engine
        self._place = place  # for messages: a file, or a URL without its password
        self._backend = backend
        self._writing = asyncio.Lock()
        self._under_way: set[asyncio.Task[Any]] = set()
        self._closed = False

    @classmethod
    async def open(cls, url: str, *, patience: float) -> Self:
        """Connect, check that commits are durable here, and migrate. Raises ``JournalError`` and its kinds."""
        try:
            parsed = sa.make_url(url)
        except ArgumentError as error:
            raise JournalError(f"the journal's url is not one; {_URLS}") from error
        place = parsed.render_as_string(hide_password=True)
        match parsed.get_backend_name():
            case "sqlite":
                path = sqlite.path_of(parsed)
                place = str(path)
                await asyncio.to_thread(sqlite.examine, path)
                database = cls(sqlite.engine(path, patience), place, sqlite)
            case "postgresql" | "postgres":
                database = cls(postgresql.engine(parsed, patience), place, postgresql)
            case other:
                raise JournalError(f"the journal's url begins with {other!r}; {_URLS}")
        try:
            await database.read(schema.check_durability)
            await database.write(schema.migrate)
        except BaseException:
            await database.close()
            raise
        if parsed.get_backend_name() == "sqlite":
            await asyncio.to_thread(sqlite.sync_directory, path)
        return database

    async def write(self, work: Callable[[Connection], Answer]) -> Answer:
        """Run ``work`` in a transaction that is committed and durable when this returns, rolled back when it raises."""
        return await self._to_the_end(self._write(work))

    async def read(self, work: Callable[[Connection], Answer]) -> Answer:
        """Run ``work`` in a transaction that only reads."""
        return await self._to_the_end(self._transaction(work, self._backend.READ))

    async def close(self) -> None:
        """Wait for transactions under way, then close every connection."""
        self._closed = True
        while self._under_way:
            await asyncio.wait(self._under_way)
        with named(self._place):
            await self._engine.dispose()

    async def _to_the_end(self, transaction: Coroutine[Any, Any, Answer]) -> Answer:
        # A task of its own, shielded: cancelling the caller must not break the connection in the middle of a commit.
        if self._closed:
            transaction.close()
            raise JournalError(f"the journal {self._place} was closed; open it again")
        task = asyncio.ensure_future(transaction)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def _write(self, work: Callable[[Connection], Answer]) -> Answer:
        async with self._writing:
            return await self._transaction(work, self._backend.WRITE)

    async def _transaction(self, work: Callable[[Connection], Answer], options: dict[str, Any]) -> Answer:
        with named(self._place):
            async with self._engine.connect() as conn:
                await conn.execution_options(**options)
                async with conn.begin():
                    return await conn.run_sync(work)


_URLS = "write sqlite:////absolute/path/journal.db or postgresql://user:password@host:5432/database"
