"""Jupiter swaps: where each variant keeps its amounts, and minimums that cannot be forged."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.protocols import jupiter
from keeper.protocols.layout import LayoutError
from keeper.units import Bps

U64 = st.integers(0, 2**64 - 1)
BPS = st.integers(0, 10_000)


def old_route(
    plan: bytes, amount: int, quoted: int, slippage: int, fee: int, *, steps: int = 1, shared: bool = False
) -> bytes:
    head = bytes.fromhex("c1209b3341d69c81") + b"\3" if shared else bytes.fromhex("e517cb977ae3ad2a")
    return head + struct.pack("<I", steps) + plan + struct.pack("<QQHB", amount, quoted, slippage, fee)


def new_route(*numbers: int, shared: bool = False, plan: bytes = b"\1\0\0\0\x07\x10\x27\0\1") -> bytes:
    head = bytes.fromhex("d19853937cfed8e9") + b"\3" if shared else bytes.fromhex("bb64facc31c4af14")
    return head + struct.pack("<QQHHH", *numbers) + plan


def step(tag: int, payload: bytes = b"") -> bytes:
    return bytes([tag]) + payload + bytes([100, 0, 1])


@given(st.tuples(U64, U64, BPS, BPS, BPS), st.booleans())
def test_v2_amounts_come_first(numbers: tuple[int, int, int, int, int], shared: bool) -> None:
    seen = jupiter.decode_swap(new_route(*numbers, shared=shared))
    amount, quoted, *bps = numbers
    assert seen.kind == ("shared_accounts_route_v2" if shared else "route_v2")
    assert (seen.in_amount, seen.quoted_out_amount) == (amount, quoted)
    assert [seen.slippage, seen.platform_fee, seen.positive_slippage] == [Bps(value) for value in bps]
    assert 0 <= seen.minimum_out <= quoted


def test_the_minimum_is_the_thresholds_of_jupiters_own_example() -> None:
    seen = jupiter.decode_swap(new_route(1_000_000_000, 1_148_200_000, 20, 0, 0))
    assert seen.minimum_out == 1_145_903_600


def test_the_minimum_rounds_down_and_leaves_room_for_the_platform_fee() -> None:
    assert jupiter.decode_swap(new_route(1, 999, 50, 0, 0)).minimum_out == 994  # 994.005
    assert jupiter.decode_swap(new_route(1, 1000, 50, 100, 0)).minimum_out == 985  # 995 less 1 %


# One payload for each shape that a variant's fields take.
PAYLOADS = [
    (7, b""),
    (17, b"\1"),
    (29, bytes(16)),
    (33, bytes(4)),
    (42, bytes(3)),
    (43, bytes(10)),
    (44, bytes(5)),
    (47, b"\1\0"),
    (47, b"\1\1" + struct.pack("<I", 2) + bytes(4)),
    (75, struct.pack("<I", 1) + bytes(2)),
    (81, bytes(8)),
    (87, bytes(9)),
    (103, b"\0\1" + struct.pack("<I", 0)),
    (111, struct.pack("<I", 2) + b"\1\0" + b"\2" + bytes(9) + b"\1\1"),
    (120, b"\1" + struct.pack("<I", 3) + b"abc"),
    (122, bytes(16)),
    (123, bytes(48)),
    (126, bytes(17)),
    (155, bytes(2)),
    (160, b"\1"),
]


@pytest.mark.parametrize(("tag", "payload"), PAYLOADS)
@pytest.mark.parametrize("shared", [False, True])
def test_older_routes_are_read_past_their_plan(tag: int, payload: bytes, shared: bool) -> None:
    plan = step(7) + step(tag, payload)
    seen = jupiter.decode_swap(old_route(plan, 5, 900, 100, 3, steps=2, shared=shared))
    assert (seen.in_amount, seen.quoted_out_amount, seen.slippage, seen.platform_fee) == (5, 900, Bps(100), Bps(3))


@given(st.lists(st.sampled_from(PAYLOADS), max_size=6), U64, U64, BPS, st.integers(0, 255))
def test_older_routes_of_any_length(
    steps: list[tuple[int, bytes]], amount: int, quoted: int, slippage: int, fee: int
) -> None:
    plan = b"".join(step(tag, payload) for tag, payload in steps)
    seen = jupiter.decode_swap(old_route(plan, amount, quoted, slippage, fee, steps=len(steps)))
    assert (seen.in_amount, seen.quoted_out_amount, seen.slippage.value) == (amount, quoted, slippage)


def test_a_fair_looking_tail_cannot_hide_the_minimum_that_runs() -> None:
    fair = struct.pack("<QQHB", 5, 1000, 50, 0)
    with pytest.raises(LayoutError, match="no more bytes"):
        jupiter.decode_swap(old_route(step(7), 5, 0, 50, 0) + fair)


@pytest.mark.parametrize("tag", [146, 161, 255])
def test_an_unknown_step_is_refused_with_the_way_out(tag: int) -> None:
    with pytest.raises(LayoutError, match=f"instructionVersion=V2.*variant {tag}"):
        jupiter.decode_swap(old_route(step(tag), 5, 1000, 50, 0))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes.fromhex("bb64facc31c4af14"),
        new_route(1, 2, 10_001, 0, 0),
        new_route(1, 2, 0, 10_001, 0),
        new_route(1, 2, 0, 0, 0)[:33],
        old_route(step(7), 5, 1000, 10_001, 0),
        old_route(step(7), 5, 1000, 50, 0)[:-1],
        old_route(b"", 5, 1000, 50, 0, steps=2**32 - 1),
        old_route(step(111, struct.pack("<I", 1) + b"\3"), 5, 1000, 50, 0),
    ],
)
def test_malformed_swaps_are_layout_errors(data: bytes) -> None:
    with pytest.raises(LayoutError):
        jupiter.decode_swap(data)


@pytest.mark.parametrize(
    ("disc", "name"),
    [
        ("d033ef977b2bed5c", "exact_out_route"),
        ("b0d169a89a7d453e", "shared_accounts_exact_out_route"),
        ("9d8ab85215f4f324", "exact_out_route_v2"),
        ("3560e5cad8bbfa18", "shared_accounts_exact_out_route_v2"),
        ("96564774a75d0e68", "route_with_token_ledger"),
        ("e6798f50779f6aaa", "shared_accounts_route_with_token_ledger"),
    ],
)
def test_variants_whose_bounds_mean_something_else_are_refused_by_name(disc: str, name: str) -> None:
    with pytest.raises(LayoutError, match=f"is {name}$"):
        jupiter.decode_swap(bytes.fromhex(disc) + bytes(60))


def test_error_names_stand_at_the_published_codes() -> None:
    named = {6001: "SlippageToleranceExceeded", 6008: "NotEnoughAccountKeys", 6014: "IncorrectTokenProgramID"}
    named |= {6017: "ExactOutAmountNotMatched", 6024: "InsufficientFunds", 6025: "InvalidTokenAccount"}
    assert {code: jupiter.JUPITER_ERRORS[code] for code in named} == named
