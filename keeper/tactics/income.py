"""What comes in beside the yield of a token itself, and the step that turns it into SOL: reward tokens, sold at a price that can
be believed, and the interest on SOL that is lent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from keeper.lending import RATE_YEAR
from keeper.plan import Atomic, Swap, Withdraw
from keeper.tactics.trading import NOTHING, exit_rent, lent_sol, priced
from keeper.tactics.yields import interest
from keeper.units import BPS, SOL, SSOL, Bps, Lamports, Mint, Rate, TokenAmount
from keeper.view import Rung, View


@dataclass(frozen=True, slots=True)
class RewardToken:
    """``reference`` is what the token should be worth in lamports per base unit, ``band`` how far a quote may lie from that on
    either side. Raises ``ValueError`` for a reference of zero and a band outside 1..9999 bps."""

    mint: Mint
    reference: Rate
    band: Bps

    def __post_init__(self) -> None:
        if not Bps(1) <= self.band < Bps(BPS) or not self.reference.numerator:
            raise ValueError(f"the reference of {self.mint.address} must be above 0 and its band in 1..9999 bps")

    def believes(self, rung: Rung) -> bool:
        """Whether what ``rung`` guarantees is not below the band, and what it promises not above it."""
        fair, band = self.reference.numerator * rung.sell.units, self.band.value
        least, most = (one.units * self.reference.denominator * BPS for one in (rung.min_receive, rung.receive))
        return fair * (BPS - band) <= least and most <= fair * (BPS + band)


def sellable(view: View, reward: RewardToken) -> tuple[Rung | None, str]:
    """The largest sale for SOL that is quoted and believed, or None and why not: ``no_quotes`` or ``reward_price_off``. None
    without a reason where nothing is held."""
    held, ladder = view.wallet.token(reward.mint), view.ladder(reward.mint, SOL)
    if held.units <= 0:
        return None, ""
    below = [one.sell for one in ladder.rungs if one.sell < held] if ladder is not None else []
    falling = (priced(ladder, size) for size in (held, *reversed(below)))
    quoted = [rung for rung in falling if rung is not None]
    believed = next((rung for rung in quoted if reward.believes(rung)), None)
    return believed, "" if believed is not None else "reward_price_off" if quoted else "no_quotes"


@dataclass(frozen=True, slots=True)
class Source:
    """SOL that can be had: at least ``brings``, by ``step``; None for what is there already. ``earned`` is what it yields in a
    year where it lies; ``obstacle`` why it cannot be had now, a reason code, empty when it can."""

    name: str
    brings: Lamports = NOTHING
    step: Atomic | None = None
    earned: Lamports = NOTHING
    obstacle: str = ""


def reward_sales(view: View, rewards: Iterable[RewardToken]) -> Iterator[Source]:
    """One for each token that is held, named by its place in the list, ``reward_1`` first, so that one whose sale keeps failing
    does not stand before the others. SOL, sSOL and glowSOL are no rewards, whatever the configuration says."""
    ours = (SOL, SSOL, *((view.glowsol.mint,) if view.glowsol is not None else ()))
    for place, reward in enumerate(rewards, start=1):
        rung, obstacle = sellable(view, reward) if reward.mint not in ours else (None, "")
        if rung is not None:
            step = Atomic((Swap(rung.sell, rung.min_receive, rung.venue),))
            yield Source(f"reward_{place}", Lamports(rung.min_receive.units), step)
        elif obstacle:
            yield Source(
                f"reward_{place}", reward.reference.lamports(view.wallet.token(reward.mint)), obstacle=obstacle
            )


def lent_interest(view: View, principal: Lamports, floor: Bps) -> Iterator[Source]:
    """``interest``: what lent SOL is worth above ``principal``, as far as the pool pays it now and health keeps ``floor``, less
    the rent of a first withdrawal. Nothing at a principal of zero: then no lending is ours."""
    market = view.market(SOL)
    for place, free in lent_sol(view.margin, floor) if market is not None and principal else ():
        most = min(Lamports(place.amount.units) - principal, free)
        brings = most - exit_rent(view, place)
        if brings > NOTHING and market is not None:
            step = Atomic((Withdraw(place.market, TokenAmount(SOL, most.value)),), floor)
            yield Source("interest", brings, step, interest(most, market.deposit_rate, RATE_YEAR), market.exit_problem)
