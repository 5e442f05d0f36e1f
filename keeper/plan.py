"""What a strategy answers with: a Plan of intents, or a Hold with its reason.

An intent says what should be true in the field's words and carries bounds that hold *on chain*: the most that may leave,
the least that must arrive. How it becomes instructions is execution's business.

In a ``Swap`` (and in the View's ladders) SOL is ``keeper.units.SOL`` and means native SOL: the swap wraps and unwraps it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

from keeper.units import Bps, Duration, Lamports, TokenAmount, UnitError, UnixTime

_CODE = re.compile(r"^[a-z][a-z0-9_]*$")
Number: TypeAlias = int | str
Numbers: TypeAlias = Mapping[str, Number]


def _positive(owner: str, **amounts: Lamports | TokenAmount) -> None:
    for name, amount in amounts.items():
        size = amount.value if isinstance(amount, Lamports) else amount.units
        if size <= 0:
            raise UnitError(f"{owner}.{name} must be positive, got {amount}")


Way: TypeAlias = Literal["glowsol", "stake"]
"""Which way out a request waits in: glowSOL's redemption queue, or a stake account of our own that cools down."""


@dataclass(frozen=True, slots=True)
class TicketId:
    """One request on its way out: its index, and when it was made, as an index is used again.

    In glowSOL's queue ``index`` is the place in the owner's queue account. Of a ``stake`` way it is the number of our seeded
    stake account, and ``requested_at`` holds the deactivation epoch's number, the only moment that such an account remembers.
    """

    index: int
    requested_at: UnixTime
    way: Way = "glowsol"


@dataclass(frozen=True, slots=True)
class Swap:
    """Sell exactly ``sell`` on ``venue`` for at least ``min_receive``."""

    sell: TokenAmount
    min_receive: TokenAmount
    venue: str

    def __post_init__(self) -> None:
        _positive("Swap", sell=self.sell, min_receive=self.min_receive)
        if self.sell.mint == self.min_receive.mint:
            raise UnitError(f"Swap of {self.sell.mint} for itself")


@dataclass(frozen=True, slots=True)
class Stake:
    """Turn SOL (``Lamports``) or sSOL into at least ``min_receive`` of a staked token."""

    spend: Lamports | TokenAmount
    min_receive: TokenAmount

    def __post_init__(self) -> None:
        _positive("Stake", spend=self.spend, min_receive=self.min_receive)


@dataclass(frozen=True, slots=True)
class Unstake:
    """Turn sSOL into at least ``min_receive`` at once, out of the stake pool's reserve."""

    spend: TokenAmount
    min_receive: Lamports

    def __post_init__(self) -> None:
        _positive("Unstake", spend=self.spend, min_receive=self.min_receive)


@dataclass(frozen=True, slots=True)
class RequestUnstake:
    """Ask for the slow way out, to be worth at least ``min_assets`` when ripe: glowSOL goes into the redemption queue; sSOL is
    unwrapped and leaves the stake pool as a stake account that cools down until the epoch's end."""

    spend: TokenAmount
    min_assets: Lamports

    def __post_init__(self) -> None:
        _positive("RequestUnstake", spend=self.spend, min_assets=self.min_assets)


@dataclass(frozen=True, slots=True)
class ClaimUnstake:
    """Collect a ripe request, for at least ``min_receive``."""

    ticket: TicketId
    min_receive: Lamports

    def __post_init__(self) -> None:
        _positive("ClaimUnstake", min_receive=self.min_receive)


@dataclass(frozen=True, slots=True)
class CancelUnstake:
    """Take a request back out of the queue, for at least ``min_receive`` glowSOL (the fee is kept by the protocol)."""

    ticket: TicketId
    min_receive: TokenAmount

    def __post_init__(self) -> None:
        _positive("CancelUnstake", min_receive=self.min_receive)


@dataclass(frozen=True, slots=True)
class Deposit:
    """Put ``amount`` into the margin account as collateral. ``market`` is a ``Collateral.market`` of the View. SOL means
    native SOL."""

    market: str
    amount: TokenAmount

    def __post_init__(self) -> None:
        _positive("Deposit", amount=self.amount)


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take exactly ``amount`` of collateral out of the margin account. SOL arrives as native SOL."""

    market: str
    amount: TokenAmount

    def __post_init__(self) -> None:
        _positive("Withdraw", amount=self.amount)


@dataclass(frozen=True, slots=True)
class Borrow:
    """Borrow exactly ``amount`` from the lending pool ``market`` (a ``LendingMarket.address``). SOL arrives as native SOL."""

    market: str
    amount: TokenAmount

    def __post_init__(self) -> None:
        _positive("Borrow", amount=self.amount)


@dataclass(frozen=True, slots=True)
class Repay:
    """Pay debt back to the lending pool ``market``: exactly ``amount``, or with ``whole`` all that is owed, which may be
    ``amount`` at most (interest grows until it lands). SOL is paid from native SOL."""

    market: str
    amount: TokenAmount
    whole: bool = False

    def __post_init__(self) -> None:
        _positive("Repay", amount=self.amount)


@dataclass(frozen=True, slots=True)
class Wrap:
    """Turn native lamports into wrapped SOL."""

    amount: Lamports

    def __post_init__(self) -> None:
        _positive("Wrap", amount=self.amount)


@dataclass(frozen=True, slots=True)
class Unwrap:
    """Close the wrapped-SOL account: at least ``min_receive`` lamports come back as native SOL."""

    min_receive: Lamports

    def __post_init__(self) -> None:
        _positive("Unwrap", min_receive=self.min_receive)


Intent: TypeAlias = (
    Swap
    | Stake
    | Unstake
    | RequestUnstake
    | ClaimUnstake
    | CancelUnstake
    | Deposit
    | Withdraw
    | Borrow
    | Repay
    | Wrap
    | Unwrap
)


@dataclass(frozen=True, slots=True)
class Atomic:
    """Intents that land together in one transaction or not at all.

    ``min_health``: what the margin account's health must be at least after the step (``MarginAccount.health``, by the worse of
    position and configuration), or None where the step does not care. Held against the simulation, exactly.
    """

    intents: tuple[Intent, ...]
    min_health: Bps | None = None

    def __post_init__(self) -> None:
        if not self.intents:
            raise UnitError("an Atomic needs at least one intent")


@dataclass(frozen=True, slots=True)
class Expected:
    """What a plan should bring if its bounds are just met.

    ``profit`` after all ``costs`` (fees, rent that does not come back, the cost of waiting); ``edge`` is profit over
    ``capital``; ``ripens`` is how long the capital is bound. ``min_sol_change`` is the least that the wallet's native SOL
    may change by over the whole plan, negative when it may fall: the firewall's bound, fees and rent included.
    """

    profit: Lamports
    costs: Lamports
    edge: Bps
    capital: Lamports
    ripens: Duration
    min_sol_change: Lamports


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, why, and what it should bring. Each element of ``steps`` is one transaction, in order.

    ``protects``: the plan averts harm (a liquidation, a loss that grows) and goes before every other strategy's.
    """

    steps: tuple[Atomic, ...]
    expected: Expected
    reason: str
    numbers: Numbers = field(default_factory=dict)
    protects: bool = False

    def __post_init__(self) -> None:
        if not self.steps:
            raise UnitError("a Plan without steps is a Hold; answer with Hold(reason, numbers)")
        _check_code("Plan", self.reason)
        object.__setattr__(self, "numbers", MappingProxyType(dict(self.numbers)))

    @property
    def resting_name(self) -> str:
        """See ``resting_name``."""
        intents = (intent for step in self.steps for intent in step.intents)
        tickets = (one.ticket for one in intents if isinstance(one, ClaimUnstake | CancelUnstake))
        return resting_name(self.reason, next(tickets, None))


def resting_name(reason: str, ticket: TicketId | None = None) -> str:
    """What a plan is called while it rests (``View.cooling``): its reason, and for a request in the queue also its index, so
    that one that cannot be claimed does not stand before the others."""
    if ticket is None:
        return reason
    return f"{reason}:{ticket.index}" if ticket.way == "glowsol" else f"{reason}:{ticket.way}:{ticket.index}"


@dataclass(frozen=True, slots=True)
class Hold:
    """Do nothing, and why: a reason code (snake_case, from a small fixed set: it becomes a metric label) and its numbers."""

    reason: str
    numbers: Numbers = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_code("Hold", self.reason)
        object.__setattr__(self, "numbers", MappingProxyType(dict(self.numbers)))


Decision: TypeAlias = Plan | Hold


def _check_code(owner: str, reason: str) -> None:
    if not _CODE.match(reason):
        raise UnitError(f"{owner}.reason must be a code such as 'edge_below_minimum', got {reason!r}")
