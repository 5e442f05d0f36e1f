"""A market that lends on a small bank, with its price publisher, and how tests act and look."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass, replace

from solders.account import Account
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.protocols.addresses import ASSOCIATED_TOKEN, GLOW_MARGIN_POOL, SYSTEM, TOKEN_2022
from keeper.sim.localnet import margin_instructions as margin
from keeper.sim.localnet import pool_instructions as pools
from keeper.sim.localnet.actor import Actor
from keeper.sim.localnet.interface import TransactionRecord
from keeper.sim.localnet.lending_addresses import LendingPoolAddresses
from keeper.sim.localnet.lending_user import Borrower, open_margin_account, pool_of
from keeper.sim.localnet.market import LendingConfig, MarketConfig
from keeper.sim.localnet.oracles import Oracles
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.anchor import event_discriminator
from keeper.sim.localnet.programs.glow_margin_pool_exchange import ChangeKind
from keeper.sim.localnet.programs.glow_margin_pool_state import MarginPool
from keeper.sim.localnet.programs.glow_margin_tokens import associated_address
from keeper.sim.localnet.programs.native_state import supply_of, token_amount
from keeper.sim.localnet.user_instructions import lrt, wrap
from tests.localnet_programs.world import SOL, World, landed, make_world

SHIFT, SET_SOURCE, SET_DESTINATION = ChangeKind.SHIFT_BY, ChangeKind.SET_SOURCE_TO, ChangeKind.SET_DESTINATION_TO


@dataclass(frozen=True, slots=True)
class LendingWorld:
    world: World
    oracles: Oracles

    @property
    def sol(self) -> LendingPoolAddresses:
        return self.world.market.lending_pools["SOL"]

    def state(self, symbol: str = "SOL") -> MarginPool:
        return pool_of(self.world.bank, self.world.market.lending_pools[symbol])

    def write_state(self, symbol: str = "SOL", **changes: int) -> None:
        """Change numbers of a pool past all rules; those of its ``config`` by their own names."""
        pool = self.state(symbol)
        for name, value in changes.items():
            if hasattr(pool, name):
                setattr(pool, name, value)
            else:
                pool.config = replace(pool.config, **{name: value})
        self.write(self.world.market.lending_pools[symbol].pool, pool.encode(), GLOW_MARGIN_POOL)

    def write(self, key: Pubkey, data: bytes, owner: Pubkey) -> None:
        self.world.bank.set_account(key, Account(self.world.bank.rent_exempt(len(data)), data, owner))

    def advance(self, slots: int = 1) -> None:
        self.world.bank.advance_slot(slots)

    def amount(self, key: Pubkey) -> int:
        account = self.world.bank.get_account(key)
        return 0 if account is None else token_amount(bytes(account.data))

    def supply(self, mint: Pubkey) -> int:
        account = self.world.bank.get_account(mint)
        assert account is not None
        return supply_of(bytes(account.data))

    # people

    def lender(self, label: str = "lender", wrapped: int = 1_000 * SOL) -> Actor:
        """A wallet with wrapped SOL and an account for the SOL pool's deposit notes."""
        actor = self.world.actor(label)
        create = note_account_instruction(actor.key, self.sol)
        landed(actor.send(*wrap(actor.key, wrapped), create))
        return actor

    def notes(self, owner: Pubkey) -> Pubkey:
        """The associated account of ``owner`` for the SOL pool's deposit notes."""
        return associated_address(owner, self.sol.deposit_note_mint, TOKEN_2022)

    def deposit(self, actor: Actor, amount: int, kind: ChangeKind = SHIFT) -> Instruction:
        source, notes = actor.account(self.sol.mint), self.notes(actor.key)
        return pools.deposit(self.sol, actor.key, source=source, notes=notes, amount=amount, kind=kind)

    def withdraw(self, actor: Actor, amount: int, kind: ChangeKind = SHIFT) -> Instruction:
        target, notes = actor.account(self.sol.mint), self.notes(actor.key)
        return pools.withdraw(self.sol, actor.key, notes=notes, destination=target, amount=amount, kind=kind)

    def borrower(
        self, label: str = "loop", *, collateral: int = 500 * SOL, loans: Sequence[str] = ("SOL",)
    ) -> Borrower:
        """A margin account with ``collateral`` lamports' worth of glowSOL in it, and wrapped SOL in the wallet."""
        actor = self.world.actor(label)
        mint = lrt(self.world.market, actor.key, "deposit_sol", lamports=collateral, minimum_shares=0)
        landed(actor.send(mint, *wrap(actor.key, 1_000 * SOL)))
        borrower = open_margin_account(self.world.bank, self.world.market, actor.keypair, loans=loans)
        landed(borrower.deposit("glowSOL", actor.tokens(self.world.market.glowsol_mint)))
        return borrower

    def with_notes(self, borrower: Borrower) -> Pubkey:
        """Opens the position for SOL deposit notes; the token account it lies in."""
        landed(borrower.send(borrower.note_position("SOL")))
        position = borrower.state.position(self.sol.deposit_note_mint)
        assert position is not None
        return position.address

    def invoke(self, borrower: Borrower, *inners: Instruction) -> TransactionRecord:
        """Refresh everything, then adapter_invoke."""
        return borrower.send(*borrower.refresh(), margin.adapter_invoke(borrower.key, borrower.account, *inners))


def note_account_instruction(owner: Pubkey, pool: LendingPoolAddresses) -> Instruction:
    """Create the owner's associated account for deposit notes."""
    metas = [
        cpi.writable(owner, True),
        cpi.writable(associated_address(owner, pool.deposit_note_mint, TOKEN_2022)),
        cpi.readonly(owner),
        cpi.readonly(pool.deposit_note_mint),
        cpi.readonly(SYSTEM),
        cpi.readonly(TOKEN_2022),
    ]
    return Instruction(ASSOCIATED_TOKEN, b"\x01", metas)


def make_lending_world(
    lending: LendingConfig | None = None, *, warp: int = 10, slots_per_epoch: int = 100_000
) -> LendingWorld:
    """At the default warp a slot is 4 chain seconds; prices are published at every slot."""
    market = MarketConfig(lending=lending if lending is not None else LendingConfig())
    world = make_world(warp=warp, slots_per_epoch=slots_per_epoch, market=market)
    oracles = Oracles(world.bank, world.market)
    oracles.attach()
    return LendingWorld(world, oracles)


def event(record: TransactionRecord, name: str) -> bytes:
    """The payload of the only event of that name. Fails where there is none or more than one."""
    payloads = [b64decode(line.removeprefix("Program data: ")) for line in record.logs if "Program data: " in line]
    (found,) = [payload[8:] for payload in payloads if payload[:8] == event_discriminator(name)]
    return found
