"""From the configuration to the parts that run: every dependency is made here, once, and handed on."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
import structlog
from solders.pubkey import Pubkey

from keeper.chain.clock import Clock, SystemClock
from keeper.chain.pool import Endpoints
from keeper.chain.priority import PriorityFee
from keeper.chain.rpc import RpcClient
from keeper.chain.signer import KeypairFile, KeypairSigner
from keeper.chain.transport import RpcCall
from keeper.config.loading import Loaded
from keeper.config.settings import Lending, LrtAccess, Settings
from keeper.config.settings import Venues as VenuesTable
from keeper.engine.watching import ExecutionWatch
from keeper.execution.executor import Executor
from keeper.execution.observer import Observer as ExecutionObserver
from keeper.execution.policy import ExecutionPolicy
from keeper.journal.journal import Journal
from keeper.observe.discovery import LendingSource, LrtSource, discover
from keeper.observe.freshness import FreshnessRules
from keeper.observe.observer import Observer, ObserverConfig
from keeper.protocols.glow_lrt import LOCALNET_LRT_MAPPING, LrtMapping, MappingError
from keeper.protocols.market import Market
from keeper.telemetry.health import Health
from keeper.telemetry.metrics import Metrics
from keeper.units import Lamports
from keeper.venues.door import DexVenue, VenueError
from keeper.venues.jupiter_build import JupiterBuild, RateLimit
from keeper.venues.jupiter_sdk import JupiterSdk

log = structlog.get_logger(__name__)


class StartupError(Exception):
    """The keeper must not start like this. The message says what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Edges:
    """What stands at the edges of the process; a rehearsal puts a localnet and a virtual clock there."""

    clock: Clock = field(default_factory=SystemClock)
    rpc_transport: httpx2.AsyncBaseTransport | None = None
    venue_transport: httpx2.AsyncBaseTransport | None = None
    watch: ExecutionObserver | None = None  # in the place of telemetry's


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that runs, connected to one chain and one journal."""

    settings: Settings
    clock: Clock
    endpoints: Endpoints
    journal: Journal
    signer: KeypairSigner
    market: Market
    observer: Observer
    executor: Executor
    metrics: Metrics
    health: Health

    @property
    def owner(self) -> Pubkey:
        return self.signer.pubkey


async def assemble(loaded: Loaded, edges: Edges, metrics: Metrics, health: Health, closing: AsyncExitStack) -> Parts:
    """Connect, check and discover. What must be closed is pushed on ``closing``.

    Raises ``StartupError`` and the named errors of the rooms: ``SignerError``, ``DiscoveryError``, ``WrongCluster``,
    ``RpcError``, ``JournalError``.
    """
    settings, clock = loaded.settings, edges.clock
    signer = KeypairFile.load(settings.wallet.keypair, allow_group_read=settings.wallet.allow_group_read)
    endpoints = make_endpoints(settings, edges, metrics)
    closing.push_async_callback(endpoints.aclose)
    lrt = lrt_source(settings.market.lrt) if settings.market.lrt is not None else None
    if lrt is None:
        log.warning("no_lrt_access", remedy="add [market.lrt] to trade against the redemption value")
    market = await discover(
        endpoints.primary,
        settings.cluster.genesis_hash,
        lrt,
        settings.market.lookup_tables,
        lending=lending_source(settings.market.lending) if settings.market.lending is not None else None,
        owner=signer.pubkey,
    )
    for witness in endpoints.others:
        await witness.require_cluster(
            settings.cluster.genesis_hash
        )  # a stranger's heights must not prove anything dead
    journal = await Journal.open(settings.journal.url, wall=clock.wall)
    closing.push_async_callback(journal.close)
    tables = await journal.tables(str(signer.pubkey))
    own = tuple(Pubkey.from_string(table.address) for table in tables if not table.retired)
    # The keeper's own first: they hold what its steps name, so the others are only used for what is left.
    market = replace(market, lookup_tables=tuple(dict.fromkeys([*own, *market.lookup_tables])))
    if not await journal.entries(1):
        await require_funds(endpoints.primary, signer.pubkey, settings.wallet.gas_reserve)
    venues = make_venues(settings, edges, signer.pubkey, endpoints.primary)
    for venue in venues.values():
        closing.push_async_callback(venue.aclose)
    priority = priority_fee(settings, endpoints.primary)
    executor = Executor(
        endpoints,
        journal,
        signer,
        venues,
        market,
        execution_policy(settings),
        clock,
        edges.watch or ExecutionWatch(metrics, health, clock.now),
        prices=priority,
    )
    observer = Observer(
        endpoints.primary,
        tuple(venues.values()),
        market,
        signer.pubkey,
        _observing(settings),
        priority=priority,
        clock=clock,
        on_quote=_count_quote(metrics),
    )
    return Parts(settings, clock, endpoints, journal, signer, market, observer, executor, metrics, health)


async def require_funds(rpc: RpcClient, owner: Pubkey, gas_reserve: Lamports) -> None:
    """Raises ``StartupError`` for a wallet that cannot even hold its own reserve.

    For a first start only: a keeper that has put its SOL to work must come up again to finish and to claim.
    """
    balance = await rpc.balance(owner)
    if balance <= gas_reserve:
        raise StartupError(
            f"wallet {owner} holds {balance}, no more than wallet.gas_reserve ({gas_reserve}): "
            f"send SOL to {owner}, or check that wallet.keypair and cluster.rpc are the ones you mean"
        )


def lrt_source(access: LrtAccess) -> LrtSource:
    """The configured way to the restaking program. Raises ``StartupError`` for files that cannot be used."""
    mapping = LOCALNET_LRT_MAPPING if access.mapping == "localnet" else _mapping_file(Path(access.mapping))
    idl = None if access.idl == "chain" else _text(Path(access.idl), "market.lrt.idl")
    return LrtSource(access.glowsol, access.pool, access.program, idl, mapping)


def lending_source(table: Lending) -> LendingSource:
    """The configured lending market."""
    return LendingSource(
        airspace=table.airspace,
        seed=table.seed,
        mints=table.pools,
        receivers=frozenset(table.oracle_receivers),
        push_oracle=table.push_oracle,
        margin_program=table.margin_program,
        pool_program=table.pool_program,
        airspace_program=table.airspace_program,
    )


def _mapping_file(path: Path) -> LrtMapping:
    try:
        return LrtMapping.from_dict(tomllib.loads(_text(path, "market.lrt.mapping")))
    except (tomllib.TOMLDecodeError, MappingError) as error:
        raise StartupError(f"market.lrt.mapping {path}: {error}") from error


def _text(path: Path, key: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StartupError(f"{key}: {path} cannot be read ({error}); check the path") from error


def make_endpoints(settings: Settings, edges: Edges, metrics: Metrics) -> Endpoints:
    """A client for each configured node. Raises ``StartupError`` for one that is named twice."""
    if len(set(settings.cluster.rpc)) != len(settings.cluster.rpc):
        raise StartupError(
            "cluster.rpc names one URL twice: it would bear witness to itself; remove it or name another"
        )

    def observe(call: RpcCall) -> None:
        metrics.rpc_call(call.method, call.endpoint, call.outcome, call.seconds)

    clients = [
        RpcClient(
            url,
            timeout=settings.cluster.request_timeout.value,
            transport=edges.rpc_transport,
            observer=observe,
        )
        for url in settings.cluster.rpc
    ]
    return Endpoints(clients[0], tuple(clients[1:]))


def make_venues(settings: Settings, edges: Edges, owner: Pubkey, rpc: RpcClient) -> Mapping[str, Any]:
    """The configured DEX venues by name. Raises ``StartupError`` for a key file that cannot be read."""
    found: dict[str, Any] = {}
    jupiter = settings.venues.jupiter
    if jupiter is not None:
        found["jupiter"] = JupiterBuild(
            jupiter.base_url,
            owner,
            api_key=_key(jupiter.api_key_file, "venues.jupiter.api_key_file"),
            rate=RateLimit(jupiter.requests_per_minute),
            timeout=jupiter.timeout.value,
            transport=edges.venue_transport,
            clock=edges.clock,
            name="jupiter",
        )
    sdk = settings.venues.jupiter_sdk
    if sdk is not None:
        found["jupiter-sdk"] = JupiterSdk(
            sdk.base_url,
            owner,
            rpc,
            python=sdk.python,
            api_key=_key(sdk.api_key_file, "venues.jupiter_sdk.api_key_file"),
            timeout=sdk.timeout.value,
            clock=edges.clock,
            on_log=lambda line: log.info("jupiter_sdk_worker", line=line),
            name="jupiter-sdk",
        )
    return found


def api_keys(venues: VenuesTable) -> list[str]:
    """The secrets in the configured files, so that logs can be kept free of them. Raises ``StartupError``."""
    tables = {"venues.jupiter": venues.jupiter, "venues.jupiter_sdk": venues.jupiter_sdk}
    found = [_key(table.api_key_file, f"{name}.api_key_file") for name, table in tables.items() if table is not None]
    return [key for key in found if key]


def _key(path: Path | None, key: str) -> str | None:
    return _text(path, key).strip() if path is not None else None


def priority_fee(settings: Settings, rpc: RpcClient) -> PriorityFee:
    """What is bid per compute unit, within the configured bounds."""
    return PriorityFee(
        rpc,
        floor=settings.execution.min_unit_price,
        cap=settings.execution.max_unit_price,
        percentile=settings.execution.fee_percentile,
    )


def execution_policy(settings: Settings) -> ExecutionPolicy:
    """How transactions are landed, as configured."""
    execution = settings.execution
    return ExecutionPolicy(
        max_unit_price=execution.max_unit_price,
        rebroadcast_interval=execution.rebroadcast_interval,
        poll_interval=execution.poll_interval,
        single_endpoint_margin=execution.expiry_margin_blocks,
    )


def _observing(settings: Settings) -> ObserverConfig:
    engine = settings.engine
    rules = FreshnessRules(
        max_age_slots=engine.max_view_age_slots,
        frozen_after=float(engine.frozen_after.value),
        max_rate_step=engine.max_rate_step,
        max_rate_fall=engine.max_rate_fall,
        max_quote_age_slots=engine.max_quote_age_slots,
    )
    return ObserverConfig(settings.wallet.gas_reserve, settings.venues.slippage, rules)


def _count_quote(metrics: Metrics) -> Callable[[str, Exception | None], None]:
    """``ok`` counts the quotes that made it into a ladder, each venue's best of a size."""

    def count(venue: str, error: Exception | None) -> None:
        if error is None:
            metrics.venue_call(venue, "ok")
        else:
            metrics.venue_call(venue, type(error).__name__ if isinstance(error, VenueError) else "unexpected")

    return count


__all__ = [
    "DexVenue",
    "Edges",
    "Parts",
    "StartupError",
    "api_keys",
    "assemble",
    "execution_policy",
    "lending_source",
    "lrt_source",
    "make_endpoints",
    "make_venues",
    "priority_fee",
    "require_funds",
]
