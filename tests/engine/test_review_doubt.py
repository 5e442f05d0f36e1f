"""While money is missing nothing is entered, exits pass, and a node that fails in the middle of it ends nothing."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from solders.account import Account

from keeper.engine.tick import TickResult
from keeper.plan import Decision, Hold, Unstake
from keeper.protocols import addresses
from keeper.risk import TradingState
from keeper.units import SSOL, Lamports, TokenAmount
from keeper.view import View
from tests.engine.scripted import plan, scripted, stake_plan
from tests.engine.stage import SOL_UNIT, Stage
from tests.engine.test_books import IDLE, add_lamports, give_tokens


async def test_an_entry_waits_for_the_books_and_goes_on_when_they_agree(stage: Stage, closing: AsyncExitStack) -> None:
    tick = await stage.open(closing, [scripted("staker", stake_plan)])
    add_lamports(stage, -SOL_UNIT)
    assert await tick.run() is TickResult.HELD
    assert tick.memory.denials == {"staker": "reducing"}
    add_lamports(stage, SOL_UNIT)
    assert await tick.run() is TickResult.TRADED
    assert tick.memory.denials == {}
    assert tick.risk.trading is TradingState.ACTIVE


async def test_an_exit_does_not_wait(stage: Stage, closing: AsyncExitStack) -> None:
    give_tokens(stage, addresses.SSOL_MINT, SOL_UNIT)

    def leave(view: View) -> Decision:
        held = view.wallet.token(SSOL)
        return plan(Unstake(held, Lamports(SOL_UNIT // 2))) if held else Hold("done")

    tick = await stage.open(closing, [scripted("leaver", leave)])
    add_lamports(stage, -SOL_UNIT)
    assert await tick.run() is TickResult.TRADED
    assert tick.memory.landed == 1


async def test_a_deposit_holds_nothing_up(stage: Stage, closing: AsyncExitStack) -> None:
    tick = await stage.open(closing, [scripted("staker", stake_plan)])
    add_lamports(stage, 1)
    assert await tick.run() is TickResult.TRADED


async def test_a_node_that_fails_while_a_deposit_is_booked_does_not_end_the_tick(
    stage: Stage, closing: AsyncExitStack
) -> None:
    tick = await stage.open(closing, [IDLE])
    await tick.run()
    add_lamports(stage, 5)

    def no_slot(method: str, answer: Any) -> Any:
        if method != "getSlot":
            return answer
        return {"jsonrpc": "2.0", "id": answer["id"], "error": {"code": -32601, "message": "not offered"}}

    stage.rpc.tamper = no_slot
    for _ in range(25):
        assert await tick.run() is TickResult.HELD
    stage.rpc.tamper = None
    for _ in range(2):
        await tick.run()
    assert tick.memory.drift == ()
    assert tick.risk.trading is TradingState.ACTIVE


async def test_a_ledger_behind_which_the_chain_moved_on_trades_nothing_after_a_start(
    stage: Stage, closing: AsyncExitStack
) -> None:
    """An old copy of the journal put back: trades that it does not know have left the wallet short."""
    async with AsyncExitStack() as first:
        await stage.open(first, [IDLE])
        await stage.lease.give_up()
    account = stage.net.bank.get_account(stage.wallet.pubkey())
    assert account is not None
    stage.net.bank.set_account(stage.wallet.pubkey(), Account(account.lamports - SOL_UNIT, b"", account.owner))
    stage.net.bank.advance_slot(2)
    tick = await stage.open(closing, [scripted("staker", stake_plan)])
    for _ in range(3):
        assert await tick.run() is TickResult.HELD
    assert tick.risk.trading is TradingState.HALTED
    assert await stage.parts.journal.attempts() == ()


async def test_a_sum_too_large_to_be_true_is_refused_and_the_tick_goes_on(
    stage: Stage, closing: AsyncExitStack
) -> None:
    huge = Unstake(TokenAmount(SSOL, 2**64), Lamports(2**65))
    tick = await stage.open(closing, [scripted("huge", lambda _view: plan(huge))])
    for _ in range(2):
        await tick.run()
    assert await stage.parts.journal.attempts() == ()
    assert stage.metric("keeper_tx_results_total", strategy="huge", result="refused") == 2
