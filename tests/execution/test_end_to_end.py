"""Every intent, executed for real on the localnet's bank, and the ledger held against the chain to the lamport."""

from __future__ import annotations

import pytest

from keeper.chain.pool import Endpoints
from keeper.execution.executor import Executor
from keeper.execution.outcome import Landed, Refused
from keeper.execution.reconcile import drift, opening_entries
from keeper.journal.journal import Journal
from keeper.journal.records import AttemptState, Leadership
from keeper.plan import (
    CancelUnstake,
    ClaimUnstake,
    Intent,
    RequestUnstake,
    Stake,
    Swap,
    TicketId,
    Unstake,
    Unwrap,
    Wrap,
)
from keeper.protocols.glow_lrt import QueueSlot
from keeper.sim.localnet.market import MarketConfig
from keeper.units import SOL, SSOL, WSOL_ADDRESS, Lamports, TokenAmount, UnixTime
from tests.execution.world import SOL_LAMPORTS, VENUE, World, make_world

TEN = Lamports(10 * SOL_LAMPORTS)


@pytest.fixture
def world() -> World:
    return make_world(MarketConfig(lrt_waiting_period=60))


@pytest.fixture
async def executor(world: World, journal: Journal, leadership: Leadership) -> Executor:
    entries = await opening_entries(world.node, world.owner, UnixTime(1))
    assert await journal.open_ledger(leadership, entries)
    return world.executor(journal, Endpoints(world.node))


async def agrees(world: World, journal: Journal) -> None:
    world.bank.advance_slot(2)
    assert await drift(journal, world.node, world.owner) == ()


async def landed(world: World, executor: Executor, leadership: Leadership, *intents: Intent) -> Landed:
    (outcome,) = await world.run(executor, leadership, intents)
    assert isinstance(outcome, Landed), outcome
    return outcome


def queue(world: World) -> tuple[QueueSlot, ...]:
    assert world.market.lrt is not None
    program = world.market.lrt.program
    account = world.bank.get_account(program.queue_address(world.owner))
    assert account is not None
    return program.decode_queue(bytes(account.data), wallet=world.owner)


async def test_stake_and_sell_land_as_one_transaction(
    world: World, journal: Journal, leadership: Leadership, executor: Executor
) -> None:
    minted = TokenAmount(world.glowsol, 9 * SOL_LAMPORTS)
    before = world.lamports()
    outcome = await landed(
        world, executor, leadership, Stake(TEN, minted), Swap(minted, TokenAmount(SOL, 9 * SOL_LAMPORTS), VENUE)
    )
    assert world.landed() == 1
    assert world.lamports() - before == outcome.native_change.value
    assert outcome.deltas[world.glowsol.address] == world.tokens()[world.glowsol.address] > 0
    (attempt,) = await journal.attempts()
    assert (attempt.state, attempt.fee) == (AttemptState.LANDED, outcome.fee)
    await agrees(world, journal)


async def test_buy_and_queue_then_claim(
    world: World, journal: Journal, leadership: Leadership, executor: Executor
) -> None:
    bought = TokenAmount(world.glowsol, 9 * SOL_LAMPORTS)
    await landed(
        world,
        executor,
        leadership,
        Swap(TokenAmount(SOL, TEN.value), bought, VENUE),
        RequestUnstake(bought, Lamports(9 * SOL_LAMPORTS)),
    )
    await agrees(world, journal)
    (slot,) = queue(world)
    assert slot.assets >= Lamports(9 * SOL_LAMPORTS)
    world.bank.advance_slot(200)
    claim = ClaimUnstake(TicketId(slot.index, slot.requested_at), slot.assets)
    outcome = await landed(world, executor, leadership, claim)
    assert outcome.deltas == {"lamports": slot.assets.value - outcome.fee.value}
    await agrees(world, journal)
    (again,) = await world.run(executor, leadership, (claim,))
    assert isinstance(again, Refused)
    assert again.reason == "ticket_gone"


async def test_cancel_brings_the_shares_back_less_the_fee(
    world: World, journal: Journal, leadership: Leadership, executor: Executor
) -> None:
    minted = TokenAmount(world.glowsol, 9 * SOL_LAMPORTS)
    await landed(world, executor, leadership, Stake(TEN, minted))
    await landed(world, executor, leadership, RequestUnstake(minted, Lamports(9 * SOL_LAMPORTS)))
    (slot,) = queue(world)
    least = TokenAmount(world.glowsol, minted.units * 999 // 1000)
    outcome = await landed(world, executor, leadership, CancelUnstake(TicketId(slot.index, slot.requested_at), least))
    assert minted.units > outcome.deltas[world.glowsol.address] >= least.units
    await agrees(world, journal)


async def test_restake_deposit_and_unstake_leave_no_lst_account_behind(
    world: World, journal: Journal, leadership: Leadership, executor: Executor
) -> None:
    half = TokenAmount(SSOL, 4 * SOL_LAMPORTS)
    await landed(world, executor, leadership, Stake(TEN, TokenAmount(SSOL, 8 * SOL_LAMPORTS)))
    await agrees(world, journal)
    await landed(world, executor, leadership, Stake(half, TokenAmount(world.glowsol, 4 * SOL_LAMPORTS)))
    await agrees(world, journal)
    outcome = await landed(world, executor, leadership, Unstake(half, Lamports(4 * SOL_LAMPORTS)))
    assert outcome.deltas[SSOL.address] == -half.units
    assert set(world.tokens()) == {SSOL.address, world.glowsol.address}
    await agrees(world, journal)


async def test_wrapped_sol_is_counted_once(
    world: World, journal: Journal, leadership: Leadership, executor: Executor
) -> None:
    outcome = await landed(world, executor, leadership, Wrap(TEN))
    assert outcome.deltas == {"lamports": -TEN.value - outcome.fee.value, WSOL_ADDRESS: TEN.value}
    await agrees(world, journal)
    outcome = await landed(world, executor, leadership, Unwrap(TEN))
    assert outcome.deltas == {"lamports": TEN.value - outcome.fee.value, WSOL_ADDRESS: -TEN.value}
    await agrees(world, journal)


async def test_a_swap_that_unwraps_an_older_balance_gives_it_back_as_sol(
    world: World, journal: Journal, leadership: Leadership, executor: Executor
) -> None:
    await landed(world, executor, leadership, Wrap(TEN))
    bought = TokenAmount(world.glowsol, SOL_LAMPORTS * 9 // 10)
    outcome = await landed(world, executor, leadership, Swap(TokenAmount(SOL, SOL_LAMPORTS), bought, VENUE))
    assert outcome.deltas[WSOL_ADDRESS] == -TEN.value
    assert outcome.native_change > TEN - Lamports(11 * SOL_LAMPORTS // 10)
    await agrees(world, journal)


async def test_steps_run_in_order_and_stop_at_the_first_that_does_not_land(
    world: World, journal: Journal, leadership: Leadership, executor: Executor
) -> None:
    minted = TokenAmount(world.glowsol, 9 * SOL_LAMPORTS)
    outcomes = await world.run(
        executor,
        leadership,
        (Stake(TEN, minted),),
        (Swap(minted, TokenAmount(SOL, 20 * SOL_LAMPORTS), VENUE),),
        (Wrap(TEN),),
    )
    assert [type(outcome) for outcome in outcomes] == [Landed, Refused]
    assert isinstance(outcomes[1], Refused)
    assert outcomes[1].reason == "min_out_unreachable"
    assert outcomes[1].numbers["wanted"] == 20 * SOL_LAMPORTS
    await agrees(world, journal)
