"""The bounds-checked reader: every wrong byte ends in a LayoutError that says where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.protocols.layout import LayoutError, Reader, require_owner
from tests.protocols.account_bytes import key


def test_reads_little_endian_fields_in_order() -> None:
    wide = (2**64 - 1).to_bytes(8, "little") + (-4).to_bytes(8, "little", signed=True)
    read = Reader(bytes([1, 2, 0, 3, 0, 0, 0]) + wide, "x")
    assert (read.u8("a"), read.u16("b"), read.u32("c"), read.u64("d"), read.i64("e")) == (1, 2, 3, 2**64 - 1, -4)
    read.end()


def test_truncated_data_names_account_field_and_lengths() -> None:
    read = Reader(bytes(5), "stake pool")
    read.u8("kind")
    with pytest.raises(LayoutError, match=r"stake pool: total_lamports @1 should be 8 bytes, but is 4 bytes") as caught:
        read.u64("total_lamports")
    assert (caught.value.account, caught.value.field) == ("stake pool", "total_lamports @1")
    assert (caught.value.expected, caught.value.actual) == ("8 bytes", "4 bytes (data of 5 bytes)")


def test_options_take_space_only_when_present() -> None:
    read = Reader(b"\0\1\7", "x")
    assert read.option("a", read.u8) is None
    assert read.option("b", read.u8) == 7
    with pytest.raises(LayoutError, match="0 or 1"):
        Reader(b"\2", "x").option("c", Reader(b"", "x").u8)


def test_fixed_options_always_take_space() -> None:
    read = Reader(b"\0\0\0\0\7\1\0\0\0\x08", "x")
    assert read.fixed_option("a", read.u8) is None
    assert read.fixed_option("b", read.u8) == 8


def test_a_count_that_the_data_cannot_hold_is_refused_before_reading() -> None:
    with pytest.raises(LayoutError, match="at most 1 elements"):
        Reader(b"\xff\xff\xff\xff\0", "x").vec("entries", lambda _: 0)


def test_strings_must_be_utf8() -> None:
    assert Reader(b"\2\0\0\0hi", "x").string("s") == "hi"
    with pytest.raises(LayoutError, match="UTF-8"):
        Reader(b"\1\0\0\0\xff", "x").string("s")


def test_left_over_bytes_are_an_error_where_none_belong() -> None:
    with pytest.raises(LayoutError, match="1 more bytes"):
        Reader(b"\0", "x").end()


def test_owner_is_checked_when_known() -> None:
    require_owner("mint", None, (key(1),))
    require_owner("mint", key(1), (key(1), key(2)))
    with pytest.raises(LayoutError, match="mint: owner should be"):
        require_owner("mint", key(3), (key(1), key(2)))


@given(st.integers(-(2**127), 2**127 - 1), st.integers(0, 2**128 - 1), st.binary(max_size=40))
def test_round_trip_of_wide_integers(signed: int, unsigned: int, rest: bytes) -> None:
    data = signed.to_bytes(16, "little", signed=True) + unsigned.to_bytes(16, "little") + rest
    read = Reader(data, "x")
    assert (read.i128("a"), read.u128("b"), read.rest()) == (signed, unsigned, rest)
