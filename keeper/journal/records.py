"""What the journal keeps, as frozen values, and the states that an attempt may be in.

    SIGNED --landed--> LANDED          the chain executed it, err is empty
           --landed--> FAILED          the chain executed it and it failed; only its fee was paid
           --dead----> EXPIRED         provably never executed: its blockhash is dead on finalised height, no status exists

SIGNED is the only state that is not terminal, and the only one in which the bytes may be sent. An intent has at most one
attempt that is SIGNED or LANDED.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from keeper.units import BlockHeight, Lamports, Slot, UnixTime


class AttemptState(StrEnum):
    SIGNED = "signed"
    LANDED = "landed"
    FAILED = "failed"
    EXPIRED = "expired"

    @property
    def terminal(self) -> bool:
        """Whether nothing can happen to the attempt any more."""
        return self is not AttemptState.SIGNED


@dataclass(frozen=True, slots=True)
class Leadership:
    """The right to write: ``epoch`` grows with every change of holder and fences the writes of earlier ones."""

    holder: str
    epoch: int
    expires_at: float  # seconds since 1970 by the wall clock of whoever took or renewed it


@dataclass(frozen=True, slots=True)
class IntentRecord:
    """One step of a plan that was decided. ``body`` is the canonical JSON of the step, ``intent_id`` identifies it for good."""

    intent_id: str
    strategy: str
    reason: str
    body: str
    decided_slot: Slot
    leader_epoch: int


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One signed transaction for an intent. ``raw`` are the only bytes ever sent for it."""

    signature: str
    intent_id: str
    number: int
    raw: bytes
    last_valid_block_height: BlockHeight
    signed_slot: Slot
    state: AttemptState = AttemptState.SIGNED
    landed_slot: Slot | None = None
    error: str = ""
    fee: Lamports = Lamports(0)


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One change of one balance by one landed transaction, as the chain reported it.

    ``account`` is the address whose balance changed; ``asset`` is ``"lamports"`` or a mint address; ``kind`` is ``"opening"``,
    ``"fee"``, ``"trade"`` or ``"external"``. Units are lamports or token base units.
    """

    signature: str
    slot: Slot
    block_time: UnixTime
    account: str
    asset: str
    kind: str
    delta: int
    strategy: str = ""


@dataclass(frozen=True, slots=True)
class StrategyTotals:
    """Resolved attempts of one strategy and the fees that the chain took for them (base and priority fees)."""

    landed: int = 0
    failed: int = 0
    expired: int = 0
    fees: Lamports = Lamports(0)


@dataclass(frozen=True, slots=True)
class Totals:
    """Resolved attempts since the journal began: over all strategies, and by strategy."""

    landed: int
    failed: int
    expired: int
    fees: Lamports
    by_strategy: Mapping[str, StrategyTotals]


@dataclass(frozen=True, slots=True)
class ExitRequest:
    """A landed request for the slow way out: who asked, when by the chain, and what was given up for it."""

    signature: str
    strategy: str
    slot: Slot
    block_time: UnixTime
    mint: str
    units: int


@dataclass(frozen=True, slots=True)
class Order:
    """What the operator wants of a strategy until he cancels it. ``placed_at`` and ``done_at`` are seconds since 1970 by the
    wall clock of whoever wrote them; ``done_at`` is None until the strategy said that nothing is left to do."""

    strategy: str
    kind: str
    placed_at: float
    done_at: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Who owns what and who is told what, read in one transaction.

    ``shares``: (strategy, account, asset) to base units. Of tokens, what of the account's balance the strategy acquired and still
    has: never negative, together never more than the balance. Of ``"lamports"``, the plain sum of what its transactions changed:
    negative while it has taken out more than it returned. ``requests``: newest first. ``landed``: when each strategy's newest
    transaction landed, by the chain's clock. ``orders``: those in effect, by strategy.
    """

    shares: Mapping[tuple[str, str, str], int]
    requests: tuple[ExitRequest, ...]
    landed: Mapping[str, UnixTime]
    orders: Mapping[str, Order]


@dataclass(frozen=True, slots=True)
class OwnTable:
    """An address lookup table that the keeper made or is about to make: its address follows from ``authority`` (the wallet) and
    ``recent_slot``. It may not exist: it is recorded first. ``retired``: seen deactivated, and only kept to be closed."""

    address: str
    authority: str
    recent_slot: Slot
    retired: bool = False


class JournalError(Exception):
    """The journal refused or could not write. Nothing may be sent after it."""


class JournalCorrupt(JournalError):
    """The database is damaged or not a journal. It was left as it was found."""


class SchemaTooNew(JournalError):
    """A newer keeper has migrated this database; this one does not know what its tables mean."""


class FencedOut(JournalError):
    """A newer leader exists: this process must stop signing and sending at once."""


class LeadershipHeld(JournalError):
    """Another process, ``holder``, holds the leadership until ``until`` (seconds since 1970, its own clock)."""

    def __init__(self, holder: str, until: float) -> None:
        super().__init__(
            f"the leadership is held by {holder!r} until {until:.3f}; wait for it to be released or to run out"
        )
        self.holder = holder
        self.until = until


class AttemptConflict(JournalError):
    """The intent already has an attempt that is signed or landed; a second one would risk executing it twice."""
