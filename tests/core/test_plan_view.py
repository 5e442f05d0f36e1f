"""The language that strategies speak refuses nonsense early and encodes to one text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.plan import (
    Atomic,
    ClaimUnstake,
    Expected,
    Hold,
    Plan,
    RequestUnstake,
    Stake,
    Swap,
    TicketId,
    Unstake,
    Wrap,
)
from keeper.units import SOL, SSOL, Bps, Duration, Lamports, Slot, TokenAmount, UnitError, UnixTime
from keeper.units.canonical import canonical, digest, plain
from keeper.view import Ladder, Rung

EXPECTED = Expected(Lamports(1), Lamports(1), Bps(1), Lamports(10), Duration(0), Lamports(-5))
STEP = Atomic((Wrap(Lamports(1)),))


@pytest.mark.parametrize("size", [0, -1])
def test_an_intent_that_moves_nothing_is_refused(size: int) -> None:
    for make in (
        lambda: Swap(TokenAmount(SOL, size), TokenAmount(SSOL, 1), "v"),
        lambda: Swap(TokenAmount(SOL, 1), TokenAmount(SSOL, size), "v"),
        lambda: Stake(Lamports(size), TokenAmount(SSOL, 1)),
        lambda: Unstake(TokenAmount(SSOL, 1), Lamports(size)),
        lambda: RequestUnstake(TokenAmount(SSOL, size), Lamports(1)),
        lambda: ClaimUnstake(TicketId(0, UnixTime(1)), Lamports(size)),
    ):
        with pytest.raises(UnitError, match="must be positive"):
            make()


def test_a_swap_for_itself_an_empty_plan_and_an_empty_step_are_refused() -> None:
    with pytest.raises(UnitError, match="itself"):
        Swap(TokenAmount(SOL, 1), TokenAmount(SOL, 1), "v")
    with pytest.raises(UnitError, match="Hold"):
        Plan((), EXPECTED, "why")
    with pytest.raises(UnitError, match="at least one"):
        Atomic(())


@pytest.mark.parametrize("reason", ["", "Has Spaces", "9lives", "trailing-dash", "ünicode"])
def test_a_reason_is_a_code(reason: str) -> None:
    with pytest.raises(UnitError, match="reason must be a code"):
        Hold(reason)
    with pytest.raises(UnitError, match="reason must be a code"):
        Plan((STEP,), EXPECTED, reason)


def test_a_decisions_numbers_cannot_be_changed_afterwards() -> None:
    numbers: dict[str, int | str] = {"edge": 3}
    hold = Hold("why", numbers)
    numbers["edge"] = 4
    assert hold.numbers["edge"] == 3
    with pytest.raises(TypeError):
        hold.numbers["edge"] = 5  # type: ignore[index]  # that it is refused is the point


def test_equal_values_have_equal_texts_and_digests() -> None:
    one = Plan((STEP,), EXPECTED, "why", {"b": 1, "a": 2})
    other = Plan((STEP,), EXPECTED, "why", {"a": 2, "b": 1})
    assert canonical(one) == canonical(other)
    assert digest(one) == digest(other)
    assert digest(one) != digest(Plan((STEP,), EXPECTED, "why", {"a": 2, "b": 3}))


def test_different_intents_of_equal_fields_have_different_texts() -> None:
    ticket = TicketId(1, UnixTime(2))
    assert canonical(Atomic((ClaimUnstake(ticket, Lamports(3)),))) != canonical(Atomic((Wrap(Lamports(3)),)))


def test_floats_have_no_place_in_a_decision() -> None:
    with pytest.raises(TypeError, match="canonical"):
        plain({"edge": 0.5})


def _ladder(points: list[tuple[int, int]]) -> Ladder:
    rungs = tuple(
        Rung(TokenAmount(SOL, x), TokenAmount(SSOL, y), TokenAmount(SSOL, max(y - 1, 0)), "v") for x, y in points
    )
    return Ladder(SOL, SSOL, rungs, Slot(1))


def test_a_ladder_out_of_order_is_refused() -> None:
    with pytest.raises(UnitError, match="sorted"):
        _ladder([(2, 1), (1, 1)])


@given(
    st.lists(st.integers(1, 10**12), min_size=2, max_size=6, unique=True),
    st.integers(0, 10**12),
    st.integers(1, 10**13),
)
def test_between_rungs_a_concave_pool_gives_at_least_what_the_ladder_says(
    sizes: list[int], at: int, depth: int
) -> None:
    def pool(amount: int) -> int:
        return depth * amount // (depth + amount)

    ladder = _ladder([(size, pool(size)) for size in sorted(sizes)])
    rung = ladder.at(TokenAmount(SOL, at))
    if min(sizes) <= at <= max(sizes):
        assert rung is not None
        assert rung.receive.units <= pool(at) + 1  # one unit: the quotes themselves are rounded down
        assert rung.min_receive <= rung.receive
    else:
        assert rung is None
