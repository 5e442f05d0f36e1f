"""What an instruction asks for an account: read it, write it, its signature, or both of the last."""

from __future__ import annotations

from solders.instruction import AccountMeta
from solders.pubkey import Pubkey


def read(key: Pubkey) -> AccountMeta:
    """The account is read."""
    return AccountMeta(key, is_signer=False, is_writable=False)


def write(key: Pubkey) -> AccountMeta:
    """The account is written."""
    return AccountMeta(key, is_signer=False, is_writable=True)


def sign(key: Pubkey, *, writable: bool = False) -> AccountMeta:
    """The account signs, and is written where ``writable``."""
    return AccountMeta(key, is_signer=True, is_writable=writable)


def pay(key: Pubkey) -> AccountMeta:
    """The account signs, and its lamports are spent."""
    return sign(key, writable=True)
