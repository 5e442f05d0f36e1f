"""What the keeper's belongings are worth in lamports: redemption-aware, never par and never a mid price (law 8).

glowSOL counts at its redemption rate less the cost of waiting out the queue at the operator's discount rate; a request on its
way out at its fixed assets less the rest of its wait; sSOL at what the stake pool pays at once, after its fee. Collateral counts
the same in the margin account as in the wallet, whatever the oracle says of it; a token that only an oracle knows counts at the
oracle's price. Debt counts in full, with its interest, rounded up. Rent in token accounts is not counted: it comes back only
when they are closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from keeper.lending import Collateral, Loan, MarginAccount
from keeper.units import SOL, SSOL, STAKE_POOL_LST, Bps, Duration, Lamports, Mint, Rate, TokenAmount
from keeper.view import Ticket, View

NOTHING = Lamports(0)


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
        return pool.instant_rate.lamports(amount) if pool is not None else NOTHING
    glow = view.glowsol
    if glow is not None and amount.mint == glow.mint:
        if not glow.outstanding:
            return NOTHING
        return _after_waiting(glow.rate.lamports(amount), glow.waiting_period, discount_rate)
    price = _oracle(view.margin, amount.mint)
    return price.lamports(amount) if price is not None else NOTHING


def debt_value(view: View, amount: TokenAmount) -> Lamports:
    """What it costs to get rid of a debt of ``amount``: its face in SOL, else by the oracle or the gross rate, whichever is
    more; rounded up. Zero for a token that the view cannot price."""
    if amount.mint == SOL:
        return Lamports(amount.units)
    pool, glow = view.pool(amount.mint), view.glowsol
    rates = [
        _oracle(view.margin, amount.mint),
        pool.rate if pool is not None else None,
        glow.rate if glow is not None and amount.mint == glow.mint and glow.outstanding else None,
    ]
    return max((rate.lamports_up(amount) for rate in rates if rate is not None), default=NOTHING)


def value(view: View, opening: Mapping[str, int], discount_rate: Bps) -> Valuation:
    """Value wallet, requests and margin account, and the ``opening`` balances ("lamports", or the address of a mint, the mints
    of a lending pool's notes among them, to base units). A debt that was there at the opening counts against holding, too."""
    nav = view.wallet.lamports
    for amount in view.wallet.tokens:
        nav += value_token(view, amount, discount_rate)
    for ticket in view.queue:
        nav += _after_waiting(ticket.assets, _left(view, ticket), discount_rate)
    if view.margin is not None:
        nav += margin_equity(view, view.margin, discount_rate)
    return Valuation(nav, _holding(view, opening, discount_rate))


def margin_equity(view: View, account: MarginAccount, discount_rate: Bps) -> Lamports:
    """Collateral as ``value_token`` counts it less the debts in full; negative when under water."""
    equity = NOTHING
    for place in account.collateral:
        equity += value_token(view, place.amount, discount_rate)
    for loan in account.loans:
        equity -= debt_value(view, loan.amount)
    return equity


def _holding(view: View, opening: Mapping[str, int], discount_rate: Bps) -> Lamports:
    mints = {mint.address: mint for mint in _priced(view)}
    notes = {note.mint: (market.mint, note) for market in view.lending for note in market.notes}
    holding = Lamports(opening.get("lamports", 0))
    for asset, units in opening.items():
        if asset in notes:
            mint, note = notes[asset]
            tokens = TokenAmount(mint, note.worth(units))
            if note.owed:
                holding -= debt_value(view, tokens)
            else:
                holding += value_token(view, tokens, discount_rate)
        elif asset in mints:
            holding += value_token(view, TokenAmount(mints[asset], units), discount_rate)
    return holding


def _left(view: View, ticket: Ticket) -> Duration:
    """How long a request still waits."""
    if ticket.ripe(view.block_time):
        return Duration(0)
    return max(ticket.ripe_at.elapsed(view.block_time), Duration(0))


def _priced(view: View) -> tuple[Mint, ...]:
    """Every token that has a value here, whether or not the wallet still has an account for it."""
    glow = (view.glowsol.mint,) if view.glowsol is not None else ()
    collateral = tuple(one.mint for one in view.margin.collateral) if view.margin is not None else ()
    return (SOL, SSOL, STAKE_POOL_LST, *glow, *collateral)


def _oracle(account: MarginAccount | None, mint: Mint) -> Rate | None:
    """The oracle's price of ``mint``, where the margin account has a place or a loan for it that is priced now."""
    if account is None:
        return None
    known: tuple[Collateral | Loan, ...] = (*account.collateral, *account.loans)
    return next((one.price for one in known if one.mint == mint and not one.problem), None)


def _after_waiting(assets: Lamports, wait: Duration, discount_rate: Bps) -> Lamports:
    return max(assets - discount_rate.per_year_over(wait, assets), NOTHING)
