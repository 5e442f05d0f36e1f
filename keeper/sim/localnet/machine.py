"""The real runtime under the bank: one LiteSVM that holds every account and executes one real instruction at a time.

LiteSVM is told to check neither signatures nor blockhashes; who may sign is decided above it (that is how a PDA signs). Each
instruction travels alone in a v0 transaction paid by a scratch payer whose account nobody sees. History is off in LiteSVM, so
that equal instructions may repeat and memory stays bounded.

Limits that follow, on purpose: the instructions sysvar of a real program shows only its own instruction, and an account
emptied by one instruction is gone for the next one of the same transaction (on chain: at the end of the transaction).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from solders.account import Account
from solders.compute_budget import ComputeBudget
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.litesvm import LiteSVM
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.rent import Rent
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata, TransactionMetadata

from keeper.protocols.addresses import SYSTEM, WSOL_MINT, SPL_TOKEN
from keeper.sim.localnet.interface import InnerInstruction, JsonError
from keeper.sim.localnet.transaction_errors import convert_transaction_error

MAX_STACK_HEIGHT = 5
"""Top-level instruction plus four levels of CPI (without SIMD-0268, the stricter of the two rules)."""

SCRATCH_PAYER = Pubkey.from_bytes(hashlib.sha256(b"glow-keeper localnet scratch payer").digest())
NATIVE_LOADER = Pubkey.from_string("NativeLoader1111111111111111111111111111111")
_SCRATCH_LAMPORTS = 10**18
_SCRATCH_FLOOR = 10**15
_GONE = Account(0, b"", SYSTEM)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one real instruction did. ``error`` is an InstructionError in JSON shape, or None."""

    error: JsonError | None
    units: int
    logs: Sequence[str]
    inner: tuple[InnerInstruction, ...]
    return_data: tuple[Pubkey, bytes] | None


class Machine:
    """Accounts and real programs."""

    def __init__(self) -> None:
        self.svm = (
            LiteSVM()
            .with_sigverify(False)
            .with_blockhash_check(False)
            .with_transaction_history(0)
            .with_log_bytes_limit(None)
        )
        self._budget = ComputeBudget(False)
        self._rent = self.svm.get_rent()
        self._minimum: dict[int, int] = {}
        self._spent = 0
        self.svm.set_account(self.svm._inner.airdrop_pubkey, _GONE)
