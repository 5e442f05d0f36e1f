"""What the loop is written in: measured yields, what an inversion cost, stress, and the limits of a levered position."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.lending import RATE_YEAR, Collateral, Loan, MarginAccount, Stress
from keeper.past import BorrowSample, EpochRates, Past
from keeper.plan import Borrow, ClaimUnstake, Deposit, RequestUnstake, Stake, Swap, TicketId, Unstake, Withdraw
from keeper.tactics.leverage import Position, largest, least
from keeper.tactics.steps import native_change
from keeper.tactics.yields import dex_price, growth, highest_rate, interest, inversion_loss, staking_yield
from keeper.units import SOL, SSOL, Bps, Duration, Epoch, Lamports, Rate, TokenAmount, UnixTime
from tests.strategies.lending_views import PERCENT, PLACE, POOL, account, borrows, epochs, ladders, loop_view
from tests.strategies.market_views import GLOWSOL, NOW, SOL_UNIT

CALM = Stress(Bps(0), Bps(0), Bps(0))
DAY = 86_400


def position(assets: int, debt: int, *, stress: Stress = CALM, weight: int = 9_500, leverage: int = 400) -> Position:
    place = Collateral("c", GLOWSOL, TokenAmount(GLOWSOL, assets), Rate(1, 1), Bps(weight))
    loan = Loan(POOL, SOL, TokenAmount(SOL, debt), Rate(1, 1), leverage)
    return Position(MarginAccount("m", (place,), (loan,)), "c", POOL, stress)


# stress and limits


@pytest.mark.parametrize(("floor", "leverage"), [(0, 4_167), (600, 3_501), (1_000, 3_165)])
def test_the_most_debt_at_a_health_is_the_facts_leverage(floor: int, leverage: int) -> None:
    """protocol.md 3.5: L(h) = k / (k - w (1 - h)) with w = 0.95, f = 4."""
    equity = 100 * SOL_UNIT
    debt = position(equity, 0).safe_debt(Bps(floor), Lamports(10 * equity))
    assert round((equity + debt.value) * 1_000 / equity) == leverage


def test_the_stress_of_the_defaults_is_the_documents_number() -> None:
    stress = Stress.over(Bps(1_500), Bps(20_000), Duration(7 * DAY), Bps(200))
    assert stress == Stress(Bps(1_500), Bps(399), Bps(200))
    debt = position(10**12, 0, stress=stress).safe_debt(Bps(1_300), Lamports(10**13))
    assert 1.12 < debt.value / 10**12 < 1.13


@given(st.integers(0, 30_000), st.integers(0, 60 * DAY))
def test_debt_under_stress_is_never_less_than_what_compounds(rate: int, span: int) -> None:
    exponent = Fraction(rate * span, 10_000 * RATE_YEAR.value)
    if exponent > 1:
        return
    truth = sum(exponent**n / factorial(n) for n in range(1, 25))
    assert Stress.over(Bps(0), Bps(rate), Duration(span), Bps(0)).growth.value >= truth * 10_000


def factorial(n: int) -> int:
    return 1 if n < 2 else n * factorial(n - 1)


@given(
    st.integers(1, 10**12),
    st.integers(0, 10**12),
    st.integers(0, 10_000),
    st.integers(0, 4_000),
    st.sampled_from([0, 100, 400, 10_000]),
)
def test_limits_hold_by_the_accounts_own_word(assets: int, debt: int, weight: int, floor: int, leverage: int) -> None:
    stress = Stress(Bps(1_500), Bps(400), Bps(200))
    seen, bound = position(assets, debt, stress=stress, weight=weight, leverage=leverage), Bps(floor)
    free = seen.free(bound)
    assert free.units == 0 or seen.after(deposited=-free.units).account.health >= bound
    spare = seen.spare(bound)
    assert spare <= free
    assert spare.units == 0 or seen.after(deposited=-spare.units).stressed >= bound
    more = seen.borrowable(bound, Lamports(10**12))
    assert not more or seen.after(borrowed=more.value).account.health >= bound
    safe = seen.safe_debt(bound, Lamports(10**12))
    assert not safe or seen.with_debt(safe).stressed >= bound
    if seen.account.health >= bound and free.units < assets:
        beyond = free.units + max(assets // 2**20, 1) + 1
        assert seen.after(deposited=-min(beyond, assets)).account.health < bound or beyond > assets


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_halving_finds_the_edge_within_its_grain(limit: int, edge: int) -> None:
    grain = max(limit // 2**20, 1)
    found = largest(limit, lambda n: n <= edge)
    assert found <= max(edge, 0)
    assert found > min(edge, limit) - grain or found == min(edge, limit)
    found = least(limit, lambda n: n >= edge)
    edge = max(edge, min(limit, 1))  # from 1 on
    assert found == limit if edge >= limit else edge <= found < edge + grain


def test_leverage_is_compared_without_dividing() -> None:
    assert position(300, 200).over(Bps(29_999))
    assert not position(300, 200).over(Bps(30_000))
    assert position(100, 100).over(Bps(100_000))  # no equity at all
    assert not position(100, 0).over(Bps(10_000))


# yields


def test_growth_is_yearly_and_rounded_down() -> None:
    assert growth(Rate(100, 100), Rate(101, 100), Duration(31_536_000)) == 10_000_000
    assert growth(Rate(100, 100), Rate(99, 100), Duration(31_536_000)) == -10_000_000
    assert growth(Rate(100, 100), Rate(101, 100), Duration(0)) is None
    assert growth(Rate(0, 100), Rate(101, 100), Duration(1)) is None


def test_an_even_growth_is_measured_as_it_is() -> None:
    seen = loop_view(apy=8 * PERCENT)
    found = staking_yield(seen, GLOWSOL)
    assert found is not None
    assert abs(found - 8 * PERCENT) < PERCENT // 50


def test_a_new_epoch_counts_one_fifth_and_missing_ones_count_as_many() -> None:
    def at(day: int, rate: int) -> EpochRates:
        return EpochRates(Epoch(day), UnixTime(day * DAY), Rate(rate, 10**9), None)

    year = 365
    first, second = 10**9 * 10 // 100 // year, 10**9 * 20 // 100 // year
    rates = (at(0, 10**9), at(1, 10**9 + first), at(2, 10**9 + first + second))
    seen = replace(loop_view(), past=Past(rates))
    found = staking_yield(seen, SSOL)
    assert found is not None
    assert abs(found - 12 * PERCENT) < PERCENT // 20  # 10 % x 4/5 + 20 % x 1/5
    skipped = (at(0, 10**9), at(1, 10**9 + first), at(3, 10**9 + first + 2 * second))
    found = staking_yield(replace(seen, past=Past(skipped)), SSOL)
    assert found is not None
    assert abs(found - 136 * PERCENT // 10) < PERCENT // 20  # 10 % x 16/25 + 20 % x 9/25


def test_the_stake_pools_memory_stands_in_and_nothing_is_unknown() -> None:
    seen = replace(loop_view(), past=Past(epochs(count=1)))
    assert staking_yield(seen, GLOWSOL) is None
    pool = replace(
        seen.pools[0],
        last_epoch_rate=Rate(seen.pools[0].rate.numerator * 9_996, seen.pools[0].rate.denominator * 10_000),
    )
    found = staking_yield(replace(seen, pools=(pool,)), GLOWSOL)
    assert found is not None
    assert 7 * PERCENT < found < 8 * PERCENT
    assert staking_yield(replace(seen, pools=()), GLOWSOL) is None


def test_interest_and_the_highest_rate() -> None:
    assert interest(Lamports(10**9), 10 * PERCENT, Duration(31_536_000)) == Lamports(10**8)
    assert interest(Lamports(-1), 1, Duration(1)) == Lamports(-1)
    seen = loop_view()
    assert highest_rate(seen, SSOL) == seen.past.rates[-1].ssol
    assert highest_rate(replace(seen, past=Past()), SSOL) is None


def test_the_dex_price_is_the_higher_of_bid_and_ask() -> None:
    both = loop_view(price_bps=9_000)
    price = dex_price(both, GLOWSOL)
    assert price is not None
    assert Rate(105 * 9_000, 100 * 10_000) < price < Rate(105 * 9_020, 100 * 10_000)
    bid_only = replace(both, quotes=both.quotes[:1])
    lower = dex_price(bid_only, GLOWSOL)
    assert lower is not None
    assert lower < price
    assert dex_price(replace(both, quotes=()), GLOWSOL) is None
    assert dex_price(replace(both, quotes=ladders(SSOL)), GLOWSOL) is None


def test_an_inversion_is_what_was_lost_since_it_was_last_made_good() -> None:
    earned, cap = 8 * PERCENT, 10**9
    week = borrows(*[18 * PERCENT] * 7)
    assert inversion_loss(week, POOL, NOW, earned, cap) == pytest.approx(10 * PERCENT * 7 // 365, rel=1e-6)
    healed = borrows(*[18 * PERCENT] * 7, *[3 * PERCENT] * 14)
    assert inversion_loss(healed, POOL, NOW, earned, cap) == 0
    half = borrows(*[18 * PERCENT] * 7, *[3 * PERCENT] * 7)
    assert inversion_loss(half, POOL, NOW, earned, cap) == pytest.approx(5 * PERCENT * 7 // 365, rel=1e-6)
    assert inversion_loss(week, "another pool", NOW, earned, cap) == 0
    assert inversion_loss(week, POOL, NOW, earned, 1_000) == 1_000
    later = (BorrowSample(UnixTime(NOW.value + 1), POOL, 10**9),)
    assert inversion_loss(later, POOL, NOW, earned, cap) == 0


@given(st.lists(st.integers(0, 200), min_size=1, max_size=60), st.integers(1, 40))
def test_the_rule_to_leave_costs_at_most_twice_what_foresight_would(rates: list[int], trip: int) -> None:
    """Ski rental. With foresight, an inversion costs what it takes in all or a round trip, whichever is less. Without: pay until
    that has cost a round trip, and then pay one. A step may overshoot by its own length."""
    inversion = [8 + rate for rate in rates]  # per step, above the yield of 8: a single inversion
    cost, steps, paid, left = trip * 10_000, [(rate - 8) * 1_000 for rate in inversion], 0, False
    samples: list[BorrowSample] = []
    for index, step in enumerate(steps):
        now = UnixTime(index * DAY)
        if inversion_loss(samples, POOL, now, 0, cost) >= cost:
            left = True
            break
        samples.append(BorrowSample(now, POOL, step * 365))
        paid += step
    total = paid + (cost if left else 0)
    best = min(sum(steps), cost)
    assert total <= 2 * best + max(steps)


# what a transaction moves


def test_native_sol_is_summed_from_the_bounds() -> None:
    token, ticket = TokenAmount(GLOWSOL, 5), TicketId(0, NOW)
    assert native_change(
        (Borrow(POOL, TokenAmount(SOL, 7)), Stake(Lamports(9), token), Deposit("c", token))
    ) == Lamports(-2)
    sale = (Withdraw("c", token), Swap(token, TokenAmount(SOL, 6), "dex"))
    assert native_change(sale) == Lamports(6)
    assert native_change((Swap(TokenAmount(SOL, 6), token, "dex"),)) == Lamports(-6)
    assert native_change((Unstake(TokenAmount(SSOL, 1), Lamports(4)), RequestUnstake(token, Lamports(3)))) == Lamports(
        4
    )
    assert native_change((ClaimUnstake(ticket, Lamports(8)), Withdraw("pool", TokenAmount(SOL, 2)))) == Lamports(10)


def test_an_account_is_priced_at_most() -> None:
    margin = account(100, 0)
    cheaper = margin.priced(Rate(1, 2), GLOWSOL)
    assert cheaper.assets == Lamports(50)
    assert margin.priced(Rate(9, 1), GLOWSOL) == margin
    assert PLACE[GLOWSOL] in {one.market for one in cheaper.collateral}
