"""The door of execution: a plan in, outcomes out, and nothing between them that a kill -9 could make land twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from solders.hash import Hash
from solders.message import MessageV0
from solders.pubkey import Pubkey

from keeper.chain.answers import RecentBlockhash
from keeper.chain.clock import Clock
from keeper.chain.errors import RpcError
from keeper.chain.signer import Signer, SignerError
from keeper.execution.balances import Limits, verify
from keeper.execution.bounds import LAMPORTS, holdings, net, require_covered
from keeper.execution.compile import Compiler, require_supported
from keeper.execution.firewall import Rules, inspect
from keeper.execution.landing import Landing
from keeper.execution.lending_sight import tracked_accounts
from keeper.execution.message import NO_BLOCKHASH, WIDEST, Budget, Compiled, assemble, resolve, signable, signed
from keeper.execution.naming import ErrorNames
from keeper.execution.observer import Observer, Unobserved
from keeper.execution.outcome import Expired, Failed, Landed, Outcome, Refusal, Refused, Stage
from keeper.execution.policy import ExecutionPolicy
from keeper.execution.ports import Network
from keeper.execution.recovery import recover
from keeper.execution.simulation import compute_limit, rehearse
from keeper.journal.journal import Journal
from keeper.journal.records import AttemptConflict, AttemptRecord, FencedOut, IntentRecord, JournalError, Leadership
from keeper.plan import Atomic, Plan
from keeper.protocols.addresses import STAKE
from keeper.protocols.market import Market
from keeper.protocols.stake import place_addresses
from keeper.units import Lamports, MicroLamports, Slot
from keeper.units.canonical import canonical, digest
from keeper.venues.door import DexVenue
from keeper.view import View


class PriceSource(Protocol):
    """What to bid per compute unit for a transaction that writes these accounts (``keeper.chain.priority.PriorityFee``)."""

    async def price(self, writable: Sequence[Pubkey]) -> MicroLamports: ...


@dataclass(frozen=True, slots=True)
class _Task:
    """One step of a plan under way. ``landed``: what the steps before it changed native SOL by."""

    leadership: Leadership
    strategy: str
    plan: Plan
    view: View
    index: int
    landed: Lamports
    started: float

    @property
    def step(self) -> Atomic:
        return self.plan.steps[self.index]

    @property
    def intent(self) -> IntentRecord:
        """Its identity depends on what was decided on what, not on when: deciding the same again is the same intent."""
        identity = (self.leadership.epoch, self.view.slot, self.strategy, self.index, self.step)
        return IntentRecord(
            digest(identity),
            self.strategy,
            self.plan.reason,
            canonical(self.step),
            self.view.slot,
            self.leadership.epoch,
        )


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A step that compiled, simulated and passed the balance check: ready to be given its blockhash and signed."""

    intent: IntentRecord
    compiled: Compiled
    budget: Budget
    recent: RecentBlockhash


class Executor:
    """Executes plans one transaction at a time for the signer's wallet.

    ``prices`` overrides the View's compute-unit price; either is cut to the policy's cap. Raises ``FencedOut`` where another
    process leads by now: the caller must stop. A cancelled ``execute`` does not stop what was already being signed; ``drain``
    waits for it.
    """

    def __init__(  # noqa: PLR0917 - the order that the design gives; callers may name them
        self,
        endpoints: Network,
        journal: Journal,
        signer: Signer,
        venues: Mapping[str, DexVenue],
        market: Market,
        policy: ExecutionPolicy,
        clock: Clock,
        observer: Observer | None = None,
        *,
        prices: PriceSource | None = None,
    ) -> None:
        self._endpoints = endpoints
        self._journal = journal
        self._signer = signer
        self._market = market
        self._policy = policy
        self._clock = clock
        self._observer: Observer = observer if observer is not None else Unobserved()
        self._prices = prices
        self._names = ErrorNames.of(market)
        self._compiler = Compiler(endpoints.primary, signer.pubkey, market, venues, policy)
        self._apart = _apart(market, signer.pubkey)
        tracked = tracked_accounts(market.lending)
        self._landing = Landing(endpoints, journal, signer.pubkey, policy, clock, self._observer, self._names, tracked)
        self._turn = asyncio.Lock()
        self._flying: set[asyncio.Task[Landed | Failed | Expired | Refused]] = set()
        self._recovered_epoch: int | None = None
        self._landed_at = Slot(0)  # of our newest landing: a view from before it does not know what it changed
        self._draining = False

    @property
    def in_flight(self) -> int:
        """Steps that are being signed or landed now."""
        return len(self._flying)

    async def execute(self, leadership: Leadership, strategy: str, plan: Plan, view: View) -> tuple[Outcome, ...]:
        """Land the steps of ``plan`` in order; stops after the first that is not ``Landed``.

        ``view`` is the one that the plan was decided on. Whatever an earlier process left in flight is brought to its end first;
        a view from before such a landing is refused, because the plan may be the one that has just landed.
        """
        async with self._turn:
            await self._clear_air()
            if self._recovered_epoch != leadership.epoch:
                await self._recover(leadership)
            outcomes: list[Outcome] = []
            landed, known = Lamports(0), self._landed_at
            for index in range(len(plan.steps)):
                started = self._clock.now()
                task = _Task(leadership, strategy, plan, view, index, landed, started)
                outcome = await self._run(task, known)
                self._observer.outcome(strategy, outcome, self._clock.now() - started)
                outcomes.append(outcome)
                if not isinstance(outcome, Landed):
                    break
                landed = landed + outcome.native_change
            return tuple(outcomes)

    async def recover(self, leadership: Leadership) -> tuple[Outcome, ...]:
        """Bring every unresolved attempt to its end: rebroadcast while it may live, confirm, or prove dead. Oldest first.

        Nothing is signed before this is done; ``execute`` does it by itself where it was forgotten.
        """
        async with self._turn:
            await self._clear_air()
            return await self._recover(leadership)

    def stop_signing(self) -> None:
        """Sign nothing more; what is in flight is still brought to its end."""
        self._draining = True

    async def drain(self, timeout: float) -> int:  # noqa: ASYNC109 - asyncio.timeout would cancel what must be waited for
        """Sign nothing more and wait up to ``timeout`` seconds for what is in flight.

        Real seconds, not the injected clock's: whoever sent SIGTERM counts those. Returns how many steps were left behind; the
        journal knows them, and the next start recovers them.
        """
        self.stop_signing()
        if not self._flying:
            return 0
        _, left = await asyncio.wait(self._flying, timeout=timeout)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        return len(left)

    async def _clear_air(self) -> None:
        """Wait for a flight whose ``execute`` was cancelled: there is never more than one transaction under way."""
        if self._flying:
            await asyncio.wait(self._flying)

    # -- one step

    async def _run(self, task: _Task, known: Slot) -> Outcome:
        try:
            _require_seen(task.view, known)
            prepared = await self._prepare(task)
            if self._draining:
                raise Refusal(Stage.SIGN, "shutting_down", "the keeper is shutting down and signs nothing more")
        except Refusal as refusal:
            return refusal.refused
        except Exception as error:  # noqa: BLE001 - a venue or a strategy's values may raise anything; nothing is signed yet
            self._observer.trouble("prepare", f"{type(error).__name__}: {error}")
            return Refused(Stage.COMPILE, "unexpected_error", {"error": type(error).__name__}, str(error))
        flight = asyncio.create_task(self._commit(task, prepared), name=f"land {task.strategy}/{task.index}")
        self._flying.add(flight)
        flight.add_done_callback(self._landed)
        return await asyncio.shield(flight)

    def _landed(self, flight: asyncio.Task[Landed | Failed | Expired | Refused]) -> None:
        """A flight that did not come to a written end leaves an attempt behind: recover before the next signature."""
        self._flying.discard(flight)
        if flight.cancelled() or flight.exception() is not None:
            self._recovered_epoch = None
        else:
            self._note(flight.result())

    def _note(self, outcome: Outcome) -> None:
        if isinstance(outcome, Landed):
            self._landed_at = max(self._landed_at, outcome.slot)

    async def _prepare(self, task: _Task) -> _Prepared:
        if not task.view.fresh.allows(leaving=True):  # of entries the risk review is the judge
            raise Refusal(Stage.COMPILE, "view_not_fresh", f"the view may not be acted on: {task.view.fresh.problem}")
        for step in task.plan.steps:
            require_supported(step, self._market)
        floor = task.plan.expected.min_sol_change - task.landed - _later(task.plan, task.index)
        pots = holdings(task.view.wallet, protects=task.plan.protects)
        for step in task.plan.steps[: task.index + 1]:
            pots = require_covered(step, pots)
        # A later step stands on what the earlier ones changed: no node that has not seen those may speak of it.
        view = replace(task.view, slot=max(task.view.slot, self._landed_at))
        compiled = await self._compiler.compile(task.step, view)
        self._inspect(task, compiled, WIDEST, NO_BLOCKHASH)
        rehearsal, recent = await asyncio.gather(
            rehearse(self._endpoints.primary, self._signer.pubkey, compiled, view.slot, self._names),
            self._blockhash(view),
        )
        _require_young(view, recent, self._policy.max_view_age)
        price = await self._price(task.view, rehearsal.writable)
        budget = Budget(compute_limit(rehearsal.units, self._policy), price)
        verify(
            replace(rehearsal.before_after, extra_fee=budget.fee - rehearsal.fee),
            Limits(
                wallet=self._signer.pubkey,
                step=task.step,
                lrt=self._market.lrt,
                fee=budget.fee,
                sol_floor=floor,
                lending=self._market.lending,
                sight=compiled.sight,
            ),
        )
        return _Prepared(task.intent, compiled, budget, recent)

    async def _blockhash(self, view: View) -> RecentBlockhash:
        """A blockhash at confirmed, from a node that has seen what the plan was decided on."""
        try:
            return await self._endpoints.primary.latest_blockhash(min_context_slot=view.slot)
        except RpcError as error:
            raise Refusal(Stage.SIGN, "blockhash_unavailable", str(error)) from error

    async def _price(self, view: View, writable: Sequence[Pubkey]) -> MicroLamports:
        price = view.fees.unit_price
        if self._prices is not None:
            try:
                price = await self._prices.price(writable)
            except RpcError as error:
                self._observer.trouble("price", str(error))
        return max(MicroLamports(0), min(price, self._policy.max_unit_price))

    async def _commit(self, task: _Task, prepared: _Prepared) -> Landed | Failed | Expired | Refused:
        """Write, then send: the intent, the signed bytes with their last valid height, and only then the first send."""
        try:
            attempt = await self._sign(task, prepared)
        except Refusal as refusal:
            return refusal.refused
        except FencedOut:
            raise
        except AttemptConflict as error:
            return Refused(Stage.JOURNAL, "attempt_conflict", {}, str(error))
        except JournalError as error:
            self._recovered_epoch = None  # the write may have arrived all the same: look before signing anything else
            return Refused(Stage.JOURNAL, "journal_unavailable", {}, str(error))
        self._observer.attempt_signed(task.strategy, attempt.signature, self._clock.now() - task.started)
        return await self._landing.follow(task.leadership, attempt, task.strategy)

    async def _sign(self, task: _Task, prepared: _Prepared) -> AttemptRecord:
        message = self._inspect(task, prepared.compiled, prepared.budget, prepared.recent.hash)
        intent = prepared.intent
        await self._journal.record_intent(task.leadership, intent)
        try:
            signature = await self._signer.sign(signable(message))
        except SignerError as error:
            raise Refusal(Stage.SIGN, "signer_failed", str(error)) from error
        attempt = AttemptRecord(
            signature=str(signature),
            intent_id=intent.intent_id,
            number=1,
            raw=signed(message, signature),
            last_valid_block_height=prepared.recent.last_valid_block_height,
            signed_slot=prepared.recent.slot,
        )
        await self._journal.record_attempt(task.leadership, attempt)
        return attempt

    def _inspect(self, task: _Task, compiled: Compiled, budget: Budget, blockhash: Hash) -> MessageV0:
        """The message, after the firewall's first wall. It stands before the simulation, which shows the message to a node,
        and again before the signature, where the message is the one that counts."""
        message = assemble(self._signer.pubkey, compiled, budget, blockhash)
        rules = Rules(
            wallet=self._signer.pubkey,
            step=task.step,
            own=compiled.own,
            protocol_programs=_protocols(self._market),
            venue_programs=self._policy.venue_programs,
            budget=budget,
            max_unit_price=self._policy.max_unit_price,
            apart=self._apart,
        )
        inspect(resolve(message, compiled.tables), rules)
        return message

    async def _recover(self, leadership: Leadership) -> tuple[Outcome, ...]:
        outcomes = await recover(leadership, self._landing)
        # What an earlier process landed counts as well; the last entry may be a gift, booked by the word of a node that lagged.
        for entry in await self._journal.entries():
            self._landed_at = max(self._landed_at, entry.slot)
        self._recovered_epoch = leadership.epoch
        return outcomes


def _require_seen(view: View, landed_at: Slot) -> None:
    """Raises ``Refusal`` for a view from before our newest landing: what it says of wallet, queue and market is gone."""
    if view.slot < landed_at:
        raise Refusal(
            Stage.COMPILE,
            "view_before_landing",
            f"the view is of slot {view.slot}, our last transaction landed in slot {landed_at}: decide again on a newer one",
            view=view.slot.value,
            landed=landed_at.value,
        )


def _require_young(view: View, recent: RecentBlockhash, max_age: int) -> None:
    """Raises ``Refusal`` where so much time passed between decision and signature that the plan is another day's."""
    age = recent.slot.since(view.slot)
    if age > max_age:
        raise Refusal(
            Stage.SIGN,
            "view_too_old",
            f"the plan was decided {age} slots ago, at most {max_age} may pass until it is signed: decide again",
            age=age,
            limit=max_age,
        )


def _later(plan: Plan, index: int) -> Lamports:
    """What the steps after ``index`` bring in native SOL if their bounds are just met, fees apart."""
    total: Counter[str] = Counter()
    for step in plan.steps[index + 1 :]:
        total.update(net(step))
    return Lamports(total[LAMPORTS])


def _apart(market: Market, wallet: Pubkey) -> frozenset[Pubkey]:
    """The wallet's own accounts in the protocols: its margin account with its tokens, its queue, its stake."""
    found = {*place_addresses(wallet)}
    if market.lending is not None:
        found |= {market.lending.account, *tracked_accounts(market.lending)}
    if market.lrt is not None and market.lrt.program.mapping.queue is not None:
        found.add(market.lrt.program.queue_address(wallet))
    return frozenset(found)


def _protocols(market: Market) -> frozenset[Pubkey]:
    programs = {market.solayer.stake_pool_program, market.solayer.restaking_program, STAKE}
    if market.lrt is not None:
        programs.add(market.lrt.program.program_id)
    if market.lending is not None:
        programs |= {market.lending.margin_program, market.lending.pool_program}
    return frozenset(programs)
