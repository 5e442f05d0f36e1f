"""A small bank with a market in it, and how its tests look at results."""

from __future__ import annotations

from dataclasses import dataclass

from solders.account import Account
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.transaction import VersionedTransaction

from keeper.sim.localnet.actor import Actor
from keeper.sim.localnet.bank import Bank
from keeper.sim.localnet.cranks import CrankConfig, Cranks
from keeper.sim.localnet.interface import BankConfig, TransactionRecord
from keeper.sim.localnet.market import MarketConfig, create_market
from keeper.sim.localnet.market_addresses import Market, derived_keypair
from keeper.sim.localnet.market_rates import LrtTotals, lrt_totals, stake_pool_of
from keeper.sim.localnet.programs.stake_pool_state import StakePoolState

SOL = 10**9


@dataclass(frozen=True, slots=True)
class World:
    bank: Bank
    market: Market

    def actor(self, label: str = "user", lamports: int = 10_000 * SOL) -> Actor:
        """A funded wallet with an account of every token of the market."""
        actor = Actor(self.bank, self.market, derived_keypair(label))
        actor.fund(lamports)
        landed(actor.open_accounts(*self.market.mints.values()))
        return actor

    def as_actor(self, keypair: Keypair) -> Actor:
        return Actor(self.bank, self.market, keypair)

    @property
    def totals(self) -> LrtTotals:
        return lrt_totals(self.bank, self.market)

    @property
    def stake_pool(self) -> StakePoolState:
        return stake_pool_of(self.bank, self.market)

    def write_stake_pool(self, **changes: object) -> None:
        """Change fields of the pool account past all rules."""
        account = self.bank.get_account(self.market.stake_pool)
        assert account is not None
        pool = StakePoolState.decode(bytes(account.data))
        for name, value in changes.items():
            setattr(pool, name, value)
        self.bank.set_account(self.market.stake_pool, Account(account.lamports, pool.encode(), account.owner))

    def crank(self) -> None:
        """Update the stake pool now."""
        cranks = Cranks(self.bank, self.market)
        assert cranks.update_stake_pool(), cranks.failures

    def turn_epoch(self) -> None:
        """Advance to the next epoch's first slot, without anybody cranking."""
        epoch = self.bank.clock.epoch
        while self.bank.clock.epoch == epoch:
            self.bank.advance_slot()


def make_world(
    *,
    slots_per_epoch: int = 40,
    warp: int = 4_000,
    market: MarketConfig | None = None,
    cranks: CrankConfig | None = None,
) -> World:
    """Epochs of 40 slots, which at the default warp are 64 000 seconds. With ``cranks``: attached."""
    bank = Bank(BankConfig(slots_per_epoch=slots_per_epoch, warp=warp))
    world = World(bank, create_market(bank, market))
    if cranks is not None:
        Cranks(bank, world.market, cranks).attach()
    return world


def landed(record: TransactionRecord) -> TransactionRecord:
    """The record of a transaction that must have succeeded."""
    assert record.err is None, (record.err, *record.logs)
    return record


def code(record: TransactionRecord) -> object:
    """The custom code of a failed transaction, or its InstructionError; None for success."""
    error = record.err
    if not isinstance(error, dict):
        return error
    inner = error["InstructionError"][1]
    return inner["Custom"] if isinstance(inner, dict) else inner


def code_of(actor: Actor, *instructions: Instruction) -> object:
    """Simulate and return the code: nothing is kept, so that one world serves many refusals."""

    blockhash, _ = actor.bank.latest_blockhash()
    message = MessageV0.try_compile(actor.key, list(instructions), [], blockhash)
    return code(actor.bank.simulate(VersionedTransaction(message, [actor.keypair])))
