"""Model of Glow's airspace program: who may open accounts where. Permits only; airspaces themselves come from genesis.

Accounts and rules: shared facts, protocol.md 3.7, and the public source's rule on who may revoke.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_AIRSPACE, SYSTEM
from keeper.sim.localnet.interface import AccountView, InvokeContext, ProgramError
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.anchor import (
    AnchorError,
    event_discriminator,
    instruction_discriminator,
    require_key,
    require_program,
    require_signer,
    state_bytes,
    take_accounts,
)
from keeper.sim.localnet.programs.borsh import Reader
from keeper.sim.localnet.programs.glow_margin_config import (
    AIRSPACE_DISCRIMINATOR,
    AIRSPACE_PERMIT_DISCRIMINATOR,
    AIRSPACE_PERMIT_SIZE,
    ISSUER_DISCRIMINATOR,
    Airspace,
    AirspacePermit,
    airspace_permit_address,
    permit_issuer_address,
)
from keeper.sim.localnet.programs.glow_margin_errors import CODE_OFFSET


class AirspaceError(IntEnum):
    """The program's errors by the values of the public source's enum."""

    PERMISSION_DENIED = 701000

    def error(self) -> ProgramError:
        return ProgramError.custom(self.value + CODE_OFFSET, "PermissionDenied")


class GlowAirspaceProgram:
    """The model at ``AmAJey...``."""

    program_id: Pubkey = GLOW_AIRSPACE
    name = "glow_airspace"

    def process(self, ctx: InvokeContext) -> None:
        handler = _HANDLERS.get(ctx.data[:8])
        if handler is None:
            raise AnchorError.INSTRUCTION_FALLBACK_NOT_FOUND.error()
        name, run = handler
        ctx.log(f"Instruction: {name}")
        run(ctx, Reader(ctx.data, 8, error=AnchorError.INSTRUCTION_DID_NOT_DESERIALIZE.error()))


def read_airspace(account: AccountView) -> Airspace:
    return Airspace.decode(state_bytes(account, GLOW_AIRSPACE, AIRSPACE_DISCRIMINATOR, "airspace"))


def read_airspace_permit(account: AccountView) -> AirspacePermit:
    return AirspacePermit.decode(state_bytes(account, GLOW_AIRSPACE, AIRSPACE_PERMIT_DISCRIMINATOR, "permit"))


def _require_issuer(account: AccountView, airspace: Pubkey, issuer: Pubkey) -> None:
    if account.key != permit_issuer_address(airspace, issuer):
        raise AnchorError.CONSTRAINT_SEEDS.error("issuer_id")


def _create_permit(ctx: InvokeContext, args: Reader) -> None:
    ctx.consume(12_000)
    owner = args.key()
    payer, authority, airspace, permit, issuer_id, system = take_accounts(ctx, 6)
    require_signer(payer, "payer")
    require_signer(authority, "authority")
    require_program(system, SYSTEM, "system_program")
    space = read_airspace(airspace)
    _require_issuer(issuer_id, airspace.key, authority.key)
    address, bump = airspace_permit_address(airspace.key, owner)
    if permit.key != address:
        raise AnchorError.CONSTRAINT_SEEDS.error("permit")
    if (
        space.is_restricted
        and space.authority != authority.key
        and (issuer_id.owner != GLOW_AIRSPACE or issuer_id.data[:8] != ISSUER_DISCRIMINATOR)
    ):
        raise AirspaceError.PERMISSION_DENIED.error()
    seeds = (b"airspace-permit", bytes(airspace.key), bytes(owner), bytes([bump]))
    cpi.create_program_account(ctx, payer, permit, AIRSPACE_PERMIT_SIZE, seeds)
    permit.data = AirspacePermit(airspace.key, owner, authority.key).encode()
    ctx.emit(event_discriminator("AirspacePermitCreated") + bytes(airspace.key) + bytes(authority.key) + bytes(owner))


def _revoke_permit(ctx: InvokeContext, _: Reader) -> None:
    ctx.consume(9_000)
    receiver, authority, airspace, issuer_id, permit = take_accounts(ctx, 5)
    require_signer(receiver, "receiver")
    require_signer(authority, "authority")
    space, held = read_airspace(airspace), read_airspace_permit(permit)
    require_key(airspace, held.airspace, "airspace")
    _require_issuer(issuer_id, airspace.key, held.issuer)
    abandoned = space.is_restricted and not issuer_id.data
    if authority.key not in (space.authority, held.issuer) and not abandoned:
        raise AirspaceError.PERMISSION_DENIED.error()
    permit.data = b""
    receiver.lamports += permit.lamports
    permit.lamports = 0
    ctx.emit(event_discriminator("AirspacePermitRevoked") + bytes(airspace.key) + bytes(permit.key))


_HANDLERS: dict[bytes, tuple[str, Callable[[InvokeContext, Reader], None]]] = {
    instruction_discriminator("airspace_permit_create"): ("AirspacePermitCreate", _create_permit),
    instruction_discriminator("airspace_permit_revoke"): ("AirspacePermitRevoke", _revoke_permit),
}
