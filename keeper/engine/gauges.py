"""What the metrics show of the strategies' shares and of measured yields, read off one tick."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from keeper.engine.allocator import Allocator
from keeper.journal.records import Standing
from keeper.past import EpochRates, Past
from keeper.tactics.yields import staking_yield
from keeper.telemetry.capital import Capital
from keeper.units import SSOL, Lamports
from keeper.view import View


def capital(view: View, allocator: Allocator, standing: Standing) -> tuple[Capital, ...]:
    """The share of every configured strategy, by priority. ``view`` is whole."""
    owned, budgets = allocator.owned, allocator.allocation.budgets
    requests = Counter(owned.tickets.values())
    found = []
    for name in allocator.allocation.names:
        order = standing.orders.get(name)
        found.append(
            Capital(
                strategy=name,
                budget=budgets.get(name),
                deployed=Lamports(owned.deployed(name)),
                free=allocator.share(view, name).wallet.spendable,
                debt=Lamports(owned.debts.get(name, 0)),
                requests=requests[name],
                ordered_at=None if order is None else order.placed_at,
                unwound=order is not None and order.done_at is not None,
            )
        )
    return tuple(found)


def yields(view: View, rates: Sequence[EpochRates]) -> dict[str, int | None]:
    """What sSOL and glowSOL earn, by symbol, in billionths per year; None where nothing was measured yet."""
    seen = replace(view, past=Past(rates=tuple(rates)))
    mints = [SSOL] if view.glowsol is None else [SSOL, view.glowsol.mint]
    return {mint.symbol: staking_yield(seen, mint) for mint in mints}
