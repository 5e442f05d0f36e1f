"""Views with something idle in them: a measured yield, a reward token with a price, a margin account that lends."""

from __future__ import annotations

from dataclasses import replace

from keeper.lending import Collateral, LendingMarket, Loan, MarginAccount
from keeper.past import EpochRates, Past
from keeper.tactics.income import RewardToken
from keeper.units import SOL, SSOL, Bps, Duration, Epoch, Lamports, Mint, Rate, Slot, TokenAmount, UnixTime
from keeper.view import GlowSol, Ladder, Rung, View
from tests.strategies.market_views import GLOWSOL, NOW, SOL_UNIT, ladder, view

YEAR = 31_536_000
EPOCH = 172_800
JTO = Mint("jtojtomepa8beP8AuQc6eXt5FriJwfFMwQx2v2f9mCL", "JTO", 9)
REWARD = RewardToken(JTO, Rate(1, 100), Bps(300))
POOL = "SoLPooL11111111111111111111111111111111111"
GLOW_PLACE = "GLowPLace1111111111111111111111111111111111"


def glow_of(seen: View) -> GlowSol:
    """The restaking program's books, which the view must have."""
    assert seen.glowsol is not None
    return seen.glowsol


def grown(yearly_bps: int, ssol_bps: int | None = None, *, epochs: int = 6) -> tuple[EpochRates, ...]:
    """Rates of the last epochs that grew by simple interest of ``yearly_bps`` (sSOL: ``ssol_bps``, else the same)."""
    rates = []
    for index in range(epochs):
        at = NOW.after(Duration(-EPOCH * (epochs - 1 - index)))
        glow, ssol = (
            Rate(10**18 + 10**18 * bps * EPOCH * index // (YEAR * 10_000), 10**18)
            for bps in (yearly_bps, ssol_bps if ssol_bps is not None else yearly_bps)
        )
        rates.append(EpochRates(Epoch(900 - epochs + 1 + index), at, ssol, glow))
    return tuple(rates)


def ssol_ladder(seen: View, price_bps: int) -> Ladder:
    """sSOL sold for SOL at ``price_bps`` of its redemption value."""
    made = ladder(GLOWSOL, SOL, price_bps, seen.pools[0].rate)
    return Ladder(
        SSOL, SOL, tuple(replace(one, sell=TokenAmount(SSOL, one.sell.units)) for one in made.rungs), made.slot
    )


def idle(
    *,
    sol: int = 10 * SOL_UNIT,
    wrapped: int = 0,
    ssol: int = 0,
    glow: int = 0,
    price_bps: int = 10_050,
    yearly_bps: int = 700,
    ssol_bps: int | None = None,
    waited: int | None = None,
    order: str = "",
) -> View:
    """A wallet with ``sol`` above its gas reserve; its last transaction landed ``waited`` seconds ago, or never."""
    base = view(price_bps=price_bps, lamports=sol + SOL_UNIT // 10, glow_held=glow)
    tokens = [TokenAmount(GLOWSOL, glow), TokenAmount(SSOL, ssol)] + [TokenAmount(SOL, wrapped)] * (wrapped > 0)
    landed = None if waited is None else UnixTime(NOW.value - waited)
    pool = base.pools[0]
    return replace(
        base,
        pools=(replace(pool, stake_rate=pool.instant_rate, stake_rent=Lamports(2_282_880), stake_places_free=4),),
        quotes=(*base.quotes, ssol_ladder(base, 9_990), ladder(SOL, SSOL, 10_050, pool.rate)),
        wallet=replace(base.wallet, tokens=tuple(tokens)),
        past=Past(rates=grown(yearly_bps, ssol_bps), last_landed=landed, order=order),
        epoch_ends_at=NOW.after(Duration(EPOCH // 2)),
    )


def with_reward(seen: View, held: int, *, off_bps: int = 0, quoted: bool = True) -> View:
    """``held`` base units of a reward token that trades ``off_bps`` away from its reference."""
    price = REWARD.reference.numerator * (10_000 + off_bps)
    rungs = tuple(
        Rung(TokenAmount(JTO, size), TokenAmount(SOL, out), TokenAmount(SOL, out * 9_990 // 10_000), "jupiter")
        for size in (100 * SOL_UNIT, 1_000 * SOL_UNIT)
        if (out := size * price // (REWARD.reference.denominator * 10_000))
    )
    quotes = (*seen.quotes, Ladder(JTO, SOL, rungs, Slot(500))) if quoted else seen.quotes
    tokens = (*seen.wallet.tokens, TokenAmount(JTO, held))
    return replace(seen, quotes=quotes, wallet=replace(seen.wallet, tokens=tokens))


def with_margin(
    seen: View,
    *,
    lent: int = 0,
    glow: int = 0,
    debt: int = 0,
    exit_room: int | None = None,
    opened: bool = True,
    room: int | None = None,
    problem: str = "",
    deposit_bps: int = 100,
    passage: bool = True,
) -> View:
    """A margin account with lent SOL, glowSOL as collateral and a debt in SOL; lending pays ``deposit_bps`` a year."""
    whole = TokenAmount(SOL, 1_000 * SOL_UNIT)
    rate = deposit_bps * 10**9 // 10_000 * 2  # half of the pool is borrowed
    market = LendingMarket(
        POOL, SOL, whole, whole, ((-whole.units, rate), (whole.units, rate)), Bps(10_000), whole, whole
    )
    places = (
        Collateral(
            f"{POOL}:deposits",
            SOL,
            TokenAmount(SOL, lent),
            Rate(1, 1),
            Bps(9_500),
            lent=True,
            exit_room=None if exit_room is None else TokenAmount(SOL, exit_room),
            passage=passage,
        ),
        Collateral(
            GLOW_PLACE,
            GLOWSOL,
            TokenAmount(GLOWSOL, glow),
            glow_of(seen).rate,
            Bps(9_500),
            open=opened,
            room=None if room is None else TokenAmount(GLOWSOL, room),
        ),
    )
    loans = (Loan(POOL, SOL, TokenAmount(SOL, debt), Rate(1, 1), 400),)
    return replace(seen, lending=(market,), margin=MarginAccount("margin", places, loans, problem))
