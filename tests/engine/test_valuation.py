"""What belongings are worth: never more than they redeem for, and less the longer that takes."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from keeper.engine.valuation import value, value_token
from keeper.plan import TicketId
from keeper.units import SOL, SSOL, STAKE_POOL_LST, Bps, Duration, Lamports, Mint, TokenAmount
from keeper.view import GlowSol, StakePool, Ticket, View
from tests.strategies.market_views import GLOWSOL, NOW, view

amounts = st.integers(0, 10**17)
yearly = st.integers(0, 5_000).map(Bps)
waits = st.integers(0, 60 * 86_400).map(Duration)
OTHER = Mint("Other1111111111111111111111111111111111111", "OTHER", 6)


def belongings(*tokens: TokenAmount, lamports: int = 0, queue: tuple[Ticket, ...] = (), **glow: object) -> View:
    base = view(queue=queue)
    assert base.glowsol is not None
    changed = replace(base.glowsol, **glow)  # type: ignore[arg-type]  # keyword names are the caller's
    return replace(base, glowsol=changed, wallet=replace(base.wallet, lamports=Lamports(lamports), tokens=tokens))


def glow_of(seen: View) -> GlowSol:
    assert seen.glowsol is not None
    return seen.glowsol


def pool_of(seen: View) -> StakePool:
    found = seen.pool(SSOL)
    assert found is not None
    return found


def waiting(units: int, assets: int, ripe_in: int) -> Ticket:
    return Ticket(TicketId(0, NOW), TokenAmount(GLOWSOL, units), Lamports(assets), NOW.after(Duration(ripe_in)))


@given(units=amounts, rate=yearly, wait=waits)
def test_glowsol_is_never_worth_more_than_it_redeems_for(units: int, rate: Bps, wait: Duration) -> None:
    seen = belongings(waiting_period=wait)
    amount = TokenAmount(GLOWSOL, units)
    worth, par = value_token(seen, amount, rate), glow_of(seen).rate.lamports(amount)
    assert Lamports(0) <= worth <= par
    if not rate or not wait:
        assert worth == par


@given(units=amounts, rate=yearly, wait=waits, longer=waits, dearer=yearly)
def test_waiting_longer_or_at_a_higher_rate_is_worth_no_more(
    units: int, rate: Bps, wait: Duration, longer: Duration, dearer: Bps
) -> None:
    amount = TokenAmount(GLOWSOL, units)
    now = value_token(belongings(waiting_period=wait), amount, rate)
    assert value_token(belongings(waiting_period=wait + longer), amount, rate) <= now
    assert value_token(belongings(waiting_period=wait), amount, rate + dearer) <= now


@given(units=amounts)
def test_ssol_and_its_raw_form_are_what_the_pool_pays_at_once(units: int) -> None:
    seen = belongings()
    for mint in (SSOL, STAKE_POOL_LST):
        worth = value_token(seen, TokenAmount(mint, units), Bps(800))
        assert worth == pool_of(seen).instant_rate.lamports(TokenAmount(mint, units))
        assert worth <= pool_of(seen).rate.lamports(TokenAmount(mint, units))


@given(lamports=amounts, wrapped=amounts, ssol=amounts, glow=amounts, rate=yearly)
def test_at_the_start_holding_equals_nav(lamports: int, wrapped: int, ssol: int, glow: int, rate: Bps) -> None:
    tokens = (TokenAmount(SOL, wrapped), TokenAmount(SSOL, ssol), TokenAmount(GLOWSOL, glow))
    seen = belongings(*tokens, lamports=lamports)
    opening = {"lamports": lamports, **{amount.mint.address: amount.units for amount in tokens}}
    found = value(seen, opening, rate)
    assert found.nav == found.holding
    assert found.against_holding == Lamports(0)


@given(wrapped=amounts, ssol=amounts, glow=amounts)
def test_an_account_that_was_closed_still_counts_in_what_holding_would_be(wrapped: int, ssol: int, glow: int) -> None:
    """Wrapped SOL that a swap unwraps is not profit."""
    opening = {"lamports": 5, SOL.address: wrapped, SSOL.address: ssol, GLOWSOL.address: glow}
    held = value(belongings(TokenAmount(SOL, 0), TokenAmount(SSOL, 0), TokenAmount(GLOWSOL, 0)), opening, Bps(800))
    closed = value(belongings(), opening, Bps(800))
    assert closed.holding == held.holding
    unwrapped = value(belongings(lamports=5 + wrapped), {"lamports": 5, SOL.address: wrapped}, Bps(800))
    assert unwrapped.against_holding == Lamports(0)


@given(assets=amounts, ripe_in=st.integers(-(10**7), 10**7), rate=yearly)
def test_a_request_is_worth_its_assets_less_the_rest_of_its_wait(assets: int, ripe_in: int, rate: Bps) -> None:
    nav = value(belongings(queue=(waiting(assets, assets, ripe_in),)), {}, rate).nav
    assert Lamports(0) <= nav <= Lamports(assets)
    if ripe_in <= 0:
        assert nav == Lamports(assets)
    later = value(belongings(queue=(waiting(assets, assets, ripe_in + 86_400),)), {}, rate).nav
    assert later <= nav


@given(units=st.integers(0, 10**17), rate=yearly)
def test_queueing_neither_gains_nor_loses_on_paper(units: int, rate: Bps) -> None:
    """The same claim, a moment before and a moment after the request: a lamport of rounding at most."""
    amount = TokenAmount(GLOWSOL, units)
    before = belongings(amount)
    assets = glow_of(before).rate.lamports(amount)
    ticket = Ticket(TicketId(0, NOW), amount, assets, NOW.after(glow_of(before).waiting_period))
    after = belongings(TokenAmount(GLOWSOL, 0), queue=(ticket,))
    assert value(before, {}, rate).nav == value(after, {}, rate).nav


def test_what_cannot_be_priced_is_worth_nothing() -> None:
    seen = belongings(TokenAmount(OTHER, 10**9), TokenAmount(GLOWSOL, 10**9))
    assert value_token(seen, TokenAmount(OTHER, 10**9), Bps(0)) == Lamports(0)
    empty = replace(glow_of(seen), total_assets=Lamports(0), outstanding=TokenAmount(GLOWSOL, 0))
    for blind in (replace(seen, glowsol=None), replace(seen, glowsol=empty)):
        assert value_token(blind, TokenAmount(GLOWSOL, 10**9), Bps(0)) == Lamports(0)
    assert value_token(replace(seen, pools=()), TokenAmount(SSOL, 10**9), Bps(0)) == Lamports(0)
    assert value(seen, {OTHER.address: 10**9, "lamports": 3}, Bps(0)).holding == Lamports(3)


def test_a_yearly_rate_over_a_year_is_that_rate() -> None:
    year = belongings(waiting_period=Duration(31_557_600))
    par = glow_of(year).rate.lamports(TokenAmount(GLOWSOL, 10**9))
    assert value_token(year, TokenAmount(GLOWSOL, 10**9), Bps(800)) == par - Lamports(par.value * 8 // 100)
