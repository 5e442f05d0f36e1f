"""A child process that answers JSON lines, supervised: started when needed, restarted with growing waits, never waited for
without an end. Requests and answers carry an id, so many can be under way."""

from __future__ import annotations

import asyncio
import json
import os
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

import structlog

from keeper.chain.clock import Clock, SystemClock

_MAX_LINE = 8 * 2**20  # bytes; an answer with a route and a transaction has some 20 KB
_LOG_CHUNK = 65_536  # bytes
_SECONDS_TO_LEAVE = 2.0
_INHERITED = (
    "PATH",
    "HOME",
    "LANG",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
)


class WorkerDown(Exception):
    """The worker could not be started, died under the request, or did not answer in time."""


class WorkerProcess:
    """``command`` is started with the first request; ``greeting`` is the first line it reads.

    What is in the greeting (an API key) stands in no command line and no environment. ``timeout``: seconds a request may take
    before the worker counts as hung and is killed; whatever else was under way fails with it, and can be asked again.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        greeting: Mapping[str, Any],
        timeout: float,
        first_wait: float = 0.2,
        longest_wait: float = 30.0,
        clock: Clock | None = None,
        on_log: Callable[[str], None] | None = None,
    ) -> None:
        self._command = tuple(command)
        self._greeting = json.dumps(greeting).encode() + b"\n"
        self._timeout = timeout
        self._first_wait = first_wait
        self._longest_wait = longest_wait
        self._clock = clock if clock is not None else SystemClock()
        self._on_log = on_log if on_log is not None else _log
        self._ids = count(1)
        self._pending: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._starting = asyncio.Lock()
        self._process: Process | None = None
        self._readers: list[asyncio.Task[None]] = []
        self._failures = 0
        self.starts = 0
        """How often the worker was started."""

    @property
    def pid(self) -> int | None:
        """The running worker's process id."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer's object. Raises ``WorkerDown``."""
        process = await self._running()
        number = next(self._ids)
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._pending[number] = future
        line = json.dumps({**request, "id": number}).encode() + b"\n"
        try:
            assert process.stdin is not None  # noqa: S101 - started with PIPE
            process.stdin.write(line)
            async with asyncio.timeout(self._timeout):
                await process.stdin.drain()
                answer = await future
        except TimeoutError as error:
            self._pending.pop(number, None)
            await self._end(process, f"no answer in {self._timeout} s")
            raise WorkerDown(f"the worker did not answer in {self._timeout} s and was killed") from error
        except (BrokenPipeError, ConnectionResetError) as error:
            self._pending.pop(number, None)
            await self._end(process, "its stdin is closed")
            raise WorkerDown("the worker died before it read the request") from error
        finally:
            self._pending.pop(number, None)
            future.cancel()
        self._failures = 0
        return answer

    async def aclose(self) -> None:
        """Closes its stdin, on which it leaves, and kills it where it does not."""
        async with self._starting:
            process, self._process = self._process, None
            if process is None:
                return
            if process.stdin is not None:
                process.stdin.close()
            try:
                async with asyncio.timeout(_SECONDS_TO_LEAVE):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
            await self._reap("the keeper closed it")

    async def _running(self) -> Process:
        async with self._starting:
            if self._process is not None and self._process.returncode is None and not self._readers[0].done():
                return self._process
            if self._process is not None:
                await self._kill(self._process)
                await self._reap("it ended")
            if self._failures:
                ceiling = self._first_wait * 2.0 ** min(self._failures - 1, 32)
                await self._clock.sleep(min(self._longest_wait, ceiling))
            self._failures += 1  # until it has answered once
            self._process = await self._start()
            return self._process

    async def _start(self) -> Process:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=_environment(), limit=_MAX_LINE
            )
        except OSError as error:
            raise WorkerDown(f"cannot start {self._command[0]}: {error.strerror or error}") from error
        self.starts += 1
        assert process.stdin is not None  # noqa: S101 - started with PIPE
        assert process.stdout is not None  # noqa: S101 - started with PIPE
        assert process.stderr is not None  # noqa: S101 - started with PIPE
        process.stdin.write(self._greeting)
        self._readers = [
            asyncio.create_task(self._read_answers(process.stdout), name="worker-answers"),
            asyncio.create_task(self._read_log(process.stderr), name="worker-log"),
        ]
        return process

    async def _read_answers(self, stream: asyncio.StreamReader) -> None:
        """Ends with the stream, or at the first line that is no answer: then nothing it says can be trusted."""
        reason = "its stdout ended"
        try:
            async for line in stream:
                answer = json.loads(line)
                future = self._pending.get(answer["id"])
                if future is not None and not future.done():
                    future.set_result(answer)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            reason = f"it wrote something that is no answer ({type(error).__name__})"
        self._fail_pending(reason)

    async def _read_log(self, stream: asyncio.StreamReader) -> None:
        rest = b""
        while chunk := await stream.read(_LOG_CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > _LOG_CHUNK:  # no line is worth more memory
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._on_log(line.decode("utf-8", errors="replace"))
        if rest:
            self._on_log(rest.decode("utf-8", errors="replace"))

    async def _end(self, process: Process, reason: str) -> None:
        async with self._starting:
            if self._process is process:
                self._process = None
                await self._kill(process)
                await self._reap(reason)

    @staticmethod
    async def _kill(process: Process) -> None:
        if process.returncode is None:
            process.kill()
        await process.wait()

    async def _reap(self, reason: str) -> None:
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        self._readers = []
        self._fail_pending(reason)

    def _fail_pending(self, reason: str) -> None:
        for future in self._pending.values():
            if not future.done():
                future.set_exception(WorkerDown(f"the worker went away under the request: {reason}"))


def _log(line: str) -> None:
    structlog.get_logger("keeper.venues.worker").warning("worker", line=line)


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}
