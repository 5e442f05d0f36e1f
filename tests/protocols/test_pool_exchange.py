"""Tokens against notes: never to the user's profit, never half an exchange, and each ChangeKind against what is there."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from keeper.protocols.glow_margin_pool import (
    ChangeKind,
    FullAmount,
    MarginPoolState,
    PoolAction,
    PoolFlags,
    PoolPanic,
    PoolRefused,
    changes,
    clearing_repayment,
    deposit_note_rate,
    effects,
    exchange,
    from_notes,
    from_tokens,
    loan_note_rate,
    note_prices,
    owed,
    redeemable,
)
from keeper.units import UnixTime
from tests.protocols.pool_bytes import DOCS, NOW, ONE, QUOTE_FEED, a_pool, an_update, pools

OPEN = replace(DOCS, deposit_limit=2**64 - 1, borrow_limit=2**64 - 1)
POOL = a_pool(borrowed=600 * ONE, idle=600, deposit_notes=1_000, loan_notes=500)
"""A deposit note is worth 1.2 tokens, a loan note owes 1.2."""
SET_SOURCE, SET_DESTINATION, SHIFT = ChangeKind.SET_SOURCE_TO, ChangeKind.SET_DESTINATION_TO, ChangeKind.SHIFT_BY


@given(pools(), st.sampled_from(PoolAction), st.integers(1, 10**17) | st.integers(1, 50))
def test_every_exchange_is_rounded_for_the_pool(pool: MarginPoolState, action: PoolAction, amount: int) -> None:
    rate = deposit_note_rate(pool) if action.of_deposits else loan_note_rate(pool)
    for exchanged in (from_tokens, from_notes):
        try:
            both = exchanged(pool, action, amount)
        except PoolRefused as refused:
            assert refused.code == 135_104
            continue
        gap = both.notes * rate - both.tokens * ONE
        slack = rate + ONE + both.tokens  # a unit of either side, and the division's cut
        if action.notes_up:
            assert -both.tokens <= gap <= slack
        else:
            assert -slack <= gap <= both.tokens


@given(pools(), st.integers(1, 10**16))
def test_a_deposit_taken_back_earns_nothing(pool: MarginPoolState, tokens: int) -> None:
    pool = replace(pool, config=OPEN)
    try:
        put = exchange.deposit(pool, tokens)
    except PoolRefused:
        assume(False)
        raise
    after = effects.deposited(pool, put)
    cut = tokens // 10**14  # fifteen decimals of the note rate: nothing below 100 000 SOL
    assert redeemable(after, put.notes) <= tokens + cut
    assert exchange.withdraw(after, tokens).notes >= put.notes - cut


@given(pools(), st.integers(1, 10**16))
def test_a_loan_costs_at_least_what_it_gave(pool: MarginPoolState, tokens: int) -> None:
    tokens = min(tokens, pool.deposit_tokens)
    assume(tokens)
    taken = exchange.borrow(pool, tokens)
    after = replace(
        pool,
        borrowed=pool.borrowed + tokens * ONE,
        loan_notes=pool.loan_notes + taken.notes,
        deposit_tokens=pool.deposit_tokens - tokens,
    )
    assert owed(after, taken.notes) >= tokens - tokens // 10**14


def test_half_an_exchange_is_refused_by_name() -> None:
    for exchanged, action in ((from_tokens, PoolAction.DEPOSIT), (from_tokens, PoolAction.REPAY)):
        with pytest.raises(PoolRefused, match="InvalidAmount") as caught:
            exchanged(POOL, action, 1)
        assert (caught.value.code, caught.value.reason) == (135_104, "InvalidAmount")
    assert from_tokens(POOL, PoolAction.DEPOSIT, 0) == FullAmount(0, 0)
    cheap = a_pool(borrowed=5 * ONE, idle=5, deposit_notes=20, loan_notes=10)
    with pytest.raises(PoolRefused, match="InvalidAmount"):
        from_notes(cheap, PoolAction.WITHDRAW, 1)
    assert (redeemable(cheap, 1), owed(cheap, 1)) == (0, 1)


def test_rates_of_an_empty_pool_are_one() -> None:
    assert (deposit_note_rate(a_pool()), loan_note_rate(a_pool())) == (ONE, ONE)
    assert loan_note_rate(a_pool(borrowed=ONE // 2, deposit_notes=1, idle=1)) == ONE
    with pytest.raises(PoolPanic, match="below zero"):
        deposit_note_rate(a_pool(borrowed=ONE, fees=2 * ONE, deposit_notes=1))


@pytest.mark.parametrize(
    ("action", "kind", "amount", "moved"),
    [
        (PoolAction.DEPOSIT, SHIFT, 60, 60),
        (PoolAction.DEPOSIT, SET_SOURCE, 60, 240),
        (PoolAction.DEPOSIT, SET_DESTINATION, 160, 40),
        (PoolAction.WITHDRAW, SHIFT, 60, 60),
        (PoolAction.WITHDRAW, SET_SOURCE, 60, 240),
        (PoolAction.WITHDRAW, SET_DESTINATION, 160, 40),
        (PoolAction.BORROW, SHIFT, 60, 60),
        (PoolAction.BORROW, SET_SOURCE, 360, 60),
        (PoolAction.BORROW, SET_DESTINATION, 160, 40),
        (PoolAction.REPAY, SHIFT, 60, 60),
        (PoolAction.REPAY, SET_SOURCE, 240, 60),
        (PoolAction.REPAY, SET_SOURCE, 60, 120),
        (PoolAction.REPAY, SET_DESTINATION, 30, 90),
        (PoolAction.REPAY, SET_DESTINATION, 0, 120),
    ],
)
def test_the_table_of_changes(action: PoolAction, kind: ChangeKind, amount: int, moved: int) -> None:
    """300 tokens at the source, 120 at the destination."""
    assert changes.tokens_to_move(action, kind, amount, source=300, destination=120) == moved


@pytest.mark.parametrize(
    ("action", "kind", "amount"),
    [
        (PoolAction.DEPOSIT, SET_SOURCE, 301),
        (PoolAction.DEPOSIT, SET_DESTINATION, 119),
        (PoolAction.WITHDRAW, SET_SOURCE, 301),
        (PoolAction.WITHDRAW, SET_DESTINATION, 119),
        (PoolAction.BORROW, SET_SOURCE, 299),
        (PoolAction.BORROW, SET_DESTINATION, 119),
        (PoolAction.REPAY, SET_SOURCE, 301),
        (PoolAction.REPAY, SET_DESTINATION, 121),
    ],
)
def test_a_target_that_is_passed_already(action: PoolAction, kind: ChangeKind, amount: int) -> None:
    with pytest.raises(PoolRefused, match="SetMathOp") as caught:
        changes.tokens_to_move(action, kind, amount, source=300, destination=120)
    assert caught.value.code == 135_110


def test_what_each_instruction_moves() -> None:
    """Balances in notes count 1.2 tokens each, rounded as that instruction rounds them."""
    assert changes.deposit_amount(POOL, SET_SOURCE, 5, source_tokens=65, deposit_notes=0) == FullAmount(60, 50)
    assert changes.deposit_amount(POOL, SET_DESTINATION, 74, source_tokens=99, deposit_notes=11) == FullAmount(60, 50)
    assert changes.withdraw_amount(POOL, SET_SOURCE, 0, deposit_notes=11, destination_tokens=0) == FullAmount(13, 11)
    assert changes.withdraw_amount(POOL, SET_DESTINATION, 20, deposit_notes=50, destination_tokens=8) == FullAmount(
        12, 10
    )
    assert changes.margin_borrow_amount(POOL, SET_SOURCE, 73, loan_notes=11, deposit_notes=0) == FullAmount(60, 50)
    assert changes.margin_borrow_amount(POOL, SET_DESTINATION, 74, loan_notes=0, deposit_notes=11) == FullAmount(60, 50)
    assert changes.margin_borrow_v2_amount(POOL, 61, loan_notes=11) == FullAmount(61, 51)
    loan, burnt = changes.margin_repay_amount(POOL, SET_DESTINATION, 0, deposit_notes=50, loan_notes=11)
    assert (loan, burnt) == (FullAmount(14, 11), FullAmount(14, 12))
    assert changes.repay_amount(POOL, SHIFT, 12, source_tokens=50, loan_notes=11) == FullAmount(12, 10)


def test_an_instruction_refuses_dust_in_an_account_that_it_reads() -> None:
    with pytest.raises(PoolRefused, match="InvalidAmount"):
        changes.deposit_amount(POOL, SET_DESTINATION, 100, source_tokens=1, deposit_notes=0)
    cheap = a_pool(borrowed=5 * ONE, idle=5, deposit_notes=20, loan_notes=10)
    with pytest.raises(PoolRefused, match="InvalidAmount"):
        changes.margin_borrow_v2_amount(cheap, 5, loan_notes=1)


def test_repay_counts_the_loan_at_the_deposit_rate() -> None:
    """Loan notes owe 1.5, deposit notes are worth 1.2: bringing the loan "down to 0" leaves a fifth of it; a shift does not."""
    pool = a_pool(borrowed=1_500 * ONE, idle=900, deposit_notes=2_000, loan_notes=1_000)
    assert (
        owed(pool, 100),
        changes.repay_amount(pool, SET_DESTINATION, 0, source_tokens=999, loan_notes=100).notes,
    ) == (150, 80)
    assert from_tokens(pool, PoolAction.REPAY, clearing_repayment(pool, 100)).notes == 100
    loan, _ = changes.margin_repay_amount(pool, SET_DESTINATION, 0, deposit_notes=500, loan_notes=100)
    assert loan == FullAmount(150, 100)


@given(pools(), st.integers(1, 100))
def test_a_clearing_repayment_burns_the_loan_and_no_note_more(pool: MarginPoolState, percent: int) -> None:
    notes = pool.loan_notes * percent // 100
    assume(notes and notes < 10**16)
    tokens = clearing_repayment(pool, notes)
    amount = from_tokens(pool, PoolAction.REPAY, tokens)
    whole = amount.notes == notes or tokens == -(-pool.borrowed // ONE)
    assert whole if loan_note_rate(pool) >= ONE else amount.notes <= notes
    assert tokens >= owed(pool, notes) - 1
    assert effects.repaid(pool, amount).loan_notes == pool.loan_notes - amount.notes
    assert whole or from_tokens(pool, PoolAction.REPAY, tokens + 1).notes > notes


def test_nothing_owed_needs_no_repayment() -> None:
    assert clearing_repayment(POOL, 0) == 0


def test_a_small_rest_is_cleared_in_spite_of_interest() -> None:
    """The slack of one note: 1 000 notes can grow by up to a thousandth before a repayment sized now leaves one."""
    pool = a_pool(borrowed=1_500 * 10**9 * ONE, idle=10**12, deposit_notes=2 * 10**12, loan_notes=1_000 * 10**9)
    tokens = clearing_repayment(pool, 1_000)
    grown = replace(pool, borrowed=pool.borrowed + pool.borrowed // 1_500)
    assert (
        from_tokens(pool, PoolAction.REPAY, tokens).notes == from_tokens(grown, PoolAction.REPAY, tokens).notes == 1_000
    )


def test_guards_of_every_action() -> None:
    cases: tuple[tuple[Callable[[], MarginPoolState], str], ...] = (
        (lambda: effects.withdrawn(POOL, FullAmount(601, 1)), "InsufficientLiquidity"),
        (lambda: effects.withdrawn(POOL, FullAmount(1, 1_001)), "InsufficientLiquidity"),
        (lambda: effects.borrowed(POOL, FullAmount(601, 1)), "InsufficientLiquidity"),
        (
            lambda: effects.borrowed(replace(POOL, config=replace(DOCS, borrow_limit=600)), FullAmount(1, 1)),
            "BorrowLimit",
        ),
        (lambda: effects.repaid(POOL, FullAmount(1, 501)), "InsufficientLiquidity"),
        (lambda: effects.repaid(POOL, FullAmount(601, 500)), "RepaymentExceedsTotalOutstanding"),
        (lambda: effects.repaid_from_deposit(POOL, FullAmount(1, 1), FullAmount(1, 1_001)), "InsufficientLiquidity"),
    )
    for wrong, reason in cases:
        with pytest.raises(PoolRefused, match=reason):
            wrong()
    shut = replace(POOL, config=replace(DOCS, flags=PoolFlags.DISABLED | PoolFlags.ALLOW_LENDING))
    for action in (effects.deposited, effects.withdrawn, effects.borrowed, effects.repaid):
        with pytest.raises(PoolRefused, match="Disabled"):
            action(shut, FullAmount(12, 10))


def test_the_last_repayment_may_exceed_the_debt_by_its_rounding() -> None:
    pool = a_pool(borrowed=10 * ONE + 1, idle=1, deposit_notes=5, loan_notes=10)
    after = effects.repaid(pool, FullAmount(11, 10))
    assert (after.borrowed, after.loan_notes, after.deposit_tokens) == (0, 0, 12)
    settled = effects.repaid_from_deposit(pool, FullAmount(11, 10), FullAmount(11, 5))
    assert (settled.borrowed, settled.deposit_tokens, settled.deposit_notes) == (0, 1, 0)


def test_notes_are_priced_to_the_nearest_unit_of_the_oracle() -> None:
    pool = a_pool(borrowed=2 * ONE, idle=2, deposit_notes=3, loan_notes=1)  # 1.333... and 2 tokens a note
    prices = note_prices(pool, an_update(100, conf=1, ema_price=200))
    assert (prices.deposit.price, prices.deposit.conf, prices.deposit.ema) == (133, 1, 267)
    assert (prices.loan.price, prices.loan.conf, prices.loan.ema) == (200, 2, 400)
    assert (prices.loan.exponent, prices.loan.publish_time) == (-8, UnixTime(NOW))


def test_a_redemption_price_is_not_rounded_before_the_note_rate() -> None:
    pool = a_pool(idle=3_000_000_000, deposit_notes=1_000_000_000)  # 3 tokens a note
    rate = an_update(150_000_000, conf=0)  # 1.5
    quote = an_update(1, conf=2, ema_price=3, feed_id=QUOTE_FEED, publish_time=UnixTime(NOW - 9))
    prices = note_prices(pool, rate, quote)
    assert prices.deposit.price == 5  # 1.5 units x 3 is 4.5; rounded first it would be 6
    assert prices.deposit.conf == 6
    assert prices.deposit.ema == 14
    assert prices.deposit.publish_time == UnixTime(NOW - 9)


@pytest.mark.parametrize("update", [an_update(-1), an_update(1, exponent=-32), an_update(1, exponent=2)])
def test_prices_that_the_program_cannot_hold(update: object) -> None:
    with pytest.raises(PoolPanic):
        note_prices(POOL, update)  # type: ignore[arg-type]  # parametrised values are objects to mypy
