"""A small chain for the bank's tests: wallets, a token, and signed transactions in a line each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from solders.account import Account
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from keeper.protocols.addresses import COMPUTE_BUDGET, SPL_TOKEN, SYSTEM
from keeper.sim.localnet.bank import Bank
from keeper.sim.localnet.interface import BankConfig, InvokeContext, TransactionRecord

SOL = 10**9
MODEL = Pubkey.from_bytes(bytes([9]) * 32)
OTHER_MODEL = Pubkey.from_bytes(bytes([8]) * 32)


def key(tag: int) -> Pubkey:
    """A plain address that nobody has a key of."""
    return Pubkey.from_bytes(bytes([tag]) * 31 + b"\x01")


def keypair(tag: int) -> Keypair:
    return Keypair.from_seed(bytes([tag]) * 32)


def signer(pubkey: Pubkey, *, writable: bool = True) -> AccountMeta:
    return AccountMeta(pubkey, True, writable)


def write(pubkey: Pubkey) -> AccountMeta:
    return AccountMeta(pubkey, False, True)


def read(pubkey: Pubkey) -> AccountMeta:
    return AccountMeta(pubkey, False, False)


def pay(source: Pubkey, target: Pubkey, lamports: int) -> Instruction:
    return transfer(TransferParams(from_pubkey=source, to_pubkey=target, lamports=lamports))


def unit_limit(units: int) -> Instruction:
    return Instruction(COMPUTE_BUDGET, b"\x02" + units.to_bytes(4, "little"), [])


def unit_price(micro_lamports: int) -> Instruction:
    return Instruction(COMPUTE_BUDGET, b"\x03" + micro_lamports.to_bytes(8, "little"), [])


def token_transfer(source: Pubkey, mint: Pubkey, target: Pubkey, owner: Pubkey, amount: int) -> Instruction:
    """SPL Token TransferChecked with 9 decimals."""
    metas = [write(source), read(mint), write(target), signer(owner, writable=False)]
    return Instruction(SPL_TOKEN, bytes([12]) + amount.to_bytes(8, "little") + bytes([9]), metas)


@dataclass
class Script:
    """A model whose behaviour is a function of the test."""

    run: Callable[[InvokeContext], None]
    program_id: Pubkey = MODEL
    name: str = "script"

    def process(self, ctx: InvokeContext) -> None:
        self.run(ctx)


class Box:
    """A bank with three funded wallets and one mint."""

    def __init__(self, config: BankConfig | None = None) -> None:
        self.bank = Bank(config if config is not None else BankConfig(seed=7))
        self.alice, self.bob, self.carol = keypair(1), keypair(2), keypair(3)
        for wallet in (self.alice, self.bob, self.carol):
            self.bank.set_account(wallet.pubkey(), Account(100 * SOL, b"", SYSTEM))
        self.mint = key(40)
        self.bank.set_account(self.mint, Account(SOL, bytes(36) + bytes(8) + bytes([9, 1]) + bytes(36), SPL_TOKEN))
        self._limit = 200_000

    def token(self, tag: int, owner: Pubkey, amount: int) -> Pubkey:
        """A token account at ``key(tag)``."""
        data = bytes(self.mint) + bytes(owner) + amount.to_bytes(8, "little") + bytes(36) + bytes([1]) + bytes(56)
        self.bank.set_account(key(tag), Account(2_039_280, data, SPL_TOKEN))
        return key(tag)

    def token_amount(self, account: Pubkey) -> int:
        found = self.bank.get_account(account)
        assert found is not None
        return int.from_bytes(bytes(found.data)[64:72], "little")

    def lamports(self, account: Pubkey) -> int:
        found = self.bank.get_account(account)
        return found.lamports if found is not None else 0

    def model(self, run: Callable[[InvokeContext], None], program_id: Pubkey = MODEL) -> None:
        self.bank.add_model(Script(run, program_id))

    def state(self, program_id: Pubkey, tag: int = 50, data: bytes = bytes(8), lamports: int = SOL) -> Pubkey:
        """An account of ``program_id`` at ``key(tag)``."""
        self.bank.set_account(key(tag), Account(lamports, data, program_id))
        return key(tag)

    def signed(
        self, *instructions: Instruction, signers: Sequence[Keypair] = (), blockhash: Hash | None = None
    ) -> VersionedTransaction:
        """Paid by the first signer, alice if there is none."""
        keys = list(signers) or [self.alice]
        recent = blockhash if blockhash is not None else self.bank.latest_blockhash()[0]
        return VersionedTransaction(MessageV0.try_compile(keys[0].pubkey(), instructions, [], recent), keys)

    def run(self, *instructions: Instruction, signers: Sequence[Keypair] = ()) -> TransactionRecord:
        """Process a transaction that a fresh compute-unit limit makes unique."""
        self._limit += 1
        return self.bank.process(self.signed(unit_limit(self._limit), *instructions, signers=signers))
