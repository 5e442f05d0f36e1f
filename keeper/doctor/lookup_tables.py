"""Address lookup tables: whether they can be used, and how much room they make in a transaction."""

from __future__ import annotations

from collections.abc import Iterator

from keeper.doctor.chart import Chart
from keeper.doctor.check import Check, Verdict, failed, passed, unknown
from keeper.execution.preparation.contents import table_contents
from keeper.protocols.layout import LayoutError
from keeper.protocols.lookup_table import decode_lookup_table

REMOVE = "take it out of market.lookup_tables; one of the keeper's own is replaced by keeper setup"
SHORT = 8
SAVED = 31
"""Bytes: an address of 32 becomes an index of one."""
MAKE_ONE = "run keeper setup, which makes a table of the keeper's own; without one the larger steps do not fit"


def _tables(chart: Chart) -> Iterator[Verdict]:
    tables = chart.case.lookup_tables
    if not tables:
        yield unknown("no table is configured and the keeper has none of its own", MAKE_ONE)
    for key in tables:
        account, name = chart.at(key), str(key)[:SHORT]
        if account is None:
            yield failed(f"{key} does not exist", REMOVE, subject=name)
            continue
        try:
            table = decode_lookup_table(account.data, owner=account.owner)
        except LayoutError as error:
            yield failed(f"{key}: {error}", REMOVE, subject=name)
            continue
        if table.deactivation_slot is not None:
            yield failed(f"{key} was deactivated in slot {table.deactivation_slot}", REMOVE, subject=name)
        else:
            usable = len(table.usable(chart.now.slot))
            yield passed(f"{key}: {usable} addresses, authority {table.authority}", subject=name)


def _cover(chart: Chart) -> Iterator[Verdict]:
    """How many of the accounts that the keeper's steps name stand in the tables."""
    case = chart.case
    if case.market is None or case.owner is None:
        yield unknown("what the keeper's steps name is known when the market is found", "see the failed checks above")
        return
    wanted = set(table_contents(case.owner, case.market))
    covered = set()
    for key in case.lookup_tables:
        account = chart.at(key)
        if account is None:
            continue
        try:
            covered |= wanted & set(decode_lookup_table(account.data, owner=account.owner).usable(chart.now.slot))
        except LayoutError:
            continue  # the check of the tables says so
    found = f"{len(covered)} of {len(wanted)} accounts that steps name: up to {SAVED} bytes saved for each"
    if covered:
        yield passed(found)
    else:
        yield unknown(found, MAKE_ONE)


CHECKS = (Check("lookup_table", _tables, blocks=False), Check("lookup_cover", _cover, blocks=False))
