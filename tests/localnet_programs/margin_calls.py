"""Addresses of the margin tests, and the programs' instructions encoded by hand from the facts (protocol.md 3.7, 3.8).

Not the keeper's builders, so that these tests hold the model alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.protocols.addresses import (
    ASSOCIATED_TOKEN,
    GLOW_AIRSPACE,
    GLOW_MARGIN,
    GLOW_MARGIN_POOL,
    RENT_SYSVAR,
    SPL_TOKEN,
    SYSTEM,
    TOKEN_2022,
)
from keeper.sim.localnet.programs.anchor import instruction_discriminator
from keeper.sim.localnet.programs.borsh import u16, u32, u64
from keeper.sim.localnet.programs.glow_margin_liquidation_state import liquidation_address
from keeper.sim.localnet.programs.glow_margin_state import (
    adapter_config_address,
    airspace_address,
    airspace_permit_address,
    margin_account_address,
    permit_address,
    permit_issuer_address,
    position_token_address,
    token_config_address,
)
from keeper.sim.localnet.programs.glow_margin_tokens import associated_address

SOL = 10**9
RATE_FEED = bytes(31) + b"\x07"
AIRSPACE = airspace_address("default")
NOT_OURS = airspace_address("elsewhere")


def keypair(tag: int) -> Keypair:
    return Keypair.from_seed(bytes([tag]) * 32)


def key(tag: int) -> Pubkey:
    return Pubkey.from_bytes(bytes([tag]) * 31 + b"\x03")


OWNER, LIQUIDATOR, STRANGER = keypair(11), keypair(12), keypair(13)
GLOWSOL, NOTE, LOAN = key(21), key(22), key(23)
RATE_ACCOUNT, QUOTE_ACCOUNT = key(31), key(32)
MARGIN, MARGIN_BUMP = margin_account_address(OWNER.pubkey(), AIRSPACE, 0)
RAW = associated_address(MARGIN, GLOWSOL, SPL_TOKEN)
WALLET_RAW = associated_address(OWNER.pubkey(), GLOWSOL, SPL_TOKEN)
NOTES = position_token_address(MARGIN, NOTE)[0]
LOAN_NOTES = key(41)

Inner = tuple[Pubkey, bytes, Sequence[AccountMeta]]


def write(account: Pubkey, signer: bool = False) -> AccountMeta:
    return AccountMeta(account, signer, True)


def read(account: Pubkey, signer: bool = False) -> AccountMeta:
    return AccountMeta(account, signer, False)


def call(name: str, metas: Sequence[AccountMeta], args: bytes = b"", program: Pubkey = GLOW_MARGIN) -> Instruction:
    return Instruction(program, instruction_discriminator(name) + args, list(metas))


# --- instructions -----------------------------------------------------------------------------------------------------


def create_permit(owner: Pubkey, authority: Pubkey, airspace: Pubkey = AIRSPACE) -> Instruction:
    metas = [
        write(authority, True),
        read(authority, True),
        read(airspace),
        write(airspace_permit_address(airspace, owner)[0]),
        read(permit_issuer_address(airspace, authority)),
        read(SYSTEM),
    ]
    return call("airspace_permit_create", metas, bytes(owner), GLOW_AIRSPACE)


def create_account(owner: Pubkey, *, seed: int = 0, features: int = 0) -> Instruction:
    permit = airspace_permit_address(AIRSPACE, owner)[0]
    account = margin_account_address(owner, AIRSPACE, seed)[0]
    metas = [read(owner, True), read(permit), write(owner, True), write(account), read(SYSTEM)]
    return call("create_account", metas, u16(seed) + u16(features))


def close_account(owner: Pubkey, account: Pubkey = MARGIN) -> Instruction:
    return call("close_account", [read(owner, True), write(owner), write(account)])


def register_position(authority: Pubkey, mint: Pubkey, program: Pubkey = TOKEN_2022) -> Instruction:
    metas = [
        read(authority, True),
        write(authority, True),
        write(MARGIN),
        read(mint),
        read(token_config_address(AIRSPACE, mint)),
        write(position_token_address(MARGIN, mint)[0]),
        read(program),
        read(RENT_SYSVAR),
        read(SYSTEM),
    ]
    return call("register_position", metas)


def create_deposit_position(
    authority: Pubkey, mint: Pubkey, account: Pubkey, *, program: Pubkey = SPL_TOKEN, margin: Pubkey = MARGIN
) -> Instruction:
    metas = [
        read(authority, True),
        write(authority, True),
        write(margin),
        read(mint),
        read(token_config_address(AIRSPACE, mint)),
        read(account),
        read(ASSOCIATED_TOKEN),
        read(program),
        read(RENT_SYSVAR),
        read(SYSTEM),
    ]
    return call("create_deposit_position", metas)


def close_position(authority: Pubkey, mint: Pubkey, account: Pubkey, program: Pubkey = SPL_TOKEN) -> Instruction:
    metas = [read(authority, True), write(authority), write(MARGIN), read(mint), write(account), read(program)]
    return call("close_position", metas)


def refresh(*, quote: bool = True, token_account: Pubkey | None = None, mint: Pubkey = GLOWSOL) -> Instruction:
    metas = [
        write(MARGIN),
        read(token_config_address(AIRSPACE, mint)),
        read(RATE_ACCOUNT),
        read(QUOTE_ACCOUNT if quote else GLOW_MARGIN),
    ]
    return call("refresh_deposit_position", metas + ([read(token_account)] if token_account else []))


def update_balance(account: Pubkey) -> Instruction:
    return call("update_position_balance", [write(MARGIN), read(account)])


def refresh_config(mint: Pubkey, refresher: Pubkey, permit: Pubkey | None = None) -> Instruction:
    held = permit_address(AIRSPACE, refresher) if permit is None else permit
    return call(
        "refresh_position_config",
        [write(MARGIN), read(token_config_address(AIRSPACE, mint)), read(held), read(refresher, True)],
    )


def transfer_deposit(source: Pubkey, destination: Pubkey, amount: int, *, source_owner: Pubkey) -> Instruction:
    owner = OWNER.pubkey()
    metas = [
        read(owner, True),
        write(MARGIN),
        read(source_owner, source_owner == owner),
        write(source),
        write(destination),
        read(GLOWSOL),
        read(SPL_TOKEN),
    ]
    return call("transfer_deposit", metas, u64(amount))


def withdraw_raw(amount: int) -> Instruction:
    return transfer_deposit(RAW, WALLET_RAW, amount, source_owner=MARGIN)


def verify_healthy() -> Instruction:
    return call("verify_healthy", [read(MARGIN)])


def verify_unhealthy() -> Instruction:
    return call("verify_unhealthy", [read(MARGIN)])


def _invoke(name: str, metas: Sequence[AccountMeta], inners: Sequence[Inner]) -> Instruction:
    data = u32(len(inners))
    accounts = list(metas)
    for program, payload, inner in inners:
        data += bytes([len(inner)]) + u32(len(payload)) + payload
        accounts += [read(program), read(adapter_config_address(AIRSPACE, program)), *inner]
    return call(name, accounts, data)


def adapter_invoke(*inners: Inner, owner: Pubkey | None = None) -> Instruction:
    signer = OWNER.pubkey() if owner is None else owner
    return _invoke("adapter_invoke", [read(signer, True), write(MARGIN)], inners)


def accounting_invoke(*inners: Inner) -> Instruction:
    return _invoke("accounting_invoke", [write(MARGIN)], inners)


def pool_call(*metas: AccountMeta, data: bytes = b"go") -> Inner:
    """An inner call of the scripted pool, which sees the margin account first."""
    return (GLOW_MARGIN_POOL, data, [read(MARGIN), *metas])


def liquidate_begin(liquidator: Pubkey, permit: Pubkey | None = None) -> Instruction:
    metas = [
        write(MARGIN),
        write(liquidator, True),
        read(liquidator, True),
        read(permit_address(AIRSPACE, liquidator) if permit is None else permit),
        write(liquidation_address(MARGIN, liquidator)[0]),
        read(SYSTEM),
    ]
    return call("liquidate_begin", metas)


def liquidator_invoke(liquidator: Pubkey, *inners: Inner, fee_mint: Pubkey = GLOWSOL) -> Instruction:
    liquidation = liquidation_address(MARGIN, liquidator)[0]
    metas = [read(liquidator, True), write(liquidation), write(MARGIN), read(fee_mint), read(SPL_TOKEN)]
    return _invoke("liquidator_invoke", metas, inners)


def collect_fee(liquidator: Pubkey, target: Pubkey, mint: Pubkey = GLOWSOL) -> Instruction:
    metas = [
        write(MARGIN),
        write(liquidator, True),
        write(liquidation_address(MARGIN, liquidator)[0]),
        write(target),
        write(RAW),
        read(mint),
        read(SPL_TOKEN),
        read(token_config_address(AIRSPACE, mint)),
        read(RATE_ACCOUNT),
        read(QUOTE_ACCOUNT),
    ]
    return call("collect_liquidation_fee", metas)


def liquidate_end(authority: Pubkey, liquidator: Pubkey) -> Instruction:
    liquidation = liquidation_address(MARGIN, liquidator)[0]
    return call("liquidate_end", [write(authority, True), write(MARGIN), write(liquidation)])
