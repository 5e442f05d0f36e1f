"""kill -9 at any moment: what the journal acknowledged is there, what it did not is whole or absent.

A kill does not empty the disk's caches; that commits are synced at all is held by test_opening.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from hashlib import sha512
from pathlib import Path

import pytest

from keeper.journal.journal import Journal
from keeper.journal.records import AttemptState
from keeper.journal.snapshot import Snapshot

KILLS_WRITING = 20
KILLS_CREATING = 8
SEEDS = [1, 2026]


class Writer:
    """The forking process, and the kills."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("killed_writer.py")
        root = Path(__file__).parents[2]
        self.process = subprocess.Popen(
            [sys.executable, script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(root)},
        )

    def _read(self) -> list[str]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the writer ended by itself"
        return line.split()

    def run(self, url: str, seed: int, *, acknowledged: int, delay: float) -> list[list[str]]:
        """Let a writer work until it has acknowledged so many writes, and ``delay`` seconds more; what it acknowledged."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{url} {seed}\n")
        self.process.stdin.flush()
        word, pid = self._read()
        assert word == "pid"
        lines = [self._read() for _ in range(acknowledged)]
        time.sleep(delay)
        os.kill(int(pid), signal.SIGKILL)
        while (line := self._read())[0] != "dead":
            lines.append(line)
        assert int(line[1]) == signal.SIGKILL, "the writer had ended before it was killed"
        return lines

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait(20) == 0


@pytest.fixture
def writer() -> Iterator[Writer]:
    made = Writer()
    yield made
    made.close()


def look(url: str) -> Snapshot:
    async def read() -> Snapshot:
        async with await Journal.open(url, wall=lambda: 1000.0) as journal:
            return await journal.snapshot(100_000)

    return asyncio.run(read())


@pytest.mark.parametrize("seed", SEEDS)
def test_acknowledged_writes_survive_kills(writer: Writer, sqlite_url: str, seed: int) -> None:
    rng = random.Random(seed)
    acknowledged: dict[str, str] = {}
    epoch = 0
    for kill in range(KILLS_WRITING // len(SEEDS)):
        lines = writer.run(sqlite_url, seed * 1000 + kill, acknowledged=rng.randrange(12), delay=rng.uniform(0, 0.01))
        for state, name in lines:
            if state == "epoch":
                assert int(name) > epoch
                epoch = int(name)
            else:
                acknowledged[name] = state
        snapshot = look(sqlite_url)
        where = f"seed {seed}, kill {kill}"
        assert (snapshot.leader.epoch if snapshot.leader else 0) >= epoch, where
        check_acknowledged(snapshot, acknowledged, where)
        check_whole(snapshot, where)
    assert len(acknowledged) > KILLS_WRITING // len(SEEDS)


def check_acknowledged(snapshot: Snapshot, acknowledged: dict[str, str], where: str) -> None:
    found = {attempt.signature: attempt for group in snapshot.attempts.values() for attempt in group}
    for signature, state in acknowledged.items():
        assert signature in found, f"{where}: {signature} was acknowledged as {state} and is gone"
        assert found[signature].raw == sha512(signature.encode()).digest() * 14, where
        if state != "signed":  # a write after the last acknowledgement may have moved a signed one on
            assert found[signature].state == state, where


def check_whole(snapshot: Snapshot, where: str) -> None:
    """An outcome and its entries are one: both there or both not."""
    kinds: dict[str, int] = defaultdict(int)
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for entry in snapshot.entries:
        kinds[entry.signature] += 1
        sums[entry.account, entry.asset] += entry.delta
    counts: dict[AttemptState, int] = defaultdict(int)
    for group in snapshot.attempts.values():
        assert len(group) <= 1, where
        for attempt in group:
            counts[attempt.state] += 1
            assert kinds[attempt.signature] == (3 if attempt.state is AttemptState.LANDED else 0), where
    assert snapshot.balances == sums, where
    assert snapshot.totals.landed == counts[AttemptState.LANDED], where
    assert snapshot.totals.expired == counts[AttemptState.EXPIRED], where
    assert snapshot.totals.fees.value == 5000 * counts[AttemptState.LANDED], where


def test_a_kill_while_the_file_is_made_leaves_one_that_opens(writer: Writer, tmp_path: Path) -> None:
    rng = random.Random(7)
    for kill in range(KILLS_CREATING):
        url = f"sqlite:///{tmp_path / f'{kill}.db'}"
        writer.run(url, kill, acknowledged=0, delay=rng.uniform(0, 0.06))
        check_whole(look(url), f"seed 7, kill {kill}")
