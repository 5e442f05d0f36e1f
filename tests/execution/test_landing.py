"""Landing under each fault that made a peer execute twice, give up early or lose track (facts, anchors.md 1c)."""

from __future__ import annotations

import asyncio

import pytest
from solders.signature import Signature

from keeper.chain.answers import Commitment, SendResult, SignatureStatus
from keeper.execution.executor import Executor
from keeper.execution.observer import Unobserved
from keeper.execution.outcome import Expired, Failed, Landed, Outcome
from keeper.execution.reconcile import drift, opening_entries
from keeper.journal.journal import Journal
from keeper.journal.records import AttemptState, FencedOut, JournalError, Leadership
from keeper.plan import Wrap
from keeper.units import Lamports, Slot, UnixTime
from tests.execution.weather import FaultyNetwork, FaultyNode, Wire
from tests.execution.world import SOL_LAMPORTS, World, plan

SOME = Wrap(Lamports(SOL_LAMPORTS))


class Stage:
    """A world with a scripted network, and one attempt to land on it."""

    def __init__(self, world: World, journal: Journal, leadership: Leadership, others: int = 1) -> None:
        self.world = world
        self.journal = journal
        self.leadership = leadership
        self.wire = Wire(world.bank)
        self.nodes = [FaultyNode(world.node, world.bank) for _ in range(1 + others)]
        self.network = FaultyNetwork(self.nodes[0], self.nodes[1:], lambda raw, _: self.wire.deliver(raw))

    @property
    def primary(self) -> FaultyNode:
        return self.nodes[0]

    def executor(self) -> Executor:
        return self.world.executor(self.journal, self.network)

    async def land(self) -> Outcome:
        (outcome,) = await self.executor().execute(self.leadership, "test", plan((SOME,)), self.world.view())
        return outcome

    async def check(self, state: AttemptState) -> None:
        """The one attempt ended in ``state``, its bytes are all that was sent, and the ledger is the chain."""
        (attempt,) = await self.journal.attempts()
        assert attempt.state is state
        assert set(self.network.sent) <= {attempt.raw}
        assert self.world.landed() == (state is AttemptState.LANDED)
        self.world.bank.advance_slot(2)
        assert await drift(self.journal, self.world.node, self.world.owner) == ()


@pytest.fixture
async def stage(world: World, journal: Journal, leadership: Leadership) -> Stage:
    await journal.open_ledger(leadership, await opening_entries(world.node, world.owner, UnixTime(1)))
    return Stage(world, journal, leadership)


@pytest.fixture
async def lonely(stage: Stage) -> Stage:
    """The same with a single endpoint."""
    return Stage(stage.world, stage.journal, stage.leadership, others=0)


def last_valid(stage: Stage) -> int:
    """The last height at which the attempt's blockhash is accepted; before the attempt, that of the newest one."""
    return stage.primary.last_valid or stage.world.bank.latest_blockhash()[1]


async def test_lost_sends_are_repeated_with_the_same_bytes(stage: Stage) -> None:
    stage.network.fate = lambda raw, n: stage.wire.deliver(raw) if n == 5 else stage.wire.drop(raw)
    assert isinstance(await stage.land(), Landed)
    assert len(stage.network.sent) >= 5
    await stage.check(AttemptState.LANDED)


async def test_an_answer_of_503_to_a_send_that_landed_is_no_failure(stage: Stage) -> None:
    stage.network.fate = lambda raw, _: stage.wire.lose_answer(raw)
    assert isinstance(await stage.land(), Landed)
    await stage.check(AttemptState.LANDED)


async def test_a_refusal_to_forward_proves_nothing(stage: Stage) -> None:
    stage.network.fate = lambda raw, n: stage.wire.refuse(raw) if n < 8 else stage.wire.deliver(raw)
    assert isinstance(await stage.land(), Landed)
    await stage.check(AttemptState.LANDED)


async def test_a_transaction_in_the_last_valid_block_is_found_though_statuses_lag_behind_heights(stage: Stage) -> None:
    stage.network.fate = lambda raw, n: stage.wire.at_height(raw, last_valid(stage)) if n == 1 else stage.wire.drop(raw)
    for node in stage.nodes:
        node.blind = 30
    assert isinstance(await stage.land(), Landed)
    await stage.check(AttemptState.LANDED)


async def test_a_single_endpoint_is_given_a_margin_for_statuses_that_lag(lonely: Stage) -> None:
    lonely.network.fate = lambda raw, n: (
        lonely.wire.at_height(raw, last_valid(lonely)) if n == 1 else lonely.wire.drop(raw)
    )
    lonely.primary.blind = 60
    assert isinstance(await lonely.land(), Landed)
    await lonely.check(AttemptState.LANDED)


async def test_a_primary_that_never_sees_it_is_overruled_by_the_other_endpoint(stage: Stage) -> None:
    stage.primary.blind = 10**9
    assert isinstance(await stage.land(), Landed)
    await stage.check(AttemptState.LANDED)


async def test_a_silent_primary_does_not_hide_the_landing(stage: Stage) -> None:
    def fall_silent(raw: bytes, _: int) -> SendResult:
        stage.primary.silent = True
        return stage.wire.deliver(raw)

    stage.network.fate = fall_silent
    assert isinstance(await stage.land(), Landed)
    await stage.check(AttemptState.LANDED)


async def test_a_failure_at_processed_is_not_believed_until_it_is_confirmed(stage: Stage) -> None:
    polls = 0

    def forked(_: Signature) -> SignatureStatus | None:
        nonlocal polls
        polls += 1
        slot = Slot(stage.world.bank.clock.slot)
        if polls <= 3:
            return SignatureStatus(slot, Commitment.PROCESSED, {"InstructionError": [1, {"Custom": 1}]})
        if polls <= 6:
            return None
        stage.primary.statuses = None
        return None

    stage.primary.statuses = forked
    stage.network.fate = lambda raw, n: stage.wire.deliver(raw) if n == 6 else stage.wire.drop(raw)
    assert isinstance(await stage.land(), Landed)
    assert polls > 6
    await stage.check(AttemptState.LANDED)


async def test_a_confirmed_status_without_its_transaction_is_waited_for_even_past_expiry(stage: Stage) -> None:
    shown_from = stage.world.bank.clock.block_height + 400
    for node in stage.nodes:
        node.hides_transactions = lambda: stage.world.bank.clock.block_height < shown_from
    assert isinstance(await stage.land(), Landed)
    assert stage.world.bank.clock.block_height >= shown_from
    await stage.check(AttemptState.LANDED)


async def test_a_transaction_that_fails_on_chain_costs_its_fee_and_is_named(stage: Stage) -> None:
    def robbed(raw: bytes, _: int) -> SendResult:
        account = stage.world.bank.get_account(stage.world.owner)
        assert account is not None
        stage.world.bank.set_account(stage.world.owner, type(account)(SOL_LAMPORTS // 2, account.data, account.owner))
        return stage.wire.deliver(raw)

    stage.network.fate = robbed
    outcome = await stage.land()
    assert isinstance(outcome, Failed)
    assert outcome.error == "system: ResultWithNegativeLamports (1)"
    assert outcome.fee > Lamports(0)
    (attempt,) = await stage.journal.attempts()
    assert (attempt.state, attempt.error, attempt.fee) == (AttemptState.FAILED, outcome.error, outcome.fee)
    booked = {(entry.kind, entry.delta) for entry in await stage.journal.entries() if entry.kind != "opening"}
    assert booked == {("fee", -outcome.fee.value)}


async def test_expiry_needs_finalised_height_past_the_last_valid_one(stage: Stage) -> None:
    stage.network.fate = lambda raw, _: stage.wire.drop(raw)
    end = last_valid(stage)
    outcome = await stage.land()
    assert isinstance(outcome, Expired)
    assert stage.world.bank.clock.block_height - 32 > end
    assert stage.world.bank.clock.block_height - 32 < end + 10, "two endpoints need no margin"
    await stage.check(AttemptState.EXPIRED)


async def test_expiry_on_one_endpoint_waits_out_the_margin(lonely: Stage) -> None:
    lonely.network.fate = lambda raw, _: lonely.wire.drop(raw)
    end = last_valid(lonely)
    assert isinstance(await lonely.land(), Expired)
    assert lonely.world.bank.clock.block_height - 32 > end + lonely.world.policy.single_endpoint_margin
    await lonely.check(AttemptState.EXPIRED)


@pytest.mark.parametrize("obstacle", ["behind", "silent"])
async def test_nothing_expires_while_the_second_endpoint_is_no_witness(stage: Stage, obstacle: str) -> None:
    stage.network.fate = lambda raw, _: stage.wire.drop(raw)
    end = last_valid(stage)
    witness = stage.nodes[1]
    witness.behind, witness.silent = (10**6, False) if obstacle == "behind" else (0, True)

    def recovers(_: str) -> bool:
        if stage.world.bank.clock.block_height > end + 500:
            witness.behind, witness.silent = 0, False
        return False

    stage.primary.fails = recovers
    assert isinstance(await stage.land(), Expired)
    assert stage.world.bank.clock.block_height > end + 500


async def test_bytes_are_not_sent_any_more_once_they_cannot_land(stage: Stage) -> None:
    heights: list[int] = []

    def note(raw: bytes, _: int) -> SendResult:
        heights.append(stage.world.bank.clock.block_height - 32)
        return stage.wire.drop(raw)

    stage.network.fate = note
    end = last_valid(stage)
    await stage.land()
    assert max(heights) <= end + 5


async def test_a_newer_blockhash_does_not_move_the_expiry_of_signed_bytes(stage: Stage) -> None:
    """stakenet's shadowed variable: after a refresh it judged old signatures by the new hash, and re-signed."""
    held: list[bytes] = []

    def late(raw: bytes, n: int) -> SendResult:
        if n == 1:
            stage.wire.at_height(raw, last_valid(stage))
        held.append(raw)
        return stage.wire.drop(raw)

    stage.network.fate = late
    outcome = await stage.land()
    assert isinstance(outcome, Landed)
    assert len(set(held)) == 1
    await stage.check(AttemptState.LANDED)


async def test_cancelling_execute_leaves_the_flight_to_drain(stage: Stage) -> None:
    stage.network.fate = lambda raw, n: stage.wire.deliver(raw) if n == 10 else stage.wire.drop(raw)
    executor = stage.executor()
    task = asyncio.create_task(executor.execute(stage.leadership, "test", plan((SOME,)), stage.world.view()))
    await stage.network.busy.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert executor.in_flight == 1
    assert await executor.drain(60) == 0
    await stage.check(AttemptState.LANDED)


async def test_what_drain_leaves_behind_is_recovered(stage: Stage) -> None:
    stage.network.fate = lambda raw, n: stage.wire.deliver(raw) if n > 3 else stage.wire.drop(raw)
    executor = stage.executor()
    task = asyncio.create_task(executor.execute(stage.leadership, "test", plan((SOME,)), stage.world.view()))
    await stage.network.busy.wait()
    assert await executor.drain(0) == 1
    with pytest.raises(asyncio.CancelledError):
        await task
    (attempt,) = await stage.journal.unresolved()
    (outcome,) = await stage.executor().recover(stage.leadership)
    assert isinstance(outcome, Landed)
    assert outcome.signature == attempt.signature
    await stage.check(AttemptState.LANDED)


async def test_draining_signs_nothing_more(stage: Stage) -> None:
    executor = stage.executor()
    assert await executor.drain(0) == 0
    (outcome,) = await executor.execute(stage.leadership, "test", plan((SOME,)), stage.world.view())
    assert getattr(outcome, "reason", "") == "shutting_down"
    assert await stage.journal.attempts() == ()


async def test_a_deposed_leader_signs_nothing(stage: Stage) -> None:
    await stage.journal.acquire("test", 1e9)
    with pytest.raises(FencedOut):
        await stage.land()
    assert stage.network.sent == []


async def test_signing_is_timed_from_the_decision(stage: Stage) -> None:
    seen: list[tuple[str, float]] = []

    class Watch(Unobserved):
        def attempt_signed(self, strategy: str, signature: str, seconds: float) -> None:  # noqa: ARG002 - the observer's signature
            seen.append((strategy, seconds))

    executor = stage.world.executor(stage.journal, stage.network, observer=Watch())
    await executor.execute(stage.leadership, "test", plan((SOME,)), stage.world.view())
    assert seen == [("test", 0.0)], "no virtual time passes between plan and signature"


async def test_a_second_plan_waits_for_a_flight_whose_caller_gave_up(stage: Stage) -> None:
    stage.network.fate = lambda raw, n: stage.wire.deliver(raw) if n >= 10 else stage.wire.drop(raw)
    executor = stage.executor()
    task = asyncio.create_task(executor.execute(stage.leadership, "test", plan((SOME,)), stage.world.view()))
    await stage.network.busy.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (early,) = await executor.execute(stage.leadership, "test", plan((SOME, SOME)), stage.world.view())
    assert getattr(early, "reason", "") == "view_before_landing", "it was decided while the flight was in the air"
    (outcome,) = await executor.execute(stage.leadership, "test", plan((SOME, SOME)), stage.world.view())
    assert isinstance(outcome, Landed)
    first, second = await stage.journal.attempts()
    assert first.landed_slot is not None
    assert second.signed_slot >= first.landed_slot


async def test_an_end_that_could_not_be_written_is_looked_up_before_the_next_signature(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = stage.executor()
    resolve = stage.journal.resolve

    async def disk_full(*_: object, **__: object) -> None:
        raise JournalError("disk full")

    monkeypatch.setattr(stage.journal, "resolve", disk_full)
    with pytest.raises(JournalError, match="disk full"):
        await executor.execute(stage.leadership, "test", plan((SOME,)), stage.world.view())
    assert len(await stage.journal.unresolved()) == 1
    monkeypatch.setattr(stage.journal, "resolve", resolve)
    (outcome,) = await executor.execute(stage.leadership, "test", plan((SOME, SOME)), stage.world.view())
    assert isinstance(outcome, Landed)
    assert [attempt.state for attempt in await stage.journal.attempts()] == [AttemptState.LANDED] * 2


async def test_a_journal_that_cannot_be_written_sends_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def disk_full(*_: object, **__: object) -> None:
        raise JournalError("disk full")

    monkeypatch.setattr(stage.journal, "record_attempt", disk_full)
    outcome = await stage.land()
    assert getattr(outcome, "reason", "") == "journal_unavailable"
    assert stage.network.sent == []
