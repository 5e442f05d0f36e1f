"""A world with a lending market: the wallet has a margin account, the oracles publish at every slot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from solders.account import Account
from solders.pubkey import Pubkey

from keeper.chain.pool import Endpoints
from keeper.execution.executor import Executor
from keeper.execution.lending_sight import named_accounts
from keeper.execution.outcome import Landed, Outcome, Refused
from keeper.execution.reconcile import drift, opening_entries
from keeper.journal.journal import Journal
from keeper.journal.records import Leadership
from keeper.plan import Atomic, Expected, Intent, Plan, Stake
from keeper.protocols import addresses as known
from keeper.protocols.glow_margin import MarginAccountState, decode_margin_account
from keeper.protocols.lending import LendingAddresses, LendingPool, PriceFeed, RawCollateral
from keeper.protocols.token import decode_token_account
from keeper.sim.localnet.actor import Actor
from keeper.sim.localnet.interface import BankConfig
from keeper.sim.localnet.lending_addresses import ADAPTER_CONFIGS, AIRSPACE, FEED_IDS, FEEDS
from keeper.sim.localnet.lending_user import Borrower, open_margin_account
from keeper.sim.localnet.market import MarketConfig
from keeper.sim.localnet.market_addresses import Market as SimMarket
from keeper.sim.localnet.oracles import Oracles
from keeper.sim.localnet.programs.native_state import encode_lookup_table
from keeper.units import SOL, SSOL, Bps, Duration, Lamports, Mint, TokenAmount, UnixTime
from tests.execution.world import SOL_LAMPORTS, World, make_world

KEEPER_TABLE = Pubkey.from_bytes(bytes([77] * 32))


@dataclass(slots=True)
class Lending:
    """``world`` with its oracles, the wallet's margin account, and an executor that leads."""

    world: World
    oracles: Oracles
    borrower: Borrower
    executor: Executor
    journal: Journal
    leadership: Leadership

    @property
    def addresses(self) -> LendingAddresses:
        assert self.world.market.lending is not None
        return self.world.market.lending

    @property
    def account(self) -> MarginAccountState:
        held = self.world.bank.get_account(self.addresses.account)
        assert held is not None
        return decode_margin_account(bytes(held.data), owner=held.owner)

    def pool(self, mint: Mint = SOL) -> LendingPool:
        return next(pool for pool in self.addresses.pools if pool.mint == mint)

    def raw(self, mint: Mint) -> RawCollateral:
        return next(raw for raw in self.addresses.raw if raw.mint == mint)

    def place(self, mint: Mint) -> str:
        """What a raw token's collateral is called."""
        return str(self.raw(mint).config)

    def market(self, mint: Mint = SOL) -> str:
        """What a lending pool is called."""
        return str(self.pool(mint).address)

    def units(self, key: Pubkey) -> int:
        """Tokens of a token account, 0 where there is none."""
        account = self.world.bank.get_account(key)
        return 0 if account is None else decode_token_account(bytes(account.data), owner_program=account.owner).amount

    async def run(self, *intents: Intent, min_health: int | None = None, min_sol_change: int = -(10**15)) -> Outcome:
        """Execute one step on a fresh view."""
        expected = Expected(Lamports(0), Lamports(0), Bps(0), Lamports(0), Duration(0), Lamports(min_sol_change))
        step = Atomic(intents, None if min_health is None else Bps(min_health))
        (outcome,) = await self.executor.execute(
            self.leadership, "test", Plan((step,), expected, "test"), self.world.view()
        )
        return outcome

    async def landed(self, *intents: Intent, min_health: int | None = None) -> Landed:
        outcome = await self.run(*intents, min_health=min_health)
        assert isinstance(outcome, Landed), (outcome, getattr(outcome, "detail", ""))
        return outcome

    async def refused(self, *intents: Intent, min_health: int | None = None) -> Refused:
        outcome = await self.run(*intents, min_health=min_health)
        assert isinstance(outcome, Refused), outcome
        return outcome

    async def agrees(self) -> None:
        """The ledger says what the chain says, to the last unit."""
        self.world.bank.advance_slot(2)
        found = await drift(self.journal, self.world.node, self.world.owner, self.addresses)
        assert found == (), found


def make_lending_world(
    *,
    config: MarketConfig | None = None,
    bank_config: BankConfig | None = None,
    collateral: Sequence[str] = ("glowSOL", "sSOL"),
    loans: Sequence[str] = ("SOL",),
    table: bool = True,
) -> tuple[World, Oracles, Borrower]:
    """A world whose wallet has a margin account with these positions. ``table``: and a lookup table of its own."""
    world = make_world(config, bank_config=bank_config)
    sim = world.sim
    oracles = Oracles(world.bank, sim)
    oracles.attach()
    world.bank.advance_slot()
    borrower = open_margin_account(world.bank, sim, world.key, collateral=collateral, loans=loans)
    world.market = replace(world.market, lending=lending_of(sim, borrower.account))
    if table:
        give_table(world, sim)
    return world, oracles, borrower


def lending_of(sim: SimMarket, account: Pubkey) -> LendingAddresses:
    """The lending market as discovery would describe it."""
    mints = {"SOL": SOL, "sSOL": SSOL, "glowSOL": Mint(str(sim.glowsol_mint), "glowSOL", 9)}

    def feed(price: Pubkey, quote: Pubkey | None) -> PriceFeed:
        ids = {FEEDS[name]: FEED_IDS[name] for name in FEEDS}
        return PriceFeed(price, ids[price], quote, ids[quote] if quote is not None else b"")

    pools = tuple(
        LendingPool(
            address=one.pool,
            mint=mints[symbol],
            token_program=one.token_program,
            vault=one.vault,
            deposit_note_mint=one.deposit_note_mint,
            loan_note_mint=one.loan_note_mint,
            fee_destination=one.fee_destination,
            deposit_metadata=one.deposit_metadata,
            deposit_config=one.deposit_config,
            loan_config=one.loan_config,
            feed=feed(one.price, one.quote),
            notes_count=True,
        )
        for symbol, one in sim.lending_pools.items()
    )
    raw = tuple(
        RawCollateral(one.config, mints[symbol], one.token_program, feed(one.price, one.quote))
        for symbol, one in sim.raw_tokens.items()
    )
    return LendingAddresses(
        margin_program=known.GLOW_MARGIN,
        pool_program=known.GLOW_MARGIN_POOL,
        airspace_program=known.GLOW_AIRSPACE,
        airspace=AIRSPACE,
        seed=0,
        account=account,
        pool_adapter_config=ADAPTER_CONFIGS[known.GLOW_MARGIN_POOL],
        pools=pools,
        raw=raw,
        oracle_owners=frozenset({known.PYTH_RECEIVER}),
    )


def give_table(world: World, sim: SimMarket) -> None:
    """The keeper's own lookup table: what its lending steps name and the market's table does not hold."""
    lending = world.market.lending
    assert lending is not None
    own = [Actor(world.bank, sim, world.key).account(mint) for mint in sim.mints.values()]
    keys = list(dict.fromkeys([*named_accounts(lending), *own]))
    data = encode_lookup_table(keys, world.owner, 0)
    world.bank.set_account(KEEPER_TABLE, Account(10**9, data, known.ADDRESS_LOOKUP_TABLE))
    world.market = replace(world.market, lookup_tables=(*world.market.lookup_tables, KEEPER_TABLE))


async def open_books(
    world: World, oracles: Oracles, borrower: Borrower, journal: Journal, leadership: Leadership
) -> Lending:
    """Open the ledger on what the wallet and its margin account hold, then stake for some glowSOL and sSOL."""
    world.bank.advance_slot(2)
    assert world.market.lending is not None
    entries = await opening_entries(world.node, world.owner, UnixTime(1), world.market.lending)
    assert await journal.open_ledger(leadership, entries)
    lending = Lending(world, oracles, borrower, world.executor(journal, Endpoints(world.node)), journal, leadership)
    await lending.landed(Stake(Lamports(200 * SOL_LAMPORTS), TokenAmount(world.glowsol, 100 * SOL_LAMPORTS)))
    await lending.landed(Stake(Lamports(100 * SOL_LAMPORTS), TokenAmount(SSOL, 80 * SOL_LAMPORTS)))
    return lending


__all__ = ["SOL_LAMPORTS", "Lending", "TokenAmount", "make_lending_world", "open_books"]
