"""What a strategy sees: the market and the wallet at one slot stamp, as frozen values.

A part that could not be read is ``None`` and its ``Freshness`` says why; a strategy that needs it answers with a Hold.
"""

from __future__ import annotations

from dataclasses import dataclass

from keeper.lending import LendingMarket, MarginAccount
from keeper.past import NO_PAST, Past
from keeper.plan import TicketId, resting_name
from keeper.units import (
    Bps,
    ComputeUnits,
    Duration,
    Epoch,
    Lamports,
    MicroLamports,
    Mint,
    Rate,
    Slot,
    TokenAmount,
    UnitError,
    UnixTime,
)

NOTHING = Lamports(0)
RATE_FELL = "redemption_rate_fell"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a part of the View came from. ``slot`` and ``age_slots`` are None where it could not be read at all."""

    name: str
    slot: Slot | None
    age_slots: int | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Freshness:
    """Whether the View may be acted on. ``problem`` is empty when it may, else a reason code; ``sources`` says what was read
    and how old it is, ``measured`` names the numbers that the problem was judged by."""

    problem: str
    sources: tuple[Source, ...]
    measured: tuple[tuple[str, int | str], ...] = ()

    @property
    def ok(self) -> bool:
        return not self.problem

    def allows(self, *, leaving: bool) -> bool:
        """Whether a plan may be acted on. A view that is good but for a redemption rate that fell still shows what is owed and
        held, and leaving is the answer to such a fall."""
        return self.ok or (leaving and self.problem == RATE_FELL)

    @property
    def numbers(self) -> dict[str, int | str]:
        """For the Hold of a View that may not be acted on: what was measured, and the age in slots of each source."""
        ages = {f"{one.name} age_slots": one.age_slots for one in self.sources if one.age_slots is not None}
        return {**ages, **dict(self.measured)}


@dataclass(frozen=True, slots=True)
class GlowSol:
    """The liquid restaking program, exactly as its accounts say.

    One glowSOL base unit redeems for ``total_assets / outstanding`` lamports (floor), after ``waiting_period`` in the queue.
    ``deposit_room`` is what the cap still takes; ``liquid`` what claims can be paid from now, above the pool's floor.
    """

    mint: Mint
    total_assets: Lamports
    outstanding: TokenAmount
    paused: bool
    deposit_room: Lamports
    waiting_period: Duration
    cancel_fee: Bps
    liquid: Lamports
    queue_open: bool
    queue_slots_free: int

    @property
    def rate(self) -> Rate:
        """Lamports per base unit of glowSOL. Raises ``UnitError`` when nothing is outstanding."""
        return Rate(self.total_assets.value, self.outstanding.units)


@dataclass(frozen=True, slots=True)
class StakePool:
    """Solayer's stake pool, which sSOL wraps one to one.

    ``rate`` is gross; ``instant_rate`` is what an immediate withdrawal pays per unit after its fee, up to ``reserve``.
    ``current`` is False between an epoch's turn and the pool's update: deposits and withdrawals then fail (error 17).
    ``stake_rate`` is what WithdrawStake pays per unit after its fee, at the epoch's end, None where it is closed;
    ``stake_rent`` is bound in the stake account until then. ``last_epoch_rate`` is the gross rate at the end of the epoch
    before.
    """

    mint: Mint
    rate: Rate
    instant_rate: Rate
    reserve: Lamports
    current: bool
    last_update_epoch: Epoch
    stake_rate: Rate | None = None
    stake_rent: Lamports = Lamports(0)
    stake_places_free: int = 0
    last_epoch_rate: Rate | None = None


@dataclass(frozen=True, slots=True)
class Rung:
    """One quoted size: sell exactly ``sell``, expect ``receive``, and never less than ``min_receive`` on chain."""

    sell: TokenAmount
    receive: TokenAmount
    min_receive: TokenAmount
    venue: str


@dataclass(frozen=True, slots=True)
class Ladder:
    """The depth of one direction: rungs by rising size. Empty where no venue has a route.

    ``slot`` is a lower bound: the newest one that was known when the first quote was asked for. Accounts are read after quotes.
    """

    sell: Mint
    buy: Mint
    rungs: tuple[Rung, ...]
    slot: Slot

    def __post_init__(self) -> None:
        sizes = [rung.sell for rung in self.rungs]
        if sizes != sorted(sizes):
            raise UnitError(f"ladder {self.sell}/{self.buy} is not sorted by size")

    def at(self, size: TokenAmount) -> Rung | None:
        """What selling ``size`` brings: interpolated between rungs, rounded down; None outside the quoted range.

        A pool's output is concave in its input, so the straight line between two quotes never promises too much.
        """
        for lower, upper in zip(self.rungs, self.rungs[1:], strict=False):
            if lower.sell <= size <= upper.sell:
                return _between(lower, upper, size)
        return next((rung for rung in self.rungs if rung.sell == size), None)


def _between(lower: Rung, upper: Rung, size: TokenAmount) -> Rung:
    span, step = (upper.sell - lower.sell).units, (size - lower.sell).units
    if span == 0:
        return lower

    def line(low: TokenAmount, high: TokenAmount) -> TokenAmount:
        return TokenAmount(low.mint, low.units + (high.units - low.units) * step // span)

    venue = lower.venue if step * 2 < span else upper.venue
    return Rung(size, line(lower.receive, upper.receive), line(lower.min_receive, upper.min_receive), venue)


@dataclass(frozen=True, slots=True)
class Wallet:
    """What the keeper owns outright, or what of it the allocator lets this strategy see. ``gas_reserve`` is never spent by a
    plan; ``protection`` is kept back, too, and only for plans that protect (``Plan.protects``)."""

    owner: str
    lamports: Lamports
    gas_reserve: Lamports
    tokens: tuple[TokenAmount, ...]
    protection: Lamports = NOTHING

    @property
    def spendable(self) -> Lamports:
        """Native SOL above the gas reserve and the reserve for protection; never negative."""
        return max(self.lamports - self.gas_reserve - self.protection, Lamports(0))

    @property
    def protecting(self) -> Lamports:
        """Native SOL above the gas reserve: what a plan that protects may spend; never negative."""
        return max(self.lamports - self.gas_reserve, Lamports(0))

    def token(self, mint: Mint) -> TokenAmount:
        """The balance of ``mint``, zero where the wallet has no account for it."""
        return next((amount for amount in self.tokens if amount.mint == mint), TokenAmount(mint, 0))

    def has_account(self, mint: Mint) -> bool:
        """Whether a token account for ``mint`` exists, so that receiving it costs no rent."""
        return any(amount.mint == mint for amount in self.tokens)


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request on its way out. ``assets`` were fixed when it was made (of a stake account: all that it will pay, its rent
    too). ``ripe_at`` is exact for glowSOL's queue and an estimate for a stake account, which ripens at an epoch's end;
    ``ready`` says that the chain would pay now. ``shares`` are the tokens that were given up for it, in base units of their
    mint."""

    id: TicketId
    shares: TokenAmount
    assets: Lamports
    ripe_at: UnixTime
    ready: bool = False

    def ripe(self, now: UnixTime) -> bool:
        return self.ready if self.id.way == "stake" else now >= self.ripe_at


@dataclass(frozen=True, slots=True)
class Fees:
    """What landing a transaction costs now. ``token_account_rent`` comes back only when the account is closed."""

    signature: Lamports
    unit_price: MicroLamports
    token_account_rent: Lamports
    queue_account_rent: Lamports

    def transaction(self, limit: ComputeUnits) -> Lamports:
        """Fee of a one-signature transaction with compute-unit ``limit``."""
        return self.signature + limit.priority_fee(self.unit_price)


USUAL_EPOCH = Duration(172_800)
UNKNOWN_TIME = UnixTime(0)

__all__ = [
    "Fees",
    "Freshness",
    "GlowSol",
    "Ladder",
    "LendingMarket",
    "MarginAccount",
    "Past",
    "Rung",
    "Source",
    "StakePool",
    "Ticket",
    "View",
    "Wallet",
]


@dataclass(frozen=True, slots=True)
class View:
    """The world at ``slot``. ``glowsol`` is None in the mode without access to the restaking program, ``margin`` where no
    lending is configured or the wallet has no margin account yet; ``lending`` are the pools that are configured.

    ``epoch_length`` and ``epoch_ends_at`` are estimates from the chain's own clock. ``past`` is what the journal remembers.

    ``cooling`` names the strategy's own plans (``Plan.resting_name``) that failed again and again lately: it should leave them
    out (``rests``), so that its next best plan gets its turn. The engine refuses them anyhow, until they have cooled down.
    """

    slot: Slot
    block_time: UnixTime
    epoch: Epoch
    fresh: Freshness
    glowsol: GlowSol | None
    pools: tuple[StakePool, ...]
    quotes: tuple[Ladder, ...]
    lending: tuple[LendingMarket, ...]
    wallet: Wallet
    queue: tuple[Ticket, ...]
    fees: Fees
    cooling: tuple[str, ...] = ()
    margin: MarginAccount | None = None
    past: Past = NO_PAST
    epoch_length: Duration = USUAL_EPOCH
    epoch_ends_at: UnixTime = UNKNOWN_TIME

    def rests(self, reason: str, ticket: TicketId | None = None) -> bool:
        """Whether a plan of this reason (and, for a claim or a cancellation, of this request) is to be left alone now."""
        return resting_name(reason, ticket) in self.cooling

    def ladder(self, sell: Mint, buy: Mint) -> Ladder | None:
        """The depth ladder of a direction, or None where it was not asked for or no quote came."""
        return next((ladder for ladder in self.quotes if ladder.sell == sell and ladder.buy == buy), None)

    def market(self, mint: Mint) -> LendingMarket | None:
        """The lending pool of ``mint``."""
        return next((market for market in self.lending if market.mint == mint), None)

    def pool(self, mint: Mint) -> StakePool | None:
        """The stake pool behind ``mint``."""
        return next((pool for pool in self.pools if pool.mint == mint), None)
