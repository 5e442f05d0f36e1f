"""From a transaction's bytes to the accounts it names: sanitisation, address lookup tables, locks and privileges."""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from solders.account import Account
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.message import Message, MessageV0, MessageV1
from solders.pubkey import Pubkey
from solders.transaction import SanitizeError, VersionedTransaction

from keeper.protocols.addresses import ADDRESS_LOOKUP_TABLE, COMPUTE_BUDGET, STAKE, SYSTEM
from keeper.sim.localnet.fees import Budget, decode_budget, decode_budget_v1
from keeper.sim.localnet.interface import TransactionRejected

PACKET_BYTES = 1_232
V1_BYTES = 4_096
MAX_ACCOUNT_LOCKS = 64
TABLE_HEADER = 56
"""Bytes before the addresses of a lookup table (solana-sdk address-lookup-table-interface, LOOKUP_TABLE_META_SIZE)."""
_NEVER = 2**64 - 1

# Reserved account keys are never writable, whatever a message asks (agave reserved-account-keys).
_RESERVED = frozenset(
    {SYSTEM, COMPUTE_BUDGET, STAKE, ADDRESS_LOOKUP_TABLE}
    | {
        Pubkey.from_string(text)
        for text in (
            "BPFLoader1111111111111111111111111111111111",
            "BPFLoader2111111111111111111111111111111111",
            "BPFLoaderUpgradeab1e11111111111111111111111",
            "LoaderV411111111111111111111111111111111111",
            "Config1111111111111111111111111111111111111",
            "Ed25519SigVerify111111111111111111111111111",
            "Feature111111111111111111111111111111111111",
            "KeccakSecp256k11111111111111111111111111111",
            "Secp256r1SigVerify1111111111111111111111111",
            "NativeLoader1111111111111111111111111111111",
            "StakeConfig11111111111111111111111111111111",
            "Vote111111111111111111111111111111111111111",
            "ZkE1Gama1Proof11111111111111111111111111111",
            "Sysvar1111111111111111111111111111111111111",
            "SysvarC1ock11111111111111111111111111111111",
            "SysvarEpochRewards1111111111111111111111111",
            "SysvarEpochSchedu1e111111111111111111111111",
            "SysvarFees111111111111111111111111111111111",
            "Sysvar1nstructions1111111111111111111111111",
            "SysvarLastRestartS1ot1111111111111111111111",
            "SysvarRecentB1ockHashes11111111111111111111",
            "SysvarRent111111111111111111111111111111111",
            "SysvarRewards111111111111111111111111111111",
            "SysvarS1otHashes111111111111111111111111111",
            "SysvarS1otHistory11111111111111111111111111",
            "SysvarStakeHistory1111111111111111111111111",
        )
    }
)
_UPGRADEABLE_LOADER = Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111")


@dataclass(frozen=True, slots=True)
class LoadedTransaction:
    """A transaction with every account key resolved.

    ``keys``: static keys, then loaded writable, then loaded read-only. ``writable[i]`` after demotion of reserved keys and of
    programs. ``instructions`` carry the privileges of the whole transaction, as the runtime grants them.
    """

    transaction: VersionedTransaction
    recent_blockhash: Hash
    keys: tuple[Pubkey, ...]
    signers: int
    writable: tuple[bool, ...]
    loaded_writable: tuple[Pubkey, ...]
    loaded_readonly: tuple[Pubkey, ...]
    instructions: tuple[Instruction, ...]
    budget: Budget

    @property
    def fee_payer(self) -> Pubkey:
        return self.keys[0]

    @property
    def writable_keys(self) -> tuple[Pubkey, ...]:
        return tuple(key for key, write in zip(self.keys, self.writable, strict=True) if write)


@dataclass(frozen=True, slots=True)
class LookupTables:
    """Reads lookup tables as they stand: ``account`` by key, the current ``slot``, and the slots that SlotHashes still holds."""

    account: Callable[[Pubkey], Account | None]
    slot: int
    recent_slots: Callable[[], Collection[int]]

    def addresses(self, table: Pubkey) -> list[Pubkey]:
        """Addresses of ``table`` that are usable in this slot. Raises ``TransactionRejected`` by the runtime's names."""
        account = self.account(table)
        if account is None:
            raise TransactionRejected("AddressLookupTableNotFound", f"lookup table {table} does not exist")
        if account.owner != ADDRESS_LOOKUP_TABLE:
            raise TransactionRejected(
                "InvalidAddressLookupTableOwner", f"lookup table {table} is owned by {account.owner}"
            )
        data = bytes(account.data)
        if len(data) < TABLE_HEADER or (len(data) - TABLE_HEADER) % 32 or data[:4] != b"\x01\x00\x00\x00":
            raise TransactionRejected(
                "InvalidAddressLookupTableData", f"lookup table {table} has {len(data)} odd bytes"
            )
        deactivated, extended, first_new = struct.unpack_from("<QQB", data, 4)
        if deactivated not in (_NEVER, self.slot) and deactivated not in self.recent_slots():
            raise TransactionRejected("AddressLookupTableNotFound", f"lookup table {table} was deactivated")
        count = (len(data) - TABLE_HEADER) // 32
        usable = count if self.slot > extended else min(first_new, count)
        return [Pubkey.from_bytes(data[TABLE_HEADER + 32 * i : TABLE_HEADER + 32 * (i + 1)]) for i in range(usable)]


def _picked(table: Pubkey, addresses: Sequence[Pubkey], indexes: bytes) -> list[Pubkey]:
    for index in indexes:
        if index >= len(addresses):
            message = f"lookup table {table} has {len(addresses)} usable addresses, index {index} is not among them"
            raise TransactionRejected("InvalidAddressLookupTableIndex", message)
    return [addresses[index] for index in indexes]


def _lookups(message: Message | MessageV0 | MessageV1, tables: LookupTables) -> tuple[list[Pubkey], list[Pubkey]]:
    writable: list[Pubkey] = []
    readonly: list[Pubkey] = []
    if isinstance(message, MessageV0):
        for lookup in message.address_table_lookups:
            addresses = tables.addresses(lookup.account_key)
            writable += _picked(lookup.account_key, addresses, bytes(lookup.writable_indexes))
            readonly += _picked(lookup.account_key, addresses, bytes(lookup.readonly_indexes))
    return writable, readonly


def _sanitise(transaction: VersionedTransaction) -> None:
    try:
        transaction.sanitize()
    except SanitizeError as fault:
        raise TransactionRejected("SanitizeFailure", f"malformed transaction: {fault}") from fault
    limit = V1_BYTES if isinstance(transaction.message, MessageV1) else PACKET_BYTES
    size = len(bytes(transaction))
    if size > limit:
        raise TransactionRejected("SanitizeFailure", f"the transaction has {size} bytes, the limit is {limit}")


def _locks(keys: Sequence[Pubkey]) -> None:
    if len(keys) > MAX_ACCOUNT_LOCKS:
        raise TransactionRejected("TooManyAccountLocks", f"{len(keys)} accounts, the limit is {MAX_ACCOUNT_LOCKS}")
    if len(set(keys)) != len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise TransactionRejected("AccountLoadedTwice", f"account {twice} is named twice")


def load(transaction: VersionedTransaction, tables: LookupTables) -> LoadedTransaction:
    """Resolve a transaction. Raises ``TransactionRejected`` (SanitizeFailure, AccountLoadedTwice, TooManyAccountLocks, the
    lookup table errors and those of the compute budget)."""
    _sanitise(transaction)
    message = transaction.message
    header = message.header
    static = list(message.account_keys)
    loaded_writable, loaded_readonly = _lookups(message, tables)
    keys = (*static, *loaded_writable, *loaded_readonly)
    _locks(keys)
    signers = header.num_required_signatures
    compiled = message.instructions
    programs = {item.program_id_index for item in compiled}
    demote_programs = _UPGRADEABLE_LOADER not in keys

    def is_writable(index: int) -> bool:
        if index >= len(static):
            asked = index < len(static) + len(loaded_writable)
        elif index < signers:
            asked = index < signers - header.num_readonly_signed_accounts
        else:
            asked = index < len(static) - header.num_readonly_unsigned_accounts
        return asked and keys[index] not in _RESERVED and not (demote_programs and index in programs)

    writable = tuple(is_writable(index) for index in range(len(keys)))
    metas = [AccountMeta(key, index < signers, writable[index]) for index, key in enumerate(keys)]
    for item in compiled:
        if any(index >= len(keys) for index in item.accounts):
            raise TransactionRejected("SanitizeFailure", "an instruction names an account index that does not exist")
    instructions = tuple(
        Instruction(keys[item.program_id_index], bytes(item.data), [metas[index] for index in item.accounts])
        for item in compiled
    )
    if isinstance(message, MessageV1):
        budget = decode_budget_v1(message)
    else:
        budget = decode_budget([(item.program_id, bytes(item.data)) for item in instructions])
    return LoadedTransaction(
        transaction=transaction,
        recent_blockhash=message.recent_blockhash,
        keys=keys,
        signers=signers,
        writable=writable,
        loaded_writable=tuple(loaded_writable),
        loaded_readonly=tuple(loaded_readonly),
        instructions=instructions,
        budget=budget,
    )
