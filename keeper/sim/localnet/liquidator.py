"""The liquidator of the box: a bot with a permit that takes down unhealthy margin accounts by real transactions.

It looks at every margin account, begins a liquidation where the account is not healthy any more, sells raw collateral through
Jupiter's router as the margin account, repays the SOL loan with the proceeds, takes its fee and ends. Debts in other tokens
and collateral in deposit notes are beyond it; such a case is noted in ``failures``.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from solders.account import Account
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_MARGIN, SPL_TOKEN
from keeper.sim.localnet import margin_instructions as margin
from keeper.sim.localnet import pool_instructions as pools
from keeper.sim.localnet.actor import Actor
from keeper.sim.localnet.interface import BankFace, ChainClock, TransactionRecord, TransactionRejected
from keeper.sim.localnet.lending_books import Entry, LendingSnapshot, MarginBook, margin_book
from keeper.sim.localnet.lending_user import refresh_all
from keeper.sim.localnet.market_addresses import Market
from keeper.sim.localnet.market_rates import account_of
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.glow_margin_liquidation_state import LiquidationState, liquidation_address
from keeper.sim.localnet.programs.glow_margin_state import MARGIN_ACCOUNT_DISCRIMINATOR, MarginAccount
from keeper.sim.localnet.programs.glow_margin_tokens import associated_address
from keeper.sim.localnet.programs.jupiter_router import route_instruction
from keeper.sim.localnet.programs.routes import Route, find_route

LOG = logging.getLogger(__name__)
BPS = 10_000
FEE_BPS = 500
GOAL_BPS = 300
"""Available collateral aimed for, in bps of the required collateral at the begin: above zero, and below the tenth that a
liquidation may at most leave."""
LIMIT_BPS = 1_000
SEARCH_STEPS = 24


@dataclass(frozen=True, slots=True)
class LiquidatorConfig:
    """``interval``: slots between looks. ``rounds``: sales in one liquidation at most. ``slippage_bps``: of a sale's quote."""

    interval: int = 1
    rounds: int = 6
    slippage_bps: int = 10


@dataclass(frozen=True, slots=True)
class Liquidation:
    """One liquidation that was ended. Lamports: sold collateral's proceeds, what was repaid of the debt, the fee taken."""

    account: Pubkey
    owner: Pubkey
    slot: int
    proceeds: int
    repaid: int
    fee: int


@dataclass(frozen=True, slots=True)
class LiquidatorFailure:
    """A step that failed; ``error`` in Solana's JSON shape or words."""

    account: Pubkey
    step: str
    slot: int
    error: object


@dataclass(frozen=True, slots=True)
class Sale:
    """What to sell and what to repay from it, lamports; the rest of the proceeds stays to pay the fee.

    ``with_fee``: sold and repaid in one invoke, which is what accrues a fee; in two it accrues none.
    """

    route: Route
    repay: int
    with_fee: bool


@dataclass(slots=True)
class Liquidator:
    """``done``: every liquidation ended so far. ``failures``: the last hundred."""

    bank: BankFace
    market: Market
    config: LiquidatorConfig = field(default_factory=LiquidatorConfig)
    done: list[Liquidation] = field(default_factory=list)
    failures: list[LiquidatorFailure] = field(default_factory=list)
    _known: dict[Pubkey, None] = field(default_factory=dict)

    def attach(self) -> None:
        """Look for work from now on. Margin accounts are found once, then as they appear."""
        for key, account in self.bank.program_accounts(GLOW_MARGIN):
            self.meet(key, account)
        self.bank.subscribe(_Watch(self))
        self.bank.at_slot(self.turn)

    def meet(self, key: Pubkey, account: Account | None) -> None:
        if account is None:
            self._known.pop(key, None)
        elif account.owner == GLOW_MARGIN and bytes(account.data[:8]) == MARGIN_ACCOUNT_DISCRIMINATOR:
            self._known[key] = None

    def turn(self, clock: ChainClock) -> None:
        if clock.slot % self.config.interval == 0:
            now = LendingSnapshot(self.bank, self.market)
            for key in tuple(self._known):
                if self.look(key, now):
                    now = LendingSnapshot(self.bank, self.market)

    def look(self, key: Pubkey, now: LendingSnapshot) -> bool:
        """Liquidate the account at ``key`` if it is not healthy; whether anything was sent. A foreign liquidation is left
        alone."""
        state = self._state(key)
        if state is None or (state.is_liquidating and state.liquidator != self.actor.key):
            return False
        book = now.book(state)
        if state.is_liquidating or (book is not None and book.debt and book.available < 0):
            self.liquidate(key, state)
            return True
        return False

    @property
    def actor(self) -> Actor:
        return Actor(self.bank, self.market, self.market.liquidator)

    def _state(self, key: Pubkey) -> MarginAccount | None:
        account = self.bank.get_account(key)
        return None if account is None else MarginAccount.decode(bytes(account.data))

    # one liquidation

    def liquidate(self, key: Pubkey, state: MarginAccount) -> None:
        """Begin, sell and repay, collect, end. What fails is noted, and a liquidation that was begun is ended anyway."""
        if not state.is_liquidating and not self.begin(key, state):
            return
        proceeds = repaid = 0
        required = self._required_at_begin(key)
        for _ in range(self.config.rounds):
            sale = self._next_sale(key, required)
            if sale is None or not self._sell(key, sale):
                break
            proceeds, repaid = proceeds + sale.route.out_amount, repaid + sale.repay
        before = self.actor.tokens(self.market.sol_mint)
        if self._end(key):
            fee = self.actor.tokens(self.market.sol_mint) - before
            self.done.append(Liquidation(key, state.owner, self.bank.clock.slot, proceeds, repaid, fee))

    def begin(self, key: Pubkey, state: MarginAccount) -> bool:
        """Refreshed and begun in one transaction, with a SOL position for the fee to be paid from."""
        liquidator, token = self.actor.key, self.market.raw_tokens["SOL"]
        instructions = [
            *refresh_all(self.bank, self.market, key),
            cpi.create_associated(liquidator, key, token.mint),
            cpi.create_associated(liquidator, liquidator, token.mint),
            margin.liquidate_begin(liquidator, key),
        ]
        if state.position(token.mint) is None:
            instructions.append(margin.create_position(liquidator, key, token.mint, token.config))
        return self._send(key, "begin", instructions)

    def _required_at_begin(self, key: Pubkey) -> int:
        """Lamports of required collateral now, right after the begin."""
        book = self._book(key)
        return 0 if book is None else book.required

    def _book(self, key: Pubkey) -> MarginBook | None:
        state = self._state(key)
        return None if state is None else margin_book(self.bank, self.market, state)

    def _sell(self, key: Pubkey, sale: Sale) -> bool:
        route, sol = sale.route, associated_address(key, self.market.sol_mint, SPL_TOKEN)
        source = associated_address(key, route.input_mint, SPL_TOKEN)
        swap = route_instruction(
            route,
            key,
            source=source,
            destination=sol,
            quoted_out=route.out_amount,
            slippage_bps=self.config.slippage_bps,
            v2=True,
        )
        pool = self.market.lending_pools["SOL"]
        paid = pools.repay(pool, key, payer=key, source=sol, amount=sale.repay)
        steps = [[swap, paid]] if sale.with_fee else [[swap], [paid]]
        return all(self._invoke(key, inners) for inners in steps)

    def _invoke(self, key: Pubkey, inners: list[Instruction]) -> bool:
        invoke = margin.liquidator_invoke(self.actor.key, key, *inners)
        return self._send(key, "sell", [*refresh_all(self.bank, self.market, key), invoke])

    def _accrued(self, key: Pubkey) -> int:
        """The fee so far, lamports."""
        account = account_of(self.bank, liquidation_address(key, self.actor.key)[0])
        return LiquidationState.decode(bytes(account.data)).fees.get(self.market.sol_mint, 0)

    def _end(self, key: Pubkey) -> bool:
        """With the fee if there is one to take, else (or where collecting fails) without."""
        liquidator = self.actor.key
        end = margin.liquidate_end(liquidator, key)
        if self._accrued(key):
            collect = margin.collect_fee(liquidator, key, self.market.raw_tokens["SOL"])
            if self._send(key, "collect", [*refresh_all(self.bank, self.market, key), collect, end]):
                return True
        return self._send(key, "end", [end])

    # sizing

    def _next_sale(self, key: Pubkey, required: int) -> Sale | None:
        """The next sale that brings the account towards health; None when it is there, or nothing is left to do.

        The fee lies in the account until it is collected, and a liquidation may leave only so much available collateral. So a
        deep one earns its fee on the part that fits below that limit, and sells the rest without.
        """
        book = self._book(key)
        accrued = self._accrued(key)
        plan = _Plan(required, accrued)
        if book is None or book.available >= plan.goal:
            return None
        debts = [entry for entry in book.entries if entry.is_debt and entry.mint == self.market.sol_mint]
        sellable = [
            entry
            for entry in book.entries
            if not entry.is_debt and entry.pool is None and entry.mint != self.market.sol_mint
        ]
        if not debts or not sellable:
            self._failed(key, "size", "no SOL debt, or no raw collateral to sell")
            return None
        collateral = max(sellable, key=lambda entry: entry.lamports)
        whole = self._smallest(book, collateral, debts[0], plan, with_fee=True)
        if whole is None or _after(book, collateral, debts[0], whole)[1] <= plan.limit:
            return whole
        if not accrued:
            part = min(collateral.tokens, collateral.price.unscale(plan.fee_room * (BPS + FEE_BPS) // FEE_BPS))
            return self._sale(collateral, debts[0], part, with_fee=True)
        return self._smallest(book, collateral, debts[0], plan, with_fee=False)

    def _smallest(
        self, book: MarginBook, collateral: Entry, debt: Entry, plan: _Plan, *, with_fee: bool
    ) -> Sale | None:
        """The smallest sale after which the account is healthy by the goal; the whole holding where none is."""
        low, high = 0, collateral.tokens
        for _ in range(SEARCH_STEPS):
            middle = (low + high) // 2
            sale = self._sale(collateral, debt, middle, with_fee=with_fee)
            if sale is not None and _after(book, collateral, debt, sale)[0] >= plan.goal:
                high = middle
            else:
                low = middle
        return self._sale(collateral, debt, high, with_fee=with_fee)

    def _sale(self, collateral: Entry, debt: Entry, amount: int, *, with_fee: bool) -> Sale | None:
        route = find_route(
            self.bank,
            collateral.mint,
            self.market.sol_mint,
            amount,
            dexes=None,
            exclude=frozenset(),
            direct_only=True,
        )
        if route is None:
            return None
        worst = route.out_amount * (BPS - self.config.slippage_bps) // BPS
        share = BPS + (FEE_BPS if with_fee else 0)
        return Sale(route, min(worst * BPS // share, debt.tokens), with_fee)

    # sending

    def _send(self, key: Pubkey, step: str, instructions: list[Instruction]) -> bool:
        try:
            record: TransactionRecord = self.actor.send(*instructions, lookup=True)
        except TransactionRejected as rejection:
            self._failed(key, step, rejection.error)
            return False
        if record.err is not None:
            self._failed(key, step, record.err)
        return record.err is None

    def _failed(self, key: Pubkey, step: str, error: object) -> None:
        slot = self.bank.clock.slot
        LOG.warning("liquidator: %s of %s failed in slot %d: %s", step, key, slot, error)
        self.failures.append(LiquidatorFailure(key, step, slot, error))
        del self.failures[:-100]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a liquidation aims for, lamports. ``required``: at its begin. ``accrued``: the fee that still lies in the account."""

    required: int
    accrued: int

    @property
    def goal(self) -> int:
        """Available collateral wanted, of which the fee's part will leave."""
        return self.required * GOAL_BPS // BPS + self.accrued

    @property
    def limit(self) -> int:
        return self.required * LIMIT_BPS // BPS

    @property
    def fee_room(self) -> int:
        """A fee that leaves room between goal and limit."""
        return self.required * (LIMIT_BPS - GOAL_BPS) * 7 // (10 * BPS)


def _after(book: MarginBook, collateral: Entry, debt: Entry, sale: Sale) -> tuple[int, int]:
    """Available collateral after a sale, lamports: when the fee has been taken, and while it still lies in the account."""
    sold = collateral.price.scale(sale.route.in_amount) * collateral.modifier // 100
    relief = sale.repay + sale.repay * 100 // max(1, debt.modifier)
    taken = book.available - sold + relief
    return taken, taken + (sale.route.out_amount - sale.repay) * collateral.modifier // 100


class _Watch:
    """Tells the liquidator of margin accounts as they appear and go."""

    def __init__(self, liquidator: Liquidator) -> None:
        self._liquidator = liquidator

    def on_slot(self, slot: int, parent: int, root: int) -> None:
        """Nothing: the liquidator acts at the start of slots, before listeners hear of them."""

    def on_transaction(self, record: TransactionRecord) -> None:
        """Nothing: accounts say it all."""

    def on_account(self, key: Pubkey, account: Account | None, slot: int) -> None:  # noqa: ARG002 - the listener's signature
        self._liquidator.meet(key, account)
