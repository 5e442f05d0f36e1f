"""Slots, epochs, chain time, blockhashes, sysvars and hooks."""

from __future__ import annotations

import struct
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from solders.hash import Hash
from solders.pubkey import Pubkey

from keeper.protocols.addresses import CLOCK_SYSVAR, STAKE_HISTORY_SYSVAR
from keeper.sim.localnet.bank import Bank
from keeper.sim.localnet.interface import BankConfig, ChainClock
from keeper.sim.localnet.timekeeping import Timeline
from tests.localnet_bank.box import SOL, Box, key, pay

CONFIG = BankConfig(slot_ms=400, warp=3, slots_per_epoch=10, seed=5, start_unix=1_000, start_slot=100, start_epoch=7)
EPOCH_SCHEDULE = Pubkey.from_string("SysvarEpochSchedu1e111111111111111111111111")
SLOT_HASHES = Pubkey.from_string("SysvarS1otHashes111111111111111111111111111")


def test_the_clock_runs_in_exact_milliseconds() -> None:
    bank = Bank(CONFIG)
    seen = [bank.clock.unix_timestamp]
    for _ in range(10):
        bank.advance_slot()
        seen.append(bank.clock.unix_timestamp)
    assert seen == [1_000 + slot * 1_200 // 1_000 for slot in range(11)]


def test_epochs_count_from_the_start_slot() -> None:
    bank = Bank(CONFIG)
    bank.advance_slot(9)
    assert (bank.clock.slot, bank.clock.epoch, bank.clock.slot_index) == (109, 7, 9)
    bank.advance_slot()
    assert (bank.clock.slot, bank.clock.epoch, bank.clock.slot_index) == (110, 8, 0)
    bank.advance_slot(4)
    assert bank.clock.epoch_start_timestamp == 1_000 + 12
    assert bank.clock.slots_per_epoch == 10


def test_programs_read_the_same_clock() -> None:
    bank = Bank(CONFIG)
    bank.advance_slot(13)
    account = bank.get_account(CLOCK_SYSVAR)
    assert account is not None
    slot, epoch_start, epoch, leader_epoch, unix = struct.unpack("<QqQQq", bytes(account.data))
    clock = bank.clock
    assert (slot, epoch_start, epoch, unix) == (
        clock.slot,
        clock.epoch_start_timestamp,
        clock.epoch,
        clock.unix_timestamp,
    )
    assert leader_epoch == epoch + 1
    schedule = bank.get_account(EPOCH_SCHEDULE)
    assert schedule is not None
    assert struct.unpack("<QQ?QQ", bytes(schedule.data)) == (10, 10, False, 7, 100)
    hashes = bank.get_account(SLOT_HASHES)
    assert hashes is not None
    newest_slot, newest = struct.unpack_from("<Q32s", bytes(hashes.data), 8)
    assert (newest_slot, Hash(newest)) == (112, bank.latest_blockhash()[0])


def test_hooks_run_epoch_first_and_may_act() -> None:
    box = Box(CONFIG)
    calls: list[tuple[str, int]] = []

    def on_epoch(clock: ChainClock) -> None:
        calls.append(("epoch", clock.epoch))
        box.bank.process(box.signed(pay(box.alice.pubkey(), key(60), SOL)))

    box.bank.at_slot(lambda clock: calls.append(("slot", clock.slot)))
    box.bank.at_epoch(on_epoch)
    box.bank.advance_slot(10)
    assert calls == [*(("slot", slot) for slot in range(101, 110)), ("epoch", 8), ("slot", 110)]
    assert box.lamports(key(60)) == SOL


def test_an_epoch_without_a_block_still_ends() -> None:
    bank = Bank(replace(CONFIG, slots_per_epoch=1, skip_rate_bps=6_000))
    turns: list[int] = []
    bank.at_epoch(lambda clock: turns.append(clock.epoch))
    bank.advance_slot(30)
    assert len(turns) == 30
    assert turns[-1] == bank.clock.epoch > 37
    history = bank.get_account(STAKE_HISTORY_SYSVAR)
    assert history is not None
    assert int.from_bytes(bytes(history.data)[:8], "little") == bank.clock.epoch - 7


def test_blocks_form_a_chain_around_skipped_slots() -> None:
    bank = Bank(replace(CONFIG, skip_rate_bps=3_000))
    bank.advance_slot(60)
    last = bank.clock.slot
    blocks = [block for slot in range(100, last) if (block := bank.block(slot)) is not None]
    assert len(blocks) == 60
    assert last - 100 > 60
    for parent, child in pairwise(blocks):
        assert child.parent_slot == parent.slot
        assert child.previous_blockhash == parent.blockhash
        assert child.block_height == parent.block_height + 1
        assert child.block_time >= parent.block_time
    assert bank.block(last) is None
    assert blocks[-1].blockhash == bank.latest_blockhash()[0]


def test_the_same_configuration_gives_the_same_chain() -> None:
    first, second, other = (Bank(replace(CONFIG, skip_rate_bps=2_000, seed=seed)) for seed in (5, 5, 6))
    for bank in (first, second, other):
        bank.advance_slot(40)
    assert first.clock == second.clock
    assert first.latest_blockhash() == second.latest_blockhash()
    assert first.latest_blockhash() != other.latest_blockhash()


def test_the_same_calls_give_the_same_records() -> None:
    def play() -> list[object]:
        box = Box()
        records = []
        for amount in (SOL, 200 * SOL, 3):
            record = box.run(pay(box.alice.pubkey(), key(60), amount))
            records.append((record.signature, record.err, record.logs, record.post_balances, record.slot))
            box.bank.advance_slot()
        return [*records, box.bank.airdrop(key(61), SOL)]

    assert play() == play()


@pytest.mark.parametrize(
    "change",
    [
        {"slot_ms": 0},
        {"warp": 0},
        {"slots_per_epoch": 0},
        {"skip_rate_bps": 10_000},
        {"start_slot": 0},
        {"start_epoch": -1},
    ],
)
def test_an_impossible_configuration_names_its_field(change: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        Bank(replace(CONFIG, **change))


def test_time_does_not_run_backwards(box: Box) -> None:
    with pytest.raises(ValueError, match="forwards"):
        box.bank.advance_slot(-1)


@given(st.integers(0, 9_000), st.integers(0, 2**32), st.integers(1, 400))
def test_roots_and_heights_follow_blocks(skip: int, seed: int, blocks: int) -> None:
    line = Timeline(replace(CONFIG, skip_rate_bps=skip, seed=seed))
    produced = [line.parent_slot]
    start = line.block_height
    for _ in range(blocks):
        produced.append(line.slot)
        line.close_block()
    assert line.block_height == start + blocks
    assert line.root == produced[max(0, len(produced) - 32)]
    assert [line.usable(line.hash_of(slot)) for slot in produced[-152:]] == [
        index >= len(produced[-152:]) - 151 for index in range(len(produced[-152:]))
    ]


class BlockhashLife(RuleBasedStateMachine):
    """A model of blockhash validity: a list of heights against the bank's answers, and of what lands once."""

    hashes = Bundle("hashes")

    def __init__(self) -> None:
        super().__init__()
        self.box = Box(BankConfig(seed=11, skip_rate_bps=2_500))
        self.landed: set[tuple[Hash, int]] = set()
        self.paid = 0

    @rule(target=hashes)
    def fetch(self) -> tuple[Hash, int]:
        blockhash, last_valid = self.box.bank.latest_blockhash()
        assert last_valid == self.box.bank.clock.block_height + 149
        return blockhash, self.box.bank.clock.block_height - 1

    @rule(blocks=st.integers(1, 80))
    def wait(self, blocks: int) -> None:
        self.box.bank.advance_slot(blocks)

    @rule(held=hashes, amount=st.integers(1, 2))
    def send(self, held: tuple[Hash, int], amount: int) -> None:
        blockhash, height = held
        alive = self.box.bank.clock.block_height - 1 - height <= 150
        assert self.box.bank.blockhash_valid(blockhash) == alive
        transaction = self.box.signed(pay(self.box.alice.pubkey(), self.box.bob.pubkey(), amount), blockhash=blockhash)
        record = self.box.bank.simulate(transaction, sig_verify=True)
        if not alive:
            assert record.err == "BlockhashNotFound"
        elif (blockhash, amount) in self.landed:
            assert record.err == "AlreadyProcessed"
        else:
            assert self.box.bank.process(transaction).err is None
            self.landed.add((blockhash, amount))
            self.paid += amount

    @invariant()
    def nothing_lands_twice(self) -> None:
        assert self.box.lamports(self.box.bob.pubkey()) == 100 * SOL + self.paid


TestBlockhashLife = BlockhashLife.TestCase
