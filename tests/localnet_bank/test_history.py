"""Records, blocks, fees and listeners."""

from __future__ import annotations

import pytest
from solders.account import Account
from solders.pubkey import Pubkey

from keeper.protocols.addresses import SYSTEM
from keeper.sim.localnet.interface import BankConfig, BankFace, TransactionRecord, TransactionRejected
from tests.localnet_bank.box import SOL, Box, key, pay, unit_limit, unit_price


class Recorder:
    def __init__(self) -> None:
        self.slots: list[tuple[int, int, int]] = []
        self.transactions: list[TransactionRecord] = []
        self.accounts: list[tuple[Pubkey, int | None, int]] = []

    def on_slot(self, slot: int, parent: int, root: int) -> None:
        self.slots.append((slot, parent, root))

    def on_transaction(self, record: TransactionRecord) -> None:
        self.transactions.append(record)

    def on_account(self, key: Pubkey, account: Account | None, slot: int) -> None:
        self.accounts.append((key, account.lamports if account is not None else None, slot))


def test_a_record_tells_balances_and_time(box: Box) -> None:
    record = box.run(pay(box.alice.pubkey(), key(60), SOL))
    assert record.slot == box.bank.clock.slot
    assert record.block_time == box.bank.clock.unix_timestamp
    by_key = dict(zip(record.account_keys, zip(record.pre_balances, record.post_balances, strict=True), strict=True))
    assert by_key[box.alice.pubkey()] == (100 * SOL, 99 * SOL - 5_000)
    assert by_key[key(60)] == (0, SOL)
    assert box.bank.transaction(record.signature) == record


def test_blocks_list_their_transactions_in_order(box: Box) -> None:
    slot = box.bank.clock.slot
    records = [box.run(pay(box.alice.pubkey(), key(60), SOL * amount)) for amount in (1, 500, 2)]
    assert box.bank.block(slot) is None
    box.bank.advance_slot()
    block = box.bank.block(slot)
    assert block is not None
    assert block.signatures == tuple(record.signature for record in records)
    assert records[1].err is not None


def test_signatures_of_an_address_newest_first(box: Box) -> None:
    first = box.run(pay(box.alice.pubkey(), key(60), SOL))
    box.run(pay(box.alice.pubkey(), key(61), SOL))
    box.bank.advance_slot()
    third = box.run(pay(box.alice.pubkey(), key(60), 900 * SOL))
    assert box.bank.signatures_for(key(60)) == [third.signature, first.signature]
    assert box.bank.signatures_for(key(62)) == []


def test_history_is_bounded_by_slots_and_by_transactions() -> None:
    box = Box(BankConfig(history_slots=10, history_transactions=5))
    start = box.bank.clock.slot
    records = []
    for _ in range(8):
        records.append(box.run(pay(box.alice.pubkey(), key(60), SOL)))
        box.bank.advance_slot()
    kept = [record.signature for record in records[3:]]
    assert [box.bank.transaction(record.signature) is not None for record in records] == [False] * 3 + [True] * 5
    assert box.bank.signatures_for(key(60)) == kept[::-1]
    box.bank.advance_slot(7)
    assert box.bank.transaction(records[4].signature) is None
    assert box.bank.transaction(records[5].signature) == records[5]
    assert box.bank.block(start) is None
    assert box.bank.block(start + 5) is not None
    box.bank.advance_slot(10)
    assert box.bank.signatures_for(key(60)) == []


def test_recent_fees_are_the_lowest_that_landed_for_the_accounts(box: Box) -> None:
    slot = box.bank.clock.slot
    for price, target in ((9_000, 60), (5_000, 60), (2_000, 61)):
        box.bank.process(box.signed(unit_limit(10_000), unit_price(price), pay(box.alice.pubkey(), key(target), SOL)))
    box.bank.advance_slot(2)
    assert box.bank.recent_fees([]) == [(slot, 2_000), (slot + 1, 0)]
    assert box.bank.recent_fees([key(60)]) == [(slot, 5_000), (slot + 1, 0)]
    assert box.bank.recent_fees([key(61), key(60)]) == [(slot, 5_000), (slot + 1, 0)]
    box.bank.advance_slot(200)
    assert len(box.bank.recent_fees([])) == 150


def test_listeners_hear_what_was_written(box: Box) -> None:
    listener = Recorder()
    box.bank.subscribe(listener)
    slot = box.bank.clock.slot
    box.bank.set_account(key(70), Account(5, b"", SYSTEM))
    good = box.run(pay(box.alice.pubkey(), key(60), SOL))
    bad = box.run(pay(box.alice.pubkey(), key(60), 900 * SOL))
    assert listener.transactions == [good, bad]
    payer = box.alice.pubkey()
    assert listener.accounts == [
        (key(70), 5, slot),
        (payer, 99 * SOL - 5_000, slot),
        (key(60), SOL, slot),
        (payer, 99 * SOL - 10_000, slot),
    ]
    box.bank.advance_slot(40)
    assert listener.slots[-1] == (slot + 40, slot + 39, slot + 8)
    box.bank.unsubscribe(listener)
    box.bank.advance_slot()
    assert len(listener.slots) == 40


def test_fees_are_half_burned_and_half_the_leaders(box: Box) -> None:
    leader = box.lamports(box.bank.leader)
    box.bank.process(box.signed(unit_limit(100_000), unit_price(70_000), pay(box.alice.pubkey(), key(60), SOL)))
    box.bank.advance_slot()
    assert box.bank.burned == 2_500
    assert box.lamports(box.bank.leader) == leader + 2_500 + 7_000


def test_airdrops_are_transfers_and_may_repeat(box: Box) -> None:
    signatures = [box.bank.airdrop(key(60), SOL) for _ in range(2)]
    assert box.lamports(key(60)) == 2 * SOL
    assert box.bank.signatures_for(key(60)) == signatures[::-1]
    with pytest.raises(TransactionRejected, match="airdrop"):
        box.bank.airdrop(key(61), 1)


def test_the_scratch_payer_is_nobody(box: Box) -> None:
    box.run(pay(box.alice.pubkey(), key(60), SOL))
    known = {
        box.alice.pubkey(),
        box.bob.pubkey(),
        box.carol.pubkey(),
        key(60),
        box.bank.leader,
        box.bank.faucet.pubkey(),
    }
    assert {found for found, _ in box.bank.program_accounts(SYSTEM)} == known


def test_the_bank_is_what_the_faces_were_promised(box: Box) -> None:
    face: BankFace = box.bank
    assert face.config == BankConfig(seed=7)
