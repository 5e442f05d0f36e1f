"""``keeper books``: a withdrawal by hand is shown, accepted on purpose, and then no theft."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
from solders.keypair import Keypair
from solders.system_program import TransferParams, transfer

from keeper.config.loading import load_config
from keeper.engine.accounting import account
from keeper.engine.assembly import StartupError
from keeper.plan import Hold
from keeper.risk import TradingState
from tests.engine.scripted import scripted, stake_plan
from tests.engine.stage import SOL_UNIT, Stage, pay

IDLE = scripted("idle", lambda _view: Hold("idle"))
TREASURY = Keypair.from_seed(bytes([3] * 32)).pubkey()


def withdraw(stage: Stage, lamports: int) -> None:
    owner = stage.wallet.pubkey()
    pay(stage.net, stage.wallet, transfer(TransferParams(from_pubkey=owner, to_pubkey=TREASURY, lamports=lamports)))
    stage.net.bank.advance_slot(2)


async def test_books_that_agree_say_so_and_change_nothing(stage: Stage) -> None:
    async with AsyncExitStack() as closing:
        tick = await stage.open(closing, (scripted("modest", stake_plan),))
        await tick.run()
        assert tick.memory.landed == 1
        await stage.lease.give_up()
    found = await account(load_config(stage.place.config), accept=True, edges=stage.edges)
    assert found.differences == ()
    assert found.lines() == ["the ledger agrees with the chain on every balance"]


async def test_a_withdrawal_is_shown_and_only_booked_when_accepted(stage: Stage) -> None:
    loaded = load_config(stage.place.config)
    async with AsyncExitStack() as closing:
        await stage.open(closing, (IDLE,))
        await stage.lease.give_up()
    withdraw(stage, 5 * SOL_UNIT)
    shown = await account(loaded, accept=False, edges=stage.edges)
    (difference,) = shown.differences
    assert difference.booked - difference.on_chain == 5 * SOL_UNIT + 5_000
    assert "--accept" in shown.lines()[-1]
    accepted = await account(loaded, accept=True, edges=stage.edges)
    assert accepted.accepted
    assert (await account(loaded, accept=False, edges=stage.edges)).differences == ()
    async with AsyncExitStack() as closing:
        tick = await stage.open(closing, (IDLE,))
        for _ in range(3):
            await tick.run()
        assert tick.risk.trading is TradingState.ACTIVE
        assert tick.memory.valuation is not None
        assert tick.memory.valuation.against_holding.value == 0  # what was taken out is no loss


async def test_without_acceptance_the_next_start_halts(stage: Stage) -> None:
    async with AsyncExitStack() as closing:
        await stage.open(closing, (IDLE,))
        await stage.lease.give_up()
    withdraw(stage, SOL_UNIT)
    async with AsyncExitStack() as closing:
        tick = await stage.open(closing, (IDLE,))
        for _ in range(3):
            await tick.run()
        assert tick.risk.trading is TradingState.HALTED


async def test_nothing_is_accepted_while_a_keeper_leads(stage: Stage, closing: AsyncExitStack) -> None:
    await stage.open(closing, (IDLE,))
    withdraw(stage, SOL_UNIT)
    with pytest.raises(StartupError, match="stop it first"):
        await account(load_config(stage.place.config), accept=True, edges=stage.edges)
