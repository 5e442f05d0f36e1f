"""Instructions of other programs, packed into the margin program's invokes, and unpacked again (shared facts, protocol.md 3.8).

``adapter_invoke``: the owner signs, the margin account signs what is inside, and health is checked at the end.
``accounting_invoke``: nobody of margin's signs, health is not checked; for refreshing, and for what a wallet pays itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_MARGIN
from keeper.protocols.anchor import DISCRIMINATOR_LENGTH, instruction_discriminator
from keeper.protocols.layout import LayoutError, Reader
from keeper.units import UnitError

ADAPTER_INVOKE = instruction_discriminator("adapter_invoke")
ACCOUNTING_INVOKE = instruction_discriminator("accounting_invoke")
LIQUIDATOR_INVOKE = instruction_discriminator("liquidator_invoke")
MOST_ACCOUNTS = 255
FIXED_ACCOUNTS = {ADAPTER_INVOKE: 2, ACCOUNTING_INVOKE: 1, LIQUIDATOR_INVOKE: 5}
"""Accounts before the first inner instruction's; the margin account is the last of them but for a liquidator's."""
_MARGIN_ACCOUNT_AT = {ADAPTER_INVOKE: 1, ACCOUNTING_INVOKE: 0, LIQUIDATOR_INVOKE: 2}


@dataclass(frozen=True, slots=True)
class Inner:
    """An instruction of an adapter ``program`` inside an invoke, with the address of the program's AdapterConfig."""

    program: Pubkey
    adapter_config: Pubkey
    instruction: Instruction


@dataclass(frozen=True, slots=True)
class Invoke:
    """An unpacked invoke. ``signed``: the margin account signs the inner instructions and health is checked."""

    margin_account: Pubkey
    signed: bool
    inners: tuple[Inner, ...]


def _pack(discriminator: bytes, margin_account: Pubkey, inners: Sequence[Inner]) -> tuple[bytes, list[AccountMeta]]:
    if not inners:
        raise UnitError("an invoke needs an instruction inside")
    data, accounts = discriminator + len(inners).to_bytes(4, "little"), list[AccountMeta]()
    for inner in inners:
        called = inner.instruction
        if called.program_id != inner.program:
            raise UnitError(f"an instruction of {called.program_id} cannot go through the adapter {inner.program}")
        if len(called.accounts) > MOST_ACCOUNTS:
            raise UnitError(f"an inner instruction has up to {MOST_ACCOUNTS} accounts, not {len(called.accounts)}")
        data += bytes([len(called.accounts)]) + len(called.data).to_bytes(4, "little") + called.data
        accounts += [AccountMeta(inner.program, is_signer=False, is_writable=False)]
        accounts += [AccountMeta(inner.adapter_config, is_signer=False, is_writable=False)]
        # The program gives the margin account's signature itself; a transaction cannot carry it.
        accounts += [
            AccountMeta(one.pubkey, one.is_signer and one.pubkey != margin_account, one.is_writable)
            for one in called.accounts
        ]
    return data, accounts


def adapter_invoke(
    owner: Pubkey, margin_account: Pubkey, inners: Sequence[Inner], *, program: Pubkey = GLOW_MARGIN
) -> Instruction:
    """Call ``inners`` with the margin account's signature; ends with the health check. Refused while it is being liquidated.

    Raises ``UnitError`` for nothing inside, or an instruction of another program than its adapter.
    """
    data, inside = _pack(ADAPTER_INVOKE, margin_account, inners)
    fixed = [AccountMeta(owner, is_signer=True, is_writable=False), AccountMeta(margin_account, False, True)]
    return Instruction(program, data, fixed + inside)


def accounting_invoke(margin_account: Pubkey, inners: Sequence[Inner], *, program: Pubkey = GLOW_MARGIN) -> Instruction:
    """Call ``inners`` without the margin account's signature and without a health check; anyone may send it.

    Raises ``UnitError`` for nothing inside, an instruction of another program than its adapter, or one that needs the margin
    account's signature, which only ``adapter_invoke`` gives.
    """
    for inner in inners:
        if any(one.is_signer and one.pubkey == margin_account for one in inner.instruction.accounts):
            raise UnitError(
                f"an instruction of {inner.program} needs the margin account's signature: use adapter_invoke"
            )
    data, inside = _pack(ACCOUNTING_INVOKE, margin_account, inners)
    return Instruction(program, data, [AccountMeta(margin_account, False, True), *inside])


def is_invoke(data: bytes) -> bool:
    """Whether an instruction of the margin program calls others."""
    return bytes(data[:DISCRIMINATOR_LENGTH]) in FIXED_ACCOUNTS


def unpack_invoke(data: bytes, accounts: Sequence[AccountMeta]) -> Invoke:
    """The instructions inside an invoke of the margin program, with account metas as the transaction has them.

    Raises ``LayoutError`` where the program would fail to read it (another discriminator, truncated bytes, a number of accounts
    that is not the sum of what is inside), and for trailing bytes, which it would ignore and no builder writes.
    """
    read = Reader(data, "invoke")
    discriminator = read.raw(DISCRIMINATOR_LENGTH, "discriminator")
    if discriminator not in FIXED_ACCOUNTS:
        raise LayoutError("invoke", "discriminator @0", "one of an invoke", discriminator.hex())
    calls = read.vec("instructions", lambda at: (read.u8(f"{at}.num_accounts"), read.raw(read.count(at), f"{at}.data")))
    read.end()
    fixed = FIXED_ACCOUNTS[discriminator]
    needed = fixed + sum(count + 2 for count, _ in calls)
    if len(accounts) != needed:
        raise LayoutError("invoke", "accounts", str(needed), str(len(accounts)))
    inners, position = [], fixed
    for count, inner_data in calls:
        adapter, config = accounts[position].pubkey, accounts[position + 1].pubkey
        position += 2 + count
        inside = list(accounts[position - count : position])
        inners.append(Inner(adapter, config, Instruction(adapter, inner_data, inside)))
    margin_account = accounts[_MARGIN_ACCOUNT_AT[discriminator]].pubkey
    return Invoke(margin_account, discriminator != ACCOUNTING_INVOKE, tuple(inners))
