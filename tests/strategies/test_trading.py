"""What strategies reckon alike: sizes below and between quotes, ways in and out, claims, free collateral."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.lending import Collateral, Loan, MarginAccount
from keeper.plan import ClaimUnstake, RequestUnstake, TicketId, Unstake
from keeper.tactics.trading import claimable, exits, instant_exit, lent_sol, priced, purchases, ripe_claim, withdrawable
from keeper.units import SOL, SSOL, Bps, Lamports, Rate, Slot, TokenAmount, UnixTime
from keeper.view import Ladder, Rung, Ticket
from tests.strategies.idle_views import POOL, glow_of, idle, with_margin
from tests.strategies.market_views import GLOWSOL, NOW, SOL_UNIT, ticket, with_glow


def curve(size: int, depth: int) -> int:
    """A constant-product pool without a fee: concave, through the origin."""
    return depth * size // (depth + size)


def quoted(sizes: list[int], depth: int) -> Ladder:
    rungs = []
    for size in sorted(sizes):
        out = TokenAmount(SOL, curve(size, depth))
        rungs.append(Rung(TokenAmount(GLOWSOL, size), out, out, "jupiter"))
    return Ladder(GLOWSOL, SOL, tuple(rungs), Slot(1))


@given(
    st.lists(st.integers(1, 10**12), min_size=1, max_size=5, unique=True),
    st.integers(10**9, 10**14),
    st.integers(1, 2 * 10**12),
)
def test_no_size_is_promised_more_than_the_pool_pays(sizes: list[int], depth: int, size: int) -> None:
    rung = priced(quoted(sizes, depth), TokenAmount(GLOWSOL, size))
    if rung is not None:
        assert rung.sell.units == min(size, max(sizes))
        assert rung.min_receive.units <= curve(rung.sell.units, depth) + 1  # each quote was itself rounded down


def test_nothing_is_priced_without_quotes_size_or_proceeds() -> None:
    ladder = quoted([SOL_UNIT], 10**12)
    assert priced(None, TokenAmount(GLOWSOL, 1)) is None
    assert priced(replace(ladder, rungs=()), TokenAmount(GLOWSOL, 1)) is None
    assert priced(ladder, TokenAmount(GLOWSOL, 0)) is None
    assert priced(ladder, TokenAmount(GLOWSOL, 1)) is None  # a base unit brings less than a lamport


def test_the_ways_in_are_minting_and_buying() -> None:
    ways = {one.way: one for one in purchases(idle(), Lamports(200 * SOL_UNIT), GLOWSOL, Bps(1))}
    assert ways["mint"].spend == Lamports(200 * SOL_UNIT)
    assert ways["buy"].spend == Lamports(100 * SOL_UNIT)  # no more than is quoted
    assert list(purchases(idle(), Lamports(0), GLOWSOL, Bps(1))) == []


def test_minting_without_room_says_so_instead_of_vanishing() -> None:
    full = with_glow(idle(), deposit_room=Lamports(0))
    mint = next(one for one in purchases(full, Lamports(SOL_UNIT), GLOWSOL, Bps(1)) if one.way == "mint")
    assert (mint.spend, mint.obstacle) == (Lamports(SOL_UNIT), "deposit_cap_reached")


def test_every_way_out_of_ssol_has_its_price_and_delay() -> None:
    seen = idle()
    ways = {one.way: one for one in exits(seen, TokenAmount(SSOL, 20 * SOL_UNIT), Bps(1))}
    assert set(ways) == {"sell", "unstake", "request_stake"}
    assert isinstance(ways["unstake"].intents[0], Unstake)
    slow = ways["request_stake"]
    assert isinstance(slow.intents[0], RequestUnstake)
    assert slow.ripens == seen.epoch_ends_at.elapsed(seen.block_time)
    assert slow.rent == seen.pools[0].stake_rent


def test_every_way_out_of_glowsol_has_its_price_and_delay() -> None:
    seen = with_glow(idle(), queue_open=False)
    ways = {one.way: one for one in exits(seen, TokenAmount(GLOWSOL, 20 * SOL_UNIT), Bps(1))}
    assert set(ways) == {"sell", "request"}
    assert ways["request"].ripens == glow_of(seen).waiting_period
    assert ways["request"].rent == seen.fees.queue_account_rent


def test_a_stake_account_is_claimed_when_the_chain_would_pay_it_whatever_the_program_holds() -> None:
    waiting = Ticket(
        TicketId(2, UnixTime(900), "stake"), TokenAmount(SSOL, SOL_UNIT), Lamports(SOL_UNIT), UnixTime(NOW.value - 9)
    )
    seen = with_glow(replace(idle(), queue=(waiting,)), liquid=Lamports(0))
    assert ripe_claim(seen, 400_000) is None  # its estimate has passed, the epoch has not turned
    ready = ripe_claim(replace(seen, queue=(replace(waiting, ready=True),)), 400_000)
    assert ready is not None
    assert ready.steps[0].intents == (ClaimUnstake(waiting.id, waiting.assets),)
    assert ready.resting_name == "claim_ripe:stake:2"
    without = ripe_claim(replace(seen, glowsol=None, queue=(replace(waiting, ready=True),)), 400_000)
    assert without is not None


def test_dust_is_not_claimable_and_the_first_to_ripen_comes_first() -> None:
    late, early, dust = (
        ticket(0, assets=SOL_UNIT, ripe_in=60),
        ticket(1, assets=SOL_UNIT, ripe_in=9),
        ticket(2, assets=5_400, ripe_in=1),
    )
    assert claimable(replace(idle(), queue=(late, early, dust)), 400_000) == (early, late)


PRICES = st.builds(Rate, st.integers(1, 10**12), st.integers(1, 10**12))


@settings(max_examples=300)
@given(
    amount=st.integers(0, 10**13),
    price=PRICES,
    weight=st.integers(0, 10_000),
    other=st.integers(0, 10**13),
    debt=st.integers(0, 10**13),
    leverage=st.sampled_from([100, 400, 1_000]),
    floor=st.integers(0, 9_999),
)
def test_what_may_be_withdrawn_is_the_most_that_leaves_health_at_its_floor(
    amount: int, price: Rate, weight: int, other: int, debt: int, leverage: int, floor: int
) -> None:
    place = Collateral("place", GLOWSOL, TokenAmount(GLOWSOL, amount), price, Bps(weight))
    rest = Collateral("rest", SSOL, TokenAmount(SSOL, other), Rate(1, 1), Bps(9_500))
    loan = Loan("pool", SOL, TokenAmount(SOL, debt), Rate(1, 1), leverage)
    margin = MarginAccount("margin", (place, rest), (loan,))
    most = withdrawable(margin, place, Bps(floor))
    assert TokenAmount(GLOWSOL, 0) <= most <= place.amount
    if most:
        assert not debt or not weight or margin.changed({"place": -most.units}).health >= Bps(floor)
    if debt and weight and most < place.amount and margin.health >= Bps(floor):
        worth = -(-2 * 10_000 * price.denominator // (weight * price.numerator)) + 1  # two lamports of weighted value
        further = min(most.units + worth, amount)
        after = margin.changed({"place": -further})
        assert after.health < Bps(floor) or further == amount
    assert not withdrawable(replace(margin, problem="being_liquidated"), place, Bps(floor))


def test_lent_sol_is_found_and_bounded_by_what_the_pool_pays() -> None:
    seen = with_margin(idle(), lent=20 * SOL_UNIT, glow=5 * SOL_UNIT, exit_room=7 * SOL_UNIT)
    ((place, free),) = lent_sol(seen.margin, Bps(2_500))
    assert (place.market, free) == (f"{POOL}:deposits", Lamports(7 * SOL_UNIT))
    assert list(lent_sol(None, Bps(2_500))) == []


@given(units=st.integers(10**6, 10**13), short=st.integers(0, 3))
def test_the_reserve_must_hold_what_the_pool_pays_and_not_the_least_that_we_accept(units: int, short: int) -> None:
    """Found by the campaign (seeds 277, 735, 841): a sale within the tolerance of the reserve could not land."""
    seen = idle(ssol=units)
    pool = seen.pools[0]
    paid = pool.instant_rate.lamports_up(TokenAmount(SSOL, units))
    view = replace(seen, pools=(replace(pool, reserve=paid - Lamports(short)),))
    sale = instant_exit(view, TokenAmount(SSOL, units), Bps(10))
    assert sale is not None
    assert sale.obstacle == ("stake_pool_reserve_short" if short else "")
    assert sale.receive < paid
