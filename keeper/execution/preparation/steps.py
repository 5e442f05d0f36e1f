"""One thing to set up or to close: its instructions, and everything that they may do to anybody's accounts."""

from __future__ import annotations

from dataclasses import dataclass

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.journal.records import OwnTable
from keeper.units import ComputeUnits, Lamports


class SetupRefused(Exception):
    """Setting up cannot go on like this. The message says what was found and what to do."""


@dataclass(frozen=True, slots=True)
class Opening:
    """An account that a step opens or makes larger. ``lamports``: what the wallet puts in. ``returns``: whether closing it gives
    them back. ``tokens``: (mint, owner) of a token account."""

    account: Pubkey
    lamports: Lamports
    returns: bool = True
    tokens: tuple[Pubkey, Pubkey] | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One thing. ``limit``: compute units that it is given. ``returned``: lamports that it brings back.

    ``closed``: accounts that it ends. ``positions``: tokens whose positions it opens or closes in the margin account.
    ``creates``: the lookup table that it makes; ``table``: the one that it touches, to which ``appended`` are added.
    """

    title: str
    instructions: tuple[Instruction, ...]
    limit: ComputeUnits
    opened: tuple[Opening, ...] = ()
    closed: tuple[Pubkey, ...] = ()
    returned: Lamports = Lamports(0)
    positions: frozenset[Pubkey] = frozenset()
    creates: OwnTable | None = None
    table: Pubkey | None = None
    appended: tuple[Pubkey, ...] = ()
    deactivates: bool = False

    @property
    def rent(self) -> Lamports:
        """Lamports that go into accounts."""
        return Lamports(sum(one.lamports.value for one in self.opened))

    @property
    def recoverable(self) -> Lamports:
        """Of ``rent``, what closing gives back."""
        return Lamports(sum(one.lamports.value for one in self.opened if one.returns))


@dataclass(frozen=True, slots=True)
class Agenda:
    """What is to be done, in order. ``notes``: sentences about what is not done, and why."""

    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()
