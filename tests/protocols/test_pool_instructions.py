"""Instructions of the pool program against the facts' table 4.5, account by account, written as it is written there."""

from dataclasses import replace

import pytest
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_MARGIN_POOL, RENT_SYSVAR, SYSTEM, TOKEN_2022, WSOL_MINT
from keeper.protocols.errors import ProgramErrors, explain
from keeper.protocols.glow_margin_pool import POOL_ERRORS, ChangeKind, instructions, loan_account_address
from keeper.protocols.lending import PriceFeed
from keeper.protocols.token import associated_token_address
from keeper.units import SOL, SSOL, TokenAmount, UnitError
from tests.protocols.account_bytes import key
from tests.protocols.pool_bytes import FEED, POOL, QUOTE_FEED

MARGIN, WALLET, TOKENS, NOTES = key(30), key(31), key(32), key(33)
SIX = TokenAmount(SOL, 6)
WHO: dict[str, Pubkey] = {
    "pool": POOL.address,
    "vault": POOL.vault,
    "deposit_note_mint": POOL.deposit_note_mint,
    "loan_note_mint": POOL.loan_note_mint,
    "token_mint": WSOL_MINT,
    "mint_token_program": POOL.token_program,
    "pool_token_program": TOKEN_2022,
    "deposit_metadata": POOL.deposit_metadata,
    "loan_token_config": POOL.loan_config,
    "fee_destination": POOL.fee_destination,
    "loan_account": loan_account_address(MARGIN, POOL.loan_note_mint),
    "destination_ata": associated_token_address(MARGIN, WSOL_MINT, POOL.token_program),
    "price_oracle": POOL.feed.price,
    "absent": GLOW_MARGIN_POOL,
    "margin_account": MARGIN,
    "wallet": WALLET,
    "tokens": TOKENS,
    "notes": NOTES,
    "system": SYSTEM,
    "rent": RENT_SYSVAR,
}
TABLE: dict[str, tuple[Instruction, str, str]] = {
    "deposit": (
        instructions.deposit(POOL, depositor=WALLET, source=TOKENS, destination=NOTES, amount=SIX),
        "f223c68952e1f2b6 02 0600000000000000",
        "pool[W] vault[W] deposit_note_mint[W] wallet[S] tokens[W] token_mint[] notes[W] mint_token_program[] "
        "pool_token_program[] deposit_metadata[] absent[]",
    ),
    "withdraw": (
        instructions.withdraw(
            POOL, depositor=MARGIN, source=NOTES, destination=TOKENS, amount=SIX, change=ChangeKind.SET_SOURCE_TO
        ),
        "b712469c946da122 00 0600000000000000",
        "margin_account[S] pool[W] vault[W] deposit_note_mint[W] notes[W] tokens[W] destination_ata[] token_mint[] "
        "mint_token_program[] pool_token_program[]",
    ),
    "margin_borrow": (
        instructions.margin_borrow(POOL, margin_account=MARGIN, deposit_account=NOTES, amount=SIX),
        "26532e3524a53441 02 0600000000000000",
        "margin_account[S] pool[W] loan_note_mint[W] deposit_note_mint[W] loan_account[W] notes[W] pool_token_program[]",
    ),
    "margin_borrow_v2": (
        instructions.margin_borrow_v2(POOL, margin_account=MARGIN, destination=TOKENS, amount=SIX),
        "91534eb4c2ef0223 0600000000000000",
        "margin_account[S] pool[W] vault[W] loan_note_mint[W] token_mint[] loan_account[W] tokens[W] mint_token_program[] "
        "pool_token_program[]",
    ),
    "margin_repay": (
        instructions.margin_repay(
            POOL, margin_account=MARGIN, deposit_account=NOTES, amount=SIX, change=ChangeKind.SET_DESTINATION_TO
        ),
        "a02f25ae2537319a 01 0600000000000000",
        "margin_account[S] pool[W] loan_note_mint[W] deposit_note_mint[W] loan_account[W] notes[W] pool_token_program[]",
    ),
    "repay": (
        instructions.repay(POOL, margin_account=MARGIN, source=TOKENS, authority=WALLET, amount=SIX),
        "ea674352d0eadba6 02 0600000000000000",
        "pool[W] loan_note_mint[W] token_mint[] vault[W] loan_account[W] tokens[W] wallet[S] mint_token_program[] "
        "pool_token_program[]",
    ),
    "margin_refresh_position": (
        instructions.margin_refresh_position(POOL, margin_account=MARGIN),
        "e7cd5e0330ee5ee6",
        "margin_account[] pool[] price_oracle[] absent[]",
    ),
    "register_loan": (
        instructions.register_loan(POOL, margin_account=MARGIN, payer=WALLET),
        "04a665d7150ad7cf",
        "margin_account[S] loan_token_config[] loan_account[W] loan_note_mint[] pool[] wallet[WS] pool_token_program[] "
        "system[] rent[]",
    ),
    "close_loan": (
        instructions.close_loan(POOL, margin_account=MARGIN, beneficiary=WALLET),
        "60726fcc95e4eb7c",
        "margin_account[S] loan_account[W] loan_note_mint[] pool[] wallet[WS] pool_token_program[]",
    ),
    "collect": (
        instructions.collect(POOL),
        "d02fc29b116252ec",
        "pool[W] vault[W] fee_destination[W] deposit_note_mint[W] pool_token_program[]",
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_the_table_of_instructions(name: str) -> None:
    made, data, accounts = TABLE[name]
    assert made.program_id == GLOW_MARGIN_POOL
    assert made.data == bytes.fromhex(data.replace(" ", ""))
    wanted = [entry.rstrip("]").split("[") for entry in accounts.split()]
    assert [(meta.pubkey, meta.is_writable, meta.is_signer) for meta in made.accounts] == [
        (WHO[who], "W" in flags, "S" in flags) for who, flags in wanted
    ]


def test_a_restricted_note_names_the_margin_account() -> None:
    made = instructions.deposit(
        POOL, depositor=WALLET, source=TOKENS, destination=NOTES, amount=SIX, margin_account=MARGIN
    )
    assert made.accounts[10].pubkey == MARGIN


def test_a_redemption_oracle_brings_its_quote() -> None:
    pool = replace(POOL, feed=PriceFeed(key(40), FEED, key(41), QUOTE_FEED))
    made = instructions.margin_refresh_position(pool, margin_account=MARGIN)
    assert [meta.pubkey for meta in made.accounts[2:]] == [key(40), key(41)]


def test_another_program_id_reaches_every_account_that_depends_on_it() -> None:
    other = key(50)
    made = instructions.close_loan(POOL, margin_account=MARGIN, beneficiary=WALLET, program=other)
    assert made.program_id == other
    assert made.accounts[1].pubkey == loan_account_address(MARGIN, POOL.loan_note_mint, other)
    assert instructions.margin_refresh_position(POOL, margin_account=MARGIN, program=other).accounts[3].pubkey == other


def test_an_amount_of_another_token_is_refused() -> None:
    with pytest.raises(UnitError, match="lends SOL"):
        instructions.repay(POOL, margin_account=MARGIN, source=TOKENS, authority=WALLET, amount=TokenAmount(SSOL, 6))
    with pytest.raises(UnitError):
        instructions.margin_borrow_v2(POOL, margin_account=MARGIN, destination=TOKENS, amount=TokenAmount(SOL, -1))


def test_errors_of_the_pool_have_names() -> None:
    registry = ProgramErrors()
    registry.register(GLOW_MARGIN_POOL, "glow-margin-pool", POOL_ERRORS, anchor=True)
    words = explain({"InstructionError": [0, {"Custom": 135_109}]}, (GLOW_MARGIN_POOL,), registry=registry)
    assert words == "glow-margin-pool: ExceedsMaxBorrowUtilRatio (135109)"
