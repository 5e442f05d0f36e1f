"""Arbitrage between what glowSOL redeems for and what it trades at, both ways. The derivation is docs/strategies/arbitrage.md.

Premium: mint glowSOL at the redemption rate R and sell it, in one atomic transaction that borrows nothing.
Discount: buy glowSOL and queue it for redemption. A carry trade: the bid that is fair pays R less the cost of waiting T years
at the required return r, a flat risk premium k, and fees:  P <= R * (1 - k) - R * r * T - fees. Where selling it for sSOL and
leaving through the stake pool's reserve pays more, that is the way out instead.

All amounts are worst cases: profit is what the minimum-outs guarantee, so a plan that lands has earned at least this.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from keeper.plan import (
    Atomic,
    ClaimUnstake,
    Decision,
    Expected,
    Hold,
    Intent,
    Plan,
    RequestUnstake,
    Stake,
    Swap,
    Unstake,
)
from keeper.strategy import LadderNeed, Strategy
from keeper.units import SOL, SSOL, Bps, ComputeUnits, Duration, Lamports, Mint, TokenAmount
from keeper.view import GlowSol, Ladder, Rung, View

NOW = Duration(0)


@dataclass(frozen=True, slots=True)
class Params:
    """What the operator may set. ``sizes`` are the trade sizes that are quoted; the best of them (or a cap) is taken."""

    sizes: tuple[Lamports, ...] = tuple(Lamports(n * 10**9) for n in (1, 2, 5, 10, 20, 50, 100))
    max_trade: Lamports = Lamports(100 * 10**9)
    min_edge: Bps = Bps(8)
    min_profit: Lamports = Lamports(2_000_000)
    required_return: Bps = Bps(800)
    risk_premium: Bps = Bps(5)
    queue_capital: Lamports = Lamports(200 * 10**9)
    rate_tolerance: Bps = Bps(1)
    compute_limit: int = 400_000

    def __post_init__(self) -> None:
        if self.required_return < Bps(0) or self.risk_premium < Bps(0) or self.rate_tolerance < Bps(0):
            raise ValueError("required_return, risk_premium and rate_tolerance may not be negative")
        if self.min_edge < Bps(1) or self.min_profit < Lamports(1):
            raise ValueError(
                "min_edge and min_profit must be at least 1 bps and 1 lamport: a trade has to earn something"
            )


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way and size of trading; ``obstacle`` is why it may not be taken, empty when it may."""

    way: str
    capital: Lamports
    profit: Lamports
    costs: Lamports
    ripens: Duration
    sol_change: Lamports
    intents: tuple[Intent, ...]
    obstacle: str = ""

    @property
    def edge(self) -> Bps:
        return Bps.between(self.capital + self.profit, self.capital)

    @property
    def numbers(self) -> dict[str, int | str]:
        amounts = {"capital": self.capital.value, "profit": self.profit.value, "costs": self.costs.value}
        return {"way": self.way, "edge_bps": self.edge.value, **amounts}


def needs(params: Params, glowsol: Mint | None) -> tuple[LadderNeed, ...]:
    """Three directions: glowSOL sold for SOL and for sSOL, and bought with SOL."""
    if glowsol is None:
        return ()
    tokens = tuple(TokenAmount(glowsol, size.value) for size in params.sizes)
    sols = tuple(TokenAmount(SOL, size.value) for size in params.sizes)
    return LadderNeed(tokens, SOL), LadderNeed(tokens, SSOL), LadderNeed(sols, glowsol)


def decide(view: View, params: Params) -> Decision:
    """Claim what is ripe; else take the most profitable trade whose edge is enough; else say why not."""
    if not view.fresh.ok:
        return Hold(view.fresh.problem)
    glow = view.glowsol
    if glow is None:
        return Hold("lrt_unavailable")
    claim = _claim(view, glow, params)
    if claim is not None:
        return claim
    found = [*_premium(view, glow, params), *_discount(view, glow, params)]
    if not found:
        return Hold("no_quotes", {"ladders": len(view.quotes)})
    worth = [one for one in found if one.edge >= params.min_edge and one.profit >= params.min_profit]
    if not worth:
        best = max(found, key=lambda one: one.profit)
        thin = "edge_below_minimum" if best.edge < params.min_edge else "profit_below_minimum"
        limits = {"min_edge_bps": params.min_edge.value, "min_profit": params.min_profit.value}
        return Hold(thin, {**best.numbers, **limits})
    free = [one for one in worth if not one.obstacle]
    if not free:
        best = max(worth, key=lambda one: one.profit)
        return Hold(best.obstacle, best.numbers)
    best = max(free, key=lambda one: one.profit)
    expected = Expected(best.profit, best.costs, best.edge, best.capital, best.ripens, best.sol_change)
    return Plan((Atomic(best.intents),), expected, best.way, best.numbers)


def _claim(view: View, glow: GlowSol, params: Params) -> Plan | None:
    fee = view.fees.transaction(ComputeUnits(params.compute_limit))
    for ticket in sorted(view.queue, key=lambda one: one.ripe_at):
        if ticket.ripe(view.block_time) and fee < ticket.assets <= glow.liquid:
            expected = Expected(-fee, fee, Bps(0), ticket.assets, NOW, ticket.assets - fee)
            numbers = {"index": ticket.id.index, "assets": ticket.assets.value}
            return Plan((Atomic((ClaimUnstake(ticket.id, ticket.assets),)),), expected, "claim_ripe", numbers)
    return None


def _premium(view: View, glow: GlowSol, params: Params) -> Iterator[Candidate]:
    held = view.wallet.token(glow.mint)
    cap = (
        glow.rate.tokens(params.rate_tolerance.off_lamports(min(view.wallet.spendable, params.max_trade)), glow.mint)
        + held
    )
    fee = _fees(view, glow.mint, params, transactions=1)
    for ladder, leg in ((view.ladder(glow.mint, SOL), "sell"), (view.ladder(glow.mint, SSOL), "sell_ssol")):
        for rung in _sizes(ladder, cap):
            mint = max(rung.sell - held, TokenAmount(glow.mint, 0))
            price = glow.rate.lamports_up(mint)
            spend = price + params.rate_tolerance.of_up(price)
            exit_ = _to_sol(view, rung, params)
            if exit_ is None:
                continue
            received, exits, obstacle = exit_
            if mint and glow.paused:
                obstacle = "deposits_paused"
            elif mint and spend > glow.deposit_room:
                obstacle = "deposit_cap_reached"
            elif mint and not _current(view):
                obstacle = "stake_pool_outdated"
            stake = (Stake(spend, mint),) if mint else ()
            capital = spend + glow.rate.lamports_up(rung.sell - mint)  # what was held counts at its redemption value
            profit = received - capital - fee
            yield Candidate(
                f"mint_and_{leg}", capital, profit, fee, NOW, received - spend - fee, (*stake, *exits), obstacle
            )


def _discount(view: View, glow: GlowSol, params: Params) -> Iterator[Candidate]:
    queued = Lamports(sum(ticket.assets.value for ticket in view.queue))
    held = view.wallet.token(glow.mint)
    for buy in _sizes(
        view.ladder(SOL, glow.mint), TokenAmount(SOL, min(view.wallet.spendable, params.max_trade).value)
    ):
        spend = Lamports(buy.sell.units)
        bought = buy.min_receive
        acquire = Swap(buy.sell, bought, buy.venue)
        assets = params.rate_tolerance.off_lamports(glow.rate.lamports(bought))
        carry = params.required_return.per_year_over(glow.waiting_period, spend) + params.risk_premium.of_up(spend)
        fee = _fees(view, glow.mint, params, transactions=2)
        rent = Lamports(0) if glow.queue_open else view.fees.queue_account_rent
        obstacle = "queue_capital_reached" if queued + assets > params.queue_capital else ""
        if glow.queue_slots_free == 0:
            obstacle = "queue_full"
        request = RequestUnstake(bought + held, params.rate_tolerance.off_lamports(glow.rate.lamports(bought + held)))
        costs = carry + fee + rent
        profit, change = assets - spend - costs, -spend - fee - rent
        yield Candidate(
            "buy_and_queue", spend, profit, costs, glow.waiting_period, change, (acquire, request), obstacle
        )
        ssol = view.ladder(glow.mint, SSOL)
        sale = ssol.at(bought) if ssol else None
        exit_ = _to_sol(view, sale, params) if sale else None
        if exit_ is not None:
            received, exits, obstacle = exit_
            fee = _fees(view, glow.mint, params, transactions=1)
            profit = received - spend - fee
            yield Candidate("buy_and_sell_ssol", spend, profit, fee, NOW, profit, (acquire, *exits), obstacle)


def _to_sol(view: View, sale: Rung, params: Params) -> tuple[Lamports, tuple[Intent, ...], str] | None:
    """(SOL received at least, intents, obstacle) of selling glowSOL by ``sale``; sSOL leaves through the stake pool."""
    swap = Swap(sale.sell, sale.min_receive, sale.venue)
    if sale.min_receive.mint == SOL:
        return Lamports(sale.min_receive.units), (swap,), ""
    pool = view.pool(SSOL)
    if pool is None:
        return None
    received = params.rate_tolerance.off_lamports(pool.instant_rate.lamports(sale.min_receive))
    if received <= Lamports(0):
        return None
    obstacle = "" if pool.current else "stake_pool_outdated"
    if received > pool.reserve:
        obstacle = "stake_pool_reserve_short"
    return received, (swap, Unstake(sale.min_receive, received)), obstacle


def _sizes(ladder: Ladder | None, cap: TokenAmount) -> Iterator[Rung]:
    if ladder is None:
        return
    yield from (rung for rung in ladder.rungs if rung.sell <= cap)
    cut = ladder.at(cap) if all(rung.sell != cap for rung in ladder.rungs) else None
    if cut is not None:
        yield cut


def _fees(view: View, mint: Mint, params: Params, *, transactions: int) -> Lamports:
    rent = Lamports(0) if view.wallet.has_account(mint) else view.fees.token_account_rent
    return view.fees.transaction(ComputeUnits(params.compute_limit)) * transactions + rent


def _current(view: View) -> bool:
    pool = view.pool(SSOL)
    return pool is not None and pool.current


ARBITRAGE = Strategy("arbitrage", Params, decide, needs)
