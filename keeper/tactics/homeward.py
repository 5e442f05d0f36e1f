"""Bringing what the wallet holds back to SOL, one plan at a time: what strategies do under the order to unwind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from keeper.lending import Collateral
from keeper.plan import Atomic, Expected, Hold, Plan, Unwrap, Withdraw
from keeper.tactics.trading import (
    NOW,
    Sale,
    claimable,
    exit_rent,
    ranked_exits,
    transaction_cost,
    withdrawable,
)
from keeper.tactics.yields import interest, redemption_rate, staking_yield
from keeper.units import SOL, Bps, Lamports, Mint, TokenAmount
from keeper.view import View


@dataclass(frozen=True, slots=True)
class Limits:
    """``max_discount``: the most that a sale at once may give up against the redemption value."""

    max_discount: Bps
    tolerance: Bps
    compute_limit: int


def homeward(view: View, mints: Iterable[Mint], limits: Limits) -> Plan | Hold | None:
    """The next plan that turns wrapped SOL or a holding of ``mints`` into SOL, by the way that brings most after its wait; a
    Hold with the reason where something is held and no way is free; None where all that is left is worth less than its fee.

    The wait is charged at the measured yield, which the money forgoes meanwhile; at nothing where none is known.
    """
    fee, wrapped = transaction_cost(view, limits.compute_limit), Lamports(view.wallet.token(SOL).units)
    if wrapped > fee and not view.rests("unwrap"):
        expected = Expected(-fee, fee, Bps(0), wrapped, NOW, wrapped - fee)
        return Plan((Atomic((Unwrap(wrapped),)),), expected, "unwrap", {"wrapped": wrapped.value})
    stuck: Hold | None = None if wrapped <= fee else Hold("cooling_down", {"wrapped": wrapped.value})
    for mint in mints:
        rate = staking_yield(view, mint) or 0
        ranked = ranked_exits(view, view.wallet.token(mint), rate, limits.max_discount, limits.tolerance)
        worth = [sale for sale in ranked if sale.receive > _costs(view, sale, limits)]
        free = [sale for sale in worth if not sale.obstacle and not view.rests(sale.way)]
        if free:
            return _plan(view, free[0], rate, limits)
        if worth and stuck is None:
            amounts = {"holds": view.wallet.token(mint).units, "receive": worth[0].receive.value}
            stuck = Hold(worth[0].obstacle or "cooling_down", {"way": worth[0].way, **amounts})
    return stuck


def reclaimed(view: View, places: Iterable[Collateral], floor: Bps, compute_limit: int) -> Plan | Hold | None:
    """The next withdrawal of ``places`` of the margin account, as far as health keeps ``floor`` and the pool pays; a Hold while
    none is possible; None where all that is left is worth less than its costs."""
    margin, stuck = view.margin, None
    for place in places if margin is not None else ():
        most = withdrawable(margin, place, floor) if margin is not None else TokenAmount(place.mint, 0)
        value, costs = (
            place.price.lamports(most),
            transaction_cost(view, compute_limit, place.mint) + exit_rent(view, place),
        )
        if value > costs and not view.rests("withdraw"):
            now = Lamports(most.units) if place.mint == SOL else Lamports(0)
            expected = Expected(-costs, costs, Bps(0), value, NOW, now - costs)
            step = Atomic((Withdraw(place.market, most),), floor)
            return Plan((step,), expected, "withdraw", {"market": place.market, "amount": most.units})
        if place.value > costs:
            reason = (
                "cooling_down"
                if value > costs
                else (margin.problem if margin is not None else "") or "collateral_bound"
            )
            stuck = Hold(reason, {"market": place.market, "amount": place.amount.units, "free": most.units})
    return stuck


def remaining(view: View, compute_limit: int) -> Hold:
    """``unwinding`` while a request waits that is worth the fee of its claim, else ``unwound``."""
    tickets = claimable(view, compute_limit)
    numbers = {"tickets": len(tickets), "assets": sum(ticket.assets.value for ticket in tickets)}
    return Hold("unwinding" if tickets else "unwound", numbers)


def _costs(view: View, sale: Sale, limits: Limits) -> Lamports:
    """Fees, that of the later claim too, and rent."""
    return transaction_cost(view, limits.compute_limit) * (1 if sale.ripens == NOW else 2) + sale.rent


def _plan(view: View, sale: Sale, rate: int, limits: Limits) -> Plan:
    price, costs = redemption_rate(view, sale.sold.mint), _costs(view, sale, limits)
    value = price.lamports_up(sale.sold) if price is not None else sale.receive
    wait = interest(sale.receive, max(rate, 0), sale.ripens)
    profit, now = sale.receive - value - costs - wait, sale.receive if sale.ripens == NOW else Lamports(0)
    edge = Bps.between(value + profit, value)
    expected = Expected(profit, costs + wait, edge, value, sale.ripens, now - costs)
    numbers = {"sold": sale.sold.units, "receive": sale.receive.value, "value": value.value}
    return Plan((Atomic(sale.intents),), expected, sale.way, numbers)
