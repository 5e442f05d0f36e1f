"""What keeps failing is left alone for a while, and what stands behind it gets its turn."""

from __future__ import annotations

from contextlib import AsyncExitStack

from keeper.chain.clock import VirtualClock
from keeper.engine.cooldown import Cooldown
from keeper.execution.outcome import Expired, Failed, Landed, Refused, Stage
from keeper.plan import Decision, Stake
from keeper.sim.localnet.market_addresses import GLOWSOL_MINT
from keeper.units import Lamports, Mint, Slot, TokenAmount
from keeper.view import View
from tests.engine.scripted import plan, scripted, stake_plan
from tests.engine.stage import SOL_UNIT
from tests.engine.stage import Stage as Theatre

REFUSED = Refused(Stage.SIMULATION, "program_error")
FAILED = Failed("jupiter: SlippageToleranceExceeded (6001)", "sig", Lamports(5_000))
LANDED = Landed("sig", Slot(1), Lamports(5_000), {}, Lamports(0))


def test_the_first_setback_is_free_and_the_rest_doubles_up_to_its_limit() -> None:
    clock = VirtualClock()
    cooldown = Cooldown(clock, first=1.0, longest=5.0)
    cooldown.ended("s", "way", [REFUSED])
    assert cooldown.cooling("s") == ()
    for rest in (1.0, 2.0, 4.0, 5.0, 5.0):
        cooldown.ended("s", "way", [FAILED])
        clock.advance(rest - 0.01)
        assert cooldown.cooling("s") == ("way",), rest
        clock.advance(0.02)
        assert cooldown.cooling("s") == (), rest


def test_one_that_lands_forgives_and_an_expiry_says_nothing() -> None:
    clock = VirtualClock()
    cooldown = Cooldown(clock)
    for outcome in (REFUSED, REFUSED, REFUSED, LANDED, REFUSED, Expired("sig"), Expired("sig")):
        cooldown.ended("s", "way", [outcome])
    assert cooldown.cooling("s") == ()


def test_a_plan_that_only_ever_lands_its_first_step_rests_too() -> None:
    cooldown = Cooldown(VirtualClock())
    cooldown.ended("s", "way", [LANDED, FAILED])
    assert cooldown.cooling("s") == ()
    cooldown.ended("s", "way", [LANDED, REFUSED])
    assert cooldown.cooling("s") == ("way",)
    cooldown.ended("s", "way", [LANDED, LANDED])
    assert cooldown.cooling("s") == ()


def test_setbacks_far_apart_are_not_in_a_row() -> None:
    clock = VirtualClock()
    cooldown = Cooldown(clock, longest=120.0)
    for _ in range(12):
        cooldown.ended("s", "way", [REFUSED])
        assert cooldown.cooling("s") == ()
        clock.advance(3_600)


def test_strategies_and_ways_cool_down_apart() -> None:
    cooldown = Cooldown(VirtualClock())
    for _ in range(2):
        cooldown.ended("a", "one", [REFUSED])
        cooldown.ended("a", "two", [REFUSED])
        cooldown.ended("b", "three", [REFUSED])
    assert cooldown.cooling("a") == ("one", "two")
    assert cooldown.cooling("b") == ("three",)
    assert cooldown.cooling("c") == ()


async def test_a_plan_that_is_always_refused_starves_nobody(stage: Theatre, closing: AsyncExitStack) -> None:
    """It ignores that it is cooling down; the engine does not. The strategy behind it lands all the same."""
    impossible = Stake(Lamports(SOL_UNIT), TokenAmount(Mint(str(GLOWSOL_MINT), "glowSOL", 9), 10**15))
    seen: list[tuple[str, ...]] = []

    def stubborn(view: View) -> Decision:
        seen.append(view.cooling)
        return plan(impossible, reason="dream")

    tick = await stage.open(closing, (scripted("stubborn", stubborn), scripted("modest", stake_plan)))
    for _ in range(4):
        await tick.run()
    assert tick.memory.landed == 4
    assert seen[:2] == [(), ()]
    assert ("dream",) in seen[2:]
    denied = stage.metric("keeper_risk_denials_total", strategy="stubborn", reason="cooling_down")
    refused = stage.metric("keeper_tx_results_total", strategy="stubborn", result="refused")
    assert denied is not None
    assert refused is not None
    assert denied >= 1
    assert denied + refused == 4
