"""Instructions of the pool program: discriminators, arguments and accounts as in shared facts, protocol.md 4.5.

``margin_borrow``, ``margin_borrow_v2``, ``margin_repay``, ``margin_refresh_position``, ``register_loan`` and ``close_loan`` must
be called by the margin program (``glow_margin.invoke``), which signs for the margin account; the others may stand alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from keeper.protocols import metas
from keeper.protocols.addresses import GLOW_MARGIN_POOL, RENT_SYSVAR, SYSTEM, TOKEN_2022
from keeper.protocols.anchor import instruction_discriminator
from keeper.protocols.glow_margin_pool.change import ChangeKind
from keeper.protocols.glow_margin_pool.pda import loan_account_address
from keeper.protocols.lending import LendingPool
from keeper.protocols.token import associated_token_address
from keeper.units import TokenAmount, UnitError

DEPOSIT = instruction_discriminator("deposit")
WITHDRAW = instruction_discriminator("withdraw")
MARGIN_BORROW = instruction_discriminator("margin_borrow")
MARGIN_BORROW_V2 = instruction_discriminator("margin_borrow_v2")
MARGIN_REPAY = instruction_discriminator("margin_repay")
REPAY = instruction_discriminator("repay")
MARGIN_REFRESH_POSITION = instruction_discriminator("margin_refresh_position")
REGISTER_LOAN = instruction_discriminator("register_loan")
CLOSE_LOAN = instruction_discriminator("close_loan")
COLLECT = instruction_discriminator("collect")


def _token_mint(pool: LendingPool) -> Pubkey:
    return Pubkey.from_string(pool.mint.address)


def _amount(pool: LendingPool, amount: TokenAmount) -> bytes:
    if amount.mint != pool.mint:
        raise UnitError(f"the pool {pool.address} lends {pool.mint}, not {amount}")
    return amount.as_u64().to_bytes(8, "little")


def _change(discriminator: bytes, pool: LendingPool, change: ChangeKind, amount: TokenAmount) -> bytes:
    return discriminator + bytes([change]) + _amount(pool, amount)


def _instruction(program: Pubkey, data: bytes, accounts: Sequence[AccountMeta]) -> Instruction:
    return Instruction(program, data, list(accounts))


def deposit(
    pool: LendingPool,
    *,
    depositor: Pubkey,
    source: Pubkey,
    destination: Pubkey,
    amount: TokenAmount,
    change: ChangeKind = ChangeKind.SHIFT_BY,
    margin_account: Pubkey | None = None,
    program: Pubkey = GLOW_MARGIN_POOL,
) -> Instruction:
    """Move tokens from ``source`` (owned by ``depositor``) into the pool; notes go to the note account ``destination``.

    ``margin_account``: needed where the note is RESTRICTED; its owner must then be the depositor and it must own
    ``destination``. Raises ``UnitError`` for an amount of another token.
    """
    accounts = [
        metas.write(pool.address),
        metas.write(pool.vault),
        metas.write(pool.deposit_note_mint),
        metas.sign(depositor),
        metas.write(source),
        metas.read(_token_mint(pool)),
        metas.write(destination),
        metas.read(pool.token_program),
        metas.read(TOKEN_2022),
        metas.read(pool.deposit_metadata),
        metas.read(margin_account or program),
    ]
    return _instruction(program, _change(DEPOSIT, pool, change, amount), accounts)


def withdraw(
    pool: LendingPool,
    *,
    depositor: Pubkey,
    source: Pubkey,
    destination: Pubkey,
    amount: TokenAmount,
    change: ChangeKind = ChangeKind.SHIFT_BY,
    program: Pubkey = GLOW_MARGIN_POOL,
) -> Instruction:
    """Burn notes of ``source`` (owned by ``depositor``) for tokens to ``destination``, an account of the margin account or of
    its owner. The depositor's associated account for the token must exist, whether or not it is the destination.

    Raises ``UnitError`` for an amount of another token.
    """
    mint = _token_mint(pool)
    accounts = [
        metas.sign(depositor),
        metas.write(pool.address),
        metas.write(pool.vault),
        metas.write(pool.deposit_note_mint),
        metas.write(source),
        metas.write(destination),
        metas.read(associated_token_address(depositor, mint, pool.token_program)),
        metas.read(mint),
        metas.read(pool.token_program),
        metas.read(TOKEN_2022),
    ]
    return _instruction(program, _change(WITHDRAW, pool, change, amount), accounts)


def margin_borrow(
    pool: LendingPool,
    *,
    margin_account: Pubkey,
    deposit_account: Pubkey,
    amount: TokenAmount,
    change: ChangeKind = ChangeKind.SHIFT_BY,
    program: Pubkey = GLOW_MARGIN_POOL,
) -> Instruction:
    """Borrow into the margin account's deposit-note account. Raises ``UnitError`` for an amount of another token."""
    accounts = _against_deposit(pool, margin_account, deposit_account, program)
    return _instruction(program, _change(MARGIN_BORROW, pool, change, amount), accounts)


def margin_repay(
    pool: LendingPool,
    *,
    margin_account: Pubkey,
    deposit_account: Pubkey,
    amount: TokenAmount,
    change: ChangeKind = ChangeKind.SHIFT_BY,
    program: Pubkey = GLOW_MARGIN_POOL,
) -> Instruction:
    """Repay out of the margin account's deposit notes. Raises ``UnitError`` for an amount of another token."""
    accounts = _against_deposit(pool, margin_account, deposit_account, program)
    return _instruction(program, _change(MARGIN_REPAY, pool, change, amount), accounts)


def _against_deposit(
    pool: LendingPool, margin_account: Pubkey, deposit_account: Pubkey, program: Pubkey
) -> list[AccountMeta]:
    return [
        metas.sign(margin_account),
        metas.write(pool.address),
        metas.write(pool.loan_note_mint),
        metas.write(pool.deposit_note_mint),
        metas.write(loan_account_address(margin_account, pool.loan_note_mint, program)),
        metas.write(deposit_account),
        metas.read(TOKEN_2022),
    ]


def margin_borrow_v2(
    pool: LendingPool,
    *,
    margin_account: Pubkey,
    destination: Pubkey,
    amount: TokenAmount,
    program: Pubkey = GLOW_MARGIN_POOL,
) -> Instruction:
    """Borrow tokens into the token account ``destination``, whose owner the program does not check.

    Raises ``UnitError`` for an amount of another token.
    """
    accounts = [
        metas.sign(margin_account),
        metas.write(pool.address),
        metas.write(pool.vault),
        metas.write(pool.loan_note_mint),
        metas.read(_token_mint(pool)),
        metas.write(loan_account_address(margin_account, pool.loan_note_mint, program)),
        metas.write(destination),
        metas.read(pool.token_program),
        metas.read(TOKEN_2022),
    ]
    return _instruction(program, MARGIN_BORROW_V2 + _amount(pool, amount), accounts)


def repay(
    pool: LendingPool,
    *,
    margin_account: Pubkey,
    source: Pubkey,
    authority: Pubkey,
    amount: TokenAmount,
    change: ChangeKind = ChangeKind.SHIFT_BY,
    program: Pubkey = GLOW_MARGIN_POOL,
) -> Instruction:
    """Repay the margin account's loan out of the token account ``source``, which ``authority`` signs for.

    SET_DESTINATION_TO 0 does not quite repay everything: see ``changes.repay_amount``. Raises ``UnitError`` for an amount of
    another token.
    """
    accounts = [
        metas.write(pool.address),
        metas.write(pool.loan_note_mint),
        metas.read(_token_mint(pool)),
        metas.write(pool.vault),
        metas.write(loan_account_address(margin_account, pool.loan_note_mint, program)),
        metas.write(source),
        metas.sign(authority),
        metas.read(pool.token_program),
        metas.read(TOKEN_2022),
    ]
    return _instruction(program, _change(REPAY, pool, change, amount), accounts)


def margin_refresh_position(
    pool: LendingPool, *, margin_account: Pubkey, program: Pubkey = GLOW_MARGIN_POOL
) -> Instruction:
    """Give margin the prices of both notes. Accrues no interest: ``collect`` does."""
    accounts = [
        metas.read(margin_account),
        metas.read(pool.address),
        metas.read(pool.feed.price),
        metas.read(pool.feed.quote or program),
    ]
    return _instruction(program, MARGIN_REFRESH_POSITION, accounts)


def register_loan(
    pool: LendingPool, *, margin_account: Pubkey, payer: Pubkey, program: Pubkey = GLOW_MARGIN_POOL
) -> Instruction:
    """Create the margin account's loan-note account, paid by ``payer``, and register it as a position."""
    accounts = [
        metas.sign(margin_account),
        metas.read(pool.loan_config),
        metas.write(loan_account_address(margin_account, pool.loan_note_mint, program)),
        metas.read(pool.loan_note_mint),
        metas.read(pool.address),
        metas.sign(payer, writable=True),
        metas.read(TOKEN_2022),
        metas.read(SYSTEM),
        metas.read(RENT_SYSVAR),
    ]
    return _instruction(program, REGISTER_LOAN, accounts)


def close_loan(
    pool: LendingPool, *, margin_account: Pubkey, beneficiary: Pubkey, program: Pubkey = GLOW_MARGIN_POOL
) -> Instruction:
    """Close an empty loan-note account; its rent goes to ``beneficiary``, who signs."""
    accounts = [
        metas.sign(margin_account),
        metas.write(loan_account_address(margin_account, pool.loan_note_mint, program)),
        metas.read(pool.loan_note_mint),
        metas.read(pool.address),
        metas.sign(beneficiary, writable=True),
        metas.read(TOKEN_2022),
    ]
    return _instruction(program, CLOSE_LOAN, accounts)


def collect(pool: LendingPool, *, program: Pubkey = GLOW_MARGIN_POOL) -> Instruction:
    """Accrue up to seven days of interest; anyone may send it. The fees are minted once the pool is up to date."""
    accounts = [
        metas.write(pool.address),
        metas.write(pool.vault),
        metas.write(pool.fee_destination),
        metas.write(pool.deposit_note_mint),
        metas.read(TOKEN_2022),
    ]
    return _instruction(program, COLLECT, accounts)
