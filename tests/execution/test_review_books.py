"""What strangers and lagging nodes can do to the books: nothing that stops the keeper, nothing that hides a loss."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from solders.account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.chain.accounts import AccountSnapshot
from keeper.chain.pool import Endpoints
from keeper.execution.outcome import Landed
from keeper.execution.reconcile import Drift, NodeBehindLedger, drift, opening_entries
from keeper.journal.journal import Journal
from keeper.journal.records import Leadership, LedgerEntry
from keeper.plan import Swap, Unwrap, Wrap
from keeper.protocols.addresses import SPL_TOKEN, WSOL_MINT
from keeper.protocols.token import associated_token_address
from keeper.sim.localnet.programs.native_state import encode_token_account
from keeper.units import SOL, WSOL_ADDRESS, Lamports, Slot, TokenAmount, UnixTime
from tests.execution.weather import FaultyNode
from tests.execution.world import SOL_LAMPORTS, VENUE, World

SOME = Wrap(Lamports(SOL_LAMPORTS))


@pytest.fixture
async def opened(world: World, journal: Journal, leadership: Leadership) -> Journal:
    await journal.open_ledger(leadership, await opening_entries(world.node, world.owner, UnixTime(1)))
    return journal


@dataclass(slots=True)
class Lagging(FaultyNode):
    """Answers questions about balances from ``lag`` slots ago, with what was there then."""

    lag: int = 0
    then: AccountSnapshot | None = None

    async def token_accounts_by_owner(self, owner: Pubkey) -> AccountSnapshot:
        found = await self.inner.token_accounts_by_owner(owner)
        return replace(found, slot=found.slot - self.lag)


async def test_a_node_from_before_our_last_transaction_says_nothing_about_the_books(
    world: World, opened: Journal, leadership: Leadership
) -> None:
    """Two looks at such a node in a row used to be a loss for sure, or worse: a deposit."""
    executor = world.executor(opened, Endpoints(world.node))
    (outcome,) = await world.run(executor, leadership, (SOME,))
    assert isinstance(outcome, Landed)
    world.bank.advance_slot(10)
    slots = Slot(world.bank.clock.slot).since(outcome.slot)
    assert await drift(opened, Lagging(world.node, world.bank), world.owner) == ()
    with pytest.raises(NodeBehindLedger, match="lags"):
        await drift(opened, Lagging(world.node, world.bank, lag=slots + 1), world.owner)


async def test_an_account_that_a_stranger_made_and_may_close_is_not_in_the_books(world: World, opened: Journal) -> None:
    """SetAuthority can hand over a token account and keep the right to close it: its rent would be missing when he does."""
    gift = Keypair().pubkey()
    data = encode_token_account(Keypair().pubkey(), world.owner, 0)
    world.bank.set_account(gift, Account(world.bank.rent_exempt(165), data, SPL_TOKEN))
    world.bank.advance_slot(2)
    assert await drift(opened, world.node, world.owner) == ()


async def deposit_unsynced(world: World, journal: Journal, leadership: Leadership, lamports: int) -> Pubkey:
    """Plain lamports sent into the wallet's wrapped-SOL account, and booked as the deposit that they are."""
    account = associated_token_address(world.owner, WSOL_MINT)
    held = world.bank.get_account(account)
    assert held is not None
    world.bank.set_account(account, Account(held.lamports + lamports, held.data, held.owner))
    world.bank.advance_slot(2)
    (found,) = await drift(journal, world.node, world.owner)
    assert found.on_chain - found.booked == lamports
    slot = await world.node.slot()
    entry = LedgerEntry("external:1", slot, UnixTime(1), found.account, found.asset, "external", lamports)
    await journal.book(leadership, [entry])
    return account


def sync(world: World, account: Pubkey) -> None:
    """What SyncNative does, which needs nobody's signature: all lamports beyond the rent become tokens."""
    held = world.bank.get_account(account)
    assert held is not None
    rent = world.bank.rent_exempt(165)
    data = bytearray(held.data)
    data[64:72] = (held.lamports - rent).to_bytes(8, "little")
    world.bank.set_account(account, Account(held.lamports, bytes(data), held.owner))
    world.bank.advance_slot(2)


@pytest.mark.parametrize("then", ["nothing", "unwrap", "swap"])
async def test_a_stranger_who_syncs_our_wrapped_sol_takes_nothing(
    world: World, opened: Journal, leadership: Leadership, then: str
) -> None:
    executor = world.executor(opened, Endpoints(world.node))
    await world.run(executor, leadership, (SOME,))
    account = await deposit_unsynced(world, opened, leadership, 12_345)
    assert await drift(opened, world.node, world.owner) == ()
    sync(world, account)
    assert await drift(opened, world.node, world.owner) == ()
    if then != "nothing":
        swap = Swap(TokenAmount(SOL, SOL_LAMPORTS), TokenAmount(world.glowsol, 1), VENUE)
        (outcome,) = await world.run(executor, leadership, (Unwrap(Lamports(1)) if then == "unwrap" else swap,))
        assert isinstance(outcome, Landed), outcome
        world.bank.advance_slot(2)
        assert await drift(opened, world.node, world.owner) == ()


async def test_wrapped_sol_that_is_taken_is_still_missing(
    world: World, opened: Journal, leadership: Leadership
) -> None:
    executor = world.executor(opened, Endpoints(world.node))
    await world.run(executor, leadership, (SOME,))
    account = await deposit_unsynced(world, opened, leadership, 500)
    held = world.bank.get_account(account)
    assert held is not None
    world.bank.set_account(account, Account(held.lamports - 700, held.data, held.owner))
    sync(world, account)
    rent = world.bank.rent_exempt(165)
    assert await drift(opened, world.node, world.owner) == (
        Drift(str(account), WSOL_ADDRESS, SOL_LAMPORTS, SOL_LAMPORTS - 200),
        Drift(str(account), "lamports", rent + 500, rent),
    )
