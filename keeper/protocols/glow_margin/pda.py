"""Addresses that the margin, airspace and lookup-table-registry programs derive (shared facts, protocol.md 0.4, 3, 6)."""

from __future__ import annotations

from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_AIRSPACE, GLOW_MARGIN, LOOKUP_TABLE_REGISTRY
from keeper.units import UnitError

LARGEST_SEED = 2**16 - 1
LONGEST_NAME = 32


def _find(program: Pubkey, *seeds: bytes) -> Pubkey:
    return Pubkey.find_program_address(list(seeds), program)[0]


def governor_id_address(*, program: Pubkey = GLOW_AIRSPACE) -> Pubkey:
    """PDA ["governor-id"] of the airspace program."""
    return _find(program, b"governor-id")


def airspace_address(name: str, *, program: Pubkey = GLOW_AIRSPACE) -> Pubkey:
    """PDA ["airspace", name]. Raises ``UnitError`` for a name longer than a seed may be (32 bytes of UTF-8)."""
    seed = name.encode()
    if len(seed) > LONGEST_NAME:
        raise UnitError(f"an airspace name has up to {LONGEST_NAME} bytes, {name!r} has {len(seed)}")
    return _find(program, b"airspace", seed)


def airspace_permit_address(airspace: Pubkey, owner: Pubkey, *, program: Pubkey = GLOW_AIRSPACE) -> Pubkey:
    """PDA ["airspace-permit", airspace, owner]: what lets ``owner`` open margin accounts there."""
    return _find(program, b"airspace-permit", bytes(airspace), bytes(owner))


def airspace_permit_issuer_address(airspace: Pubkey, authority: Pubkey, *, program: Pubkey = GLOW_AIRSPACE) -> Pubkey:
    """PDA ["airspace-permit-issuer", airspace, authority]; in an open airspace it need not exist."""
    return _find(program, b"airspace-permit-issuer", bytes(airspace), bytes(authority))


def margin_account_address(owner: Pubkey, airspace: Pubkey, seed: int, *, program: Pubkey = GLOW_MARGIN) -> Pubkey:
    """PDA [owner, airspace, seed as u16]. Raises ``UnitError`` for a seed outside 0 to 65 535."""
    if not 0 <= seed <= LARGEST_SEED:
        raise UnitError(f"a margin account's seed is 0 to {LARGEST_SEED}, got {seed}")
    return _find(program, bytes(owner), bytes(airspace), seed.to_bytes(2, "little"))


def token_config_address(airspace: Pubkey, mint: Pubkey, *, program: Pubkey = GLOW_MARGIN) -> Pubkey:
    """PDA ["token-config", airspace, mint]."""
    return _find(program, b"token-config", bytes(airspace), bytes(mint))


def adapter_config_address(airspace: Pubkey, adapter: Pubkey, *, program: Pubkey = GLOW_MARGIN) -> Pubkey:
    """PDA ["adapter-config", airspace, adapter]; without that account nothing of ``adapter`` can be invoked."""
    return _find(program, b"adapter-config", bytes(airspace), bytes(adapter))


def permit_address(airspace: Pubkey, owner: Pubkey, *, program: Pubkey = GLOW_MARGIN) -> Pubkey:
    """PDA ["permit", airspace, owner]: rights that governance granted (liquidate, refresh configurations)."""
    return _find(program, b"permit", bytes(airspace), bytes(owner))


def position_token_address(margin_account: Pubkey, mint: Pubkey, *, program: Pubkey = GLOW_MARGIN) -> Pubkey:
    """PDA [margin account, mint]: the token account that ``register_position`` opens (a raw position uses the ATA)."""
    return _find(program, bytes(margin_account), bytes(mint))


def liquidation_address(margin_account: Pubkey, liquidator: Pubkey, *, program: Pubkey = GLOW_MARGIN) -> Pubkey:
    """PDA ["liquidation", margin account, liquidator]."""
    return _find(program, b"liquidation", bytes(margin_account), bytes(liquidator))


def constraint_ticket_address(margin_account: Pubkey, *, program: Pubkey = GLOW_MARGIN) -> Pubkey:
    """PDA ["margin-account-constraint", margin account]."""
    return _find(program, b"margin-account-constraint", bytes(margin_account))


def lookup_registry_address(authority: Pubkey, *, program: Pubkey = LOOKUP_TABLE_REGISTRY) -> Pubkey:
    """PDA [authority] of the registry program; a margin account is the authority of its own registry."""
    return _find(program, bytes(authority))
