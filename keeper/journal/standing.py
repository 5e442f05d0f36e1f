"""Landings by strategy, requests for the slow way out, and the operator's orders, as statements inside one transaction."""

from __future__ import annotations

import json
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from keeper.journal.leadership import fence
from keeper.journal.records import ExitRequest, JournalError, Leadership, LedgerEntry, Order, Standing
from keeper.journal.shares import shares
from keeper.journal.tables import landings as landings_table
from keeper.journal.tables import orders as orders_table
from keeper.journal.tables import requests as requests_table
from keeper.units import Slot, UnixTime

UNWIND = "unwind"
NEWEST_REQUESTS = 100  # far more than can wait at a time: glowSOL's queue has 8 places, and the wallet 8 stake accounts
_REQUEST = "RequestUnstake"


def landed(conn: Connection, strategy: str, body: str, slot: Slot, entries: Sequence[LedgerEntry]) -> None:
    """Remember that a transaction of ``strategy`` landed, and what it asked out; ``body`` is the step's canonical JSON.

    The time is that of its entries: a landed transaction books at least its fee.
    """
    if not entries:
        return
    when = entries[0].block_time
    at = landings_table.c.strategy == strategy
    newest = conn.execute(sa.select(landings_table.c.slot).where(at)).scalar_one_or_none()
    if newest is None:
        conn.execute(landings_table.insert().values(strategy=strategy, slot=slot.value, block_time=when.value))
    elif newest <= slot.value:
        conn.execute(landings_table.update().where(at).values(slot=slot.value, block_time=when.value))
    for mint, units in asked_out(body):
        conn.execute(
            requests_table.insert().values(
                signature=entries[0].signature,
                strategy=strategy,
                slot=slot.value,
                block_time=when.value,
                mint=mint,
                units=units,
            )
        )


def asked_out(body: str) -> list[tuple[str, int]]:
    """(mint, base units) of every request for the slow way out in a step's canonical JSON. Raises ``JournalError`` for a body
    that names one and cannot be read: its owner would be forgotten."""
    if f'"{_REQUEST}"' not in body:
        return []
    try:
        spends = [one["spend"] for one in json.loads(body)["intents"] if one["type"] == _REQUEST]
        found = [(mint, int(units)) for units, _, mint in (spend.partition("@") for spend in spends)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise JournalError(f"the recorded step {body!r:.200} is not the canonical JSON of one: {error!r}") from error
    return found


def standing(conn: Connection) -> Standing:
    """Who owns what and who is told what."""
    newest = conn.execute(requests_table.select().order_by(requests_table.c.seq.desc()).limit(NEWEST_REQUESTS))
    return Standing(
        shares=shares(conn),
        requests=tuple(
            ExitRequest(row.signature, row.strategy, Slot(row.slot), UnixTime(row.block_time), row.mint, row.units)
            for row in newest
        ),
        landed={row.strategy: UnixTime(row.block_time) for row in conn.execute(landings_table.select())},
        orders=orders(conn),
    )


def orders(conn: Connection) -> dict[str, Order]:
    """The orders in effect, by strategy, sorted."""
    rows = conn.execute(orders_table.select().where(orders_table.c.cancelled_at.is_(None)))
    found = (Order(row.strategy, row.kind, row.placed_at, row.done_at) for row in rows)
    return {order.strategy: order for order in sorted(found, key=lambda one: one.strategy)}


def place(conn: Connection, strategies: Sequence[str], now: float) -> tuple[Order, ...]:
    """Order each of ``strategies`` to unwind; one that is under the order already keeps it as it is."""
    known = orders(conn)
    for strategy in dict.fromkeys(strategies):
        if not strategy:
            raise JournalError("an order needs the name of a strategy")
        if strategy not in known:
            conn.execute(orders_table.insert().values(strategy=strategy, kind=UNWIND, placed_at=now))
    return _listed(conn, strategies)


def cancel(conn: Connection, strategies: Sequence[str], now: float) -> tuple[Order, ...]:
    """Lift the orders on ``strategies``; answers with those that were in effect."""
    lifted = _listed(conn, strategies)
    mine = orders_table.c.strategy.in_(list(strategies)) & orders_table.c.cancelled_at.is_(None)
    conn.execute(orders_table.update().where(mine).values(cancelled_at=now))
    return lifted


def done(conn: Connection, held: Leadership, strategy: str, now: float) -> None:
    """The strategy under an order has nothing left to do. Without effect where there is none, or it was done before."""
    fence(conn, held)
    mine = (
        (orders_table.c.strategy == strategy) & orders_table.c.cancelled_at.is_(None) & orders_table.c.done_at.is_(None)
    )
    conn.execute(orders_table.update().where(mine).values(done_at=now))


def _listed(conn: Connection, strategies: Sequence[str]) -> tuple[Order, ...]:
    known = orders(conn)
    return tuple(known[strategy] for strategy in dict.fromkeys(strategies) if strategy in known)
