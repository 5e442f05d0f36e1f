"""``keeper doctor``: everything that can be examined before money is at stake, whatever of it is missing."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace

from prometheus_client import CollectorRegistry
from solders.pubkey import Pubkey

from keeper.chain.clock import Clock
from keeper.chain.errors import ChainError
from keeper.chain.pool import Endpoints
from keeper.chain.signer import KeypairFile, SignerError
from keeper.config.loading import Loaded
from keeper.config.settings import Settings
from keeper.doctor import Case, Examination, Finding, Status, examine
from keeper.doctor import surroundings as around
from keeper.engine.assembly import (
    Edges,
    Parts,
    StartupError,
    api_keys,
    lending_source,
    lrt_source,
    make_endpoints,
    make_venues,
)
from keeper.journal.inspection import inspect
from keeper.journal.journal import Journal
from keeper.journal.records import JournalError
from keeper.observe.discovery import DiscoveryError, LrtSource, discover
from keeper.protocols.market import Market
from keeper.telemetry.metrics import Metrics
from keeper.telemetry.secrecy import Redactor

PATIENCE = 5.0
"""Seconds in which a node that works has a next slot."""


async def checkup(loaded: Loaded, edges: Edges | None = None) -> Examination:
    """Examine all of it. Nothing is signed, and nothing is written but what a read of the journal needs. Never raises for what is
    found."""
    edges = edges or Edges()
    settings = loaded.settings
    async with AsyncExitStack() as closing:
        owner, keypair = _wallet(settings)
        journal = await around.journal(settings.journal.url)
        tables = await _tables(settings, owner, edges.clock)
        try:
            endpoints = make_endpoints(settings, edges, Metrics(CollectorRegistry()))
        except StartupError as error:
            remedy = "correct cluster.rpc"
            examination = Examination((Finding("node", Status.FAIL, str(error), remedy, blocks=True),))
            return _redacted(settings, examination.joined(keypair, journal))
        closing.push_async_callback(endpoints.aclose)
        case = make_case(settings, endpoints, edges.clock, owner, tables, patience=PATIENCE, scans=True)
        market, discovery = await _discovered(settings, case)
        examination = await examine(replace(case, market=market))
        if discovery is not None and not examination.blocking:
            examination = examination.joined(discovery)  # what no check explains, and would stop the start all the same
        others = await _around(settings, edges, endpoints, owner, closing)
        return _redacted(settings, examination.joined(keypair, journal, *others))


def make_case(
    settings: Settings,
    endpoints: Endpoints,
    clock: Clock,
    owner: Pubkey | None,
    tables: tuple[Pubkey, ...],
    *,
    patience: float = 0.0,
    scans: bool = False,
) -> Case:
    """The configuration as a case. ``tables``: the keeper's own lookup tables."""
    lrt, fault = _lrt(settings)
    return Case(
        rpc=endpoints.primary,
        genesis_hash=settings.cluster.genesis_hash,
        clock=clock,
        owner=owner,
        gas_reserve=settings.wallet.gas_reserve,
        witnesses=endpoints.others,
        lrt=lrt,
        lrt_fault=fault,
        lending=lending_source(settings.market.lending) if settings.market.lending is not None else None,
        lookup_tables=tuple(dict.fromkeys([*tables, *settings.market.lookup_tables])),
        patience=patience,
        scans=scans,
    )


def case_of(parts: Parts) -> Case:
    """The case of a keeper that runs: the market is known, and nothing is waited or searched for."""
    case = make_case(parts.settings, parts.endpoints, parts.clock, parts.owner, parts.market.lookup_tables)
    return replace(case, market=parts.market)


def _wallet(settings: Settings) -> tuple[Pubkey | None, Finding]:
    try:
        signer = KeypairFile.load(settings.wallet.keypair, allow_group_read=settings.wallet.allow_group_read)
    except SignerError as error:
        return None, Finding("keypair", Status.FAIL, str(error), "correct wallet.keypair as it says", blocks=True)
    return signer.pubkey, Finding("keypair", Status.PASS, f"{signer.pubkey}, readable by its owner alone")


def _lrt(settings: Settings) -> tuple[LrtSource | None, str]:
    access = settings.market.lrt
    if access is None:
        return None, ""
    try:
        return lrt_source(access), ""
    except StartupError as error:
        return None, str(error)


async def _tables(settings: Settings, owner: Pubkey | None, clock: Clock) -> tuple[Pubkey, ...]:
    """The keeper's own lookup tables, out of a journal that needs no migration: a look must not bring one about."""
    if owner is None:
        return ()
    try:
        if not (await inspect(settings.journal.url)).current:
            return ()
        async with await Journal.open(settings.journal.url, wall=clock.wall) as journal:
            return tuple(Pubkey.from_string(table.address) for table in await journal.tables(str(owner)))
    except JournalError:
        return ()  # the check of the journal says why


async def _discovered(settings: Settings, case: Case) -> tuple[Market | None, Finding | None]:
    """The market as the start would find it, or what would stop the start."""
    if case.lrt_fault:
        return None, None
    genesis = settings.cluster.genesis_hash
    try:
        market = await discover(case.rpc, genesis, case.lrt, case.lookup_tables, lending=case.lending, owner=case.owner)
    except DiscoveryError as error:
        return None, Finding(
            "discovery", Status.FAIL, str(error), "correct it as it says: it stops the start", blocks=True
        )
    except ChainError:
        return None, None  # the checks of the node and of the chain say so
    return market, None


async def _around(
    settings: Settings, edges: Edges, endpoints: Endpoints, owner: Pubkey | None, closing: AsyncExitStack
) -> list[Finding]:
    found = []
    if owner is None:
        found.append(Finding("venue", Status.UNKNOWN, "venues are asked for a wallet", "see the check 'keypair'"))
    else:
        try:
            venues = make_venues(settings, edges, owner, endpoints.primary)
        except StartupError as error:
            found.append(Finding("venue", Status.FAIL, str(error), "correct the table under [venues]", blocks=True))
        else:
            for venue in venues.values():
                closing.push_async_callback(venue.aclose)
            found += [one async for one in around.venues(tuple(venues.values()), settings.venues.slippage)]
    if edges.rpc_transport is None:  # in a rehearsal there are no sockets
        found.append(await around.websocket(settings.cluster.websocket))
    return found


def _redacted(settings: Settings, examination: Examination) -> Examination:
    """Nothing that is secret leaves here: nodes and venues may repeat in a message what they were sent."""
    try:
        secrets = api_keys(settings.venues)
    except StartupError:
        secrets = []  # the file cannot be read, so nothing of it can have been sent
    redact = Redactor(secrets).text
    return Examination(
        tuple(replace(one, found=redact(one.found), remedy=redact(one.remedy)) for one in examination.findings)
    )
