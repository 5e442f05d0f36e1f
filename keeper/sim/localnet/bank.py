"""The localnet's bank: LiteSVM and models behind one door, with the duties that a validator's bank has around them.

Those duties: signatures, blockhash age, duplicates, who pays, fees, privileges, atomicity over real and modelled instructions,
rent, clocks, blocks and history. Durable nonces are not modelled: a nonce is an unknown blockhash here. The door's promises
are in ``keeper.sim.localnet.interface.BankFace``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from solders.account import Account
from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from keeper.protocols.addresses import SYSTEM
from keeper.sim.localnet import genesis
from keeper.sim.localnet.admission import check_blockhash, check_duplicate, check_fee_payer, verify_signatures
from keeper.sim.localnet.fees import LAMPORTS_PER_SIGNATURE
from keeper.sim.localnet.interface import (
    BankConfig,
    BankListener,
    BlockRecord,
    ChainClock,
    JsonError,
    ModelProgram,
    TransactionRecord,
    TransactionRejected,
)
from keeper.sim.localnet.ledger_history import LedgerHistory, RecentFees, StatusCache
from keeper.sim.localnet.loading import LoadedTransaction, LookupTables, load
from keeper.sim.localnet.machine import Machine
from keeper.sim.localnet.settlement import Settled, restore, settle
from keeper.sim.localnet.sysvars import Sysvars
from keeper.sim.localnet.timekeeping import Timeline
from keeper.sim.localnet.token_balances import TOKEN_PROGRAMS, is_token_data

Hook = Callable[[ChainClock], None]


class Bank:
    """``BankFace`` over one LiteSVM. Single-threaded; calls never block."""

    def __init__(self, config: BankConfig | None = None) -> None:
        """Raises ``ValueError`` naming the field of an impossible configuration."""
        self.config = config if config is not None else BankConfig()
        self._timeline = Timeline(self.config)
        self._clock = self._timeline.clock
        self._machine = Machine()
        parent = self._timeline.parent_slot
        self._sysvars = Sysvars(self._machine, self.config, (parent, self._timeline.hash_of(parent)))
        self._models: dict[Pubkey, ModelProgram] = {}
        self._binaries: set[Pubkey] = set()
        self._history = LedgerHistory(self.config.history_slots, self.config.history_transactions)
        self._statuses = StatusCache()
        self._fees = RecentFees()
        self._listeners: list[BankListener] = []
        self._slot_hooks: list[Hook] = []
        self._epoch_hooks: list[Hook] = []
        self._collected = 0
        self.burned = 0
        """Lamports of fees burned so far: half of the base fee, as on chain."""
        self._airdrops = 0
        self.faucet = genesis.faucet(self.config.seed)
        self.leader = genesis.leader(self.config.seed)
        for key, account in genesis.accounts(self.config.seed):
            self._machine.put(key, account)

    # time
    @property
    def clock(self) -> ChainClock:
        """The clocks of the slot whose block is being built."""
        return self._clock

    def advance_slot(self, slots: int = 1) -> None:
        """Seal the current block and start the next slot that is not skipped, ``slots`` times.

        Skipped slots pass in between (slot number and chain time move, block height and blockhashes do not). Hooks of a new
        epoch run first, then those of the new slot, then listeners hear of it. Raises ``ValueError`` for a negative count.
        """
        if slots < 0:
            raise ValueError(f"cannot advance {slots} slots; time runs forwards")
        for _ in range(slots):
            self._next_block()

    def _next_block(self) -> None:
        before = self._clock
        self._pay_leader()
        previous, _ = self._timeline.latest
        block = BlockRecord(
            slot=before.slot,
            parent_slot=self._timeline.parent_slot,
            block_height=before.block_height,
            blockhash=self._timeline.hash_of(before.slot),
            previous_blockhash=previous,
            block_time=before.unix_timestamp,
            signatures=self._history.open_signatures,
        )
        self._history.close(block)
        self._fees.close(before.slot)
        self._timeline.close_block()
        self._statuses.keep(self._timeline.usable)
        self._sysvars.add_block(before.slot, block.blockhash)
        self._clock = self._timeline.clock
        if self._clock.epoch != before.epoch:
            for epoch in range(before.epoch, self._clock.epoch):
                self._sysvars.end_epoch(epoch)
            for hook in tuple(self._epoch_hooks):
                hook(self._clock)
        for hook in tuple(self._slot_hooks):
            hook(self._clock)
        for listener in tuple(self._listeners):
            listener.on_slot(self._clock.slot, before.slot, self._timeline.root)

    def _pay_leader(self) -> None:
        if self._collected:
            account = self._machine.get(self.leader)
            held = account.lamports if account is not None else 0
            self._write(self.leader, Account(held + self._collected, b"", SYSTEM))
            self._collected = 0

    def at_slot(self, hook: Hook) -> None:
        """Run ``hook`` at the start of every new slot."""
        self._slot_hooks.append(hook)

    def at_epoch(self, hook: Hook) -> None:
        """Run ``hook`` right after an epoch turned, before the slot hooks of its first slot."""
        self._epoch_hooks.append(hook)

    # accounts
    def get_account(self, key: Pubkey) -> Account | None:
        self._sysvars.write(self._clock)
        return self._machine.get(key)

    def set_account(self, key: Pubkey, account: Account) -> None:
        """Write an account, past all rules; zero lamports remove it. Raises ``ValueError`` for a program that does not load."""
        self._write(key, account)

    def _write(self, key: Pubkey, account: Account) -> None:
        self._machine.put(key, account)
        self._tell_account(key, self._machine.get(key))

    def program_accounts(self, program: Pubkey) -> list[tuple[Pubkey, Account]]:
        """Accounts that ``program`` owns, ordered by address."""
        self._sysvars.write(self._clock)
        return self._machine.owned_by(program)

    def token_accounts_by_owner(self, owner: Pubkey) -> list[tuple[Pubkey, Account]]:
        """Token accounts of both token programs whose authority is ``owner``, ordered by address within each program."""
        wanted = bytes(owner)
        found = []
        for program in TOKEN_PROGRAMS:
            for key, account in self._machine.owned_by(program):
                data = bytes(account.data)
                if is_token_data(data) and data[32:64] == wanted:
                    found.append((key, account))
        return found

    def airdrop(self, key: Pubkey, lamports: int) -> Signature:
        """A real transfer from the faucet, landed in the current slot.

        Raises ``TransactionRejected`` where it fails (faucet empty, or too few lamports for a new account's rent).
        """
        self._airdrops += 1
        blockhash, _ = self.latest_blockhash()
        record = self.process(genesis.airdrop(self.faucet, key, lamports, self._airdrops, blockhash))
        if record.err is not None:
            raise TransactionRejected(record.err, f"airdrop of {lamports} lamports to {key} failed: {record.err}")
        return record.signature

    def rent_exempt(self, size: int) -> int:
        """Minimum balance in lamports of an account with ``size`` data bytes."""
        return self._machine.rent_exempt(size)

    # programs
    def add_model(self, program: ModelProgram) -> None:
        """Execute instructions for ``program.program_id`` by ``program`` from now on.

        A binary loaded at that address stays and goes first, whichever of the two came first.
        """
        if program.program_id in self._binaries:
            return
        self._models[program.program_id] = program
        self._machine.add_model_account(program.program_id)

    def add_binary(self, address: Pubkey, elf: bytes) -> None:
        """Load a real program; it replaces a model at that address. Raises ``ValueError`` for an ELF that does not load.

        A real program cannot call a model: such a call fails the transaction, and its logs say so.
        """
        self._machine.add_program(address, elf)
        self._models.pop(address, None)
        self._binaries.add(address)

    # transactions
    def latest_blockhash(self) -> tuple[Hash, int]:
        return self._timeline.latest

    def blockhash_valid(self, blockhash: Hash) -> bool:
        """Whether a transaction with ``blockhash`` may enter the current block."""
        return self._timeline.usable(blockhash)

    def process(self, transaction: VersionedTransaction) -> TransactionRecord:
        """Execute in the current slot. Raises ``TransactionRejected`` when it may not enter a block."""
        loaded = self._admit(transaction, sig_verify=True, replace_blockhash=False)
        settled = settle(self._machine, self._models, loaded, self._clock)
        record = self._record(loaded, settled)
        self._statuses.add(loaded.recent_blockhash, record.signature)
        self._history.add(record)
        self._fees.add(loaded.budget.unit_price, loaded.writable_keys)
        burned = LAMPORTS_PER_SIGNATURE * loaded.signers // 2
        self.burned += burned
        self._collected += settled.fee - burned
        for key in settled.changed:
            self._tell_account(key, settled.after[key])
        for listener in tuple(self._listeners):
            listener.on_transaction(record)
        return record

    def simulate(
        self, transaction: VersionedTransaction, *, sig_verify: bool = False, replace_blockhash: bool = False
    ) -> TransactionRecord:
        """As ``process`` but nothing is kept and nothing is raised for a transaction that would be rejected.

        ``post_accounts`` holds the writable accounts afterwards, unless ``err`` is set. With ``sig_verify`` off, signatures
        may be absent or wrong; with ``replace_blockhash`` the age of the transaction's own blockhash does not matter.
        """
        transaction = _padded(transaction)
        try:
            loaded = self._admit(transaction, sig_verify=sig_verify, replace_blockhash=replace_blockhash)
        except TransactionRejected as rejection:
            return self._refused(transaction, rejection.error)
        settled = settle(self._machine, self._models, loaded, self._clock)
        restore(self._machine, settled.before)
        return self._record(loaded, settled, post_accounts={} if settled.err is not None else settled.after)

    def _admit(
        self, transaction: VersionedTransaction, *, sig_verify: bool, replace_blockhash: bool
    ) -> LoadedTransaction:
        self._sysvars.write(self._clock)
        loaded = load(
            transaction, LookupTables(self._machine.get, self._clock.slot, lambda: self._sysvars.recent_slots)
        )
        if sig_verify:
            verify_signatures(transaction)
        if not replace_blockhash:
            check_blockhash(loaded, self._timeline)
        check_duplicate(loaded, self._statuses)
        check_fee_payer(loaded, self._machine)
        return loaded

    def _record(
        self, loaded: LoadedTransaction, settled: Settled, post_accounts: dict[Pubkey, Account | None] | None = None
    ) -> TransactionRecord:
        return TransactionRecord(
            transaction=loaded.transaction,
            signature=loaded.transaction.signatures[0],
            slot=self._clock.slot,
            block_time=self._clock.unix_timestamp,
            err=settled.err,
            fee=settled.fee,
            compute_units=settled.compute_units,
            logs=settled.logs,
            account_keys=loaded.keys,
            loaded_writable=loaded.loaded_writable,
            loaded_readonly=loaded.loaded_readonly,
            pre_balances=settled.pre_balances,
            post_balances=settled.post_balances,
            pre_token_balances=settled.pre_token_balances,
            post_token_balances=settled.post_token_balances,
            inner_instructions=settled.inner_instructions,
            return_data=settled.return_data,
            post_accounts=post_accounts or {},
        )

    def _refused(self, transaction: VersionedTransaction, error: JsonError) -> TransactionRecord:
        """The record of a simulated transaction that would not enter a block."""
        return TransactionRecord(
            transaction=transaction,
            signature=transaction.signatures[0] if transaction.signatures else Signature.default(),
            slot=self._clock.slot,
            block_time=self._clock.unix_timestamp,
            err=error,
            fee=0,
            compute_units=0,
            logs=(),
            account_keys=tuple(transaction.message.account_keys),
            loaded_writable=(),
            loaded_readonly=(),
            pre_balances=(),
            post_balances=(),
            pre_token_balances=(),
            post_token_balances=(),
            inner_instructions=(),
        )

    # history
    def transaction(self, signature: Signature) -> TransactionRecord | None:
        return self._history.transaction(signature)

    def block(self, slot: int) -> BlockRecord | None:
        """A sealed block; None for the current, a skipped, a future or a forgotten slot."""
        return self._history.block(slot)

    def signatures_for(self, address: Pubkey) -> list[Signature]:
        """Newest first."""
        return self._history.signatures_for(address)

    def recent_fees(self, writable: Sequence[Pubkey]) -> list[tuple[int, int]]:
        """(slot, micro-lamports per compute unit) of the last 150 sealed blocks, oldest first."""
        return self._fees.read(writable)

    def subscribe(self, listener: BankListener) -> None:
        self._listeners.append(listener)

    def unsubscribe(self, listener: BankListener) -> None:
        """Raises ``ValueError`` for a listener that is not subscribed."""
        self._listeners.remove(listener)

    def _tell_account(self, key: Pubkey, account: Account | None) -> None:
        for listener in tuple(self._listeners):
            listener.on_account(key, account, self._clock.slot)


def _padded(transaction: VersionedTransaction) -> VersionedTransaction:
    """``transaction`` with default signatures where it has too few, so that an unsigned one can be simulated."""
    missing = transaction.message.header.num_required_signatures - len(transaction.signatures)
    if missing <= 0:
        return transaction
    signatures = [*transaction.signatures, *[Signature.default()] * missing]
    return VersionedTransaction.populate(transaction.message, signatures)
