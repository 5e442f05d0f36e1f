"""A real Solana runtime for the builders: one funded wallet, and failures raised with the runtime's words."""

from __future__ import annotations

from collections.abc import Sequence

from solders.account import Account
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata

from keeper.protocols.addresses import SPL_TOKEN, WSOL_MINT
from tests.protocols.account_bytes import mint_bytes

SOL = 10**9


class RunFailed(Exception):
    """The runtime refused the transaction."""


class Runtime:
    """LiteSVM with the native mint (which it lacks) and a wallet."""

    def __init__(self) -> None:
        self.svm = LiteSVM()
        self.wallet = Keypair.from_seed(bytes(31) + b"\7")
        self.svm.airdrop(self.owner, 100 * SOL)
        self.put(WSOL_MINT, mint_bytes(None, 0, 9), SPL_TOKEN)

    @property
    def owner(self) -> Pubkey:
        return self.wallet.pubkey()

    def put(self, address: Pubkey, data: bytes, owner: Pubkey, lamports: int = SOL) -> None:
        self.svm.set_account(address, Account(lamports, data, owner))

    def data(self, address: Pubkey) -> bytes:
        account = self.svm.get_account(address)
        assert account is not None, f"{address} does not exist"
        return bytes(account.data)

    def exists(self, address: Pubkey) -> bool:
        account = self.svm.get_account(address)
        return account is not None and account.lamports > 0

    def lamports(self, address: Pubkey) -> int:
        return self.svm.get_balance(address) or 0

    def run(self, *instructions: Instruction, signers: Sequence[Keypair] = ()) -> None:
        """Execute in one transaction; every call gets a blockhash of its own."""
        self.svm.expire_blockhash()
        blockhash: Hash = self.svm.latest_blockhash()
        message = MessageV0.try_compile(self.owner, list(instructions), [], blockhash)
        result = self.svm.send_transaction(VersionedTransaction(message, [self.wallet, *signers]))
        if isinstance(result, FailedTransactionMetadata):
            raise RunFailed(f"{result.err()} {result.meta().logs()}")
