"""The margin account's own lookup tables: the owner acts on the registry with the account's signature (facts, 3.7 and 6)."""

from __future__ import annotations

from collections.abc import Sequence

from solders.instruction import AccountMeta, Instruction

from keeper.protocols.addresses import LOOKUP_TABLE_REGISTRY, SYSTEM
from keeper.sim.localnet.interface import AccountView, InvokeContext
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.anchor import (
    instruction_discriminator,
    require_program,
    require_signer,
    take_accounts,
)
from keeper.sim.localnet.programs.borsh import Reader
from keeper.sim.localnet.programs.glow_margin_session import MarginSession


def init_lookup_registry(ctx: InvokeContext, _: Reader) -> None:
    ctx.consume(8_000)
    authority, payer, margin, registry, program, system = take_accounts(ctx, 6)
    _forward(ctx, [authority, payer, margin, program, system], [cpi.writable(registry.key)], "init_registry_account")


def create_lookup_table(ctx: InvokeContext, _: Reader) -> None:
    _table_call(ctx, "create_lookup_table")


def append_to_lookup(ctx: InvokeContext, _: Reader) -> None:
    _table_call(ctx, "append_to_lookup_table")


def _table_call(ctx: InvokeContext, name: str) -> None:
    ctx.consume(8_000)
    authority, payer, margin, registry, table, alt, program, system = take_accounts(ctx, 8)
    metas = [cpi.writable(registry.key), cpi.writable(table.key), cpi.readonly(alt.key)]
    _forward(ctx, [authority, payer, margin, program, system], metas, name)


def _forward(ctx: InvokeContext, named: Sequence[AccountView], metas: Sequence[AccountMeta], name: str) -> None:
    """The same call at the registry program, with the margin account in the authority's place; arguments unchanged."""
    authority, payer, margin, program, system = named
    session = MarginSession.open(ctx, margin, writable=False)
    require_signer(payer, "payer")
    require_program(program, LOOKUP_TABLE_REGISTRY, "registry_program")
    require_program(system, SYSTEM, "system_program")
    session.require_authority(authority)
    accounts = [cpi.readonly(margin.key, True), cpi.writable(payer.key, True), *metas, cpi.readonly(SYSTEM)]
    call = Instruction(program.key, instruction_discriminator(name) + ctx.data[8:], accounts)
    ctx.invoke(call, [session.state.seeds])
