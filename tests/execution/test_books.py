"""Reconciliation: the ledger is opened once, agrees to the lamport, and names what it does not know."""

from __future__ import annotations

from dataclasses import replace

import pytest
from solders.account import Account

from keeper.chain.pool import Endpoints
from keeper.execution.booking import IncompleteMetadata, book
from keeper.execution.outcome import Landed
from keeper.execution.reconcile import Drift, drift, opening_entries
from keeper.journal.journal import Journal
from keeper.journal.records import Leadership
from keeper.plan import Wrap
from keeper.units import WSOL_ADDRESS, Lamports, UnixTime
from tests.execution.weather import FaultyNetwork, FaultyNode, Killed, Wire, signature_of
from tests.execution.world import SOL_LAMPORTS, World, plan

SOME = Wrap(Lamports(SOL_LAMPORTS))


async def test_opening_entries_are_the_whole_wallet(world: World, journal: Journal, leadership: Leadership) -> None:
    executor = world.executor(journal, Endpoints(world.node))
    await world.run(executor, leadership, (SOME,))
    world.bank.advance_slot(2)
    entries = await opening_entries(world.node, world.owner, UnixTime(7))
    held = {(entry.account == str(world.owner), entry.asset): entry.delta for entry in entries}
    assert held == {
        (True, "lamports"): world.lamports(),
        (False, "lamports"): world.bank.rent_exempt(165),
        (False, WSOL_ADDRESS): SOL_LAMPORTS,
    }
    assert {(entry.kind, entry.block_time) for entry in entries} == {("opening", UnixTime(7))}


async def test_money_that_moved_without_us_is_drift(world: World, journal: Journal, leadership: Leadership) -> None:
    await journal.open_ledger(leadership, await opening_entries(world.node, world.owner, UnixTime(1)))
    before = world.lamports()
    world.bank.set_account(world.owner, Account(before + 1, b"", world.market.solayer.stake_pool.default()))
    assert await drift(journal, world.node, world.owner) == (Drift(str(world.owner), "lamports", before, before + 1),)


async def test_an_attempt_that_landed_during_a_long_outage_is_found_in_history(
    world: World, journal: Journal, leadership: Leadership
) -> None:
    await journal.open_ledger(leadership, await opening_entries(world.node, world.owner, UnixTime(1)))
    wire = Wire(world.bank)

    def fate(raw: bytes, _: int) -> None:
        wire.deliver(raw)
        raise Killed

    def dies(method: str) -> bool:
        if method == "getSignatureStatuses" and network.sent:
            raise Killed
        return False

    node = FaultyNode(world.node, world.bank, fails=dies)
    network = FaultyNetwork(node, [], fate)  # type: ignore[arg-type]  # this fate kills instead of answering
    first = world.executor(journal, network)
    with pytest.raises(Killed):
        await first.execute(leadership, "test", plan((SOME,)), world.view())
    world.bank.advance_slot(3_000)
    (outcome,) = await world.executor(journal, Endpoints(world.node)).recover(leadership)
    assert isinstance(outcome, Landed)
    assert outcome.signature == str(signature_of(network.sent[0]))
    assert await drift(journal, world.node, world.owner) == ()


async def test_incomplete_metadata_is_not_booked(world: World, journal: Journal, leadership: Leadership) -> None:
    executor = world.executor(journal, Endpoints(world.node))
    (outcome,) = await world.run(executor, leadership, (SOME,))
    assert isinstance(outcome, Landed)
    world.bank.advance_slot(2)
    signature = world.bank.signatures_for(world.owner)[0]
    transaction = await world.node.transaction(signature)
    assert transaction is not None
    assert book(transaction, world.owner, "test").deltas == dict(outcome.deltas)
    nameless = tuple(replace(balance, owner=None) for balance in transaction.post_token_balances)
    broken = [
        replace(transaction, block_time=None),
        replace(transaction, pre_balances=transaction.pre_balances[1:]),
        replace(transaction, post_token_balances=nameless),
    ]
    for incomplete in broken:
        with pytest.raises(IncompleteMetadata):
            book(incomplete, world.owner, "test")
