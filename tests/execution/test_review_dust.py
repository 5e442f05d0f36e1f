"""Lamports that a stranger leaves at the address of an account to come hold up no step, and are not ours to account for."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from solders.account import Account
from solders.pubkey import Pubkey

from keeper.chain.pool import Endpoints
from keeper.execution.outcome import Landed
from keeper.execution.reading import first_look
from keeper.execution.reconcile import drift, opening_entries
from keeper.journal.journal import Journal
from keeper.journal.records import Leadership
from keeper.plan import Atomic, Borrow, Deposit, Intent, RequestUnstake, Stake, Swap, Unstake
from keeper.protocols.addresses import SYSTEM
from keeper.units import SOL, SSOL, Lamports, TokenAmount, UnixTime
from tests.execution.lending import Lending, make_lending_world, open_books
from tests.execution.world import SOL_LAMPORTS, VENUE, World

ONE = SOL_LAMPORTS


def sprinkle(world: World, keys: Iterable[Pubkey], lamports: int) -> list[Pubkey]:
    """Lamports at each of ``keys`` that is not in use."""
    unused = [key for key in keys if world.bank.get_account(key) is None]
    for key in unused:
        world.bank.set_account(key, Account(lamports, b"", SYSTEM))
    world.bank.advance_slot(2)
    return unused


@pytest.mark.parametrize("lamports", [890_880, 2_039_280, 50_000_000])
async def test_every_way_in_and_out_of_tokens_lands_over_dust(
    world: World, journal: Journal, leadership: Leadership, lamports: int
) -> None:
    await journal.open_ledger(leadership, await opening_entries(world.node, world.owner, UnixTime(1)))
    executor = world.executor(journal, Endpoints(world.node))
    ssol, glow = TokenAmount(SSOL, ONE), TokenAmount(world.glowsol, ONE)
    steps: tuple[Intent, ...] = (
        Stake(Lamports(10 * ONE), TokenAmount(SSOL, 4 * ONE)),
        Unstake(ssol, Lamports(ONE)),
        RequestUnstake(ssol, Lamports(ONE)),
        Swap(TokenAmount(SOL, 3 * ONE), glow, VENUE),
        RequestUnstake(glow, Lamports(ONE)),
        Swap(TokenAmount(world.glowsol, ONE // 2), TokenAmount(SOL, ONE // 4), VENUE),
    )
    for intent in steps:
        sprinkle(world, first_look(world.owner, world.market, Atomic((intent,))), lamports)
        before = world.lamports()
        (outcome,) = await world.run(executor, leadership, (intent,))
        assert isinstance(outcome, Landed), (intent, outcome)
        assert outcome.native_change.value == world.lamports() - before
    world.bank.advance_slot(2)
    missing = [one for one in await drift(journal, world.node, world.owner) if one.on_chain < one.booked]
    assert missing == []


@pytest.mark.parametrize("lamports", [890_880, 50_000_000])
async def test_positions_are_opened_over_dust(journal: Journal, leadership: Leadership, lamports: int) -> None:
    made = await open_books(*make_lending_world(collateral=(), loans=()), journal, leadership)
    world, glow = made.world, TokenAmount(made.world.glowsol, 50 * ONE)
    steps: tuple[Intent, ...] = (
        Deposit(made.place(world.glowsol), glow),
        Borrow(made.market(), TokenAmount(SOL, 5 * ONE)),
        Deposit(made.market(), TokenAmount(SOL, ONE)),
        Deposit(made.place(SSOL), TokenAmount(SSOL, ONE)),
    )
    for intent in steps:
        sprinkle(world, first_look(world.owner, world.market, Atomic((intent,))), lamports)
        await made.landed(intent)
    assert len(made.account.positions) == len(steps)


async def test_a_deposit_note_that_nobody_configured_stays_so_over_dust(lending: Lending) -> None:
    unlisted = lending.pool(SSOL).deposit_config
    lending.world.bank.set_account(unlisted, Account(0, b"", SYSTEM))
    assert unlisted in sprinkle(lending.world, [unlisted], 1_000_000)
    await lending.landed(Deposit(lending.place(lending.world.glowsol), TokenAmount(lending.world.glowsol, ONE)))
