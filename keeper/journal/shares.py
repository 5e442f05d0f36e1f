"""Which strategy owns what of each balance, moved in the transaction that books.

Tokens: what a strategy's transaction brings into an account is its own, what it takes out lessens its own down to nothing (more
than its own was nobody's, and using that makes no debt). Together the strategies never own more than the account holds: where a
balance shrinks below that, by hand or by a liquidation, the largest share is cut first.

Lamports: the plain sum of changes by account, because what a strategy has taken out and returned is its use of its budget.

Opening balances, and what strangers send, are nobody's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from keeper.journal.records import LedgerEntry
from keeper.journal.tables import shares as shares_table

LAMPORTS = "lamports"


def move(conn: Connection, entries: Sequence[LedgerEntry], balances: Mapping[tuple[str, str], int]) -> None:
    """Move the shares by ``entries``; ``balances`` are those of every (account, asset) in them, after the entries."""
    changes: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for entry in entries:
        changes[entry.account, entry.asset][entry.strategy] += entry.delta
    for (account, asset), by_strategy in changes.items():
        known = _of(conn, account, asset)
        after = dict(known)
        for strategy, change in by_strategy.items():
            if strategy:
                after[strategy] = after.get(strategy, 0) + change
        if asset != LAMPORTS:
            after = cut(after, balances[account, asset])
        for strategy, units in after.items():
            _write(conn, (strategy, account, asset), units, known.get(strategy))


def cut(owned: Mapping[str, int], balance: int) -> dict[str, int]:
    """Shares of one token balance after a change: none below zero, together at most ``balance``; the largest gives first."""
    kept = {strategy: max(units, 0) for strategy, units in owned.items()}
    excess = sum(kept.values()) - max(balance, 0)
    for strategy in sorted(kept, key=lambda one: (-kept[one], one)):
        if excess <= 0:
            break
        given = min(excess, kept[strategy])
        kept[strategy] -= given
        excess -= given
    return kept


def _of(conn: Connection, account: str, asset: str) -> dict[str, int]:
    at = (shares_table.c.account == account) & (shares_table.c.asset == asset)
    rows = conn.execute(sa.select(shares_table.c.strategy, shares_table.c.units).where(at))
    return {row.strategy: row.units for row in rows}


def _write(conn: Connection, key: tuple[str, str, str], units: int, before: int | None) -> None:
    strategy, account, asset = key
    columns = shares_table.c
    at = (columns.strategy == strategy) & (columns.account == account) & (columns.asset == asset)
    if before is None:
        conn.execute(shares_table.insert().values(strategy=strategy, account=account, asset=asset, units=units))
    elif before != units:
        conn.execute(shares_table.update().where(at).values(units=units))


def shares(conn: Connection) -> dict[tuple[str, str, str], int]:
    """(strategy, account, asset) -> base units, sorted; shares of nothing left out."""
    rows = conn.execute(shares_table.select())
    return dict(sorted(((row.strategy, row.account, row.asset), row.units) for row in rows if row.units))
