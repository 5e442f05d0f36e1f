"""The real runtime under the bank: one LiteSVM that holds every account and executes one real instruction at a time.

LiteSVM is told to check neither signatures nor blockhashes; who may sign is decided above it (that is how a PDA signs). Each
instruction travels alone in a v0 transaction paid by a scratch payer whose account nobody sees. History is off in LiteSVM, so
that equal instructions may repeat and memory stays bounded.

Limits that follow, on purpose: the instructions sysvar of a real program shows only its own instruction, and an account
emptied by one instruction is gone for the next one of the same transaction (on chain: at the end of the transaction).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from solders.account import Account
from solders.compute_budget import ComputeBudget
from solders.hash import Hash
from solders.instruction import Instruction
from solders.litesvm import LiteSVM
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.rent import Rent
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata, TransactionMetadata

from keeper.protocols.addresses import SYSTEM
from keeper.sim.localnet.interface import InnerInstruction, JsonError
from keeper.sim.localnet.transaction_errors import convert_transaction_error

MAX_STACK_HEIGHT = 5
"""Top-level instruction plus four levels of CPI (without SIMD-0268, the stricter of the two rules)."""

SCRATCH_PAYER = Pubkey.from_bytes(hashlib.sha256(b"glow-keeper localnet scratch payer").digest())
NATIVE_LOADER = Pubkey.from_string("NativeLoader1111111111111111111111111111111")
# Mainnet's features, and increase_tx_account_lock_limit: the scratch payer makes 65 accounts of an instruction that names the
# 64 a transaction may have. The limit of 64 itself is kept by ``loading``.
_WIDE_LOCKS = Pubkey.from_string("9LZdXeKGeBV6hRLdxS1rHbHoEUsKqesCC2ZAPTPKJAbK")
_SCRATCH_LAMPORTS = 10**18
_SCRATCH_REFILL = 100_000
_GONE = Account(0, b"", SYSTEM)
_INVOKE = re.compile(r"Program ([1-9A-HJ-NP-Za-km-z]{32,44}) invoke \[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one real instruction did. ``error`` is an InstructionError in JSON shape, or None."""

    error: JsonError | None
    units: int
    logs: Sequence[str]
    inner: tuple[InnerInstruction, ...]
    return_data: tuple[Pubkey, bytes] | None


class Machine:
    """Accounts and real programs. Not thread-safe."""

    def __init__(self) -> None:
        features = LiteSVM.mainnet_feature_set()
        features.activate(_WIDE_LOCKS, 0)
        self.svm = (
            LiteSVM()
            .with_feature_set(features)
            .with_sigverify(False)
            .with_blockhash_check(False)
            .with_transaction_history(0)
            .with_log_bytes_limit(None)
        )
        self._budget = ComputeBudget(False)
        self._rent = self.svm.get_rent()
        self._minimum: dict[int, int] = {}
        self._executable: set[Pubkey] = set()
        self._sent = 0
        for purse, _ in self.svm.get_program_accounts(SYSTEM):  # LiteSVM's own airdrop purse is not ours
            self.svm.set_account(purse, _GONE)
        self._fund_scratch()

    # accounts
    def get(self, key: Pubkey) -> Account | None:
        """The account, or None where there is none. The scratch payer does not exist for anybody."""
        return None if key == SCRATCH_PAYER else self.svm.get_account(key)

    def lamports(self, key: Pubkey) -> int:
        """Balance in lamports; 0 for an account that does not exist."""
        return 0 if key == SCRATCH_PAYER else self.svm.get_balance(key) or 0

    def put(self, key: Pubkey, account: Account | None) -> None:
        """Write an account; None or zero lamports removes it. Raises ``ValueError`` for a program that does not load."""
        if key == SCRATCH_PAYER:
            raise ValueError(f"{key} is reserved by the localnet; use another address")
        self._executable.discard(key)
        try:
            self.svm.set_account(key, account if account is not None and account.lamports else _GONE)
        except BaseException as refusal:
            raise _as_value_error(refusal, f"account {key} was refused by the runtime") from refusal

    def owned_by(self, program: Pubkey) -> list[tuple[Pubkey, Account]]:
        """Every account that ``program`` owns, ordered by address."""
        found = [pair for pair in self.svm.get_program_accounts(program) if pair[0] != SCRATCH_PAYER]
        return sorted(found, key=lambda pair: bytes(pair[0]))

    def rent_exempt(self, size: int) -> int:
        """Minimum lamports of an account with ``size`` data bytes."""
        known = self._minimum.get(size)
        if known is None:
            known = self._minimum[size] = self.svm.minimum_balance_for_rent_exemption(size)
        return known

    # programs
    def add_model_account(self, program: Pubkey) -> None:
        """An executable account for a modelled program: what is built in is owned by the native loader, as on chain."""
        self.svm.set_account(program, Account(1, b"localnet_model", NATIVE_LOADER, True))
        self._executable.add(program)

    def add_program(self, program: Pubkey, elf: bytes) -> None:
        """Load an ELF. Raises ``ValueError`` with the loader's reason; the account is then as before."""
        before = self.svm.get_account(program)
        try:
            self.svm.add_program(program, elf)
        except BaseException as refusal:
            self.svm.set_account(program, before if before is not None else _GONE)
            raise _as_value_error(
                refusal, f"program {program}: this ELF of {len(elf)} bytes does not load"
            ) from refusal
        self._executable.add(program)

    def is_executable(self, program: Pubkey) -> bool:
        """Whether an instruction may name ``program``."""
        if program in self._executable:
            return True
        account = self.svm.get_account(program)
        if account is None or not account.executable:
            return False
        self._executable.add(program)
        return True

    # execution
    def execute(self, instruction: Instruction, *, units: int, heap: int, height: int) -> Outcome:
        """Execute one real instruction with ``units`` compute units left, at stack ``height`` (1 is top level).

        Signers and writables are those of the instruction's metas. On success the accounts are changed; on failure not.
        """
        self._budget.compute_unit_limit = units
        self._budget.heap_size = heap
        self._budget.max_instruction_stack_depth = MAX_STACK_HEIGHT - height + 1
        self.svm.with_compute_budget(self._budget)
        message = MessageV0.try_compile(SCRATCH_PAYER, [instruction], [], Hash.default())
        signatures = [Signature.default()] * message.header.num_required_signatures
        transaction = VersionedTransaction.populate(message, signatures)
        result = self._send(transaction)
        if isinstance(result, FailedTransactionMetadata):
            error = convert_transaction_error(result.err())
            if isinstance(error, dict) and "InsufficientFundsForRent" in error:
                result = self._send_without_rent(transaction)
        if isinstance(result, FailedTransactionMetadata):
            return _outcome(result.meta(), message.account_keys, height, _instruction_part(result))
        return _outcome(result, message.account_keys, height, None)

    def _send(self, transaction: VersionedTransaction) -> TransactionMetadata | FailedTransactionMetadata:
        self._sent += 1
        if self._sent >= _SCRATCH_REFILL:
            self._fund_scratch()
        return self.svm.send_transaction(transaction)

    def _send_without_rent(self, transaction: VersionedTransaction) -> TransactionMetadata | FailedTransactionMetadata:
        """Run again what failed only because an account was not rent-exempt between two instructions.

        On chain rent is checked once, at the end of the transaction; the bank does that itself.
        """
        self.svm.set_rent(Rent.free())
        try:
            return self._send(transaction)
        finally:
            self.svm.set_rent(self._rent)

    def _fund_scratch(self) -> None:
        self._sent = 0
        self.svm.set_account(SCRATCH_PAYER, Account(_SCRATCH_LAMPORTS, b"", SYSTEM))


def _as_value_error(refusal: BaseException, message: str) -> BaseException:
    """LiteSVM's refusal (an exception, or a panic that is not an ``Exception``) as a ``ValueError``; others as they are."""
    if isinstance(refusal, KeyboardInterrupt | SystemExit | GeneratorExit):
        return refusal
    return ValueError(f"{message}: {refusal}")


def _instruction_part(failed: FailedTransactionMetadata) -> JsonError:
    """The InstructionError inside a failed one-instruction transaction."""
    error = convert_transaction_error(failed.err())
    if isinstance(error, dict) and "InstructionError" in error:
        inner: JsonError = error["InstructionError"][1]
        return inner
    if error in ("ProgramAccountNotFound", "InvalidProgramForExecution"):
        return "UnsupportedProgramId"
    raise RuntimeError(f"LiteSVM refused the wrapping transaction itself: {error}. This is a defect of the localnet")


def _raised(line: str, levels: int) -> str:
    """A log line with its stack height raised: what LiteSVM ran at the top was a CPI for us."""
    found = _INVOKE.fullmatch(line)
    return f"Program {found[1]} invoke [{int(found[2]) + levels}]" if found else line


def _outcome(meta: TransactionMetadata, keys: Sequence[Pubkey], height: int, error: JsonError | None) -> Outcome:
    levels = height - 1
    logs = meta.logs()
    inner = tuple(
        InnerInstruction(
            program_id=keys[item.instruction().program_id_index],
            accounts=tuple(keys[index] for index in item.instruction().accounts),
            data=bytes(item.instruction().data),
            stack_height=(item.stack_height() or 2) + levels,
        )
        for group in meta.inner_instructions()
        for item in group
    )
    returned = meta.return_data()
    data = bytes(returned.data)
    return Outcome(
        error=error,
        units=meta.compute_units_consumed(),
        logs=[_raised(line, levels) for line in logs] if levels else logs,
        inner=inner,
        return_data=(returned.program_id, data) if data else None,
    )
