"""What a durable attempt costs: ``python -m benchmarks.journal [--attempts N] [--directory DIR]``.

Prints p50 and p99 of ``Journal.record_attempt`` on SQLite (WAL, synchronous FULL), and beside it what the same commit costs
with the standard library's sqlite3 alone, so that the disk's share can be told from ours.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Awaitable
from contextlib import closing
from pathlib import Path

from keeper.journal.journal import Journal
from keeper.journal.records import AttemptRecord, AttemptState, IntentRecord, LedgerEntry
from keeper.units import BlockHeight, Lamports, Slot, UnixTime

TRANSACTION_BYTES = 1232  # the largest packet: https://solana.com/docs/core/transactions
WARM_UP = 20


def bare(file: Path, attempts: int) -> list[float]:
    """Seconds per commit of one row of the same size, through sqlite3 alone."""
    seconds = []
    with closing(sqlite3.connect(file, isolation_level=None)) as conn:
        conn.execute("PRAGMA journal_mode = WAL")
        conn.execute("PRAGMA synchronous = FULL")
        conn.execute("CREATE TABLE attempts (signature TEXT PRIMARY KEY, raw BLOB)")
        for number in range(attempts):
            begun = time.perf_counter()
            conn.execute("BEGIN IMMEDIATE")
            conn.execute("INSERT INTO attempts VALUES (?, ?)", (f"{number:088d}", b"\x01" * TRANSACTION_BYTES))
            conn.execute("COMMIT")
            seconds.append(time.perf_counter() - begun)
    return seconds[WARM_UP:]


async def journal(file: Path, attempts: int) -> dict[str, list[float]]:
    """Seconds per call of what lies between a decision and the first byte sent, and of booking the result."""
    seconds: dict[str, list[float]] = {
        "record_intent": [],
        "record_attempt": [],
        "resolve, 3 entries": [],
        "writable": [],
    }

    async with await Journal.open(f"sqlite:///{file}", wall=time.time) as opened:
        held = await opened.acquire("benchmark", 3600.0)
        for number in range(attempts):
            name = f"{number:088d}"
            intent = IntentRecord(name, "arbitrage", "premium", "x" * 600, Slot(number), held.epoch)
            attempt = AttemptRecord(name, name, 1, b"\x01" * TRANSACTION_BYTES, BlockHeight(number), Slot(number))
            entries = [
                LedgerEntry(name, Slot(number), UnixTime(number), account, asset, kind, delta, "arbitrage")
                for account, asset, kind, delta in (
                    ("wallet", "lamports", "fee", -5000),
                    ("wallet", "lamports", "trade", -(10**9)),
                    ("ata", "glow", "trade", 10**9),
                )
            ]
            calls: dict[str, Awaitable[object]] = {
                "record_intent": opened.record_intent(held, intent),
                "record_attempt": opened.record_attempt(held, attempt),
                "resolve, 3 entries": opened.resolve(
                    held, name, AttemptState.LANDED, landed_slot=Slot(1), fee=Lamports(5000), entries=entries
                ),
                "writable": opened.writable(),
            }
            for label, call in calls.items():
                begun = time.perf_counter()
                await call
                seconds[label].append(time.perf_counter() - begun)
    return {label: taken[WARM_UP:] for label, taken in seconds.items()}


def report(label: str, seconds: list[float]) -> str:
    """One line: percentiles in microseconds."""
    ordered = sorted(seconds)
    p50, p99 = (ordered[int(len(ordered) * share)] * 1e6 for share in (0.50, 0.99))
    return f"{label:<34} p50 {p50:8.0f} us   p99 {p99:8.0f} us   ({len(ordered)} calls)"


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description="latency of durable journal writes on SQLite (WAL, synchronous FULL)")
    parser.add_argument("--attempts", type=int, default=1000)
    parser.add_argument(
        "--directory", type=Path, default=None, help="on the disk to be measured; default: a temporary one"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        print(report("sqlite3 alone, one row", bare(Path(directory) / "bare.db", options.attempts + WARM_UP)))
        for label, seconds in asyncio.run(journal(Path(directory) / "journal.db", options.attempts + WARM_UP)).items():
            print(report(f"journal: {label}", seconds))


if __name__ == "__main__":
    main()
