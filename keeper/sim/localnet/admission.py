"""May this transaction enter a block? Everything that is decided before execution and costs the sender nothing."""

from __future__ import annotations

from solders.account import Account
from solders.transaction import VersionedTransaction

from keeper.protocols.addresses import SYSTEM
from keeper.sim.localnet.interface import TransactionRejected
from keeper.sim.localnet.ledger_history import StatusCache
from keeper.sim.localnet.loading import LoadedTransaction
from keeper.sim.localnet.machine import Machine
from keeper.sim.localnet.rent import breaks_rent
from keeper.sim.localnet.timekeeping import Timeline
from keeper.sim.localnet.transaction_errors import rent_error

NONCE_BYTES = 80


def verify_signatures(transaction: VersionedTransaction) -> None:
    """Check every required signature of a sanitised transaction. Raises ``TransactionRejected`` (SignatureFailure)."""
    keys = transaction.message.account_keys
    for key, good in zip(keys, transaction.verify_with_results(), strict=False):
        if not good:
            raise TransactionRejected("SignatureFailure", f"the signature of {key} does not match the message")


def check_blockhash(loaded: LoadedTransaction, timeline: Timeline) -> None:
    """Raises ``TransactionRejected`` (BlockhashNotFound) for an unknown blockhash or one more than 150 blocks old."""
    if not timeline.usable(loaded.recent_blockhash):
        message = f"blockhash {loaded.recent_blockhash} is unknown or too old at block height {timeline.block_height}"
        raise TransactionRejected("BlockhashNotFound", message)


def check_duplicate(loaded: LoadedTransaction, seen: StatusCache) -> None:
    """Raises ``TransactionRejected`` (AlreadyProcessed)."""
    signature = loaded.transaction.signatures[0]
    if seen.holds(loaded.recent_blockhash, signature):
        raise TransactionRejected("AlreadyProcessed", f"transaction {signature} has landed before")


def check_fee_payer(loaded: LoadedTransaction, machine: Machine) -> None:
    """Raises ``TransactionRejected``: AccountNotFound, InvalidAccountForFee, InsufficientFundsForFee, and
    InsufficientFundsForRent when the fee would leave the payer with a balance below rent exemption."""
    payer = machine.get(loaded.fee_payer)
    fee = loaded.budget.fee(loaded.signers)
    if payer is None:
        raise TransactionRejected("AccountNotFound", f"fee payer {loaded.fee_payer} does not exist; fund it first")
    size = len(payer.data)
    if payer.owner != SYSTEM or size not in (0, NONCE_BYTES) or not loaded.writable[0]:
        message = f"fee payer {loaded.fee_payer} is owned by {payer.owner} and has {size} bytes; it must be a wallet"
        raise TransactionRejected("InvalidAccountForFee", message)
    kept = machine.rent_exempt(size) if size else 0
    if payer.lamports < fee + kept:
        message = f"fee payer {loaded.fee_payer} has {payer.lamports} lamports, the fee is {fee}"
        raise TransactionRejected("InsufficientFundsForFee", message)
    if breaks_rent(payer, without_lamports(payer, fee), machine.rent_exempt):
        message = f"fee payer {loaded.fee_payer} would keep {payer.lamports - fee} lamports, less than its rent"
        raise TransactionRejected(rent_error(0), message)


def without_lamports(account: Account, lamports: int) -> Account:
    """``account`` with so many lamports fewer."""
    return Account(account.lamports - lamports, account.data, account.owner, account.executable, account.rent_epoch)
