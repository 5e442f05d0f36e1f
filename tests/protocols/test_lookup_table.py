"""Lookup tables on the real program: create, extend, deactivate, close; and which addresses may be used when."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.hash import Hash

from keeper.protocols import lookup_table as alt
from keeper.protocols.addresses import ADDRESS_LOOKUP_TABLE, SYSTEM
from keeper.protocols.layout import LayoutError
from keeper.units import Slot
from tests.protocols.account_bytes import key
from tests.protocols.runtime import Runtime


def at_slot(runtime: Runtime, slot: int) -> None:
    """Move the runtime to ``slot``; its slot hashes hold the 512 before it."""
    runtime.svm.warp_to_slot(slot)
    runtime.svm.set_slot_hashes([(slot - n, Hash(struct.pack("<Q", slot - n) * 4)) for n in range(1, 513)])


def table_bytes(
    count: int, *, authority: bool = True, extended: int = 5, start: int = 0, ended: int = 2**64 - 1
) -> bytes:
    head = struct.pack("<IQQB", 1, ended, extended, start) + (b"\1" + bytes(key(1)) if authority else b"\0")
    return head.ljust(56, b"\0") + b"".join(bytes(key(100 + n)) for n in range(count))


def test_the_life_of_a_table_on_the_real_program(runtime: Runtime) -> None:
    at_slot(runtime, 600_000_000)
    create, table = alt.create(runtime.owner, runtime.owner, Slot(599_999_999))
    runtime.run(create)
    assert alt.decode_lookup_table(runtime.data(table), owner=ADDRESS_LOOKUP_TABLE).addresses == ()
    runtime.run(alt.extend(table, runtime.owner, runtime.owner, [key(1), key(2)]))
    at_slot(runtime, 600_000_010)
    runtime.run(alt.extend(table, runtime.owner, runtime.owner, [key(3)]))
    seen = alt.decode_lookup_table(runtime.data(table))
    assert (seen.addresses, seen.authority, seen.deactivation_slot) == ((key(1), key(2), key(3)), runtime.owner, None)
    assert seen.last_extended_slot == Slot(600_000_010)
    assert seen.usable(Slot(600_000_010)) == (key(1), key(2))
    assert seen.usable(Slot(600_000_011)) == (key(1), key(2), key(3))
    runtime.run(alt.deactivate(table, runtime.owner))
    ended = alt.decode_lookup_table(runtime.data(table))
    assert ended.deactivation_slot == Slot(600_000_010)
    assert ended.usable(Slot(600_000_011)) == ()
    at_slot(runtime, 600_001_000)
    rent = runtime.lamports(table)
    runtime.run(alt.close(table, runtime.owner, key(9)))
    assert not runtime.exists(table)
    assert runtime.lamports(key(9)) == rent


@given(st.integers(0, 256), st.booleans(), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_tables_round_trip(count: int, authority: bool, extended: int, ended: int) -> None:
    data = table_bytes(count, authority=authority, extended=extended, ended=ended)
    seen = alt.decode_lookup_table(data)
    assert len(seen.addresses) == count
    assert seen.last_extended_slot == Slot(extended)
    assert (seen.authority is not None) == authority
    assert seen.deactivation_slot == (None if ended == 2**64 - 1 else Slot(ended))


@pytest.mark.parametrize(
    "data",
    [b"", bytes(56), table_bytes(0)[:55], table_bytes(1)[:-1], table_bytes(257), struct.pack("<I", 2) + bytes(52)],
)
def test_what_is_not_a_table_is_refused(data: bytes) -> None:
    with pytest.raises(LayoutError, match="lookup table"):
        alt.decode_lookup_table(data)


def test_a_foreign_owner_is_refused() -> None:
    with pytest.raises(LayoutError, match="owner"):
        alt.decode_lookup_table(table_bytes(1), owner=SYSTEM)


@pytest.mark.parametrize("count", [0, 21])
def test_an_extension_carries_what_one_transaction_can(count: int) -> None:
    with pytest.raises(ValueError, match="1 to 20"):
        alt.extend(key(1), key(2), key(3), [key(n) for n in range(count)])
