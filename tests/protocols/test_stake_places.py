"""The keeper's own stake accounts: where they stand, how they are made, and when they pay; on the real programs."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from keeper.protocols import stake
from keeper.protocols.addresses import STAKE, SYSTEM
from keeper.units import Epoch, Lamports, UnixTime
from tests.protocols.account_bytes import key
from tests.protocols.runtime import Runtime

RENT = Lamports(2_282_880)
NOW, EPOCH = UnixTime(1_790_000_000), Epoch(900)


def test_places_are_few_and_apart() -> None:
    places = stake.place_addresses(key(1))
    assert len(set(places)) == stake.PLACES == 8
    assert set(places).isdisjoint(stake.place_addresses(key(2)))
    for number in (-1, stake.PLACES):
        with pytest.raises(ValueError, match="0 to 7"):
            stake.place_address(key(1), number)


def test_a_place_is_derived_from_the_wallet_by_a_seed_that_never_changes() -> None:
    wallet = key(7)
    for number in range(stake.PLACES):
        assert stake.place_address(wallet, number) == Pubkey.create_with_seed(wallet, f"glow-keeper/{number}", STAKE)


@pytest.mark.parametrize("sent", [0, 1, 1_000_000, RENT.value - 1, RENT.value, 10**9])
def test_it_is_created_whatever_lies_there(runtime: Runtime, sent: int) -> None:
    place = stake.place_address(runtime.owner, 3)
    if sent:
        runtime.put(place, b"", SYSTEM, sent)
    runtime.run(*stake.create_at_place(runtime.owner, 3, RENT, Lamports(sent)))
    assert (runtime.data(place), runtime.lamports(place)) == (bytes(200), max(sent, RENT.value))


def account(ends: int, *, started: int = 1, until: int = 0, epoch: int = 0) -> stake.StakeAccount:
    head = struct.pack("<IQ", 2, RENT.value) + bytes(key(1)) * 2 + struct.pack("<qQ", until, epoch) + bytes(key(8))
    tail = bytes(key(2)) + struct.pack("<QQQdQ", 5, started, ends, 0.25, 0)
    return stake.decode_stake_account((head + tail).ljust(200, b"\0"), owner=STAKE)


@pytest.mark.parametrize(
    ("held", "pays"),
    [
        (account(899), True),
        (account(900), False),
        (account(900, started=900), True),
        (account(2**64 - 1), False),
        (account(2**64 - 1, started=2**64 - 1), False),
        (account(899, until=NOW.value + 1), False),
        (account(899, until=NOW.value), True),
        (account(899, epoch=901), False),
        (account(899, epoch=900), True),
    ],
)
def test_when_it_pays(held: stake.StakeAccount, pays: bool) -> None:
    assert held.payable(NOW, EPOCH) is pays


def test_only_one_who_is_staker_and_withdrawer_owns_it() -> None:
    held = account(1)
    assert held.belongs_to(key(1))
    assert not held.belongs_to(key(2))
    assert held.lockup.custodian == key(8)


@given(st.integers(0, 2**40), st.integers(0, 2**40))
def test_no_more_than_the_missing_rent_is_transferred(rent: int, present: int) -> None:
    made = stake.create_at_place(key(1), 0, Lamports(rent), Lamports(present))
    moved = sum(int.from_bytes(item.data[4:12], "little") for item in made if item.data[:4] == struct.pack("<I", 2))
    if present:
        assert moved == max(rent - present, 0)
    else:
        assert len(made) == 1
