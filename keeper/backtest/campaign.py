"""Many paths, and a report: how a strategy fares in a thousand markets that are worse than the usual one.

The strategy comes by its name from the installed ones; the keeper itself knows none.
"""

from __future__ import annotations

import gc
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from time import perf_counter

from keeper.backtest.journey import Journey, Tell, travel
from keeper.backtest.paths import DAY, SOL, draw
from keeper.strategy import Configured, configure
from keeper.units import Bps

LOOP = "loop"
CAPITAL = 103 * SOL
"""What a journey begins with: the loop's own equity by its defaults, the reserve for protection, gas and rents."""
WORST = 20
QUANTILES = (5, 25, 50, 75, 95)


@dataclass(frozen=True, slots=True)
class Campaign:
    """``days`` of each of ``paths`` seeds from ``seed`` on. ``params``: the strategy's table as in the configuration file.

    Raises ``ValueError`` for no paths."""

    paths: int
    days: int = 30
    seed: int = 0
    strategy: str = LOOP
    params: Mapping[str, object] = field(default_factory=dict)
    capital: int = CAPITAL

    def __post_init__(self) -> None:
        if self.paths < 1:
            raise ValueError(f"a campaign has one path at least, not {self.paths} paths")

    @property
    def seeds(self) -> range:
        return range(self.seed, self.seed + self.paths)

    def configured(self) -> Configured[object]:
        """Raises ``StrategyNotFound`` and ``ParameterError``."""
        return configure(self.strategy, self.params, f"strategies.{self.strategy}")

    def journey(self, seed: int, tell: Tell | None = None) -> Journey:
        """One path."""
        configured = self.configured()
        return travel(draw(seed, self.days), configured, capital=self.capital, floor=_floor(configured), tell=tell)

    def run(self, workers: int = 1) -> Iterator[Journey]:
        """Every journey as it ends, in the order of the seeds."""
        if workers <= 1:
            yield from map(self.journey, self.seeds)
            return
        with ProcessPoolExecutor(workers, initializer=gc.disable) as pool:
            # a worker's share is short, so that the report moves and no path waits long for another
            yield from pool.map(self.journey, self.seeds, chunksize=2)


def _floor(configured: Configured[object]) -> int:
    """The health that the strategy promises to keep, in bps; 0 where it has no such parameter."""
    promised = getattr(configured.params, "health_floor", Bps(0))
    return promised.value if isinstance(promised, Bps) else 0


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a campaign. Times in seconds."""

    campaign: Campaign
    journeys: tuple[Journey, ...]
    seconds: float

    @property
    def liquidated(self) -> list[Journey]:
        return [one for one in self.journeys if one.liquidated]

    @property
    def failed(self) -> list[Journey]:
        return [one for one in self.journeys if one.breaches]

    @property
    def ok(self) -> bool:
        return not self.failed and len(self.journeys) == self.campaign.paths

    def lines(self) -> Iterator[str]:
        """For a person."""
        ways = self.journeys
        if not ways:
            yield "no path was run"
            return
        days = sum(one.lasted for one in ways) / DAY
        indebted = [one for one in ways if one.deepest_debt]
        yield (
            f"{len(ways)} paths of {self.campaign.days} days from seed {self.campaign.seed}, strategy {self.campaign.strategy}, "
            f"{days:.0f} days in {self.seconds:.0f} s"
        )
        yield f"liquidated            {len(self.liquidated)}"
        yield f"paths with a breach   {len(self.failed)}"
        yield f"minimum health        {min(one.lowest for one in ways) / 100:.2f} %"
        yield f"paths in debt         {len(indebted)}, levered {sum(one.levered for one in ways) / DAY / days:.1%} of the time"
        nets = sorted(one.net for one in ways)
        quantiles = ", ".join(f"{share} %: {nets[(len(nets) - 1) * share // 100]:+.2%}" for share in QUANTILES)
        yield f"net APY               mean {sum(nets) / len(nets):+.2%}; {quantiles}"
        deepest = max(ways, key=lambda one: one.drawdown / one.opening)
        yield f"worst drawdown        {deepest.drawdown / deepest.opening:.2%} (seed {deepest.seed})"
        ordered = [one for one in ways if one.ordered]
        yield f"ordered to unwind     {len(ordered)}, done {sum(one.unwound for one in ordered)}"
        yield f"landed                {_counts(one.reasons for one in ways)}"
        yield f"missed                {_counts(one.missed for one in ways)}"
        yield f"held                  {_counts(one.holds for one in ways)}"
        yield f"denied by risk        {_counts(one.denied for one in ways)}"
        for one in self.failed[:WORST]:
            yield f"seed {one.seed}: {one.breaches[0]}" + (
                f" (and {len(one.breaches) - 1} more)" * (len(one.breaches) > 1)
            )
            yield f"    {self.replay(one.seed)}"
        if len(self.failed) > WORST:
            rest = " ".join(str(one.seed) for one in self.failed[WORST:])
            yield f"and seeds {rest}"

    def replay(self, seed: int) -> str:
        """The command that tells one path line by line."""
        given = self.campaign
        words = ["keeper", "campaign", "--days", str(given.days), "--replay", str(seed)]
        words += ["--strategy", given.strategy] if given.strategy != LOOP else []
        for name, value in given.params.items():
            words += ["--set", f"{name}={value}"]
        return shlex.join(words)


def _counts(counters: Iterator[Counter[str]]) -> str:
    total: Counter[str] = Counter()
    for one in counters:
        total.update(one)
    return ", ".join(f"{name} {count}" for name, count in total.most_common(14)) or "nothing"


def run_campaign(campaign: Campaign, *, workers: int = 1, tell: Tell | None = None) -> Report:
    """All of it. ``tell`` hears of the progress, every fiftieth path."""
    began, journeys = perf_counter(), []
    for journey in campaign.run(workers):
        journeys.append(journey)
        if tell is not None and len(journeys) % 50 == 0:
            failed = sum(bool(one.breaches) for one in journeys)
            tell(f"{len(journeys)} of {campaign.paths} paths, {failed} with a breach, {perf_counter() - began:.0f} s")
    return Report(campaign, tuple(journeys), perf_counter() - began)


def replay(campaign: Campaign, seed: int, tell: Tell) -> Journey:
    """One path, told line by line: what befalls the market, and everything that is done."""
    tell(str(draw(seed, campaign.days)))
    return campaign.journey(seed, tell)
