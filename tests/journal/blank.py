"""A journal with nothing in it, made once for each process: making its schema takes longer than most tests that need one."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from keeper.journal.journal import Journal


@cache
def blank_journal() -> bytes:
    """The SQLite file of an empty journal at today's schema."""
    with TemporaryDirectory() as folder, ThreadPoolExecutor(1) as pool:  # a thread, as the caller's loop may be running
        path = Path(folder) / "journal.db"

        async def create() -> None:
            await (await Journal.open(f"sqlite:///{path}", wall=lambda: 0.0)).close()

        pool.submit(asyncio.run, create()).result()
        return path.read_bytes()
