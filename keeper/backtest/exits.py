"""Whether there is a way out of debt right now: what the promise "never below the floor while an exit exists" rests on.

An exit exists where one lawful transaction, made now, could lower the debt by a hundredth of it or clear it: with idle SOL above
the gas reserve, with a ripe request that can be paid, or by taking out collateral that health lets go, selling it (on the DEX in
a size that is quoted, or through the stake pool's reserve) and repaying. None exists while the lending pool is paused, and none
that takes collateral out while its price is too old.
"""

from __future__ import annotations

from keeper.backtest.fills import fee
from keeper.backtest.ground import FEED_OF, GLOWSOL
from keeper.backtest.paper import GAS_RESERVE, WITHDRAWAL_FEE, Paper
from keeper.units import BPS, SOL, SSOL, Mint

PART = 100


def exit_exists(market: Paper, sizes: tuple[int, ...]) -> bool:
    """``sizes``: base units in which the keeper has the DEX quoted."""
    owed = market.lender.owed
    if not owed or market.moment.lending_paused:
        return False
    enough = min(max(owed // PART, fee() * 10), owed)
    return _idle(market) >= enough or _ripe(market) >= enough or _sold(market, sizes) >= enough


def _idle(market: Paper) -> int:
    return market.lamports - GAS_RESERVE.value - fee()


def _ripe(market: Paper) -> int:
    here = market.moment
    ripe = (
        one.assets for one in market.queue if one.ready(here) and (one.id.way == "stake" or one.assets <= here.liquid)
    )
    return max(ripe, default=0)


def _sold(market: Paper, sizes: tuple[int, ...]) -> int:
    """The most SOL that selling collateral brings at once."""
    free = {} if market.moment.oracle_stale else market.lender.free
    found = 0
    for mint in FEED_OF:
        units = free.get(mint, 0) + market.tokens.get(mint, 0)
        for size in (*(one for one in sizes if one < units), units):
            quoted = size >= sizes[0] and size <= sizes[-1]
            found = max(found, _at_once(market, mint, size) if quoted else 0)
    return found


def _at_once(market: Paper, mint: Mint, units: int) -> int:
    """SOL for ``units``: on the DEX, or through the reserve."""
    sold = market.dex.out(mint, units, SOL) or 0
    ssol = units if mint == SSOL else (market.dex.out(GLOWSOL, units, SSOL) or 0)
    paid = market.worth(SSOL, ssol) * (BPS - WITHDRAWAL_FEE) // BPS
    redeemable = market.moment.current and paid <= market.moment.reserve
    return max(sold, paid if redeemable else 0)
