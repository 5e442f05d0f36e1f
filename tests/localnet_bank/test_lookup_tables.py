"""v0 transactions with address lookup tables, made by the real program on chain or set by hand."""

from __future__ import annotations

import struct

import pytest
from solders.account import Account
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.instruction import Instruction
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from keeper.protocols.addresses import ADDRESS_LOOKUP_TABLE, SYSTEM
from keeper.sim.localnet.interface import TransactionRejected
from tests.localnet_bank.box import SOL, Box, key, pay, read, signer, write

TABLE = key(90)
NEVER = 2**64 - 1


def created(box: Box) -> Pubkey:
    """A table made by the real program, from the newest slot hash."""
    wallet, slot = box.alice.pubkey(), box.bank.clock.slot - 1
    table, bump = Pubkey.find_program_address([bytes(wallet), slot.to_bytes(8, "little")], ADDRESS_LOOKUP_TABLE)
    metas = [write(table), signer(wallet), signer(wallet), read(SYSTEM)]
    record = box.run(Instruction(ADDRESS_LOOKUP_TABLE, struct.pack("<IQB", 0, slot, bump), metas))
    assert record.err is None, record.logs
    return table


def extend(box: Box, table: Pubkey, addresses: list[Pubkey]) -> None:
    wallet = box.alice.pubkey()
    data = struct.pack("<IQ", 2, len(addresses)) + b"".join(bytes(address) for address in addresses)
    metas = [write(table), signer(wallet), signer(wallet), read(SYSTEM)]
    assert box.run(Instruction(ADDRESS_LOOKUP_TABLE, data, metas)).err is None


def sent(box: Box, table: Pubkey, addresses: list[Pubkey], instruction: Instruction) -> VersionedTransaction:
    lookup = AddressLookupTableAccount(table, addresses)
    blockhash, _ = box.bank.latest_blockhash()
    return VersionedTransaction(
        MessageV0.try_compile(box.alice.pubkey(), [instruction], [lookup], blockhash), [box.alice]
    )


def put_table(
    box: Box, addresses: list[Pubkey], *, deactivated: int = NEVER, extended: int = 0, start: int = 0
) -> None:
    meta = struct.pack("<IQQBB", 1, deactivated, extended, start, 0) + bytes(34)
    box.bank.set_account(TABLE, Account(SOL, meta + b"".join(bytes(a) for a in addresses), ADDRESS_LOOKUP_TABLE))


def rejection(box: Box, transaction: VersionedTransaction) -> object:
    assert box.bank.simulate(transaction).err is not None
    with pytest.raises(TransactionRejected) as caught:
        box.bank.process(transaction)
    return caught.value.error


def test_a_table_made_on_chain_works_one_slot_after_it_was_extended(box: Box) -> None:
    box.bank.advance_slot()
    table = created(box)
    extend(box, table, [key(60), key(61)])
    transfer = pay(box.alice.pubkey(), key(61), SOL)
    too_early = sent(box, table, [key(60), key(61)], transfer)
    assert rejection(box, too_early) == "InvalidAddressLookupTableIndex"
    box.bank.advance_slot()
    record = box.bank.process(too_early)
    assert record.err is None
    assert record.loaded_writable == (key(61),)
    assert record.account_keys[-1] == key(61)
    assert box.lamports(key(61)) == SOL
    extend(box, table, [key(62)])
    wide = [key(60), key(61), key(62)]
    assert box.bank.process(sent(box, table, wide, pay(box.alice.pubkey(), key(60), SOL))).err is None
    late = sent(box, table, wide, pay(box.alice.pubkey(), key(62), SOL))
    assert rejection(box, late) == "InvalidAddressLookupTableIndex"


def test_read_only_and_writable_lookups_keep_their_privileges(box: Box) -> None:
    put_table(box, [key(60), box.bob.pubkey(), key(62)])
    instruction = Instruction(
        SYSTEM,
        pay(box.alice.pubkey(), key(60), SOL).data,
        [signer(box.alice.pubkey()), write(key(60)), read(box.bob.pubkey())],
    )
    record = box.bank.process(sent(box, TABLE, [key(60), box.bob.pubkey(), key(62)], instruction))
    assert (record.err, record.loaded_writable, record.loaded_readonly) == (None, (key(60),), (box.bob.pubkey(),))


@pytest.mark.parametrize(
    ("data", "owner", "error"),
    [
        (None, None, "AddressLookupTableNotFound"),
        (bytes(56), SYSTEM, "InvalidAddressLookupTableOwner"),
        (bytes(56), ADDRESS_LOOKUP_TABLE, "InvalidAddressLookupTableData"),
        (b"\x01\x00\x00\x00", ADDRESS_LOOKUP_TABLE, "InvalidAddressLookupTableData"),
        (b"\x01\x00\x00\x00" + bytes(57), ADDRESS_LOOKUP_TABLE, "InvalidAddressLookupTableData"),
        (b"\x01\x00\x00\x00" + b"\xff" * 8 + bytes(44), ADDRESS_LOOKUP_TABLE, "InvalidAddressLookupTableIndex"),
    ],
)
def test_a_table_that_is_none(box: Box, data: bytes | None, owner: Pubkey | None, error: str) -> None:
    if data is not None and owner is not None:
        box.bank.set_account(TABLE, Account(SOL, data, owner))
    assert rejection(box, sent(box, TABLE, [key(60)], pay(box.alice.pubkey(), key(60), SOL))) == error
    assert box.lamports(box.alice.pubkey()) == 100 * SOL


def test_a_deactivated_table_answers_while_slot_hashes_holds_the_slot(box: Box) -> None:
    transfer = pay(box.alice.pubkey(), key(60), SOL)
    put_table(box, [key(60)], deactivated=box.bank.clock.slot)
    box.bank.advance_slot(512)
    assert box.bank.simulate(sent(box, TABLE, [key(60)], transfer)).err is None
    box.bank.advance_slot()
    assert rejection(box, sent(box, TABLE, [key(60)], transfer)) == "AddressLookupTableNotFound"


def test_an_account_both_static_and_looked_up_is_loaded_twice(box: Box) -> None:
    put_table(box, [box.bob.pubkey(), key(60)])
    message = sent(box, TABLE, [key(59), key(60)], pay(box.alice.pubkey(), key(60), SOL)).message
    assert isinstance(message, MessageV0)
    put_table(box, [box.bob.pubkey(), box.alice.pubkey()])
    transaction = VersionedTransaction(message, [box.alice])
    assert rejection(box, transaction) == "AccountLoadedTwice"


@pytest.mark.parametrize(("others", "error"), [(61, None), (62, "TooManyAccountLocks")])
def test_an_instruction_may_name_all_64_accounts_of_a_transaction(box: Box, others: int, error: str | None) -> None:
    addresses = [key(60), *(key(100 + index) for index in range(others))]
    put_table(box, addresses)
    base = pay(box.alice.pubkey(), key(60), SOL)
    wide = Instruction(SYSTEM, base.data, [*base.accounts, *(read(address) for address in addresses[1:])])
    transaction = sent(box, TABLE, addresses, wide)
    if error is not None:
        assert rejection(box, transaction) == error
        return
    record = box.bank.process(transaction)
    assert record.err is None
    assert len(record.account_keys) == 64
