"""Packing: every transaction fits, nothing is left out or reordered, and what is left after a stop is packed the same."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from keeper.execution.message import MAX_TRANSACTION_BYTES, NO_BLOCKHASH, assemble, unsigned
from keeper.execution.outcome import Refusal
from keeper.execution.preparation.bundles import bundles
from keeper.execution.preparation.steps import Opening, Step
from keeper.protocols.compute_budget import MAX_COMPUTE_UNITS
from keeper.units import ComputeUnits, Lamports, MicroLamports

PAYER = Pubkey.from_bytes(bytes([1] * 32))


def step(number: int, accounts: int, size: int, limit: int, rent: int) -> Step:
    keys = [Pubkey.from_bytes(bytes([2, number % 256, at]) + bytes(29)) for at in range(accounts)]
    metas = [AccountMeta(key, is_signer=False, is_writable=True) for key in keys]
    call = Instruction(PAYER, bytes(size), metas)
    return Step(f"step {number}", (call,), ComputeUnits(limit), (Opening(PAYER, Lamports(rent)),))


sizes = st.tuples(st.integers(0, 12), st.integers(0, 500), st.integers(1_000, 1_400_000), st.integers(0, 10**9))


@settings(max_examples=60, deadline=None)
@given(st.lists(sizes, max_size=12), st.integers(0, 10**6))
def test_packing_keeps_order_fits_and_does_not_depend_on_what_landed_before(
    shapes: list[tuple[int, int, int, int]], price: int
) -> None:
    steps = [step(number, *shape) for number, shape in enumerate(shapes)]
    packed = bundles(steps, PAYER, MicroLamports(price))
    assert [one for bundle in packed for one in bundle.steps] == steps
    for at, bundle in enumerate(packed):
        message = assemble(PAYER, bundle.compiled, bundle.budget, NO_BLOCKHASH)
        assert len(unsigned(message)) <= MAX_TRANSACTION_BYTES
        assert bundle.budget.limit == ComputeUnits(sum(one.limit.value for one in bundle.steps)) <= MAX_COMPUTE_UNITS
        left = [one for later in packed[at:] for one in later.steps]
        assert bundles(left, PAYER, MicroLamports(price)) == packed[at:]
    cost = sum(one.rent.value for one in steps) + sum(bundle.budget.fee.value for bundle in packed)
    assert sum(bundle.change.value for bundle in packed) == -cost


def test_a_step_that_fits_into_no_transaction_is_refused() -> None:
    with pytest.raises(Refusal) as caught:
        bundles([step(0, 1, 2_000, 1_000, 0)], PAYER, MicroLamports(0))
    assert caught.value.refused.reason == "transaction_too_large"
