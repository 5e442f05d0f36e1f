"""Landing one signed transaction: the same bytes, again and again, until the chain has executed them or provably never will.

    send --> status null ----------------------------------> send again, ask again
         --> processed ------------------------------------> ask again (a fork may still drop it)
         --> confirmed or finalised --> transaction read --> LANDED or FAILED, booked in one journal transaction
         --> finalised height past lastValidBlockHeight on two endpoints (with a margin where there is only one), after that
             status with history null and transaction null on every endpoint that answers, and no lamport of the wallet
             missing against the ledger --> EXPIRED

Nothing else ends it. An error of an endpoint, a refusal to forward, a gap between status and transaction are all "not
known yet": the loop goes on. Source of the rules: facts, execution.md 1.1-1.6; the peers' defects that they answer,
anchors.md 1c.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum, auto

from solders.pubkey import Pubkey
from solders.signature import Signature

from keeper.chain.answers import Commitment, LandedTransaction
from keeper.chain.clock import Clock
from keeper.chain.errors import RpcError
from keeper.chain.pool import Broadcast
from keeper.execution.booking import Booking, IncompleteMetadata, book
from keeper.execution.bounds import LAMPORTS
from keeper.execution.naming import ErrorNames
from keeper.execution.observer import Observer
from keeper.execution.outcome import Expired, Failed, Landed
from keeper.execution.policy import ExecutionPolicy
from keeper.execution.ports import Network, Node
from keeper.journal.journal import Journal
from keeper.journal.records import AttemptRecord, AttemptState, Leadership
from keeper.units import BlockHeight

WITNESSES = 2  # endpoints that must prove an expiry, where as many are configured (law 4)


class Verdict(Enum):
    """What the endpoints' histories say of bytes that no status shows."""

    ALIVE = auto()
    DEAD = auto()


@dataclass(frozen=True, slots=True)
class Landing:
    """Follows attempts to their end. Holds no state of its own: everything that matters is in the journal.

    ``tracked`` are the token accounts that are booked beside the wallet's own.
    """

    network: Network
    journal: Journal
    owner: Pubkey
    policy: ExecutionPolicy
    clock: Clock
    observer: Observer
    names: ErrorNames
    tracked: frozenset[Pubkey] = frozenset()

    async def follow(self, leadership: Leadership, attempt: AttemptRecord, strategy: str) -> Landed | Failed | Expired:
        """Send ``attempt`` (already durable) until its end is known and journalled.

        Raises ``JournalError`` where the end could not be written: the attempt then stays SIGNED and recovery takes it up.
        """
        courier = Courier(self.network, self.observer, attempt)
        try:
            return await self._watch(leadership, attempt, strategy, courier)
        finally:
            await courier.stop()

    async def _watch(
        self, leadership: Leadership, attempt: AttemptRecord, strategy: str, courier: Courier
    ) -> Landed | Failed | Expired:
        signature = Signature.from_string(attempt.signature)
        next_round, alive = self.clock.now(), True
        pause = self.policy.poll_interval
        while True:
            try:
                due = self.clock.now() >= next_round
                if due:
                    next_round = self.clock.now() + self.policy.rebroadcast_interval
                    if alive:
                        courier.send()
                found: LandedTransaction | Verdict | None = await self._executed(signature)
                if found is None and due:
                    alive = await self._alive(attempt.last_valid_block_height)
                    found = None if alive else await self._verdict(signature, attempt)
                if found is Verdict.ALIVE:
                    self.observer.trouble(
                        "expiry", f"{attempt.signature} is past its last valid height, not proven dead"
                    )
                if isinstance(found, LandedTransaction):
                    return await self._settle(leadership, attempt, found, strategy)
                if found is Verdict.DEAD:
                    await self.journal.resolve(leadership, attempt.signature, AttemptState.EXPIRED)
                    return Expired(attempt.signature)
                pause = self.policy.poll_interval
            except (RpcError, IncompleteMetadata) as error:
                self.observer.trouble("landing", str(error))
                pause = min(pause * 2, self.policy.backoff)
            await self.clock.sleep(pause)

    @property
    def _nodes(self) -> tuple[Node, ...]:
        return (self.network.primary, *self.network.others)

    async def _executed(self, signature: Signature) -> LandedTransaction | None:
        """The transaction, once a status says confirmed and a node can show it; None while it cannot.

        The next endpoint is asked where one does not answer; raises the last ``RpcError`` where none does.
        """
        silence: RpcError | None = None
        for node in self._nodes:
            try:
                (status,) = await node.signature_statuses([signature])
                if status is None or status.confirmation < Commitment.CONFIRMED:
                    return None
                return await node.transaction(signature)
            except RpcError as error:
                silence = error
                self.observer.trouble("status", str(error))
        if silence is not None:
            raise silence
        return None

    async def _alive(self, last_valid: BlockHeight) -> bool:
        """Whether the bytes may still enter a block that finalises; one endpoint's word is enough to think so."""
        for node in self._nodes:
            try:
                return await node.block_height(Commitment.FINALIZED) <= last_valid
            except RpcError as error:
                self.observer.trouble("height", str(error))
        return True

    async def _verdict(self, signature: Signature, attempt: AttemptRecord) -> LandedTransaction | Verdict:
        """What all histories together say, once the finalised height is past the last valid one.

        On each endpoint the height is read first: a node whose *finalised* height is past it has processed every block that
        the bytes could be in. One that has not, or does not answer, is no witness; one that knows the signature ends the search.
        """
        nodes, witnesses = self._nodes, 0
        horizon = attempt.last_valid_block_height + (
            self.policy.single_endpoint_margin if len(nodes) < WITNESSES else 0
        )
        for node in nodes:
            try:
                past = await node.block_height(Commitment.FINALIZED) > horizon
                (status,) = await node.signature_statuses([signature], search_history=True)
                transaction = await node.transaction(signature)
            except RpcError as error:
                self.observer.trouble("expiry", str(error))
                continue
            if transaction is not None:
                return transaction
            if status is not None:
                return Verdict.ALIVE
            witnesses += past
        if witnesses < min(WITNESSES, len(nodes)):
            return Verdict.ALIVE
        return Verdict.DEAD if await self._effect_absent(attempt) else Verdict.ALIVE

    async def _effect_absent(self, attempt: AttemptRecord) -> bool:
        """Whether the wallet holds what the ledger says: bytes that were executed took at least their fee.

        A node that began from a snapshot a minute ago truly knows nothing of what landed before it, and says so in good faith;
        the balance it cannot forget. More than booked proves nothing, since anybody may send that.
        """
        if any(other.signature != attempt.signature for other in await self.journal.unresolved()):
            return True  # what is missing may be the other's; each is judged when it is the last one left
        booked = (await self.journal.balances()).get((str(self.owner), LAMPORTS), 0)
        answered = False
        for node in self._nodes:
            try:
                read = await node.accounts([self.owner], min_context_slot=attempt.signed_slot)
            except RpcError as error:
                self.observer.trouble("expiry", str(error))
                continue
            wallet = read.accounts.get(self.owner)
            missing = booked - (0 if wallet is None else wallet.lamports.value)
            if missing > 0:
                self.observer.trouble(
                    "expiry",
                    f"no endpoint knows {attempt.signature}, but {missing} lamports are missing from the wallet: it may have "
                    "landed before their history begins; add an endpoint with full history to cluster.rpc, or, if you took them "
                    "out yourself, send them back until this has come to its end",
                )
                return False
            answered = True
        return answered

    async def _settle(
        self, leadership: Leadership, attempt: AttemptRecord, transaction: LandedTransaction, strategy: str
    ) -> Landed | Failed:
        """Book an executed transaction and give its attempt its terminal state, in one journal transaction."""
        transaction, booking = await self._booking(transaction, strategy)
        error = "" if transaction.err is None else self.names.name(transaction.err, attempt.raw, transaction.logs)
        await self.journal.resolve(
            leadership,
            attempt.signature,
            AttemptState.LANDED if transaction.err is None else AttemptState.FAILED,
            landed_slot=transaction.slot,
            error=error,
            fee=transaction.fee,
            entries=booking.entries,
        )
        if transaction.err is None:
            native = transaction.lamports_change(self.owner)
            return Landed(attempt.signature, transaction.slot, transaction.fee, booking.deltas, native)
        return Failed(error, attempt.signature, transaction.fee)

    async def _booking(self, transaction: LandedTransaction, strategy: str) -> tuple[LandedTransaction, Booking]:
        """The first endpoint's record that has all that the ledger needs: nodes differ in what they keep.

        Raises ``IncompleteMetadata`` where none has.
        """
        try:
            return transaction, book(transaction, self.owner, strategy, self.tracked)
        except IncompleteMetadata as error:
            incomplete = error
        for node in self._nodes:
            try:
                other = await node.transaction(transaction.signature)
                if other is not None:
                    return other, book(other, self.owner, strategy, self.tracked)
            except (RpcError, IncompleteMetadata) as error:
                self.observer.trouble("booking", str(error))
        raise incomplete


class Courier:
    """Sends one attempt's bytes beside the watch, so that an endpoint that hangs does not hide the landing from us.

    No answer counts as proof of anything: a refusal may follow a copy that got through.
    """

    def __init__(self, network: Network, observer: Observer, attempt: AttemptRecord) -> None:
        self._network = network
        self._observer = observer
        self._attempt = attempt
        self._sends = 0
        self._task: asyncio.Task[None] | None = None

    def send(self) -> None:
        """Start another broadcast of the same bytes, unless the last one is still under way."""
        if self._task is not None and self._task.done():
            self._task.result()  # anything but an endpoint's error is a fault of ours: let it be seen
        if self._task is None or self._task.done():
            self._sends += 1
            self._task = asyncio.create_task(self._broadcast(), name=f"send {self._attempt.signature}")

    async def stop(self) -> None:
        """Give up a broadcast that is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _broadcast(self) -> None:
        report = self._observer.sent if self._sends == 1 else self._observer.rebroadcast
        try:
            report(self._attempt.signature, _word(await self._network.broadcast(self._attempt.raw)))
        except RpcError as error:
            self._observer.trouble("send", str(error))
            report(self._attempt.signature, "unknown")


def _word(broadcast: Broadcast) -> str:
    """One word for what the endpoints said: taken by any, else refused by all, else unknown."""
    if broadcast.sent:
        return "sent"
    return "refused" if broadcast.refused_by_all else "unknown"
