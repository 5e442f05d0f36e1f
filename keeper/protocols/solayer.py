"""Solayer's restaking program: the stake pool's LST wrapped one to one into sSOL, and back.

Accounts, discriminators and the 1:1 ratio: shared facts, protocol.md 2.3 (executed there against the mainnet binary).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from keeper.protocols.addresses import (
    ASSOCIATED_TOKEN,
    LST_MINT,
    SOLAYER_RESTAKING,
    SPL_TOKEN,
    SSOL_MINT,
    SYSTEM,
)
from keeper.protocols.anchor import account_discriminator, instruction_discriminator
from keeper.protocols.layout import LayoutError, Reader, require_owner
from keeper.protocols.token import associated_token_address
from keeper.units import SSOL, STAKE_POOL_LST, Mint, TokenAmount, UnitError

RESTAKING_POOL_LENGTH = 74
RESTAKING_POOL_DISCRIMINATOR = account_discriminator("RestakingPool")
RESTAKE = instruction_discriminator("restake")
UNRESTAKE = instruction_discriminator("unrestake")

SOLAYER_ERRORS = MappingProxyType(
    {
        6000: "UnsupportedStakingAsset",
        6001: "NonZeroRstMintSupply",
        6002: "StakingAssetMintNotLiquid",
        6003: "StakingAssetMintMismatch",
    }
)
"""Custom codes. The facts give their meaning; the words are ours."""


@dataclass(frozen=True, slots=True)
class RestakingPool:
    """A restaking pool: which LST it takes, which token (RST, sSOL) it mints for it."""

    lst_mint: Pubkey
    rst_mint: Pubkey
    bump: int


def decode_restaking_pool(data: bytes, *, owner: Pubkey | None = None) -> RestakingPool:
    """Decode a pool account of 74 bytes; its owner is checked when given. Raises ``LayoutError``."""
    require_owner("restaking pool", owner, (SOLAYER_RESTAKING,))
    if len(data) != RESTAKING_POOL_LENGTH:
        raise LayoutError("restaking pool", "length", f"{RESTAKING_POOL_LENGTH} bytes", f"{len(data)} bytes")
    read = Reader(data, "restaking pool")
    read.discriminator(RESTAKING_POOL_DISCRIMINATOR)
    return RestakingPool(read.pubkey("lst_mint"), read.pubkey("rst_mint"), read.u8("bump"))


def restaking_pool_address(lst_mint: Pubkey = LST_MINT) -> Pubkey:
    """PDA ["pool", LST mint] of the restaking program."""
    return Pubkey.find_program_address([b"pool", bytes(lst_mint)], SOLAYER_RESTAKING)[0]


def lst_vault_address(lst_mint: Pubkey = LST_MINT) -> Pubkey:
    """The pool's own token account for the LST."""
    return associated_token_address(restaking_pool_address(lst_mint), lst_mint)


def _instruction(
    discriminator: bytes,
    *,
    signer: Pubkey,
    amount: TokenAmount,
    expected: Mint,
    lst_mint: Pubkey,
    rst_mint: Pubkey,
) -> Instruction:
    if amount.mint != expected:
        raise UnitError(f"this instruction takes {expected}, not {amount}")
    pool = restaking_pool_address(lst_mint)
    accounts = [
        AccountMeta(signer, is_signer=True, is_writable=True),
        AccountMeta(lst_mint, is_signer=False, is_writable=False),
        AccountMeta(associated_token_address(signer, lst_mint), is_signer=False, is_writable=True),
        AccountMeta(associated_token_address(signer, rst_mint), is_signer=False, is_writable=True),
        AccountMeta(rst_mint, is_signer=False, is_writable=True),
        AccountMeta(associated_token_address(pool, lst_mint), is_signer=False, is_writable=True),
        AccountMeta(pool, is_signer=False, is_writable=False),
        AccountMeta(ASSOCIATED_TOKEN, is_signer=False, is_writable=False),
        AccountMeta(SPL_TOKEN, is_signer=False, is_writable=False),
        AccountMeta(SYSTEM, is_signer=False, is_writable=False),
    ]
    return Instruction(SOLAYER_RESTAKING, discriminator + amount.as_u64().to_bytes(8, "little"), accounts)


def restake(
    signer: Pubkey, amount: TokenAmount, *, lst_mint: Pubkey = LST_MINT, rst_mint: Pubkey = SSOL_MINT
) -> Instruction:
    """Wrap ``amount`` of the stake pool's LST into as much sSOL; creates the signer's sSOL account when it is missing.

    Raises ``UnitError`` for an amount of another mint.
    """
    return _instruction(
        RESTAKE, signer=signer, amount=amount, expected=STAKE_POOL_LST, lst_mint=lst_mint, rst_mint=rst_mint
    )


def unrestake(
    signer: Pubkey, amount: TokenAmount, *, lst_mint: Pubkey = LST_MINT, rst_mint: Pubkey = SSOL_MINT
) -> Instruction:
    """Unwrap ``amount`` of sSOL into as much LST. Raises ``UnitError`` for an amount of another mint."""
    return _instruction(UNRESTAKE, signer=signer, amount=amount, expected=SSOL, lst_mint=lst_mint, rst_mint=rst_mint)


def quote_restake(amount: TokenAmount) -> TokenAmount:
    """sSOL for an amount of LST: one to one."""
    if amount.mint != STAKE_POOL_LST:
        raise UnitError(f"restaking takes {STAKE_POOL_LST}, not {amount}")
    return TokenAmount(SSOL, amount.units)


def quote_unrestake(amount: TokenAmount) -> TokenAmount:
    """LST for an amount of sSOL: one to one."""
    if amount.mint != SSOL:
        raise UnitError(f"unrestaking takes {SSOL}, not {amount}")
    return TokenAmount(STAKE_POOL_LST, amount.units)
