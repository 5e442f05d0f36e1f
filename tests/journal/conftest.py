"""A journal on each database that this machine can run, and short ways to write records."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from keeper.journal.journal import Journal
from keeper.journal.records import AttemptRecord, IntentRecord, Leadership, LedgerEntry
from keeper.units import BlockHeight, Slot, UnixTime
from tests.journal.blank import blank_journal

LEASE = 15.0


@dataclass
class Clock:
    """Wall time that moves only when told to."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Records:
    """Records that differ only where a test says so."""

    @staticmethod
    def intent(intent_id: str, held: Leadership, **changes: Any) -> IntentRecord:
        fields: dict[str, Any] = {
            "strategy": "arbitrage",
            "reason": "premium",
            "body": '{"steps":[]}',
            "decided_slot": Slot(100),
            "leader_epoch": held.epoch,
        }
        return IntentRecord(intent_id=intent_id, **(fields | changes))

    @staticmethod
    def attempt(intent_id: str, signature: str, number: int = 1, **changes: Any) -> AttemptRecord:
        fields: dict[str, Any] = {
            "raw": b"\x01" + signature.encode() + b"\x00\xff",
            "last_valid_block_height": BlockHeight(250),
            "signed_slot": Slot(101),
        }
        return AttemptRecord(signature=signature, intent_id=intent_id, number=number, **(fields | changes))

    @staticmethod
    def entry(signature: str, kind: str, delta: int, account: str = "wallet", asset: str = "lamports") -> LedgerEntry:
        return LedgerEntry(signature, Slot(105), UnixTime(1_800_000_000), account, asset, kind, delta, "arbitrage")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def records() -> Records:
    return Records()


@dataclass(frozen=True)
class Server:
    """A private PostgreSQL server, reached through a socket in ``directory``."""

    binaries: Path
    directory: Path

    @property
    def url(self) -> str:
        return f"postgresql://keeper@/postgres?host={self.directory}"

    def empty(self) -> None:
        """Forget what the last test wrote. (A database for each test would take several times as long.)"""
        statement = "DROP SCHEMA public CASCADE; CREATE SCHEMA public"
        psql: list[str | Path] = [
            self.binaries / "psql",
            "-q",
            "-h",
            self.directory,
            "-U",
            "keeper",
            "-c",
            statement,
            "postgres",
        ]
        subprocess.run(psql, check=True, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server of our own, run by a user that is not root (PostgreSQL refuses root)."""
    found = [Path(path).resolve().parent for path in (shutil.which("initdb"),) if path]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not found:
        pytest.skip("no PostgreSQL server on this machine")
    if find_spec("asyncpg") is None:
        pytest.skip("the extra 'postgres' is not installed")
    binaries = found[-1]
    directory = Path(tempfile.mkdtemp(prefix="journal-", dir="/tmp"))  # short: a socket's path has some 100 characters
    identity: dict[str, Any] = {}
    if os.geteuid() == 0:
        user = next((name for name in ("postgres", "nobody") if _exists(name)), "")
        if not user:
            pytest.skip("root cannot run PostgreSQL and there is no other user")
        entry = pwd.getpwnam(user)
        os.chown(directory, entry.pw_uid, entry.pw_gid)
        identity = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    data = directory / "data"
    silent: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": directory}
    subprocess.run(
        [binaries / "initdb", "-D", data, "-A", "trust", "-U", "keeper", "--no-sync"], check=True, **silent, **identity
    )
    options = [f"-cunix_socket_directories={directory}", "-clisten_addresses=", "-cshared_buffers=16MB"]
    postgres = subprocess.Popen([binaries / "postgres", "-D", data, *options], **silent, **identity)
    try:
        for _ in range(200):
            ready = subprocess.run([binaries / "pg_isready", "-q", "-h", directory], check=False)
            if ready.returncode == 0:
                break
            time.sleep(0.05)
        else:
            pytest.fail(f"{binaries}/postgres did not start in {directory}")
        yield Server(binaries, directory)
    finally:
        postgres.send_signal(signal.SIGQUIT)  # at once: nothing in it is worth a checkpoint
        postgres.wait(20)
        shutil.rmtree(directory)


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def sqlite_url(file: Path) -> str:
    return f"sqlite:///{file}"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, sqlite_url: str) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return sqlite_url
    server: Server = request.getfixturevalue("server")
    server.empty()
    return server.url


@pytest.fixture
async def journal(url: str, file: Path, clock: Clock) -> AsyncIterator[Journal]:
    if url.startswith("sqlite"):
        file.write_bytes(blank_journal())
    async with await Journal.open(url, wall=clock) as opened:
        yield opened


@pytest.fixture
async def held(journal: Journal) -> Leadership:
    return await journal.acquire("keeper-0", LEASE)
