"""What may enter a block: signatures, blockhash age, duplicates, payer, shape. A rejection costs nothing."""

from __future__ import annotations

import pytest
from solders.account import Account
from solders.hash import Hash
from solders.instruction import CompiledInstruction
from solders.message import Message, MessageHeader, MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from keeper.protocols.addresses import SPL_TOKEN, SYSTEM
from keeper.sim.localnet.bank import Bank
from keeper.sim.localnet.interface import BankConfig, JsonError, TransactionRejected
from tests.localnet_bank.box import SOL, Box, key, keypair, pay, unit_limit, unit_price


def refusal(bank: Bank, transaction: VersionedTransaction) -> JsonError:
    """The error of a transaction that must be rejected; simulation must agree."""
    simulated = bank.simulate(transaction, sig_verify=True)
    with pytest.raises(TransactionRejected) as caught:
        bank.process(transaction)
    assert simulated.err == caught.value.error
    return caught.value.error


def test_a_good_transfer_lands_and_costs_5000_lamports(box: Box) -> None:
    record = box.bank.process(box.signed(pay(box.alice.pubkey(), key(60), SOL)))
    assert record.err is None
    assert record.fee == 5_000
    assert box.lamports(key(60)) == SOL
    assert box.lamports(box.alice.pubkey()) == 99 * SOL - 5_000


def test_every_signer_is_verified(box: Box) -> None:
    both = box.signed(pay(box.bob.pubkey(), key(60), SOL), signers=[box.alice, box.bob])
    for broken in range(2):
        signatures = list(both.signatures)
        signatures[broken] = Signature.new_unique()
        assert refusal(box.bank, VersionedTransaction.populate(both.message, signatures)) == "SignatureFailure"
    assert box.lamports(box.alice.pubkey()) == 100 * SOL
    assert box.bank.process(both).fee == 10_000


def test_a_changed_message_does_not_match_its_signature(box: Box) -> None:
    good = box.signed(pay(box.alice.pubkey(), key(60), SOL))
    other = box.signed(pay(box.alice.pubkey(), key(60), 2 * SOL))
    assert refusal(box.bank, VersionedTransaction.populate(other.message, good.signatures)) == "SignatureFailure"


def test_a_blockhash_lives_151_blocks(box: Box) -> None:
    blockhash, last_valid = box.bank.latest_blockhash()
    fetched_at = box.bank.clock.block_height
    assert last_valid == fetched_at - 1 + 150
    transaction = box.signed(pay(box.alice.pubkey(), key(60), SOL), blockhash=blockhash)
    box.bank.advance_slot(150)
    assert box.bank.blockhash_valid(blockhash)
    box.bank.advance_slot()
    assert not box.bank.blockhash_valid(blockhash)
    assert refusal(box.bank, transaction) == "BlockhashNotFound"


def test_skipped_slots_do_not_age_a_blockhash() -> None:
    box = Box(BankConfig(seed=3, skip_rate_bps=6_000))
    blockhash, _ = box.bank.latest_blockhash()
    start = box.bank.clock
    box.bank.advance_slot(150)
    assert box.bank.clock.slot - start.slot > 200
    assert box.bank.clock.block_height == start.block_height + 150
    assert box.bank.blockhash_valid(blockhash)
    box.bank.advance_slot()
    assert not box.bank.blockhash_valid(blockhash)


def test_an_unknown_blockhash(box: Box) -> None:
    assert refusal(box.bank, box.signed(pay(box.alice.pubkey(), key(60), 1), blockhash=Hash.default())) == (
        "BlockhashNotFound"
    )


def test_the_same_bytes_land_once_for_the_life_of_their_blockhash(box: Box) -> None:
    transaction = box.signed(pay(box.alice.pubkey(), key(60), SOL))
    box.bank.process(transaction)
    for _ in range(3):
        assert refusal(box.bank, transaction) == "AlreadyProcessed"
        box.bank.advance_slot(50)
    box.bank.advance_slot()
    assert refusal(box.bank, transaction) == "BlockhashNotFound"
    assert box.lamports(key(60)) == SOL


def test_a_failed_transaction_is_a_duplicate_too(box: Box) -> None:
    transaction = box.signed(pay(box.alice.pubkey(), key(60), 1_000 * SOL))
    assert box.bank.process(transaction).err == {"InstructionError": [0, {"Custom": 1}]}
    assert refusal(box.bank, transaction) == "AlreadyProcessed"


def test_a_payer_that_does_not_exist(box: Box) -> None:
    stranger = keypair(99)
    transaction = box.signed(pay(stranger.pubkey(), key(60), 1), signers=[stranger])
    assert refusal(box.bank, transaction) == "AccountNotFound"


def test_a_payer_that_cannot_pay(box: Box) -> None:
    box.bank.set_account(box.alice.pubkey(), Account(5_000, b"", SYSTEM))
    priced = box.signed(unit_limit(1_000_000), unit_price(1), pay(box.alice.pubkey(), key(60), 1))
    assert refusal(box.bank, priced) == "InsufficientFundsForFee"


def test_a_payer_may_spend_itself_empty_but_not_below_its_rent(box: Box) -> None:
    box.bank.set_account(box.alice.pubkey(), Account(10_000, b"", SYSTEM))
    box.bank.set_account(box.bob.pubkey(), Account(900_000, b"", SYSTEM))
    to_the_end = box.signed(pay(box.alice.pubkey(), box.carol.pubkey(), 5_000))
    assert box.bank.process(to_the_end).err is None
    assert box.bank.get_account(box.alice.pubkey()) is None
    below = box.signed(unit_limit(1_000_000), unit_price(10_000), signers=[box.bob])
    assert refusal(box.bank, below) == {"InsufficientFundsForRent": {"account_index": 0}}


@pytest.mark.parametrize("account", [Account(SOL, b"", SPL_TOKEN), Account(SOL, b"x", SYSTEM)])
def test_only_a_wallet_pays_fees(box: Box, account: Account) -> None:
    box.bank.set_account(box.alice.pubkey(), account)
    assert refusal(box.bank, box.signed(unit_limit(1))) == "InvalidAccountForFee"


def _raw(box: Box, keys: list[Pubkey], instruction: CompiledInstruction) -> VersionedTransaction:
    header = MessageHeader(1, 0, 1)
    message = MessageV0(header, keys, box.bank.latest_blockhash()[0], [instruction], [])
    return VersionedTransaction.populate(message, [box.alice.sign_message(b"\x80" + bytes(message))])


def test_an_account_named_twice(box: Box) -> None:
    keys = [box.alice.pubkey(), key(60), key(60), SYSTEM]
    assert refusal(box.bank, _raw(box, keys, CompiledInstruction(3, b"", bytes([0, 1])))) == "AccountLoadedTwice"


@pytest.mark.parametrize("instruction", [CompiledInstruction(7, b"", b""), CompiledInstruction(1, b"", b"\x09")])
def test_an_index_out_of_bounds(box: Box, instruction: CompiledInstruction) -> None:
    assert refusal(box.bank, _raw(box, [box.alice.pubkey(), SYSTEM], instruction)) == "SanitizeFailure"


def test_the_payer_as_program(box: Box) -> None:
    keys = [box.alice.pubkey(), SYSTEM]
    assert refusal(box.bank, _raw(box, keys, CompiledInstruction(0, b"", b""))) == "SanitizeFailure"


def test_a_transaction_larger_than_a_packet(box: Box) -> None:
    big = pay(box.alice.pubkey(), key(60), 1)
    assert refusal(box.bank, box.signed(*[big] * 80)) == "SanitizeFailure"


def test_missing_signatures(box: Box) -> None:
    good = box.signed(pay(box.alice.pubkey(), key(60), SOL))
    with pytest.raises(TransactionRejected) as caught:
        box.bank.process(VersionedTransaction.populate(good.message, []))
    assert caught.value.error == "SanitizeFailure"


def test_a_legacy_transaction_lands(box: Box) -> None:
    blockhash, _ = box.bank.latest_blockhash()
    message = Message.new_with_blockhash([pay(box.alice.pubkey(), key(60), SOL)], box.alice.pubkey(), blockhash)
    assert box.bank.process(VersionedTransaction(message, [box.alice])).err is None
    assert box.lamports(key(60)) == SOL


def test_the_bank_survives_the_random_bytes_that_decode(box: Box) -> None:
    good = bytes(box.signed(pay(box.alice.pubkey(), key(60), SOL)))
    for position in range(65, len(good)):
        mutated = bytearray(good)
        mutated[position] ^= 0x55
        try:
            transaction = VersionedTransaction.from_bytes(bytes(mutated))
        except ValueError:
            continue
        with pytest.raises(TransactionRejected):
            box.bank.process(transaction)
    assert box.lamports(box.alice.pubkey()) == 100 * SOL
