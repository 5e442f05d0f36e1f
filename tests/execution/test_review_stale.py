"""A plan is for the world that its view showed: not for one in which our own transaction has landed since."""

from __future__ import annotations

from dataclasses import replace

import pytest
from solders.account import Account

from keeper.execution.observer import Unobserved
from keeper.execution.outcome import Landed, Outcome, Refused, Stage
from keeper.execution.reconcile import opening_entries
from keeper.journal.journal import Journal
from keeper.journal.records import AttemptRecord, AttemptState, JournalError, Leadership, LedgerEntry
from keeper.plan import Deposit, Swap, Wrap
from keeper.units import SOL, SSOL, Lamports, TokenAmount, UnixTime
from tests.execution.weather import FaultyNetwork, FaultyNode, Wire
from tests.execution.world import SOL_LAMPORTS, VENUE, World, plan

SOME = Wrap(Lamports(SOL_LAMPORTS))


@pytest.fixture
async def opened(world: World, journal: Journal, leadership: Leadership) -> Journal:
    """A journal that knows what the wallet holds."""
    await journal.open_ledger(leadership, await opening_entries(world.node, world.owner, UnixTime(1)))
    return journal


def network(world: World, *, others: int = 1) -> FaultyNetwork:
    wire = Wire(world.bank)
    nodes = [FaultyNode(world.node, world.bank) for _ in range(1 + others)]
    return FaultyNetwork(nodes[0], nodes[1:], lambda raw, _: wire.deliver(raw))


def refused(outcome: Outcome) -> tuple[Stage, str]:
    assert isinstance(outcome, Refused), outcome
    return outcome.stage, outcome.reason


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_node_that_lags_behind_our_landing_does_not_repeat_it(
    world: World, opened: Journal, leadership: Leadership, restarted: bool
) -> None:
    """A balancer's other backend answers from two slots earlier: fresh enough by its age, and without our trade."""
    executor = world.executor(opened, network(world))
    world.bank.advance_slot(5)
    view = world.view()
    (first,) = await executor.execute(leadership, "test", plan((SOME,)), view)
    assert isinstance(first, Landed)
    lagging = replace(view, slot=first.slot - 1)
    if restarted:
        executor = world.executor(opened, network(world))
    (second,) = await executor.execute(leadership, "test", plan((SOME,)), lagging)
    assert refused(second) == (Stage.COMPILE, "view_before_landing")
    (third,) = await executor.execute(leadership, "test", plan((SOME,)), replace(view, slot=first.slot))
    assert isinstance(third, Landed)
    assert world.landed() == 2


async def test_a_gift_booked_by_a_node_that_lagged_does_not_hide_our_landing_from_a_restart(
    world: World, opened: Journal, leadership: Leadership
) -> None:
    """The newest entry of the ledger is then older than our own transaction."""
    world.bank.advance_slot(5)
    (first,) = await world.run(world.executor(opened, network(world)), leadership, (SOME,))
    assert isinstance(first, Landed)
    lagging = replace(world.view(), slot=first.slot - 1)
    gift = LedgerEntry("external:1", first.slot - 3, UnixTime(9), str(world.owner), "lamports", "external", 5)
    await opened.book(leadership, [gift])
    (second,) = await world.executor(opened, network(world)).execute(leadership, "test", plan((SOME,)), lagging)
    assert refused(second) == (Stage.COMPILE, "view_before_landing")
    assert world.landed() == 1


async def test_a_plan_from_before_a_recovery_that_landed_is_not_executed_on_top(
    world: World, opened: Journal, leadership: Leadership, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit in doubt: the journal has the attempt, execution was told that it failed. The next tick decides the same."""
    write = Journal.record_attempt

    async def lost_answer(journal: Journal, held: Leadership, attempt: AttemptRecord) -> None:
        await write(journal, held, attempt)
        raise JournalError("the connection broke while the commit was on its way")

    executor = world.executor(opened, network(world))
    monkeypatch.setattr(Journal, "record_attempt", lost_answer)
    (first,) = await executor.execute(leadership, "test", plan((SOME,)), world.view())
    assert refused(first) == (Stage.JOURNAL, "journal_unavailable")
    monkeypatch.undo()
    world.bank.advance_slot(3)
    (second,) = await executor.execute(leadership, "test", plan((SOME,)), world.view())
    assert refused(second) == (Stage.COMPILE, "view_before_landing")
    assert [attempt.state for attempt in await opened.attempts()] == [AttemptState.LANDED]
    assert world.landed() == 1


async def test_a_plan_that_waited_out_an_expiry_is_too_old_to_sign(
    world: World, opened: Journal, leadership: Leadership, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Journal.record_attempt

    async def lost_answer(journal: Journal, held: Leadership, attempt: AttemptRecord) -> None:
        await write(journal, held, attempt)
        raise JournalError("the connection broke while the commit was on its way")

    net, wire = network(world), Wire(world.bank)
    executor = world.executor(opened, net)
    net.fate = lambda raw, _: wire.drop(raw)
    monkeypatch.setattr(Journal, "record_attempt", lost_answer)
    await executor.execute(leadership, "test", plan((SOME,)), world.view())
    monkeypatch.undo()
    world.bank.advance_slot(3)
    (second,) = await executor.execute(leadership, "test", plan((SOME,)), world.view())
    assert refused(second) == (Stage.SIGN, "view_too_old")
    assert [attempt.state for attempt in await opened.attempts()] == [AttemptState.EXPIRED]


async def test_later_steps_are_not_held_to_the_view_of_the_first(
    world: World, opened: Journal, leadership: Leadership
) -> None:
    executor = world.executor(opened, network(world))
    outcomes = await executor.execute(leadership, "test", plan((SOME,), (SOME, SOME)), world.view())
    assert [type(outcome) for outcome in outcomes] == [Landed, Landed]


async def test_a_plan_with_an_impossible_later_step_signs_nothing_at_all(
    world: World, opened: Journal, leadership: Leadership
) -> None:
    executor = world.executor(opened, network(world))
    wish = plan((SOME,), (Deposit("market", TokenAmount(SSOL, 5)),))
    (outcome,) = await executor.execute(leadership, "test", wish, world.view())
    assert refused(outcome) == (Stage.COMPILE, "unsupported_intent")
    assert world.landed() == 0


async def test_a_venue_that_raises_anything_costs_its_step_and_not_the_daemon(
    world: World, opened: Journal, leadership: Leadership, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubles: list[str] = []

    class Watch(Unobserved):
        def trouble(self, where: str, error: str) -> None:
            troubles.append(f"{where}: {error}")

    async def broken(*_: object, **__: object) -> None:
        raise KeyError("routePlan")

    monkeypatch.setattr(world.venue, "quote", broken)
    executor = world.executor(opened, network(world), observer=Watch())
    swap = Swap(TokenAmount(SOL, SOL_LAMPORTS), TokenAmount(world.glowsol, 1), VENUE)
    (outcome,) = await executor.execute(leadership, "test", plan((swap,)), world.view())
    assert refused(outcome) == (Stage.COMPILE, "unexpected_error")
    assert troubles == ["prepare: KeyError: 'routePlan'"]
    assert await opened.attempts() == ()


async def test_after_stop_signing_nothing_is_signed_and_the_flight_still_lands(
    world: World, opened: Journal, leadership: Leadership
) -> None:
    net, wire = network(world), Wire(world.bank)
    executor = world.executor(opened, net)

    def stop_then_deliver(raw: bytes, n: int) -> object:
        executor.stop_signing()
        return wire.deliver(raw) if n > 2 else wire.drop(raw)

    net.fate = stop_then_deliver  # type: ignore[assignment]  # one of the wire's answers
    outcomes = await executor.execute(leadership, "test", plan((SOME,), (SOME,)), world.view())
    assert isinstance(outcomes[0], Landed)
    assert refused(outcomes[1]) == (Stage.SIGN, "shutting_down")
    assert world.landed() == 1


@pytest.mark.parametrize("others", [0, 1])
async def test_endpoints_without_history_do_not_prove_a_landed_transaction_dead(
    world: World, opened: Journal, leadership: Leadership, others: int
) -> None:
    """Nodes that began from a snapshot after it landed: no status, no transaction, a height far beyond. But the money is gone."""
    net = network(world, others=others)
    troubles: list[str] = []
    reborn = world.bank.clock.block_height + 600

    class Watch(Unobserved):
        def trouble(self, where: str, error: str) -> None:
            troubles.append(f"{where}: {error}")

    def young() -> bool:
        return world.bank.clock.block_height < reborn

    for node in (net.primary, *net.others):
        node.hides_transactions = young
        node.statuses = lambda _: None

    def history_back(_: str) -> bool:
        if not young():
            for node in (net.primary, *net.others):
                node.statuses = None
        return False

    net.primary.fails = history_back
    executor = world.executor(opened, net, observer=Watch())
    (outcome,) = await executor.execute(leadership, "test", plan((SOME,)), world.view())
    assert isinstance(outcome, Landed)
    assert any("missing from the wallet" in line for line in troubles)
    assert [attempt.state for attempt in await opened.attempts()] == [AttemptState.LANDED]


async def test_a_deposit_meanwhile_does_not_keep_a_dead_transaction_alive(
    world: World, opened: Journal, leadership: Leadership
) -> None:
    net, wire = network(world), Wire(world.bank)

    def paid(raw: bytes, n: int) -> object:
        if n == 1:
            world.bank.set_account(world.owner, Account(world.lamports() + 1, b"", world.key.pubkey().default()))
        return wire.drop(raw)

    net.fate = paid  # type: ignore[assignment]  # one of the wire's answers
    await world.executor(opened, net).execute(leadership, "test", plan((SOME,)), world.view())
    assert [attempt.state for attempt in await opened.attempts()] == [AttemptState.EXPIRED]
