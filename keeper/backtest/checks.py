"""What is held against every step of a journey: the books, the keeper's arithmetic, and a plan's own promises."""

from __future__ import annotations

from collections.abc import Callable

from keeper.backtest.fills import Fill, Miss, fill
from keeper.backtest.ground import GLOWSOL
from keeper.backtest.paper import Paper
from keeper.backtest.paths import RATE_UNIT
from keeper.engine.allocator import outlay
from keeper.execution.bounds import LAMPORTS, require_covered
from keeper.execution.outcome import Refusal
from keeper.plan import Plan
from keeper.units import SOL, SSOL
from keeper.view import View

ROUNDING = 64
"""Lamports that roundings of one transaction, or of one move of the world, may add up to."""
Breach = Callable[[str, str], None]


class Checks:
    """``breach(rule, detail)`` hears of everything that is broken."""

    def __init__(self, breach: Breach) -> None:
        self._breach = breach

    def moves(self, market: Paper, at: int) -> None:
        """Advance ``market`` to ``at``: what it is worth changes by yield and interest, and by nothing else."""
        value, owed, rates = market.value, market.lender.owed, (market.moment.glowsol, market.moment.ssol)
        held = (market.holding(GLOWSOL), market.holding(SSOL))
        market.advance(at)
        grown = sum(
            units * (now - before) // RATE_UNIT
            for units, now, before in zip(held, (market.moment.glowsol, market.moment.ssol), rates, strict=True)
        )
        expected = value + grown - (market.lender.owed - owed)
        if abs(market.value - expected) > ROUNDING:
            self._breach("value_not_conserved", f"{market.value} after the world moved, {expected} expected")
        if market.lender.owed < owed:
            self._breach("interest_negative", f"{owed} lamports owed before, {market.lender.owed} now")

    def agrees(self, market: Paper, view: View) -> None:
        """The keeper's reading of the bytes is the models' truth: debts to the lamport, health to the basis point."""
        margin = view.margin
        if margin is None:
            self._breach("keeper_disagrees", "the keeper sees no margin account")
            return
        owed = sum(loan.amount.units for loan in margin.loans)
        if owed != market.lender.owed:
            self._breach("keeper_disagrees", f"it sees {owed} lamports owed, the pool {market.lender.owed}")
        truth, stale = market.lender.health, market.moment.oracle_stale
        if owed and not stale and not truth - 1 <= margin.health.value <= truth:
            self._breach("keeper_disagrees", f"it sees health {margin.health}, the program {truth} bps")

    def proposed(self, market: Paper, view: View, plan: Plan) -> None:
        """It spends only what its view showed, and at the prices of its own view no health falls below nothing on the way."""
        wallet = view.wallet
        purse = (wallet.protecting if plan.protects else wallet.spendable).value
        visible = {LAMPORTS: purse, **{one.mint.address: one.units for one in wallet.tokens}}
        for asset, spends in outlay(plan).items():
            if spends > visible.get(asset, 0):
                self._breach("spends_unseen", f"{plan.reason} spends {spends} of {asset}, sees {visible.get(asset, 0)}")
        pots = visible
        for step in plan.steps:
            try:
                pots = require_covered(step, pots)
            except Refusal as error:
                self._breach("not_covered", f"{plan.reason}: {error}")
        ahead = market
        for step in plan.steps:
            dry = fill(ahead, step)
            if isinstance(dry, Miss):
                self._breach("cannot_land", f"{plan.reason} would fail even at once: {dry.name}")
                return
            if dry.lowest < 0 <= ahead.lender.health:
                self._breach("unhealthy_on_the_way", f"{plan.reason}: health {dry.lowest} bps between its intents")
            ahead = dry.after

    def filled(self, before: Paper, plan: Plan, found: Fill) -> None:
        """Value is conserved: what is gone went into bounds, fees and rents. The plan's own bound on SOL holds."""
        gone = before.value - found.after.value
        explained = found.lost + found.fee + found.rent
        if abs(gone - explained) > ROUNDING:
            self._breach("value_not_conserved", f"{plan.reason}: {gone} lamports gone, {explained} explained")
        change = found.after.lamports - before.lamports
        if len(plan.steps) == 1 and change < plan.expected.min_sol_change.value:
            self._breach(
                "sol_bound_broken", f"{plan.reason}: SOL changed by {change}, bound {plan.expected.min_sol_change}"
            )
        for asset, units in found.after.tokens.items():
            if units < 0:
                self._breach("overdrawn", f"{plan.reason}: {units} of {asset}")
        if found.after.lamports < 0:
            self._breach("overdrawn", f"{plan.reason}: {found.after.lamports} of {SOL}")
