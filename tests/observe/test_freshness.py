"""Whether what was read may be acted on: the rules alone, then over an observer's life."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.account import Account

from keeper.observe.freshness import Accepted, FreshnessRules, Reading, judge
from keeper.sim.localnet.market_rates import stake_pool_of
from keeper.units import Bps, Epoch, Rate, Slot
from keeper.view import Source
from tests.engine.stage import market_of
from tests.observe.conftest import Eye

RULES = FreshnessRules(
    max_age_slots=25, frozen_after=20.0, max_rate_step=Bps(20), max_rate_fall=Bps(1), max_quote_age_slots=150
)
PAR = Rate(105, 100)
GOOD = Reading(
    slot=Slot(1_000),
    clock_slot=Slot(1_000),
    highest_slot=Slot(1_000),
    seconds_since_progress=0.0,
    epoch=Epoch(900),
    rate=PAR,
)
LAST = Accepted(Epoch(900), PAR)


def problem(reading: Reading, last: Accepted | None = LAST, rules: FreshnessRules = RULES) -> str:
    verdict = judge(reading, last, rules, ())
    assert verdict.ok == (not verdict.problem)
    return verdict.problem


def test_a_good_reading_is_fresh_and_says_what_it_measured() -> None:
    quotes = Source("quotes glowSOL/SOL", None, None, "NoRoute")
    verdict = judge(replace(GOOD, highest_slot=Slot(1_007), clock_slot=Slot(998)), None, RULES, (quotes,))
    assert verdict.ok
    assert verdict.sources == (
        Source("accounts", Slot(1_000), 7),
        Source("clock", Slot(998), 2),
        quotes,
    )


@given(age=st.integers(-50, 200))
def test_a_node_may_lie_behind_by_the_limit_and_no_further(age: int) -> None:
    found = problem(replace(GOOD, highest_slot=GOOD.slot + age))
    assert found == ("node_behind" if age > RULES.max_age_slots else "")


@given(drift=st.integers(-200, 200))
def test_the_chains_clock_may_differ_from_the_context_by_the_limit(drift: int) -> None:
    found = problem(replace(GOOD, clock_slot=GOOD.slot + drift))
    assert found == ("clock_and_context_disagree" if abs(drift) > RULES.max_age_slots else "")


@given(seconds=st.floats(0, 1_000))
def test_a_node_that_stands_still_is_frozen_after_the_limit(seconds: float) -> None:
    found = problem(replace(GOOD, seconds_since_progress=seconds))
    assert found == ("node_frozen" if seconds > RULES.frozen_after else "")


rates = st.builds(Rate, st.integers(1, 10**18), st.integers(1, 10**18))


@given(last=rates, now=rates, epochs=st.integers(-3, 40), fall=st.integers(0, 500), step=st.integers(0, 500))
def test_the_rate_may_move_within_its_two_tolerances(last: Rate, now: Rate, epochs: int, fall: int, step: int) -> None:
    rules = replace(RULES, max_rate_fall=Bps(fall), max_rate_step=Bps(step))
    found = problem(replace(GOOD, rate=now, epoch=Epoch(900 + epochs)), Accepted(Epoch(900), last), rules)
    exact = now.fraction() / last.fraction()
    if exact < 1 - Fraction(fall, 10_000):
        assert found == "redemption_rate_fell"
    elif found == "redemption_rate_jumped":
        assert exact > 1 + Fraction(step * max(epochs, 1), 10_000) - Fraction(
            max(epochs, 1), last.numerator * now.denominator
        )
    else:
        assert found == ""
        assert exact <= 1 + Fraction(step * max(epochs, 1), 10_000)


@pytest.mark.parametrize(
    ("millionths_of_bps", "epochs", "expected"),
    [
        (-1_000_001, 0, "redemption_rate_fell"),
        (-1_000_000, 0, ""),
        (0, 0, ""),
        (20_000_000, 0, ""),
        (20_000_001, 0, "redemption_rate_jumped"),
        (20_000_001, 1, "redemption_rate_jumped"),
        (40_000_000, 2, ""),
        (40_000_001, 2, "redemption_rate_jumped"),
    ],
)
def test_the_edges_of_the_tolerances(millionths_of_bps: int, epochs: int, expected: str) -> None:
    now = Rate(PAR.numerator * (10**10 + millionths_of_bps), PAR.denominator * 10**10)
    assert problem(replace(GOOD, rate=now, epoch=Epoch(900 + epochs))) == expected


def test_without_a_rate_or_a_memory_the_rate_is_no_problem() -> None:
    assert problem(replace(GOOD, rate=None)) == ""
    assert problem(replace(GOOD, rate=Rate(1, 10**9)), None) == ""


def test_the_first_rule_that_fails_is_named() -> None:
    everything = replace(
        GOOD, seconds_since_progress=99.0, highest_slot=Slot(9_999), clock_slot=Slot(1), rate=Rate(1, 100)
    )
    assert problem(everything) == "node_frozen"
    assert problem(replace(everything, seconds_since_progress=0.0)) == "node_behind"
    assert problem(replace(everything, seconds_since_progress=0.0, highest_slot=GOOD.slot)) == (
        "clock_and_context_disagree"
    )


async def test_a_node_behind_what_others_have_heard_of(eye: Eye) -> None:
    observer = eye.observer()
    here = (await observer.view(())).slot
    observer.heard_of(here + 40)
    assert (await observer.view(())).fresh.ok
    observer.heard_of(here + 41)
    view = await observer.view(())
    assert view.fresh.problem == "node_behind"
    assert Source("accounts", here, 41) in view.fresh.sources
    observer.heard_of(here)  # nobody takes back what was heard of
    assert (await observer.view(())).fresh.problem == "node_behind"
    eye.net.bank.advance_slot(5)
    assert (await observer.view(())).fresh.ok


async def test_an_absurd_slot_is_not_believed_whether_heard_before_the_first_read_or_after(eye: Eye) -> None:
    observer = eye.observer()
    observer.heard_of(Slot(10**15))  # a websocket is faster than the first read
    assert (await observer.view(())).fresh.ok
    observer.heard_of(Slot(10**15))
    assert (await observer.view(())).fresh.ok


async def test_a_frozen_node_is_noticed_by_our_own_clock_and_forgiven_when_it_moves(eye: Eye) -> None:
    seconds = [0.0]
    eye.clock.now = lambda: seconds[0]  # type: ignore[method-assign]  # time passes and the chain does not
    observer = eye.observer()
    assert (await observer.view(())).fresh.ok
    seconds[0] = 20.0
    assert (await observer.view(())).fresh.ok
    seconds[0] = 20.5
    assert (await observer.view(())).fresh.problem == "node_frozen"
    eye.net.bank.advance_slot()
    assert (await observer.view(())).fresh.ok


async def test_a_clock_that_does_not_fit_the_context(eye: Eye) -> None:
    """A node that serves accounts of one moment and calls them those of another."""

    def tamper(method: str, answer: dict[str, dict[str, dict[str, int]]]) -> object:
        if method == "getMultipleAccounts":
            answer["result"]["context"]["slot"] += 60
        return answer

    eye.wire.tamper = tamper
    assert (await eye.observer().view(())).fresh.problem == "clock_and_context_disagree"


def _scale_stake_pool(eye: Eye, numerator: int, denominator: int) -> None:
    """Change the stake pool's total lamports, and with it every rate that follows."""
    bank, sim = eye.net.bank, market_of(eye.net)
    raw = bank.get_account(sim.stake_pool)
    assert raw is not None
    state = stake_pool_of(bank, sim)
    state = replace(state, total_lamports=state.total_lamports * numerator // denominator)
    bank.set_account(sim.stake_pool, Account(raw.lamports, state.encode(), raw.owner))


async def test_after_a_fall_the_highest_rate_stays_the_yardstick(eye: Eye) -> None:
    observer = eye.observer()
    assert (await observer.view(())).fresh.ok
    _scale_stake_pool(eye, 9_995, 10_000)
    for _ in range(3):  # a fall does not become the new normal by being seen twice
        assert (await observer.view(())).fresh.problem == "redemption_rate_fell"
    _scale_stake_pool(eye, 10_000, 9_995)
    assert (await observer.view(())).fresh.ok


async def test_small_falls_do_not_add_up_unseen(eye: Eye) -> None:
    """Each step lies within the tolerance of the one before; together they do not."""
    observer = eye.observer()
    verdicts = []
    for _ in range(3):
        verdicts.append((await observer.view(())).fresh.problem)
        _scale_stake_pool(eye, 99_994, 100_000)  # 0.6 bps
    assert verdicts == ["", "", "redemption_rate_fell"]


async def test_a_jump_is_not_believed_until_epochs_have_paid_for_it(eye: Eye) -> None:
    observer = eye.observer()
    assert (await observer.view(())).fresh.ok
    _scale_stake_pool(eye, 1_003, 1_000)  # 30 bps
    assert (await observer.view(())).fresh.problem == "redemption_rate_jumped"
    assert (await observer.view(())).fresh.problem == "redemption_rate_jumped"
    fresh = eye.observer()  # one that has no memory takes what it finds
    assert (await fresh.view(())).fresh.ok
