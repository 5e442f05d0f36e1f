"""Arbitrage between what glowSOL redeems for and what it trades at, both ways. The derivation is docs/strategies/arbitrage.md.

Premium: mint glowSOL at the redemption rate R and sell it, in one atomic transaction that borrows nothing.
Discount: buy glowSOL and queue it for redemption. A carry trade: the bid that is fair pays R less the cost of waiting T years
at the required return r, a flat risk premium k, and fees:  P <= R * (1 - k) - R * r * T - fees. Where selling it for sSOL and
leaving through the stake pool's reserve pays more, that is the way out instead.

All amounts are worst cases: profit is what the minimum-outs guarantee, so a plan that lands has earned at least this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from keeper.plan import Atomic, Decision, Expected, Hold, Plan, RequestUnstake, Stake, Swap, Unstake
from keeper.strategy import LadderNeed, Strategy
from keeper.tactics.homeward import Limits, homeward, remaining
from keeper.tactics.trading import (
    NOTHING,
    NOW,
    affordable,
    candidates,
    dex_sale,
    mint_obstacle,
    ripe_claim,
    transaction_cost,
)
from keeper.units import LAMPORTS_PER_SOL, SOL, SSOL, Bps, Duration, Lamports, Mint, TokenAmount
from keeper.view import GlowSol, Ladder, View


@dataclass(frozen=True, slots=True)
class Params:
    """What the operator may set. ``sizes`` are the trade sizes that are quoted; the best of them (or a cap) is taken."""

    sizes: tuple[Lamports, ...] = tuple(Lamports(n * 10**9) for n in (1, 2, 5, 10, 20, 50, 100))
    max_trade: Lamports = Lamports(100 * 10**9)
    min_edge: Bps = Bps(8)
    max_edge: Bps = Bps(1_000)
    min_profit: Lamports = Lamports(2_000_000)
    required_return: Bps = Bps(800)
    risk_premium: Bps = Bps(5)
    queue_capital: Lamports = Lamports(200 * 10**9)
    rate_tolerance: Bps = Bps(1)
    compute_limit: int = 400_000

    def __post_init__(self) -> None:
        if (
            self.required_return < Bps(0)
            or self.risk_premium < Bps(0)
            or not Bps(0) <= self.rate_tolerance < Bps(10_000)
        ):
            raise ValueError(
                "required_return, risk_premium and rate_tolerance may not be negative, nor a tolerance 100 %"
            )
        if not Bps(1) <= self.min_edge <= self.max_edge or self.min_profit < Lamports(1):
            raise ValueError(
                "a trade has to earn something: min_edge from 1 bps to max_edge, min_profit from 1 lamport"
            )
        if min(self.max_trade, self.queue_capital) < Lamports(0) or not 0 < self.compute_limit <= 1_400_000:
            raise ValueError("max_trade and queue_capital may not be negative, compute_limit lies in 1..1400000")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way and size of trading; ``obstacle`` is why it may not be taken, empty when it may."""

    way: str
    capital: Lamports
    profit: Lamports
    costs: Lamports
    ripens: Duration
    sol_change: Lamports
    intents: tuple[Stake | Swap | Unstake | RequestUnstake, ...]
    obstacle: str = ""

    @property
    def edge(self) -> Bps:
        return Bps.between(self.capital + self.profit, self.capital)

    @property
    def numbers(self) -> dict[str, int | str]:
        amounts = {"capital": self.capital.value, "profit": self.profit.value, "costs": self.costs.value}
        return {"way": self.way, "edge_bps": self.edge.value, **amounts}


def needs(params: Params, glowsol: Mint | None) -> tuple[LadderNeed, ...]:
    """Three directions: glowSOL sold for SOL and for sSOL, and bought with SOL. No quote is asked that no trade may use."""
    sizes = [size for size in dict.fromkeys(min(size, params.max_trade) for size in params.sizes) if size]
    if glowsol is None or not sizes:
        return ()
    unit = 10**glowsol.decimals  # a size of one SOL is one whole glowSOL, whatever its decimals
    tokens = tuple(TokenAmount(glowsol, size.value * unit // LAMPORTS_PER_SOL) for size in sizes)
    sols = tuple(TokenAmount(SOL, size.value) for size in sizes)
    return LadderNeed(tokens, SOL), LadderNeed(tokens, SSOL), LadderNeed(sols, glowsol)


def decide(view: View, params: Params) -> Decision:
    """Claim what is ripe; else take the most profitable trade whose edge is enough; else say why not. Unwinding, only claim."""
    if not view.fresh.ok:
        return Hold(view.fresh.problem, view.fresh.numbers)
    claim = ripe_claim(view, params.compute_limit)
    if claim is not None:
        return claim
    glow = view.glowsol
    if view.past.order == "unwind":  # what trades brought beyond their bounds, and then what waits in the queue
        mints = (SSOL,) if glow is None else (glow.mint, SSOL)
        home = homeward(view, mints, Limits(params.max_edge, params.rate_tolerance, params.compute_limit))
        return home or remaining(view, params.compute_limit)
    if glow is None:
        return Hold("lrt_unavailable", {"slot": view.slot.value})
    if not glow.outstanding or not glow.total_assets:
        return Hold(
            "no_redemption_rate", {"total_assets": glow.total_assets.value, "outstanding": glow.outstanding.units}
        )
    found = [*_premium(view, glow, params), *_discount(view, glow, params)]
    if not found:
        nothing = "no_quotes" if not view.quotes else "no_size_fits"
        return Hold(nothing, {"ladders": len(view.quotes), "spendable": view.wallet.spendable.value})
    worth = [one for one in found if one.edge >= params.min_edge and one.profit >= params.min_profit]
    if not worth:
        best = max(found, key=lambda one: one.profit)
        thin = "edge_below_minimum" if best.edge < params.min_edge else "profit_below_minimum"
        limits = {"min_edge_bps": params.min_edge.value, "min_profit": params.min_profit.value}
        return Hold(thin, {**best.numbers, **limits})
    free = [one for one in worth if not one.obstacle and one.edge <= params.max_edge and not view.rests(one.way)]
    if not free:
        best = max(worth, key=lambda one: one.profit)
        obstacle = "edge_absurd" if best.edge > params.max_edge else best.obstacle or "cooling_down"
        return Hold(obstacle, best.numbers)
    best = max(free, key=lambda one: one.profit)
    expected = Expected(best.profit, best.costs, best.edge, best.capital, best.ripens, best.sol_change)
    return Plan((Atomic(best.intents),), expected, best.way, best.numbers)


def _premium(view: View, glow: GlowSol, params: Params) -> Iterator[Candidate]:
    held = view.wallet.token(glow.mint)

    def minted(most: Lamports) -> TokenAmount:
        return glow.rate.tokens(params.rate_tolerance.off_lamports(most), glow.mint)

    for out, way in ((SOL, "mint_and_sell"), (SSOL, "mint_and_sell_ssol")):
        fee = transaction_cost(view, params.compute_limit, glow.mint, out)
        cap = min(minted(affordable(view, fee)) + held, minted(params.max_trade))
        for rung in candidates(view.ladder(glow.mint, out), cap, held, held + minted(glow.deposit_room)):
            mint = max(rung.sell - held, TokenAmount(glow.mint, 0))
            price = glow.rate.lamports_up(mint)
            spend = price + params.rate_tolerance.of_up(price)
            stake = (Stake(spend, mint),) if mint else ()
            capital = spend + glow.rate.lamports_up(rung.sell - mint)  # what was held counts at its redemption value
            sale = dex_sale(view, rung, params.rate_tolerance)
            if sale is not None:
                obstacle = (mint_obstacle(view, spend, glow.mint) if mint else "") or sale.obstacle
                profit, change = sale.receive - capital - fee, sale.receive - spend - fee
                yield Candidate(way, capital, profit, fee, NOW, change, (*stake, *sale.intents), obstacle)


def _discount(view: View, glow: GlowSol, params: Params) -> Iterator[Candidate]:
    room = params.queue_capital - Lamports(sum(ticket.assets.value for ticket in view.queue))
    held, full = view.wallet.token(glow.mint), glow.queue_slots_free <= 0
    claim = transaction_cost(view, params.compute_limit)
    fee, through = (transaction_cost(view, params.compute_limit, glow.mint, *more) for more in ((), (SSOL,)))
    fee += NOTHING if glow.queue_open else view.fees.queue_account_rent

    def assets(tokens: TokenAmount) -> Lamports:
        return params.rate_tolerance.off_lamports(glow.rate.lamports(tokens))

    ladder, ssol = view.ladder(SOL, glow.mint), view.ladder(glow.mint, SSOL)
    cap = TokenAmount(SOL, min(affordable(view, max(fee, through)), params.max_trade).value)
    for buy in candidates(ladder, cap, *_filling(ladder, room, assets)):
        spend, bought = Lamports(buy.sell.units), buy.min_receive
        acquire = Swap(buy.sell, bought, buy.venue)
        carry = params.required_return.per_year_over(glow.waiting_period, spend) + params.risk_premium.of_up(spend)
        obstacle = "queue_full" if full else "queue_capital_reached" if assets(bought) > room else ""
        joined = bought + held if held <= bought and assets(bought + held) <= room else bought  # leftovers wait along
        costs = carry + fee + claim
        profit, change = assets(joined) - glow.rate.lamports_up(joined - bought) - spend - costs, -spend - fee - claim
        if assets(joined):
            intents = acquire, RequestUnstake(joined, assets(joined))
            yield Candidate("buy_and_queue", spend, profit, costs, glow.waiting_period, change, intents, obstacle)
        rung = ssol.at(bought) if ssol is not None else None
        sale = dex_sale(view, rung, params.rate_tolerance) if rung is not None and rung.min_receive.units > 0 else None
        if sale is not None:
            profit, out = sale.receive - spend - through, (acquire, *sale.intents)
            yield Candidate("buy_and_sell_ssol", spend, profit, through, NOW, profit, out, sale.obstacle)


def _filling(ladder: Ladder | None, room: Lamports, assets: Callable[[TokenAmount], Lamports]) -> Iterator[TokenAmount]:
    """The size that fills the queue's room, at the price of the largest rung that fits: a larger size buys no better."""
    fits = [one for one in (ladder.rungs if ladder else ()) if Lamports(0) < assets(one.min_receive) <= room]
    yield from (TokenAmount(SOL, one.sell.units * room.value // assets(one.min_receive).value) for one in fits[-1:])


ARBITRAGE = Strategy("arbitrage", Params, decide, needs)
