"""glowSOL's rate and shares: exact, rounded down, and nobody gains by rounding."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from keeper.protocols.addresses import GLOW_LRT
from keeper.protocols.glow_lrt import (
    LOCALNET_LRT_MAPPING,
    Idl,
    LrtBooks,
    LrtProgram,
    cancel_fee,
    quote_deposit_sol,
    quote_deposit_ssol,
    quote_request,
    redemption_rate,
)
from keeper.protocols.quotes import QuoteError
from keeper.units import SSOL, Bps, Lamports, Mint, Rate, TokenAmount, UnitError
from tests.protocols.account_bytes import key, lrt_idl_json, lrt_pool_bytes

GLOWSOL = Mint(str(key(21)), "glowSOL", 9)
POOL = LrtProgram(Idl.parse(lrt_idl_json()), LOCALNET_LRT_MAPPING, GLOW_LRT, key(5)).decode_pool(lrt_pool_bytes())

PAR = Rate(1, 1)


def glow(units: int) -> TokenAmount:
    return TokenAmount(GLOWSOL, units)


def books(
    liquid: int, ssol: int, supply: int, *, rate: Rate = PAR, pending_assets: int = 0, pending_shares: int = 0
) -> LrtBooks:
    pool = replace(POOL, pending_assets=Lamports(pending_assets), pending_shares=pending_shares)
    return LrtBooks(pool, Lamports(liquid), TokenAmount(SSOL, ssol), rate, glow(supply))


def test_the_rate_counts_liquid_sol_and_ssol_and_leaves_out_the_queue() -> None:
    state = books(1_000, 999, 2_500, rate=Rate(7, 5), pending_assets=300, pending_shares=500)
    assert state.ssol_value == Lamports(1_398)  # floor(999 * 7 / 5)
    assert state.total_assets == Lamports(2_098)
    assert state.shares_outstanding == 2_000
    assert redemption_rate(state) == Rate(2_098, 2_000)
    assert quote_deposit_sol(state, Lamports(100)) == glow(95)  # floor(100 * 2000 / 2098)
    assert quote_deposit_ssol(state, TokenAmount(SSOL, 99)) == glow(131)  # floor(138 * 2000 / 2098)
    assert quote_request(state, glow(95)) == Lamports(99)  # floor(95 * 2098 / 2000)


def test_without_shares_it_is_one_to_one() -> None:
    empty = books(0, 0, 0)
    assert redemption_rate(empty) == Rate(1, 1)
    assert quote_deposit_sol(empty, Lamports(5)) == glow(5)
    all_in_the_queue = books(1_000, 0, 50, pending_assets=60, pending_shares=50)
    assert redemption_rate(all_in_the_queue) == Rate(1, 1)
    assert quote_deposit_sol(all_in_the_queue, Lamports(5)) == glow(5)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: quote_deposit_sol(books(10, 0, 1), Lamports(9)), "deposit_too_small"),
        (lambda: quote_deposit_sol(books(10, 0, 1), Lamports(0)), "deposit_too_small"),
        (lambda: quote_deposit_ssol(books(0, 0, 0, rate=Rate(1, 2)), TokenAmount(SSOL, 1)), "deposit_too_small"),
        (lambda: quote_request(books(1, 0, 10), glow(9)), "withdrawal_too_small"),
        (lambda: quote_request(books(10, 0, 10), glow(0)), "withdrawal_too_small"),
        (lambda: quote_request(books(10, 0, 10), glow(11)), "not_enough_shares"),
        (lambda: quote_request(books(0, 0, 0), glow(1)), "not_enough_shares"),
        (lambda: quote_deposit_sol(books(0, 0, 10), Lamports(9)), "pool_insolvent"),
        (lambda: redemption_rate(books(5, 0, 10, pending_assets=6)), "pool_insolvent"),
        (lambda: redemption_rate(books(5, 0, 10, pending_shares=11)), "shares_inconsistent"),
        (lambda: quote_deposit_sol(books(1, 0, 2**63), Lamports(2**63)), "calculation_failure"),
    ],
)
def test_what_the_program_would_refuse_is_a_quote_error(call: Callable[[], object], reason: str) -> None:
    with pytest.raises(QuoteError) as caught:
        call()
    assert caught.value.reason == reason


def test_other_tokens_are_refused() -> None:
    state = books(10, 0, 10)
    with pytest.raises(UnitError):
        quote_request(state, TokenAmount(SSOL, 1))
    with pytest.raises(UnitError):
        quote_deposit_ssol(state, glow(1))
    with pytest.raises(UnitError):
        cancel_fee(state, TokenAmount(SSOL, 1))
    with pytest.raises(UnitError):
        _ = replace(state, ssol=glow(1)).total_assets


def test_claims_leave_the_minimum_reserve() -> None:
    assert books(300_000_000, 0, 0).claimable == Lamports(200_000_000)
    assert books(99_999_999, 0, 0).claimable == Lamports(0)


def test_cancelling_costs_its_fee_rounded_up() -> None:
    state = replace(books(10, 0, 10), pool=replace(POOL, cancel_fee=Bps(50)))
    assert cancel_fee(state, glow(1_000)) == glow(5)
    assert cancel_fee(state, glow(1_001)) == glow(6)
    assert cancel_fee(state, glow(0)) == glow(0)


AMOUNT = st.integers(0, 10**17)


@given(st.tuples(AMOUNT, AMOUNT, AMOUNT), st.tuples(AMOUNT, AMOUNT), st.integers(1, 10**17))
def test_a_deposit_never_gets_more_back_nor_takes_from_the_others(
    held: tuple[int, int, int], pending: tuple[int, int], deposit: int
) -> None:
    rate = Rate(1_167_796, 1_000_000)
    before = books(*held, rate=rate, pending_assets=pending[0], pending_shares=pending[1])
    try:
        rate_before, shares = redemption_rate(before), quote_deposit_sol(before, Lamports(deposit))
    except QuoteError:
        return
    assume(before.shares_outstanding > 0)
    after = replace(before, liquid=before.liquid + Lamports(deposit), supply=before.supply + shares)
    assert rate_before <= redemption_rate(after)
    assert redemption_rate(after).lamports(shares) <= Lamports(deposit)


@given(AMOUNT, st.integers(1, 10**17), st.integers(1, 10**17))
def test_a_request_never_lowers_the_rate_of_those_who_stay(liquid: int, supply: int, request: int) -> None:
    before = books(liquid, 0, supply)
    try:
        assets = quote_request(before, glow(request))
    except QuoteError:
        return
    assume(request < supply)
    pool = replace(before.pool, pending_assets=assets, pending_shares=request)
    assert redemption_rate(before) <= redemption_rate(replace(before, pool=pool))
