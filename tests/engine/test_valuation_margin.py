"""The margin account in the NAV: collateral is worth what it is in the wallet, debt counts in full, and an opening with a loan is
held against the same loan."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from keeper.engine.valuation import debt_value, value, value_token
from keeper.lending import Collateral, LendingMarket, Loan, MarginAccount, Note
from keeper.plan import TicketId
from keeper.units import SOL, SSOL, Bps, Lamports, Mint, Rate, TokenAmount, UnixTime
from keeper.view import Ticket, View
from tests.strategies.market_views import GLOWSOL, NOW, view

amounts = st.integers(0, 10**17)
yearly = st.integers(0, 5_000).map(Bps)
OTHER = Mint("Other1111111111111111111111111111111111111", "OTHER", 6)
MISPRICED = Rate(3, 1)  # an oracle far off: what redeems is worth what it redeems for
DEPOSIT_NOTE, LOAN_NOTE = "DepositNote", "LoanNote"


def place(mint: Mint, units: int, *, lent: bool = False, problem: str = "") -> Collateral:
    price = Rate(1, 1) if mint == SOL else MISPRICED
    return Collateral(f"at {mint}", mint, TokenAmount(mint, units), price, Bps(9_500), lent=lent, problem=problem)


def loan(mint: Mint, units: int, problem: str = "") -> Loan:
    price = Rate(1, 1) if mint == SOL else MISPRICED
    return Loan("pool", mint, TokenAmount(mint, units), price, 400, problem=problem)


def account(*places: Collateral, loans: tuple[Loan, ...] = ()) -> MarginAccount:
    return MarginAccount("margin", places, loans)


def owning(margin: MarginAccount | None, *tokens: TokenAmount, lamports: int = 0) -> View:
    base = view()
    sol = TokenAmount(SOL, 10**15)
    notes = (Note(DEPOSIT_NOTE, 103, 100, owed=False), Note(LOAN_NOTE, 107, 100, owed=True))
    pool = LendingMarket("pool", SOL, sol, sol, ((0, 1),), Bps(9_000), sol, sol, notes=notes)
    wallet = replace(base.wallet, lamports=Lamports(lamports), tokens=tokens)
    return replace(base, wallet=wallet, margin=margin, lending=(pool,))


@given(glow=amounts, ssol=amounts, lent=amounts, debt=amounts, rate=yearly)
def test_moving_collateral_and_borrowing_neither_gain_nor_lose_on_paper(
    glow: int, ssol: int, lent: int, debt: int, rate: Bps
) -> None:
    tokens = TokenAmount(GLOWSOL, glow), TokenAmount(SSOL, ssol)
    before = value(owning(account(), *tokens, lamports=lent), {}, rate).nav
    places = place(GLOWSOL, glow), place(SSOL, ssol), place(SOL, lent, lent=True)
    after = owning(account(*places, loans=(loan(SOL, debt),)), lamports=debt)
    assert value(after, {}, rate).nav == before


@given(glow=amounts, debt=amounts, interest=st.integers(0, 10**15), rate=yearly)
def test_interest_is_a_loss_to_the_lamport(glow: int, debt: int, interest: int, rate: Bps) -> None:
    navs = [
        value(owning(account(place(GLOWSOL, glow), loans=(loan(SOL, owed),))), {}, rate).nav
        for owed in (debt, debt + interest)
    ]
    assert navs[0] - navs[1] == Lamports(interest)


@given(lamports=amounts, wallet=amounts, raw=amounts, lent=amounts, owed=amounts, rate=yearly)
def test_at_an_opening_with_a_loan_holding_equals_nav(
    lamports: int, wallet: int, raw: int, lent: int, owed: int, rate: Bps
) -> None:
    """The opening has notes; the view has what they stand for. glowSOL in two accounts is one line of the opening, so only its
    rounding may differ."""
    places = place(GLOWSOL, raw), place(SOL, lent * 103 // 100, lent=True)
    margin = account(*places, loans=(loan(SOL, -(-owed * 107 // 100)),))
    seen = owning(margin, TokenAmount(GLOWSOL, wallet), lamports=lamports)
    opening = {"lamports": lamports, GLOWSOL.address: wallet + raw, DEPOSIT_NOTE: lent, LOAN_NOTE: owed}
    found = value(seen, opening, rate)
    assert abs(found.against_holding) <= Lamports(2)


def test_collateral_counts_even_while_its_price_is_not_usable() -> None:
    seen = owning(account(place(GLOWSOL, 10**9, problem="oracle_stale")))
    assert value(seen, {}, Bps(0)).nav == value_token(seen, TokenAmount(GLOWSOL, 10**9), Bps(0)) > Lamports(10**9)


def test_what_only_the_oracle_knows_counts_at_its_price_while_it_has_one() -> None:
    held = TokenAmount(OTHER, 10)
    assert value(owning(account(place(OTHER, 5)), held), {OTHER.address: 4}, Bps(0)) == value(
        owning(account(place(OTHER, 15))), {OTHER.address: 4}, Bps(0)
    )
    assert value(owning(account(place(OTHER, 5)), held), {OTHER.address: 4}, Bps(0)).holding == Lamports(12)
    unsure = owning(account(place(OTHER, 5, problem="oracle_stale")), held)
    assert value(unsure, {OTHER.address: 4}, Bps(0)).nav == Lamports(0)


@given(units=amounts)
def test_a_debt_is_never_worth_less_than_what_is_owed(units: int) -> None:
    owed = TokenAmount(GLOWSOL, units)
    seen = owning(account(loans=(loan(GLOWSOL, units),)))
    assert debt_value(seen, owed) == MISPRICED.lamports_up(owed), "the dearer of oracle and redemption"
    unsure = owning(account(loans=(loan(GLOWSOL, units, problem="oracle_stale"),)))
    assert debt_value(unsure, owed) >= value_token(unsure, owed, Bps(0))
    assert debt_value(owning(None), TokenAmount(OTHER, units)) == Lamports(0)


def test_a_request_of_the_stake_way_waits_until_the_chain_would_pay() -> None:
    ticket = Ticket(TicketId(0, UnixTime(900), "stake"), TokenAmount(SSOL, 1), Lamports(10**9), NOW)
    waiting = replace(ticket, ripe_at=UnixTime(NOW.value + 86_400))
    navs = [
        value(replace(owning(None), queue=(one,)), {}, Bps(800)).nav
        for one in (replace(waiting, ready=True), ticket, waiting)
    ]
    assert navs[0] == navs[1] == Lamports(10**9)
    assert Lamports(0) < navs[2] < navs[0]


def test_an_account_under_water_is_worth_less_than_nothing() -> None:
    assert value(owning(account(place(SOL, 3), loans=(loan(SOL, 5),))), {}, Bps(0)).nav == Lamports(-2)
