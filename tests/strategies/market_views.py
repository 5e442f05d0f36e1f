"""Views to decide on: a market with a redemption rate, a DEX price above or below it, and a wallet."""

from __future__ import annotations

from dataclasses import replace

from keeper.plan import TicketId
from keeper.units import (
    SOL,
    SSOL,
    Bps,
    Duration,
    Epoch,
    Lamports,
    MicroLamports,
    Mint,
    Rate,
    Slot,
    TokenAmount,
    UnixTime,
)
from keeper.view import Fees, Freshness, GlowSol, Ladder, Rung, StakePool, Ticket, View, Wallet

GLOWSOL = Mint("G1owSoLMint11111111111111111111111111111111", "glowSOL", 9)
SOL_UNIT = 10**9
NOW = UnixTime(1_790_000_000)
SIZES = (1, 2, 5, 10, 20, 50, 100)


def ladder(sell: Mint, buy: Mint, price_bps_of_par: int, rate: Rate, *, depth_bps_per_100: int = 20) -> Ladder:
    """Quotes at ``price_bps_of_par`` (10 000 = the redemption rate), worsening linearly with size; 3 bps of slippage."""
    rungs = []
    for size in SIZES:
        units = size * SOL_UNIT
        worth = (
            rate.lamports(TokenAmount(sell, units)).value
            if sell == GLOWSOL
            else rate.tokens(Lamports(units), buy).units
        )
        factor = price_bps_of_par if sell == GLOWSOL else 10_000 * 10_000 // price_bps_of_par
        received = worth * (factor * 100 - depth_bps_per_100 * size) // 1_000_000
        minimum = received * 9_997 // 10_000
        rungs.append(Rung(TokenAmount(sell, units), TokenAmount(buy, received), TokenAmount(buy, minimum), "jupiter"))
    return Ladder(sell, buy, tuple(rungs), Slot(500))


def view(
    *,
    price_bps: int = 10_000,
    ssol_price_bps: int | None = None,
    lamports: int = 200 * SOL_UNIT,
    glow_held: int = 0,
    queue: tuple[Ticket, ...] = (),
) -> View:
    """A fresh market whose DEX trades glowSOL at ``price_bps`` of its redemption value (and for sSOL at ``ssol_price_bps``)."""
    glow = GlowSol(
        mint=GLOWSOL,
        total_assets=Lamports(52_500 * SOL_UNIT),
        outstanding=TokenAmount(GLOWSOL, 50_000 * SOL_UNIT),
        paused=False,
        deposit_room=Lamports(10_000 * SOL_UNIT),
        waiting_period=Duration(604_800),
        cancel_fee=Bps(10),
        liquid=Lamports(5_000 * SOL_UNIT),
        queue_open=True,
        queue_slots_free=8 - len(queue),
    )
    pool = StakePool(
        SSOL, Rate(116, 100), Rate(116 * 9_992, 100 * 10_000), Lamports(2_000 * SOL_UNIT), True, Epoch(900)
    )
    ladders = [ladder(GLOWSOL, SOL, price_bps, glow.rate), ladder(SOL, GLOWSOL, price_bps, glow.rate)]
    if ssol_price_bps is not None:
        in_ssol = Rate(glow.rate.numerator * 100, glow.rate.denominator * 116)
        ladders.append(ladder(GLOWSOL, SSOL, ssol_price_bps, in_ssol))
    tokens = (TokenAmount(GLOWSOL, glow_held), TokenAmount(SSOL, 0))
    return View(
        slot=Slot(500),
        block_time=NOW,
        epoch=Epoch(900),
        fresh=Freshness("", ()),
        glowsol=glow,
        pools=(pool,),
        quotes=tuple(ladders),
        lending=(),
        wallet=Wallet("wallet", Lamports(lamports), Lamports(SOL_UNIT // 10), tokens),
        queue=queue,
        fees=Fees(Lamports(5_000), MicroLamports(1_000), Lamports(2_039_280), Lamports(3_000_000)),
    )


def ticket(index: int, *, assets: int, ripe_in: int) -> Ticket:
    """A request that ripens ``ripe_in`` seconds from now (negative: already ripe)."""
    requested = UnixTime(NOW.value + ripe_in - 604_800)
    return Ticket(
        TicketId(index, requested), TokenAmount(GLOWSOL, assets), Lamports(assets), NOW.after(Duration(ripe_in))
    )


def with_glow(base: View, **changes: object) -> View:
    """``base`` with other facts about the restaking program."""
    assert base.glowsol is not None
    return replace(base, glowsol=replace(base.glowsol, **changes))  # type: ignore[arg-type]  # keyword names are the caller's
