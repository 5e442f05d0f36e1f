"""``keeper books``: a withdrawal by hand is shown, accepted on purpose, and then no theft."""

from __future__ import annotations

import json
import socket
from contextlib import AsyncExitStack
from typing import Any

import pytest
from solders.keypair import Keypair
from solders.system_program import TransferParams, transfer

from keeper.config.loading import load_config
from keeper.engine import accounting
from keeper.engine.accounting import account
from keeper.engine.assembly import StartupError
from keeper.execution.reconcile import drift
from keeper.journal.journal import Journal
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


async def test_an_empty_journal_is_for_the_first_start_to_open(stage: Stage) -> None:
    for accept in (False, True):
        with pytest.raises(StartupError, match="has never booked wallet"):
            await account(load_config(stage.place.config), accept=accept, edges=stage.edges)


async def test_another_wallets_money_is_not_written_off(stage: Stage) -> None:
    async with AsyncExitStack() as closing:
        await stage.open(closing, (IDLE,))
        await stage.lease.give_up()
    stage.place.wallet.write_text(json.dumps(list(bytes(Keypair.from_seed(bytes([4] * 32))))))
    with pytest.raises(StartupError, match="has never booked wallet"):
        await account(load_config(stage.place.config), accept=True, edges=stage.edges)


async def test_what_is_accepted_was_seen_while_nobody_else_could_write(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second ``--accept`` between the look and the booking would book the same withdrawal twice."""
    async with AsyncExitStack() as closing:
        await stage.open(closing, (IDLE,))
        await stage.lease.give_up()
    withdraw(stage, SOL_UNIT)
    loaded, look = load_config(stage.place.config), drift

    async def looking(journal: Journal, *rest: Any) -> Any:
        leader = await journal.leader()
        assert leader is not None
        assert leader.holder.startswith("keeper books")
        with monkeypatch.context() as second:
            second.setattr(accounting, "drift", look)
            second.setattr(socket, "gethostname", lambda: "elsewhere")
            with pytest.raises(StartupError, match="stop it first"):
                await account(loaded, accept=True, edges=stage.edges)
        return await look(journal, *rest)

    monkeypatch.setattr(accounting, "drift", looking)
    assert (await account(loaded, accept=True, edges=stage.edges)).accepted
    monkeypatch.undo()
    assert (await account(loaded, accept=False, edges=stage.edges)).differences == ()
