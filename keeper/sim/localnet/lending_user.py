"""A wallet with a margin account: deposits, borrows, loops and unwinds by signed transactions, for tests and bots.

Every action refreshes prices and balances in its own transaction, because a slot of a warped chain is longer than a price lasts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from solders.account import Account
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.protocols.addresses import SPL_TOKEN, TOKEN_2022
from keeper.sim.localnet import margin_instructions as margin
from keeper.sim.localnet import pool_instructions as pools
from keeper.sim.localnet.actor import Actor
from keeper.sim.localnet.interface import BankFace, TransactionRecord
from keeper.sim.localnet.lending_addresses import LendingPoolAddresses
from keeper.sim.localnet.market_addresses import Market
from keeper.sim.localnet.market_rates import account_of
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.glow_margin_pool_exchange import Action, ChangeKind
from keeper.sim.localnet.programs.glow_margin_pool_state import MarginPool
from keeper.sim.localnet.programs.glow_margin_state import MarginAccount, margin_account_address
from keeper.sim.localnet.programs.glow_margin_tokens import associated_address
from keeper.sim.localnet.programs.native_state import token_amount

SHIFT = ChangeKind.SHIFT_BY
WHOLE = (ChangeKind.SET_DESTINATION_TO, 0)
"""A repayment of everything, whatever the interest made of it."""


def pool_of(bank: BankFace, pool: LendingPoolAddresses) -> MarginPool:
    """The pool's state as stored. Raises ``LookupError`` where the market was not created."""
    return MarginPool.decode(bytes(account_of(bank, pool.pool).data))


@dataclass(frozen=True, slots=True)
class Borrower:
    """The wallet of ``actor`` and its margin account with ``seed``."""

    actor: Actor
    seed: int = 0

    @property
    def bank(self) -> BankFace:
        return self.actor.bank

    @property
    def market(self) -> Market:
        return self.actor.market

    @property
    def key(self) -> Pubkey:
        return self.actor.key

    @property
    def account(self) -> Pubkey:
        """The margin account."""
        return margin_account_address(self.key, self.market.airspace, self.seed)[0]

    @property
    def state(self) -> MarginAccount:
        """Raises ``LookupError`` before the account was opened."""
        return MarginAccount.decode(bytes(account_of(self.bank, self.account).data))

    def pool(self, symbol: str) -> LendingPoolAddresses:
        return self.market.lending_pools[symbol]

    def held(self, mint: Pubkey, token_program: Pubkey | None = None) -> int:
        """Base units in the margin account's associated account; 0 where there is none."""
        program = token_program or SPL_TOKEN
        return _amount(self.bank.get_account(associated_address(self.account, mint, program)))

    def debt(self, symbol: str) -> int:
        """Tokens owed to a pool by its stored state, rounded up: interest since its last accrual is not in it."""
        pool = self.pool(symbol)
        notes = _amount(self.bank.get_account(pools.loan_account(pool, self.account)))
        return pool_of(self.bank, pool).notes(notes, Action.REPAY).tokens

    # the account

    def open(self, *, collateral: Sequence[str] = ("glowSOL",), loans: Sequence[str] = ("SOL",)) -> TransactionRecord:
        """Permit, account, positions for raw ``collateral`` and loans from the pools ``loans``.

        In as many transactions as fit; the first that fails is returned, else the last.
        """
        record = self.actor.send(margin.create_permit(self.key), margin.create_account(self.key, self.seed))
        for symbol in collateral:
            if record.err is not None:
                return record
            record = self.actor.send(*self.raw_position(symbol))
        for symbol in loans:
            if record.err is not None:
                return record
            register = pools.register_loan(self.pool(symbol), self.account, self.key)
            record = self.actor.send(margin.adapter_invoke(self.key, self.account, register))
        return record

    def raw_position(self, symbol: str) -> list[Instruction]:
        """Opens a position for a raw token, with its token account."""
        token = self.market.raw_tokens[symbol]
        return [
            cpi.create_associated(self.key, self.account, token.mint),
            margin.create_position(self.key, self.account, token.mint, token.config),
        ]

    def note_position(self, symbol: str) -> Instruction:
        """Opens a position for a pool's deposit notes."""
        pool = self.pool(symbol)
        return margin.register_position(self.key, self.account, pool.deposit_note_mint, pool.deposit_config, TOKEN_2022)

    def refresh(self) -> list[Instruction]:
        """Interest, prices and balances of all positions, as of now."""
        return refresh_all(self.bank, self.market, self.account)

    # actions

    def deposit(self, symbol: str, amount: int) -> TransactionRecord:
        """Raw tokens from the wallet into the margin account."""
        token = self.market.raw_tokens[symbol]
        return self.send(margin.transfer(self.key, self.account, token, amount, inward=True))

    def withdraw(self, symbol: str, amount: int) -> TransactionRecord:
        """Raw tokens out again; fails with 135030 where the account would not be healthy after it."""
        token = self.market.raw_tokens[symbol]
        return self.send(
            *self.refresh(),
            margin.transfer(self.key, self.account, token, amount, inward=False),
            margin.verify_healthy(self.account),
        )

    def borrow(self, symbol: str, amount: int) -> TransactionRecord:
        """Tokens of a pool into the wallet's associated account."""
        pool = self.pool(symbol)
        wallet = associated_address(self.key, pool.mint, pool.token_program)
        loan = pools.margin_borrow_v2(pool, self.account, destination=wallet, amount=amount)
        return self.send(*self.refresh(), margin.adapter_invoke(self.key, self.account, loan))

    def repay(self, symbol: str, amount: int | None = None) -> TransactionRecord:
        """Tokens of the wallet's associated account against the debt; all of it without ``amount``."""
        pool = self.pool(symbol)
        kind, tokens = WHOLE if amount is None else (SHIFT, amount)
        wallet = associated_address(self.key, pool.mint, pool.token_program)
        paid = pools.repay(pool, self.account, payer=self.key, source=wallet, amount=tokens, kind=kind)
        return self.send(margin.accounting_invoke(self.account, paid))

    def loop(self, symbol: str, dex_pool: str, amount: int) -> TransactionRecord:
        """Borrow SOL, buy ``symbol`` for it in a DEX pool, deposit what was bought. The first failure is returned."""
        record = self.borrow("SOL", amount)
        if record.err is not None:
            return record
        mint = self.market.mints[symbol]
        before = self.actor.tokens(mint)
        state = self.actor.pool(dex_pool)
        record = self.actor.swap(dex_pool, amount, a_to_b=state.pool.mint_a == self.market.sol_mint)
        if record.err is not None:
            return record
        return self.deposit(symbol, self.actor.tokens(mint) - before)

    def send(self, *instructions: Instruction) -> TransactionRecord:
        return self.actor.send(*instructions, lookup=True)


def refresh_all(bank: BankFace, market: Market, account: Pubkey) -> list[Instruction]:
    """Collect on each pool of which ``account`` has a note, often enough to catch up, then refresh every position."""
    state = MarginAccount.decode(bytes(account_of(bank, account).data))
    tokens = {position.token for position in state.positions}
    instructions: list[Instruction] = []
    for pool in market.lending_pools.values():
        if not tokens & {pool.deposit_note_mint, pool.loan_note_mint}:
            continue
        behind = bank.clock.unix_timestamp - pool_of(bank, pool).accrued_until
        instructions += [pools.collect(pool)] * max(1, -(-behind // 604_800))
        instructions.append(margin.accounting_invoke(account, pools.refresh(pool, account)))
    for token in market.raw_tokens.values():
        if token.mint in tokens:
            instructions.append(margin.refresh_raw(account, token))
    addresses = {position.token: position.address for position in state.positions}
    for pool in market.lending_pools.values():
        for note in (pool.deposit_note_mint, pool.loan_note_mint):
            if note in addresses:
                instructions.append(margin.update_balance(account, addresses[note]))
    return instructions


def open_margin_account(
    bank: BankFace,
    market: Market,
    keypair: Keypair,
    *,
    collateral: Sequence[str] = ("glowSOL",),
    loans: Sequence[str] = ("SOL",),
    seed: int = 0,
) -> Borrower:
    """A margin account of ``keypair``'s wallet, which pays for it. Raises ``RuntimeError`` where opening fails."""
    borrower = Borrower(Actor(bank, market, keypair), seed)
    record = borrower.open(collateral=collateral, loans=loans)
    if record.err is not None:
        raise RuntimeError(f"opening the margin account failed: {record.err}\n" + "\n".join(record.logs))
    return borrower


def _amount(account: Account | None) -> int:
    return 0 if account is None else token_amount(bytes(account.data))
