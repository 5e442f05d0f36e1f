"""Landing one bundle: simulated, held against the wall, written down, signed, and followed to its end. At most once, as any step.

What may go wrong between two lines here is what ``recovery`` is for: the intent and the signed bytes are durable before the first
byte leaves, and a lookup table's address before the transaction that creates it.
"""

from __future__ import annotations

from dataclasses import dataclass

from solders.hash import Hash
from solders.message import MessageV0

from keeper.chain.answers import RecentBlockhash
from keeper.chain.errors import RpcError
from keeper.chain.signer import Signer, SignerError
from keeper.execution.balances import Effects
from keeper.execution.landing import Landing
from keeper.execution.message import NO_BLOCKHASH, WIDEST, Budget, assemble, resolve, signable, signed
from keeper.execution.outcome import Expired, Failed, Landed, Refusal, Stage
from keeper.execution.preparation.bundles import Bundle
from keeper.execution.preparation.wall import Wall
from keeper.execution.simulation import rehearse
from keeper.journal.journal import Journal
from keeper.journal.records import AttemptRecord, IntentRecord, Leadership
from keeper.units import Slot
from keeper.units.canonical import canonical, digest

SETUP = "keeper setup"
"""What the journal books setting up under. No strategy has a name with a space, so the costs are no strategy's."""


@dataclass(frozen=True, slots=True)
class Lander:
    """Lands bundles for one wallet. ``landing`` knows the journal, the network and the clock."""

    landing: Landing
    signer: Signer
    wall: Wall

    @property
    def journal(self) -> Journal:
        return self.landing.journal

    async def land(self, leadership: Leadership, bundle: Bundle, slot: Slot) -> Landed | Failed | Expired:
        """Land ``bundle``, decided on a look at the chain at ``slot``.

        Raises ``Refusal`` where it must not be sent (nothing was paid), ``JournalError``, ``FencedOut``.
        """
        node, budget = self.landing.network.primary, bundle.budget
        self._inspect(bundle, WIDEST, NO_BLOCKHASH)
        rehearsal = await rehearse(node, self.signer.pubkey, bundle.compiled, slot, self.landing.names)
        if rehearsal.units > budget.limit:
            raise Refusal(
                Stage.SIMULATION,
                "compute_beyond_shown",
                f"it takes {rehearsal.units}, more than the {budget.limit} that its fee was shown for: report this",
                units=rehearsal.units.value,
            )
        effects = rehearsal.before_after
        self.wall.verify(Effects(effects.before, effects.after, budget.fee - rehearsal.fee), bundle)
        recent = await self._blockhash(slot)
        attempt = await self._sign(leadership, bundle, budget, recent)
        self.landing.observer.attempt_signed(SETUP, attempt.signature, 0.0)
        return await self.landing.follow(leadership, attempt, SETUP)

    async def _blockhash(self, slot: Slot) -> RecentBlockhash:
        try:
            return await self.landing.network.primary.latest_blockhash(min_context_slot=slot)
        except RpcError as error:
            raise Refusal(Stage.SIGN, "blockhash_unavailable", str(error)) from error

    async def _sign(
        self, leadership: Leadership, bundle: Bundle, budget: Budget, recent: RecentBlockhash
    ) -> AttemptRecord:
        message = self._inspect(bundle, budget, recent.hash)
        for step in bundle.steps:
            if step.creates is not None:
                await self.journal.record_table(leadership, step.creates)
        intent = _intent(bundle, leadership, recent)
        await self.journal.record_intent(leadership, intent)
        try:
            signature = await self.signer.sign(signable(message))
        except SignerError as error:
            raise Refusal(Stage.SIGN, "signer_failed", str(error)) from error
        attempt = AttemptRecord(
            signature=str(signature),
            intent_id=intent.intent_id,
            number=1,
            raw=signed(message, signature),
            last_valid_block_height=recent.last_valid_block_height,
            signed_slot=recent.slot,
        )
        await self.journal.record_attempt(leadership, attempt)
        return attempt

    def _inspect(self, bundle: Bundle, budget: Budget, blockhash: Hash) -> MessageV0:
        message = assemble(self.signer.pubkey, bundle.compiled, budget, blockhash)
        self.wall.inspect(resolve(message, ()), bundle, budget)
        return message


def _intent(bundle: Bundle, leadership: Leadership, recent: RecentBlockhash) -> IntentRecord:
    """Each try is an intent of its own: what is missing is looked up again before every one."""
    body = [
        {
            "step": step.title,
            "opened": {str(one.account): one.lamports for one in step.opened},
            "closed": [str(one) for one in step.closed],
            "table": "" if step.table is None else str(step.table),
        }
        for step in bundle.steps
    ]
    identity = (SETUP, leadership.epoch, recent.slot, str(recent.hash), body)
    return IntentRecord(digest(identity), SETUP, SETUP, canonical(body), recent.slot, leadership.epoch)
