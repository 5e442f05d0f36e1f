"""The way out of sSOL through a stake account, on the real stake program: asked for, cooled down, collected."""

from __future__ import annotations

import pytest
from solders.account import Account

from keeper.chain.pool import Endpoints
from keeper.execution.executor import Executor
from keeper.execution.outcome import Landed, Outcome, Refused, Stage
from keeper.execution.reconcile import drift, opening_entries
from keeper.journal.journal import Journal
from keeper.journal.records import Leadership
from keeper.plan import CancelUnstake, ClaimUnstake, Intent, RequestUnstake, Stake, TicketId
from keeper.protocols.addresses import STAKE, SYSTEM
from keeper.protocols.stake import PLACES, StakeAccount, decode_stake_account, place_address
from keeper.sim.localnet.interface import BankConfig
from keeper.sim.localnet.programs.stake_pool_state import StakePoolState, ValidatorList
from keeper.units import SSOL, Lamports, TokenAmount, UnixTime
from tests.execution.world import SOL_LAMPORTS, World, make_world

RENT = 2_282_880
FOUR = TokenAmount(SSOL, 4 * SOL_LAMPORTS)
WORTH = Lamports(463 * SOL_LAMPORTS // 100)  # 4 sSOL at 1.16, less the fee of 8 bps and some room


@pytest.fixture
def world() -> World:
    return make_world(bank_config=BankConfig(slots_per_epoch=200, warp=100), cranked=True)


@pytest.fixture
async def executor(world: World, journal: Journal, leadership: Leadership) -> Executor:
    assert await journal.open_ledger(leadership, await opening_entries(world.node, world.owner, UnixTime(1)))
    executor = world.executor(journal, Endpoints(world.node))
    await landed(world, executor, leadership, Stake(Lamports(50 * SOL_LAMPORTS), TokenAmount(SSOL, 40 * SOL_LAMPORTS)))
    return executor


async def act(world: World, executor: Executor, leadership: Leadership, *intents: Intent) -> Outcome:
    (outcome,) = await world.run(executor, leadership, intents)
    return outcome


async def landed(world: World, executor: Executor, leadership: Leadership, *intents: Intent) -> Landed:
    outcome = await act(world, executor, leadership, *intents)
    assert isinstance(outcome, Landed), outcome
    return outcome


async def refused(world: World, executor: Executor, leadership: Leadership, *intents: Intent) -> Refused:
    outcome = await act(world, executor, leadership, *intents)
    assert isinstance(outcome, Refused), outcome
    return outcome


def stake_at(world: World, place: int) -> tuple[int, StakeAccount]:
    account = world.bank.get_account(place_address(world.owner, place))
    assert account is not None
    return account.lamports, decode_stake_account(bytes(account.data), owner=account.owner)


def ticket(world: World, place: int) -> TicketId:
    _, held = stake_at(world, place)
    assert held.delegation is not None
    assert held.delegation.deactivation_epoch is not None
    return TicketId(place, UnixTime(held.delegation.deactivation_epoch.value), "stake")


def turn_epoch(world: World) -> None:
    epoch = world.bank.clock.epoch
    while world.bank.clock.epoch == epoch:
        world.bank.advance_slot()
    world.bank.advance_slot(5)


async def test_ssol_leaves_as_stake_and_comes_home_after_the_epoch(
    world: World, journal: Journal, leadership: Leadership, executor: Executor
) -> None:
    outcome = await landed(world, executor, leadership, RequestUnstake(FOUR, WORTH))
    assert outcome.deltas == {SSOL.address: -FOUR.units, "lamports": -RENT - outcome.fee.value}
    lamports, held = stake_at(world, 0)
    assert held.belongs_to(world.owner)
    assert lamports - RENT >= WORTH.value
    assert set(world.tokens()) == {SSOL.address}
    claim = ClaimUnstake(ticket(world, 0), Lamports(lamports))
    early = await refused(world, executor, leadership, claim)
    assert (early.stage, early.reason) == (Stage.COMPILE, "ticket_not_ripe")
    turn_epoch(world)
    outcome = await landed(world, executor, leadership, claim)
    assert outcome.deltas == {"lamports": lamports - outcome.fee.value}
    assert world.bank.get_account(place_address(world.owner, 0)) is None
    world.bank.advance_slot(2)
    assert await drift(journal, world.node, world.owner) == ()
    assert (await refused(world, executor, leadership, claim)).reason == "ticket_gone"


async def test_each_request_takes_a_place_and_places_end(
    world: World, leadership: Leadership, executor: Executor
) -> None:
    one = TokenAmount(SSOL, SOL_LAMPORTS)
    await landed(world, executor, leadership, *[RequestUnstake(one, Lamports(SOL_LAMPORTS))] * 2)
    for place in range(2, PLACES):
        await landed(world, executor, leadership, RequestUnstake(one, Lamports(SOL_LAMPORTS)))
        stake_at(world, place)
    outcome = await refused(world, executor, leadership, RequestUnstake(one, Lamports(SOL_LAMPORTS)))
    assert (outcome.reason, outcome.numbers["places"]) == ("no_stake_place", PLACES)
    turn_epoch(world)
    await landed(world, executor, leadership, ClaimUnstake(ticket(world, 3), Lamports(SOL_LAMPORTS)))
    await landed(world, executor, leadership, RequestUnstake(one, Lamports(SOL_LAMPORTS)))
    assert ticket(world, 3).requested_at == UnixTime(world.bank.clock.epoch)


@pytest.mark.parametrize("sent", [1_000_000, RENT, 5_000_000])
async def test_lamports_that_a_stranger_sent_ahead_do_not_block_the_place(
    world: World, leadership: Leadership, executor: Executor, sent: int
) -> None:
    world.bank.set_account(place_address(world.owner, 0), Account(sent, b"", SYSTEM))
    outcome = await landed(world, executor, leadership, RequestUnstake(FOUR, WORTH))
    assert outcome.native_change.value == -max(RENT - sent, 0) - outcome.fee.value
    lamports, _ = stake_at(world, 0)
    turn_epoch(world)
    outcome = await landed(world, executor, leadership, ClaimUnstake(ticket(world, 0), Lamports(lamports)))
    assert outcome.native_change.value == lamports - outcome.fee.value


async def test_a_minimum_above_what_the_pool_gives_is_refused_with_both_numbers(
    world: World, leadership: Leadership, executor: Executor
) -> None:
    outcome = await refused(world, executor, leadership, RequestUnstake(FOUR, Lamports(5 * SOL_LAMPORTS)))
    assert outcome.reason == "min_out_unreachable"
    assert outcome.numbers["wanted"] == 5 * SOL_LAMPORTS
    reachable = outcome.numbers["reachable"]
    assert isinstance(reachable, int)
    exact = await landed(world, executor, leadership, RequestUnstake(FOUR, Lamports(reachable)))
    assert stake_at(world, 0)[0] == reachable + RENT
    assert exact.deltas[SSOL.address] == -FOUR.units


async def test_a_claim_that_wants_more_than_there_is_and_a_cancellation_are_refused(
    world: World, leadership: Leadership, executor: Executor
) -> None:
    await landed(world, executor, leadership, RequestUnstake(FOUR, WORTH))
    lamports, _ = stake_at(world, 0)
    turn_epoch(world)
    outcome = await refused(world, executor, leadership, ClaimUnstake(ticket(world, 0), Lamports(lamports + 1)))
    assert (outcome.reason, outcome.numbers["reachable"]) == ("min_out_unreachable", lamports)
    outcome = await refused(world, executor, leadership, CancelUnstake(ticket(world, 0), FOUR))
    assert outcome.reason == "unsupported_intent"


def write_pool(world: World, **changes: object) -> None:
    address = world.market.solayer.stake_pool
    account = world.bank.get_account(address)
    assert account is not None
    pool = StakePoolState.decode(bytes(account.data))
    for name, value in changes.items():
        setattr(pool, name, value)
    world.bank.set_account(address, Account(account.lamports, pool.encode(), account.owner))


def validators(world: World) -> ValidatorList:
    account = world.bank.get_account(world.market.solayer.validator_list)
    assert account is not None
    return ValidatorList.decode(bytes(account.data))


async def test_the_preferred_validator_pays(world: World, leadership: Leadership, executor: Executor) -> None:
    before = validators(world).records
    smallest = min(range(len(before)), key=lambda index: before[index].active_lamports)
    write_pool(world, preferred_withdraw_validator=before[smallest].vote)
    await landed(world, executor, leadership, RequestUnstake(FOUR, WORTH))
    paid = [
        one.active_lamports - two.active_lamports for one, two in zip(before, validators(world).records, strict=True)
    ]
    assert [index for index, lamports in enumerate(paid) if lamports] == [smallest]


async def test_the_reserve_pays_only_when_nobody_else_can_and_its_stake_needs_no_cooling(
    world: World, journal: Journal, leadership: Leadership, executor: Executor
) -> None:
    listed = validators(world)
    for record in listed.records:
        record.active_lamports = 3_282_880
    address = world.market.solayer.validator_list
    account = world.bank.get_account(address)
    assert account is not None
    world.bank.set_account(address, Account(account.lamports, listed.encode(), account.owner))
    await landed(world, executor, leadership, RequestUnstake(FOUR, WORTH))
    lamports, held = stake_at(world, 0)
    assert held.delegation is None
    claim = ClaimUnstake(TicketId(0, UnixTime(0), "stake"), Lamports(lamports))
    await landed(world, executor, leadership, claim)
    world.bank.advance_slot(2)
    assert await drift(journal, world.node, world.owner) == ()


async def test_more_than_any_validator_holds_is_refused_with_the_most_there_is(
    world: World, leadership: Leadership, executor: Executor
) -> None:
    listed = validators(world)
    for record in listed.records:
        record.active_lamports = 2 * SOL_LAMPORTS
    address = world.market.solayer.validator_list
    account = world.bank.get_account(address)
    assert account is not None
    world.bank.set_account(address, Account(account.lamports, listed.encode(), account.owner))
    outcome = await refused(world, executor, leadership, RequestUnstake(FOUR, WORTH))
    assert outcome.reason == "stake_unavailable"
    assert str(Lamports(2 * SOL_LAMPORTS - RENT - 1_000_000)) in outcome.detail


async def test_stake_of_another_owner_at_a_place_is_no_ticket(
    world: World, leadership: Leadership, executor: Executor
) -> None:
    await landed(world, executor, leadership, RequestUnstake(FOUR, WORTH))
    mine, place = ticket(world, 0), place_address(world.owner, 0)
    account = world.bank.get_account(place)
    assert account is not None
    data = bytes(account.data)
    world.bank.set_account(place, Account(account.lamports, data[:44] + bytes(32) + data[76:], STAKE))
    turn_epoch(world)
    assert (await refused(world, executor, leadership, ClaimUnstake(mine, WORTH))).reason == "ticket_gone"
