"""What a margin account is worth as of now, read from the chain without a transaction: how bots find work and size it.

Interest is accrued in memory and prices are taken from the feeds, as a refresh in this slot would; values are lamports at the
oracles' prices, so the program's own last digits (dollars) may differ. Decisions are always the program's.
"""

from __future__ import annotations

from dataclasses import dataclass

from solders.pubkey import Pubkey

from keeper.sim.localnet.interface import BankFace, ProgramError
from keeper.sim.localnet.lending_addresses import LendingPoolAddresses
from keeper.sim.localnet.market_addresses import Market
from keeper.sim.localnet.market_rates import account_of
from keeper.sim.localnet.programs.curves import Rate
from keeper.sim.localnet.programs.glow_margin_pool_exchange import Action
from keeper.sim.localnet.programs.glow_margin_pool_state import MarginPool
from keeper.sim.localnet.programs.glow_margin_state import AccountPosition, MarginAccount, PositionKind
from keeper.sim.localnet.programs.native_state import token_amount
from keeper.sim.localnet.programs.pyth_feed import MAX_AGE, PriceUpdate

RATE_UNIT = 10**8
PERCENT = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """One position: ``tokens`` of ``mint`` (of a note: what it is worth or owes), each worth ``price`` lamports.

    ``modifier``: hundredths, the weight of collateral or the leverage of a debt. ``pool``: whose note it is.
    """

    mint: Pubkey
    tokens: int
    price: Rate
    modifier: int
    is_debt: bool
    pool: LendingPoolAddresses | None

    @property
    def lamports(self) -> int:
        return self.price.scale(self.tokens)


@dataclass(frozen=True, slots=True)
class MarginBook:
    """All positions with a balance. Lamports."""

    entries: tuple[Entry, ...]

    @property
    def weighted(self) -> int:
        return sum(entry.lamports * entry.modifier // PERCENT for entry in self.entries if not entry.is_debt)

    @property
    def debt(self) -> int:
        return sum(entry.lamports for entry in self.entries if entry.is_debt)

    @property
    def required(self) -> int:
        """Collateral asked for beyond the debts themselves."""
        return sum(entry.lamports * PERCENT // max(1, entry.modifier) for entry in self.entries if entry.is_debt)

    @property
    def available(self) -> int:
        """Negative when the account may be liquidated."""
        return self.weighted - self.debt - self.required


def pool_now(bank: BankFace, pool: LendingPoolAddresses) -> MarginPool:
    """The pool with interest accrued to the present, however far behind it is stored. Raises ``LookupError``."""
    state = MarginPool.decode(bytes(account_of(bank, pool.pool).data))
    while not state.accrue(bank.clock.unix_timestamp):
        pass
    return state


class LendingSnapshot:
    """Pools and prices of one moment, read once. Of no use any more when a slot or a transaction has passed."""

    def __init__(self, bank: BankFace, market: Market) -> None:
        self._bank = bank
        self._market = market
        self._pools: dict[Pubkey, MarginPool] = {}
        self._prices: dict[Pubkey, int] = {}

    def book(self, account: MarginAccount) -> MarginBook | None:
        """The account's positions as of now; None where a price is missing, too old or not positive."""
        try:
            entries = [entry for position in account.positions if (entry := self._entry(position)) is not None]
        except (LookupError, ProgramError):
            return None
        return MarginBook(tuple(entries))

    def _entry(self, position: AccountPosition) -> Entry | None:
        """None for an empty position. Raises ``LookupError`` for one that cannot be priced."""
        balance = token_amount(bytes(account_of(self._bank, position.address).data))
        if balance == 0:
            return None
        is_debt = position.kind is PositionKind.CLAIM
        for pool in self._market.lending_pools.values():
            if position.token in (pool.deposit_note_mint, pool.loan_note_mint):
                tokens = self._pool(pool).notes(balance, Action.REPAY if is_debt else Action.WITHDRAW).tokens
                price = self._price(pool.price, pool.quote)
                return Entry(pool.mint, tokens, price, position.value_modifier, is_debt, pool)
        for token in self._market.raw_tokens.values():
            if position.token == token.mint:
                price = self._price(token.price, token.quote)
                return Entry(token.mint, balance, price, position.value_modifier, is_debt, None)
        raise LookupError(f"{position.token} is no token of this market")

    def _pool(self, pool: LendingPoolAddresses) -> MarginPool:
        if pool.pool not in self._pools:
            self._pools[pool.pool] = pool_now(self._bank, pool)
        return self._pools[pool.pool]

    def _price(self, price: Pubkey, quote: Pubkey | None) -> Rate:
        """Lamports a base unit is worth: SOL itself 1, else its redemption rate; SOL/USD has to be usable for both."""
        if quote is None:
            self._usable(price)
            return Rate(1, 1)
        self._usable(quote)
        return Rate(self._usable(price), RATE_UNIT)

    def _usable(self, feed: Pubkey) -> int:
        if feed not in self._prices:
            update = PriceUpdate.decode(bytes(account_of(self._bank, feed).data))
            if update.price <= 0 or self._bank.clock.unix_timestamp - update.publish_time > MAX_AGE:
                raise LookupError(f"feed {feed} says {update.price}, published at {update.publish_time}")
            self._prices[feed] = update.price
        return self._prices[feed]


def margin_book(bank: BankFace, market: Market, account: MarginAccount) -> MarginBook | None:
    """One account's book, as ``LendingSnapshot.book``."""
    return LendingSnapshot(bank, market).book(account)
