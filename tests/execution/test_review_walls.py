"""Ways round the firewall and the recovery that a review tried."""

from __future__ import annotations

from dataclasses import replace

import pytest
from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.signature import Signature

from keeper.chain.answers import LandedTransaction
from keeper.chain.pool import Endpoints
from keeper.execution.outcome import Landed, Refused, Stage
from keeper.journal.journal import Journal
from keeper.journal.records import AttemptState, JournalError, Leadership
from keeper.plan import Swap, Wrap
from keeper.protocols.addresses import SPL_TOKEN
from keeper.protocols.token import associated_token_address
from keeper.sim.localnet.programs.native_state import encode_token_account
from keeper.units import SOL, Lamports, TokenAmount
from keeper.venues.door import SwapInstructions
from tests.execution.weather import FaultyNetwork, FaultyNode, Wire
from tests.execution.world import SOL_LAMPORTS, VENUE, World, make_world, plan


async def test_proceeds_outside_the_associated_account_are_not_proceeds(
    world: World, journal: Journal, leadership: Leadership
) -> None:
    """An account in the wallet's name that somebody else made, and may close or have frozen: neither View nor books see it."""
    mint = Pubkey.from_string(world.glowsol.address)
    usual, odd = associated_token_address(world.owner, mint), Keypair().pubkey()
    data = encode_token_account(mint, world.owner, 0)
    world.bank.set_account(odd, Account(world.bank.rent_exempt(165), data, SPL_TOKEN))

    def divert(swap: SwapInstructions) -> SwapInstructions:
        metas = [
            AccountMeta(odd if meta.pubkey == usual else meta.pubkey, meta.is_signer, meta.is_writable)
            for meta in swap.swap.accounts
        ]
        return replace(swap, swap=Instruction(swap.swap.program_id, bytes(swap.swap.data), metas))

    world.venue.tamper = divert
    executor = world.executor(journal, Endpoints(world.node))
    swap = Swap(TokenAmount(SOL, SOL_LAMPORTS), TokenAmount(world.glowsol, 1), VENUE)
    (outcome,) = await world.run(executor, leadership, (swap,))
    assert isinstance(outcome, Refused), outcome
    assert (outcome.stage, outcome.reason) == (Stage.FIREWALL, "balance_below_bound")
    assert await journal.attempts() == ()


async def test_another_wallets_flight_is_not_followed_for_ever(
    world: World, journal: Journal, leadership: Leadership
) -> None:
    """The keypair was changed under a journal with an attempt in flight: say so, instead of waiting for what never comes."""
    wire = Wire(world.bank)
    network = FaultyNetwork(FaultyNode(world.node, world.bank), [], lambda raw, _: wire.drop(raw))
    executor = world.executor(journal, network)
    network.fate = lambda raw, _: wire.deliver(raw)

    async def full(*_: object, **__: object) -> None:
        raise JournalError("disk full")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "resolve", full)
        with pytest.raises(JournalError, match="disk full"):
            await executor.execute(leadership, "test", plan((Wrap(Lamports(SOL_LAMPORTS)),)), world.view())
    other = make_world(seed=1)
    assert other.owner != world.owner
    with pytest.raises(JournalError, match=f"in flight for wallet {world.owner}"):
        await other.executor(journal, network).recover(leadership)
    (attempt,) = await journal.attempts()
    assert attempt.state is AttemptState.SIGNED
    assert len(await executor.recover(leadership)) == 1


async def test_a_record_that_one_endpoint_keeps_without_its_time_is_taken_from_the_other(
    world: World, journal: Journal, leadership: Leadership
) -> None:
    class Forgetful(FaultyNode):
        """Some nodes have lost the time of old blocks for good."""

        async def transaction(self, signature: Signature, commitment: str | None = None) -> LandedTransaction | None:
            found = await self.inner.transaction(signature, commitment)
            return None if found is None else replace(found, block_time=None)

    wire = Wire(world.bank)
    nodes = Forgetful(world.node, world.bank), FaultyNode(world.node, world.bank)
    network = FaultyNetwork(nodes[0], [nodes[1]], lambda raw, _: wire.deliver(raw))
    executor = world.executor(journal, network)
    (outcome,) = await executor.execute(leadership, "test", plan((Wrap(Lamports(SOL_LAMPORTS)),)), world.view())
    assert isinstance(outcome, Landed)
