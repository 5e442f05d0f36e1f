"""Anchor's conventions: discriminators, framework errors and the account constraints the models check.

Source: anchor-lang ``error.rs`` for the codes; the hashes as in the shared facts (protocol.md, number conventions).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from hashlib import sha256

from solders.pubkey import Pubkey

from keeper.protocols.addresses import SPL_TOKEN
from keeper.sim.localnet.interface import AccountView, InvokeContext, ProgramError
from keeper.sim.localnet.programs.native_state import TokenBalanceState, read_token_account


class AnchorError(IntEnum):
    """Framework codes that the models raise."""

    INSTRUCTION_FALLBACK_NOT_FOUND = 101
    INSTRUCTION_DID_NOT_DESERIALIZE = 102
    CONSTRAINT_MUT = 2000
    CONSTRAINT_HAS_ONE = 2001
    CONSTRAINT_RAW = 2003
    CONSTRAINT_SEEDS = 2006
    CONSTRAINT_ASSOCIATED = 2009
    CONSTRAINT_ADDRESS = 2012
    CONSTRAINT_TOKEN_MINT = 2014
    CONSTRAINT_TOKEN_OWNER = 2015
    ACCOUNT_DISCRIMINATOR_MISMATCH = 3002
    ACCOUNT_DID_NOT_DESERIALIZE = 3003
    ACCOUNT_NOT_ENOUGH_KEYS = 3005
    ACCOUNT_OWNED_BY_WRONG_PROGRAM = 3007
    INVALID_PROGRAM_ID = 3008
    ACCOUNT_NOT_SIGNER = 3010
    ACCOUNT_NOT_INITIALIZED = 3012

    def error(self, subject: str = "") -> ProgramError:
        """``subject``: the account's or instruction's name, for the log."""
        name = "".join(word.capitalize() for word in self.name.split("_"))
        return ProgramError.custom(self.value, f"{name}: {subject}" if subject else name)


def instruction_discriminator(name: str) -> bytes:
    return sha256(f"global:{name}".encode()).digest()[:8]


def account_discriminator(name: str) -> bytes:
    return sha256(f"account:{name}".encode()).digest()[:8]


def event_discriminator(name: str) -> bytes:
    return sha256(f"event:{name}".encode()).digest()[:8]


def take_accounts(ctx: InvokeContext, count: int) -> Sequence[AccountView]:
    """The first ``count`` accounts. Raises 3005 AccountNotEnoughKeys."""
    if len(ctx.accounts) < count:
        raise AnchorError.ACCOUNT_NOT_ENOUGH_KEYS.error()
    return ctx.accounts[:count]


def require_signer(account: AccountView, name: str) -> None:
    if not account.is_signer:
        raise AnchorError.ACCOUNT_NOT_SIGNER.error(name)


def require_key(account: AccountView, expected: Pubkey, name: str) -> None:
    """has_one: the account must be the one that the state names."""
    if account.key != expected:
        raise AnchorError.CONSTRAINT_HAS_ONE.error(name)


def require_program(account: AccountView, program: Pubkey, name: str) -> None:
    if account.key != program:
        raise AnchorError.INVALID_PROGRAM_ID.error(name)


def require_token_program(account: AccountView) -> None:
    require_program(account, SPL_TOKEN, "token_program")


def state_bytes(account: AccountView, program: Pubkey, discriminator: bytes, name: str) -> bytes:
    """Data of a program's own account after owner and discriminator. Raises 3012, 3007 or 3002."""
    if not account.exists():
        raise AnchorError.ACCOUNT_NOT_INITIALIZED.error(name)
    if account.owner != program:
        raise AnchorError.ACCOUNT_OWNED_BY_WRONG_PROGRAM.error(name)
    data = account.data
    if data[:8] != discriminator:
        raise AnchorError.ACCOUNT_DISCRIMINATOR_MISMATCH.error(name)
    return data


def token_account(account: AccountView, mint: Pubkey, name: str, owner: Pubkey | None = None) -> TokenBalanceState:
    """A token account of ``mint`` (and ``owner``). Raises 3012, 3007, 2014 or 2015."""
    if not account.exists():
        raise AnchorError.ACCOUNT_NOT_INITIALIZED.error(name)
    if account.owner != SPL_TOKEN:
        raise AnchorError.ACCOUNT_OWNED_BY_WRONG_PROGRAM.error(name)
    state = read_token_account(account)
    if state.mint != mint:
        raise AnchorError.CONSTRAINT_TOKEN_MINT.error(name)
    if owner is not None and state.owner != owner:
        raise AnchorError.CONSTRAINT_TOKEN_OWNER.error(name)
    return state
