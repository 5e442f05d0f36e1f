"""Whether what was read may be acted on. Pure: every input is a number that was measured.

A node can answer every request and still be wrong: minutes behind, or frozen (facts, anchors.md 2.13). So the judgement is by
decision rule and not by an RPC flag: against the highest slot heard of from anyone, against our own clock, and against what the
redemption rate may do.
"""

from __future__ import annotations

from dataclasses import dataclass

from keeper.units import Bps, Epoch, Lamports, Rate, Slot
from keeper.view import RATE_FELL, Freshness, Source


@dataclass(frozen=True, slots=True)
class FreshnessRules:
    """``max_age_slots``: how far a read may lie behind the highest slot known. ``frozen_after``: seconds of our own clock in
    which the node's slot must move. ``max_rate_step``: the largest believable rise of the redemption rate in one epoch (the
    largest ever seen of Solayer's pool is 10.4 bps: facts, execution.md 8). ``max_rate_fall``: how far it may lie below the
    highest one ever believed (the restaking program pays the stake pool's withdrawal fee when it makes SOL liquid).
    ``max_quote_age_slots``: how much older than the accounts quotes may be. It is wide, because a plan of one request a second
    takes half a minute for a ladder, and because execution quotes again what it sends: an old quote costs a refusal."""

    max_age_slots: int
    frozen_after: float
    max_rate_step: Bps
    max_rate_fall: Bps
    max_quote_age_slots: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What one observation measured. ``seconds_since_progress``: how long the node's slot has stood still by our clock."""

    slot: Slot
    clock_slot: Slot
    highest_slot: Slot
    seconds_since_progress: float
    epoch: Epoch
    rate: Rate | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The highest rate that was believed, and in which epoch."""

    epoch: Epoch
    rate: Rate


def judge(reading: Reading, last: Accepted | None, rules: FreshnessRules, quotes: tuple[Source, ...]) -> Freshness:
    """The verdict, with the first rule that fails as its problem."""
    age = max(reading.highest_slot.since(reading.slot), 0)
    drift = abs(reading.slot.since(reading.clock_slot))
    sources = (Source("accounts", reading.slot, age), Source("clock", reading.clock_slot, drift), *quotes)
    problem = _problem(reading, last, rules, age, drift)
    return Freshness(problem, sources, _measured(reading, last, rules) if problem else ())


def _measured(reading: Reading, last: Accepted | None, rules: FreshnessRules) -> tuple[tuple[str, int | str], ...]:
    """What the rules looked at besides the ages of the sources, and the limits that they held it against."""
    found: list[tuple[str, int | str]] = [
        ("slot", reading.slot.value),
        ("highest_slot", reading.highest_slot.value),
        ("max_age_slots", rules.max_age_slots),
        ("ms_since_progress", int(reading.seconds_since_progress * 1000)),
    ]
    if reading.rate is not None:
        found.append(("rate", str(reading.rate)))
    if last is not None:
        found += [("believed_rate", str(last.rate)), ("believed_epoch", last.epoch.value)]
    return tuple(found)


def _problem(reading: Reading, last: Accepted | None, rules: FreshnessRules, age: int, drift: int) -> str:
    if reading.seconds_since_progress > rules.frozen_after:
        return "node_frozen"
    if age > rules.max_age_slots:
        return "node_behind"
    if drift > rules.max_age_slots:
        return "clock_and_context_disagree"
    if last is None or reading.rate is None:
        return ""
    if reading.rate < last.rate.discounted(rules.max_rate_fall):
        return RATE_FELL
    epochs = max(reading.epoch.since(last.epoch), 1)
    whole = Lamports(last.rate.numerator * reading.rate.denominator)
    rise = Lamports(reading.rate.numerator * last.rate.denominator) - whole
    if rise > rules.max_rate_step.of(whole) * epochs:
        return "redemption_rate_jumped"
    return ""
