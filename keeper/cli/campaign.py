"""``keeper campaign``: a strategy through many hostile markets on paper."""

from __future__ import annotations

import argparse
import sys

OK, FAILED, UNUSABLE = 0, 1, 2


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _parameters(given: list[str]) -> dict[str, object]:
    """``name=value`` as the configuration file would have them: whole numbers and truth values without quotes.

    Raises ``ValueError`` for a word without "=".
    """
    words: dict[str, object] = {"true": True, "false": False}
    found: dict[str, object] = {}
    for one in given:
        name, mark, value = one.partition("=")
        if not mark:
            raise ValueError(f"--set takes name=value, not {one!r}")
        found[name] = int(value) if value.isdigit() else words.get(value, value)
    return found


def campaign(options: argparse.Namespace) -> int:
    """Exit 0 only where every path ended without a breach."""
    from keeper.backtest.campaign import Campaign, replay, run_campaign
    from keeper.strategy import ParameterError, StrategyNotFound

    try:
        params = _parameters(options.set)
        given = Campaign(options.paths, options.days, options.seed, options.strategy, params)
        given.configured()
        if options.replay is not None:
            journey = replay(given, options.replay, _say)
            _say(f"net APY {journey.net:+.2%}, {len(journey.breaches)} breaches")
            return FAILED if journey.breaches else OK
        report = run_campaign(given, workers=options.workers, tell=_say)
    except (ParameterError, StrategyNotFound, ValueError) as error:
        sys.stderr.write(f"the campaign cannot start: {error}\n")
        return UNUSABLE
    for line in report.lines():
        _say(line)
    return OK if report.ok else FAILED
