"""Run by test_durability: forks, for each line ``URL SEED`` on stdin, a keeper-like writer that lives until it is killed.

Forking after the imports makes a start cost milliseconds. Standard output carries ``pid N``, then one line for each write
that the journal has acknowledged, then ``dead STATUS``; each line is one atomic write to the pipe.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from hashlib import sha512

from keeper.journal.journal import Journal
from keeper.journal.records import AttemptRecord, AttemptState, IntentRecord, LedgerEntry
from keeper.units import BlockHeight, Lamports, Slot, UnixTime


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def raw_of(signature: str) -> bytes:
    return sha512(signature.encode()).digest() * 14


async def write(url: str, seed: int) -> None:
    rng = random.Random(seed)
    journal = await Journal.open(url, wall=lambda: 1000.0)
    held = await journal.acquire("keeper-0", 15.0)
    say("epoch", held.epoch)
    for attempt in await journal.unresolved():
        await journal.resolve(held, attempt.signature, AttemptState.EXPIRED)
        say("expired", attempt.signature)
    number = 0
    while True:
        number += 1
        intent_id = signature = f"{seed}-{number}"
        await journal.record_intent(held, IntentRecord(intent_id, "arbitrage", "premium", "{}", Slot(1), held.epoch))
        await journal.record_attempt(
            held, AttemptRecord(signature, intent_id, 1, raw_of(signature), BlockHeight(9), Slot(1))
        )
        say("signed", signature)
        if rng.random() < 0.8:
            entries = [
                LedgerEntry(signature, Slot(2), UnixTime(3), "wallet", "lamports", "fee", -5000),
                LedgerEntry(signature, Slot(2), UnixTime(3), "wallet", "lamports", "trade", -rng.randrange(10**9)),
                LedgerEntry(signature, Slot(2), UnixTime(3), "ata", "glow", "trade", rng.randrange(2**64)),
            ]
            await journal.resolve(
                held, signature, AttemptState.LANDED, landed_slot=Slot(2), fee=Lamports(5000), entries=entries
            )
            say("landed", signature)


def main() -> None:
    for line in sys.stdin:
        url, seed = line.split()
        pid = os.fork()
        if pid == 0:
            say("pid", os.getpid())
            asyncio.run(write(url, int(seed)))
        say("dead", os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    main()
