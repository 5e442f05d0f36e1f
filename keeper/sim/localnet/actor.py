"""A wallet that acts in the market through signed transactions: a trader of a scenario, a user of a rehearsal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from solders.account import Account
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from keeper.protocols.addresses import SYSTEM
from keeper.sim.localnet.interface import BankFace, TransactionRecord
from keeper.sim.localnet.market_addresses import Market
from keeper.sim.localnet.market_rates import account_of
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.dex_pool import swap_instruction
from keeper.sim.localnet.programs.dex_state import PoolState, read_pool
from keeper.sim.localnet.programs.native_state import token_amount

LOOKUP_TABLE_HEADER = 56


@dataclass(frozen=True, slots=True)
class Actor:
    """``keypair`` pays and signs. Amounts in base units."""

    bank: BankFace
    market: Market
    keypair: Keypair

    @property
    def key(self) -> Pubkey:
        return self.keypair.pubkey()

    @property
    def lamports(self) -> int:
        account = self.bank.get_account(self.key)
        return 0 if account is None else account.lamports

    def tokens(self, mint: Pubkey) -> int:
        """Base units in the associated account; 0 where there is none."""
        account = self.bank.get_account(self.account(mint))
        return 0 if account is None else token_amount(bytes(account.data))

    def account(self, mint: Pubkey) -> Pubkey:
        return cpi.associated_address(self.key, mint)

    def fund(self, lamports: int) -> None:
        """Set the wallet's SOL: genesis, not a transfer."""
        self.bank.set_account(self.key, Account(lamports, b"", SYSTEM))

    def send(
        self, *instructions: Instruction, signers: Sequence[Keypair] = (), lookup: bool = False
    ) -> TransactionRecord:
        """Process ``instructions`` in one transaction. ``lookup``: through the market's address lookup table.

        Raises ``TransactionRejected``; a failed transaction is returned with its ``err``.
        """
        tables = [self._table()] if lookup else []
        blockhash, _ = self.bank.latest_blockhash()
        message = MessageV0.try_compile(self.key, list(instructions), tables, blockhash)
        return self.bank.process(VersionedTransaction(message, [self.keypair, *signers]))

    def _table(self) -> AddressLookupTableAccount:
        data = bytes(account_of(self.bank, self.market.lookup_table).data)[LOOKUP_TABLE_HEADER:]
        keys = [Pubkey.from_bytes(data[start : start + 32]) for start in range(0, len(data), 32)]
        return AddressLookupTableAccount(self.market.lookup_table, keys)

    def open_accounts(self, *mints: Pubkey) -> TransactionRecord:
        """Create the associated accounts of ``mints`` where they are absent."""
        return self.send(*[cpi.create_associated(self.key, self.key, mint) for mint in mints])

    def pool(self, name: str) -> PoolState:
        """A DEX pool of the market by its name, with its reserves."""
        return read_pool(self.bank.get_account, self.market.dex_pools[name])

    def swap(self, name: str, amount_in: int, *, a_to_b: bool, minimum_out: int = 0) -> TransactionRecord:
        """Swap in one pool between the wallet's associated accounts."""
        pool = self.pool(name).pool
        source, target = (pool.mint_a, pool.mint_b) if a_to_b else (pool.mint_b, pool.mint_a)
        return self.send(
            swap_instruction(
                pool,
                self.key,
                self.account(source),
                self.account(target),
                amount_in=amount_in,
                minimum_out=minimum_out,
                a_to_b=a_to_b,
            )
        )
