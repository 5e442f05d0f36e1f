"""Addresses of the margin-pool program, and the small accounts around a pool.

Source: shared facts, protocol.md 4.1 and 4.5.
"""

from __future__ import annotations

from dataclasses import dataclass

from solders.pubkey import Pubkey

from keeper.protocols.addresses import (
    GLOW_MARGIN,
    GLOW_MARGIN_POOL,
    GLOW_METADATA,
)
from keeper.sim.localnet.interface import AccountView
from keeper.sim.localnet.programs.anchor import AnchorError, account_discriminator
from keeper.sim.localnet.programs.borsh import Reader, u8, u16, u64
from keeper.sim.localnet.programs.glow_margin_config import Oracle, encode_oracle
from keeper.sim.localnet.programs.glow_margin_state import MARGIN_ACCOUNT_DISCRIMINATOR, MarginAccount

POSITION_METADATA = account_discriminator("PositionTokenMetadata")
TOKEN_METADATA = account_discriminator("TokenMetadata")


def _pool_pda(*seeds: bytes) -> tuple[Pubkey, int]:
    return Pubkey.find_program_address(list(seeds), GLOW_MARGIN_POOL)


def pool_address(airspace: Pubkey, mint: Pubkey) -> tuple[Pubkey, int]:
    return _pool_pda(bytes(airspace), bytes(mint))


def vault_address(pool: Pubkey) -> Pubkey:
    return _pool_pda(bytes(pool), b"vault")[0]


def deposit_note_mint_address(pool: Pubkey) -> Pubkey:
    return _pool_pda(bytes(pool), b"deposit-notes")[0]


def loan_note_mint_address(pool: Pubkey) -> Pubkey:
    return _pool_pda(bytes(pool), b"loan-notes")[0]


def fee_destination_address(pool: Pubkey, fee_owner: Pubkey) -> Pubkey:
    return _pool_pda(bytes(pool), bytes(fee_owner), b"margin-pool-fee-destination")[0]


def loan_account_address(margin_account: Pubkey, loan_note_mint: Pubkey) -> tuple[Pubkey, int]:
    return _pool_pda(bytes(margin_account), bytes(loan_note_mint))


def metadata_address(airspace: Pubkey, key: Pubkey) -> Pubkey:
    return Pubkey.find_program_address([bytes(airspace), bytes(key)], GLOW_METADATA)[0]


@dataclass(frozen=True, slots=True)
class PositionTokenMetadata:
    """What the metadata program keeps of a note. ``token_kind``: 0 not collateral, 1 collateral, 2 claim, 3 of an adapter."""

    airspace: Pubkey
    position_token_mint: Pubkey
    underlying_token_mint: Pubkey
    adapter_program: Pubkey
    token_program: Pubkey
    token_kind: int
    value_modifier: int
    max_staleness: int
    token_features: int = 0
    version: int = 2

    @classmethod
    def decode(cls, data: bytes) -> PositionTokenMetadata:
        reader = Reader(data, 8, error=AnchorError.ACCOUNT_DID_NOT_DESERIALIZE.error("deposit_metadata"))
        airspace, note, underlying, adapter, program = (reader.key() for _ in range(5))
        kind, modifier, staleness = reader.u8(), reader.u16(), reader.u64()
        features, version = reader.u16(), reader.u8()
        return cls(airspace, note, underlying, adapter, program, kind, modifier, staleness, features, version)

    def encode(self) -> bytes:
        keys = (
            self.airspace,
            self.position_token_mint,
            self.underlying_token_mint,
            self.adapter_program,
            self.token_program,
        )
        numbers = u8(self.token_kind) + u16(self.value_modifier) + u64(self.max_staleness)
        tail = u16(self.token_features) + u8(self.version) + bytes(64)
        return POSITION_METADATA + b"".join(bytes(key) for key in keys) + numbers + tail


def encode_token_metadata(airspace: Pubkey, mint: Pubkey, oracle: Oracle) -> bytes:
    return TOKEN_METADATA + bytes(airspace) + bytes(mint) + encode_oracle(oracle)


def maybe_margin_account(view: AccountView) -> MarginAccount | None:
    """The margin account, if ``view`` is one at all. Raises Anchor's 3003 for one of another length."""
    if view.owner != GLOW_MARGIN or view.data[:8] != MARGIN_ACCOUNT_DISCRIMINATOR:
        return None
    return MarginAccount.decode(view.data)
