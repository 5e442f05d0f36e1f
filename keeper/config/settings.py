"""The shape of the configuration file. Every key has a unit in its text and a docstring in docs/configuration.md."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from solders.pubkey import Pubkey

from keeper.protocols.addresses import (
    GLOW_AIRSPACE,
    GLOW_MARGIN,
    GLOW_MARGIN_POOL,
    PYTH_PUSH_ORACLE,
    PYTH_RECEIVER,
    WSOL_MINT,
)
from keeper.units import Bps, Duration, Lamports, MicroLamports, parse_bps, parse_duration, parse_lamports

ENV_PREFIX = "GLOW_KEEPER__"
MAX_SEED_LENGTH = 32


def _address(value: object) -> Pubkey:
    if isinstance(value, Pubkey):
        return value
    try:
        return Pubkey.from_string(str(value))
    except ValueError as error:
        raise ValueError(f"{value!r} is not a base58 address of 32 bytes") from error


def _http(value: str) -> str:
    if urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname:
        raise ValueError(f"{value!r} is not an http:// or https:// URL")
    return value.rstrip("/")


def _websocket(value: str) -> str:
    if urlsplit(value).scheme not in ("ws", "wss") or not urlsplit(value).hostname:
        raise ValueError(f"{value!r} is not a ws:// or wss:// URL")
    return value


def _airspace(value: str) -> str:
    """A name is a seed of the airspace's address, so it has at most 32 bytes; an address is longer."""
    if not value:
        raise ValueError("an airspace needs its name or its address; Glow's public one is called 'default'")
    if len(value.encode()) > MAX_SEED_LENGTH:
        _address(value)
    return value


def _unit_price(value: object) -> MicroLamports:
    """Whole micro-lamports per compute unit; the environment brings them as digits."""
    digits = int(value) if isinstance(value, str) and value.isdigit() else value
    if isinstance(digits, bool) or not isinstance(digits, int) or digits < 0:
        raise ValueError(f"{value!r} is not a whole number of micro-lamports per compute unit")
    return MicroLamports(digits)


def _journal(value: str) -> str:
    if not value.startswith(("sqlite:///", "postgresql://")):
        raise ValueError(f'{value!r} is neither "sqlite:///path/to/file.db" nor "postgresql://..."')
    return value


def _reader(kind: type[Any], parse: Callable[[object], object]) -> BeforeValidator:
    """Reads configuration text; lets a value that already is one through (defaults, tests)."""
    return BeforeValidator(lambda value: value if isinstance(value, kind) else parse(value))


# NoDecode: an environment override is the same text as in the file, not JSON
Sol = Annotated[Lamports, NoDecode, _reader(Lamports, parse_lamports)]
Share = Annotated[Bps, NoDecode, _reader(Bps, parse_bps)]
Span = Annotated[Duration, NoDecode, _reader(Duration, parse_duration)]
UnitPrice = Annotated[MicroLamports, NoDecode, _reader(MicroLamports, _unit_price)]
Address = Annotated[Pubkey, NoDecode, BeforeValidator(_address)]
HttpUrl = Annotated[str, AfterValidator(_http)]
WsUrl = Annotated[str, AfterValidator(_websocket)]
Airspace = Annotated[str, AfterValidator(_airspace)]
JournalUrl = Annotated[str, AfterValidator(_journal)]


class Table(BaseModel):
    """A table of the file. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Cluster(Table):
    """Where the chain is. ``rpc[0]`` is read from; all of them are sent to and asked before an attempt is called dead."""

    rpc: Annotated[tuple[HttpUrl, ...], Field(min_length=1)]
    websocket: WsUrl
    genesis_hash: str
    request_timeout: Span = Duration(10)


class Wallet(Table):
    """The hot wallet. ``gas_reserve`` is never spent by a plan. ``allow_group_read`` admits a keypair file of mode 0440 or 0640:
    a Kubernetes secret volume under fsGroup cannot be any tighter."""

    keypair: Path
    allow_group_read: bool = False
    gas_reserve: Sol = Lamports(100_000_000)


class LrtAccess(Table):
    """How glowSOL's closed-source program is reached. Without this table the keeper runs without it and says so.

    ``idl``: "chain" or a file. ``mapping``: "localnet" or a file that maps roles to the IDL's instructions.
    """

    glowsol: Address
    pool: Address
    program: Address = Field(default_factory=lambda: Pubkey.from_string("LRtc6q4AhSr3k9dSLXpTRoAP1hBrgbQSiFkuQpuHaq3"))
    idl: str = "chain"
    mapping: str


class Lending(Table):
    """Glow's lending market. Without this table the keeper neither lends nor borrows. ``airspace`` is a name or an address;
    ``seed`` numbers the wallet's margin account; ``pools`` are the token mints of the pools to use; a price account must belong
    to one of ``oracle_receivers``, and pushed feeds are found under ``push_oracle``."""

    airspace: Airspace = "default"
    seed: Annotated[int, Field(ge=0, le=65_535)] = 0
    pools: Annotated[tuple[Address, ...], Field(min_length=1)] = (WSOL_MINT,)
    oracle_receivers: Annotated[tuple[Address, ...], Field(min_length=1)] = (PYTH_RECEIVER,)
    push_oracle: Address = PYTH_PUSH_ORACLE
    margin_program: Address = GLOW_MARGIN
    pool_program: Address = GLOW_MARGIN_POOL
    airspace_program: Address = GLOW_AIRSPACE


class MarketTable(Table):
    """What the chain cannot tell. ``watch``: further accounts whose change wakes the tick, such as the vaults of the DEX pools
    that glowSOL trades in; the keeper's own accounts and the protocols' are watched anyway."""

    lookup_tables: tuple[Address, ...] = ()
    watch: tuple[Address, ...] = ()
    lrt: LrtAccess | None = None
    lending: Lending | None = None


class Jupiter(Table):
    """Jupiter's current API (swap v2 build)."""

    base_url: HttpUrl = "https://api.jup.ag"
    api_key_file: Path | None = None
    requests_per_minute: Annotated[int, Field(ge=2, le=100_000)] = 60
    timeout: Span = Duration(10)


class JupiterSdk(Table):
    """The jupiter-python-sdk worker: a second DexVenue, in its own Python environment (``python`` is its interpreter)."""

    python: Path
    base_url: HttpUrl
    api_key_file: Path | None = None
    timeout: Span = Duration(8)


class Venues(Table):
    """Where swaps are quoted. ``slippage`` is what every quote may still move before it lands."""

    slippage: Share = Bps(3)
    jupiter: Jupiter | None = None
    jupiter_sdk: JupiterSdk | None = None


class Execution(Table):
    """How transactions are landed. Unit prices are micro-lamports per compute unit."""

    min_unit_price: UnitPrice = MicroLamports(1_000)
    max_unit_price: UnitPrice = MicroLamports(500_000)
    fee_percentile: Annotated[int, Field(ge=1, le=99)] = 75
    rebroadcast_interval: Annotated[float, Field(gt=0, le=10)] = 1.0
    poll_interval: Annotated[float, Field(gt=0, le=10)] = 0.5
    expiry_margin_blocks: Annotated[int, Field(ge=0, le=600)] = 32


class Engine(Table):
    """The loop and its limits. A tick comes with news from the websocket, at most every ``min_interval`` seconds, and at least
    every ``max_interval``. A View is stale beyond ``max_view_age_slots`` (its quotes beyond ``max_quote_age_slots``), or when the
    node stands still for ``frozen_after``, or when the redemption rate rose by more than ``max_rate_step`` in one epoch or lies
    more than ``max_rate_fall`` below its highest. ``discount_rate`` per year values what waits. ``min_health``: what a
    step that lowers the margin account's health must leave of it. The market is examined every ``doctor_every``. An unreachable
    node is waited for ``startup_patience`` at the start."""

    min_interval: Annotated[float, Field(ge=0, le=60)] = 0.5
    max_interval: Annotated[float, Field(gt=0, le=600)] = 10.0
    max_view_age_slots: Annotated[int, Field(ge=1, le=1000)] = 25
    max_quote_age_slots: Annotated[int, Field(ge=1, le=10_000)] = 150
    frozen_after: Span = Duration(20)
    max_rate_step: Share = Bps(20)
    max_rate_fall: Share = Bps(1)
    discount_rate: Share = Bps(800)
    max_plan_capital: Sol = Lamports(500 * 10**9)
    min_health: Share = Bps(1_000)
    doctor_every: Span = Duration(300)
    startup_patience: Span = Duration(60)
    shutdown_timeout: Span = Duration(90)


class AllocationTable(Table):
    """How strategies share the wallet. ``protect`` is kept back for plans that protect, where lending is configured; ``budgets``
    is what a strategy may have out of the wallet at a time, by name; one without a budget takes what is left."""

    protect: Sol = Lamports(2 * 10**9)
    budgets: dict[str, Sol] = Field(default_factory=dict)


class JournalTable(Table):
    """The durable store. ``holder`` names this replica in the leadership row."""

    url: JournalUrl
    holder: str = "glow-keeper"
    lease: Span = Duration(15)


class Telemetry(Table):
    """Metrics, probes and logs."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 9464
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    decision_log: Path | None = None


class Settings(BaseSettings):
    """The whole file. ``strategies`` holds one table per strategy; its keys are the strategy's own parameters."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, arbitrary_types_allowed=True
    )

    cluster: Cluster
    wallet: Wallet
    journal: JournalTable
    strategies: dict[str, dict[str, Any]]
    market: MarketTable = MarketTable()
    venues: Venues = Venues()
    execution: Execution = Execution()
    engine: Engine = Engine()
    allocation: AllocationTable = AllocationTable()
    telemetry: Telemetry = Telemetry()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment overrides the file (which arrives as keyword arguments); there are no other sources."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings
