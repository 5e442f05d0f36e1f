"""The ledger: entries that are only ever added, and the running sums kept beside them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from keeper.journal import shares
from keeper.journal.leadership import fence
from keeper.journal.records import AttemptState, JournalError, Leadership, LedgerEntry, StrategyTotals, Totals
from keeper.journal.tables import balances as balances_table
from keeper.journal.tables import ledger as ledger_table
from keeper.journal.tables import totals as totals_table
from keeper.units import Lamports, Slot, UnixTime
from keeper.units.quantity import U64_MAX

OPENING = "opening"
EXTERNAL = "external"
KINDS = (OPENING, "fee", "trade", EXTERNAL)


def open_balances(conn: Connection, held: Leadership, entries: Sequence[LedgerEntry]) -> bool:
    """Book those of ``entries`` whose account the ledger does not know yet; whether that was all of them."""
    fence(conn, held)
    _only(entries, OPENING, "open_ledger")
    accounts = [(entry.account, entry.asset) for entry in entries]
    if len(set(accounts)) != len(accounts):
        raise JournalError("open_ledger was given two opening balances for one account and asset; give one")
    known = balances(conn)
    fresh = [entry for entry in entries if (entry.account, entry.asset) not in known]
    append(conn, fresh)
    return len(fresh) == len(entries)


def book(conn: Connection, held: Leadership, entries: Sequence[LedgerEntry]) -> None:
    """Book external entries that are not there yet."""
    fence(conn, held)
    _only(entries, EXTERNAL, "book")
    fresh = []
    for entry in dict.fromkeys(entries):
        known = _find(conn, entry)
        if known is None:
            fresh.append(entry)
        elif known != entry:
            raise JournalError(f"the ledger has {known}, refused to change it to {entry}")
    append(conn, fresh)


def _only(entries: Iterable[LedgerEntry], kind: str, door: str) -> None:
    for entry in entries:
        if entry.kind != kind:
            raise JournalError(f"{door} takes entries of kind {kind!r}, got {entry.kind!r} for {entry.signature!r}")


def append(conn: Connection, entries: Sequence[LedgerEntry]) -> None:
    """Insert entries and move the running balances and shares by them. The caller has passed the fence."""
    changes: dict[tuple[str, str], int] = defaultdict(int)
    keys = set()
    for entry in entries:
        _check(entry)
        key = (entry.signature, entry.account, entry.asset, entry.kind)
        if key in keys:
            raise JournalError(f"two ledger entries for {key}; add them up or tell their kinds apart")
        keys.add(key)
        changes[entry.account, entry.asset] += entry.delta
    if not entries:
        return
    conn.execute(ledger_table.insert(), [_columns(entry) for entry in entries])
    after: dict[tuple[str, str], int] = {}
    for (account, asset), change in changes.items():
        at = (balances_table.c.account == account) & (balances_table.c.asset == asset)
        before = conn.execute(sa.select(balances_table.c.balance).where(at)).scalar_one_or_none()
        if before is None:
            conn.execute(balances_table.insert().values(account=account, asset=asset, balance=change))
        else:
            conn.execute(balances_table.update().where(at).values(balance=before + change))
        after[account, asset] = (before or 0) + change
    shares.move(conn, entries, after)


def _check(entry: LedgerEntry) -> None:
    if type(entry.delta) is not int or abs(entry.delta) > U64_MAX:
        raise JournalError(f"a ledger delta is an integer of at most u64 size, got {entry.delta!r} in {entry}")
    if not (entry.signature and entry.account and entry.asset):
        raise JournalError(f"a ledger entry needs a signature key, an account and an asset: {entry}")
    if entry.kind not in KINDS:
        raise JournalError(f"a ledger entry is one of {', '.join(KINDS)}, got kind {entry.kind!r}")


def _columns(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "signature": entry.signature,
        "slot": entry.slot.value,
        "block_time": entry.block_time.value,
        "account": entry.account,
        "asset": entry.asset,
        "kind": entry.kind,
        "delta": entry.delta,
        "strategy": entry.strategy,
    }


def _entry(row: Row[Any]) -> LedgerEntry:
    return LedgerEntry(
        row.signature,
        Slot(row.slot),
        UnixTime(row.block_time),
        row.account,
        row.asset,
        row.kind,
        delta=row.delta,
        strategy=row.strategy,
    )


def _find(conn: Connection, entry: LedgerEntry) -> LedgerEntry | None:
    columns = ledger_table.c
    row = conn.execute(
        ledger_table.select().where(
            columns.signature == entry.signature,
            columns.account == entry.account,
            columns.asset == entry.asset,
            columns.kind == entry.kind,
        )
    ).one_or_none()
    return None if row is None else _entry(row)


def count(conn: Connection, strategy: str, state: AttemptState, fee: Lamports) -> None:
    """Add one resolved attempt to its strategy's totals."""
    at = totals_table.c.strategy == strategy
    row = conn.execute(totals_table.select().where(at)).one_or_none()
    if row is None:
        empty = {"landed": 0, "failed": 0, "expired": 0, "fees": fee.value}
        conn.execute(totals_table.insert().values(strategy=strategy, **(empty | {state.value: 1})))
    else:
        counted = {state.value: row._mapping[state.value] + 1, "fees": row.fees + fee.value}
        conn.execute(totals_table.update().where(at).values(**counted))


def balances(conn: Connection) -> dict[tuple[str, str], int]:
    """(account, asset) -> running balance, in the order of accounts and assets."""
    rows = conn.execute(balances_table.select())
    return dict(sorted(((row.account, row.asset), row.balance) for row in rows))  # not by SQL: collations differ


def entries(conn: Connection, limit: int | None) -> tuple[LedgerEntry, ...]:
    """Newest first."""
    rows = conn.execute(ledger_table.select().order_by(ledger_table.c.seq.desc()).limit(limit))
    return tuple(_entry(row) for row in rows)


def totals(conn: Connection) -> Totals:
    """By strategy, and added up."""
    rows = conn.execute(totals_table.select().order_by(totals_table.c.strategy))
    by_strategy = {
        row.strategy: StrategyTotals(row.landed, row.failed, row.expired, Lamports(row.fees)) for row in rows
    }
    return Totals(
        landed=sum(each.landed for each in by_strategy.values()),
        failed=sum(each.failed for each in by_strategy.values()),
        expired=sum(each.expired for each in by_strategy.values()),
        fees=Lamports(sum(each.fees.value for each in by_strategy.values())),
        by_strategy=by_strategy,
    )
