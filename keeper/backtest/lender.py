"""The lending market on paper: one SOL pool and the keeper's margin account, by the localnet's models of the programs.

What is true here (interest, notes, health, what is refused) is the models' arithmetic; what the keeper sees of it is read by the
keeper's own code from the same bytes that the chain would hold (``accounts``).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from solders.pubkey import Pubkey

from keeper.backtest.ground import FEED_OF, GLOWSOL, LEVERAGE, OWNER, RENT, STALENESS, addresses, token_config
from keeper.backtest.paths import PPM, RATE_UNIT, SOL, Moment
from keeper.chain.accounts import Account
from keeper.protocols import glow_margin_pool
from keeper.protocols.addresses import (
    GLOW_MARGIN,
    GLOW_MARGIN_POOL,
    PYTH_RECEIVER,
    SOL_USD_FEED,
    SPL_TOKEN,
    TOKEN_2022,
    WSOL_MINT,
)
from keeper.protocols.token import associated_token_address
from keeper.sim.localnet.interface import ProgramError
from keeper.sim.localnet.lending_addresses import AIRSPACE
from keeper.sim.localnet.programs.glow_margin_config import (
    ConfigKind,
    PythPull,
)
from keeper.sim.localnet.programs.glow_margin_health import Valuation, valuation
from keeper.sim.localnet.programs.glow_margin_number import as_u64, from_decimal, multiply
from keeper.sim.localnet.programs.glow_margin_pool_exchange import Action
from keeper.sim.localnet.programs.glow_margin_pool_number import multiply as pool_multiply
from keeper.sim.localnet.programs.glow_margin_pool_number import nearest, of_decimal, of_integer, up
from keeper.sim.localnet.programs.glow_margin_pool_state import ALLOW_LENDING, DISABLED, MarginPool, PoolConfig
from keeper.sim.localnet.programs.glow_margin_state import (
    AccountPosition,
    MarginAccount,
    PositionKind,
    PriceInfo,
)
from keeper.sim.localnet.programs.native_state import encode_token_account
from keeper.sim.localnet.programs.pyth_feed import PriceUpdate
from keeper.units import BPS, SSOL, Lamports, Mint

EXPONENT, UNIT = -8, 10**8
SUPPLIED = 20_000 * SOL
SHARP = PoolConfig()
RISKY = replace(SHARP, borrow_rate_0=50, borrow_rate_1=600, borrow_rate_2=16_000)
"""The two curves that Glow's documents show (shared facts, protocol.md 4.6)."""


class PaperRefusal(Exception):
    """A program would have failed the transaction. ``name``: why, in its own words."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def sol_usd(at: int) -> int:
    """Dollars for SOL in 1e-8: it moves, and must not matter."""
    return 150 * UNIT + at * 7_919 % (30 * UNIT)


@dataclass(slots=True)
class Lender:
    """``raw``: base units of collateral by mint. All amounts are base units; ``now`` is unix seconds."""

    pool: MarginPool
    account: MarginAccount
    now: int
    stale: bool = False
    paused: bool = False
    config_weight: int = 95
    rates: dict[Mint, int] = field(default_factory=dict)

    @classmethod
    def open(cls, now: int, *, risky: bool, utilisation: int) -> Lender:
        """A pool of ``SUPPLIED`` of which ``utilisation`` bps are lent, and an empty margin account."""
        found = addresses()
        (at,) = found.pools
        borrowed = SUPPLIED * utilisation // BPS
        pool = MarginPool(
            bump=255,
            airspace=AIRSPACE,
            vault=at.vault,
            fee_destination=at.fee_destination,
            deposit_note_mint=at.deposit_note_mint,
            loan_note_mint=at.loan_note_mint,
            token_mint=WSOL_MINT,
            address=at.address,
            config=RISKY if risky else SHARP,
            borrowed=of_integer(borrowed),
            deposit_tokens=SUPPLIED - borrowed,
            deposit_notes=SUPPLIED * 100 // 102,
            loan_notes=borrowed * 100 // 105,
            accrued_until=now,
            oracle=PythPull(SOL_USD_FEED),
        )
        return cls(pool, MarginAccount(OWNER, AIRSPACE, 255), now)

    def copy(self) -> Lender:
        slots = {index: replace(one) for index, one in self.account.slots.items()}
        return replace(
            self, pool=replace(self.pool), account=replace(self.account, slots=slots), rates=dict(self.rates)
        )

    # the world moves

    def advance(self, moment: Moment) -> None:
        """Interest up to ``moment``, its prices and weights, and lenders who come or go until the pool is used as it says."""
        self.now, self.stale, self.paused = moment.at, moment.oracle_stale, moment.lending_paused
        while not self.pool.accrue(moment.at):
            pass
        flags = ALLOW_LENDING | (DISABLED if moment.lending_paused else 0)
        if self.pool.config.flags != flags:
            self.pool.config = replace(self.pool.config, flags=flags)
        self._crowd(moment.utilisation)
        self.config_weight = moment.weight
        self.rates = {
            GLOWSOL: moment.glowsol * moment.oracle * UNIT // (RATE_UNIT * PPM),
            SSOL: moment.ssol * moment.oracle * UNIT // (RATE_UNIT * PPM),
        }
        for one in self.account.slots.values():
            if one.kind is PositionKind.COLLATERAL:
                one.value_modifier = min(one.value_modifier, moment.position_weight)
        self.refresh()

    def _crowd(self, utilisation: int) -> None:
        borrowed = up(self.pool.borrowed)
        missing = borrowed * (BPS - utilisation) // utilisation - self.pool.deposit_tokens
        if missing > 0:
            self.pool.deposit(self.pool.tokens(missing, Action.DEPOSIT))
        elif missing < 0:
            self.pool.withdraw(self.pool.tokens(-missing, Action.WITHDRAW))

    def refresh(self) -> None:
        """Prices and balances of all positions as of now."""
        dollars = sol_usd(self.now)
        for one in self.account.slots.values():
            if one.kind is PositionKind.CLAIM:
                value = nearest(pool_multiply(of_decimal(dollars, EXPONENT), self.pool.loan_rate), EXPONENT)
            else:
                mint = GLOWSOL if str(one.token) == GLOWSOL.address else SSOL
                product = multiply(from_decimal(self.rates[mint], EXPONENT), from_decimal(dollars, EXPONENT))
                value = as_u64(product, EXPONENT)
            one.set_price(PriceInfo(value, self.now, EXPONENT, True))
            one.balance_timestamp = self.now

    # what is true

    @property
    def owed(self) -> int:
        """Lamports that would repay the debt now."""
        loan = self.position(self._loan_mint)
        return self.pool.notes(loan.balance, Action.REPAY).tokens if loan is not None and loan.balance else 0

    def held(self, mint: Mint) -> int:
        """Base units of raw collateral."""
        one = self.position(Pubkey.from_string(mint.address))
        return one.balance if one is not None else 0

    def valuation(self) -> Valuation:
        """By the positions' own weights: what a liquidator is held to."""
        return valuation(self.account, self.now)

    @property
    def health(self) -> int:
        """HL in bps by the worse of position and configuration, rounded down; 10 000 without debt."""
        found = self.valuation()
        if not found.liabilities:
            return BPS
        collateral = [one for one in self.account.slots.values() if one.kind is PositionKind.COLLATERAL]
        weights = (from_decimal(min(one.value_modifier, self.config_weight), -2) for one in collateral)
        weighted = sum(multiply(weight, one.value) for weight, one in zip(weights, collateral, strict=True))
        return BPS - -(-(found.required + found.liabilities) * BPS // weighted) if weighted else -BPS

    @property
    def liquidable(self) -> bool:
        """Whether a liquidator may take the account now: not while prices are too old to refresh, or the pool stands still."""
        return not self.stale and not self.valuation().is_healthy

    @property
    def free(self) -> dict[Mint, int]:
        """Base units of each collateral that could be taken out now with the account still healthy."""
        found = self.valuation()
        dollars = max(found.available, 0)
        result = {}
        for mint in FEED_OF:
            one = self.position(Pubkey.from_string(mint.address))
            if one is None or not one.balance:
                continue
            counted = one.value * one.value_modifier // 100
            most = one.balance * dollars // counted - 1 if counted and found.liabilities else one.balance
            result[mint] = max(min(one.balance, most), 0)
        return result

    # actions: each raises ``PaperRefusal`` where a program would fail

    def position(self, token: Pubkey) -> AccountPosition | None:
        return self.account.position(token)

    def deposit(self, mint: Mint, units: int) -> Lamports:
        """Returns the rent of a position that it opens."""
        one, rent = self._opened(Pubkey.from_string(mint.address))
        one.set_balance(one.balance + units, self.now)
        return rent

    def withdraw(self, mint: Mint, units: int) -> None:
        one = self.position(Pubkey.from_string(mint.address))
        if one is None or one.balance < units:
            raise PaperRefusal("insufficient_collateral")
        self._require_prices()
        one.set_balance(one.balance - units, self.now)
        self._require_healthy()

    def borrow(self, units: int) -> Lamports:
        """Returns the rent of the loan that it opens."""
        self._require_prices()
        one, rent = self._opened(self._loan_mint)
        try:
            _ = self.pool.seeds  # a disabled pool signs for nothing
            amount = self.pool.tokens(units, Action.BORROW)
            self.pool.borrow(amount)
        except ProgramError as error:
            raise PaperRefusal(str(error)) from error
        one.set_balance(one.balance + amount.notes, self.now)
        self.refresh()
        self._require_healthy()
        return rent

    def repay(self, units: int, *, whole: bool) -> int:
        """Lamports that were paid: ``units``, or with ``whole`` all that is owed, which must not be more."""
        one = self.position(self._loan_mint)
        if one is None or not one.balance:
            raise PaperRefusal("nothing_owed")
        try:
            _ = self.pool.seeds
            amount = self.pool.notes(one.balance, Action.REPAY) if whole else self.pool.tokens(units, Action.REPAY)
            if amount.tokens > units or amount.notes > one.balance:
                raise PaperRefusal("repays_too_much")
            self.pool.repay(amount)
        except ProgramError as error:
            raise PaperRefusal(str(error)) from error
        one.set_balance(one.balance - amount.notes, self.now)
        self.refresh()
        return amount.tokens

    def _require_prices(self) -> None:
        if self.stale and self.owed:
            raise PaperRefusal("price_too_old")

    def _require_healthy(self) -> None:
        if not self.valuation().is_healthy:
            raise PaperRefusal("unhealthy")

    @property
    def _loan_mint(self) -> Pubkey:
        return self.pool.loan_note_mint

    def _opened(self, token: Pubkey) -> tuple[AccountPosition, Lamports]:
        found = self.position(token)
        if found is not None:
            return found, Lamports(0)
        at = addresses()
        claim = token == self._loan_mint
        owned_by = at.account
        address = (
            glow_margin_pool.loan_account_address(owned_by, token)
            if claim
            else associated_token_address(owned_by, token, SPL_TOKEN)
        )
        one = AccountPosition(
            token=token,
            address=address,
            adapter=GLOW_MARGIN_POOL if claim else Pubkey.default(),
            kind=PositionKind.CLAIM if claim else PositionKind.COLLATERAL,
            exponent=EXPONENT - 1,
            value_modifier=LEVERAGE if claim else self.config_weight,
            max_staleness=STALENESS,
            is_token_2022=claim,
            token_features=4,
        )
        self.account.add(one)
        self.refresh()
        return one, RENT * (2 if claim else 1)

    # what the chain would hold

    def accounts(self) -> dict[Pubkey, Account | None]:
        """The accounts that the keeper reads, as bytes."""
        at = addresses()
        seen: dict[Pubkey, Account | None] = {}
        (pool,) = at.pools
        seen[pool.address] = Account(RENT, GLOW_MARGIN_POOL, self.pool.encode())
        seen[at.account] = Account(RENT, GLOW_MARGIN, self.account.encode())
        seen[pool.deposit_config] = token_config(pool.deposit_note_mint, ConfigKind.COLLATERAL, self.config_weight)
        seen[pool.loan_config] = token_config(pool.loan_note_mint, ConfigKind.CLAIM, LEVERAGE)
        seen[pool.feed.price] = self._feed(SOL_USD_FEED, sol_usd(self.now))
        for raw in at.raw:
            seen[raw.config] = token_config(
                Pubkey.from_string(raw.mint.address), ConfigKind.COLLATERAL, self.config_weight
            )
            seen[raw.feed.price] = self._feed(raw.feed.feed_id, self.rates[raw.mint])
        for one in self.account.slots.values():
            program = TOKEN_2022 if one.is_token_2022 else SPL_TOKEN
            seen[one.address] = Account(RENT, program, encode_token_account(one.token, at.account, one.balance))
        return seen

    def _feed(self, feed_id: bytes, price: int) -> Account:
        published = self.now - (3_600 if self.stale else 1)
        update = PriceUpdate(feed_id, price, 1, EXPONENT, published, published - 1, price, 1, 0)
        return Account(RENT, PYTH_RECEIVER, update.encode())
