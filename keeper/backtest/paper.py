"""The market on paper around one wallet: a path's moment with what we hold in it, and the View that the keeper would see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from keeper.backtest.dex import Dex
from keeper.backtest.ground import GLOWSOL, OWNER, RENT, addresses
from keeper.backtest.lender import Lender
from keeper.backtest.paths import EPOCH, RATE_UNIT, SOL, START, Moment, Path
from keeper.chain.accounts import AccountSnapshot
from keeper.engine.past import Hindsight
from keeper.observe import lending
from keeper.observe.freshness import Accepted, FreshnessRules, Reading, judge
from keeper.past import EpochRates, Past
from keeper.plan import TicketId
from keeper.strategy import LadderNeed
from keeper.units import (
    BPS,
    SSOL,
    Bps,
    Duration,
    Epoch,
    Lamports,
    MicroLamports,
    Mint,
    Rate,
    Slot,
    TokenAmount,
    UnixTime,
)
from keeper.view import Fees, GlowSol, StakePool, Ticket, View, Wallet

GAS_RESERVE, PROTECTION = Lamports(SOL // 10), Lamports(2 * SOL)
FEES = Fees(Lamports(5_000), MicroLamports(50_000), RENT, Lamports(3_000_000))
WAIT = Duration(604_800)
STAKE_RENT = Lamports(2_282_880)
PLACES = 8
WITHDRAWAL_FEE = 8
"""Bps of the stake pool on what leaves it (Solayer's published one)."""
SLOTS_PER_SECOND = 2
ISSUED = 50_000 * SOL
RULES = FreshnessRules(25, 20.0, Bps(20), Bps(1), 150)
"""As the shipped configuration has them."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request on its way out. ``shares`` of ``mint`` were given for ``assets`` lamports, rent included."""

    id: TicketId
    mint: Mint
    shares: int
    assets: int
    ripe_at: int
    epoch: int

    def ready(self, moment: Moment) -> bool:
        return moment.epoch > self.epoch if self.id.way == "stake" else moment.at >= self.ripe_at


@dataclass(slots=True)
class Paper:
    """``lamports`` and ``tokens`` are the wallet's; a mint in ``tokens`` has an account there. ``bound``: rent that does not come
    back by itself."""

    path: Path
    moment: Moment
    lender: Lender
    dex: Dex
    lamports: int
    tokens: dict[Mint, int] = field(default_factory=dict)
    queue: tuple[Waiting, ...] = ()
    queue_opened: bool = False
    past: Past = field(default_factory=Past)
    accepted: Accepted | None = None

    @classmethod
    def open(cls, path: Path, lamports: int) -> Paper:
        """At the path's beginning, with that much SOL and what the keeper would remember of the epochs before."""
        moment = path.moment(START)
        lender = Lender.open(moment.at, risky=path.climate.risky_curve, utilisation=moment.utilisation)
        lender.advance(moment)
        rates = tuple(
            EpochRates(Epoch(one.number), UnixTime(one.updated), _rate(one.ssol), _rate(one.glowsol))
            for one in path.remembered()
        )
        return cls(path, moment, lender, Dex(moment), lamports, past=Past(rates))

    def advance(self, at: int) -> None:
        """The world moves to ``at``."""
        self.moment = self.path.moment(at)
        self.lender.advance(self.moment)
        self.dex.advance(self.moment)

    def copy(self) -> Paper:
        return replace(self, lender=self.lender.copy(), dex=replace(self.dex), tokens=dict(self.tokens))

    # what it is worth

    def rate(self, mint: Mint) -> int:
        return self.moment.ssol if mint == SSOL else self.moment.glowsol

    def worth(self, mint: Mint, units: int) -> int:
        """Lamports by the redemption rate, rounded down."""
        return units * self.rate(mint) // RATE_UNIT

    def holding(self, mint: Mint) -> int:
        return self.tokens.get(mint, 0) + self.lender.held(mint)

    @property
    def value(self) -> int:
        """Lamports of all that is ours, by redemption rates, debts taken off."""
        staked = sum(self.worth(mint, self.holding(mint)) for mint in (GLOWSOL, SSOL))
        return self.lamports + staked + sum(one.assets for one in self.queue) - self.lender.owed

    # what the keeper sees

    @property
    def stake_pool(self) -> StakePool:
        here = self.moment
        fee = BPS - WITHDRAWAL_FEE
        taken = sum(1 for one in self.queue if one.id.way == "stake")
        return StakePool(
            mint=SSOL,
            rate=_rate(here.ssol),
            instant_rate=Rate(here.ssol * fee, RATE_UNIT * BPS),
            reserve=Lamports(here.reserve),
            current=here.current,
            last_update_epoch=Epoch(here.updated_epoch),
            stake_rate=Rate(here.ssol * fee, RATE_UNIT * BPS),
            stake_rent=STAKE_RENT,
            stake_places_free=PLACES - taken,
            last_epoch_rate=_rate(here.last_epoch_ssol),
        )

    @property
    def glowsol(self) -> GlowSol:
        here = self.moment
        taken = sum(1 for one in self.queue if one.id.way == "glowsol")
        return GlowSol(
            mint=GLOWSOL,
            total_assets=Lamports(here.glowsol * (ISSUED // SOL) // (RATE_UNIT // SOL)),
            outstanding=TokenAmount(GLOWSOL, ISSUED),
            paused=here.lrt_paused,
            deposit_room=Lamports(10_000 * SOL),
            waiting_period=WAIT,
            cancel_fee=Bps(10),
            liquid=Lamports(here.liquid),
            queue_open=self.queue_opened,
            queue_slots_free=PLACES - taken,
        )

    def view(self, needs: Sequence[LadderNeed], cooling: tuple[str, ...]) -> View:
        """By the keeper's own reading of the accounts; what it adds to the past is remembered."""
        here = self.moment
        slot, now = Slot(here.at * SLOTS_PER_SECOND), UnixTime(here.at)
        seen = lending.look(AccountSnapshot(slot, self.lender.accounts(), slot), addresses(), now)
        pool, glowsol = self.stake_pool, self.glowsol
        reading = Reading(slot, slot, slot, 0.0, Epoch(here.epoch), glowsol.rate)
        fresh = judge(reading, self.accepted, RULES, ())
        if fresh.ok and (self.accepted is None or self.accepted.rate <= glowsol.rate):
            self.accepted = Accepted(Epoch(here.epoch), glowsol.rate)
        view = View(
            slot=slot,
            block_time=now,
            epoch=Epoch(here.epoch),
            fresh=fresh,
            glowsol=glowsol,
            pools=(pool,),
            quotes=self.dex.ladders(needs, slot),
            lending=seen.markets,
            wallet=Wallet(
                str(OWNER),
                Lamports(self.lamports),
                GAS_RESERVE,
                tuple(TokenAmount(mint, units) for mint, units in self.tokens.items()),
                PROTECTION,
            ),
            queue=tuple(self._ticket(one) for one in self.queue),
            fees=FEES,
            cooling=cooling,
            margin=seen.margin,
            epoch_length=Duration(EPOCH),
            epoch_ends_at=UnixTime(here.epoch_started + EPOCH),
        )
        news = Hindsight(self.past.rates, self.past.borrows).news(view)
        self.past = replace(
            self.past,
            rates=(*self.past.rates, *(() if news.rates is None else (news.rates,))),
            borrows=(*self.past.borrows, *news.borrows),
        )
        return replace(view, past=self.past)

    def _ticket(self, one: Waiting) -> Ticket:
        shares = TokenAmount(one.mint, one.shares)
        return Ticket(one.id, shares, Lamports(one.assets), UnixTime(one.ripe_at), one.ready(self.moment))


def _rate(scaled: int) -> Rate:
    return Rate(scaled, RATE_UNIT)
