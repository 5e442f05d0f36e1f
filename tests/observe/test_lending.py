"""The lending side of a view: what the chain computes, never better than that, and a named reason where it cannot be said."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.account import Account
from solders.pubkey import Pubkey

from keeper.lending import Collateral
from keeper.observe.discovery import DiscoveryError
from keeper.observe.observer import ObservationFailed
from keeper.protocols import glow_margin
from keeper.protocols.addresses import GLOW_MARGIN, GLOW_MARGIN_POOL, SPL_TOKEN, SYSTEM
from keeper.protocols.token import associated_token_address
from keeper.sim.localnet.lending_addresses import FEEDS, GLOWSOL_RATE, SOL_USD
from keeper.sim.localnet.oracles import FeedFault, Oracles
from keeper.sim.localnet.programs.glow_margin_config import TokenConfig
from keeper.sim.localnet.programs.glow_margin_health import valuation
from keeper.sim.localnet.programs.glow_margin_pool_state import ALLOW_LENDING, DISABLED, MarginPool
from keeper.units import SOL, SSOL, Bps, Lamports
from tests.engine.stage import SOL_UNIT, market_of
from tests.observe.conftest import Eye, make_eye
from tests.observe.lending_eye import BORROWED, COLLATERAL, LendingEye, lending_source, looped, rediscovered

WEEK = 7 * 86_400


@pytest.fixture
async def loop(eye: Eye) -> LendingEye:
    return await looped(eye)


def exact_health(made: LendingEye) -> Bps:
    """By the model's own arithmetic, after a refresh on the chain in this slot."""
    record = made.borrower.send(*made.borrower.refresh())
    assert record.err is None, record.logs
    value = valuation(made.borrower.state, made.eye.net.bank.clock.unix_timestamp)
    burden = value.required + value.liabilities
    return Bps(10_000 - -(-burden * 10_000 // value.weighted))


def patch(made: LendingEye, key: Pubkey, change: Callable[[bytes], bytes]) -> None:
    account = made.eye.net.bank.get_account(key)
    assert account is not None
    made.eye.net.bank.set_account(key, Account(account.lamports, change(bytes(account.data)), account.owner))


def pool_patch(made: LendingEye, change: Callable[[MarginPool], MarginPool]) -> None:
    key = market_of(made.eye.net).lending_pools["SOL"].pool
    patch(made, key, lambda data: change(MarginPool.decode(data)).encode().ljust(len(data), b"\0"))


def with_flags(pool: MarginPool, flags: int) -> MarginPool:
    return replace(pool, config=replace(pool.config, flags=flags))


class TestWhatIsSeen:
    async def test_the_position_is_seen_as_it_is(self, loop: LendingEye) -> None:
        view = await loop.view()
        assert view.margin is not None
        assert view.margin.problem == ""
        glow = view.margin.place(loop.eye.lrt.glowsol)
        assert glow is not None
        assert (glow.amount.units, glow.open, glow.lent, glow.weight) == (COLLATERAL, True, False, Bps(9_500))
        loan = view.margin.loan(SOL)
        assert loan is not None
        assert BORROWED <= loan.amount.units <= BORROWED + BORROWED // 10_000
        assert loan.leverage == 400

    async def test_health_is_the_programs_own_and_never_better(self, loop: LendingEye) -> None:
        for slots in (1, 50, 500):
            loop.eye.net.bank.advance_slot(slots)
            view = await loop.view()
            assert view.margin is not None
            exact = exact_health(loop)
            assert exact - Bps(2) <= view.margin.health <= exact

    async def test_glowsol_is_priced_by_its_redemption_rate(self, loop: LendingEye) -> None:
        view = await loop.view()
        assert view.margin is not None
        assert view.glowsol is not None
        place = view.margin.place(view.glowsol.mint)
        assert place is not None
        par = view.glowsol.rate.lamports(place.amount)
        assert abs((place.value - par).value) <= par.value // 10**6

    async def test_the_pool_has_its_interest_up_to_now(self, loop: LendingEye) -> None:
        before = await loop.view()
        loop.eye.net.bank.advance_slot(2_000)
        after = await loop.view()
        one, other = before.market(SOL), after.market(SOL)
        assert one is not None
        assert other is not None
        years = after.block_time.since(before.block_time) / 31_536_000
        grown = one.borrowed.units * one.borrow_rate() / 10**9 * years
        assert other.borrowed.units - one.borrowed.units == pytest.approx(grown, rel=0.01)

    async def test_our_own_loan_raises_the_rate(self, loop: LendingEye) -> None:
        market = (await loop.view()).market(SOL)
        assert market is not None
        rates = [market.borrow_rate(n * 1_000 * SOL_UNIT) for n in range(-9, 10)]
        assert rates == sorted(rates)
        assert rates[0] < rates[9] < rates[-1]
        assert market.borrow_rate(market.idle.units * 2) == 2 * 10**9  # the curve's top

    async def test_places_that_are_not_open_yet_are_there(self, loop: LendingEye) -> None:
        view = await loop.view()
        assert view.margin is not None
        lent = next(one for one in view.margin.collateral if one.lent and one.mint == SOL)
        assert not lent.open
        assert not lent.amount
        assert lent.exit_room is not None

    async def test_a_first_withdrawal_of_what_is_lent_opens_an_account(self, loop: LendingEye) -> None:
        bank, market = loop.eye.net.bank, market_of(loop.eye.net)
        passage = associated_token_address(loop.borrower.account, market.sol_mint)

        async def lent() -> Collateral:
            margin = (await loop.view()).margin
            assert margin is not None
            return next(place for place in margin.collateral if place.lent and place.mint == SOL)

        assert not (await lent()).passage
        bank.set_account(passage, Account(10**6, b"", SYSTEM))
        assert not (await lent()).passage, "lamports that somebody sent there are no account"
        bank.set_account(passage, Account(10**7, bytes(165), SPL_TOKEN))
        assert (await lent()).passage

    async def test_without_an_account_there_are_markets_and_no_margin(self, eye: Eye) -> None:
        view = await (await rediscovered(eye)).observer().view(())
        assert view.margin is None
        assert {market.mint for market in view.lending} == {SOL, SSOL}


class TestBadNews:
    """Issue 3, bad input: a named reason on the part that it concerns, and the rest of the view as it was."""

    @pytest.mark.parametrize(
        ("feed", "fault", "problem"),
        [
            (GLOWSOL_RATE, FeedFault(price=0), "price_not_positive"),
            (GLOWSOL_RATE, FeedFault(price=-5), "price_not_positive"),
            (GLOWSOL_RATE, FeedFault(conf_bps=900), "oracle_unsure"),
            (GLOWSOL_RATE, FeedFault(signatures=5), "oracle_partial"),
            (SOL_USD, FeedFault(conf_bps=900), "oracle_unsure"),
            (SOL_USD, FeedFault(price=0), "price_not_positive"),
        ],
    )
    async def test_a_price_that_may_not_be_used(
        self, loop: LendingEye, feed: str, fault: FeedFault, problem: str
    ) -> None:
        bank = loop.eye.net.bank
        Oracles(bank, market_of(loop.eye.net), faults={feed: fault}).publish(bank.clock)
        view = await loop.view()
        assert view.fresh.ok
        assert view.margin is not None
        place = view.margin.place(loop.eye.lrt.glowsol)
        assert place is not None
        assert place.problem == problem
        assert place.weighted == Lamports(0)
        market = view.market(SOL)
        assert market is not None
        assert market.problem == (problem if feed == SOL_USD else "")
        assert view.margin.problem == ("loan_not_priced" if feed == SOL_USD else "")

    async def test_a_price_that_is_too_old(self, loop: LendingEye) -> None:
        bank = loop.eye.net.bank
        past = replace(bank.clock, unix_timestamp=bank.clock.unix_timestamp - 61)
        Oracles(bank, market_of(loop.eye.net)).publish(past)
        view = await loop.view()
        assert view.margin is not None
        assert {one.problem for one in view.margin.collateral} == {"oracle_stale"}
        assert view.margin.problem == "loan_not_priced"

    async def test_a_price_account_of_a_stranger(self, loop: LendingEye) -> None:
        bank, key = loop.eye.net.bank, FEEDS[GLOWSOL_RATE]
        account = bank.get_account(key)
        assert account is not None
        bank.set_account(key, Account(account.lamports, bytes(account.data), SYSTEM))
        place = (await loop.view()).margin
        assert place is not None
        assert "oracle_foreign" in {one.problem for one in place.collateral}

    @pytest.mark.parametrize(
        ("flags", "entry", "leaving"),
        [
            (ALLOW_LENDING | DISABLED, "pool_paused", "pool_paused"),
            (0, "lending_closed", ""),
            (ALLOW_LENDING, "", ""),
        ],
    )
    async def test_the_pools_switches(self, loop: LendingEye, flags: int, entry: str, leaving: str) -> None:
        pool_patch(loop, lambda pool: with_flags(pool, flags))
        market = (await loop.view()).market(SOL)
        assert market is not None
        assert (market.problem, market.exit_problem) == (entry, leaving)
        assert bool(market.borrow_room) is not bool(entry)

    @pytest.mark.parametrize(
        ("weeks", "entry", "leaving"), [(2, "interest_behind", ""), (5, "interest_behind", "interest_behind")]
    )
    async def test_a_pool_that_is_behind(self, loop: LendingEye, weeks: int, entry: str, leaving: str) -> None:
        pool_patch(loop, lambda pool: replace(pool, accrued_until=pool.accrued_until - weeks * WEEK))
        market = (await loop.view()).market(SOL)
        assert market is not None
        assert (market.problem, market.exit_problem) == (entry, leaving)

    async def test_an_account_that_is_being_liquidated(self, loop: LendingEye) -> None:
        patch(loop, loop.account, lambda data: data[:80] + bytes([7] * 32) + data[112:])
        margin = (await loop.view()).margin
        assert margin is not None
        assert margin.problem == "being_liquidated"

    async def test_an_account_that_an_adapter_constrains(self, loop: LendingEye) -> None:
        patch(loop, loop.account, lambda data: data[:13] + b"\x01" + data[14:])
        margin = (await loop.view()).margin
        assert margin is not None
        assert margin.problem == "account_constrained"

    async def test_a_position_in_a_token_that_we_do_not_know(self, loop: LendingEye) -> None:
        loop.eye.market = replace(loop.eye.market, lending=replace(loop.addresses, raw=()))
        margin = (await loop.view()).margin
        assert margin is not None
        assert margin.problem == "unknown_position"

    @pytest.mark.parametrize(("weight", "expected"), [(90, 9_000), (99, 9_500)])
    async def test_the_worse_of_position_and_configuration_counts(
        self, loop: LendingEye, weight: int, expected: int
    ) -> None:
        token = market_of(loop.eye.net).raw_tokens["glowSOL"]
        patch(loop, token.config, lambda data: replace(TokenConfig.decode(data), value_modifier=weight).encode())
        margin = (await loop.view()).margin
        assert margin is not None
        place = margin.place(loop.eye.lrt.glowsol)
        assert place is not None
        assert place.weight == Bps(expected)

    async def test_a_malformed_pool_blinds_lending_and_nothing_else(self, loop: LendingEye) -> None:
        patch(loop, market_of(loop.eye.net).lending_pools["SOL"].pool, lambda data: data[:100])
        view = await loop.view()
        assert view.fresh.ok
        assert view.glowsol is not None
        assert view.market(SOL) is None
        assert view.margin is not None
        assert view.margin.problem == "loan_not_priced"
        assert any(source.name == "lending pool SOL" and source.problem for source in view.fresh.sources)


class TestDiscovery:
    async def test_it_finds_pools_and_collateral(self, eye: Eye) -> None:
        lending = (await rediscovered(eye)).market.lending
        assert lending is not None
        assert [pool.mint for pool in lending.pools] == [SOL, SSOL]
        assert [raw.mint for raw in lending.raw] == [eye.lrt.glowsol, SSOL]
        assert lending.account == glow_margin.margin_account_address(eye.owner, lending.airspace, 0)

    async def test_a_token_with_an_unknown_oracle_is_no_collateral(self, eye: Eye) -> None:
        """A later build of the program may know oracles that this keeper does not: no guess, no crash."""
        token = market_of(eye.net).raw_tokens["glowSOL"]
        account = eye.net.bank.get_account(token.config)
        assert account is not None
        data = bytearray(account.data)
        data[180] = 9
        eye.net.bank.set_account(token.config, Account(account.lamports, bytes(data), account.owner))
        lending = (await rediscovered(eye)).market.lending
        assert lending is not None
        assert [raw.mint for raw in lending.raw] == [SSOL]

    @pytest.mark.parametrize(
        ("changes", "word"),
        [
            ({"airspace": "nowhere"}, "airspace"),
            ({"mints": (SYSTEM,)}, "market.lending.pools"),
            ({"pool_program": GLOW_MARGIN}, "adapter config"),
            ({"margin_program": GLOW_MARGIN_POOL}, "adapter config"),
        ],
    )
    async def test_what_is_not_there_is_named(self, eye: Eye, changes: dict[str, object], word: str) -> None:
        with pytest.raises(DiscoveryError, match=word):
            await rediscovered(eye, lending_source(**changes))

    @pytest.mark.parametrize("name", ["pool", "loan_config"])
    async def test_what_cannot_be_read_is_named(self, eye: Eye, name: str) -> None:
        key = getattr(market_of(eye.net).lending_pools["SOL"], name)
        account = eye.net.bank.get_account(key)
        assert account is not None
        eye.net.bank.set_account(key, Account(account.lamports, bytes(account.data)[:60], account.owner))
        with pytest.raises(DiscoveryError):
            await rediscovered(eye)


class Harm:
    """A loop whose lending accounts are harmed one at a time."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self.runner = runner
        self.made = runner.run(_made())
        sim = market_of(self.made.eye.net)
        pool = sim.lending_pools["SOL"]
        self.keys = (
            self.made.account,
            pool.pool,
            pool.loan_config,
            sim.raw_tokens["glowSOL"].config,
            *FEEDS.values(),
            self.made.borrower.state.positions[0].address,
        )


async def _made() -> LendingEye:
    return await looped(await make_eye())


@pytest.fixture(scope="module")
def harm() -> Iterator[Harm]:
    with asyncio.Runner() as runner:
        yield Harm(runner)


@given(index=st.integers(0, 30), seed=st.integers(0, 2**32), kind=st.sampled_from(["cut", "flip", "noise", "empty"]))
@settings(max_examples=150, deadline=None)
def test_no_bytes_crash_the_view(harm: Harm, index: int, seed: int, kind: str) -> None:
    """A view, or a named failure; and what a broken account leaves is never healthier than the truth by silence."""
    bank, key, rng = harm.made.eye.net.bank, harm.keys[index % len(harm.keys)], random.Random(seed)
    account = bank.get_account(key)
    assert account is not None
    data = bytearray(account.data)
    if kind == "cut":
        data = data[: rng.randrange(len(data))]
    elif kind == "flip":
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(min(len(data), 2_200))] = rng.randrange(256)
    elif kind == "noise":
        data[8:] = rng.randbytes(len(data) - 8)
    else:
        data = bytearray()
    bank.set_account(key, Account(account.lamports, bytes(data), account.owner))
    try:
        view = harm.runner.run(harm.made.view())
        if view.margin is not None:
            assert view.margin.health <= Bps(10_000)
    except ObservationFailed:
        pass
    finally:
        bank.set_account(key, account)
