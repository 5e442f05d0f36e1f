"""Several strategies on one wallet, over a real queue and across restarts: whose turn it is, whose is what, and the operator's
order to leave."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace

from keeper.config.loading import load_config
from keeper.config.settings import Lending
from keeper.engine.startup import allocation, merged
from keeper.engine.status import status
from keeper.engine.tick import TickResult
from keeper.plan import ClaimUnstake, Decision, Hold, Plan, RequestUnstake, Stake
from keeper.strategy import LadderNeed
from keeper.units import SOL, Lamports, Mint, TokenAmount
from keeper.view import Ticket, View
from tests.engine.scripted import plan, scripted, stake_plan
from tests.engine.stage import SOL_UNIT, Stage

Decide = Callable[[View], Decision]


def holding(_view: View) -> Decision:
    return Hold("nothing_to_do")


def glow_of(view: View) -> TokenAmount:
    assert view.glowsol is not None
    return view.wallet.token(view.glowsol.mint)


def queue_all(view: View) -> Decision:
    """Everything of glowSOL that it sees, into the queue; before that, one SOL of it is made."""
    held = glow_of(view)
    if view.queue:
        return Hold("waiting")
    return plan(RequestUnstake(held, Lamports(1)), reason="ask_out") if held else stake_plan(view)


async def turns(stage: Stage, *strategies: tuple[str, Decide], count: int = 1) -> list[str]:
    """Whose transactions landed, in ``count`` ticks of a process of its own."""
    async with AsyncExitStack() as life:
        tick = await stage.open(life, [scripted(name, decide) for name, decide in strategies])
        for _ in range(count):
            await tick.run()
        intents = await stage.parts.journal.intents()
        await stage.lease.give_up()
    return [intent.strategy for intent in reversed(intents)]


class Watcher:
    """A strategy that only remembers what it saw."""

    def __init__(self) -> None:
        self.seen: list[View] = []

    def __call__(self, view: View) -> Decision:
        self.seen.append(view)
        return Hold("looked")

    @property
    def last(self) -> View:
        return self.seen[-1]


async def test_the_turn_goes_by_what_a_plan_is_for_and_then_by_priority(stage: Stage) -> None:
    def protecting(view: View) -> Decision:
        decision = stake_plan(view)
        assert isinstance(decision, Plan)
        return replace(decision, protects=True)

    first = await turns(stage, ("mine", stake_plan), ("compound", stake_plan), ("loop", stake_plan))
    assert first == ["loop"]
    second = await turns(stage, ("loop", stake_plan), ("arbitrage", stake_plan), ("mine", protecting))
    assert second == ["loop", "mine"]


async def test_a_claim_goes_before_an_entry_of_a_higher_priority(stage: Stage) -> None:
    def claiming(view: View) -> Decision:
        ripe: list[Ticket] = [ticket for ticket in view.queue if ticket.ripe(view.block_time)]
        return plan(ClaimUnstake(ripe[0].id, ripe[0].assets)) if ripe else queue_all(view)

    assert await turns(stage, ("compound", claiming), count=2) == ["compound", "compound"]
    while True:
        watcher = Watcher()
        await turns(stage, ("compound", watcher))
        if watcher.last.queue[0].ripe(watcher.last.block_time):
            break
        stage.net.bank.advance_slot(60)
    landed = await turns(stage, ("compound", claiming), ("arbitrage", stake_plan))
    assert landed == ["compound", "compound", "compound"]


async def test_what_one_acquired_no_other_sees_also_after_a_restart(stage: Stage) -> None:
    loop, compound, arbitrage = Watcher(), Watcher(), Watcher()
    others = (("compound", compound), ("arbitrage", arbitrage))
    await turns(stage, ("loop", stake_plan), *others)
    await turns(stage, ("loop", loop), *others)
    assert glow_of(loop.last).units > SOL_UNIT // 2
    assert [glow_of(one.last).units for one in (compound, arbitrage)] == [0, 0]
    assert glow_of(loop.last).mint in [amount.mint for amount in compound.last.wallet.tokens], "an account is there"
    assert loop.last.past.last_landed is not None
    assert loop.last.past.last_landed <= loop.last.block_time
    assert compound.last.past.last_landed is None
    assert [rates.epoch for rates in compound.last.past.rates] == [compound.last.epoch]


async def test_a_request_is_seen_by_who_made_it_also_after_a_restart(stage: Stage) -> None:
    watcher = Watcher()
    await turns(stage, ("loop", queue_all), ("compound", watcher), count=3)
    loop = Watcher()
    await turns(stage, ("loop", loop), ("compound", watcher))
    assert len(loop.last.queue) == 1
    assert watcher.last.queue == ()
    async with AsyncExitStack() as life:
        tick = await stage.open(life, [scripted("loop", holding), scripted("compound", holding)])
        await tick.run()
        body = status(tick, stage.parts)["strategies"]
        await stage.lease.give_up()
    assert body["loop"]["tickets"] == 1
    assert body["loop"]["deployed_lamports"] > SOL_UNIT
    assert body["compound"] == {
        "budget_lamports": None,
        "deployed_lamports": 0,
        "debt_lamports": 0,
        "tokens": {},
        "tickets": 0,
        "order": None,
    }
    without = Watcher()
    await turns(stage, ("compound", without))
    assert len(without.last.queue) == 1, "nobody's, now that its maker is not configured any more"


async def test_a_plan_beyond_its_share_is_a_hold_with_that_reason(stage: Stage, closing: AsyncExitStack) -> None:
    stage.place.config.write_text(stage.place.config.read_text() + '\n[allocation.budgets]\narbitrage = "490 SOL"\n')

    def greedy(view: View) -> Decision:
        assert view.glowsol is not None
        return plan(Stake(Lamports(20 * SOL_UNIT), TokenAmount(view.glowsol.mint, 1)))

    tick = await stage.open(closing, [scripted("compound", greedy), scripted("arbitrage", holding)])
    assert await tick.run() is TickResult.HELD
    held = tick.memory.decisions["compound"]
    assert isinstance(held, Hold)
    assert held.reason == "breaks_reservation"
    assert held.numbers["whose"] == "arbitrage"
    assert held.numbers["share"] == 9 * SOL_UNIT
    lines = [json.loads(line) for line in stage.place.decisions.read_text().splitlines()]
    assert [(line["strategy"], line["decision"]["reason"]) for line in lines] == [
        ("arbitrage", "nothing_to_do"),
        ("compound", "breaks_reservation"),
    ]
    labels = {"strategy": "compound", "decision": "hold", "reason": "breaks_reservation"}
    assert stage.metric("keeper_decisions_total", **labels) == 1


async def test_protection_is_kept_back_where_lending_is_configured(stage: Stage) -> None:
    settings = load_config(stage.place.config).settings
    assert allocation(settings, ["loop"]).protection == Lamports(0)
    lending = settings.market.model_copy(update={"lending": Lending()})
    assert (
        allocation(settings.model_copy(update={"market": lending}), ["loop"]).protection == settings.allocation.protect
    )
    assert settings.allocation.protect == Lamports(2 * SOL_UNIT)


async def test_an_order_stops_entries_until_it_is_cancelled(stage: Stage) -> None:
    orders: list[str] = []

    def unaware(view: View) -> Decision:
        orders.append(view.past.order)
        return stake_plan(view)

    async with AsyncExitStack() as life:
        tick = await stage.open(life, [scripted("loop", unaware), scripted("compound", holding)])
        await stage.parts.journal.place_orders(["loop"])
        assert await tick.run() is TickResult.HELD
        assert tick.memory.denials == {"loop": "reducing"}
        assert status(tick, stage.parts)["strategies"]["loop"]["order"]["done"] is False
        await stage.lease.give_up()
    assert await turns(stage, ("loop", unaware), ("compound", stake_plan)) == ["compound"]
    async with AsyncExitStack() as life:
        tick = await stage.open(life, [scripted("loop", unaware)])
        await stage.parts.journal.cancel_orders(["loop"])
        assert await tick.run() is TickResult.TRADED
    assert orders == ["unwind", "unwind", ""]


async def test_under_an_order_a_strategy_still_leaves_and_says_when_it_is_done(
    stage: Stage, closing: AsyncExitStack
) -> None:
    def leaving(view: View) -> Decision:
        if view.past.order != "unwind":
            return stake_plan(view) if not glow_of(view) else Hold("invested")
        held = glow_of(view)
        return plan(RequestUnstake(held, Lamports(1)), reason="ask_out") if held else Hold("unwound")

    tick = await stage.open(closing, [scripted("loop", leaving)])
    journal = stage.parts.journal
    assert await tick.run() is TickResult.TRADED
    await journal.place_orders(["loop"])
    assert await tick.run() is TickResult.TRADED
    assert (await journal.standing()).orders["loop"].done_at is None
    for _ in range(2):
        assert await tick.run() is TickResult.HELD
        assert tick.memory.decisions["loop"] == Hold("unwound")
    assert (await journal.standing()).orders["loop"].done_at is not None
    assert status(tick, stage.parts)["strategies"]["loop"]["order"]["done"] is True
    await journal.cancel_orders(["loop"])
    assert await tick.run() is TickResult.TRADED, "it may enter again"


def test_a_direction_that_two_want_is_quoted_once() -> None:
    glow = Mint("Glow", "glowSOL", 9)

    def need(sell: Mint, buy: Mint, *sizes: int) -> LadderNeed:
        return LadderNeed(tuple(TokenAmount(sell, size) for size in sizes), buy)

    needs = need(SOL, glow, 1, 5), need(glow, SOL, 2), need(SOL, glow, 3, 5), need(SOL, glow)
    assert merged(needs) == (need(SOL, glow, 1, 3, 5), need(glow, SOL, 2))
