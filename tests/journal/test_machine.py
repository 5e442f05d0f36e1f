"""Any order of operations, also by leaders of the past and across reopening, against a model that is a few dictionaries."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from keeper.journal.journal import Journal
from keeper.journal.records import (
    AttemptConflict,
    AttemptRecord,
    AttemptState,
    FencedOut,
    IntentRecord,
    JournalError,
    Leadership,
    LeadershipHeld,
    LedgerEntry,
)
from keeper.units import BlockHeight, Lamports, Slot, UnixTime
from tests.journal.blank import blank_journal

Answer = TypeVar("Answer")
LIVE = (AttemptState.SIGNED, AttemptState.LANDED)
INTENTS = st.sampled_from(["i1", "i2", "i3"])
SIGNATURES = st.sampled_from([f"s{n}" for n in range(8)])
ACCOUNTS = st.sampled_from(["wallet", "ata"])
DELTAS = st.integers(-(2**64) + 1, 2**64 - 1)
HOLDERS = st.sampled_from(["keeper-0", "keeper-1"])
LEASE = 15.0


class JournalMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.directory = Path(tempfile.mkdtemp(prefix="journal-machine-"))
        self.now = 1000.0
        self.past: list[Leadership] = []
        self.held: Leadership | None = None
        self.lease_ends = 0.0
        self.intents: dict[str, IntentRecord] = {}
        self.attempts: dict[str, AttemptRecord] = {}  # by signature, in the order of recording
        self.entries: dict[tuple[str, str, str, str], LedgerEntry] = {}

    def run(self, coroutine: Coroutine[Any, Any, Answer]) -> Answer | JournalError:
        try:
            return self.runner.run(coroutine)
        except JournalError as error:
            return error

    def open(self) -> None:
        url = f"sqlite:///{self.directory / 'journal.db'}"
        self.journal = self.runner.run(Journal.open(url, wall=lambda: self.now))

    @initialize()
    def begin(self) -> None:
        (self.directory / "journal.db").write_bytes(blank_journal())
        self.open()
        self.take("keeper-0")

    def take(self, holder: str) -> None:
        answer = self.run(self.journal.acquire(holder, LEASE))
        if self.held is not None and self.held.holder != holder and self.lease_ends > self.now:
            assert isinstance(answer, LeadershipHeld)
            return
        assert isinstance(answer, Leadership)
        assert answer.epoch == len(self.past) + 1
        self.past.append(answer)
        self.held, self.lease_ends = answer, self.now + LEASE

    @rule(holder=HOLDERS, waited=st.sampled_from([0.0, 10.0, 20.0]))
    def acquire(self, holder: str, waited: float) -> None:
        self.now += waited
        self.take(holder)

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.past))
        assert self.run(self.journal.release(one)) is None
        if one == self.held:
            self.held = None

    @rule()
    def renew(self) -> None:
        for one in self.past:
            answer = self.run(self.journal.renew(one, LEASE))
            if one == self.held:
                assert answer == replace(one, expires_at=self.now + LEASE)
                self.lease_ends = self.now + LEASE
            else:
                assert isinstance(answer, FencedOut)

    @rule()
    def reopen(self) -> None:
        self.runner.run(self.journal.close())
        self.open()

    def writer(self, data: st.DataObject) -> Leadership:
        """Mostly the leader, sometimes one of the past."""
        if self.held is not None and data.draw(st.integers(0, 4)):
            return self.held
        return data.draw(st.sampled_from(self.past))

    def fenced(self, writer: Leadership, answer: object) -> bool:
        assert isinstance(answer, FencedOut) == (writer != self.held), (writer, self.held, answer)
        return writer != self.held

    @rule(data=st.data(), intent_id=INTENTS, body=st.sampled_from(["{}", "{}", "{}", '{"other":1}']))
    def record_intent(self, data: st.DataObject, intent_id: str, body: str) -> None:
        writer = self.writer(data)
        intent = IntentRecord(intent_id, f"strategy-{intent_id[-1]}", "premium", body, Slot(7), writer.epoch)
        answer = self.run(self.journal.record_intent(writer, intent))
        if self.fenced(writer, answer):
            return
        known = self.intents.setdefault(intent_id, intent)
        assert (answer is None) == (known.body == body)

    @rule(data=st.data(), intent_id=INTENTS, signature=SIGNATURES, number=st.integers(1, 4))
    def record_attempt(self, data: st.DataObject, intent_id: str, signature: str, number: int) -> None:
        writer = self.writer(data)
        attempt = AttemptRecord(signature, intent_id, number, signature.encode(), BlockHeight(9), Slot(7))
        answer = self.run(self.journal.record_attempt(writer, attempt))
        if self.fenced(writer, answer):
            return
        siblings = [each for each in self.attempts.values() if each.intent_id == intent_id]
        if any(each.state in LIVE for each in siblings):
            assert isinstance(answer, AttemptConflict)
        elif (
            intent_id not in self.intents
            or signature in self.attempts
            or any(each.number == number for each in siblings)
        ):
            assert isinstance(answer, JournalError)
            assert not isinstance(answer, AttemptConflict)
        else:
            assert answer is None
            self.attempts[signature] = attempt

    @rule(
        data=st.data(),
        signature=SIGNATURES,
        state=st.sampled_from([AttemptState.LANDED, AttemptState.FAILED, AttemptState.EXPIRED]),
        changes=st.dictionaries(st.tuples(ACCOUNTS, st.sampled_from(["fee", "trade"])), DELTAS, max_size=3),
    )
    def resolve(
        self, data: st.DataObject, signature: str, state: AttemptState, changes: dict[tuple[str, str], int]
    ) -> None:
        writer = self.writer(data)
        expired, failed = state is AttemptState.EXPIRED, state is AttemptState.FAILED
        outcome: dict[str, Any] = {
            "landed_slot": None if expired else Slot(8),
            "error": "Custom(1)" if failed else "",
            "fee": Lamports(0 if expired else 5000),
        }
        entries = [self.entry(signature, kind, account, delta) for (account, kind), delta in changes.items()]
        entries = [] if expired else entries
        answer = self.run(self.journal.resolve(writer, signature, state, **outcome, entries=entries))
        if self.fenced(writer, answer):
            return
        before = self.attempts.get(signature)
        if before is None or (before.state.terminal and before.state is not state):
            assert isinstance(answer, JournalError)
            return
        assert answer is None
        if before.state is AttemptState.SIGNED:
            self.attempts[signature] = replace(before, state=state, **outcome)
            self.entries |= {self.key(entry): entry for entry in entries}

    @staticmethod
    def entry(signature: str, kind: str, account: str, delta: int) -> LedgerEntry:
        return LedgerEntry(signature, Slot(8), UnixTime(9), account, "lamports", kind, delta)

    @staticmethod
    def key(entry: LedgerEntry) -> tuple[str, str, str, str]:
        return (entry.signature, entry.account, entry.asset, entry.kind)

    @rule(data=st.data(), deposit=st.sampled_from(["d1", "d2"]), account=ACCOUNTS, delta=st.integers(-2, 2))
    def book(self, data: st.DataObject, deposit: str, account: str, delta: int) -> None:
        writer = self.writer(data)
        entry = self.entry(deposit, "external", account, delta)
        answer = self.run(self.journal.book(writer, [entry]))
        if not self.fenced(writer, answer):
            known = self.entries.setdefault(self.key(entry), entry)
            assert (answer is None) == (known == entry)

    @rule(data=st.data(), accounts=st.sets(ACCOUNTS, min_size=1), delta=DELTAS)
    def open_ledger(self, data: st.DataObject, accounts: set[str], delta: int) -> None:
        writer = self.writer(data)
        given = [self.entry(f"open-{len(self.entries)}", "opening", account, delta) for account in sorted(accounts)]
        answer = self.run(self.journal.open_ledger(writer, given))
        if self.fenced(writer, answer):
            return
        known = {entry.account for entry in self.entries.values()}
        assert answer is not bool(known & accounts)
        self.entries |= {self.key(entry): entry for entry in given if entry.account not in known}

    @invariant()
    def agrees(self) -> None:
        snapshot = self.runner.run(self.journal.snapshot(1000))
        assert (snapshot.leader is None) == (self.held is None)
        assert snapshot.intents == tuple(reversed(self.intents.values()))
        attempts = {attempt.signature: attempt for group in snapshot.attempts.values() for attempt in group}
        assert attempts == self.attempts
        live = Counter(attempt.intent_id for attempt in attempts.values() if attempt.state in LIVE)
        assert all(number == 1 for number in live.values())
        assert snapshot.unresolved == tuple(each for each in self.attempts.values() if not each.state.terminal)
        assert snapshot.entries == tuple(reversed(self.entries.values()))
        balances: dict[tuple[str, str], int] = defaultdict(int)
        for entry in self.entries.values():
            balances[entry.account, entry.asset] += entry.delta
        assert snapshot.balances == balances
        states = Counter(attempt.state for attempt in attempts.values())
        totals = snapshot.totals
        assert totals.landed == states[AttemptState.LANDED]
        assert totals.failed == states[AttemptState.FAILED]
        assert totals.expired == states[AttemptState.EXPIRED]
        assert totals.fees.value == sum(attempt.fee.value for attempt in attempts.values())

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            self.runner.run(self.journal.close())
        self.runner.close()
        shutil.rmtree(self.directory)


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(
    max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
