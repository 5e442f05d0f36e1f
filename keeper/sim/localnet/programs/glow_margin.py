"""Model of Glow's margin program (GLoWMg...): accounts with positions, adapters, health, liquidation.

Spec: shared facts, protocol.md section 3; where they are short, the behaviour of the public source that they name. This module
is the program's entry; positions, invokes and liquidation have theirs. Not modelled: configuration by governance (genesis
writes those accounts), account constraints' tickets, transfers by the administrator.
"""

from __future__ import annotations

from collections.abc import Callable

from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_MARGIN, SYSTEM
from keeper.sim.localnet.interface import InvokeContext, ModelProgram
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.anchor import (
    AnchorError,
    instruction_discriminator,
    require_key,
    require_program,
    require_signer,
    take_accounts,
)
from keeper.sim.localnet.programs.borsh import Reader, u16
from keeper.sim.localnet.programs.glow_airspace import GlowAirspaceProgram, read_airspace_permit
from keeper.sim.localnet.programs.glow_margin_errors import MarginError
from keeper.sim.localnet.programs.glow_margin_invoke import accounting_invoke, adapter_invoke
from keeper.sim.localnet.programs.glow_margin_liquidation import (
    collect_liquidation_fee,
    liquidate_begin,
    liquidate_end,
    liquidator_invoke,
)
from keeper.sim.localnet.programs.glow_margin_lookup import (
    append_to_lookup,
    create_lookup_table,
    init_lookup_registry,
)
from keeper.sim.localnet.programs.glow_margin_positions import (
    close_position,
    create_deposit_position,
    refresh_deposit_position,
    refresh_position_config,
    register_position,
    transfer_deposit,
    update_position_balance,
)
from keeper.sim.localnet.programs.glow_margin_session import MarginSession, require_margin_address
from keeper.sim.localnet.programs.glow_margin_state import MARGIN_ACCOUNT_SIZE, AccountFeature, MarginAccount
from keeper.sim.localnet.programs.lookup_registry import LookupRegistryProgram

_KNOWN_FEATURES = sum(AccountFeature)


class GlowMarginProgram:
    """The model at ``GLoWMg...``."""

    program_id: Pubkey = GLOW_MARGIN
    name = "glow_margin"

    def process(self, ctx: InvokeContext) -> None:
        handler = _HANDLERS.get(ctx.data[:8])
        if handler is None:
            raise AnchorError.INSTRUCTION_FALLBACK_NOT_FOUND.error()
        name, run = handler
        ctx.log(f"Instruction: {name}")
        run(ctx, Reader(ctx.data, 8, error=AnchorError.INSTRUCTION_DID_NOT_DESERIALIZE.error()))


def margin_programs() -> list[ModelProgram]:
    """The margin program, and beside it the airspace program and the lookup-table registry, for the bank."""
    return [GlowMarginProgram(), GlowAirspaceProgram(), LookupRegistryProgram()]


def _create_account(ctx: InvokeContext, args: Reader) -> None:
    ctx.consume(16_000)
    seed, features = args.u16(), args.u16()
    owner, permit_view, payer, margin, system = take_accounts(ctx, 5)
    require_signer(owner, "owner")
    require_signer(payer, "payer")
    require_program(system, SYSTEM, "system_program")
    permit = read_airspace_permit(permit_view)
    require_key(owner, permit.owner, "permit.owner")
    bump = require_margin_address(margin, owner.key, permit.airspace, seed)
    if features & ~_KNOWN_FEATURES:
        raise MarginError.UNKNOWN_FEATURE_FLAGS.error(str(features))
    if features & AccountFeature.VIOLATION or features.bit_count() > 1:
        raise MarginError.INVALID_FEATURE_FLAGS.error(str(features))
    state = MarginAccount(owner.key, permit.airspace, bump, seed, features)
    cpi.create_program_account(ctx, payer, margin, MARGIN_ACCOUNT_SIZE, state.seeds)
    margin.data = state.encode()
    payload = bytes(owner.key) + bytes(permit.airspace) + u16(seed) + u16(features)
    MarginSession(ctx, margin, state).emit("AccountCreated", payload)


def _close_account(ctx: InvokeContext, _: Reader) -> None:
    ctx.consume(7_000)
    owner, receiver, margin = take_accounts(ctx, 3)
    session = MarginSession.open(ctx, margin)
    session.require_owner(owner)
    if session.state.slots:
        raise MarginError.ACCOUNT_NOT_EMPTY.error(f"{len(session.state.slots)} positions")
    if session.state.constraints:
        raise MarginError.ACCOUNT_CONSTRAINT_VIOLATION.error()
    margin.data = b""
    receiver.lamports += margin.lamports
    margin.lamports = 0
    session.emit("AccountClosed")


def _verify_healthy(ctx: InvokeContext, _: Reader) -> None:
    ctx.consume(4_000)
    session = MarginSession.open(ctx, take_accounts(ctx, 1)[0], writable=False)
    session.valuation().verify_healthy()
    session.emit("VerifiedHealthy")


def _verify_unhealthy(ctx: InvokeContext, _: Reader) -> None:
    ctx.consume(4_000)
    session = MarginSession.open(ctx, take_accounts(ctx, 1)[0], writable=False)
    session.valuation().verify_unhealthy()
    session.emit("VerifiedUnhealthy")


_HANDLERS: dict[bytes, tuple[str, Callable[[InvokeContext, Reader], None]]] = {
    instruction_discriminator(name): ("".join(word.capitalize() for word in name.split("_")), run)
    for name, run in {
        "create_account": _create_account,
        "close_account": _close_account,
        "register_position": register_position,
        "create_deposit_position": create_deposit_position,
        "close_position": close_position,
        "update_position_balance": update_position_balance,
        "refresh_deposit_position": refresh_deposit_position,
        "refresh_position_config": refresh_position_config,
        "transfer_deposit": transfer_deposit,
        "verify_healthy": _verify_healthy,
        "verify_unhealthy": _verify_unhealthy,
        "adapter_invoke": adapter_invoke,
        "accounting_invoke": accounting_invoke,
        "liquidate_begin": liquidate_begin,
        "liquidator_invoke": liquidator_invoke,
        "collect_liquidation_fee": collect_liquidation_fee,
        "liquidate_end": liquidate_end,
        "init_lookup_registry": init_lookup_registry,
        "create_lookup_table": create_lookup_table,
        "append_to_lookup": append_to_lookup,
    }.items()
}
