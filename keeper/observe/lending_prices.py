"""Prices of tokens and notes in lamports, as the lending programs would take them at the block time of the view.

A price is an exact ratio of two dollar prices of one moment, so the SOL/USD leg cancels. Where an account cannot be used the
last number in it is kept where there is one, beside the reason: it says what something was worth, not that it may be acted on.
"""

from __future__ import annotations

from dataclasses import dataclass

from keeper.chain.accounts import AccountSnapshot
from keeper.protocols import glow_margin as margin
from keeper.protocols import glow_margin_pool as pools
from keeper.protocols.layout import LayoutError
from keeper.protocols.lending import LendingAddresses, PriceFeed
from keeper.protocols.pyth import PriceUpdate, TokenPrice, decode_price_update, problem, redemption_price, token_price
from keeper.units import Mint, Rate, UnixTime

NOTE_SCALE = 10**15
WORTHLESS = Rate(0, 1)


@dataclass(frozen=True, slots=True)
class Quoted:
    """What a feed says of one whole token in dollars; ``quote`` is there for a redemption rate. ``problem``: why it may not
    be used."""

    update: PriceUpdate | None
    quote: PriceUpdate | None
    problem: str

    @property
    def token(self) -> TokenPrice | None:
        """As margin takes a raw token's price; None where nothing can be said."""
        if self.update is None:
            return None
        return token_price(self.update) if self.quote is None else redemption_price(self.update, self.quote)


@dataclass(frozen=True, slots=True)
class Prices:
    """Reads feeds out of one snapshot. ``sol`` is the dollar price that everything is measured by."""

    snapshot: AccountSnapshot
    lending: LendingAddresses
    now: UnixTime
    sol: Quoted

    @classmethod
    def of(cls, snapshot: AccountSnapshot, lending: LendingAddresses, sol_feed: PriceFeed, now: UnixTime) -> Prices:
        blank = cls(snapshot, lending, now, Quoted(None, None, "oracle_missing"))
        return cls(snapshot, lending, now, blank.quoted(sol_feed))

    def quoted(self, feed: PriceFeed) -> Quoted:
        """The feed's accounts, and the first thing that is wrong with them."""
        wanted = [(feed.price, feed.feed_id)]
        wanted += [(feed.quote, feed.quote_feed_id)] if feed.quote is not None else []
        updates: list[PriceUpdate] = []
        for key, feed_id in wanted:
            account = self.snapshot.accounts.get(key)
            if account is None:
                return Quoted(None, None, "oracle_missing")
            try:
                update = decode_price_update(account.data, owner=account.owner, owners=self.lending.oracle_owners)
            except LayoutError:
                return Quoted(None, None, "oracle_foreign")
            updates.append(update)
            if fault := problem(update, self.now, feed_id=feed_id):
                usable = fault not in ("price_not_positive", "oracle_foreign", "oracle_partial") and len(
                    updates
                ) == len(wanted)
                return Quoted(update if usable and len(wanted) == 1 else None, None, fault)
        found = Quoted(updates[0], updates[1] if len(updates) > 1 else None, "")
        price = _token(found)
        if price is None or not margin.price_is_usable(price, self.now):
            return Quoted(found.update, found.quote, "oracle_unsure")
        return found

    def raw(self, feed: PriceFeed, mint: Mint) -> tuple[Rate, str]:
        """(lamports per base unit of the token itself, problem)."""
        found = self.quoted(feed)
        return self._in_lamports(_token(found), mint, 1, 1), found.problem or self.sol.problem

    def notes(self, feed: PriceFeed, state: pools.MarginPoolState, mint: Mint) -> tuple[Rate, Rate, str]:
        """(lamports per base unit of the token in a deposit, the same in a loan, problem): note prices as the pool reports
        them, spread over the tokens that a note stands for."""
        found = self.quoted(feed)
        fault = found.problem or self.sol.problem
        if found.update is None:
            return WORTHLESS, WORTHLESS, fault or "oracle_missing"
        try:
            prices = pools.note_prices(state, found.update, found.quote)
            deposit, loan = pools.deposit_note_rate(state), pools.loan_note_rate(state)
        except pools.PoolError:
            return WORTHLESS, WORTHLESS, "price_not_positive"
        return (
            self._in_lamports(prices.deposit, mint, NOTE_SCALE, deposit),
            self._in_lamports(prices.loan, mint, NOTE_SCALE, loan),
            fault or prices.deposit.problem(self.now),
        )

    def _in_lamports(self, price: TokenPrice | None, mint: Mint, numerator: int, denominator: int) -> Rate:
        sol = _token(self.sol)
        if price is None or sol is None or price.price <= 0 or sol.price <= 0 or denominator <= 0:
            return WORTHLESS
        places = price.exponent - sol.exponent + 9 - mint.decimals
        up, down = (10**places, 1) if places >= 0 else (1, 10**-places)
        return Rate(price.price * numerator * up, sol.price * denominator * down)


def _token(quoted: Quoted) -> TokenPrice | None:
    try:
        return quoted.token
    except ArithmeticError:
        return None  # an exponent that no program could hold
