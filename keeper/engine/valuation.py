"""What the keeper's belongings are worth in lamports: redemption-aware, never par and never a mid price (law 8).

glowSOL counts at its redemption rate less the cost of waiting out the queue at the operator's discount rate; a request in the
queue at its fixed assets less the rest of its wait; sSOL at what the stake pool pays at once, after its fee. Rent in token
accounts is not counted: it comes back only when they are closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from keeper.units import SOL, SSOL, STAKE_POOL_LST, Bps, Duration, Lamports, Mint, TokenAmount
from keeper.view import View


@dataclass(frozen=True, slots=True)
class Valuation:
    """``nav`` of everything now; ``holding`` is what the opening balances would be worth now, untouched."""

    nav: Lamports
    holding: Lamports

    @property
    def against_holding(self) -> Lamports:
        """Profit or loss against having done nothing, after all costs."""
        return self.nav - self.holding


def value_token(view: View, amount: TokenAmount, discount_rate: Bps) -> Lamports:
    """Worth of a token balance; zero for a token that the view cannot price."""
    if amount.mint == SOL:
        return Lamports(amount.units)
    pool = view.pool(SSOL)
    if amount.mint in (SSOL, STAKE_POOL_LST):
        return pool.instant_rate.lamports(amount) if pool is not None else Lamports(0)
    glow = view.glowsol
    if glow is not None and amount.mint == glow.mint and glow.outstanding:
        return _after_waiting(glow.rate.lamports(amount), glow.waiting_period, discount_rate)
    return Lamports(0)


def value(view: View, opening: Mapping[str, int], discount_rate: Bps) -> Valuation:
    """Value the wallet and the queue, and the ``opening`` balances ("lamports" or a mint's address to base units)."""
    nav = view.wallet.lamports
    for amount in view.wallet.tokens:
        nav += value_token(view, amount, discount_rate)
    for ticket in view.queue:
        left = max(ticket.ripe_at.elapsed(view.block_time), Duration(0))
        nav += _after_waiting(ticket.assets, left, discount_rate)
    mints = {mint.address: mint for mint in _priced(view)}
    holding = Lamports(opening.get("lamports", 0))
    for asset, units in opening.items():
        if asset in mints:
            holding += value_token(view, TokenAmount(mints[asset], units), discount_rate)
    return Valuation(nav, holding)


def _priced(view: View) -> tuple[Mint, ...]:
    """Every token that has a value here, whether or not the wallet still has an account for it."""
    glow = (view.glowsol.mint,) if view.glowsol is not None else ()
    return (SOL, SSOL, STAKE_POOL_LST, *glow)


def _after_waiting(assets: Lamports, wait: Duration, discount_rate: Bps) -> Lamports:
    return max(assets - discount_rate.per_year_over(wait, assets), Lamports(0))
