"""What execution hands back for one step of a plan: the only thing the rest of the keeper learns about a transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from keeper.plan import Numbers
from keeper.units import Lamports, Slot


class Stage(StrEnum):
    """Where a step was refused. Every refusal is before the first byte left."""

    COMPILE = "compile"
    SIMULATION = "simulation"
    FIREWALL = "firewall"
    SIGN = "sign"
    JOURNAL = "journal"


@dataclass(frozen=True, slots=True)
class Landed:
    """Executed and confirmed.

    ``deltas`` are the changes of what is in the books, fee included: asset (``"lamports"`` or a mint's address) to signed
    base units, over the wallet and its margin account, so that collateral which moves between the two nets to zero; more of a
    loan note means more debt. Lamports that moved into or out of the wallet's own token accounts (rent) net to zero in it.
    ``native_change`` is that of the wallet's system account alone, fee and rent included.
    """

    signature: str
    slot: Slot
    fee: Lamports
    deltas: Mapping[str, int]
    native_change: Lamports = Lamports(0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "deltas", MappingProxyType(dict(self.deltas)))


@dataclass(frozen=True, slots=True)
class Failed:
    """The chain executed it and it failed: nothing moved but ``fee``. ``error`` is the program's own name for it."""

    error: str
    signature: str
    fee: Lamports


@dataclass(frozen=True, slots=True)
class Expired:
    """Signed, sent, and provably never executed. What to do next is decided anew from a fresh view."""

    signature: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Never sent. ``reason`` is a code from a small fixed set for each stage; ``detail`` says it in words for a person."""

    stage: Stage
    reason: str
    numbers: Numbers = field(default_factory=dict)
    detail: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "numbers", MappingProxyType(dict(self.numbers)))


Outcome: TypeAlias = Landed | Failed | Expired | Refused


class Refusal(Exception):
    """Raised inside this room where a step must not be sent; the executor turns it into the ``Refused`` it carries."""

    def __init__(self, stage: Stage, reason: str, detail: str, **numbers: int | str) -> None:
        super().__init__(f"{stage}/{reason}: {detail}")
        self.refused = Refused(stage, reason, numbers, detail)


class UnsupportedIntent(Refusal):
    """No instruction builder exists for the intent in this product (yet)."""

    def __init__(self, intent: object, detail: str) -> None:
        super().__init__(Stage.COMPILE, "unsupported_intent", detail, intent=type(intent).__name__)
