"""What to bid, and which blockhash may be signed with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.hash import Hash
from solders.pubkey import Pubkey

from keeper.chain import BlockhashSource, PriorityFee, StaleBlockhash
from keeper.chain.priority import percentile_of
from keeper.units import BlockHeight, MicroLamports, Slot

if TYPE_CHECKING:
    from tests.chain.conftest import MakeNode

FLOOR, CAP = MicroLamports(1_000), MicroLamports(50_000)


async def test_zeros_do_not_count_and_the_percentile_does(make_node: MakeNode) -> None:
    fees = [0] * 100 + [2_000, 4_000, 6_000, 8_000]
    node = make_node(lambda *_: [{"slot": i, "prioritizationFee": fee} for i, fee in enumerate(fees)])
    fee = PriorityFee(node.client, floor=FLOOR, cap=CAP, percentile=75)
    assert await fee.price([Pubkey.default(), Pubkey.default()]) == MicroLamports(6_000)
    assert node.requests[0][1] == [[str(Pubkey.default())]]


@pytest.mark.parametrize(("seen", "expected"), [([], FLOOR), ([0, 0], FLOOR), ([1], FLOOR), ([10**12], CAP)])
async def test_bounds_hold_whatever_the_node_says(make_node: MakeNode, seen: list[int], expected: Any) -> None:
    node = make_node(lambda *_: [{"slot": 1, "prioritizationFee": fee} for fee in seen])
    assert await PriorityFee(node.client, floor=FLOOR, cap=CAP).price([]) == expected


async def test_bad_bounds_are_refused(make_node: MakeNode) -> None:
    node = make_node(lambda *_: [])
    with pytest.raises(ValueError, match="between 0 and the cap"):
        PriorityFee(node.client, floor=CAP, cap=FLOOR)
    with pytest.raises(ValueError, match="percentile"):
        PriorityFee(node.client, floor=FLOOR, cap=CAP, percentile=0)


@given(st.lists(st.integers(0, 10**9), min_size=1), st.integers(1, 100))
def test_percentile_is_a_value_that_enough_others_do_not_exceed(values: list[int], percentile: int) -> None:
    found = percentile_of([MicroLamports(value) for value in values], percentile)
    assert found is not None
    assert found.value in values
    assert sum(value <= found.value for value in values) * 100 >= percentile * len(values)
    assert sum(value < found.value for value in values) * 100 < percentile * len(values)


def chain(slot: int, last_valid: int, height: int) -> Any:
    blockhash = {"blockhash": str(Hash.default()), "lastValidBlockHeight": last_valid}

    def reply(method: str, _: list[Any]) -> Any:
        return {"context": {"slot": slot}, "value": blockhash} if method == "getLatestBlockhash" else height

    return reply


async def test_a_fresh_blockhash_is_read_at_confirmed_every_time(make_node: MakeNode) -> None:
    node = make_node(chain(1_000, 950, 800))
    source = BlockhashSource(node.client)
    recent, height = await source.fresh()
    assert (recent.slot, recent.last_valid_block_height, height) == (Slot(1_000), BlockHeight(950), BlockHeight(800))
    await source.fresh()
    assert node.methods.count("getLatestBlockhash") == 2
    assert node.requests[0][1] == [{"commitment": "confirmed"}]


async def test_a_nearly_dead_blockhash_is_not_signed_with(make_node: MakeNode) -> None:
    node = make_node(chain(1_000, 850, 800))
    with pytest.raises(StaleBlockhash, match="50 blocks to live"):
        await BlockhashSource(node.client, min_blocks_left=100).fresh()


async def test_a_frozen_node_is_found_out_by_the_slots_of_others(make_node: MakeNode) -> None:
    node = make_node(chain(1_000, 950, 800))
    source = BlockhashSource(node.client, max_lag=32)
    source.saw_slot(Slot(1_032))
    await source.fresh()
    source.saw_slot(Slot(1_033))
    with pytest.raises(StaleBlockhash, match="lags or is frozen"):
        await source.fresh()
