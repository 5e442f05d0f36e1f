"""Instructions of the margin and airspace programs as the models define them, for the box's bots and the models' own tests.

Deliberately not ``keeper.protocols``, as in ``user_instructions``. Accounts: shared facts, protocol.md 3.7 and 3.8.
"""

from __future__ import annotations

from collections.abc import Sequence

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from keeper.protocols.addresses import (
    ASSOCIATED_TOKEN,
    GLOW_AIRSPACE,
    GLOW_MARGIN,
    RENT_SYSVAR,
    SPL_TOKEN,
    SYSTEM,
    WSOL_MINT,
)
from keeper.sim.localnet.lending_addresses import ADAPTER_CONFIGS, AIRSPACE, RawToken
from keeper.sim.localnet.programs.anchor import instruction_discriminator
from keeper.sim.localnet.programs.borsh import u8, u16, u32, u64
from keeper.sim.localnet.programs.cpi import readonly, writable
from keeper.sim.localnet.programs.glow_margin_config import (
    airspace_permit_address,
    permit_address,
    permit_issuer_address,
)
from keeper.sim.localnet.programs.glow_margin_liquidation_state import liquidation_address
from keeper.sim.localnet.programs.glow_margin_state import margin_account_address, position_token_address
from keeper.sim.localnet.programs.glow_margin_tokens import associated_address


def _margin(name: str, metas: Sequence[AccountMeta], arguments: bytes = b"") -> Instruction:
    return Instruction(GLOW_MARGIN, instruction_discriminator(name) + arguments, list(metas))


def _optional(key: Pubkey | None) -> AccountMeta:
    return readonly(key or GLOW_MARGIN)


def create_permit(owner: Pubkey) -> Instruction:
    """The airspace's permit for ``owner``, at their own request and cost."""
    metas = [
        writable(owner, True),
        readonly(owner, True),
        readonly(AIRSPACE),
        writable(airspace_permit_address(AIRSPACE, owner)[0]),
        readonly(permit_issuer_address(AIRSPACE, owner)),
        readonly(SYSTEM),
    ]
    return Instruction(GLOW_AIRSPACE, instruction_discriminator("airspace_permit_create") + bytes(owner), metas)


def create_account(owner: Pubkey, seed: int, features: int = 0) -> Instruction:
    metas = [
        readonly(owner, True),
        readonly(airspace_permit_address(AIRSPACE, owner)[0]),
        writable(owner, True),
        writable(margin_account_address(owner, AIRSPACE, seed)[0]),
        readonly(SYSTEM),
    ]
    return _margin("create_account", metas, u16(seed) + u16(features))


def close_account(owner: Pubkey, account: Pubkey) -> Instruction:
    return _margin("close_account", [readonly(owner, True), writable(owner), writable(account)])


def create_position(
    authority: Pubkey, account: Pubkey, mint: Pubkey, config: Pubkey, token_program: Pubkey = SPL_TOKEN
) -> Instruction:
    """create_deposit_position: a position in the account's associated token account, which must exist."""
    metas = [
        readonly(authority, True),
        writable(authority, True),
        writable(account),
        readonly(mint),
        readonly(config),
        readonly(associated_address(account, mint, token_program)),
        readonly(ASSOCIATED_TOKEN),
        readonly(token_program),
        readonly(RENT_SYSVAR),
        readonly(SYSTEM),
    ]
    return _margin("create_deposit_position", metas)


def register_position(
    authority: Pubkey, account: Pubkey, mint: Pubkey, config: Pubkey, token_program: Pubkey
) -> Instruction:
    """A position for deposit notes, in a token account of the margin program's own, which is created."""
    metas = [
        readonly(authority, True),
        writable(authority, True),
        writable(account),
        readonly(mint),
        readonly(config),
        writable(position_token_address(account, mint)[0]),
        readonly(token_program),
        readonly(RENT_SYSVAR),
        readonly(SYSTEM),
    ]
    return _margin("register_position", metas)


def close_position(
    authority: Pubkey, account: Pubkey, mint: Pubkey, tokens: Pubkey, token_program: Pubkey = SPL_TOKEN
) -> Instruction:
    metas = [
        readonly(authority, True),
        writable(authority),
        writable(account),
        readonly(mint),
        writable(tokens),
        readonly(token_program),
    ]
    return _margin("close_position", metas)


def update_balance(account: Pubkey, tokens: Pubkey) -> Instruction:
    return _margin("update_position_balance", [writable(account), readonly(tokens)])


def refresh_raw(account: Pubkey, token: RawToken) -> Instruction:
    """refresh_deposit_position with the token account, so that price and balance are both of now."""
    metas = [
        writable(account),
        readonly(token.config),
        readonly(token.price),
        _optional(token.quote),
        readonly(associated_address(account, token.mint, token.token_program)),
    ]
    return _margin("refresh_deposit_position", metas)


def transfer(owner: Pubkey, account: Pubkey, token: RawToken, amount: int, *, inward: bool) -> Instruction:
    """transfer_deposit between the owner's and the margin account's associated accounts."""
    wallet, position = (associated_address(who, token.mint, token.token_program) for who in (owner, account))
    source, destination = (wallet, position) if inward else (position, wallet)
    metas = [
        readonly(owner, True),
        writable(account),
        readonly(owner if inward else account),
        writable(source),
        writable(destination),
        readonly(token.mint),
        readonly(token.token_program),
    ]
    return _margin("transfer_deposit", metas, u64(amount))


def verify_healthy(account: Pubkey) -> Instruction:
    return _margin("verify_healthy", [readonly(account)])


# --- invokes ----------------------------------------------------------------------------------------------------------


def _packed(account: Pubkey, inners: Sequence[Instruction]) -> tuple[bytes, list[AccountMeta]]:
    """The inner instructions as data, and the accounts behind the fixed ones; the margin account's own signature is margin's
    to give."""
    data, metas = u32(len(inners)), []
    for inner in inners:
        data += u8(len(inner.accounts)) + u32(len(inner.data)) + bytes(inner.data)
        metas += [readonly(inner.program_id), readonly(ADAPTER_CONFIGS[inner.program_id])]
        metas += [
            AccountMeta(meta.pubkey, meta.is_signer and meta.pubkey != account, meta.is_writable)
            for meta in inner.accounts
        ]
    return data, metas


def adapter_invoke(owner: Pubkey, account: Pubkey, *inners: Instruction) -> Instruction:
    """Raises ``KeyError`` for a program that is no adapter of the market; so do the other two."""
    data, metas = _packed(account, inners)
    return _margin("adapter_invoke", [readonly(owner, True), writable(account), *metas], data)


def accounting_invoke(account: Pubkey, *inners: Instruction) -> Instruction:
    data, metas = _packed(account, inners)
    return _margin("accounting_invoke", [writable(account), *metas], data)


# --- liquidation ------------------------------------------------------------------------------------------------------


def liquidate_begin(liquidator: Pubkey, account: Pubkey) -> Instruction:
    metas = [
        writable(account),
        writable(liquidator, True),
        readonly(liquidator, True),
        readonly(permit_address(AIRSPACE, liquidator)),
        writable(liquidation_address(account, liquidator)[0]),
        readonly(SYSTEM),
    ]
    return _margin("liquidate_begin", metas)


def liquidator_invoke(liquidator: Pubkey, account: Pubkey, *inners: Instruction) -> Instruction:
    """The fee accrues in SOL."""
    data, metas = _packed(account, inners)
    fixed = [
        readonly(liquidator, True),
        writable(liquidation_address(account, liquidator)[0]),
        writable(account),
        readonly(WSOL_MINT),
        readonly(SPL_TOKEN),
    ]
    return _margin("liquidator_invoke", [*fixed, *metas], data)


def collect_fee(liquidator: Pubkey, account: Pubkey, token: RawToken) -> Instruction:
    """The accrued fee in ``token``, from the margin account's associated account to the liquidator's."""
    metas = [
        writable(account),
        writable(liquidator, True),
        writable(liquidation_address(account, liquidator)[0]),
        writable(associated_address(liquidator, token.mint, token.token_program)),
        writable(associated_address(account, token.mint, token.token_program)),
        readonly(token.mint),
        readonly(token.token_program),
        readonly(token.config),
        readonly(token.price),
        _optional(token.quote),
    ]
    return _margin("collect_liquidation_fee", metas)


def liquidate_end(liquidator: Pubkey, account: Pubkey) -> Instruction:
    liquidation = liquidation_address(account, liquidator)[0]
    return _margin("liquidate_end", [writable(liquidator, True), writable(account), writable(liquidation)])
