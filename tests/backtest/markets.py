"""Markets on paper in which nothing happens but what a test plants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from keeper.backtest.fills import Fill, fill
from keeper.backtest.ground import GLOWSOL, addresses
from keeper.backtest.paper import Paper
from keeper.backtest.paths import SOL as UNIT
from keeper.backtest.paths import Path, Spell, draw
from keeper.plan import Atomic, Borrow, Decision, Deposit, Intent, Stake
from keeper.strategy import Configured, LadderNeed, Strategy
from keeper.units import SOL, Bps, Lamports, Mint, TokenAmount
from keeper.view import View

POOL = str(addresses().pools[0].address)
PLACE = next(str(one.config) for one in addresses().raw if one.mint == GLOWSOL)


def quiet(*spells: Spell, days: int = 30, utilisation: int = 5_000, market_oracle: bool = False) -> Path:
    """A path without noise, in which every transaction lands."""
    path = draw(3, days)
    climate = replace(
        path.climate,
        risky_curve=True,
        market_oracle=market_oracle,
        utilisation=utilisation,
        depth=50_000 * UNIT,
        stock=1_000 * UNIT,
        reserve=1_000 * UNIT,
        failure=0,
    )
    turns = {turn for one in spells for turn in one.turns} | {
        turn for one in path.epochs for turn in (one.at, one.updated)
    }
    still = (0,) * len(path.price_noise)
    return replace(
        path,
        climate=climate,
        spells=spells,
        price_noise=still,
        utilisation_noise=still,
        turns=tuple(sorted(turns)),
        unwind_at=None,
    )


def sol(units: int) -> TokenAmount:
    return TokenAmount(SOL, units)


def glow(units: int) -> TokenAmount:
    return TokenAmount(GLOWSOL, units)


def landed(market: Paper, *intents: Intent, min_health: Bps | None = None) -> Fill:
    found = fill(market, Atomic(intents, min_health))
    assert isinstance(found, Fill), found
    return found


def staked(market: Paper, spend: int) -> Paper:
    """With ``spend`` lamports minted into collateral."""
    minted = glow(spend * 10**12 // market.moment.glowsol)
    return landed(market, Stake(Lamports(spend), minted), Deposit(PLACE, minted)).after


def levered(path: Path, *, own: int = 100, debt: int = 100) -> Paper:
    """``own`` SOL and ``debt`` SOL of borrowed money as collateral."""
    market = staked(Paper.open(path, (own + 5) * UNIT), own * UNIT)
    while (missing := debt * UNIT - market.lender.owed) > UNIT:
        step = min(missing, market.lender.valuation().available * UNIT // 2 // 10**10 // 200)
        market = staked(landed(market, Borrow(POOL, sol(step))).after, step)
    return market


@dataclass(frozen=True)
class NoParams:
    """A scripted strategy has none, but for the health that it promises."""

    health_floor: Bps = Bps(1_000)


def scripted(decide: Callable[[View], Decision], *needs: LadderNeed) -> Configured[NoParams]:
    def each(_: NoParams, __: Mint | None) -> tuple[LadderNeed, ...]:
        return needs

    return Configured(Strategy("scripted", NoParams, lambda view, _: decide(view), each), NoParams())
