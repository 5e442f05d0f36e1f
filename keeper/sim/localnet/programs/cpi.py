"""Instructions of the real programs (System, SPL Token, ATA, Stake) that the models invoke, in their wire encoding."""

from __future__ import annotations

from functools import lru_cache

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from keeper.protocols.addresses import (
    ASSOCIATED_TOKEN,
    CLOCK_SYSVAR,
    SPL_TOKEN,
    STAKE,
    STAKE_HISTORY_SYSVAR,
    SYSTEM,
)
from keeper.sim.localnet.interface import AccountView, InvokeContext
from keeper.sim.localnet.programs.borsh import u32, u64

Seeds = tuple[bytes, ...]
"""Seeds of a PDA with its bump last, as ``invoke`` takes them."""


def writable(key: Pubkey, signer: bool = False) -> AccountMeta:
    return AccountMeta(key, signer, True)


def readonly(key: Pubkey, signer: bool = False) -> AccountMeta:
    return AccountMeta(key, signer, False)


# --- System -----------------------------------------------------------------------------------------------------------


def system_transfer(source: Pubkey, destination: Pubkey, lamports: int) -> Instruction:
    return Instruction(SYSTEM, u32(2) + u64(lamports), [writable(source, True), writable(destination)])


def create_program_account(
    ctx: InvokeContext,
    payer: AccountView,
    account: AccountView,
    size: int,
    seeds: Seeds,
    *,
    owner: Pubkey | None = None,
) -> None:
    """Create ``account``, a PDA of the calling program, with ``size`` bytes, rent-exempt at ``payer``'s cost. ``owner``: the
    program that it is given to, by default the calling one.

    As Anchor's ``init``: an address to which somebody sent lamports beforehand is topped up, allocated and assigned,
    so that a stray transfer cannot block it.
    """
    rent, program = ctx.rent_exempt(size), owner or ctx.program_id
    if account.lamports == 0:
        data = u32(0) + u64(rent) + u64(size) + bytes(program)
        ctx.invoke(Instruction(SYSTEM, data, [writable(payer.key, True), writable(account.key, True)]), [seeds])
        return
    if account.lamports < rent:
        ctx.invoke(system_transfer(payer.key, account.key, rent - account.lamports))
    ctx.invoke(Instruction(SYSTEM, u32(8) + u64(size), [writable(account.key, True)]), [seeds])
    ctx.invoke(Instruction(SYSTEM, u32(1) + bytes(program), [writable(account.key, True)]), [seeds])


# --- SPL Token --------------------------------------------------------------------------------------------------------


def token_transfer(source: Pubkey, destination: Pubkey, authority: Pubkey, amount: int) -> Instruction:
    metas = [writable(source), writable(destination), readonly(authority, True)]
    return Instruction(SPL_TOKEN, b"\x03" + u64(amount), metas)


def token_transfer_checked(
    source: Pubkey, mint: Pubkey, destination: Pubkey, authority: Pubkey, *, amount: int, decimals: int
) -> Instruction:
    metas = [writable(source), readonly(mint), writable(destination), readonly(authority, True)]
    return Instruction(SPL_TOKEN, b"\x0c" + u64(amount) + bytes([decimals]), metas)


def mint_to(mint: Pubkey, destination: Pubkey, authority: Pubkey, amount: int) -> Instruction:
    metas = [writable(mint), writable(destination), readonly(authority, True)]
    return Instruction(SPL_TOKEN, b"\x07" + u64(amount), metas)


def burn(account: Pubkey, mint: Pubkey, authority: Pubkey, amount: int) -> Instruction:
    metas = [writable(account), writable(mint), readonly(authority, True)]
    return Instruction(SPL_TOKEN, b"\x08" + u64(amount), metas)


@lru_cache(maxsize=4096)  # the search for an address off the curve is all that this costs
def associated_address(owner: Pubkey, mint: Pubkey) -> Pubkey:
    """The associated token account of ``owner`` for ``mint`` (legacy SPL Token)."""
    return Pubkey.find_program_address([bytes(owner), bytes(SPL_TOKEN), bytes(mint)], ASSOCIATED_TOKEN)[0]


def create_associated(payer: Pubkey, owner: Pubkey, mint: Pubkey, *, idempotent: bool = True) -> Instruction:
    metas = [
        writable(payer, True),
        writable(associated_address(owner, mint)),
        readonly(owner),
        readonly(mint),
        readonly(SYSTEM),
        readonly(SPL_TOKEN),
    ]
    return Instruction(ASSOCIATED_TOKEN, b"\x01" if idempotent else b"\x00", metas)


# --- Stake ------------------------------------------------------------------------------------------------------------


def stake_authorize(stake: Pubkey, authority: Pubkey, new_authority: Pubkey, *, withdrawer: bool) -> Instruction:
    data = u32(1) + bytes(new_authority) + u32(1 if withdrawer else 0)
    return Instruction(STAKE, data, [writable(stake), readonly(CLOCK_SYSVAR), readonly(authority, True)])


def stake_split(stake: Pubkey, split: Pubkey, authority: Pubkey, lamports: int) -> Instruction:
    return Instruction(STAKE, u32(3) + u64(lamports), [writable(stake), writable(split), readonly(authority, True)])


def stake_withdraw(stake: Pubkey, recipient: Pubkey, authority: Pubkey, lamports: int) -> Instruction:
    metas = [
        writable(stake),
        writable(recipient),
        readonly(CLOCK_SYSVAR),
        readonly(STAKE_HISTORY_SYSVAR),
        readonly(authority, True),
    ]
    return Instruction(STAKE, u32(4) + u64(lamports), metas)


def stake_merge(destination: Pubkey, source: Pubkey, authority: Pubkey) -> Instruction:
    metas = [
        writable(destination),
        writable(source),
        readonly(CLOCK_SYSVAR),
        readonly(STAKE_HISTORY_SYSVAR),
        readonly(authority, True),
    ]
    return Instruction(STAKE, u32(7), metas)
