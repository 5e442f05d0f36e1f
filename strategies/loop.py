"""Loop: glowSOL or sSOL as collateral, SOL borrowed against it and staked again. The derivation is docs/strategies/loop.md.

A unit of debt earns y - b a year: the measured staking yield less the borrow rate. The target is the debt that gains most after
opening and closing, of those that outlive the stress and could be sold again at once. Between the bands nothing moves.
"""

from __future__ import annotations

from dataclasses import dataclass

from keeper.lending import RATE_SCALE, RATE_YEAR, Stress
from keeper.plan import Decision, Hold, Plan
from keeper.strategy import LadderNeed, Strategy
from keeper.tactics.desk import SLOWLY, Desk, Done, Limits
from keeper.tactics.leverage import Position
from keeper.tactics.trading import NOTHING, ripe_claim
from keeper.tactics.yields import interest
from keeper.units import BPS, LAMPORTS_PER_SOL, SOL, SSOL, Bps, Duration, Lamports, Mint, TokenAmount
from keeper.view import RATE_FELL, View

MIDDLE = Bps(100)  # how low health may go between the intents of one transaction


@dataclass(frozen=True, slots=True)
class Params:
    """What the operator may set: each is explained in the document."""

    collateral: str = "glowSOL"
    equity: Lamports = Lamports(100 * LAMPORTS_PER_SOL)
    max_leverage: Bps = Bps(30_000)
    health_floor: Bps = Bps(1_000)
    shock: Bps = Bps(1_500)
    rate_shock: Bps = Bps(20_000)
    exit_time: Duration = Duration(7 * 86_400)
    drift: Bps = Bps(200)
    band: Bps = Bps(150)
    cooldown: Duration = Duration(3_600)
    min_notional: Lamports = Lamports(LAMPORTS_PER_SOL)
    horizon: Duration = Duration(30 * 86_400)
    hurdle: Bps = Bps(50)
    max_depeg: Bps = Bps(300)
    max_exit_slippage: Bps = Bps(100)
    max_rate_fall: Bps = Bps(5)
    ladder_share: Bps = Bps(0)
    ladder_rungs: int = 7
    sizes: tuple[Lamports, ...] = tuple(Lamports(n * LAMPORTS_PER_SOL) for n in (1, 2, 5, 10, 20, 50, 100, 200))
    rate_tolerance: Bps = Bps(1)
    compute_limit: int = 1_000_000

    def __post_init__(self) -> None:
        signed = (self.equity.value, self.hurdle.value, self.cooldown.value, self.rate_shock.value)
        shares = (self.shock, self.drift, self.max_depeg, self.max_exit_slippage, self.max_rate_fall, self.ladder_share)
        if self.collateral not in ("glowSOL", "sSOL"):
            raise ValueError(f"collateral is glowSOL or sSOL, not {self.collateral!r}")
        if min(signed) < 0 or any(not 0 <= one.value < BPS for one in (*shares, self.rate_tolerance)):
            raise ValueError("no amount, time or share may be negative, and shares lie below 100 %")
        if not MIDDLE <= self.health_floor < Bps(BPS // 2) or not Bps(1) <= self.band < Bps(BPS // 10):
            raise ValueError("health_floor lies in 1 %..50 %, band in 1 bps..10 %")
        if not Bps(BPS) <= self.max_leverage <= Bps(BPS * 10) or not 1 <= self.ladder_rungs <= 8:
            raise ValueError("max_leverage lies in 100 % (unlevered)..1000 %, ladder_rungs in 1..8")
        if min(self.horizon, self.exit_time) < Duration(3_600) or not 0 < self.compute_limit <= 1_400_000:
            raise ValueError("horizon and exit_time are an hour at least, compute_limit lies in 1..1400000")
        if self.rate_shock.value * self.exit_time.value > BPS * RATE_YEAR.value or self.min_notional < Lamports(1):
            raise ValueError("rate_shock over exit_time may not double the debt, min_notional is a lamport at least")


def needs(params: Params, glowsol: Mint | None) -> tuple[LadderNeed, ...]:
    """The collateral sold for SOL, bought with SOL, and glowSOL also sold for sSOL."""
    mint = SSOL if params.collateral == "sSOL" else glowsol
    if mint is None or not params.sizes:
        return ()
    tokens = tuple(TokenAmount(mint, size.value * 10**mint.decimals // LAMPORTS_PER_SOL) for size in params.sizes)
    buys = LadderNeed(tuple(TokenAmount(SOL, size.value) for size in params.sizes), mint)
    return (LadderNeed(tokens, SOL), buys, *((LadderNeed(tokens, SSOL),) if mint != SSOL else ()))


def decide(view: View, params: Params) -> Decision:
    """Out of danger first, then what was ordered, claims, the bands, and growth last."""
    desk = _desk(view, params)
    if isinstance(desk, Hold):
        return desk
    position, floor, most, dearest = desk.position, params.health_floor, params.max_leverage, params.max_exit_slippage
    danger, indebted, ordered = desk.danger(params.max_rate_fall), bool(position.debt), bool(view.past.order)
    everything, lower, upper = desk.held + position.place.amount, floor + params.band, floor + params.band * 2
    if indebted and danger not in ("", "depegged"):
        owed = position.tokens(position.debt - desk.waiting)
        return _reduced(desk, params, lambda one: not one.debt, danger, owed, dearest=None)
    if indebted and position.stressed < floor:
        return _reduced(desk, params, lambda one: one.stressed >= lower, danger or "health", None, dearest=None)
    claim = ripe_claim(view, params.compute_limit)
    if claim is not None and not (ordered and indebted):
        return claim
    if ordered and (indebted or desk.fair.lamports(everything) > desk.dust):
        return _reduced(desk, params, lambda one: indebted and not one.debt, "unwinding", everything, dearest=dearest)
    if ordered:
        return Hold("unwinding" if desk.waiting > desk.dust else "unwound", desk.numbers)
    stop: Decision | None = Hold(danger, desk.numbers) if danger else None
    if not danger and indebted and not desk.settled(position).within(lower, most + params.band):
        stop = _reduced(desk, params, desk.done(upper, most), "over_target", None, dearest=dearest)
    if desk.earned is None:
        return stop or Hold("no_yield_history", desk.numbers)
    if stop is not None:  # what need not leave, or not at this price, may still cost too much to keep
        left = _inverted(desk, params) if isinstance(stop, Hold) else None
        return left if isinstance(left, Plan) else stop
    decision = _inverted(desk, params) or _grown(desk, params, desk.earned)
    share, least = params.ladder_share.of(desk.capital), params.min_notional
    rung = desk.rung(share, params.ladder_rungs, least, lower) if isinstance(decision, Hold) else None
    return decision if rung is None else rung.plan(floor, {**desk.numbers, "cause": "ladder"})


def _desk(view: View, params: Params) -> Desk | Hold:
    """The position at today's prices, or why it cannot be judged."""
    if view.fresh.problem not in ("", RATE_FELL):
        return Hold(view.fresh.problem, view.fresh.numbers)
    mint = SSOL if params.collateral == "sSOL" else view.glowsol.mint if view.glowsol is not None else None
    missing = "lrt_unavailable" if mint is None else "no_margin_account"
    if mint is None or view.margin is None:
        return Hold(missing, {"slot": view.slot.value})
    stress = Stress.over(params.shock, params.rate_shock, params.exit_time, params.drift)
    desk = Desk.at(view, mint, stress, params.max_depeg, params.rate_tolerance, params.compute_limit)
    if desk is None:
        return Hold("lending_not_configured", {"collateral": mint.symbol})
    return Hold(desk.barred, desk.numbers) if desk.barred else desk


def _reduced(
    desk: Desk, params: Params, done: Done, cause: str, slow: TokenAmount | None, *, dearest: Bps | None
) -> Decision:
    """Less debt until ``done``, the cheapest way first: by a sale that loses ``dearest`` at most (None: at any cost, to protect),
    by the queue with ``slow`` at most."""
    wallet, position, ordered, floor = desk.view.wallet, desk.position, bool(desk.view.past.order), params.health_floor
    blind = dearest is None
    purse = wallet.protecting if blind else wallet.spendable if ordered else desk.purse(params.equity)
    part = min(params.min_notional, Lamports(position.assets.value // 8))  # of a queue with eight places
    limits = Limits(floor if blind else floor + params.band, MIDDLE, dearest, part)  # no way out begins an emergency
    ways, least = desk.ways(done, purse, slow, limits), desk.dust if blind or ordered else params.min_notional
    worth = [one for one in ways if one.moved >= least or one.way in SLOWLY or done(one.after)]
    numbers = {**desk.numbers, "cause": cause}
    for step in (one for one in worth if not desk.view.rests(one.way)):
        health = None if desk.stuck or not position.debt else min(floor, position.account.health)
        return step.plan(health, numbers, protects=blind)
    reason = "cooling_down" if worth else "unwinding" if ordered else desk.stuck or "exit_liquidity_short"
    return Hold(reason, numbers)


def _inverted(desk: Desk, params: Params) -> Decision | None:
    """While debt costs more than it earns: repay what costs nothing; leave once that has cost a way out and back in."""
    debt = desk.position.debt
    if not debt or desk.market.borrow_rate() <= (desk.earned or 0):
        return None
    lost, trip = desk.inversion(debt, params.max_exit_slippage)
    numbers, young = {**desk.numbers, "lost_ppb": lost, "round_trip_ppb": trip}, lost < trip
    kept = _target(desk, params, desk.position) + desk.waiting
    if debt - kept < params.min_notional:
        return Hold("inversion_young" if young else "waiting_in_queue" if desk.view.queue else "within_band", numbers)
    dearest = Bps(0) if young else max(params.max_exit_slippage, Bps(-(-lost * BPS // RATE_SCALE)))
    slow = None if young else desk.position.tokens(debt - kept)
    left = _reduced(desk, params, lambda one: one.debt <= kept, "inversion", slow, dearest=dearest)
    return Hold("inversion_young", numbers) if young and isinstance(left, Hold) else left


def _target(desk: Desk, params: Params, base: Position) -> Lamports:
    """The debt that gains most, of those that ``base`` outlives with two bands to spare and whose collateral could be sold."""
    lever = Lamports(max(base.equity.value, 0) * (params.max_leverage.value - BPS) // BPS)
    most = min(lever, desk.liquidity(params.max_exit_slippage))
    hurdle = params.hurdle.per_year_over(params.horizon, max(base.equity, NOTHING))
    return desk.target(base.safe_debt(params.health_floor + params.band * 2, most), params.horizon, hurdle)


def _grown(desk: Desk, params: Params, earned: int) -> Decision:
    """Own SOL and what is held becomes collateral, and as much is borrowed to it as the target allows."""
    view, position, landed, least = desk.view, desk.position, desk.view.past.last_landed, params.min_notional
    own = desk.purse(params.equity) if earned > 0 else NOTHING
    ladder = position.tokens(params.ladder_share.of(desk.capital + own) - desk.waiting)
    base = position.after(deposited=(desk.held + position.tokens(own) - ladder).units)
    target = _target(desk, params, base)
    wanted, (lost, trip) = target - position.debt, desk.inversion(max(target, position.debt), params.max_exit_slippage)
    numbers = {**desk.numbers, "target_debt": target.value, "own": own.value}
    near = wanted < least or base.stressed <= base.with_debt(target).stressed + params.band
    why = desk.market.problem or ("" if target else "spread_below_hurdle") or ("within_band" if near else "")
    why = why or ("inversion_remembered" if lost * 2 > trip else "")
    borrow = NOTHING if why else position.borrowable(MIDDLE, wanted)
    own, borrow = (own, borrow) if own + borrow >= least else (NOTHING, NOTHING)
    if own + borrow + desk.fair.lamports(desk.held) < least:
        return Hold(why or "notional_below_minimum", numbers)
    if landed is not None and view.block_time.elapsed(landed) < params.cooldown:
        return Hold("cooldown", numbers)
    step = desk.lever(own, borrow)
    if step is None:
        return Hold("no_way_in", numbers)
    borrowed = step.after.debt - position.debt
    if step.share > params.max_exit_slippage or (borrowed and step.after.stressed < params.health_floor + params.band):
        return Hold("purchase_too_dear", {**numbers, "loss": step.loss.value})
    gain = interest(step.moved, earned, params.horizon) - desk.dearer(borrowed, params.horizon)
    return step.plan(params.health_floor, numbers, gain=gain)


LOOP = Strategy("loop", Params, decide, needs)
