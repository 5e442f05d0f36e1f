"""Model of the lookup-table registry (LooKUp...): which address lookup tables an authority has. The tables themselves are real.

Layout: shared facts, protocol.md 6; accounts and rules: the public source that they name (LTR). Removing tables is not modelled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.protocols.addresses import ADDRESS_LOOKUP_TABLE, LOOKUP_TABLE_REGISTRY, SYSTEM
from keeper.sim.localnet.interface import AccountView, InvokeContext, ProgramError
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.anchor import (
    AnchorError,
    account_discriminator,
    instruction_discriminator,
    require_program,
    require_signer,
    state_bytes,
    take_accounts,
)
from keeper.sim.localnet.programs.borsh import Reader, u8, u32, u64
from keeper.sim.localnet.programs.glow_margin_errors import CODE_OFFSET

REGISTRY_DISCRIMINATOR = account_discriminator("RegistryAccount")
EMPTY_SIZE = 80
ENTRY_SIZE = 40
MAX_ENTRIES = 254
DEACTIVATED = 1
"""Entries at or below this discriminator hold no table that can grow."""


class RegistryError(IntEnum):
    """The program's errors by its enum's values."""

    INVALID_DISCRIMINATOR = 10000
    INVALID_SLOT = 10001
    INVALID_LOOKUP_TABLE = 10002
    TOO_MANY_ENTRIES = 10003
    INVALID_STATE = 10004

    def error(self) -> ProgramError:
        title = "".join(word.capitalize() for word in self.name.split("_"))
        return ProgramError.custom(self.value + CODE_OFFSET, title)


@dataclass(slots=True)
class LookupRegistry:
    """``entries``: (discriminator, table)."""

    authority: Pubkey
    bump: int
    last_created_slot: int
    entries: list[tuple[int, Pubkey]] = field(default_factory=list)

    @classmethod
    def decode(cls, data: bytes) -> LookupRegistry:
        reader = Reader(data, 8, error=AnchorError.ACCOUNT_DID_NOT_DESERIALIZE.error("registry_account"))
        authority = reader.key()
        reader.u8()
        bump = reader.u8()
        reader.take(6)
        slot = reader.u64()
        return cls(authority, bump, slot, [(reader.u64(), reader.key()) for _ in range(reader.u32())])

    def encode(self) -> bytes:
        count = len(self.entries)
        head = REGISTRY_DISCRIMINATOR + bytes(self.authority) + u8(0) + u8(self.bump) + u8(count) + u8(count) + bytes(4)
        entries = b"".join(u64(discriminator) + bytes(table) for discriminator, table in self.entries)
        body = head + u64(self.last_created_slot) + u32(count) + entries
        return body.ljust(EMPTY_SIZE + ENTRY_SIZE * count, b"\0")


def registry_address(authority: Pubkey) -> tuple[Pubkey, int]:
    return Pubkey.find_program_address([bytes(authority)], LOOKUP_TABLE_REGISTRY)


class LookupRegistryProgram:
    """The model at ``LooKUp...``."""

    program_id: Pubkey = LOOKUP_TABLE_REGISTRY
    name = "lookup_table_registry"

    def process(self, ctx: InvokeContext) -> None:
        handler = _HANDLERS.get(ctx.data[:8])
        if handler is None:
            raise AnchorError.INSTRUCTION_FALLBACK_NOT_FOUND.error()
        name, run = handler
        ctx.log(f"Instruction: {name}")
        run(ctx, Reader(ctx.data, 8, error=AnchorError.INSTRUCTION_DID_NOT_DESERIALIZE.error()))


def _init(ctx: InvokeContext, _: Reader) -> None:
    ctx.consume(9_000)
    authority, payer, registry, system = take_accounts(ctx, 4)
    require_signer(authority, "authority")
    require_signer(payer, "payer")
    require_program(system, SYSTEM, "system_program")
    address, bump = registry_address(authority.key)
    if registry.key != address:
        raise AnchorError.CONSTRAINT_SEEDS.error("registry_account")
    cpi.create_program_account(ctx, payer, registry, EMPTY_SIZE, (bytes(authority.key), bytes([bump])))
    registry.data = LookupRegistry(authority.key, bump, ctx.clock.slot).encode()


def _open(
    ctx: InvokeContext, authority: AccountView, payer: AccountView, registry: AccountView, alt: AccountView
) -> LookupRegistry:
    """Raises 2003 for a registry of another authority, 2012 for another lookup program."""
    require_signer(authority, "authority")
    require_signer(payer, "payer")
    if alt.key != ADDRESS_LOOKUP_TABLE:
        raise AnchorError.CONSTRAINT_ADDRESS.error("address_lookup_table_program")
    state = LookupRegistry.decode(state_bytes(registry, ctx.program_id, REGISTRY_DISCRIMINATOR, "registry_account"))
    if state.authority != authority.key:
        raise AnchorError.CONSTRAINT_RAW.error("registry_account")
    return state


def _create_table(ctx: InvokeContext, args: Reader) -> None:
    ctx.consume(9_000)
    recent_slot = args.u64()
    args.u64()  # the caller's discriminator, which the program does not read
    authority, payer, registry, table, alt, system = take_accounts(ctx, 6)
    state = _open(ctx, authority, payer, registry, alt)
    require_program(system, SYSTEM, "system_program")
    if len(state.entries) == MAX_ENTRIES:
        raise RegistryError.TOO_MANY_ENTRIES.error()
    if recent_slot < state.last_created_slot:
        raise RegistryError.INVALID_SLOT.error()
    address, bump = Pubkey.find_program_address([bytes(authority.key), u64(recent_slot)], ADDRESS_LOOKUP_TABLE)
    if table.key != address:
        raise RegistryError.INVALID_LOOKUP_TABLE.error()
    state.last_created_slot = recent_slot
    state.entries.append((DEACTIVATED + 1, table.key))
    grown = state.encode()
    owed = ctx.rent_exempt(len(grown)) - registry.lamports
    if owed > 0:
        ctx.invoke(cpi.system_transfer(payer.key, registry.key, owed))
    metas = [cpi.writable(table.key), cpi.readonly(authority.key, True), cpi.writable(payer.key, True)]
    create = Instruction(alt.key, u32(0) + u64(recent_slot) + bytes([bump]), [*metas, cpi.readonly(SYSTEM)])
    ctx.invoke(create)
    registry.data = grown


def _append(ctx: InvokeContext, args: Reader) -> None:
    ctx.consume(7_000)
    addresses = [args.key() for _ in range(args.u32())]
    authority, payer, registry, table, alt, system = take_accounts(ctx, 6)
    state = _open(ctx, authority, payer, registry, alt)
    require_program(system, SYSTEM, "system_program")
    listed = next((discriminator for discriminator, held in state.entries if held == table.key), None)
    if listed is None:
        raise RegistryError.INVALID_LOOKUP_TABLE.error()
    if listed <= DEACTIVATED:
        raise RegistryError.INVALID_DISCRIMINATOR.error()
    keys = b"".join(bytes(address) for address in addresses)
    metas = [cpi.writable(table.key), cpi.readonly(authority.key, True), cpi.writable(payer.key, True)]
    data = u32(2) + u64(len(addresses)) + keys
    ctx.invoke(Instruction(alt.key, data, [*metas, cpi.readonly(SYSTEM)]))


_HANDLERS: dict[bytes, tuple[str, Callable[[InvokeContext, Reader], None]]] = {
    instruction_discriminator("init_registry_account"): ("InitRegistryAccount", _init),
    instruction_discriminator("create_lookup_table"): ("CreateLookupTable", _create_table),
    instruction_discriminator("append_to_lookup_table"): ("AppendToLookupTable", _append),
}
