"""The examination of a case: the node first, then everything out of one reading of the chain."""

from __future__ import annotations

from collections.abc import Iterator

from keeper.chain.errors import RpcError
from keeper.doctor import (
    airspace,
    lookup_tables,
    margin_account,
    node,
    oracles,
    pools,
    restaking,
    staking,
    wallet,
)
from keeper.doctor.case import Case
from keeper.doctor.chart import read
from keeper.doctor.check import Check
from keeper.doctor.finding import Examination, Finding, Scope, Status

LENDING = (*airspace.CHECKS, *pools.CHECKS, *oracles.CHECKS, *margin_account.CHECKS)


def checks(case: Case) -> Iterator[Check]:
    """Those that can be made of this case."""
    yield from node.CHECKS
    yield from wallet.CHECKS
    yield from staking.CHECKS
    if case.lrt is not None:
        yield from restaking.CHECKS
    if case.lending is not None:
        yield from LENDING
    yield from lookup_tables.CHECKS


async def examine(case: Case) -> Examination:
    """Make every check. Never raises for what a node answers or an account holds."""
    found = [await node.node(case), *[finding async for finding in node.genesis(case)]]
    if case.lrt is None:
        found.append(await restaking.unconfigured(case))
    if case.lending is None:
        remedy = "add [market.lending] where a strategy is to borrow; nothing to do otherwise"
        found.append(Finding("lending", Status.UNKNOWN, "[market.lending] is not configured", remedy, Scope.LENDING))
    try:
        chart = await read(case)
    except RpcError as error:
        why, remedy = f"the chain could not be read: {type(error).__name__}: {error}", "see the check 'node'"
        found += [check.unexamined(why, remedy) for check in checks(case)]
    else:
        for check in checks(case):
            found += check.findings(chart)
    return Examination(tuple(found))
