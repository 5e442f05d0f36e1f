"""The supervision of a worker, played by a script that misbehaves on request."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from keeper.chain import VirtualClock
from keeper.venues.worker_process import WorkerDown, WorkerProcess

SCRIPT = """
import json, os, sys, threading, time
greeting = json.loads(sys.stdin.readline())
print("started", file=sys.stderr, flush=True)
held = []
for line in sys.stdin:
    request = json.loads(line)
    do = request["do"]
    if do == "echo":
        answer = {"id": request["id"], "got": request["value"], "greeting": greeting, "env": sorted(os.environ)}
        print(json.dumps(answer), flush=True)
    elif do == "hold":
        held.append(request["id"])
    elif do == "release":
        for number in [request["id"], *reversed(held)]:
            print(json.dumps({"id": number, "got": number}), flush=True)
    elif do == "die":
        os._exit(3)
    elif do == "garbage":
        print(request["value"], flush=True)
    elif do == "log":
        print("a line\\nlong " + "x" * 200_000 + "\\nand another", file=sys.stderr, flush=True)
        print(json.dumps({"id": request["id"]}), flush=True)
    elif do == "deaf":
        sys.stdin.close()
        time.sleep(3600)
"""


@asynccontextmanager
async def worker(tmp_path: Path, **more: Any) -> AsyncIterator[WorkerProcess]:
    script = tmp_path / "worker.py"
    script.write_text(SCRIPT)
    made = WorkerProcess(
        (sys.executable, "-I", "-S", str(script)),
        greeting={"secret": "k"},
        **{"timeout": 20.0, "clock": VirtualClock(), "on_log": lambda _: None, **more},
    )
    try:
        yield made
    finally:
        await made.aclose()


async def test_it_starts_when_asked_and_gets_its_greeting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOW_KEEPER_SECRET", "x")
    async with worker(tmp_path) as process:
        assert process.starts == 0
        answer = await process.ask({"do": "echo", "value": "ü"})
        assert (answer["got"], answer["greeting"]) == ("ü", {"secret": "k"})
        assert "GLOW_KEEPER_SECRET" not in answer["env"]
        assert process.starts == 1


async def test_answers_find_their_requests_in_any_order(tmp_path: Path) -> None:
    async with worker(tmp_path) as process:
        held = [asyncio.create_task(process.ask({"do": "hold"})) for _ in range(3)]
        await asyncio.sleep(0)
        await process.ask({"do": "echo", "value": 1})
        await process.ask({"do": "release"})
        answers = await asyncio.gather(*held)
        assert [answer["got"] for answer in answers] == [answer["id"] for answer in answers]
        assert len({answer["id"] for answer in answers}) == 3


async def test_a_killed_worker_fails_what_is_under_way_and_comes_back(tmp_path: Path) -> None:
    async with worker(tmp_path) as process:
        await process.ask({"do": "echo", "value": 1})
        first = process.pid
        assert first is not None
        held = asyncio.create_task(process.ask({"do": "hold"}))
        await process.ask({"do": "echo", "value": 2})
        os.kill(first, signal.SIGKILL)
        with pytest.raises(WorkerDown, match="went away under the request"):
            await held
        assert (await process.ask({"do": "echo", "value": 3}))["got"] == 3
        assert process.pid != first
        assert process.starts == 2


async def test_one_that_keeps_dying_is_started_with_growing_waits(tmp_path: Path) -> None:
    clock = VirtualClock()
    async with worker(tmp_path, clock=clock, first_wait=1.0, longest_wait=4.0) as process:
        waits = []
        for _ in range(6):
            before = clock.now()
            with pytest.raises(WorkerDown):
                await process.ask({"do": "die"})
            waits.append(clock.now() - before)
        assert waits == [0.0, 1.0, 2.0, 4.0, 4.0, 4.0]
        await process.ask({"do": "echo", "value": 1})
        with pytest.raises(WorkerDown):
            await process.ask({"do": "die"})
        before = clock.now()
        await process.ask({"do": "echo", "value": 1})
        assert clock.now() == before  # it had answered, so its failures are forgotten


@pytest.mark.parametrize(
    "value", ["not json", "[1]", '"text"', '{"no": "id"}', '{"id": [1]}', "[" * 20_000, "x" * (9 * 2**20)]
)
async def test_garbage_is_not_trusted(tmp_path: Path, value: str) -> None:
    async with worker(tmp_path) as process:
        with pytest.raises(WorkerDown, match="no answer"):
            await process.ask({"do": "garbage", "value": value})
        assert (await process.ask({"do": "echo", "value": 1}))["got"] == 1
        assert process.starts == 2


async def test_a_hung_worker_is_killed_after_the_timeout(tmp_path: Path) -> None:
    async with worker(tmp_path, timeout=5.0) as process:
        await process.ask({"do": "echo", "value": 1})
        hung = process.pid
    async with worker(tmp_path, timeout=0.3) as process:
        with pytest.raises(WorkerDown, match=r"did not answer in 0\.3 s and was killed"):
            await process.ask({"do": "hold"})
        assert process.pid is None
    assert hung is not None
    with pytest.raises(ProcessLookupError):
        os.kill(hung, 0)


async def test_a_worker_that_stops_reading_is_closed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keeper.venues.worker_process._SECONDS_TO_LEAVE", 0.1)
    async with worker(tmp_path, timeout=0.3) as process:
        task = asyncio.create_task(process.ask({"do": "deaf"}))
        with pytest.raises(WorkerDown):
            await task
    assert process.pid is None


async def test_what_it_says_on_stderr_is_logged(tmp_path: Path) -> None:
    lines: list[str] = []
    said = asyncio.Event()

    def note(line: str) -> None:
        lines.append(line)
        if line == "and another":
            said.set()

    async with worker(tmp_path, on_log=note) as process, asyncio.timeout(10):
        await process.ask({"do": "log"})
        await said.wait()
    assert lines[:2] == ["started", "a line"]
    assert lines[-1] == "and another"
    assert "".join(lines[2:-1]) == "long " + "x" * 200_000


async def test_a_missing_interpreter_is_told(tmp_path: Path) -> None:
    process = WorkerProcess((str(tmp_path / "python"),), greeting={}, timeout=1.0, clock=VirtualClock())
    for _ in range(2):
        with pytest.raises(WorkerDown, match=r"cannot start .*: No such file"):
            await process.ask({})
    await process.aclose()
