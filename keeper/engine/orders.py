"""``keeper unwind``: the operator's order to a strategy to leave its positions, and its cancellation.

The order is a row in the journal, written beside a keeper that runs: it moves no money, so it needs no leadership. Whoever leads
reads it at his next tick. It stays in effect after it is done, so that nothing is entered again until it is cancelled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from keeper.config.loading import Loaded
from keeper.journal.journal import Journal
from keeper.journal.records import Order
from keeper.strategy import suggestion


class UnknownStrategy(ValueError):
    """No strategy of that name is configured."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """What became of an order. ``before``: the orders that were in effect already, or that were lifted; ``now``: those in effect
    afterwards; ``led``: a keeper leads on this journal."""

    names: tuple[str, ...]
    before: tuple[Order, ...]
    now: tuple[Order, ...]
    cancel: bool
    led: bool

    def lines(self) -> list[str]:
        """For the terminal, a line each."""
        known = {order.strategy: order for order in self.before}
        said = [
            self._lifted(name, known.get(name)) if self.cancel else _placed(name, known.get(name))
            for name in self.names
        ]
        if not self.led:
            said.append("no keeper runs on this journal now; the next one that starts follows it")
        return said

    @staticmethod
    def _lifted(name: str, order: Order | None) -> str:
        if order is None:
            return f"{name}: was not under an order"
        return f"{name}: the order of {_when(order.placed_at)} is lifted; it may enter again from the next tick on"


def _placed(name: str, order: Order | None) -> str:
    if order is None:
        return f"{name}: ordered to unwind; it only exits from the next tick on, until keeper unwind {name} --cancel"
    since = f"{name}: under that order since {_when(order.placed_at)}"
    return f"{since}, unwound at {_when(order.done_at)}" if order.done_at is not None else f"{since}, still unwinding"


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(math.floor(seconds), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


async def unwind(loaded: Loaded, strategies: Sequence[str], *, cancel: bool, wall: Callable[[], float]) -> Ordered:
    """Order ``strategies`` (none named: all that are configured) to unwind, or lift the orders on them.

    An order may be lifted from a strategy that is not configured any more. Raises ``UnknownStrategy``, ``JournalError``.
    """
    configured = tuple(one.name for one in loaded.strategies)
    async with await Journal.open(loaded.settings.journal.url, wall=wall) as journal:
        before = (await journal.standing()).orders
        known = (*configured, *before) if cancel else configured
        names = tuple(strategies) or tuple(dict.fromkeys(known))
        for name in names:
            if name not in known:
                raise UnknownStrategy(f"no strategy {name!r} is configured{suggestion(name, known)}")
        if cancel:
            await journal.cancel_orders(names)
        else:
            await journal.place_orders(names)
        leader = await journal.leader()
        after = (await journal.standing()).orders
    return Ordered(
        names=names,
        before=tuple(before[name] for name in names if name in before),
        now=tuple(after[name] for name in names if name in after),
        cancel=cancel,
        led=leader is not None and leader.expires_at > wall(),
    )
