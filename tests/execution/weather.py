"""A network between keeper and localnet that drops, delays, duplicates, lags, fails and kills, from one seed or by script."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from keeper.chain.accounts import AccountSnapshot
from keeper.chain.answers import (
    LandedTransaction,
    RecentBlockhash,
    Refused,
    SendResult,
    Sent,
    SignatureStatus,
    Simulation,
    Unknown,
)
from keeper.chain.errors import RpcError, RpcUnreachable, refusal
from keeper.chain.pool import Broadcast
from keeper.chain.rpc import RpcClient
from keeper.sim.localnet.bank import Bank
from keeper.sim.localnet.interface import ChainClock, TransactionRejected
from keeper.units import BlockHeight, Slot

LANDING_CALLS = ("getBlockHeight", "getSignatureStatuses", "getTransaction")


class Killed(BaseException):
    """kill -9: nothing that runs in the process gets to handle it."""


def unreachable(method: str) -> RpcUnreachable:
    return RpcUnreachable("HTTP 503", method=method, endpoint="faulty", status=503)


@dataclass(slots=True)
class FaultyNode:
    """A node behind a bad line.

    ``blind``: slots by which its statuses and transactions lag while its heights do not. ``behind``: blocks by which its heights
    lag. ``fails`` is asked before each call, by method name. ``silent`` makes it not answer at all. ``last_valid`` is that of
    the blockhash it gave last.
    """

    inner: RpcClient
    bank: Bank
    blind: int = 0
    behind: int = 0
    silent: bool = False
    fails: Callable[[str], bool] = lambda _: False
    statuses: Callable[[Signature], SignatureStatus | None] | None = None
    hides_transactions: Callable[[], bool] = lambda: False
    last_valid: int = 0

    def _enter(self, method: str) -> None:
        if self.silent or self.fails(method):
            raise unreachable(method)

    def _seen(self, slot: Slot) -> bool:
        return slot.value + self.blind <= self.bank.clock.slot

    async def block_height(self, commitment: str | None = None, *, min_context_slot: Slot | None = None) -> BlockHeight:
        self._enter("getBlockHeight")
        return await self.inner.block_height(commitment, min_context_slot=min_context_slot) - self.behind

    async def latest_blockhash(
        self, commitment: str | None = None, *, min_context_slot: Slot | None = None
    ) -> RecentBlockhash:
        self._enter("getLatestBlockhash")
        recent = await self.inner.latest_blockhash(commitment, min_context_slot=min_context_slot)
        self.last_valid = recent.last_valid_block_height.value
        return recent

    async def accounts(self, keys: Sequence[Pubkey], min_context_slot: Slot | None = None) -> AccountSnapshot:
        self._enter("getMultipleAccounts")
        return await self.inner.accounts(keys, min_context_slot)

    async def token_accounts_by_owner(self, owner: Pubkey) -> AccountSnapshot:
        return await self.inner.token_accounts_by_owner(owner)

    async def signature_statuses(
        self, signatures: Sequence[Signature], search_history: bool = False
    ) -> list[SignatureStatus | None]:
        self._enter("getSignatureStatuses")
        if self.statuses is not None:
            return [self.statuses(signature) for signature in signatures]
        found = await self.inner.signature_statuses(signatures, search_history)
        return [status if status is not None and self._seen(status.slot) else None for status in found]

    async def simulate(
        self,
        raw: bytes,
        *,
        accounts: Sequence[Pubkey] = (),
        replace_blockhash: bool = True,
        min_context_slot: Slot | None = None,
    ) -> Simulation:
        self._enter("simulateTransaction")
        return await self.inner.simulate(
            raw, accounts=accounts, replace_blockhash=replace_blockhash, min_context_slot=min_context_slot
        )

    async def transaction(self, signature: Signature, commitment: str | None = None) -> LandedTransaction | None:
        self._enter("getTransaction")
        if self.hides_transactions():
            return None
        found = await self.inner.transaction(signature, commitment)
        return found if found is not None and self._seen(found.slot) else None


Fate = Callable[[bytes, int], SendResult]
"""What becomes of the n-th broadcast (from 1)."""


@dataclass(slots=True)
class FaultyNetwork:
    """Endpoints whose sends follow ``fate``; every broadcast's bytes are kept in ``sent``, ``busy`` is set by the first."""

    primary: FaultyNode
    others: list[FaultyNode]
    fate: Fate
    sent: list[bytes] = field(default_factory=list)
    busy: asyncio.Event = field(default_factory=asyncio.Event)

    async def broadcast(self, raw: bytes) -> Broadcast:
        self.sent.append(raw)
        self.busy.set()
        return Broadcast((("faulty", self.fate(raw, len(self.sent))),))


def signature_of(raw: bytes) -> Signature:
    return VersionedTransaction.from_bytes(raw).signatures[0]


@dataclass(slots=True)
class Wire:
    """Ways for bytes to reach the bank, or not."""

    bank: Bank

    def deliver(self, raw: bytes) -> SendResult:
        """Executed now, if the bank takes it."""
        with suppress(TransactionRejected):
            self.bank.process(VersionedTransaction.from_bytes(raw))
        return Sent(signature_of(raw))

    def drop(self, raw: bytes) -> SendResult:
        """Answered with the signature, and lost."""
        return Sent(signature_of(raw))

    def lose_answer(self, raw: bytes) -> SendResult:
        """Executed, and answered 503."""
        self.deliver(raw)
        return Unknown("HTTP 503", unreachable("sendTransaction"))

    def refuse(self, raw: bytes) -> SendResult:  # noqa: ARG002 - a fate's signature
        """Not forwarded: the node does not know the blockhash yet."""
        words = "Transaction simulation failed: Blockhash not found"
        error = refusal(-32002, words, {"err": "BlockhashNotFound"}, method="sendTransaction", endpoint="faulty")
        return Refused(error)

    def at_height(self, raw: bytes, height: int) -> SendResult:
        """Executed in the block of that height."""

        def when(clock: ChainClock) -> None:
            if clock.block_height == height:
                self.deliver(raw)

        self.bank.at_slot(when)
        return Sent(signature_of(raw))


@dataclass(frozen=True, slots=True)
class Weather:
    """Shares in percent: of sends lost, delayed, answered wrongly or refused; of calls that fail; of moments that kill."""

    seed: int
    drop: int
    delay: int
    lose_answer: int
    refuse: int
    call_fails: int
    kill: int
    blind: int
    others: int

    def over(self, bank: Bank, node: RpcClient) -> FaultyNetwork:
        """The network in this weather. Kills come out of sends and calls as ``Killed``."""
        random = Random(self.seed)
        wire = Wire(bank)

        def chance(percent: int) -> bool:
            return random.randrange(100) < percent

        def mortal() -> None:
            if chance(self.kill):
                raise Killed

        def fate(raw: bytes, _: int) -> SendResult:
            mortal()
            if chance(self.drop):
                return wire.drop(raw)
            if chance(self.refuse):
                return wire.refuse(raw)
            if chance(self.delay):
                return wire.at_height(raw, bank.clock.block_height + random.randrange(1, 160))
            answer = wire.lose_answer(raw) if chance(self.lose_answer) else wire.deliver(raw)
            mortal()
            return answer

        def fails(method: str) -> bool:
            mortal()
            # Before a signature a failed call only refuses the step; the storm is meant for what comes after it.
            return chance(self.call_fails if method in LANDING_CALLS else self.call_fails // 20)

        def faulty(blind: int) -> FaultyNode:
            return FaultyNode(node, bank, blind=blind, fails=fails)

        others = [faulty(random.randrange(self.blind + 1)) for _ in range(self.others)]
        return FaultyNetwork(faulty(random.randrange(self.blind + 1)), others, fate)


__all__ = ["FaultyNetwork", "FaultyNode", "Killed", "RpcError", "Weather", "Wire", "signature_of"]
