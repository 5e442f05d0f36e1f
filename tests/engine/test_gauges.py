"""Shares and yields for the metrics: the strategies' own numbers, read off one tick."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace

from keeper.engine.allocator import Allocation, Allocator
from keeper.engine.gauges import capital, yields
from keeper.engine.ownership import Ownership
from keeper.journal.records import Order, Standing
from keeper.past import EpochRates
from keeper.telemetry import Capital
from keeper.units import Epoch, Lamports, Rate, UnixTime
from tests.engine.scripted import scripted, stake_plan
from tests.engine.stage import Stage
from tests.strategies.market_views import SOL_UNIT, ticket, view

DAY = 86_400


def sol(amount: int) -> Lamports:
    return Lamports(amount * SOL_UNIT)


def test_a_share_is_what_the_strategy_itself_would_see() -> None:
    waiting = ticket(0, assets=3 * SOL_UNIT, ripe_in=DAY)
    seen = view(lamports=50 * SOL_UNIT, queue=(waiting,))
    owned = Ownership(net={"loop": -4 * SOL_UNIT}, debts={"loop": 7}, tickets={waiting.id: "loop"})
    allocator = Allocator(Allocation.of(("compound", "loop"), {"loop": sol(10)}, sol(1)), owned)
    orders = {"compound": Order("compound", "unwind", 5.5, 9.0), "loop": Order("loop", "unwind", 6.5, None)}
    loop, compound = capital(seen, allocator, Standing({}, (), {}, orders))
    free = allocator.share(seen, "loop").wallet.spendable
    assert free == sol(6)
    assert loop == Capital("loop", sol(10), sol(4), free, Lamports(7), 1, 6.5, unwound=False)
    rest = allocator.share(seen, "compound").wallet.spendable
    assert compound == Capital("compound", None, Lamports(0), rest, Lamports(0), 0, 5.5, unwound=True)


def test_yields_come_from_the_journals_rates_and_are_none_before_there_are_any() -> None:
    seen = view()
    assert seen.glowsol is not None
    year = 365
    rates = tuple(
        EpochRates(Epoch(1 + n), UnixTime(n * DAY), Rate(10_000_000 + n * 2_000, 10_000_000), Rate(1, 1))
        for n in (0, 1)
    )
    found = yields(seen, rates)
    assert found == {"sSOL": 2_000 * year * 10**9 // 10_000_000, seen.glowsol.mint.symbol: 0}
    assert yields(replace(seen, glowsol=None), rates).keys() == {"sSOL"}
    assert yields(replace(seen, pools=()), ()) == {"sSOL": None, seen.glowsol.mint.symbol: None}


async def test_a_tick_shows_the_shares_the_floor_and_the_yields(stage: Stage, closing: AsyncExitStack) -> None:
    tick = await stage.open(closing, [scripted("arbitrage", stake_plan)])
    await tick.run()
    await tick.run()
    deployed = stage.metric("keeper_strategy_deployed_lamports", strategy="arbitrage")
    assert deployed is not None
    assert deployed > SOL_UNIT  # one SOL, a fee and rent, booked to who spent it
    assert stage.metric("keeper_strategy_order", strategy="arbitrage", state="none") == 1
    assert stage.metric("keeper_margin_health_floor_ratio") == 0.1
    assert stage.metric("keeper_staking_yield_ratio", token="sSOL") is not None
