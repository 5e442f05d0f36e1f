"""Lending that must not be tried: no account, one under liquidation, bytes that are not what they should be, errors by name."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from solders.account import Account as RawAccount
from solders.pubkey import Pubkey

from keeper.chain.accounts import AccountSnapshot
from keeper.execution.bounds import LAMPORTS, net, opens_wrapped, require_covered
from keeper.execution.compile import Compiler
from keeper.execution.lending_sight import named_accounts, sight_keys
from keeper.execution.message import Compiled
from keeper.execution.outcome import Refusal, Stage
from keeper.execution.reading import first_look
from keeper.plan import Atomic, Borrow, Deposit, Intent, Repay, Withdraw
from keeper.protocols.addresses import CLOCK_SYSVAR
from keeper.units import SOL, SSOL, WSOL_ADDRESS, Bps, Slot, TokenAmount
from tests.execution.lending import SOL_LAMPORTS, Lending, make_lending_world
from tests.execution.test_lending import glow, put, sol, ssol
from tests.execution.world import World, plan

LIQUIDATOR = 80


def patch(lending: Lending, key: Pubkey, offset: int, data: bytes) -> None:
    account = lending.world.bank.get_account(key)
    assert account is not None
    old = bytes(account.data)
    changed = old[:offset] + data + old[offset + len(data) :]
    lending.world.bank.set_account(key, RawAccount(account.lamports, changed, account.owner))


async def test_while_somebody_liquidates_the_account_nothing_is_tried(lending: Lending) -> None:
    await put(lending)
    patch(lending, lending.addresses.account, LIQUIDATOR, bytes([5] * 32))
    for intent in (
        Repay(lending.market(), sol(1)),
        Withdraw(lending.place(SSOL), ssol(1)),
        Borrow(lending.market(), sol(1)),
    ):
        outcome = await lending.refused(intent)
        assert (outcome.stage, outcome.reason) == (Stage.COMPILE, "being_liquidated")


async def test_a_wallet_without_a_margin_account_is_told_to_set_one_up(lending: Lending) -> None:
    elsewhere = replace(lending.addresses, account=Pubkey.from_bytes(bytes([3] * 32)))
    lending.world.market = replace(lending.world.market, lending=elsewhere)
    compiler = Compiler(lending.world.node, lending.world.owner, lending.world.market, {}, lending.world.policy)
    with pytest.raises(Refusal, match="keeper setup"):
        await compiler.compile(Atomic((Deposit(lending.place(SSOL), ssol(1)),)), lending.world.view())


async def test_without_a_lending_market_its_intents_are_unsupported(lending: Lending) -> None:
    world = lending.world
    compiler = Compiler(world.node, world.owner, replace(world.market, lending=None), {}, world.policy)
    for intent in (
        Deposit("m", ssol(1)),
        Withdraw("m", ssol(1)),
        Borrow("m", sol(1)),
        Repay("m", sol(1)),
    ):
        with pytest.raises(Refusal) as caught:
            await compiler.compile(Atomic((intent,)), world.view())
        assert caught.value.refused.reason == "unsupported_intent"
    with pytest.raises(Refusal) as caught:
        await compiler.compile(Atomic((plan((Deposit("m", ssol(1)),)).steps[0].intents[0],), Bps(1)), world.view())
    assert caught.value.refused.reason == "unsupported_intent"


async def test_the_pools_own_refusals_come_by_their_names(lending: Lending) -> None:
    outcome = await lending.refused(Borrow(lending.market(), sol(9_999)))
    assert outcome.numbers["error"] == "glow-margin: glow-margin-pool: ExceedsMaxBorrowUtilRatio (135109)"
    outcome = await lending.refused(Borrow(lending.market(), sol(20_000)))
    assert outcome.numbers["error"] == "glow-margin: glow-margin-pool: InsufficientLiquidity (135103)"


@dataclass
class Corrupting:
    """A node that answers out of one snapshot, in which one account is not what it should be."""

    seen: AccountSnapshot
    key: Pubkey
    offset: int
    data: bytes | None

    async def accounts(self, keys: Sequence[Pubkey], min_context_slot: Slot | None = None) -> AccountSnapshot:
        assert min_context_slot is None or min_context_slot <= self.seen.slot
        found = {key: self.seen.accounts.get(key) for key in keys}
        account = found.get(self.key)
        if account is not None:
            at, data = self.offset % len(account.data), self.data
            rest = b"" if data is None else data + account.data[at + len(data) :]
            found[self.key] = replace(account, data=account.data[:at] + rest)
        return AccountSnapshot(self.seen.slot, found, self.seen.highest)


async def test_random_corruption_ends_in_a_refusal_or_a_message_and_never_in_a_crash(lending: Lending) -> None:
    world = lending.world
    await put(lending, 50)
    await lending.landed(Borrow(lending.market(), sol(10)))
    keys = [key for key in (*sight_keys(lending.addresses), CLOCK_SYSVAR) if world.bank.get_account(key) is not None]
    steps: list[tuple[Intent, ...]] = [
        (Withdraw(lending.place(world.glowsol), glow(lending, 1)), Repay(lending.market(), sol(1))),
        (Repay(lending.market(), sol(11), whole=True),),
        (Borrow(lending.market(SSOL), ssol(1)), Deposit(lending.market(), sol(1))),
    ]
    view = world.view()
    wanted = {key for step in steps for key in first_look(world.owner, world.market, Atomic(step))}
    seen = await world.node.accounts(sorted(wanted, key=str))
    reasons: Counter[str] = Counter()

    @settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.sampled_from(keys),
        st.integers(0, 8_000),
        st.one_of(st.none(), st.binary(min_size=1, max_size=24)),
        st.sampled_from(steps),
    )
    def check(key: Pubkey, offset: int, data: bytes | None, step: tuple[Intent, ...]) -> None:
        node = Corrupting(seen, key, offset, data)
        compiler = Compiler(node, world.owner, world.market, {}, world.policy)  # type: ignore[arg-type]  # it only reads
        try:
            made = run(compiler.compile(Atomic(step, Bps(1)), view))
        except Refusal as refusal:
            reasons[refusal.refused.reason] += 1
        else:
            assert isinstance(made, Compiled)
            reasons["compiled"] += 1

    check()
    assert {"compiled", "account_malformed"} <= set(reasons)
    assert reasons["node_unavailable"] == 0


def run(work: Coroutine[Any, Any, Compiled]) -> Compiled:
    """Drive a coroutine that waits for nothing real, on a loop of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


units = st.integers(1, 10**12)
lent = st.one_of(
    st.builds(lambda market, amount: Deposit(market, TokenAmount(SOL, amount)), st.sampled_from("ab"), units),
    st.builds(lambda market, amount: Withdraw(market, TokenAmount(SOL, amount)), st.sampled_from("ab"), units),
    st.builds(lambda market, amount: Borrow(market, TokenAmount(SSOL, amount)), st.sampled_from("ab"), units),
    st.builds(
        lambda market, amount, whole: Repay(market, TokenAmount(SSOL, amount), whole),
        st.sampled_from("ab"),
        units,
        st.booleans(),
    ),
)


@given(st.lists(lent, min_size=1, max_size=6).map(tuple), st.integers(0, 10**13), st.integers(0, 10**13))
def test_covered_steps_never_overdraw_and_sol_means_native_sol(
    intents: tuple[Intent, ...], own: int, held: int
) -> None:
    step = Atomic(intents)
    pots = {LAMPORTS: own, SSOL.address: held}
    changes = net(step)
    assert WSOL_ADDRESS not in changes
    assert any(opens_wrapped(intent) for intent in intents) == (LAMPORTS in changes)
    try:
        left = require_covered(step, pots)
    except Refusal as refusal:
        assert refusal.refused.reason == "spends_more_than_sure"
        return
    assert all(amount >= 0 for amount in left.values())
    assert {asset: left[asset] - pots[asset] for asset in pots} == {asset: changes.get(asset, 0) for asset in pots}


def test_a_table_for_lending_holds_no_account_twice() -> None:
    world, _, _ = make_lending_world()
    assert isinstance(world, World)
    lending = world.market.lending
    assert lending is not None
    named = named_accounts(lending)
    assert len(set(named)) == len(named) < 256
    assert lending.account in named
    assert SOL_LAMPORTS == 10**9
