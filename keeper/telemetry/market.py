"""The market as people look at it: prices per glowSOL as floats, for gauges and the status page only."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.units import GLOWSOL_SYMBOL, SOL, Mint
from keeper.view import Ladder, View


@dataclass(frozen=True, slots=True)
class MarketPrices:
    """Lamports per glowSOL base unit; None where it was not read or quoted.

    ``buy`` and ``sell`` are what we pay and what we get at the smallest quoted size.
    """

    redemption: float | None
    buy: float | None
    sell: float | None

    @property
    def discount(self) -> float | None:
        """1 - buy / redemption."""
        if self.buy is None or not self.redemption:
            return None
        return 1 - self.buy / self.redemption

    @property
    def premium(self) -> float | None:
        """sell / redemption - 1."""
        if self.sell is None or not self.redemption:
            return None
        return self.sell / self.redemption - 1

    @classmethod
    def of(cls, view: View) -> MarketPrices:
        """Read off ``view``."""
        mint, lrt = _glowsol(view), view.glowsol
        has_rate = lrt is not None and lrt.outstanding.units > 0
        redemption = float(lrt.rate.fraction()) if lrt is not None and has_rate else None
        if mint is None:
            return cls(redemption, None, None)
        buying = _smallest(view.ladder(SOL, mint))
        selling = _smallest(view.ladder(mint, SOL))
        return cls(
            redemption,
            buy=buying[0] / buying[1] if buying and buying[1] else None,
            sell=selling[1] / selling[0] if selling and selling[0] else None,
        )


def _glowsol(view: View) -> Mint | None:
    """glowSOL's mint: from the program, or in the mode without it from the quotes."""
    if view.glowsol is not None:
        return view.glowsol.mint
    mints = [mint for ladder in view.quotes for mint in (ladder.sell, ladder.buy)]
    return next((mint for mint in mints if mint.symbol == GLOWSOL_SYMBOL), None)


def _smallest(ladder: Ladder | None) -> tuple[int, int] | None:
    if ladder is None or not ladder.rungs:
        return None
    rung = ladder.rungs[0]
    return rung.sell.units, rung.receive.units
