"""What token accounts cost, held against the real token programs in the localnet's bank."""

from __future__ import annotations

import struct
from fractions import Fraction

import pytest
from solders.account import Account as BankAccount
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from keeper.chain.accounts import Account
from keeper.execution.preparation.rent import missing_rent, token_account_size
from keeper.protocols.addresses import SPL_TOKEN, SYSTEM, TOKEN_2022
from keeper.protocols.layout import LayoutError
from keeper.protocols.sysvars import ACCOUNT_OVERHEAD, Rent
from keeper.protocols.token import associated_token_address, create_ata_idempotent
from keeper.sim.localnet.bank import Bank
from keeper.sim.localnet.interface import BankConfig
from keeper.units import Lamports

MINT, WALLET = Pubkey.from_bytes(bytes([9] * 32)), Keypair.from_seed(bytes([8] * 32))
PLAIN = bytes(4 + 32 + 8) + b"\x09\x01" + bytes(36)


def extended(*extensions: tuple[int, int]) -> bytes:
    """A mint with these extensions (type, length), their data all zero."""
    tail = b"".join(struct.pack("<HH", kind, length) + bytes(length) for kind, length in extensions)
    return PLAIN + bytes(83) + b"\x01" + tail


TRANSFER_FEE, NON_TRANSFERABLE, HOOK, METADATA_POINTER, PAUSABLE = (1, 108), (9, 0), (14, 64), (18, 64), (26, 33)


@pytest.mark.parametrize(
    ("program", "data"),
    [
        (SPL_TOKEN, PLAIN),
        (TOKEN_2022, PLAIN),
        (TOKEN_2022, extended(METADATA_POINTER)),
        (TOKEN_2022, extended(TRANSFER_FEE)),
        (TOKEN_2022, extended(NON_TRANSFERABLE)),
        (TOKEN_2022, extended(HOOK, METADATA_POINTER)),
        (TOKEN_2022, extended(TRANSFER_FEE, PAUSABLE)),
    ],
)
def test_the_size_is_what_the_program_makes(program: Pubkey, data: bytes) -> None:
    bank = Bank(BankConfig())
    owner = WALLET.pubkey()
    bank.set_account(owner, BankAccount(10**9, b"", SYSTEM))
    bank.set_account(MINT, BankAccount(bank.rent_exempt(len(data)), data, program))
    bank.advance_slot()
    blockhash, _ = bank.latest_blockhash()
    create = create_ata_idempotent(owner, owner, MINT, program)
    record = bank.process(VersionedTransaction(MessageV0.try_compile(owner, [create], [], blockhash), [WALLET]))
    assert record.err is None, record.logs
    made = bank.get_account(associated_token_address(owner, MINT, program))
    assert made is not None
    mint = Account(Lamports(1), program, data)
    assert token_account_size(mint, associated=True) == len(made.data)


def test_outside_the_associated_program_an_owner_is_not_made_immutable() -> None:
    assert token_account_size(Account(Lamports(1), TOKEN_2022, PLAIN), associated=False) == 165
    assert token_account_size(Account(Lamports(1), TOKEN_2022, extended(TRANSFER_FEE)), associated=False) == 178


def test_an_extension_that_is_not_known_has_no_price() -> None:
    with pytest.raises(LayoutError, match="type 99"):
        token_account_size(Account(Lamports(1), TOKEN_2022, extended((99, 4))), associated=True)


def test_what_is_there_already_counts() -> None:
    bank = Bank(BankConfig())
    rent = Rent(Fraction(bank.rent_exempt(0), ACCOUNT_OVERHEAD))
    assert missing_rent(rent, None, 165).value == bank.rent_exempt(165) == 2_039_280
    assert missing_rent(rent, Account(Lamports(39_280), SYSTEM, b""), 165) == Lamports(2_000_000)
    assert missing_rent(rent, Account(Lamports(10**9), SYSTEM, b""), 165) == Lamports(0)
