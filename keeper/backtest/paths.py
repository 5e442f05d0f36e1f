"""Seeded market paths: what happens to rates, prices, liquidity and the lending pool over some weeks.

A path is a function of time, drawn once from its seed: noise with a knot every hour, epochs with their yields, and *spells*, each
with a beginning, a ramp, a hold and a way back. Every path of a campaign holds a depeg of 15 % within one hour and a spell of
borrow rates at the curve's top; what else befalls it, and whether it all comes at once, is drawn. The market's noise is made of
floats; what a path says is integers.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

START = 1_790_000_000
MINUTE, HOUR, DAY = 60, 3_600, 86_400
YEAR = 365 * DAY
EPOCH = 172_800
FIRST_EPOCH = 900
HISTORY = 6
"""Epochs before the path begins, which the keeper remembers."""
PPM = 1_000_000
RATE_UNIT = 10**12
"""Redemption rates are lamports for this many base units."""
SOL = 10**9
DEPEG = 150_000
"""How deep a depeg goes, in millionths."""

DEPEG_SPELL, TOP_RATES, DRY_DEX, EMPTY_RESERVE, LRT_PAUSED, POOL_PAUSED, STALE_ORACLE, DRIFT, NO_CLAIMS = (
    "depeg",
    "top_rates",
    "dry_dex",
    "empty_reserve",
    "lrt_paused",
    "lending_paused",
    "stale_oracle",
    "weight_drift",
    "claims_unpaid",
)


@dataclass(frozen=True, slots=True)
class Spell:
    """Something that befalls the market from ``start`` on: full after ``ramp``, for ``hold``, gone after ``back`` (seconds; None:
    it stays). ``size`` is what it is about: millionths of a price, bps of utilisation, hundredths of weight."""

    kind: str
    start: int
    ramp: int
    hold: int
    back: int | None
    size: int

    def level(self, at: int) -> int:
        """How far it is there, in millionths of its full size."""
        since = at - self.start
        if since < 0:
            return 0
        if since < self.ramp:
            return PPM * since // self.ramp
        past = since - self.ramp - self.hold
        if past < 0 or self.back is None:
            return PPM
        return PPM - PPM * past // self.back if past < self.back else 0

    def share(self, at: int) -> int:
        """``size`` as far as it is there."""
        return self.size * self.level(at) // PPM

    @property
    def turns(self) -> tuple[int, ...]:
        """When it changes its course."""
        full = self.start + self.ramp
        return (self.start, full, full + self.hold, *(() if self.back is None else (full + self.hold + self.back,)))

    def __str__(self) -> str:
        day = (self.start - START) / DAY
        back = "for good" if self.back is None else f"back in {self.back / HOUR:.1f} h"
        spans = f"within {self.ramp / MINUTE:.0f} min, holds {self.hold / HOUR:.1f} h, {back}"
        return f"day {day:5.2f}  {self.kind:<14} {self.size:>7}  {spans}"


@dataclass(frozen=True, slots=True)
class EpochTurn:
    """One epoch: it starts ``at``, the stake pool is updated at ``updated``, and from then on the rates are these."""

    number: int
    at: int
    updated: int
    ssol: int
    glowsol: int


@dataclass(frozen=True, slots=True)
class Moment:
    """The market at one moment. Rates: lamports for ``RATE_UNIT`` base units. ``dex`` and ``oracle``: what the DEX trades at and
    what the lending market's oracle says, in millionths of the redemption value. ``depth``: lamports of each side of the
    DEX's curve; ``stock``: how many of them can really be had. ``utilisation``: of the lending pool, bps. ``weight``: of
    the collateral by the configuration, ``position_weight`` as the position has it, hundredths."""

    at: int
    epoch: int
    epoch_started: int
    current: bool
    updated_epoch: int
    ssol: int
    glowsol: int
    last_epoch_ssol: int
    dex: int
    oracle: int
    depth: int
    stock: int
    reserve: int
    utilisation: int
    weight: int
    position_weight: int
    lrt_paused: bool
    lending_paused: bool
    oracle_stale: bool
    liquid: int


@dataclass(frozen=True, slots=True)
class Climate:
    """What stays the same over a path: its kind of pool curve, its means, and how its oracle values glowSOL."""

    risky_curve: bool
    market_oracle: bool
    utilisation: int
    depth: int
    stock: int
    reserve: int
    failure: int
    """Share of sent transactions that do not land, in millionths."""


@dataclass(frozen=True, slots=True)
class Path:
    """One market path. ``price_noise`` (millionths) and ``utilisation_noise`` (bps) have a knot every hour.

    ``unwind_at``: when the operator orders the strategy out, None for never."""

    seed: int
    days: int
    climate: Climate
    epochs: tuple[EpochTurn, ...]
    spells: tuple[Spell, ...]
    price_noise: tuple[int, ...]
    utilisation_noise: tuple[int, ...]
    turns: tuple[int, ...]
    unwind_at: int | None = None

    @property
    def end(self) -> int:
        return START + self.days * DAY

    def epoch(self, at: int) -> int:
        """The place in ``epochs`` of the one that runs."""
        return bisect_right(self.epochs, at, key=lambda one: one.at) - 1

    def moment(self, at: int) -> Moment:
        place, climate = self.epoch(at), self.climate
        running = self.epochs[place]
        current = at >= running.updated
        rates = running if current else self.epochs[place - 1]
        before = self.epochs[place - 1] if current else self.epochs[place - 2]
        depeg = self._worst(DEPEG_SPELL, at)
        dry = PPM - self._worst(DRY_DEX, at)
        # whoever provides liquidity takes most of it away in a depeg
        thin = PPM - min(depeg * 5, 900_000)
        dex = PPM - depeg + self._noise(self.price_noise, at)
        top = self._worst(TOP_RATES, at)
        calm = min(max(climate.utilisation + self._noise(self.utilisation_noise, at), 1_000), 9_400)
        drift = [one for one in self.spells if one.kind == DRIFT]
        return Moment(
            at=at,
            epoch=running.number,
            epoch_started=running.at,
            current=current,
            updated_epoch=rates.number,
            ssol=rates.ssol,
            glowsol=rates.glowsol,
            last_epoch_ssol=before.ssol,
            dex=dex,
            oracle=min(dex, PPM) if climate.market_oracle else PPM,
            depth=climate.depth * thin // PPM * dry // PPM,
            stock=climate.stock * thin // PPM * dry // PPM,
            reserve=climate.reserve * (PPM - self._worst(EMPTY_RESERVE, at)) // PPM,
            utilisation=max(calm, top),
            weight=95 - sum(one.size for one in drift if at >= one.start),
            position_weight=95 - sum(one.size for one in drift if at >= one.start + one.hold),
            lrt_paused=self._on(LRT_PAUSED, at),
            lending_paused=self._on(POOL_PAUSED, at),
            oracle_stale=self._on(STALE_ORACLE, at),
            liquid=0 if self._on(NO_CLAIMS, at) else 5_000 * SOL,
        )

    def restless(self, at: int) -> bool:
        """Whether prices move too fast to look at only once an hour."""
        falls = (one for one in self.spells if one.kind == DEPEG_SPELL)
        return any(one.start <= at < one.start + one.ramp + 15 * MINUTE for one in falls)

    def following(self, at: int) -> int:
        """When to look next, where nothing else asks for it."""
        if self.restless(at):
            return min(at + MINUTE, self.end)
        turn = bisect_right(self.turns, at)
        return min(at + HOUR, self.end, *self.turns[turn : turn + 1])

    def remembered(self) -> tuple[EpochTurn, ...]:
        """The epochs before the path begins."""
        return self.epochs[1 : HISTORY + 1]

    def __str__(self) -> str:
        climate = self.climate
        oracle = "the market" if climate.market_oracle else "redemption"
        curve = "0.5-6-160-200 %" if climate.risky_curve else "1-15-150-200 %"
        first, last = self.epochs[HISTORY], self.epochs[self.epoch(self.end)]
        grown = (last.ssol - first.ssol) / first.ssol * YEAR / max(last.at - first.at, 1)
        lines = [
            f"seed {self.seed}: {self.days} days, oracle by {oracle}, pool curve {curve}, staking {grown:.2%} a year, "
            f"utilisation around {climate.utilisation} bps, DEX with {climate.stock // SOL} SOL, "
            f"{climate.failure / PPM:.0%} of transactions fail",
            *(str(one) for one in self.spells),
        ]
        if self.unwind_at is not None:
            lines.append(f"day {(self.unwind_at - START) / DAY:5.2f}  ordered to unwind")
        return "\n".join(lines)

    def _worst(self, kind: str, at: int) -> int:
        return max((one.share(at) for one in self.spells if one.kind == kind), default=0)

    def _on(self, kind: str, at: int) -> bool:
        return any(one.kind == kind and one.level(at) for one in self.spells)

    def _noise(self, knots: tuple[int, ...], at: int) -> int:
        hour, rest = divmod(at - START, HOUR)
        low, high = knots[hour], knots[min(hour + 1, len(knots) - 1)]
        return low + (high - low) * rest // HOUR


def draw(seed: int, days: int) -> Path:
    """The path of ``seed``. Raises ``ValueError`` for less than a week: its spells need that long."""
    if days < 7:
        raise ValueError(f"a path takes 7 days at least, not {days}")
    random = Random(f"path {seed}")  # noqa: S311 - seeded market noise is not cryptography
    climate = Climate(
        risky_curve=random.random() < 0.8,
        market_oracle=random.random() < 0.5,
        utilisation=random.randint(2_500, 8_300),
        depth=random.randint(20_000, 200_000) * SOL,
        stock=random.randint(200, 3_000) * SOL,
        reserve=random.randint(0, 3_000) * SOL,
        failure=random.choice((20_000, 100_000, 300_000)),
    )
    epochs = tuple(_epochs(random, days))
    spells = tuple(sorted(_spells(random, days), key=lambda one: one.start))
    prices = _wander(random, days, mean=-300, pull=0.04, step=random.uniform(60, 400))
    used = _wander(random, days, mean=0, pull=0.02, step=random.uniform(20, 150))
    turns = {turn for one in spells for turn in one.turns} | {turn for one in epochs for turn in (one.at, one.updated)}
    unwind_at = START + random.randint(days * DAY // 3, days * DAY * 2 // 3) if random.random() < 0.15 else None
    if unwind_at is not None:
        turns.add(unwind_at)
    return Path(seed, days, climate, epochs, spells, prices, used, tuple(sorted(turns)), unwind_at)


def _wander(random: Random, days: int, *, mean: float, pull: float, step: float) -> tuple[int, ...]:
    """Noise that is drawn back to its mean by ``pull`` an hour."""
    value, found = mean, []
    for _ in range(days * 24 + 2):
        value += pull * (mean - value) + random.gauss(0, step)
        found.append(round(value))
    return tuple(found)


def _epochs(random: Random, days: int) -> Iterator[EpochTurn]:
    """From before the remembered ones to the last; in every fifth path one of them is slashed and its rate falls."""
    yearly = random.uniform(0.05, 0.09)
    count = HISTORY + 1 + days * DAY // EPOCH + 3
    slashed = random.randint(HISTORY + 2, count - 2) if random.random() < 0.2 else None
    at = START - EPOCH * (HISTORY + 1) - random.randint(0, EPOCH - 1)
    ssol, glowsol = 1_160_000_000_000, 1_050_000_000_000
    for place in range(count + 1):
        grown = yearly * EPOCH / YEAR * random.uniform(0.85, 1.15)
        if place == slashed:
            grown = -random.choice((0.00005, 0.0005, 0.005, 0.02)) * random.uniform(0.5, 1.5)
        late = random.randint(2 * MINUTE, 40 * MINUTE) if random.random() < 0.85 else random.randint(HOUR, 12 * HOUR)
        ssol, glowsol = ssol + round(ssol * grown), glowsol + round(glowsol * grown)
        yield EpochTurn(FIRST_EPOCH - HISTORY + place, at, at + late, ssol, glowsol)
        at += EPOCH + random.randint(-1_800, 1_800)


def _spells(random: Random, days: int) -> Iterator[Spell]:
    """The depeg and the top rates that every path has, and others by chance; in two of five paths around the depeg."""
    crash = START + random.randint(2 * DAY, (days - 3) * DAY)
    together = random.random() < 0.4

    def begin() -> int:
        near = crash + random.randint(-12 * HOUR, 12 * HOUR)
        return max(near, START + DAY) if together else START + random.randint(DAY, (days - 1) * DAY)

    ramp, hold = random.randint(5, 60) * MINUTE, random.randint(0, 5 * DAY)
    recovery = random.choice((None, random.randint(HOUR, DAY), random.randint(DAY, 10 * DAY)))
    yield Spell(DEPEG_SPELL, crash, ramp, hold, recovery, DEPEG)
    weeks = random.choice((random.randint(6 * HOUR, 2 * DAY), random.randint(7 * DAY, 21 * DAY)))
    top = random.randint(9_700, 10_000) if random.random() < 0.5 else 10_000
    yield Spell(TOP_RATES, begin(), random.randint(MINUTE, 6 * HOUR), weeks, 6 * HOUR, top)
    chances = (
        (DRY_DEX, 0.35, PPM - random.choice((0, 5_000, 50_000)), (HOUR, 5 * DAY)),
        (EMPTY_RESERVE, 0.35, PPM, (HOUR, 10 * DAY)),
        (LRT_PAUSED, 0.3, 1, (HOUR, 5 * DAY)),
        (POOL_PAUSED, 0.3, 1, (MINUTE, DAY)),
        (STALE_ORACLE, 0.4, 1, (10 * MINUTE, 8 * HOUR)),
        (NO_CLAIMS, 0.25, 1, (HOUR, 7 * DAY)),
    )
    for kind, chance, size, (shortest, longest) in chances:
        if random.random() < chance:
            yield Spell(kind, begin(), MINUTE, random.randint(shortest, longest), MINUTE, size)
    if random.random() < 0.3:
        yield Spell(DRIFT, begin(), 0, random.randint(0, 2 * DAY), None, random.randint(1, 2))
