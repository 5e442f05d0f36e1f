"""From compiled instructions to a v0 message: compute budget in front, lookup tables, size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from keeper.execution.lending_sight import LendingSight
from keeper.execution.outcome import Refusal, Stage
from keeper.protocols.compute_budget import MAX_COMPUTE_UNITS, set_compute_unit_limit, set_compute_unit_price
from keeper.units import ComputeUnits, Lamports, MicroLamports

MAX_TRANSACTION_BYTES = 1232  # IPv6 minimum MTU 1280 less headers: facts, execution.md 1.8
MAX_ACCOUNT_LOCKS = 64
SIGNATURE_FEE = Lamports(5_000)


@dataclass(frozen=True, slots=True)
class Compiled:
    """The instructions of one step in order, without compute budget. ``own`` are those that our builders made; ``sight`` is the
    lending market that they were built on, where the step needs one."""

    instructions: tuple[Instruction, ...]
    own: tuple[Instruction, ...]
    tables: tuple[AddressLookupTableAccount, ...]
    sight: LendingSight | None = None


@dataclass(frozen=True, slots=True)
class Budget:
    """Compute-unit limit and price of a transaction."""

    limit: ComputeUnits
    price: MicroLamports

    @property
    def fee(self) -> Lamports:
        """What landing costs with one signature, whether it succeeds or not."""
        return SIGNATURE_FEE + self.limit.priority_fee(self.price)


WIDEST = Budget(MAX_COMPUTE_UNITS, MicroLamports(0))
"""The budget that a step is simulated with."""

NO_BLOCKHASH = Hash.default()
"""Stands in for a blockhash while a message is simulated; the node replaces it."""


def assemble(payer: Pubkey, compiled: Compiled, budget: Budget, blockhash: Hash) -> MessageV0:
    """The message to sign. Raises ``Refusal`` where it cannot be encoded or exceeds the wire's or the runtime's limits."""
    instructions = [set_compute_unit_limit(budget.limit)]
    if budget.price:
        instructions.append(set_compute_unit_price(budget.price))
    instructions.extend(compiled.instructions)
    try:
        message = MessageV0.try_compile(payer, instructions, list(compiled.tables), blockhash)
    except Exception as error:  # solders raises its own CompileError, which it does not export
        raise Refusal(Stage.COMPILE, "message_does_not_compile", str(error)) from error
    size = len(unsigned(message))
    if size > MAX_TRANSACTION_BYTES:
        raise Refusal(
            Stage.COMPILE,
            "transaction_too_large",
            f"{size} bytes, the wire takes {MAX_TRANSACTION_BYTES}: split the step, or put its accounts in a lookup table",
            size=size,
            limit=MAX_TRANSACTION_BYTES,
        )
    locks = len(message.account_keys) + sum(
        len(use.writable_indexes) + len(use.readonly_indexes) for use in message.address_table_lookups
    )
    if locks > MAX_ACCOUNT_LOCKS:
        raise Refusal(
            Stage.COMPILE,
            "too_many_accounts",
            f"{locks} accounts, the runtime locks at most {MAX_ACCOUNT_LOCKS}",
            accounts=locks,
            limit=MAX_ACCOUNT_LOCKS,
        )
    return message


def unsigned(message: MessageV0) -> bytes:
    """The wire bytes with a zero signature: for simulation, and for the size."""
    return signed(message, Signature.default())


def signed(message: MessageV0, signature: Signature) -> bytes:
    """The wire bytes."""
    return bytes(VersionedTransaction.populate(message, [signature]))


def signable(message: MessageV0) -> bytes:
    """What the signer signs."""
    return bytes(to_bytes_versioned(message))


@dataclass(frozen=True, slots=True)
class Resolved:
    """A message with its lookups resolved: every account by address, as the runtime will see them."""

    keys: tuple[Pubkey, ...]
    writable: tuple[Pubkey, ...]
    signers: tuple[Pubkey, ...]
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """One instruction of a resolved message. ``static`` says that its program is not loaded from a lookup table."""

    program: Pubkey
    accounts: tuple[Pubkey, ...]
    data: bytes
    static: bool


def resolve(message: MessageV0, tables: Sequence[AddressLookupTableAccount]) -> Resolved:
    """Decode ``message`` with the contents of ``tables``.

    Raises ``Refusal`` where it names a table or an index that was not given: then nobody knows what it would touch.
    """
    known: Mapping[Pubkey, list[Pubkey]] = {table.key: list(table.addresses) for table in tables}
    static = list(message.account_keys)
    header = message.header
    loaded_writable: list[Pubkey] = []
    loaded_readonly: list[Pubkey] = []
    try:
        for use in message.address_table_lookups:
            addresses = known[use.account_key]
            loaded_writable.extend(addresses[index] for index in use.writable_indexes)
            loaded_readonly.extend(addresses[index] for index in use.readonly_indexes)
    except (KeyError, IndexError) as error:
        raise Refusal(
            Stage.FIREWALL, "unresolved_lookup", f"the message looks up {error}, which no known lookup table holds"
        ) from error
    keys = (*static, *loaded_writable, *loaded_readonly)
    required = header.num_required_signatures
    signed_writable = static[: required - header.num_readonly_signed_accounts]
    free_writable = static[required : len(static) - header.num_readonly_unsigned_accounts]
    calls = tuple(
        Call(
            keys[call.program_id_index],
            tuple(keys[index] for index in call.accounts),
            bytes(call.data),
            call.program_id_index < len(static),
        )
        for call in message.instructions
    )
    return Resolved(keys, (*signed_writable, *free_writable, *loaded_writable), tuple(static[:required]), calls)
