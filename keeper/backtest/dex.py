"""The DEX on paper: a curve of two virtual sides around the path's price, of which only a stock can really be had.

What we sell stays in the pool for a while: half of our imprint is gone after an hour, as others trade it away. Amounts are base
units; the curve is the localnet's constant product.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from keeper.backtest.paths import HOUR, PPM, RATE_UNIT, Moment
from keeper.sim.localnet.programs.curves import CurveError, constant_product
from keeper.strategy import LadderNeed
from keeper.units import BPS, SOL, SSOL, Bps, Mint, Slot, TokenAmount
from keeper.view import Ladder, Rung

FEE_BPS = 4
SLIPPAGE = Bps(3)
"""The shipped default of ``venues.slippage``."""
VENUE = "paper"


@dataclass(slots=True)
class Dex:
    """Pools of glowSOL and of sSOL against SOL, and of glowSOL against sSOL. ``sold``: lamports that we took out of the SOL side
    and that nobody has brought back yet; negative where we brought them."""

    moment: Moment
    sold: int = 0

    def advance(self, moment: Moment) -> None:
        self.sold = self.sold * HOUR // (HOUR + moment.at - self.moment.at)
        self.moment = moment

    def out(self, sell: Mint, units: int, buy: Mint) -> int | None:
        """What selling ``units`` brings now; None where the pool does not have it."""
        here = self.moment
        if units <= 0 or not here.depth:
            return None
        stock, depth = here.stock - self.sold, here.depth - self.sold
        if depth <= 0:
            return None
        other = here.depth * here.depth // depth  # the token side in lamports, at the path's price
        if sell == SOL:
            price = self._rate(buy) * here.dex // PPM
            reserve_in, reserve_out = depth, other * RATE_UNIT // price
            most = (here.stock + self.sold) * RATE_UNIT // price
        else:
            price = self._rate(sell) * here.dex // PPM
            reserve_in, reserve_out, most = other * RATE_UNIT // price, depth, stock
            if buy == SSOL:
                # sSOL itself keeps its price: it can always be redeemed
                reserve_out, most = reserve_out * RATE_UNIT // here.ssol, most * RATE_UNIT // here.ssol // 2
        try:
            paid = constant_product(reserve_in, reserve_out, units, FEE_BPS).amount_out
        except CurveError:
            return None
        return paid if 0 < paid <= most else None

    def traded(self, sell: Mint, buy: Mint, units: int, paid: int) -> None:
        """Our own trade leaves its mark."""
        if buy == SOL:
            self.sold += paid
        elif sell == SOL:
            self.sold -= units
        else:
            self.sold += paid * self.moment.ssol // RATE_UNIT

    def ladders(self, needs: Iterable[LadderNeed], slot: Slot) -> tuple[Ladder, ...]:
        """What a venue would quote for ``needs``."""
        found: dict[tuple[Mint, Mint], list[Rung]] = {}
        for need in needs:
            for size in need.sizes:
                rungs = found.setdefault((size.mint, need.buy), [])
                paid = self.out(size.mint, size.units, need.buy)
                if paid is not None:
                    receive = TokenAmount(need.buy, paid)
                    rungs.append(Rung(size, receive, SLIPPAGE.off(receive), VENUE))
        return tuple(Ladder(sell, buy, tuple(rungs), slot) for (sell, buy), rungs in found.items())

    def _rate(self, mint: Mint) -> int:
        return self.moment.ssol if mint == SSOL else self.moment.glowsol


__all__ = ["BPS", "FEE_BPS", "SLIPPAGE", "VENUE", "Dex"]
