"""Holding the right to write: one writer at a time, by the lease row in the journal."""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Callable

import structlog

from keeper.chain.clock import Clock
from keeper.engine.assembly import StartupError
from keeper.journal.journal import Journal
from keeper.journal.records import JournalError, Leadership, LeadershipHeld

log = structlog.get_logger(__name__)

RENEWALS_PER_LEASE = 3


class Lease:
    """The lease that this process holds. ``held`` is what every write is fenced by."""

    def __init__(self, journal: Journal, held: Leadership, seconds: float, clock: Clock) -> None:
        self._journal = journal
        self._held = held
        self._seconds = seconds
        self._clock = clock

    @property
    def held(self) -> Leadership:
        return self._held

    @classmethod
    async def take(
        cls,
        journal: Journal,
        holder: str,
        seconds: float,
        clock: Clock,
        *,
        waiting: Callable[[], None] | None = None,
    ) -> Lease:
        """Wait until the leadership is ours. Another replica's lease is waited out, not taken.

        ``waiting`` is called at every look: a standby that waits is alive.
        """
        while True:
            try:
                return cls(journal, await journal.acquire(holder, seconds), seconds, clock)
            except LeadershipHeld as held:
                log.info("standby", reason=str(held))
                if waiting is not None:
                    waiting()
                await clock.sleep(seconds / RENEWALS_PER_LEASE)

    async def keep(self) -> None:
        """Renew for ever. Raises ``FencedOut`` when somebody else leads now: this process must stop at once."""
        while True:
            await self._clock.sleep(self._seconds / RENEWALS_PER_LEASE)
            await self.renew()

    async def renew(self) -> None:
        """Renew once."""
        self._held = await self._journal.renew(self._held, self._seconds)

    async def give_up(self) -> None:
        """Release, so that a successor need not wait out the lease.

        A journal that fails here is logged, not raised: the lease ends by itself, and what the process really ends of must not
        be hidden behind it.
        """
        try:
            await self._journal.release(self._held)
        except JournalError as error:
            log.warning("lease_not_released", error=str(error), remedy="a successor waits until it runs out")


async def lead_once(journal: Journal, command: str, seconds: float, clock: Clock) -> Lease:
    """The lease for one ``command``, under a name that no other process has: a second one must not take it over.

    Raises ``StartupError`` while anybody else leads.
    """
    holder = f"{command}, process {os.getpid()} on {socket.gethostname()}"
    try:
        return Lease(journal, await journal.acquire(holder, seconds), seconds, clock)
    except LeadershipHeld as held:
        left = math.ceil(held.until - clock.wall())
        raise StartupError(
            f"a keeper ({held.holder}) leads on this journal: stop it first; if it was killed, its lease ends in {left} s"
        ) from held
