"""Instructions of the margin-pool program as the model defines them, for the box's bots and the models' own tests.

Deliberately not ``keeper.protocols``: the keeper's builders are held against the models, so the models' side is its own.
"""

from __future__ import annotations

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_MARGIN_POOL, RENT_SYSVAR, SYSTEM, TOKEN_2022
from keeper.sim.localnet.lending_addresses import LendingPoolAddresses
from keeper.sim.localnet.programs.borsh import u8, u64
from keeper.sim.localnet.programs.cpi import readonly, writable
from keeper.sim.localnet.programs.glow_margin_pool import INSTRUCTIONS
from keeper.sim.localnet.programs.glow_margin_pool_accounts import loan_account_address
from keeper.sim.localnet.programs.glow_margin_pool_exchange import ChangeKind
from keeper.sim.localnet.programs.glow_margin_tokens import associated_address

Pool = LendingPoolAddresses
SHIFT = ChangeKind.SHIFT_BY


def loan_account(pool: Pool, margin_account: Pubkey) -> Pubkey:
    return loan_account_address(margin_account, pool.loan_note_mint)[0]


def _change(name: str, kind: ChangeKind, amount: int) -> bytes:
    return INSTRUCTIONS[name] + u8(kind) + u64(amount)


def deposit(
    pool: Pool,
    depositor: Pubkey,
    *,
    source: Pubkey,
    notes: Pubkey,
    amount: int,
    kind: ChangeKind = SHIFT,
    margin_account: Pubkey | None = None,
) -> Instruction:
    """Tokens of ``depositor`` into the pool, notes to ``notes``. ``margin_account``: only for restricted notes."""
    metas = [
        writable(pool.pool),
        writable(pool.vault),
        writable(pool.deposit_note_mint),
        readonly(depositor, True),
        writable(source),
        readonly(pool.mint),
        writable(notes),
        readonly(pool.token_program),
        readonly(TOKEN_2022),
        readonly(pool.deposit_metadata),
        readonly(margin_account or GLOW_MARGIN_POOL),
    ]
    return Instruction(GLOW_MARGIN_POOL, _change("deposit", kind, amount), metas)


def withdraw(
    pool: Pool, depositor: Pubkey, *, notes: Pubkey, destination: Pubkey, amount: int, kind: ChangeKind = SHIFT
) -> Instruction:
    metas = [
        readonly(depositor, True),
        writable(pool.pool),
        writable(pool.vault),
        writable(pool.deposit_note_mint),
        writable(notes),
        writable(destination),
        readonly(associated_address(depositor, pool.mint, pool.token_program)),
        readonly(pool.mint),
        readonly(pool.token_program),
        readonly(TOKEN_2022),
    ]
    return Instruction(GLOW_MARGIN_POOL, _change("withdraw", kind, amount), metas)


def margin_borrow(
    pool: Pool, margin_account: Pubkey, *, notes: Pubkey, amount: int, kind: ChangeKind = SHIFT
) -> Instruction:
    return _against_notes(_change("margin_borrow", kind, amount), pool, margin_account, notes)


def margin_repay(
    pool: Pool, margin_account: Pubkey, *, notes: Pubkey, amount: int, kind: ChangeKind = SHIFT
) -> Instruction:
    return _against_notes(_change("margin_repay", kind, amount), pool, margin_account, notes)


def _against_notes(data: bytes, pool: Pool, margin_account: Pubkey, notes: Pubkey) -> Instruction:
    metas = [
        readonly(margin_account, True),
        writable(pool.pool),
        writable(pool.loan_note_mint),
        writable(pool.deposit_note_mint),
        writable(loan_account(pool, margin_account)),
        writable(notes),
        readonly(TOKEN_2022),
    ]
    return Instruction(GLOW_MARGIN_POOL, data, metas)


def margin_borrow_v2(pool: Pool, margin_account: Pubkey, *, destination: Pubkey, amount: int) -> Instruction:
    metas = [
        readonly(margin_account, True),
        writable(pool.pool),
        writable(pool.vault),
        writable(pool.loan_note_mint),
        readonly(pool.mint),
        writable(loan_account(pool, margin_account)),
        writable(destination),
        readonly(pool.token_program),
        readonly(TOKEN_2022),
    ]
    return Instruction(GLOW_MARGIN_POOL, INSTRUCTIONS["margin_borrow_v2"] + u64(amount), metas)


def repay(
    pool: Pool, margin_account: Pubkey, *, payer: Pubkey, source: Pubkey, amount: int, kind: ChangeKind = SHIFT
) -> Instruction:
    metas = [
        writable(pool.pool),
        writable(pool.loan_note_mint),
        readonly(pool.mint),
        writable(pool.vault),
        writable(loan_account(pool, margin_account)),
        writable(source),
        readonly(payer, True),
        readonly(pool.token_program),
        readonly(TOKEN_2022),
    ]
    return Instruction(GLOW_MARGIN_POOL, _change("repay", kind, amount), metas)


def refresh(pool: Pool, margin_account: Pubkey) -> Instruction:
    """margin_refresh_position."""
    metas = [
        readonly(margin_account),
        readonly(pool.pool),
        readonly(pool.price),
        readonly(pool.quote or GLOW_MARGIN_POOL),
    ]
    return Instruction(GLOW_MARGIN_POOL, INSTRUCTIONS["margin_refresh_position"], metas)


def register_loan(pool: Pool, margin_account: Pubkey, payer: Pubkey) -> Instruction:
    metas = [
        readonly(margin_account, True),
        readonly(pool.loan_config),
        writable(loan_account(pool, margin_account)),
        readonly(pool.loan_note_mint),
        readonly(pool.pool),
        writable(payer, True),
        readonly(TOKEN_2022),
        readonly(SYSTEM),
        readonly(RENT_SYSVAR),
    ]
    return Instruction(GLOW_MARGIN_POOL, INSTRUCTIONS["register_loan"], metas)


def close_loan(pool: Pool, margin_account: Pubkey, beneficiary: Pubkey) -> Instruction:
    metas = [
        readonly(margin_account, True),
        writable(loan_account(pool, margin_account)),
        readonly(pool.loan_note_mint),
        readonly(pool.pool),
        writable(beneficiary, True),
        readonly(TOKEN_2022),
    ]
    return Instruction(GLOW_MARGIN_POOL, INSTRUCTIONS["close_loan"], metas)


def collect(pool: Pool) -> Instruction:
    metas = [
        writable(pool.pool),
        writable(pool.vault),
        writable(pool.fee_destination),
        writable(pool.deposit_note_mint),
        readonly(TOKEN_2022),
    ]
    return Instruction(GLOW_MARGIN_POOL, INSTRUCTIONS["collect"], metas)
