"""What a glowSOL is worth and what the program pays, exactly (shared facts, protocol.md 1.1 and 1.3).

total assets = liquid lamports of the pool + its sSOL at the stake pool's rate - assets promised to the queue;
shares outstanding = mint supply - shares waiting in the queue. Every result is rounded down; without shares it is 1:1.
"""

from __future__ import annotations

from dataclasses import dataclass

from keeper.protocols.glow_lrt.accounts import LrtPool
from keeper.protocols.quotes import QuoteError, require_u64
from keeper.units import SSOL, Lamports, Mint, Rate, TokenAmount, UnitError


@dataclass(frozen=True, slots=True)
class LrtBooks:
    """What the pool owns and owes at one slot.

    ``liquid`` are the pool account's lamports above its rent; ``ssol`` is the vault's balance; ``ssol_rate`` lamports per
    base unit of sSOL (the stake pool's rate); ``supply`` the glowSOL mint's.
    """

    pool: LrtPool
    liquid: Lamports
    ssol: TokenAmount
    ssol_rate: Rate
    supply: TokenAmount

    @property
    def glowsol(self) -> Mint:
        """The share token."""
        return self.supply.mint

    @property
    def ssol_value(self) -> Lamports:
        """Lamports that the vault's sSOL is worth, rounded down."""
        _require_ssol(self.ssol)
        return self.ssol_rate.lamports(self.ssol)

    @property
    def total_assets(self) -> Lamports:
        """What belongs to the shares outstanding. Raises ``QuoteError`` when the queue is promised more than there is."""
        total = self.liquid + self.ssol_value - self.pool.pending_assets
        if total < Lamports(0):
            message = f"{self.pool.pending_assets} are promised to the queue, the pool has {-total} less"
            raise QuoteError("pool_insolvent", message)
        return total

    @property
    def shares_outstanding(self) -> int:
        """Base units of glowSOL that are not in the queue. Raises ``QuoteError`` when the queue holds more than exist."""
        shares = self.supply.units - self.pool.pending_shares
        if shares < 0:
            message = f"{self.pool.pending_shares} shares are pending, but only {self.supply} exist"
            raise QuoteError("shares_inconsistent", message)
        return shares

    @property
    def claimable(self) -> Lamports:
        """Lamports that claims can take now: the liquid ones above the pool's minimum reserve."""
        return max(Lamports(0), self.liquid - self.pool.minimum_reserve)


def _require_ssol(amount: TokenAmount) -> None:
    if amount.mint != SSOL:
        raise UnitError(f"the pool's vault holds {SSOL}, not {amount}")


def redemption_rate(books: LrtBooks) -> Rate:
    """Lamports per base unit of glowSOL. 1:1 without shares outstanding. Raises ``QuoteError`` for inconsistent books."""
    outstanding = books.shares_outstanding
    return Rate(books.total_assets.value, outstanding) if outstanding else Rate(1, 1)


def _shares(books: LrtBooks, assets: Lamports, what: str) -> TokenAmount:
    outstanding, total = books.shares_outstanding, books.total_assets.value
    if outstanding == 0:
        shares = assets.value
    elif total == 0:
        raise QuoteError("pool_insolvent", f"the pool owns nothing for {outstanding} shares, so it cannot price more")
    else:
        shares = assets.value * outstanding // total
    return TokenAmount(books.glowsol, require_u64(shares, "deposit_too_small", what))


def quote_deposit_sol(books: LrtBooks, deposit: Lamports) -> TokenAmount:
    """glowSOL for ``deposit`` lamports: floor(lamports * outstanding / total assets). Raises ``QuoteError``."""
    deposit.as_u64()
    return _shares(books, deposit, f"a deposit of {deposit}")


def quote_deposit_ssol(books: LrtBooks, deposit: TokenAmount) -> TokenAmount:
    """glowSOL for sSOL, which is first valued in lamports, rounded down. Raises ``QuoteError``."""
    _require_ssol(deposit)
    deposit.as_u64()
    return _shares(books, books.ssol_rate.lamports(deposit), f"a deposit of {deposit}")


def quote_request(books: LrtBooks, shares: TokenAmount) -> Lamports:
    """Lamports that a withdrawal request for ``shares`` fixes: floor(shares * total assets / outstanding).

    Raises ``QuoteError`` for zero or for more shares than are outstanding.
    """
    if shares.mint != books.glowsol:
        raise UnitError(f"the queue takes {books.glowsol}, not {shares}")
    units, outstanding = shares.as_u64(), books.shares_outstanding
    if units > outstanding:
        raise QuoteError("not_enough_shares", f"{shares} are more than the {outstanding} base units outstanding")
    assets = units * books.total_assets.value // outstanding if outstanding else 0
    return Lamports(require_u64(assets, "withdrawal_too_small", f"a request for {shares}"))


def cancel_fee(books: LrtBooks, shares: TokenAmount) -> TokenAmount:
    """Shares that cancelling a request of ``shares`` costs, rounded up."""
    if shares.mint != books.glowsol:
        raise UnitError(f"the queue holds {books.glowsol}, not {shares}")
    return TokenAmount(books.glowsol, -(-shares.as_u64() * books.pool.cancel_fee.value // 10_000))
