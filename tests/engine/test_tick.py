"""One pass of the loop: what it does with a market, with strategies that misbehave, and with a node that does."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from typing import Any

import pytest

from keeper.engine.status import status
from keeper.engine.tick import Tick, TickResult
from keeper.journal.records import AttemptState
from keeper.plan import ClaimUnstake, Decision, Hold, Plan, Stake, TicketId
from keeper.risk import TradingState
from keeper.sim.localnet.market_addresses import GLOWSOL_MINT
from keeper.strategy import Configured
from keeper.units import Bps, Lamports, Mint, TokenAmount, UnixTime
from keeper.view import View
from tests.engine.scripted import plan, scripted, stake_plan
from tests.engine.stage import SOL_UNIT, Stage


async def _states(stage: Stage) -> list[AttemptState]:
    return [attempt.state for attempt in await stage.parts.journal.attempts()]


def a_stake(lamports: int, *, wanted: int = 1) -> Stake:
    return Stake(Lamports(lamports), TokenAmount(Mint(str(GLOWSOL_MINT), "glowSOL", 9), wanted))


def _raising(_view: View) -> Decision:
    raise KeyError("a strategist's mistake")


async def _opened(stage: Stage, closing: AsyncExitStack, *strategies: Configured[Any]) -> Tick:
    return await stage.open(closing, strategies or None)


async def test_a_quiet_market_is_held_and_said_so(stage: Stage, closing: AsyncExitStack) -> None:
    tick = await _opened(stage, closing)
    assert await tick.run() is TickResult.HELD
    held = tick.memory.decisions["arbitrage"]
    assert isinstance(held, Hold)
    assert held.reason == "edge_below_minimum"
    assert await _states(stage) == []
    assert stage.metric("keeper_ticks_total", result="ok") == 1
    assert stage.metric("keeper_view_fresh") == 1
    assert stage.metric("keeper_trading_state", state="active") == 1
    assert stage.metric("keeper_ledger_drift_lamports") == 0
    assert (
        stage.metric("keeper_decisions_total", strategy="arbitrage", decision="hold", reason="edge_below_minimum") == 1
    )


async def test_a_plan_is_landed_booked_and_worth_what_it_cost(stage: Stage, closing: AsyncExitStack) -> None:
    tick = await _opened(stage, closing, scripted("staker", stake_plan))
    assert await tick.run() is TickResult.TRADED
    assert await _states(stage) == [AttemptState.LANDED]
    assert tick.memory.landed == 1
    assert tick.memory.drift == ()
    assert stage.metric("keeper_tx_results_total", strategy="staker", result="landed") == 1
    await tick.run()
    assert tick.memory.valuation is not None
    loss = -tick.memory.valuation.against_holding
    assert Lamports(0) < loss < Lamports(SOL_UNIT // 50)  # fee, the account's rent, and the week that glowSOL waits


async def test_a_strategy_that_raises_holds_and_the_others_still_run(stage: Stage, closing: AsyncExitStack) -> None:
    tick = await _opened(stage, closing, scripted("broken", _raising), scripted("staker", stake_plan))
    assert await tick.run() is TickResult.TRADED
    assert tick.memory.decisions["broken"] == Hold("strategy_raised", {"error": "KeyError"})
    assert await _states(stage) == [AttemptState.LANDED]
    assert tick.risk.trading is TradingState.ACTIVE
    assert stage.metric("keeper_decisions_total", strategy="broken", decision="hold", reason="strategy_raised") == 1


async def test_risk_that_raises_halts(stage: Stage, closing: AsyncExitStack) -> None:
    """A plan whose capital is not an amount: a type error of a strategy that only the comparison in the review finds."""

    def confused(_view: View) -> Decision:
        return plan(a_stake(1), capital=Bps(1))  # type: ignore[arg-type]  # the mistake under test

    tick = await _opened(stage, closing, scripted("confused", confused), scripted("staker", stake_plan))
    assert await tick.run() is TickResult.HELD
    assert tick.risk.trading is TradingState.HALTED
    assert "UnitError" in tick.risk.cause
    assert await _states(stage) == []
    assert stage.metric("keeper_trading_state", state="halted") == 1
    assert stage.metric("keeper_trading_state", state="active") == 0
    assert status(tick, stage.parts)["state"] == "halted"


async def test_halted_executes_nothing_not_even_an_exit(stage: Stage, closing: AsyncExitStack) -> None:
    claim = ClaimUnstake(TicketId(0, UnixTime(0)), Lamports(1))
    tick = await _opened(stage, closing, scripted("exit", lambda _view: plan(claim)), scripted("staker", stake_plan))
    tick.halt("a test")
    tick.halt("a second cause")
    for _ in range(3):
        assert await tick.run() is TickResult.HELD
    assert await _states(stage) == []
    assert tick.memory.denials == {"exit": "halted", "staker": "halted"}
    assert tick.risk.cause == "a test", "the first cause is the one to look at"
    assert stage.metric("keeper_risk_denials_total", strategy="staker", reason="halted") == 3


async def test_one_plan_a_tick_and_the_next_decisions_are_made_on_a_fresh_view(
    stage: Stage, closing: AsyncExitStack
) -> None:
    seen: list[View] = []

    def once(view: View) -> Decision:
        return Hold("done") if tick.memory.landed else stake_plan(view)

    def second(view: View) -> Decision:
        seen.append(view)
        return Hold("looked")

    tick = await _opened(stage, closing, scripted("first", once), scripted("second", second))
    assert await tick.run() is TickResult.TRADED
    assert await _states(stage) == [AttemptState.LANDED]
    assert await tick.run() is TickResult.HELD
    before, after = seen
    assert after.slot > before.slot
    assert after.wallet.lamports < before.wallet.lamports - Lamports(SOL_UNIT), "it sees what the first one did"


async def test_a_denied_plan_is_not_executed_and_is_forgotten_when_it_is_over(
    stage: Stage, closing: AsyncExitStack
) -> None:
    def greedy(view: View) -> Decision:
        if tick.memory.ticks:
            return Hold("enough")
        decision = stake_plan(view)
        assert isinstance(decision, Plan)
        return plan(*decision.steps[0].intents, capital=Lamports(501 * SOL_UNIT))

    tick = await _opened(stage, closing, scripted("greedy", greedy))
    assert await tick.run() is TickResult.HELD
    assert await _states(stage) == []
    assert tick.memory.denials == {"greedy": "plan_capital_above_limit"}
    assert stage.metric("keeper_risk_denials_total", strategy="greedy", reason="plan_capital_above_limit") == 1
    await tick.run()
    assert tick.memory.denials == {}


async def test_a_node_that_is_down_is_a_blind_tick_and_the_next_one_recovers(
    stage: Stage, closing: AsyncExitStack
) -> None:
    tick = await _opened(stage, closing, scripted("staker", stake_plan))
    stage.health.journal_ok(True)

    def broken(method: str, answer: Any) -> Any:
        if method != "getMultipleAccounts":
            return answer
        return {"jsonrpc": "2.0", "id": answer["id"], "error": {"code": -32008, "message": "no snapshot"}}

    stage.rpc.tamper = broken
    assert await tick.run() is TickResult.BLIND
    assert stage.metric("keeper_ticks_total", result="failed") == 1
    assert stage.metric("keeper_view_fresh") == 0
    assert any("NoSnapshot" in problem for problem in stage.health.ready().problems)
    assert stage.health.live().ok, "a node that is down is no reason to restart"
    assert await _states(stage) == []
    stage.rpc.tamper = None
    assert await tick.run() is TickResult.TRADED
    assert stage.metric("keeper_view_fresh") == 1
    assert not any("fresh" in problem for problem in stage.health.ready().problems)


async def test_a_node_that_refuses_connections_is_a_blind_tick(stage: Stage, closing: AsyncExitStack) -> None:
    tick = await _opened(stage, closing)
    stage.rpc.down = True
    assert await tick.run() is TickResult.BLIND
    assert any("RpcUnreachable" in problem for problem in stage.health.ready().problems)
    stage.rpc.down = False
    assert await tick.run() is TickResult.HELD


async def test_a_lagging_node_is_stale_and_nothing_is_decided_on_it(stage: Stage, closing: AsyncExitStack) -> None:
    tick = await _opened(stage, closing)
    assert await tick.run() is TickResult.HELD
    assert tick.memory.view is not None
    stage.parts.observer.heard_of(tick.memory.view.slot + 1_000)
    assert await tick.run() is TickResult.STALE
    assert isinstance(tick.memory.decisions["arbitrage"], Hold)
    assert tick.memory.decisions["arbitrage"].reason == "node_behind"
    assert stage.metric("keeper_ticks_total", result="stale") == 1
    assert stage.metric("keeper_view_fresh") == 0
    assert any("node_behind" in problem for problem in stage.health.ready().problems)


async def test_a_strategy_that_ignores_staleness_is_stopped_by_risk(stage: Stage, closing: AsyncExitStack) -> None:
    stubborn = scripted("stubborn", lambda _view: plan(a_stake(SOL_UNIT)))
    tick = await _opened(stage, closing, stubborn)
    stage.parts.observer.heard_of(await stage.parts.endpoints.primary.slot() + 1_000)
    assert await tick.run() is TickResult.STALE
    assert tick.memory.denials == {"stubborn": "view_not_fresh"}
    assert await _states(stage) == []


async def test_a_dex_that_is_down_is_a_hold_and_counted(stage: Stage, closing: AsyncExitStack) -> None:
    tick = await _opened(stage, closing)
    stage.jupiter.status = 503
    assert await tick.run() is TickResult.HELD
    held = tick.memory.decisions["arbitrage"]
    assert held.reason == "no_quotes"
    assert stage.metric("keeper_venue_requests_total", venue="jupiter", result="VenueUnavailable") == 15
    stage.jupiter.status = None
    await tick.run()
    assert tick.memory.decisions["arbitrage"].reason == "edge_below_minimum"
    assert stage.metric("keeper_venue_requests_total", venue="jupiter", result="ok") == 15


async def test_a_plan_that_cannot_be_sent_costs_nothing(stage: Stage, closing: AsyncExitStack) -> None:
    """It wants more than the program gives: the simulation says so before the first byte leaves."""
    dreamer = scripted("broke", lambda _view: plan(a_stake(SOL_UNIT, wanted=10**15)))
    tick = await _opened(stage, closing, dreamer)
    await tick.run()
    assert await _states(stage) == []
    assert stage.metric("keeper_tx_results_total", strategy="broke", result="refused") == 1
    assert tick.memory.landed == 0
    assert stage.metric("keeper_in_flight_transactions") == 0


async def test_every_decision_is_logged_as_one_canonical_line(stage: Stage, closing: AsyncExitStack) -> None:
    tick = await _opened(stage, closing, scripted("a", lambda _v: Hold("x", {"n": 1})), scripted("b", stake_plan))
    await tick.run()
    await tick.run()
    lines = [json.loads(line) for line in stage.place.decisions.read_text().splitlines()]
    assert [line["strategy"] for line in lines] == ["a", "b", "a", "b"]
    assert lines[0]["decision"] == {"type": "Hold", "reason": "x", "numbers": {"n": 1}}
    assert lines[1]["decision"]["type"] == "Plan"
    assert lines[2]["slot"] > lines[0]["slot"]


@pytest.mark.parametrize("ticks", [0, 1])
async def test_the_status_page_says_what_is_known(stage: Stage, closing: AsyncExitStack, ticks: int) -> None:
    assert status(None, None) == {"state": "starting"}
    tick = await _opened(stage, closing)
    for _ in range(ticks):
        await tick.run()
    body = status(tick, stage.parts)
    assert json.loads(json.dumps(body))["wallet"] == str(stage.wallet.pubkey())
    assert body["ticks"] == ticks
    assert ("view" in body) == bool(ticks)
    assert ("nav_lamports" in body) == bool(ticks)
