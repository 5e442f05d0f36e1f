"""Compounding: what lies idle becomes glowSOL (or sSOL) again. The derivation is docs/strategies/compound.md.

Waiting costs the yield on what lies idle, acting costs fees. With idle A lamports that came in evenly over the time t since the
last turn, G lamports of yield per year forgone on them, and fees c, the cost per time c/t + G t/2 is least where G t/2 = c:
act when what was forgone reaches the fees, times ``factor``. The interval is then t = sqrt(2 c / (f y)) for income f at yield y.

All amounts are worst cases: ``loss`` is what the minimum-outs allow below the redemption rate, and has to be earned back within
``horizon``. Under the order to unwind everything that is seen goes back to SOL, by the way that gives most after its wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from keeper.lending import RATE_SCALE, RATE_YEAR
from keeper.plan import Atomic, Decision, Expected, Hold, Numbers, Plan, Stake, Unwrap
from keeper.strategy import LadderNeed, Strategy
from keeper.tactics.homeward import Limits, homeward, reclaimed, remaining
from keeper.tactics.income import RewardToken, Source, lent_interest, reward_sales
from keeper.tactics.trading import (
    NOTHING,
    NOW,
    mint_obstacle,
    place_rent,
    placed,
    purchases,
    ripe_claim,
    transaction_cost,
)
from keeper.tactics.yields import dex_price, interest, redemption_rate, staking_yield
from keeper.units import BPS, LAMPORTS_PER_SOL, SOL, SSOL, Bps, Duration, Lamports, Mint, Rate, TokenAmount
from keeper.view import View


@dataclass(frozen=True, slots=True)
class Params:
    """What the operator may set. ``factor`` of 100 % is the optimal interval; more acts later, less sooner."""

    target: str = "glowSOL"
    place: str = "wallet"
    factor: Bps = Bps(10_000)
    horizon: Duration = Duration(30 * 86_400)
    restaking_yield: Bps = Bps(0)
    rewards: tuple[RewardToken, ...] = ()
    lent_principal: Lamports = Lamports(0)
    min_health: Bps = Bps(2_500)
    max_premium: Bps = Bps(5)
    max_discount: Bps = Bps(100)
    max_trade: Lamports = Lamports(100 * 10**9)
    sizes: tuple[Lamports, ...] = tuple(Lamports(n * 10**9) for n in (1, 10, 100))
    rate_tolerance: Bps = Bps(1)
    compute_limit: int = 400_000

    def __post_init__(self) -> None:
        if self.target not in ("glowSOL", "sSOL") or self.place not in ("wallet", "margin"):
            raise ValueError('target is "glowSOL" or "sSOL", place is "wallet" or "margin"')
        shares = (self.restaking_yield, self.max_premium, self.max_discount, self.rate_tolerance, self.min_health)
        if any(not Bps(0) <= one < Bps(BPS) for one in shares):
            raise ValueError("restaking_yield, max_*, rate_tolerance and min_health lie in 0..9999 bps")
        if self.factor < Bps(1) or self.horizon < Duration(1) or self.max_trade < Lamports(1):
            raise ValueError("factor, horizon and max_trade must be above 0")
        if self.lent_principal < NOTHING or not 0 < self.compute_limit <= 1_400_000:
            raise ValueError("lent_principal may not be negative, compute_limit lies in 1..1400000")
        if any(reward.mint in (SOL, SSOL) for reward in self.rewards):
            raise ValueError("SOL and sSOL are compounded anyway; name only other tokens in rewards")


@dataclass(frozen=True, slots=True)
class Turn:
    """One way of compounding. ``gain`` is what it yields more in a year; ``obstacle`` why it may not be taken."""

    way: str
    steps: tuple[Atomic, ...]
    amount: Lamports
    gain: Lamports
    costs: Lamports
    loss: Lamports
    sol_change: Lamports
    obstacle: str

    def due_after(self, params: Params) -> Duration:
        """The wait since the last turn after which the forgone yield, gain x wait / 2, reaches the costs times the factor."""
        return Duration(-(-2 * RATE_YEAR.value * params.factor.of_up(self.costs).value // max(self.gain.value, 1)))

    def pays(self, params: Params) -> Lamports:
        """What it earns until the horizon, less costs and loss times the factor."""
        earned = Lamports(self.gain.value * params.horizon.value // RATE_YEAR.value)
        return earned - params.factor.of_up(self.costs + self.loss)


def needs(params: Params, glowsol: Mint | None) -> tuple[LadderNeed, ...]:
    """Buying the target, selling rewards, and for unwinding: sSOL and glowSOL for SOL, glowSOL for sSOL."""
    sizes = tuple(dict.fromkeys(min(size, params.max_trade) for size in params.sizes))

    def of(mint: Mint) -> tuple[TokenAmount, ...]:  # a size of one SOL is one whole token, whatever its decimals
        return tuple(TokenAmount(mint, size.value * 10**mint.decimals // LAMPORTS_PER_SOL) for size in sizes)

    held = ((SSOL, SOL), (glowsol, SOL), (glowsol, SSOL)) if glowsol is not None else ((SSOL, SOL),)
    sold = (tuple(one.reference.tokens(size, one.mint) for size in sizes) for one in params.rewards)
    rewards = (LadderNeed(tuple(dict.fromkeys(one for one in some if one.units > 0)), SOL) for some in sold)
    target = glowsol if glowsol is not None and params.target == "glowSOL" else SSOL
    return LadderNeed(of(SOL), target), *(LadderNeed(of(mint), out) for mint, out in held), *rewards


def decide(view: View, params: Params) -> Decision:
    """Claim what is ripe; else take the turn that earns most of those that are due; else say why not."""
    if not view.fresh.ok:
        return Hold(view.fresh.problem, view.fresh.numbers)
    claim = ripe_claim(view, params.compute_limit)
    if claim is not None:
        return claim
    if view.past.order == "unwind":
        return _unwind(view, params)
    target = view.glowsol.mint if view.glowsol is not None and params.target == "glowSOL" else SSOL
    measured, worth = staking_yield(view, target), redemption_rate(view, target)
    if measured is None or worth is None:
        missing = "no_redemption_rate" if worth is None else "no_yield_history"
        return Hold(missing, {"target": target.symbol, "epochs": len(view.past.rates)})
    price, least = dex_price(view, target), worth.discounted(params.max_discount)
    if price is not None and price < least:  # the market doubts what a mint would pay in full for
        whole = TokenAmount(target, 10**target.decimals)
        return Hold("depegged", {"price": price.lamports(whole).value, "redeems_for": worth.lamports(whole).value})
    rate = measured + (params.restaking_yield.value * RATE_SCALE // BPS if target != SSOL else 0)
    turns = [*_from_sol(view, params, target, worth, rate), *_from_ssol(view, params, target, worth, rate)]
    if not turns:
        return Hold("nothing_idle", {"spendable": view.wallet.spendable.value, "yield": rate})
    landed = view.past.last_landed
    waited = Duration(max(view.block_time.elapsed(landed).value, 0)) if landed is not None else params.horizon
    due = [one for one in turns if one.pays(params) >= NOTHING and one.due_after(params) <= waited]
    free = [one for one in due if not one.obstacle and not view.rests(one.way)]
    best = max(free or due or turns, key=lambda one: one.pays(params))
    amounts = {"amount": best.amount.value, "gain": best.gain.value, "costs": best.costs.value, "loss": best.loss.value}
    times = {"waited": waited.value, "due_after": best.due_after(params).value}
    numbers: Numbers = {"way": best.way, "yield": rate, **amounts, **times}
    if not free:
        return Hold((best.obstacle or "cooling_down") if due else "gain_below_cost", numbers)
    edge = Bps.between(best.amount - best.costs - best.loss, best.amount)
    expected = Expected(-best.costs - best.loss, best.costs, edge, best.amount, NOW, best.sol_change)
    return Plan(best.steps, expected, best.way, numbers)


def _from_sol(view: View, params: Params, target: Mint, worth: Rate, rate: int) -> Iterator[Turn]:
    """Native and wrapped SOL, alone or with what one other source brings. The reserves are filled before anything is spent."""
    fee, wrapped = transaction_cost(view, params.compute_limit), Lamports(view.wallet.token(SOL).units)
    own = view.wallet.lamports - view.wallet.gas_reserve - view.wallet.protection + wrapped
    margin, unwrap = params.place == "margin", (Unwrap(wrapped),) if wrapped else ()
    lent = lent_interest(view, params.lent_principal, params.min_health)
    for source in (Source("idle"), *reward_sales(view, params.rewards), *lent):
        costs = place_rent(view, target, margin=margin) + fee * (1 if source.step is None else 2)
        spend = min(own + source.brings - costs, params.max_trade)
        for bought in purchases(view, spend, target, params.rate_tolerance):
            put, unplaced = placed(view, bought.receive, margin=margin)
            loss = bought.spend - worth.lamports(bought.receive)
            far = loss > params.max_premium.of(bought.spend) or -loss > params.max_discount.of(bought.spend)
            strange = "price_out_of_bounds" if far and bought.way == "buy" else ""
            steps: tuple[Atomic, ...] = (Atomic((*unwrap, *bought.intents, *put)),)
            if source.step is not None:  # a sale for SOL closes the wrapped account, so it is unwrapped before
                first = replace(source.step, intents=(*unwrap, *source.step.intents))
                steps = first, Atomic((*bought.intents, *put))
            gain = interest(bought.spend, rate, RATE_YEAR) - source.earned
            change, way = wrapped + source.brings - bought.spend - costs, f"{bought.way}_{source.name}"
            obstacle = source.obstacle or strange or bought.obstacle or unplaced
            yield Turn(way, steps, bought.spend, gain, costs, loss, change, obstacle)


def _from_ssol(view: View, params: Params, target: Mint, worth: Rate, rate: int) -> Iterator[Turn]:
    """sSOL into glowSOL, for what that yields more."""
    glow, price, own = view.glowsol, redemption_rate(view, SSOL), staking_yield(view, SSOL)
    if glow is not None and price is not None and own is not None and target != SSOL:
        room = min(params.max_trade, glow.deposit_room if glow.deposit_room > NOTHING else params.max_trade)
        spend = min(view.wallet.token(SSOL), price.tokens(room, SSOL))
        amount = price.lamports(spend)
        minted = params.rate_tolerance.off(worth.tokens(amount, target))
        if minted.units > 0:
            put, unplaced = placed(view, minted, margin=params.place == "margin")
            rent = place_rent(view, target, margin=params.place == "margin")
            costs, gain = transaction_cost(view, params.compute_limit) + rent, interest(amount, rate - own, RATE_YEAR)
            short = "gas_reserve_short" if costs > view.wallet.spendable else ""
            obstacle = mint_obstacle(view, amount, target) or unplaced or short
            steps, loss = (Atomic((Stake(spend, minted), *put)),), amount - worth.lamports(minted)
            yield Turn("stake_ssol", steps, amount, gain, costs, loss, -costs, obstacle)


def _unwind(view: View, params: Params) -> Decision:
    """Holdings first, then what is lent, and what was deposited where it carries no debt; then wait for the requests."""
    mints = (SSOL,) if view.glowsol is None else (view.glowsol.mint, SSOL)
    home = homeward(view, mints, Limits(params.max_discount, params.rate_tolerance, params.compute_limit))
    if isinstance(home, Plan):
        return home
    margin = view.margin
    free = mints if margin is not None and params.place == "margin" and not margin.debt else ()
    places = [one for one in margin.collateral if one.mint in free or (one.lent and one.mint == SOL)] if margin else []
    back = reclaimed(view, places, params.min_health, params.compute_limit)
    return back if isinstance(back, Plan) else home or back or remaining(view, params.compute_limit)


COMPOUND = Strategy("compound", Params, decide, needs)
