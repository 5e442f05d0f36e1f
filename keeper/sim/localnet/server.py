"""The localnet as a whole: bank, market, cranks and faces, driven by a real or a virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal

import structlog
from aiohttp import web
from solders.pubkey import Pubkey

from keeper.sim.localnet.account_files import AccountFile, AccountFileError, read_program
from keeper.sim.localnet.bank import Bank
from keeper.sim.localnet.cranks import CrankConfig, Cranks
from keeper.sim.localnet.interface import BankConfig, ChainClock
from keeper.sim.localnet.jupiter.access import Access
from keeper.sim.localnet.jupiter.face import JupiterFace
from keeper.sim.localnet.jupiter.server import JupiterServer
from keeper.sim.localnet.lending_crowd import CrowdConfig, LendingCrowd
from keeper.sim.localnet.liquidator import Liquidator, LiquidatorConfig
from keeper.sim.localnet.market import MarketConfig, create_market
from keeper.sim.localnet.market_addresses import Market
from keeper.sim.localnet.oracles import OracleConfig, Oracles
from keeper.sim.localnet.ports import bind_pair
from keeper.sim.localnet.rpc.dispatch import JsonRpc
from keeper.sim.localnet.rpc.faults import FaultRates, Faults
from keeper.sim.localnet.rpc.server import MAX_BODY_BYTES, QUEUE_FRAMES, RpcServer
from keeper.sim.localnet.rpc.subscriptions import Subscriptions

MAX_CATCH_UP = 4
"""Slots made up for at once after a pause; time lost beyond that is lost, as when a cluster stalls."""
_log = structlog.get_logger(__name__)


class LocalnetFailed(Exception):
    """A task of the running localnet died. The cause is chained; the server has stopped."""


@dataclass(frozen=True, slots=True)
class LocalnetConfig:
    """Everything about one localnet.

    ``rpc_port``: 0 finds two free neighbouring ports; websockets are on the same port and on the next one; Jupiter's paths
    (/swap/v1, /swap/v2) are on the same port. ``market`` None: a bare chain. ``cranks`` None: nobody runs the market.
    ``oracles``, ``liquidator``, ``crowd``: who publishes prices, liquidates and uses the pools of a market that lends (None:
    nobody; the crowd, whose transactions fill blocks, also rests where ``cranks`` is None).
    ``jupiter_api_key``: the key that is accepted (None: not looked at); ``jupiter_per_minute``: requests it allows in 60 s
    (None: no limit). ``clock`` "virtual": slots only pass when somebody calls ``bank.advance_slot`` or
    localnet_advanceSlots. ``bpf_programs``: (address, file) as --bpf-program. ``scenario`` runs at the start of every slot.
    """

    host: str = "127.0.0.1"
    rpc_port: int = 0
    bank: BankConfig = field(default_factory=BankConfig)
    market: MarketConfig | None = field(default_factory=MarketConfig)
    cranks: CrankConfig | None = field(default_factory=CrankConfig)
    oracles: OracleConfig | None = field(default_factory=OracleConfig)
    liquidator: LiquidatorConfig | None = field(default_factory=LiquidatorConfig)
    crowd: CrowdConfig | None = field(default_factory=CrowdConfig)
    jupiter_api_key: str | None = None
    jupiter_per_minute: int | None = None
    faults: FaultRates = field(default_factory=FaultRates)
    clock: Literal["real", "virtual"] = "real"
    confirmed_lag: int = 1
    finalized_lag: int = 32
    websocket_queue: int = QUEUE_FRAMES
    bpf_programs: tuple[tuple[str | Pubkey, str | Path], ...] = ()
    accounts: tuple[AccountFile, ...] = ()
    scenario: Callable[[Bank, Market | None, ChainClock], None] | None = None


class Localnet:
    """``async with Localnet(config) as net``: a running localnet. Leaving raises ``LocalnetFailed`` if its clock died.

    Without entering it, the in-process faces ``net.rpc`` and ``net.jupiter`` and the ``net.bank`` behind them already work:
    that is how a virtual-clock run uses it without sockets.
    """

    def __init__(self, config: LocalnetConfig | None = None, *, jupiter_access: Access | None = None) -> None:
        """Builds the chain. Raises ``AccountFileError`` for a file that cannot be used, ``ValueError`` for an impossible
        configuration. ``jupiter_access`` replaces the configured one (tests inject a clock through it)."""
        self.config = config or LocalnetConfig()
        self.bank = Bank(self.config.bank)
        self.market: Market | None = None
        self.cranks: Cranks | None = None
        if self.config.market is not None:
            self.market = create_market(self.bank, self.config.market)
            if self.config.cranks is not None:
                self.cranks = Cranks(self.bank, self.market, self.config.cranks)
                self.cranks.attach()
        self.oracles: Oracles | None = None
        self.crowd: LendingCrowd | None = None
        self.liquidator: Liquidator | None = None
        if self.market is not None and self.market.lending_pools:
            self._open_lending(self.market)
        self._load_files()
        market = self.market
        if self.config.scenario is not None:
            scenario, bank = self.config.scenario, self.bank
            self.bank.at_slot(lambda clock: scenario(bank, market, clock))
        self.faults = Faults(self.config.faults, seed=self.config.bank.seed)
        self.rpc = JsonRpc(
            self.bank,
            faults=self.faults,
            market=None if market is None else market.as_json,
            confirmed_lag=self.config.confirmed_lag,
            finalized_lag=self.config.finalized_lag,
        )
        self.subscriptions = Subscriptions(self.bank, self.rpc.heads)
        access = jupiter_access or Access(self.config.jupiter_api_key, self.config.jupiter_per_minute)
        self.jupiter = JupiterFace(self.bank, market, access=access)
        self._server = RpcServer(self.rpc, self.subscriptions, queue_frames=self.config.websocket_queue)
        self._runners: list[web.AppRunner] = []
        self._ticker: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()
        self._failure: BaseException | None = None
        self._stopping: asyncio.Task[None] | None = None
        self.port = 0

    def _open_lending(self, market: Market) -> None:
        """Prices first in every slot, then those who act on them."""
        if self.config.oracles is not None:
            self.oracles = Oracles(self.bank, market, self.config.oracles)
            self.oracles.attach()
        if self.config.crowd is not None and self.config.cranks is not None:
            self.crowd = LendingCrowd(self.bank, market, self.config.crowd)
            self.crowd.attach()
        if self.config.liquidator is not None:
            self.liquidator = Liquidator(self.bank, market, self.config.liquidator)
            self.liquidator.attach()

    def _load_files(self) -> None:
        for address, path in self.config.bpf_programs:
            key, elf = read_program(address, path)
            try:
                self.bank.add_binary(key, elf)
            except ValueError as error:
                raise AccountFileError(f"program file {path} for {key}: {error}") from error
        for file in self.config.accounts:
            key, account = file.read()
            try:
                self.bank.set_account(key, account)
            except ValueError as error:
                raise AccountFileError(f"account file {file.path} for {key}: {error}") from error

    # addresses
    @property
    def _authority(self) -> str:
        host = self.config.host
        return f"[{host}]" if ":" in host else host

    @property
    def rpc_url(self) -> str:
        """JSON-RPC over HTTP."""
        return f"http://{self._authority}:{self.port}"

    @property
    def ws_url(self) -> str:
        """Websockets, where web3.js looks for them. The RPC port upgrades too."""
        return f"ws://{self._authority}:{self.port + 1}"

    @property
    def jupiter_url(self) -> str:
        """Base of Jupiter's paths: append /swap/v1/quote and so on."""
        return self.rpc_url

    # life
    async def start(self) -> None:
        """Bind, serve, and let the slots run (real clock). Raises ``OSError`` for a taken port."""
        first, second = bind_pair(self.config.host, self.config.rpc_port)
        try:
            self.port = first.getsockname()[1]
            http = web.Application(client_max_size=MAX_BODY_BYTES)
            http.add_routes([*self._server.routes(), *JupiterServer(self.jupiter).routes()])
            websockets = web.Application()
            websockets.add_routes(self._server.websocket_routes())
            for application, sock in ((http, first), (websockets, second)):
                runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
                self._runners.append(runner)
                await runner.setup()
                await web.SockSite(runner, sock).start()
        except BaseException:
            await self._stop_serving()
            first.close()
            second.close()
            raise
        if self.config.clock == "real":
            self._ticker = asyncio.create_task(self._tick(), name="localnet slots")
            self._ticker.add_done_callback(self._ticker_done)

    async def _tick(self) -> None:
        """One block per ``slot_ms``. Late slots are made up for, a few at a time."""
        loop = asyncio.get_running_loop()
        period = self.config.bank.slot_ms / 1_000
        due = loop.time() + period
        while True:
            await asyncio.sleep(max(0.0, due - loop.time()))
            before = self.bank.clock.slot
            for _ in range(MAX_CATCH_UP):
                self.bank.advance_slot()
                # A skipped slot takes its time too.
                due += period * (self.bank.clock.slot - before)
                before = self.bank.clock.slot
                if due > loop.time():
                    break
                await asyncio.sleep(0)
            due = max(due, loop.time())

    def _ticker_done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self._failure = task.exception() or RuntimeError("the slot task ended by itself")
            _log.error("localnet.slot_task_died", slot=self.bank.clock.slot, exc_info=self._failure)
            self._stopping = asyncio.get_running_loop().create_task(self._stop_serving())
        self._ended.set()

    async def _stop_serving(self) -> None:
        await self._server.close()
        runners, self._runners = self._runners, []
        for runner in runners:
            await runner.cleanup()

    async def wait(self) -> None:
        """Until the localnet stops. Raises ``LocalnetFailed`` when it died of itself."""
        await self._ended.wait()
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise LocalnetFailed(
                f"the localnet stopped at slot {self.bank.clock.slot}: {type(self._failure).__name__}: {self._failure}"
            ) from self._failure

    async def stop(self) -> None:
        """Stop the clock and the server. Idempotent."""
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.gather(self._ticker, return_exceptions=True)
        if self._stopping is not None:
            await self._stopping
        await self._stop_serving()
        self._ended.set()

    async def __aenter__(self) -> Localnet:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        self._raise_failure()
