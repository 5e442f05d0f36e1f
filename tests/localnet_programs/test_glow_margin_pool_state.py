"""The pool's state alone: layout, interest, rates, exchange and what each change kind means, by the facts' numbers."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.protocols.addresses import GLOW_MARGIN_POOL, SOL_USD_FEED, SSOL_RATE_FEED, WSOL_MINT
from keeper.sim.localnet.interface import ProgramError
from keeper.sim.localnet.lending_addresses import AIRSPACE, LendingPoolAddresses
from keeper.sim.localnet.programs.glow_margin_config import PythPull, PythPullRedemption
from keeper.sim.localnet.programs.glow_margin_pool import INSTRUCTIONS
from keeper.sim.localnet.programs.glow_margin_pool_exchange import (
    Action,
    Amount,
    ChangeKind,
    of_notes,
    of_tokens,
    wanted,
)
from keeper.sim.localnet.programs.glow_margin_pool_number import ONE, growth, multiply, nearest, of_bps, of_integer
from keeper.sim.localnet.programs.glow_margin_pool_state import (
    HOUR,
    MAX_ACCRUAL,
    POOL_DISCRIMINATOR,
    MarginPool,
    PoolConfig,
)
from tests.localnet_programs.world import SOL

DAY = 24 * HOUR
WHERE = LendingPoolAddresses.of("SOL", WSOL_MINT, GLOW_MARGIN_POOL)


def pool(borrowed: int = 0, idle: int = 0, **changes: object) -> MarginPool:
    """A pool with DOCS' parameters; ``borrowed`` and ``idle`` in tokens, notes one to one unless said."""
    state = MarginPool(
        bump=254,
        airspace=AIRSPACE,
        vault=WHERE.vault,
        fee_destination=WHERE.fee_destination,
        deposit_note_mint=WHERE.deposit_note_mint,
        loan_note_mint=WHERE.loan_note_mint,
        token_mint=WHERE.mint,
        address=WHERE.pool,
        config=PoolConfig(),
        borrowed=of_integer(borrowed),
        deposit_tokens=idle,
        deposit_notes=borrowed + idle,
        loan_notes=borrowed,
        oracle=PythPull(SOL_USD_FEED),
    )
    for name, value in changes.items():
        setattr(state, name, value)
    return state


def code_of(error: ProgramError) -> object:
    assert isinstance(error.error, dict)
    return error.error["Custom"]


@pytest.mark.parametrize(
    ("name", "discriminator"),
    [
        ("deposit", "f223c68952e1f2b6"),
        ("withdraw", "b712469c946da122"),
        ("margin_borrow", "26532e3524a53441"),
        ("margin_borrow_v2", "91534eb4c2ef0223"),
        ("margin_repay", "a02f25ae2537319a"),
        ("repay", "ea674352d0eadba6"),
        ("margin_refresh_position", "e7cd5e0330ee5ee6"),
        ("register_loan", "04a665d7150ad7cf"),
        ("close_loan", "60726fcc95e4eb7c"),
        ("collect", "d02fc29b116252ec"),
    ],
)
def test_instructions_have_the_facts_discriminators(name: str, discriminator: str) -> None:
    assert INSTRUCTIONS[name].hex() == discriminator


def test_the_account_lies_as_the_facts_say() -> None:
    state = pool(7, 11, uncollected_fees=13, accrued_until=-5, loan_notes=17, deposit_notes=19)
    state.config = PoolConfig(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12)
    data = state.encode()
    assert POOL_DISCRIMINATOR.hex() == data[:8].hex() == "8eff1c20c4a8aaaf"
    keys = {10: AIRSPACE, 42: WHERE.vault, 74: WHERE.fee_destination, 106: WHERE.deposit_note_mint}
    keys |= {138: WHERE.loan_note_mint, 170: WHERE.mint, 202: WHERE.pool}
    assert all(data[offset : offset + 32] == bytes(key) for offset, key in keys.items())
    words = {234: (8, 1), 242: (2, 2), 244: (2, 3), 246: (2, 4), 252: (2, 7), 254: (2, 8), 256: (8, 9), 264: (8, 10)}
    words |= {280: (24, 7 * ONE), 304: (24, 13), 328: (8, 11), 336: (8, 19), 344: (8, 17)}
    assert all(int.from_bytes(data[at : at + size], "little") == value for at, (size, value) in words.items())
    assert int.from_bytes(data[352:360], "little", signed=True) == -5
    assert data[360:393] == b"\x01" + SOL_USD_FEED


@given(
    borrowed=st.integers(0, 2**190),
    numbers=st.lists(st.integers(0, 2**64 - 1), min_size=3, max_size=3),
    redemption=st.booleans(),
)
def test_the_account_survives_its_bytes(borrowed: int, numbers: list[int], redemption: bool) -> None:
    oracle = PythPullRedemption(SSOL_RATE_FEED, SOL_USD_FEED) if redemption else PythPull(SOL_USD_FEED)
    state = pool(borrowed=0, oracle=oracle)
    state.borrowed = borrowed
    state.deposit_tokens, state.deposit_notes, state.loan_notes = numbers
    assert MarginPool.decode(state.encode()) == state


@pytest.mark.parametrize("cut", [9, 100, 300, 392])
def test_a_truncated_account_is_refused(cut: int) -> None:
    with pytest.raises(ProgramError) as caught:
        MarginPool.decode(pool().encode()[:cut])
    assert code_of(caught.value) == 3003


# --- interest ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("borrowed", "idle", "bps"),
    [
        (0, 100, 100),
        (85, 15, 1_500),
        (95, 5, 15_000),
        (100, 0, 20_000),
        (425, 575, 800),  # half way to the first corner
        (90, 10, 8_250),  # half way between the corners
        (975, 25, 17_500),  # half way to full
    ],
)
def test_the_borrow_rate_has_the_documented_corners(borrowed: int, idle: int, bps: int) -> None:
    assert pool(borrowed * SOL, idle * SOL).borrow_rate == of_bps(bps)


def test_a_pool_without_notes_lends_at_the_lowest_rate() -> None:
    assert pool(deposit_notes=0).borrow_rate == of_bps(100)


def test_the_series_is_the_published_one() -> None:
    """The public source's own test: e^0.2 - 1 in five terms."""
    assert growth(ONE * 2 // 10, 5) == 221_402_666_666_665


@pytest.mark.parametrize("span", [1, 2 * HOUR, 2 * HOUR + 1, 12 * HOUR, DAY, DAY + 1, 7 * DAY])
@pytest.mark.parametrize("borrowed", [500, 850, 940, 1_000])
def test_interest_is_continuously_compounded(span: int, borrowed: int) -> None:
    """Against e^(rt) in forty digits: within the rounding of ten terms, and never above it."""
    state = pool(borrowed * SOL, (1_000 - borrowed) * SOL)
    rate = state.borrow_rate
    assert state.accrue(span)
    with localcontext() as context:
        context.prec = 40
        exact = (Decimal(rate) / ONE * span / 31_536_000).exp() * borrowed * SOL
        shortfall = exact - Decimal(state.borrowed) / ONE
    assert 0 <= shortfall < Decimal(borrowed * SOL) * 12 / ONE + 1
    assert state.uncollected_fees == multiply(state.borrowed - of_integer(borrowed * SOL), of_bps(2_000))
    assert state.accrued_until == span


def test_one_call_accrues_seven_days_and_says_so() -> None:
    state = pool(500 * SOL, 500 * SOL)
    assert not state.accrue(MAX_ACCRUAL + 1)
    assert state.accrued_until == MAX_ACCRUAL
    assert state.accrue(MAX_ACCRUAL + 1)
    with pytest.raises(ProgramError, match="negative time"):
        state.accrue(0)


def test_interest_beyond_seven_days_must_be_caught_up() -> None:
    with pytest.raises(ProgramError) as caught:
        pool(500 * SOL, 500 * SOL).require_accrued(MAX_ACCRUAL + 1)
    assert code_of(caught.value) == 135101


def test_a_rate_above_200_percent_is_a_panic() -> None:
    state = pool(1_000, 0, config=PoolConfig(borrow_rate_3=20_001))
    with pytest.raises(ProgramError, match="too large"):
        state.accrue(1)


def test_fees_belong_to_nobody_until_they_are_notes() -> None:
    state = pool(500 * SOL, 500 * SOL)
    state.accrue(7 * DAY)
    rate, fees, notes = state.deposit_rate, state.uncollected_fees, state.deposit_notes
    minted = state.collect_fees()
    assert minted == fees * ONE // rate // ONE > 0
    assert state.deposit_notes == notes + minted
    assert 0 <= state.uncollected_fees < rate
    assert abs(state.deposit_rate - rate) <= 1


# --- exchange ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "notes_for_100", "tokens_for_100"),
    [
        (Action.DEPOSIT, 95, 105),
        (Action.WITHDRAW, 96, 104),
        (Action.BORROW, 96, 104),
        (Action.REPAY, 95, 105),
    ],
)
def test_every_exchange_rounds_for_the_pool(action: Action, notes_for_100: int, tokens_for_100: int) -> None:
    rate = ONE * 1_045 // 1_000  # 100 / 1.045 = 95.69, 100 x 1.045 = 104.5
    assert of_tokens(100, rate, action) == Amount(100, notes_for_100)
    assert of_notes(100, rate, action) == Amount(tokens_for_100, 100)


@pytest.mark.parametrize("action", [Action.DEPOSIT, Action.REPAY])
def test_something_for_nothing_is_refused(action: Action) -> None:
    with pytest.raises(ProgramError) as caught:
        of_tokens(1, 2 * ONE, action)
    assert code_of(caught.value) == 135104
    assert of_tokens(0, 2 * ONE, action) == Amount(0, 0)


SHIFT, SOURCE, DESTINATION = ChangeKind.SHIFT_BY, ChangeKind.SET_SOURCE_TO, ChangeKind.SET_DESTINATION_TO


@pytest.mark.parametrize(
    ("action", "kind", "amount", "tokens"),
    [
        (Action.DEPOSIT, SHIFT, 30, 30),
        (Action.DEPOSIT, SOURCE, 30, 70),
        (Action.DEPOSIT, DESTINATION, 60, 20),
        (Action.WITHDRAW, SHIFT, 30, 30),
        (Action.WITHDRAW, SOURCE, 0, 100),
        (Action.WITHDRAW, DESTINATION, 60, 20),
        (Action.BORROW, SHIFT, 30, 30),
        (Action.BORROW, SOURCE, 130, 30),
        (Action.BORROW, DESTINATION, 60, 20),
        (Action.REPAY, SHIFT, 30, 30),
        (Action.REPAY, SOURCE, 70, 30),
        (Action.REPAY, SOURCE, 0, 40),
        (Action.REPAY, DESTINATION, 0, 40),
        (Action.REPAY, DESTINATION, 15, 25),
    ],
)
def test_change_kinds_with_100_in_the_source_and_40_in_the_destination(
    action: Action, kind: ChangeKind, amount: int, tokens: int
) -> None:
    assert wanted(kind, action, amount, source=100, destination=40) == tokens


@pytest.mark.parametrize(
    ("action", "kind", "amount"),
    [
        (Action.DEPOSIT, SOURCE, 101),
        (Action.DEPOSIT, DESTINATION, 39),
        (Action.WITHDRAW, SOURCE, 101),
        (Action.BORROW, SOURCE, 99),
        (Action.REPAY, SOURCE, 101),
        (Action.REPAY, DESTINATION, 41),
    ],
)
def test_a_target_that_is_passed_already_is_refused(action: Action, kind: ChangeKind, amount: int) -> None:
    with pytest.raises(ProgramError) as caught:
        wanted(kind, action, amount, source=100, destination=40)
    assert code_of(caught.value) == 135110


# --- limits -----------------------------------------------------------------------------------------------------------


def borrow_code(state: MarginPool, tokens: int) -> object:
    try:
        state.borrow(state.tokens(tokens, Action.BORROW))
    except ProgramError as error:
        return code_of(error)
    return None


def test_a_borrow_is_bounded() -> None:
    half = pool(500 * SOL, 500 * SOL)
    assert borrow_code(half, 501 * SOL) == 135103
    assert borrow_code(pool(500 * SOL, 500 * SOL), 451 * SOL) == 135109
    closed = pool(500 * SOL, 500 * SOL)
    closed.config = replace(closed.config, flags=0)
    assert borrow_code(closed, 1) == 135102
    limited = pool(500 * SOL, 500 * SOL)
    limited.config = replace(limited.config, borrow_limit=510 * SOL)
    assert borrow_code(limited, 10 * SOL) is None
    assert borrow_code(limited, 1) == 135112


def test_the_utilisation_cap_is_truncated_to_basis_points() -> None:
    """95.0099 % still counts as 9500 bps; the next basis point does not."""
    assert borrow_code(pool(0, 1_000_000, deposit_notes=1_000_000), 950_099) is None
    assert borrow_code(pool(0, 1_000_000, deposit_notes=1_000_000), 950_100) == 135109


def test_the_deposit_limit_counts_idle_tokens_only() -> None:
    state = pool(900 * SOL, 100 * SOL)
    state.config = replace(state.config, deposit_limit=150 * SOL)
    state.deposit(state.tokens(50 * SOL, Action.DEPOSIT))
    with pytest.raises(ProgramError) as caught:
        state.deposit(state.tokens(1, Action.DEPOSIT))
    assert code_of(caught.value) == 135111


def test_a_repayment_cannot_exceed_what_is_owed() -> None:
    state = pool(10, 90)
    with pytest.raises(ProgramError) as caught:
        state.repay(Amount(11, 10))
    assert code_of(caught.value) == 135108
    dusty = pool(10, 90)
    dusty.borrowed -= ONE // 2
    dusty.repay(Amount(10, 10))
    assert (dusty.borrowed, dusty.loan_notes) == (0, 0)


@given(number=st.integers(0, 10**30), exponent=st.integers(-12, 0))
def test_prices_round_to_the_nearest_unit(number: int, exponent: int) -> None:
    unit = 10 ** (15 + exponent)
    if number // unit < 2**63:
        assert abs(nearest(number, exponent) * unit - number) * 2 <= unit
