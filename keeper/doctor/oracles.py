"""The price accounts, judged as the lending programs judge them (facts, protocol.md 5.1, 3.6)."""

from __future__ import annotations

from collections.abc import Iterator

from keeper.doctor.chart import Chart, Feed
from keeper.doctor.check import Check, Verdict, failed, passed, unknown
from keeper.doctor.finding import Scope
from keeper.protocols.layout import LayoutError
from keeper.protocols.pyth import PriceUpdate, decode_price_update, problem
from keeper.units import UnixTime

RECEIVERS = "market.lending.oracle_receivers and market.lending.push_oracle"
REMEDIES = {
    "oracle_partial": "wait for a fully verified update, or ask Pyth's sponsor: a partial one is not accepted by Glow",
    "oracle_foreign": f"the account carries another feed: check {RECEIVERS}",
    "oracle_stale": f"wait for the next push, or find out whether the feed has moved to another program ({RECEIVERS})",
    "price_not_positive": "do not touch the lending market until the price is right again",
    "oracle_unsure": "wait until the publishers agree again: the confidence may be 5 % of the price at most",
}


def _oracles(chart: Chart) -> Iterator[Verdict]:
    feeds = chart.feeds()
    for feed in feeds:
        yield _judged(chart, feed, chart.now.unix_timestamp)
    if not feeds:
        yield unknown("no pool and no token config names a feed", "see the checks 'lending_pool' and 'token_config'")


def _judged(chart: Chart, feed: Feed, now: UnixTime) -> Verdict:
    account = chart.at(feed.address)
    if account is None:
        remedy = f"nobody pushes this feed there: check {RECEIVERS}"
        return failed(f"there is no price account at {feed.address}", remedy, subject=feed.subject)
    try:
        update = decode_price_update(account.data, owner=account.owner, owners=chart.lending.receivers)
    except LayoutError as error:
        remedy = f"do not trust this account: it is not of a configured receiver; check {RECEIVERS}"
        return failed(f"{feed.address}: {error}", remedy, subject=feed.subject)
    fault = problem(update, now, feed_id=feed.feed_id)
    if fault:
        return failed(f"{fault}: {_described(update, now)}", REMEDIES[fault], subject=feed.subject)
    return passed(_described(update, now), subject=feed.subject)


def _described(update: PriceUpdate, now: UnixTime) -> str:
    age = now.since(update.publish_time)
    return f"{update.price} +- {update.conf} x 10^{update.exponent}, published {age} s ago"


CHECKS = (Check("oracle", _oracles, Scope.LENDING),)
