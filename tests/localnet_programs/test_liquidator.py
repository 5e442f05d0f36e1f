"""A badly run loop is taken down, by real transactions, and a healthy one is left alone."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from keeper.sim.localnet.lending_addresses import GLOWSOL_RATE
from keeper.sim.localnet.lending_books import margin_book
from keeper.sim.localnet.lending_user import Borrower
from keeper.sim.localnet.liquidator import Liquidator, LiquidatorConfig
from keeper.sim.localnet.programs.glow_margin_state import ZERO_KEY
from tests.localnet_programs.lending_world import LendingWorld, make_lending_world
from tests.localnet_programs.world import SOL, code, landed


@dataclass(frozen=True, slots=True)
class Stage:
    lending: LendingWorld
    liquidator: Liquidator
    loop: Borrower

    def available(self) -> int:
        book = margin_book(self.lending.world.bank, self.lending.world.market, self.loop.state)
        assert book is not None
        return book.available


def stage(*, warp: int = 10, config: LiquidatorConfig | None = None) -> Stage:
    """A loop near the edge, at a leverage of 3.2: 500 SOL of its own, the rest borrowed and bought with."""
    lending = make_lending_world(warp=warp)
    liquidator = Liquidator(lending.world.bank, lending.world.market, config or LiquidatorConfig())
    liquidator.attach()
    loop = lending.borrower(collateral=500 * SOL)
    for amount in (370, 280, 210, 150, 115):
        lending.advance()
        landed(loop.loop("glowSOL", "glowSOL/SOL stable", amount * SOL))
    return Stage(lending, liquidator, loop)


def test_a_healthy_loop_is_left_alone() -> None:
    box = stage()
    box.lending.advance(10)
    assert box.available() > 0
    assert box.liquidator.done == []
    assert box.liquidator.failures == []


@pytest.mark.parametrize("warp", [10, 5_000])
@pytest.mark.parametrize("shock", [-1_000, -1_500, -2_200])
def test_a_loop_borrowed_to_the_edge_is_liquidated_when_the_oracle_falls(warp: int, shock: int) -> None:
    box = stage(warp=warp)
    debt, glowsol = box.loop.debt("SOL"), box.loop.held(box.loop.market.glowsol_mint)
    box.lending.oracles.shock(GLOWSOL_RATE, shock)
    box.lending.advance()
    assert box.liquidator.failures == []
    (done,) = box.liquidator.done
    assert done.account == box.loop.account
    assert done.owner == box.loop.key
    assert box.available() >= 0
    assert box.loop.state.liquidator == ZERO_KEY
    # What was sold paid the debt and the fee, and the fee is at most a twentieth of what was repaid.
    assert box.loop.held(box.loop.market.glowsol_mint) < glowsol
    assert debt - box.loop.debt("SOL") == pytest.approx(done.repaid, abs=SOL // 2)  # interest of the slots between
    assert 0 < done.fee <= done.repaid // 20 + 1
    assert done.proceeds >= done.repaid + done.fee
    # The books of the pool still hold, and the owner is in charge again.
    assert box.lending.amount(box.lending.sol.vault) == box.lending.state().deposit_tokens
    assert code(box.loop.repay("SOL", SOL)) is None
    box.lending.advance(3)
    assert len(box.liquidator.done) == 1


def test_the_owner_is_locked_out_while_it_lasts() -> None:
    """A liquidator that begins and does not end: every owner action is refused, and it ends what it finds begun."""
    box = stage(config=LiquidatorConfig(interval=10**9))
    box.lending.oracles.shock(GLOWSOL_RATE, -1_500)
    box.lending.advance()
    state = box.loop.state
    assert box.liquidator.begin(box.loop.account, state)
    assert box.loop.state.liquidator == box.liquidator.actor.key
    assert code(box.loop.withdraw("glowSOL", SOL)) == 135032
    assert code(box.loop.borrow("SOL", SOL)) == 135032
    box.liquidator.config = LiquidatorConfig()
    box.lending.advance()
    assert box.loop.state.liquidator == ZERO_KEY
    assert len(box.liquidator.done) == 1
    assert box.available() >= 0


def test_a_depeg_that_heals_before_anybody_looks_costs_nothing() -> None:
    box = stage(config=LiquidatorConfig(interval=10**9))
    box.lending.oracles.shock(GLOWSOL_RATE, -1_500)
    box.lending.advance()
    assert box.available() < 0
    box.lending.oracles.heal()
    box.lending.advance()
    box.liquidator.config = LiquidatorConfig()
    box.lending.advance(3)
    assert box.liquidator.done == []
    assert box.available() > 0


def test_an_account_that_cannot_be_priced_is_not_touched() -> None:
    box = stage()
    box.lending.oracles.shock(GLOWSOL_RATE, -1_500)
    box.lending.oracles.stop()
    box.lending.advance(30)
    assert box.liquidator.done == []
    assert box.liquidator.failures == []


def test_a_liquidator_without_money_fails_in_the_open() -> None:
    box = stage()
    market = box.lending.world.market
    box.lending.world.as_actor(market.liquidator).fund(0)
    box.lending.oracles.shock(GLOWSOL_RATE, -1_500)
    box.lending.advance()
    assert [failure.error for failure in box.liquidator.failures] == ["AccountNotFound"]
    assert box.liquidator.failures[0].step == "begin"
    box.lending.world.as_actor(market.liquidator).fund(10 * SOL)
    box.lending.advance()
    assert len(box.liquidator.done) == 1


def test_a_bust_account_is_sold_out_and_given_back() -> None:
    """Where no sale saves it, everything goes to the debt, and the bot does not come back for nothing for ever."""
    box = stage()
    box.lending.oracles.shock(GLOWSOL_RATE, -6_000)
    debt = box.loop.debt("SOL")
    box.lending.advance()
    assert box.liquidator.done
    assert box.loop.debt("SOL") < debt
    assert not box.loop.state.is_liquidating
    assert box.lending.amount(box.lending.sol.vault) == box.lending.state().deposit_tokens
