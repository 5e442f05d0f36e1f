"""The lending pools' other users: a resident borrower and the lenders, who move a pool's utilisation by real transactions."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from solders.instruction import Instruction

from keeper.protocols.addresses import TOKEN_2022
from keeper.sim.localnet import pool_instructions as pools
from keeper.sim.localnet.actor import Actor
from keeper.sim.localnet.interface import BankFace, ChainClock, TransactionRecord, TransactionRejected
from keeper.sim.localnet.lending_addresses import LendingPoolAddresses
from keeper.sim.localnet.lending_books import pool_now
from keeper.sim.localnet.lending_user import Borrower
from keeper.sim.localnet.market_addresses import Market
from keeper.sim.localnet.programs.glow_margin_pool_exchange import Action
from keeper.sim.localnet.programs.glow_margin_pool_number import down
from keeper.sim.localnet.programs.glow_margin_pool_state import MAX_UTILISATION_BPS
from keeper.sim.localnet.programs.glow_margin_tokens import associated_address

LOG = logging.getLogger(__name__)
BPS = 10_000


@dataclass(frozen=True, slots=True)
class CrowdConfig:
    """``symbol``: whose pool's utilisation is moved. ``interval``: slots between looks at it; ``slack_bps``: drift that is left
    alone. ``collect_interval``: slots between collections of interest on every pool (0: nobody collects), as the traffic of a
    live pool would accrue it."""

    symbol: str = "SOL"
    interval: int = 5
    slack_bps: int = 20
    collect_interval: int = 50


@dataclass(slots=True)
class LendingCrowd:
    """``target_bps``: utilisation that is held once attached; None lets the pool be. ``failures``: the last hundred."""

    bank: BankFace
    market: Market
    config: CrowdConfig = field(default_factory=CrowdConfig)
    target_bps: int | None = None
    failures: list[object] = field(default_factory=list)

    def attach(self) -> None:
        """Collect interest, and hold ``target_bps`` whatever it is set to, from now on."""
        self.bank.at_slot(self.turn)

    def turn(self, clock: ChainClock) -> None:
        if self.config.collect_interval and clock.slot % self.config.collect_interval == 0:
            self.collect()
        if self.target_bps is None or clock.slot % self.config.interval:
            return
        if abs(self.utilisation_bps - self.target_bps) > self.config.slack_bps:
            self.push(self.target_bps)

    def collect(self) -> bool:
        """Accrue interest on every pool, as far as one call does; whether it landed."""
        collections = [pools.collect(pool) for pool in self.market.lending_pools.values()]
        borrower = Actor(self.bank, self.market, self.market.borrower)
        return self._landed(lambda: borrower.send(*collections, lookup=True))

    @property
    def utilisation_bps(self) -> int:
        """With interest as of now, rounded down."""
        pool = pool_now(self.bank, self._pool)
        return pool.borrowed * BPS // pool.total_value

    @property
    def _pool(self) -> LendingPoolAddresses:
        return self.market.lending_pools[self.config.symbol]

    def push(self, target_bps: int) -> bool:
        """Bring the pool to a utilisation: the borrower borrows or repays, and beyond the borrow cap (95 %) lenders withdraw.

        Whether every transaction landed; what the wallets and the pool's idle tokens do not allow is not reached. Raises
        ``ValueError`` for a target outside 0..9999.
        """
        if not 0 <= target_bps < BPS:
            raise ValueError(f"utilisation must lie in 0..9999 bps, got {target_bps}")
        done = self._bring_back() if target_bps <= MAX_UTILISATION_BPS else True
        pool = pool_now(self.bank, self._pool)
        aim = min(target_bps, MAX_UTILISATION_BPS)
        change = down(pool.total_value) * aim // BPS - down(pool.borrowed)
        if change > 0:
            done &= self._borrow(min(change, pool.deposit_tokens))
        elif change < 0 and target_bps <= MAX_UTILISATION_BPS:
            done &= self._repay(-change)
        if target_bps > MAX_UTILISATION_BPS:
            done &= self._withdraw(target_bps)
        return done

    # the borrower

    def _borrow(self, amount: int) -> bool:
        borrower = Borrower(Actor(self.bank, self.market, self.market.borrower))
        return self._landed(lambda: borrower.borrow(self.config.symbol, amount))

    def _repay(self, amount: int) -> bool:
        borrower = Borrower(Actor(self.bank, self.market, self.market.borrower))
        amount = min(amount, borrower.actor.tokens(self._pool.mint), borrower.debt(self.config.symbol))
        return self._landed(lambda: borrower.repay(self.config.symbol, amount)) if amount > 0 else True

    # the lenders

    def _withdraw(self, target_bps: int) -> bool:
        """Withdraw until what is left is used to ``target_bps``."""
        pool = pool_now(self.bank, self._pool)
        excess = down(pool.total_value) - down(pool.borrowed) * BPS // target_bps
        amount = min(excess, pool.deposit_tokens)
        if amount <= 0:
            return True
        lender = Actor(self.bank, self.market, self.market.holders)
        wallet = lender.account(self._pool.mint)
        notes = associated_address(lender.key, self._pool.deposit_note_mint, TOKEN_2022)
        return self._send(
            lender, pools.withdraw(self._pool, lender.key, notes=notes, destination=wallet, amount=amount)
        )

    def _bring_back(self) -> bool:
        """Deposit again what lenders have withdrawn of SOL (of other tokens they hold more than they lent)."""
        lender = Actor(self.bank, self.market, self.market.holders)
        amount = lender.tokens(self._pool.mint) if self._pool.mint == self.market.sol_mint else 0
        if amount == 0 or pool_now(self.bank, self._pool).tokens(amount, Action.DEPOSIT).notes == 0:
            return True
        notes = associated_address(lender.key, self._pool.deposit_note_mint, TOKEN_2022)
        source = lender.account(self._pool.mint)
        return self._send(lender, pools.deposit(self._pool, lender.key, source=source, notes=notes, amount=amount))

    def _send(self, actor: Actor, instruction: Instruction) -> bool:
        collected = pools.collect(self._pool)
        return self._landed(lambda: actor.send(collected, instruction, lookup=True))

    def _landed(self, send: Callable[[], TransactionRecord]) -> bool:
        """Send; what is refused or fails is noted."""
        error: object
        try:
            error = send().err
        except TransactionRejected as rejection:
            error = rejection.error
        if error is None:
            return True
        LOG.warning("lending crowd failed in slot %d: %s", self.bank.clock.slot, error)
        self.failures.append(error)
        del self.failures[:-100]
        return False
