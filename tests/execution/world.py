"""A localnet in one process, seen through the real RPC client, and everything an executor needs to trade on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import httpx2
from solders.account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.chain.clock import VirtualClock
from keeper.chain.retry import ONCE
from keeper.chain.rpc import RpcClient
from keeper.chain.signer import KeypairSigner
from keeper.execution.executor import Executor
from keeper.execution.outcome import Outcome
from keeper.execution.policy import ExecutionPolicy
from keeper.execution.ports import Network
from keeper.journal.journal import Journal
from keeper.journal.records import Leadership
from keeper.plan import Atomic, Expected, Intent, Plan
from keeper.protocols import addresses as known
from keeper.protocols.glow_lrt import LOCALNET_LRT_MAPPING, Idl, LrtProgram, decode_idl_account
from keeper.protocols.market import LrtAddresses, Market, SolayerAddresses
from keeper.protocols.token import decode_token_account
from keeper.sim.localnet.bank import Bank
from keeper.sim.localnet.cranks import CrankConfig, Cranks
from keeper.sim.localnet.interface import BankConfig
from keeper.sim.localnet.jupiter.composition import SwapAccounts, compose
from keeper.sim.localnet.market import MarketConfig, create_market
from keeper.sim.localnet.market_addresses import Market as SimMarket
from keeper.sim.localnet.programs.routes import find_route
from keeper.sim.localnet.rpc.dispatch import JsonRpc
from keeper.units import (
    SSOL,
    STAKE_POOL_LST,
    Bps,
    ComputeUnits,
    Duration,
    Epoch,
    Lamports,
    MicroLamports,
    Mint,
    Slot,
    TokenAmount,
    UnixTime,
)
from keeper.venues.door import DexVenue, NoRoute, Quote, SwapInstructions
from keeper.view import Fees, Freshness, View, Wallet

SOL_LAMPORTS = 10**9
SLOT_SECONDS = 0.4
VENUE = "localnet"


class InProcess(httpx2.AsyncBaseTransport):
    """HTTP without sockets: each request goes straight to the localnet's JSON-RPC."""

    def __init__(self, rpc: JsonRpc) -> None:
        self._rpc = rpc

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = await self._rpc.handle(await request.aread())
        return httpx2.Response(200, content=answer or b"")


class BankVenue:
    """A venue that routes over the bank's own pools. ``skew`` moves quotes away from what the pools would pay (for tests)."""

    def __init__(self, bank: Bank, table: Pubkey | None) -> None:
        self._bank = bank
        self.table = table
        self.quoted: list[Quote] = []
        self.tamper: Callable[[SwapInstructions], SwapInstructions] = lambda swap: swap

    @property
    def name(self) -> str:
        return VENUE

    async def quote(self, sell: TokenAmount, buy: Mint, *, slippage: Bps) -> Quote:
        route = find_route(
            self._bank,
            Pubkey.from_string(sell.mint.address),
            Pubkey.from_string(buy.address),
            sell.units,
            dexes=None,
            exclude=frozenset(),
            direct_only=True,
        )
        if route is None:
            raise NoRoute(VENUE, f"no pool for {sell}")
        receive = TokenAmount(buy, route.out_amount)
        quote = Quote(VENUE, sell, receive, slippage.off(receive), slippage, None, (), None, route)
        self.quoted.append(quote)
        return quote

    async def swap(self, quote: Quote, owner: Pubkey) -> SwapInstructions:
        made = compose(
            self._bank,
            quote.payload,  # type: ignore[arg-type]  # the venue's own payload, opaque to everybody else
            SwapAccounts(owner, owner, None, wrap=True),
            slippage_bps=quote.slippage.value,
            v2=True,
            skip_existing=False,
        )
        cleanup = () if made.cleanup is None else (made.cleanup,)
        tables = () if self.table is None else (self.table,)
        return self.tamper(SwapInstructions(made.setup, made.swap, cleanup, tables, quote.min_receive))


@dataclass(slots=True)
class World:
    """One bank with a market; ``owner`` has 1000 SOL and no token account. ``sim`` is the market as the localnet knows it."""

    bank: Bank
    rpc: JsonRpc
    market: Market
    clock: VirtualClock
    node: RpcClient
    venue: BankVenue
    key: Keypair
    sim: SimMarket
    policy: ExecutionPolicy = field(default_factory=ExecutionPolicy)

    @property
    def owner(self) -> Pubkey:
        return self.key.pubkey()

    @property
    def glowsol(self) -> Mint:
        assert self.market.lrt is not None
        return self.market.lrt.glowsol

    def lamports(self) -> int:
        account = self.bank.get_account(self.owner)
        return 0 if account is None else account.lamports

    def tokens(self) -> dict[str, int]:
        found = {}
        for _, account in self.bank.token_accounts_by_owner(self.owner):
            decoded = decode_token_account(bytes(account.data), owner_program=account.owner)
            found[str(decoded.mint)] = decoded.amount
        return found

    def landed(self) -> int:
        """How many transactions of the wallet the chain executed without an error."""
        records = [self.bank.transaction(signature) for signature in self.bank.signatures_for(self.owner)]
        return sum(
            record is not None and record.err is None and record.account_keys[0] == self.owner for record in records
        )

    def view(self, unit_price: int = 0, *, known_glowsol: bool = True) -> View:
        """What an observer would see now, as far as execution looks at it."""
        clock = self.bank.clock
        listed = (self.glowsol, SSOL, STAKE_POOL_LST) if known_glowsol else (SSOL, STAKE_POOL_LST)
        mints = {mint.address: mint for mint in listed}
        wsol = Mint(str(known.WSOL_MINT), "SOL", 9)
        tokens = tuple(TokenAmount(mints.get(mint, wsol), units) for mint, units in sorted(self.tokens().items()))
        return View(
            slot=Slot(max(0, clock.slot - 1)),
            block_time=UnixTime(clock.unix_timestamp),
            epoch=Epoch(clock.epoch),
            fresh=Freshness("", ()),
            glowsol=None,
            pools=(),
            quotes=(),
            lending=(),
            wallet=Wallet(str(self.owner), Lamports(self.lamports()), Lamports(SOL_LAMPORTS // 10), tokens),
            queue=(),
            fees=Fees(Lamports(5_000), MicroLamports(unit_price), Lamports(2_039_280), Lamports(5_000_000)),
        )

    def view_without_tokens(self) -> View:
        """As ``view`` for a market whose restaking program is unknown."""
        view = self.view(known_glowsol=False)
        return replace(view, wallet=replace(view.wallet, tokens=()))

    def executor(
        self, journal: Journal, network: Network, venues: dict[str, DexVenue] | None = None, **options: object
    ) -> Executor:
        return Executor(
            network,
            journal,
            KeypairSigner(self.key),
            {VENUE: self.venue} if venues is None else venues,
            self.market,
            self.policy,
            self.clock,
            **options,  # type: ignore[arg-type]  # observer and prices, passed through by name
        )

    async def run(self, executor: Executor, leadership: Leadership, *steps: tuple[Intent, ...]) -> tuple[Outcome, ...]:
        """Execute one plan of these steps on a fresh view."""
        return await executor.execute(leadership, "test", plan(*steps), self.view())


def plan(*steps: tuple[Intent, ...], min_sol_change: int = -(10**15)) -> Plan:
    """A plan of these steps that expects nothing in particular."""
    expected = Expected(Lamports(0), Lamports(0), Bps(0), Lamports(0), Duration(0), Lamports(min_sol_change))
    return Plan(tuple(Atomic(step) for step in steps), expected, "test")


def make_world(
    config: MarketConfig | None = None, *, seed: int = 0, bank_config: BankConfig | None = None, cranked: bool = False
) -> World:
    """A world whose slots pass as its virtual clock is slept on. ``cranked``: somebody updates the stake pool each epoch."""
    bank = Bank(bank_config or BankConfig(seed=seed))
    sim = create_market(bank, config)
    if cranked:
        Cranks(bank, sim, CrankConfig(update_delay=1, operate_lrt=False)).attach()
    rest = 0.0

    def pass_time(seconds: float) -> None:
        nonlocal rest
        slots, rest = divmod(rest + seconds, SLOT_SECONDS)
        bank.advance_slot(int(slots))

    rpc = JsonRpc(bank)
    bank.advance_slot(40)
    key = Keypair.from_seed(bytes([7] * 31 + [seed % 256]))
    bank.set_account(key.pubkey(), Account(1_000 * SOL_LAMPORTS, b"", known.SYSTEM))
    node = RpcClient("http://localnet", transport=InProcess(rpc), retry=ONCE)
    venue = BankVenue(bank, sim.lookup_table)
    market = product_market(bank, sim.lookup_table)
    return World(bank, rpc, market, VirtualClock(pass_time), node, venue, key, sim)


def product_market(bank: Bank, table: Pubkey) -> Market:
    """The market as the keeper's discovery would describe it."""
    from keeper.sim.localnet import market_addresses as sim

    def read(key: Pubkey) -> bytes:
        account = bank.get_account(key)
        assert account is not None
        return bytes(account.data)

    idl = Idl.parse(decode_idl_account(read(sim.LRT_IDL)))
    program = LrtProgram(idl, LOCALNET_LRT_MAPPING, known.GLOW_LRT, sim.LRT_POOL)
    program = program.with_pool_state(program.decode_pool(read(sim.LRT_POOL), owner=known.GLOW_LRT))
    glowsol = Mint(str(sim.GLOWSOL_MINT), "glowSOL", 9)
    solayer = SolayerAddresses(
        stake_pool_program=known.STAKE_POOL_PROGRAM,
        stake_pool=known.SOLAYER_STAKE_POOL,
        withdraw_authority=sim.WITHDRAW_AUTHORITY,
        validator_list=known.SOLAYER_VALIDATOR_LIST,
        reserve_stake=sim.RESERVE_STAKE,
        manager_fee=known.SOLAYER_MANAGER_FEE,
        restaking_program=known.SOLAYER_RESTAKING,
        restaking_pool=known.RESTAKING_POOL,
        lst_vault=known.LST_VAULT,
        lst=STAKE_POOL_LST,
        ssol=SSOL,
    )
    lrt = LrtAddresses(program, sim.LRT_POOL, glowsol, sim.SSOL_VAULT)
    return Market("localnet", solayer, lrt, (table,))


__all__ = ["SOL_LAMPORTS", "VENUE", "BankVenue", "ComputeUnits", "World", "make_world", "plan"]
