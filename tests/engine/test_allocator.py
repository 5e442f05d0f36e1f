"""Nobody sees or takes what another counts on, whatever the budgets, the wallet and the history."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.engine.allocator import Allocation, Allocator, by_priority, outlay
from keeper.engine.ownership import Ownership
from keeper.plan import (
    Atomic,
    Borrow,
    CancelUnstake,
    ClaimUnstake,
    Deposit,
    Expected,
    Hold,
    Intent,
    Plan,
    Repay,
    RequestUnstake,
    Stake,
    Swap,
    TicketId,
    Unstake,
    Withdraw,
)
from keeper.units import SOL, SSOL, Bps, Duration, Lamports, TokenAmount
from keeper.view import View
from tests.strategies.market_views import GLOWSOL, SOL_UNIT, ticket, view

NAMES = ("arbitrage", "loop", "compound", "mine")
GAS = view().wallet.gas_reserve.value
OUT = Expected(Lamports(0), Lamports(0), Bps(0), Lamports(0), Duration(0), Lamports(0))


def a_plan(*intents: Intent, protects: bool = False) -> Plan:
    return Plan((Atomic(intents),), OUT, "test", protects=protects)


def stake(lamports: int) -> Stake:
    return Stake(Lamports(lamports), TokenAmount(GLOWSOL, 1))


def sell(units: int) -> Swap:
    return Swap(TokenAmount(GLOWSOL, units), TokenAmount(SOL, 1), "jupiter")


def spendable(allocator: Allocator, seen: View, strategy: str) -> int:
    return allocator.share(seen, strategy).wallet.spendable.value


amounts = st.integers(0, 300 * SOL_UNIT)


@st.composite
def allocators(draw: st.DrawFn) -> Allocator:
    names = draw(st.permutations(NAMES))[: draw(st.integers(1, 4))]
    budgeted = draw(st.sets(st.sampled_from(names)))
    budgets = {name: Lamports(draw(st.integers(1, 200 * SOL_UNIT))) for name in sorted(budgeted)}
    owned = Ownership(
        net={name: draw(st.integers(-200 * SOL_UNIT, 50 * SOL_UNIT)) for name in names},
        debts={name: draw(amounts) for name in sorted(draw(st.sets(st.sampled_from(names))))},
        tokens={(name, GLOWSOL.address): draw(amounts) for name in sorted(draw(st.sets(st.sampled_from(names))))},
        unwound=frozenset(draw(st.sets(st.sampled_from(names), max_size=1))),
    )
    return Allocator(Allocation.of(names, budgets, Lamports(draw(st.integers(0, 5 * SOL_UNIT)))), owned)


@settings(max_examples=60)
@given(allocator=allocators(), lamports=amounts, glow=amounts)
def test_no_share_is_more_than_the_wallet_less_what_is_others(allocator: Allocator, lamports: int, glow: int) -> None:
    seen = view(lamports=lamports, glow_held=glow)
    terms, owned = allocator.allocation, allocator.owned
    above = max(lamports - GAS - terms.protection.value, 0)
    for name in terms.names:
        share = allocator.share(seen, name)
        own = share.wallet.spendable.value
        assert 0 <= own <= above
        assert share.wallet.lamports.value <= lamports
        assert share.wallet.protection == terms.protection
        borrowed = sum(owned.borrowed(other) for other in terms.names if other != name)
        assert own <= max(above - borrowed, 0)
        if name in terms.budgets:
            left = max(terms.budgets[name].value - owned.deployed(name), 0)
            assert own <= left + owned.borrowed(name), "never more than is left of the budget, and what it borrowed"
        others = [other for other in terms.names if other != name and other not in owned.unwound]
        claims = [owned.tokens.get((other, GLOWSOL.address), 0) for other in others]
        visible = share.wallet.token(GLOWSOL).units
        assert 0 <= visible <= glow
        mine = owned.tokens.get((name, GLOWSOL.address), 0)
        assert visible <= max(mine, glow - sum(claims)), "another's tokens are hidden"
        assert share.wallet.has_account(GLOWSOL)


@settings(max_examples=60)
@given(allocator=allocators(), lamports=amounts)
def test_those_with_budgets_never_see_the_same_sol(allocator: Allocator, lamports: int) -> None:
    seen, terms = view(lamports=lamports), allocator.allocation
    unwound = allocator.owned.unwound
    shares = [spendable(allocator, seen, name) for name in terms.names if name in terms.budgets and name not in unwound]
    above = max(lamports - GAS - terms.protection.value, 0)
    assert sum(shares) <= above


@settings(max_examples=60)
@given(allocator=allocators(), lamports=amounts, glow=amounts, wanted=amounts, units=amounts)
def test_a_plan_that_passes_leaves_the_higher_ones_what_they_saw(
    allocator: Allocator, lamports: int, glow: int, wanted: int, units: int
) -> None:
    seen = view(lamports=lamports, glow_held=glow)
    names = allocator.allocation.names
    for place, name in enumerate(names):
        plan = a_plan(*([stake(wanted)] if wanted else []), *([sell(units)] if units else []), stake(1))
        if isinstance(allocator.check(seen, name, plan), Hold):
            continue
        taken = outlay(plan)
        if taken.get("lamports", 0) > spendable(allocator, seen, name):
            continue  # more than there is, and nobody's reservation: execution refuses it
        during = allocator.hold(name, plan)
        for other in names[:place]:
            if other in allocator.allocation.budgets and other not in allocator.owned.unwound:
                assert spendable(during, seen, other) == spendable(allocator, seen, other)
        assert during.release(name) == allocator


def test_alone_and_without_a_budget_a_strategy_sees_everything() -> None:
    """As it was before there was an allocator."""
    seen = view(glow_held=7, queue=(ticket(0, assets=5, ripe_in=60),))
    for name in ("arbitrage", "mine"):
        assert Allocator(Allocation.of([name], {}, Lamports(0))).share(seen, name) == seen


def test_the_order_of_priority() -> None:
    assert by_priority(["zeta", "compound", "alpha", "loop", "arbitrage"]) == (
        "arbitrage",
        "loop",
        "compound",
        "zeta",
        "alpha",
    )


BUDGETS = {"arbitrage": Lamports(100 * SOL_UNIT), "loop": Lamports(60 * SOL_UNIT)}


def three(**owned: object) -> Allocator:
    """arbitrage 100 SOL, loop 60 SOL, compound what is left; 2 SOL for protection."""
    terms = Allocation.of(["compound", "loop", "arbitrage"], BUDGETS, Lamports(2 * SOL_UNIT))
    return Allocator(terms, Ownership(**owned))  # type: ignore[arg-type]  # keyword names are the caller's


def wallet_of(sol: int, **changes: object) -> View:
    """``sol`` whole SOL above the gas reserve and the protection."""
    return view(lamports=GAS + (sol + 2) * SOL_UNIT, **changes)  # type: ignore[arg-type]  # keyword names are the caller's


@pytest.mark.parametrize(
    ("sol", "net", "shares"),
    [
        (200, {}, (100, 60, 40)),
        (120, {}, (100, 20, 0)),
        (50, {}, (50, 0, 0)),
        (120, {"arbitrage": -80}, (20, 60, 40)),
        (120, {"arbitrage": -80, "loop": -60}, (20, 0, 100)),
        (120, {"arbitrage": 5, "loop": -70}, (100, 0, 20)),
    ],
)
def test_budgets_are_filled_by_priority_and_the_rest_is_compounds(
    sol: int, net: dict[str, int], shares: tuple[int, int, int]
) -> None:
    allocator = three(net={name: change * SOL_UNIT for name, change in net.items()})
    found = tuple(spendable(allocator, wallet_of(sol), name) for name in ("arbitrage", "loop", "compound"))
    assert found == tuple(share * SOL_UNIT for share in shares)


def test_borrowed_sol_is_the_borrowers_alone_until_it_is_spent() -> None:
    allocator = three(net={"loop": 150 * SOL_UNIT}, debts={"loop": 150 * SOL_UNIT})
    seen = wallet_of(260)
    assert spendable(allocator, seen, "arbitrage") == 100 * SOL_UNIT
    assert spendable(allocator, seen, "loop") == (150 + 10) * SOL_UNIT
    assert spendable(allocator, seen, "compound") == 0
    profit = three(net={"loop": 150 * SOL_UNIT})
    assert spendable(profit, seen, "loop") == 60 * SOL_UNIT, "what was earned stays within the budget"


def test_what_was_unwound_reserves_nothing_any_more() -> None:
    seen = wallet_of(100)
    assert spendable(three(), seen, "loop") == 0
    assert spendable(three(unwound=frozenset({"arbitrage"})), seen, "loop") == 60 * SOL_UNIT


def test_what_an_unwound_strategy_left_behind_is_shown_to_compound_and_arbitrage() -> None:
    """Such as the surplus of a sale above its bound: it would lie there for ever."""
    seen = wallet_of(100, glow_held=7)
    left = {("loop", GLOWSOL.address): 5}
    before, after = three(tokens=left), three(tokens=left, unwound=frozenset({"loop"}))
    assert [before.share(seen, name).wallet.token(GLOWSOL).units for name in ("compound", "arbitrage", "loop")] == [
        2,
        2,
        5,
    ]
    assert [after.share(seen, name).wallet.token(GLOWSOL).units for name in ("compound", "arbitrage", "loop")] == [
        7,
        7,
        0,
    ]


def test_tokens_are_their_owners_and_what_is_nobodys_goes_to_compound_and_arbitrage() -> None:
    allocator = three(tokens={("loop", GLOWSOL.address): 30, ("gone", GLOWSOL.address): 11})
    seen = wallet_of(1, glow_held=100)
    held = {name: allocator.share(seen, name).wallet.token(GLOWSOL).units for name in NAMES[:3]}
    assert held == {"arbitrage": 70, "loop": 30, "compound": 70}
    short = wallet_of(1, glow_held=20)
    held = {name: allocator.share(short, name).wallet.token(GLOWSOL).units for name in NAMES[:3]}
    assert held == {"arbitrage": 0, "loop": 20, "compound": 0}


def test_requests_are_their_owners_and_unowned_ones_everybodys() -> None:
    mine, theirs, nobodys, gone = (ticket(index, assets=10, ripe_in=-5) for index in range(4))
    owners = {mine.id: "loop", theirs.id: "arbitrage", gone.id: "removed from the configuration"}
    allocator = three(tickets=owners)
    seen = wallet_of(1, queue=(mine, theirs, nobodys, gone))
    assert allocator.share(seen, "loop").queue == (mine, nobodys, gone)
    assert allocator.share(seen, "arbitrage").queue == (theirs, nobodys, gone)
    assert allocator.share(seen, "compound").queue == (nobodys, gone)
    claim = a_plan(ClaimUnstake(theirs.id, Lamports(1)))
    assert allocator.check(seen, "arbitrage", claim) is claim
    held = allocator.check(seen, "loop", claim)
    assert held == Hold("breaks_reservation", {"whose": "arbitrage", "ticket": 1, "plan": "test"})
    cancel = a_plan(CancelUnstake(mine.id, TokenAmount(GLOWSOL, 1)))
    assert allocator.check(seen, "compound", cancel).reason == "breaks_reservation"
    unknown = a_plan(ClaimUnstake(TicketId(7, nobodys.id.requested_at), Lamports(1)))
    assert allocator.check(seen, "loop", unknown) is unknown, "execution says what is wrong with it"


def test_a_plan_beyond_its_share_names_whose_it_would_break() -> None:
    seen = wallet_of(200)
    plan = a_plan(stake(40 * SOL_UNIT + 1))
    assert three().check(seen, "compound", plan) == Hold(
        "breaks_reservation",
        {
            "whose": "arbitrage,loop,protection",
            "asset": "lamports",
            "spends": 40 * SOL_UNIT + 1,
            "share": 40 * SOL_UNIT,
            "plan": "test",
        },
    )
    tokens = three(tokens={("loop", GLOWSOL.address): 30})
    held = tokens.check(wallet_of(1, glow_held=100), "compound", a_plan(sell(71)))
    assert isinstance(held, Hold)
    assert (held.reason, held.numbers["whose"], held.numbers["share"]) == ("breaks_reservation", "loop", 70)


def test_protection_is_for_plans_that_protect() -> None:
    seen = wallet_of(0)
    allocator = Allocator(Allocation.of(["loop"], {}, Lamports(2 * SOL_UNIT)))
    held = allocator.check(seen, "loop", a_plan(stake(1)))
    assert isinstance(held, Hold)
    assert held.numbers["whose"] == "protection"
    protecting = a_plan(stake(2 * SOL_UNIT), protects=True)
    assert allocator.check(seen, "loop", protecting) is protecting


def test_beyond_ones_own_budget_is_said_so() -> None:
    allocator = Allocator(Allocation.of(["loop"], {"loop": Lamports(SOL_UNIT)}, Lamports(0)))
    held = allocator.check(view(), "loop", a_plan(stake(2 * SOL_UNIT)))
    assert isinstance(held, Hold)
    assert (held.reason, held.numbers["budget"]) == ("above_budget", SOL_UNIT)


def test_what_a_plan_takes_is_its_deepest_moment() -> None:
    back = (stake(100), Unstake(TokenAmount(SSOL, 9), Lamports(70)), stake(60))
    assert outlay(a_plan(*back)) == {"lamports": 100, SSOL.address: 9}
    steps = (Atomic((stake(100),)), Atomic((sell(1), stake(5))))
    assert outlay(Plan(steps, OUT, "test")) == {"lamports": 104}, "what the first step minted covers the sale"
    assert outlay(a_plan(RequestUnstake(TokenAmount(GLOWSOL, 5), Lamports(1)))) == {GLOWSOL.address: 5}


def test_lending_moves_the_wallet_like_anything_else() -> None:
    sol, glow = TokenAmount(SOL, 50), TokenAmount(GLOWSOL, 9)
    lever = a_plan(stake(10), Deposit("glow", TokenAmount(GLOWSOL, 1)), Borrow("pool", sol), stake(50))
    assert outlay(lever) == {"lamports": 10}
    home = a_plan(Withdraw("glow", glow), sell(9), Repay("pool", sol, whole=True))
    assert outlay(home) == {"lamports": 49}, "what the sale is sure to bring is one lamport"
    assert outlay(a_plan(Deposit("glow", glow), Deposit("lent", sol))) == {"lamports": 50, GLOWSOL.address: 9}


def test_a_plan_in_flight_is_reserved_until_it_ends() -> None:
    seen = view(glow_held=100)
    allocator = Allocator(Allocation.of(["arbitrage", "compound"], {}, Lamports(0)))
    before = spendable(allocator, seen, "compound")
    during = allocator.hold("arbitrage", a_plan(stake(3 * SOL_UNIT), sell(40)))
    assert spendable(during, seen, "compound") == before - 3 * SOL_UNIT
    assert during.share(seen, "compound").wallet.token(GLOWSOL).units == 61, "one comes from the stake itself"
    assert spendable(during, seen, "arbitrage") == before - 3 * SOL_UNIT
    held = during.check(replace(seen), "compound", a_plan(stake(before)))
    assert isinstance(held, Hold)
    assert held.numbers["whose"] == "arbitrage"
    assert during.release("arbitrage") == allocator
