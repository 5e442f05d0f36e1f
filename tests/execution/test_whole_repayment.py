"""Paying a loan back to nothing: on every pool, at every moment of the landing, and by either reading of the program."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from keeper.execution.builders.whole_repayment import SPAN, whole_repayment
from keeper.execution.margin_wall import REST
from keeper.protocols import glow_margin_pool as margin_pool
from keeper.protocols.glow_margin_pool import ChangeKind, MarginPoolState, NoOracle, PoolAction, PoolConfig, PoolFlags
from keeper.units import UnixTime

NUMBER = 10**15
NOW = UnixTime(1_790_000_000)
KEY = Pubkey.default()
CONFIG = PoolConfig(PoolFlags.ALLOW_LENDING, 8_500, 9_500, 100, 1_500, 15_000, 20_000, 2_000, 2**63, 2**63)


@st.composite
def pools(draw: st.DrawFn) -> tuple[MarginPoolState, int]:
    """(A pool some time behind, a loan of ours in notes)."""
    ours = draw(st.integers(1_000_000, 10**14))
    others = draw(st.integers(0, 10**15))
    idle = draw(st.integers(1, 10**15))
    loan_bps, deposit_bps = draw(st.integers(10_000, 15_000)), draw(st.integers(10_000, 15_000))
    notes = ours + others
    borrowed = notes * loan_bps // 10_000
    state = MarginPoolState(
        address=KEY,
        airspace=KEY,
        token_mint=KEY,
        vault=KEY,
        fee_destination=KEY,
        deposit_note_mint=KEY,
        loan_note_mint=KEY,
        bump=255,
        config=CONFIG,
        borrowed=borrowed * NUMBER + draw(st.integers(0, NUMBER - 1)),
        uncollected_fees=0,
        deposit_tokens=idle,
        deposit_notes=max(1, (borrowed + idle) * 10_000 // deposit_bps),
        loan_notes=notes,
        accrued_until=NOW - draw(st.integers(0, 600_000)),
        oracle=NoOracle(),
    )
    return state, ours


def landed(state: MarginPoolState, notes: int, clearing: int, at: UnixTime) -> tuple[MarginPoolState, int]:
    """(The pool after the first repayment, notes that are left)."""
    later = margin_pool.accrue_fully(state, at)
    first = margin_pool.from_tokens(later, PoolAction.REPAY, clearing)
    assert first.notes <= notes
    return margin_pool.effects.repaid(later, first), notes - first.notes


@given(pools(), st.integers(0, SPAN), st.integers(0, 10_000))
def test_it_lands_at_any_moment_and_leaves_dust_at_most(
    drawn: tuple[MarginPoolState, int], delay: int, room_bps: int
) -> None:
    state, notes = drawn
    owed = margin_pool.owed(margin_pool.accrue_fully(state, NOW), notes)
    allowed = owed + owed * room_bps // 10_000
    plan = whole_repayment(state, notes, NOW, allowed)
    assert plan.clearing <= allowed
    assert owed - 2 <= plan.clearing <= owed + 2
    pool, left = landed(state, notes, plan.clearing, NOW + delay)
    assert left * REST <= notes + REST
    if not plan.brings_down:
        return
    # As the published program does it: what is left is priced at the rate of deposits.
    quirk = margin_pool.changes.repay_amount(
        pool, ChangeKind.SET_DESTINATION_TO, 0, source_tokens=allowed - plan.clearing, loan_notes=left
    )
    assert quirk.notes <= left
    assert quirk.tokens <= allowed - plan.clearing
    margin_pool.effects.repaid(pool, quirk)
    # As the facts say it, and the localnet does: at the loan's own rate, which leaves nothing.
    plain = margin_pool.from_notes(pool, PoolAction.REPAY, left)
    assert plain.tokens <= allowed - plan.clearing
    assert margin_pool.from_tokens(pool, PoolAction.REPAY, plain.tokens).notes == left


@given(pools())
def test_at_the_moment_of_the_read_nothing_is_left(drawn: tuple[MarginPoolState, int]) -> None:
    state, notes = drawn
    plan = whole_repayment(state, notes, NOW, 2**63)
    assert landed(state, notes, plan.clearing, NOW)[1] == 0
    exact = whole_repayment(state, notes, NOW, plan.owed)
    assert exact.clearing == plan.owed
    assert landed(state, notes, exact.clearing, NOW)[1] == 0


@given(pools())
def test_less_than_is_owed_is_seen_as_such(drawn: tuple[MarginPoolState, int]) -> None:
    state, notes = drawn
    owed = whole_repayment(state, notes, NOW, 2**63).owed
    plan = whole_repayment(state, notes, NOW, owed - 1)
    assert plan.clearing > owed - 1
    assert not plan.brings_down


def test_a_second_repayment_clears_the_dust_that_a_first_one_left() -> None:
    """Where a loan note owes less than a deposit note is worth, the second part of the first repayment must stay away."""
    state = MarginPoolState(
        **dict.fromkeys(("address", "airspace", "token_mint", "vault", "fee_destination"), KEY),
        deposit_note_mint=KEY,
        loan_note_mint=KEY,
        bump=255,
        config=CONFIG,
        borrowed=9 * 10**14 * NUMBER,
        uncollected_fees=0,
        deposit_tokens=10**14,
        deposit_notes=6 * 10**14,
        loan_notes=8 * 10**14,
        accrued_until=NOW,
        oracle=NoOracle(),
    )
    notes = 4 * 10**14
    plan = whole_repayment(state, notes, NOW, 2**63)
    assert not plan.brings_down
    pool, left = landed(state, notes, plan.clearing, NOW + 20)
    assert 0 < left < notes // REST
    pool = replace(pool, accrued_until=NOW + 20)
    again = whole_repayment(pool, left, NOW + 40, 2**63)
    assert landed(pool, left, again.clearing, NOW + 40)[1] == 0
