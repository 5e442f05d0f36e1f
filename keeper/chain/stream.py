"""Hearing of changes without asking: account and slot subscriptions that outlive their connections.

A websocket tells when to look, never what is true: events carry keys and slots, the values are read over ``RpcClient``. So an
event lost in a gap costs time, not correctness, and ``StreamConnected`` asks the listener to look once.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from solana.rpc.commitment import Commitment as SolanaCommitment
from solana.rpc.websocket_api import OverflowPolicy, SolanaWsClient, Subscription
from solders.pubkey import Pubkey
from solders.rpc.responses import AccountNotification, SlotNotification

from keeper.chain.clock import Clock, SystemClock
from keeper.units import Slot


@dataclass(frozen=True, slots=True)
class AccountChanged:
    """``key`` changed in ``slot`` (confirmed)."""

    key: Pubkey
    slot: Slot


@dataclass(frozen=True, slots=True)
class SlotAdvanced:
    """The node works on ``slot`` (processed)."""

    slot: Slot


@dataclass(frozen=True, slots=True)
class StreamConnected:
    """Everything is subscribed (again). Changes before this moment may have been missed: read once."""


@dataclass(frozen=True, slots=True)
class StreamLost:
    """A connection ended, or could not be made. The next attempt follows after a wait."""

    reason: str


ChainEvent = AccountChanged | SlotAdvanced | StreamConnected | StreamLost


@dataclass(slots=True)
class StreamCounters:
    """For metrics; they only grow."""

    connections: int = 0
    losses: int = 0
    slots: int = 0
    messages: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds between connection attempts: uniform in 0..min(longest, first * 2**failures)."""

    first: float = 0.5
    longest: float = 30.0

    def wait(self, failures: int, rng: random.Random) -> float:
        return rng.uniform(0, min(self.longest, self.first * 2.0 ** min(failures, 32)))


class StreamSilent(Exception):
    """No slot came for too long: a half-open connection or a frozen node."""


def _connect(url: str) -> SolanaWsClient:
    # DROP_OLDEST: an event is only a hint to look, and losing the connection over a burst would lose more
    return SolanaWsClient(url, overflow=OverflowPolicy.DROP_OLDEST, max_size=16 * 2**20)


class ChainStream:
    """Keeps one websocket subscribed to slots and to a set of accounts; ``run`` it as a task until cancelled.

    ``on_event`` is called in order, on the event loop, and must not block; what it raises ends ``run``. ``dead_after``:
    seconds without a slot after which a connection counts as dead. ``connect`` makes an unconnected client for a URL.
    """

    def __init__(
        self,
        ws_url: str,
        accounts: Iterable[Pubkey],
        *,
        on_event: Callable[[ChainEvent], None],
        clock: Clock | None = None,
        rng: random.Random | None = None,
        dead_after: float = 10.0,
        backoff: Backoff | None = None,
        connect: Callable[[str], SolanaWsClient] = _connect,
    ) -> None:
        if not ws_url.startswith(("ws://", "wss://")):
            raise ValueError(f"a websocket URL starts with ws:// or wss://, got {ws_url.partition(':')[0]!r}")
        self._url = ws_url
        self._wanted = frozenset(accounts)
        self._changed = asyncio.Event()
        self._emit = on_event
        self._clock = clock if clock is not None else SystemClock()
        self._rng = rng if rng is not None else random.Random()  # noqa: S311 - jitter, not cryptography
        self._dead_after = dead_after
        self._backoff = backoff if backoff is not None else Backoff()
        self._connect = connect
        self.connected = False
        self.counters = StreamCounters()
        self.last_message_at: float | None = None
        """``clock.now()`` of the last message of any kind, over all connections."""
        self.last_slot: Slot | None = None
        """The newest slot of the current or last connection."""

    @property
    def accounts(self) -> frozenset[Pubkey]:
        """The accounts that are wanted; a moment after a change also those that are subscribed."""
        return self._wanted

    def watch(self, accounts: Iterable[Pubkey]) -> None:
        """Replace the set of accounts. A live connection follows without being torn down."""
        self._wanted = frozenset(accounts)
        self._changed.set()

    async def run(self) -> None:
        """Connects, listens and reconnects until cancelled."""
        failures = 0
        while True:
            slots_before = self.counters.slots
            reason = await self._one_connection()
            self.connected = False
            self.counters.losses += 1
            self._emit(StreamLost(reason))
            failures = 0 if self.counters.slots != slots_before else failures + 1
            await self._clock.sleep(self._backoff.wait(failures, self._rng))

    async def _one_connection(self) -> str:
        """One connection from opening to its end; says why it ended."""
        listener_error: list[BaseException] = []
        client = self._connect(self._url)
        try:
            async with client:
                await _Session(self, client, listener_error).listen()
        except (KeyboardInterrupt, SystemExit):
            raise
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return "CancelledError: the connection was abandoned"
        except BaseException as error:  # noqa: BLE001 - a pyo3 panic of solders is a BaseException, and any end of a
            # connection is answered by making another one
            if listener_error:
                raise listener_error[0] from None
            return f"{type(error).__name__}: {error}"
        finally:
            self.counters.dropped += client.dropped_notifications
        return "closed by the node"


class _Session:
    """What belongs to one physical connection."""

    def __init__(self, stream: ChainStream, client: SolanaWsClient, listener_error: list[BaseException]) -> None:
        self._stream = stream
        self._client = client
        self._listener_error = listener_error
        self._by_id: dict[int, Pubkey] = {}
        self._handles: dict[Pubkey, Subscription] = {}
        self._last_slot: Slot | None = None

    async def listen(self) -> None:
        stream, loop = self._stream, asyncio.get_running_loop()
        stream._changed.clear()
        await self._client.slot_subscribe()
        await self._follow(stream._wanted)
        stream.connected = True
        stream.counters.connections += 1
        self._tell(StreamConnected())
        deadline = loop.time() + stream._dead_after
        receiving: asyncio.Task[object] | None = None
        changed: asyncio.Task[bool] | None = None
        try:
            while True:
                receiving = receiving or asyncio.create_task(self._client.recv())
                changed = changed or asyncio.create_task(stream._changed.wait())
                timeout = max(0.0, deadline - loop.time())
                done, _ = await asyncio.wait({receiving, changed}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    raise StreamSilent(f"no slot for {stream._dead_after} s")
                if changed in done:
                    changed = None
                    stream._changed.clear()
                    await self._follow(stream._wanted)
                if receiving in done:
                    message, receiving = receiving.result(), None
                    if self._deliver(message):
                        deadline = loop.time() + stream._dead_after
        finally:
            await _drop(receiving, changed)

    async def _follow(self, wanted: frozenset[Pubkey]) -> None:
        """Make the subscriptions match ``wanted``: new ones first, so that nothing is unwatched in between."""
        for key in sorted(wanted - self._handles.keys(), key=bytes):
            # the library's Commitment is an enum of its own
            handle = await self._client.account_subscribe(
                pubkey=key, commitment=SolanaCommitment.CONFIRMED, encoding="base64"
            )
            self._handles[key] = handle
            self._by_id[handle.subscription_id] = key
        for key in sorted(self._handles.keys() - wanted, key=bytes):
            handle = self._handles.pop(key)
            self._by_id.pop(handle.subscription_id, None)
            await self._client.unsubscribe(handle)

    def _deliver(self, message: object) -> bool:
        """Turns one notification into an event; True for a sign of life: a slot above this connection's last one."""
        stream = self._stream
        stream.counters.messages += 1
        stream.last_message_at = stream._clock.now()
        if isinstance(message, SlotNotification):
            slot = Slot(message.result.slot)
            alive = self._last_slot is None or slot > self._last_slot
            if alive:
                self._last_slot = stream.last_slot = slot
                stream.counters.slots += 1
                self._tell(SlotAdvanced(slot))
            return alive
        if isinstance(message, AccountNotification):
            key = self._by_id.get(message.subscription)
            if key is not None:  # otherwise: sent before the node saw our unsubscribe
                self._tell(AccountChanged(key, Slot(message.result.context.slot)))
        return False

    def _tell(self, event: ChainEvent) -> None:
        try:
            self._stream._emit(event)
        except BaseException as error:
            self._listener_error.append(error)  # the listener's fault, not the connection's: it must surface
            raise


async def _drop(*tasks: asyncio.Task[object] | asyncio.Task[bool] | None) -> None:
    pending: Sequence[asyncio.Task[object] | asyncio.Task[bool]] = [task for task in tasks if task is not None]
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
