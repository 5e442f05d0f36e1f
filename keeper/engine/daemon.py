"""The daemon: the tick in a loop, woken by the chain's news and by a timer, with its companions supervised."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import structlog
from prometheus_client import CollectorRegistry

from keeper.chain.errors import RpcRateLimited, RpcUnreachable
from keeper.chain.stream import AccountChanged, ChainEvent, ChainStream, SlotAdvanced, StreamConnected, StreamLost
from keeper.config.loading import Loaded
from keeper.engine.assembly import Edges, Parts, StartupError, assemble
from keeper.engine.decision_log import DecisionLog
from keeper.engine.leadership import Lease
from keeper.engine.startup import start
from keeper.engine.status import status
from keeper.engine.supervision import TaskFault, guard
from keeper.engine.tick import Tick, TickResult
from keeper.journal.records import FencedOut
from keeper.telemetry.health import Health, Role
from keeper.telemetry.loop_lag import LoopLag
from keeper.telemetry.metrics import Metrics
from keeper.telemetry.server import TelemetryServer

log = structlog.get_logger(__name__)

T = TypeVar("T")
TASKS = ("tick", "stream", "lease", "loop_lag")
JOURNAL_PROBE_SECONDS = 10.0
CONNECT_SECONDS = 2.0


class Daemon:
    """One run of the keeper. ``run`` returns when it was asked to stop and everything in flight has come to its end."""

    def __init__(self, loaded: Loaded, edges: Edges | None = None) -> None:
        self._loaded = loaded
        self._settings = loaded.settings
        self._edges = edges or Edges()
        names = [configured.name for configured in loaded.strategies]
        self.metrics = Metrics(CollectorRegistry(), strategies=names, tasks=TASKS)
        self.health = Health(self._edges.clock.now)
        self._news = asyncio.Event()
        self._stopping = asyncio.Event()
        self._stream_lost = False
        self._tick: Tick | None = None
        self._parts: Parts | None = None

    def stop(self) -> None:
        """Ask for an orderly end: nothing new is decided, what is in flight is finished."""
        if not self._stopping.is_set():
            log.info("stopping")
        self.health.stopping()
        if self._parts is not None:
            self._parts.executor.stop_signing()
        self._stopping.set()
        self._news.set()

    async def run(self) -> None:
        """Start, work, stop. Raises what stops the start, ``TaskFault`` and ``FencedOut``."""
        self._listen_to_signals()
        async with AsyncExitStack() as closing:
            server = TelemetryServer(
                self._settings.telemetry.host, self._settings.telemetry.port, self.metrics, self.health, self._status
            )
            try:
                await server.start()
            except OSError as error:
                where = f"{self._settings.telemetry.host}:{self._settings.telemetry.port}"
                raise StartupError(
                    f"telemetry cannot listen on {where}: {error}; change telemetry.port, or 0 for any free one"
                ) from error
            closing.push_async_callback(server.stop)
            self._parts = await self._unless_stopped(self._connect(closing))
            lease = await self._lead(closing)
            decisions = DecisionLog(self._settings.telemetry.decision_log)
            closing.callback(decisions.close)
            self._tick = await self._recover_and_start(lease, decisions)
            await self._work(self._tick, lease)
        log.info("stopped")

    async def _connect(self, closing: AsyncExitStack) -> Parts:
        """Assemble; a node that does not answer yet is asked again for a while, anything else stops the start at once."""
        clock = self._edges.clock
        deadline = clock.now() + self._settings.engine.startup_patience.value
        while True:
            attempt = AsyncExitStack()
            try:
                parts = await assemble(self._loaded, self._edges, self.metrics, self.health, attempt)
            except (RpcUnreachable, RpcRateLimited) as error:
                await attempt.aclose()
                if clock.now() >= deadline:
                    raise
                log.warning("waiting_for_the_node", error=str(error))
                await clock.sleep(CONNECT_SECONDS)
            except BaseException:
                await attempt.aclose()
                raise
            else:
                await closing.enter_async_context(attempt)
                return parts

    async def _lead(self, closing: AsyncExitStack) -> Lease:
        assembled = self._running
        self.health.leadership(Role.STANDBY)
        table = self._settings.journal
        clock = self._edges.clock
        taking = Lease.take(
            assembled.journal,
            table.holder,
            float(table.lease.value),
            clock,
            waiting=lambda: self.health.beat(clock.now()),
        )
        lease = await self._unless_stopped(taking)
        closing.push_async_callback(lease.give_up)
        self.health.leadership(Role.LEADER)
        self.metrics.leader(True, lease.held.epoch)
        return lease

    async def _recover_and_start(self, lease: Lease, decisions: DecisionLog) -> Tick:
        """Recovery may wait for a blockhash to die, which is longer than a lease: it is kept meanwhile."""
        keeping = asyncio.create_task(lease.keep())
        grace = float(self._settings.engine.shutdown_timeout.value)
        try:
            return await self._unless_stopped(start(self._loaded, self._running, lease, decisions), grace)
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def _unless_stopped(self, work: Coroutine[Any, Any, T], grace: float = 0.0) -> T:
        """Await ``work``, but give up ``grace`` seconds after being asked to stop. Raises ``StoppedEarly``."""
        working, stopping = asyncio.create_task(work), asyncio.create_task(self._stopping.wait())
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not working.done() and grace:
            await asyncio.wait({working}, timeout=grace)
        if not working.done():
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            raise StoppedEarly("asked to stop before it began to work")
        return working.result()

    async def _work(self, tick: Tick, lease: Lease) -> None:
        stream = ChainStream(
            self._settings.cluster.websocket,
            (*self._running.observer.watched, *self._settings.market.watch),
            on_event=self._heard,
            clock=self._edges.clock,
        )
        lag = LoopLag(self.metrics.loop_lag)
        companions = [
            asyncio.create_task(guard(name, work, on_fault=self.metrics.task_failed), name=name)
            for name, work in (("stream", stream.run()), ("lease", lease.keep()), ("loop_lag", lag.run()))
        ]
        loop = asyncio.create_task(self._loop(tick), name="tick")
        done, _ = await asyncio.wait({loop, *companions}, return_when=asyncio.FIRST_COMPLETED)
        if loop not in done:
            await self._finish(loop, at_once=any(_fenced(task) for task in done))
        for task in companions:
            task.cancel()
        results = await asyncio.gather(loop, *companions, return_exceptions=True)
        await self._running.executor.drain(0.0)  # a flight that outlived the shutdown time; the journal keeps it
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
                if result is results[0]:
                    self.metrics.task_failed("tick")
                if isinstance(result, Exception) and not isinstance(result, TaskFault | FencedOut):
                    raise TaskFault("tick", f"{type(result).__name__}: {result}") from result
                raise result

    async def _finish(self, loop: asyncio.Task[None], *, at_once: bool) -> None:
        """A companion died: let the tick end what it has in flight, within the shutdown time.

        ``at_once`` where somebody else leads by now: what is in flight is his to follow, and he has the same bytes.
        """
        self.stop()
        if at_once:
            loop.cancel()
            return
        await asyncio.wait({loop}, timeout=float(self._settings.engine.shutdown_timeout.value))
        loop.cancel()

    async def _loop(self, tick: Tick) -> None:
        engine, clock = self._settings.engine, self._edges.clock
        probed = clock.now() - JOURNAL_PROBE_SECONDS
        while not self._stopping.is_set():
            self._news.clear()
            if clock.now() - probed >= JOURNAL_PROBE_SECONDS:
                probed = clock.now()
                await self._probe_journal()
            result = await self._one(tick)
            if self._stopping.is_set():
                break
            await clock.sleep(engine.min_interval)
            if result is TickResult.TRADED:
                continue
            try:
                await asyncio.wait_for(self._news.wait(), engine.max_interval)
            except TimeoutError:
                log.debug("timer")

    async def _one(self, tick: Tick) -> TickResult:
        """One tick. Once asked to stop, it may take the shutdown time to land what it sent; then the journal keeps it."""
        working = asyncio.create_task(tick.run())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                await asyncio.wait({working}, timeout=float(self._settings.engine.shutdown_timeout.value))
            if not working.done():
                log.warning("shutdown_leaves_in_flight", remedy="the next start brings it to its end")
                working.cancel()
                await asyncio.gather(working, return_exceptions=True)
                return TickResult.TRADED
            return working.result()
        finally:
            stopping.cancel()
            if not working.done():
                working.cancel()

    async def _probe_journal(self) -> None:
        writable = await self._running.journal.writable()
        self.metrics.journal_writable(writable)
        self.health.journal_ok(writable, "" if writable else "a test write failed")

    def _heard(self, event: ChainEvent) -> None:
        self.metrics.ws_message()
        match event:
            case SlotAdvanced(slot=slot):
                self._running.observer.heard_of(slot)
            case AccountChanged():
                self._news.set()
            case StreamConnected():
                self.metrics.ws_connected(True)
                if self._stream_lost:
                    self.metrics.ws_reconnected()
                self._stream_lost = False
                self._news.set()
            case StreamLost(reason=reason):
                log.warning("stream_lost", reason=reason)
                self.metrics.ws_connected(False)
                self._stream_lost = True

    @property
    def _running(self) -> Parts:
        if self._parts is None:
            raise RuntimeError("the daemon has not been assembled")
        return self._parts

    def _status(self) -> dict[str, Any]:
        return status(self._tick, self._parts)

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)


def _fenced(task: asyncio.Task[None]) -> bool:
    error = None if task.cancelled() else task.exception()
    return error is not None and isinstance(error.__cause__, FencedOut)


class StoppedEarly(Exception):
    """Asked to stop while standing by. An orderly end."""
