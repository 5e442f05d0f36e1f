"""What the rooms of the localnet promise each other: bank, model programs, and the faces that serve them.

The bank executes transactions. A model program sees one instruction through an ``InvokeContext``. The JSON-RPC, websocket
and Jupiter faces read the bank and never reach into it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from solders.account import Account
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

JsonError = str | dict[str, Any]
"""A TransactionError in Solana's JSON shape: ``"BlockhashNotFound"`` or ``{"InstructionError": [1, {"Custom": 17}]}``."""


class ProgramError(Exception):
    """A model program failed. ``error`` is an InstructionError in JSON shape: ``{"Custom": 6001}``, ``"InvalidArgument"``."""

    def __init__(self, error: JsonError, message: str = "") -> None:
        super().__init__(message or str(error))
        self.error = error

    @classmethod
    def custom(cls, code: int, name: str) -> ProgramError:
        """A program's own error code with its name for the logs."""
        return cls({"Custom": code}, name)


class TransactionRejected(Exception):
    """The transaction did not enter a block (bad signature, dead blockhash, duplicate, unpayable). No fee was charged."""

    def __init__(self, error: JsonError, message: str = "") -> None:
        super().__init__(message or str(error))
        self.error = error


@dataclass(frozen=True, slots=True)
class ChainClock:
    """The bank's clocks at one slot. ``unix_timestamp`` runs ``warp`` times faster than the slots' own time."""

    slot: int
    block_height: int
    epoch: int
    epoch_start_timestamp: int
    unix_timestamp: int
    slot_index: int
    slots_per_epoch: int


class AccountView(Protocol):
    """One account of an instruction. Writes raise ``ProgramError`` where the runtime would refuse them:
    read-only account, data of an account that the program does not own, lamports taken from one it does not own."""

    key: Pubkey
    is_signer: bool
    is_writable: bool

    @property
    def lamports(self) -> int: ...
    @lamports.setter
    def lamports(self, value: int) -> None: ...
    @property
    def data(self) -> bytes: ...
    @data.setter
    def data(self, value: bytes) -> None: ...
    @property
    def owner(self) -> Pubkey: ...
    def exists(self) -> bool: ...


class InvokeContext(Protocol):
    """What a model program sees of one call."""

    program_id: Pubkey
    data: bytes
    accounts: Sequence[AccountView]
    clock: ChainClock

    @property
    def stack_height(self) -> int:
        """Height of this call in the stack: 1 for a top-level instruction, 2 for what that invokes (sol_get_stack_height)."""
        ...

    def invoke(self, instruction: Instruction, signer_seeds: Iterable[Sequence[bytes]] = ()) -> bytes | None:
        """CPI. Signers: those of this call, plus the PDAs of ``signer_seeds`` (each includes its bump). The callee's
        privileges may not exceed this call's (``"PrivilegeEscalation"``), every account and the program account of a CPI
        must be among this call's accounts (``"MissingAccount"``). Returns the callee's return data. A callee's failure
        propagates and ends the transaction, as on chain."""
        ...

    def log(self, message: str) -> None:
        """Adds ``Program log: message``."""
        ...

    def emit(self, payload: bytes) -> None:
        """Adds ``Program data: base64`` (an Anchor event)."""
        ...

    def consume(self, units: int) -> None:
        """Charges compute units of the model's own work; over the limit the transaction fails as on chain."""
        ...

    def set_return_data(self, payload: bytes) -> None: ...

    def rent_exempt(self, size: int) -> int:
        """Minimum balance in lamports of an account with ``size`` data bytes."""
        ...


class ModelProgram(Protocol):
    """A program modelled in Python. Stateless: all state is in accounts, so that rollback is the bank's alone."""

    program_id: Pubkey
    name: str

    def process(self, ctx: InvokeContext) -> None:
        """Execute one instruction; raise ``ProgramError`` to fail it."""
        ...


@dataclass(frozen=True, slots=True)
class InnerInstruction:
    """A CPI as getTransaction shows it."""

    program_id: Pubkey
    accounts: tuple[Pubkey, ...]
    data: bytes
    stack_height: int


@dataclass(frozen=True, slots=True)
class TokenBalance:
    """One entry of pre/postTokenBalances. ``amount`` in base units."""

    account_index: int
    mint: Pubkey
    owner: Pubkey
    token_program: Pubkey
    amount: int
    decimals: int


@dataclass(frozen=True, slots=True)
class TransactionRecord:
    """A transaction that entered a block (``err`` None or a TransactionError) or that was simulated."""

    transaction: VersionedTransaction
    signature: Signature
    slot: int
    block_time: int
    err: JsonError | None
    fee: int
    compute_units: int
    logs: tuple[str, ...]
    account_keys: tuple[Pubkey, ...]  # static keys, then loaded writable, then loaded read-only
    loaded_writable: tuple[Pubkey, ...]
    loaded_readonly: tuple[Pubkey, ...]
    pre_balances: tuple[int, ...]
    post_balances: tuple[int, ...]
    pre_token_balances: tuple[TokenBalance, ...]
    post_token_balances: tuple[TokenBalance, ...]
    inner_instructions: tuple[tuple[int, tuple[InnerInstruction, ...]], ...]
    return_data: tuple[Pubkey, bytes] | None = None
    post_accounts: dict[Pubkey, Account | None] = field(
        default_factory=dict
    )  # writable accounts after it (simulation: not kept)


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """One produced block."""

    slot: int
    parent_slot: int
    block_height: int
    blockhash: Hash
    previous_blockhash: Hash
    block_time: int
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class BankConfig:
    """How the localnet's time runs.

    ``slot_ms``: real milliseconds per slot. ``warp``: how many times faster than real time the bank's unix clock runs, so one
    slot adds ``slot_ms / 1000 * warp`` chain seconds. ``slots_per_epoch``: epoch length in slots. ``seed``: of blockhashes and
    everything random. ``skip_rate_bps``: share of slots without a block. ``start_unix``: chain time of the first slot.
    ``history_slots`` and ``history_transactions``: how much history a long-running bank keeps, oldest dropped first.
    """

    slot_ms: int = 400
    warp: int = 1
    slots_per_epoch: int = 432_000
    seed: int = 0
    skip_rate_bps: int = 0
    start_unix: int = 1_790_000_000
    start_slot: int = 1_000
    start_epoch: int = 900
    history_slots: int = 100_000
    history_transactions: int = 50_000


class BankListener(Protocol):
    """Called by the bank, synchronously and in order, when something happened."""

    def on_slot(self, slot: int, parent: int, root: int) -> None: ...
    def on_transaction(self, record: TransactionRecord) -> None: ...
    def on_account(self, key: Pubkey, account: Account | None, slot: int) -> None: ...


class BankFace(Protocol):
    """The bank's public door: what faces, scenarios and tests may use. Single-threaded; calls never block."""

    config: BankConfig

    # time
    @property
    def clock(self) -> ChainClock: ...
    def advance_slot(self, slots: int = 1) -> None:
        """End the current block and start the next slot, ``slots`` times; turns epochs, pays staking rewards, runs cranks."""
        ...

    def at_slot(self, hook: Callable[[ChainClock], None]) -> None:
        """Register ``hook``, run at the start of every new slot (validators, operators and traders of the box)."""
        ...

    def at_epoch(self, hook: Callable[[ChainClock], None]) -> None:
        """Register ``hook``, run right after an epoch turned (staking rewards)."""
        ...

    # accounts
    def get_account(self, key: Pubkey) -> Account | None: ...
    def set_account(self, key: Pubkey, account: Account) -> None: ...
    def program_accounts(self, program: Pubkey) -> list[tuple[Pubkey, Account]]: ...
    def token_accounts_by_owner(self, owner: Pubkey) -> list[tuple[Pubkey, Account]]: ...
    def airdrop(self, key: Pubkey, lamports: int) -> Signature: ...
    def rent_exempt(self, size: int) -> int: ...

    # programs
    def add_model(self, program: ModelProgram) -> None: ...
    def add_binary(self, address: Pubkey, elf: bytes) -> None:
        """Load a real program; it replaces a model at that address. Raises ``ValueError`` for an ELF that does not load."""
        ...

    # transactions
    def latest_blockhash(self) -> tuple[Hash, int]:
        """(blockhash, last valid block height)."""
        ...

    def blockhash_valid(self, blockhash: Hash) -> bool: ...
    def process(self, transaction: VersionedTransaction) -> TransactionRecord:
        """Execute in the current slot. Raises ``TransactionRejected`` when it may not enter a block. A transaction that
        fails in execution is returned with ``err`` set, its fee charged and everything else rolled back."""
        ...

    def simulate(
        self, transaction: VersionedTransaction, *, sig_verify: bool = False, replace_blockhash: bool = False
    ) -> TransactionRecord:
        """As ``process`` but nothing is kept; never raises for a transaction that would be rejected (``err`` says so)."""
        ...

    # history
    def transaction(self, signature: Signature) -> TransactionRecord | None: ...
    def block(self, slot: int) -> BlockRecord | None: ...
    def signatures_for(self, address: Pubkey) -> list[Signature]:
        """Newest first: of every landed transaction that names ``address``."""
        ...

    def recent_fees(self, writable: Sequence[Pubkey]) -> list[tuple[int, int]]:
        """(slot, minimum landed compute-unit price in micro-lamports for those writable accounts) for the last 150 slots."""
        ...

    def subscribe(self, listener: BankListener) -> None: ...
    def unsubscribe(self, listener: BankListener) -> None: ...


__all__ = [
    "AccountMeta",
    "AccountView",
    "BankConfig",
    "BankFace",
    "BankListener",
    "BlockRecord",
    "ChainClock",
    "InnerInstruction",
    "InvokeContext",
    "JsonError",
    "ModelProgram",
    "ProgramError",
    "TokenBalance",
    "TransactionRecord",
    "TransactionRejected",
]
