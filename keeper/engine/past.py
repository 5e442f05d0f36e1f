"""What the keeper saw before: rates by epoch and what borrowing cost, sampled from its own views and kept in the journal.

The journal is written only when there is something new: once an epoch, once an hour for each lending pool, and when a borrow
rate moves much. Reading is done once, at the start.
"""

from __future__ import annotations

from dataclasses import dataclass

from keeper.journal.journal import Journal
from keeper.journal.records import Leadership, Standing
from keeper.lending import LendingMarket
from keeper.past import BorrowSample, EpochRates, Past
from keeper.units import SSOL, Duration, UnixTime
from keeper.view import UNKNOWN_TIME, View

EPOCHS = 90
"""How many epochs a strategy sees: half a year of mainnet's."""
KEPT = Duration(60 * 86_400)
"""How long borrow samples are kept."""
USUAL_SPACING = Duration(3_600)
LEAST_SPACING = Duration(60)
BIG_CHANGE = 5_000_000
"""In billionths per year, half a percent: such a change, where it is also a tenth of the rate, is sampled at once."""


@dataclass(frozen=True, slots=True)
class News:
    """What a view adds to what is known."""

    rates: EpochRates | None
    borrows: tuple[BorrowSample, ...]

    def __bool__(self) -> bool:
        return self.rates is not None or bool(self.borrows)


class Hindsight:
    """What is remembered, by rising time."""

    def __init__(self, rates: tuple[EpochRates, ...] = (), borrows: tuple[BorrowSample, ...] = ()) -> None:
        self._rates = rates
        self._borrows = borrows

    @classmethod
    async def load(cls, journal: Journal) -> Hindsight:
        """Raises ``JournalError``."""
        return cls(await journal.epoch_rates(EPOCHS), await journal.borrow_samples())

    async def look(self, journal: Journal, held: Leadership, view: View) -> None:
        """Keep what ``view`` adds: written first, remembered then. Raises ``JournalError``, ``FencedOut``."""
        found = self.news(view)
        if not found:
            return
        oldest = UnixTime(view.block_time.value - KEPT.value)
        await journal.keep_samples(held, found.rates, found.borrows, forget_before=oldest)
        if found.rates is not None:
            self._rates = (*self._rates, found.rates)[-EPOCHS:]
        self._borrows = tuple(one for one in (*self._borrows, *found.borrows) if one.at >= oldest)

    @property
    def rates(self) -> tuple[EpochRates, ...]:
        """Of the newest epochs, by rising time."""
        return self._rates

    def news(self, view: View) -> News:
        """What ``view`` adds: nothing where it may not be acted on."""
        if not view.fresh.ok:
            return News(None, ())
        samples = (self._sample(market, view.block_time) for market in view.lending)
        return News(self._new_epoch(view), tuple(sample for sample in samples if sample is not None))

    def past(self, strategy: str, standing: Standing) -> Past:
        """As ``strategy`` may see it. An order is shown until it is cancelled, so that what is found later leaves, too."""
        order = standing.orders.get(strategy)
        return Past(
            rates=self._rates,
            borrows=self._borrows,
            last_landed=standing.landed.get(strategy),
            order="" if order is None else order.kind,
        )

    def _new_epoch(self, view: View) -> EpochRates | None:
        """The rates of an epoch, when it is seen for the first time after the stake pool's update."""
        pool, glow = view.pool(SSOL), view.glowsol
        if pool is None or not pool.current or pool.last_update_epoch != view.epoch:
            return None
        if self._rates and self._rates[-1].epoch >= view.epoch:
            return None
        glowsol = glow.rate if glow is not None and glow.outstanding else None
        return EpochRates(view.epoch, _began(view), pool.rate, glowsol)

    def _sample(self, market: LendingMarket, now: UnixTime) -> BorrowSample | None:
        """None where the rate is not known (interest too far behind) or says nothing new."""
        if "interest_behind" in (market.problem, market.exit_problem):
            return None
        sample = BorrowSample(now, market.address, market.borrow_rate())
        last = next((one for one in reversed(self._borrows) if one.market == market.address), None)
        if last is None:
            return sample
        waited, moved = now.elapsed(last.at), abs(sample.rate - last.rate)
        big = moved >= BIG_CHANGE and moved * 10 >= last.rate and waited >= LEAST_SPACING
        return sample if waited >= USUAL_SPACING or big else None


def _began(view: View) -> UnixTime:
    """When the epoch of ``view`` began. Rates move once an epoch, at its turn: a keeper that was down at the turn and dates the
    rate by its own first look would measure a growth of one epoch over another span, and a yield far too high after it."""
    if view.epoch_ends_at == UNKNOWN_TIME:
        return view.block_time
    return min(view.epoch_ends_at.after(Duration(-view.epoch_length.value)), view.block_time)
