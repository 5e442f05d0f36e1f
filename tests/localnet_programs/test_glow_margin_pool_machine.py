"""Random lives of a pool with several users: what is booked is what is held, and rounding never pays anybody."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keeper.sim.localnet import pool_instructions as pools
from keeper.sim.localnet.interface import ProgramError
from keeper.sim.localnet.programs.glow_margin_pool_exchange import Action, Amount
from keeper.sim.localnet.programs.glow_margin_pool_number import ONE, of_integer, up
from keeper.sim.localnet.programs.glow_margin_pool_state import MarginPool
from tests.localnet_programs.lending_world import (
    SET_SOURCE,
    LendingWorld,
    make_lending_world,
    note_account_instruction,
)
from tests.localnet_programs.test_glow_margin_pool_state import pool
from tests.localnet_programs.world import SOL

AMOUNTS = st.integers(1, 400 * SOL) | st.integers(1, 100)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["deposit", "withdraw", "borrow", "repay", "wait", "collect"]), st.integers(0, 1), AMOUNTS
    ),
    min_size=1,
    max_size=12,
)


def check_books(lending: LendingWorld) -> None:
    state = lending.state()
    assert lending.amount(lending.sol.vault) == state.deposit_tokens
    assert lending.supply(lending.sol.deposit_note_mint) == state.deposit_notes
    assert lending.supply(lending.sol.loan_note_mint) == state.loan_notes
    # Fees never exceed interest, and nobody's notes are worth more than the pool owns.
    owned = state.borrowed + of_integer(state.deposit_tokens)
    assert state.uncollected_fees <= state.borrowed
    assert state.deposit_rate * state.deposit_notes <= max(ONE, owned - state.uncollected_fees) + ONE


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_the_books_hold_through_any_life(steps: list[tuple[str, int, int]]) -> None:
    """Through the bank: two users in turn do anything; whatever is refused must change nothing."""
    lending = make_lending_world(warp=40_000)
    users = [lending.borrower(f"user {index}", collateral=5_000 * SOL) for index in range(2)]
    for user in users:
        lending.world.bank.advance_slot()
        assert user.send(note_account_instruction(user.key, lending.sol)).err is None
    check_books(lending)
    for name, who, amount in steps:
        user = users[who]
        lending.advance()
        if name == "deposit":
            user.send(pools.collect(lending.sol), lending.deposit(user.actor, amount))
        elif name == "withdraw":
            user.send(pools.collect(lending.sol), lending.withdraw(user.actor, amount))
        elif name == "borrow":
            user.borrow("SOL", amount)
        elif name == "repay":
            user.repay("SOL", amount if amount % 3 else None)
        elif name == "collect":
            user.send(pools.collect(lending.sol))
        else:
            lending.advance(amount % 5)
        check_books(lending)
    for user in users:  # everybody can leave
        lending.advance()
        user.send(pools.collect(lending.sol))
        if user.debt("SOL"):
            assert user.repay("SOL").err is None or user.actor.tokens(lending.sol.mint) < user.debt("SOL")
        if lending.amount(lending.notes(user.key)):
            assert user.send(lending.withdraw(user.actor, 0, SET_SOURCE)).err is None
    check_books(lending)


Trip = Callable[[MarginPool, int], int]


def deposit_and_leave(state: MarginPool, tokens: int) -> int:
    """Gain of a lender who comes and goes."""
    put = state.tokens(tokens, Action.DEPOSIT)
    state.deposit(put)
    got = state.notes(put.notes, Action.WITHDRAW)
    state.withdraw(got)
    return got.tokens - tokens


def borrow_and_return(state: MarginPool, tokens: int) -> int:
    """Gain of a borrower who comes and goes."""
    taken = state.tokens(tokens, Action.BORROW)
    state.borrow(taken)
    owed = state.notes(taken.notes, Action.REPAY)
    owed = Amount(min(owed.tokens, up(state.borrowed)), owed.notes)
    state.repay(owed)
    return taken.tokens - owed.tokens


@settings(deadline=None)
@given(
    borrowed=st.integers(1, 900) | st.integers(1, 900 * SOL),
    idle=st.integers(1_000, 10_000 * SOL),
    stretch=st.integers(0, 10**6),
    fees=st.integers(0, ONE // 2),
    tokens=st.integers(2, 90 * SOL) | st.integers(2, 50),
    trip=st.sampled_from([deposit_and_leave, borrow_and_return]),
    rounds=st.integers(1, 5),
)
def test_nobody_profits_from_rounding(
    borrowed: int, idle: int, stretch: int, fees: int, tokens: int, trip: Trip, rounds: int
) -> None:
    """``stretch``: interest that has lifted both rates, in millionths. A trip there and back never gains a unit."""
    state = pool(borrowed, idle, uncollected_fees=fees)
    state.borrowed += state.borrowed * stretch // 10**6
    lenders, debtors = state.deposit_rate, state.loan_rate
    gain = 0
    for _ in range(rounds):
        try:
            gain += trip(state, tokens)
        except ProgramError:
            return  # limits, or something for nothing
        assert state.deposit_rate >= lenders - 1  # nor do those who stayed lose by it
        if trip is borrow_and_return:
            assert state.loan_rate <= debtors + 1  # nor do other borrowers owe more by it
    assert gain <= 0
