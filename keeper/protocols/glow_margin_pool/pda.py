"""Addresses of a lending pool, derived from its airspace and token (shared facts, protocol.md 4.1)."""

from __future__ import annotations

from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_MARGIN_POOL, GLOW_METADATA


def _derive(program: Pubkey, *seeds: bytes) -> Pubkey:
    return Pubkey.find_program_address(list(seeds), program)[0]


def pool_address(airspace: Pubkey, token_mint: Pubkey, program: Pubkey = GLOW_MARGIN_POOL) -> Pubkey:
    """PDA [airspace, token mint]: the pool that lends ``token_mint``."""
    return _derive(program, bytes(airspace), bytes(token_mint))


def vault_address(pool: Pubkey, program: Pubkey = GLOW_MARGIN_POOL) -> Pubkey:
    """PDA [pool, "vault"]: the token account with the pool's idle tokens."""
    return _derive(program, bytes(pool), b"vault")


def deposit_note_mint_address(pool: Pubkey, program: Pubkey = GLOW_MARGIN_POOL) -> Pubkey:
    """PDA [pool, "deposit-notes"]: a Token-2022 mint with the token's decimals."""
    return _derive(program, bytes(pool), b"deposit-notes")


def loan_note_mint_address(pool: Pubkey, program: Pubkey = GLOW_MARGIN_POOL) -> Pubkey:
    """PDA [pool, "loan-notes"]: a Token-2022 mint with the token's decimals."""
    return _derive(program, bytes(pool), b"loan-notes")


def fee_destination_address(pool: Pubkey, fee_owner: Pubkey, program: Pubkey = GLOW_MARGIN_POOL) -> Pubkey:
    """PDA [pool, fee owner, "margin-pool-fee-destination"]: where ``collect`` mints the fee notes."""
    return _derive(program, bytes(pool), bytes(fee_owner), b"margin-pool-fee-destination")


def loan_account_address(margin_account: Pubkey, loan_note_mint: Pubkey, program: Pubkey = GLOW_MARGIN_POOL) -> Pubkey:
    """PDA [margin account, loan-note mint]: the margin account's debt, a token account that the pool owns."""
    return _derive(program, bytes(margin_account), bytes(loan_note_mint))


def metadata_address(airspace: Pubkey, key: Pubkey, program: Pubkey = GLOW_METADATA) -> Pubkey:
    """PDA [airspace, mint] of the metadata program: of a token, or of one of its notes."""
    return _derive(program, bytes(airspace), bytes(key))
