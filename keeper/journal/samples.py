"""What the engine saw of rates, kept for strategies that look back: as statements inside one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from keeper.journal.leadership import fence
from keeper.journal.records import Leadership
from keeper.journal.tables import borrow_samples, epoch_rates
from keeper.past import BorrowSample, EpochRates
from keeper.units import Epoch, Rate, UnixTime


def keep(
    conn: Connection,
    held: Leadership,
    rates: EpochRates | None,
    borrows: Sequence[BorrowSample],
    forget_before: UnixTime,
) -> None:
    """Add what is new, and forget borrow samples from before ``forget_before``. What is known of a moment stays."""
    fence(conn, held)
    if rates is not None:
        same = sa.select(epoch_rates.c.epoch).where(epoch_rates.c.epoch == rates.epoch.value)
        if conn.execute(same).first() is None:
            conn.execute(epoch_rates.insert().values(**_columns(rates)))
    for sample in borrows:
        at = (borrow_samples.c.market == sample.market) & (borrow_samples.c.at == sample.at.value)
        if conn.execute(sa.select(borrow_samples.c.rate).where(at)).first() is None:
            conn.execute(borrow_samples.insert().values(market=sample.market, at=sample.at.value, rate=sample.rate))
    if borrows:
        conn.execute(borrow_samples.delete().where(borrow_samples.c.at < forget_before.value))


def _columns(rates: EpochRates) -> dict[str, Any]:
    glowsol = rates.glowsol
    return {
        "epoch": rates.epoch.value,
        "at": rates.at.value,
        "ssol_lamports": rates.ssol.numerator,
        "ssol_units": rates.ssol.denominator,
        "glowsol_lamports": None if glowsol is None else glowsol.numerator,
        "glowsol_units": None if glowsol is None else glowsol.denominator,
    }


def rates(conn: Connection, newest: int) -> tuple[EpochRates, ...]:
    """Of the ``newest`` epochs that were seen, by rising epoch."""
    rows = conn.execute(epoch_rates.select().order_by(epoch_rates.c.epoch.desc()).limit(newest)).all()
    return tuple(_rates(row) for row in reversed(rows))


def _rates(row: Row[Any]) -> EpochRates:
    glowsol = None if row.glowsol_units is None else Rate(row.glowsol_lamports, row.glowsol_units)
    return EpochRates(Epoch(row.epoch), UnixTime(row.at), Rate(row.ssol_lamports, row.ssol_units), glowsol)


def borrows(conn: Connection) -> tuple[BorrowSample, ...]:
    """All that are kept, by rising time, then by market."""
    rows = conn.execute(borrow_samples.select())
    found = (BorrowSample(UnixTime(row.at), row.market, row.rate) for row in rows)
    return tuple(sorted(found, key=lambda one: (one.at.value, one.market)))
