"""From a compiled transaction back to its instructions, with lookup tables read from the chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from solders.address_lookup_table_account import AddressLookupTable
from solders.instruction import AccountMeta, Instruction
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from keeper.chain.rpc import RpcClient

LOOKUP_TABLE_PROGRAM = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")


class Undecodable(Exception):
    """The transaction cannot be taken apart: not a v0 or legacy one, or its indices and tables do not fit."""


@dataclass(frozen=True, slots=True)
class Decompiled:
    """``signers`` in order, the fee payer first."""

    signers: tuple[Pubkey, ...]
    instructions: tuple[Instruction, ...]
    lookup_tables: tuple[Pubkey, ...]


async def decompile(raw: bytes, rpc: RpcClient) -> Decompiled:
    """Raises ``Undecodable``, and ``RpcError`` where the tables cannot be read."""
    try:
        message = VersionedTransaction.from_bytes(raw).message
    except ValueError as error:
        raise Undecodable(f"{len(raw)} bytes that are not a transaction: {error}") from error
    if not isinstance(message, Message | MessageV0):
        raise Undecodable(f"a transaction of the format {type(message).__module__}, expected v0")
    lookups = message.address_table_lookups if isinstance(message, MessageV0) else []
    tables = [lookup.account_key for lookup in lookups]
    contents = await _tables(tables, rpc) if tables else {}
    writable: list[Pubkey] = []
    readonly: list[Pubkey] = []
    for lookup in lookups:
        writable += _picked(contents[lookup.account_key], lookup.writable_indexes, lookup.account_key)
        readonly += _picked(contents[lookup.account_key], lookup.readonly_indexes, lookup.account_key)
    metas = _static_metas(message)
    metas += [AccountMeta(key, False, True) for key in writable]
    metas += [AccountMeta(key, False, False) for key in readonly]
    return Decompiled(
        signers=tuple(message.account_keys[: message.header.num_required_signatures]),
        instructions=tuple(_instructions(message, metas)),
        lookup_tables=tuple(tables),
    )


async def _tables(keys: Sequence[Pubkey], rpc: RpcClient) -> dict[Pubkey, list[Pubkey]]:
    snapshot = await rpc.accounts(keys)
    found: dict[Pubkey, list[Pubkey]] = {}
    for key in keys:
        account = snapshot[key]
        if account is None or account.owner != LOOKUP_TABLE_PROGRAM:
            raise Undecodable(f"{key} is not a lookup table")
        try:
            found[key] = list(AddressLookupTable.deserialize(account.data).addresses)
        except ValueError as error:
            raise Undecodable(f"lookup table {key}: {error}") from error
    return found


def _picked(addresses: Sequence[Pubkey], indexes: bytes, table: Pubkey) -> list[Pubkey]:
    if any(index >= len(addresses) for index in indexes):
        raise Undecodable(f"an index beyond the {len(addresses)} addresses of lookup table {table}")
    return [addresses[index] for index in indexes]


def _static_metas(message: Message | MessageV0) -> list[AccountMeta]:
    header, keys = message.header, message.account_keys
    signed, total = header.num_required_signatures, len(keys)
    if signed > total or header.num_readonly_signed_accounts > signed:
        raise Undecodable("a header that does not fit its accounts")
    writable_signed = signed - header.num_readonly_signed_accounts
    writable_unsigned = total - header.num_readonly_unsigned_accounts
    return [
        AccountMeta(key, index < signed, index < writable_signed or signed <= index < writable_unsigned)
        for index, key in enumerate(keys)
    ]


def _instructions(message: Message | MessageV0, metas: Sequence[AccountMeta]) -> list[Instruction]:
    found: list[Instruction] = []
    for compiled in message.instructions:
        indexes = [compiled.program_id_index, *compiled.accounts]
        if any(index >= len(metas) for index in indexes):
            raise Undecodable(f"an instruction with an index beyond the {len(metas)} accounts")
        accounts = [metas[index] for index in indexes[1:]]
        found.append(Instruction(metas[indexes[0]].pubkey, bytes(compiled.data), accounts))
    return found
