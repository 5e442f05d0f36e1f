"""What a strategy of somebody else's package can get wrong, and how early it is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, EntryPoints
from typing import Any, cast

import pytest

from keeper import strategy
from keeper.plan import Decision, Hold
from keeper.strategy import Configured, LadderNeed, ParameterError, Strategy, StrategyNotFound, load, read_params
from keeper.units import SOL, SSOL, TokenAmount, UnitError
from keeper.view import Freshness, Source, View
from strategies.arbitrage import ARBITRAGE
from tests.strategies.market_views import view


@dataclass(frozen=True, slots=True)
class Params:
    market: str = "main"


def _decide(seen: View, params: Params) -> Hold:
    return Hold("quiet", {"slot": seen.slot.value, "market": params.market})


QUIET = Strategy("quiet", Params, _decide, lambda _params, _glowsol: ())


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """``offer(point, ...)``: these entry points are installed, and no others."""

    def install(*points: EntryPoint) -> None:
        monkeypatch.setattr(strategy, "entry_points", lambda *, group: EntryPoints(points).select(group=group))

    return install


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, strategy.GROUP)


def test_two_packages_may_not_offer_one_name(offer: Callable[..., None]) -> None:
    """Which of them would trade depended on the order of the path."""
    shipped, foreign = point("arbitrage", "strategies.arbitrage:ARBITRAGE"), point("arbitrage", f"{__name__}:QUIET")
    offer(shipped, foreign)
    with pytest.raises(StrategyNotFound, match=r"more than once .*strategies\.arbitrage:ARBITRAGE.*uninstall"):
        load("arbitrage")
    offer(shipped, shipped)  # one distribution that is found twice, as an editable one is
    assert load("arbitrage") is ARBITRAGE


def test_a_strategy_goes_by_the_name_it_is_configured_by(offer: Callable[..., None]) -> None:
    offer(point("mine", "strategies.arbitrage:ARBITRAGE"))
    with pytest.raises(TypeError, match=r"'mine' .* calls itself 'arbitrage'"):
        load("mine")


@pytest.mark.parametrize("value", ["no_such_package.at_all:IT", "strategies.arbitrage:ABSENT"])
def test_a_strategy_that_does_not_load_is_named(offer: Callable[..., None], value: str) -> None:
    offer(point("mine", value))
    with pytest.raises(StrategyNotFound, match=f"{value} of 'mine' does not load: "):
        load("mine")


def test_an_answer_that_is_no_decision_is_refused() -> None:
    forgetful = replace(QUIET, decide=cast(Any, lambda _seen, _params: None))
    with pytest.raises(TypeError, match="'quiet' answered None, not a Plan or a Hold"):
        Configured(forgetful, Params()).decide(view())
    decision: Decision = Configured(QUIET, Params()).decide(view())
    assert decision == Hold("quiet", {"slot": 500, "market": "main"})


def test_a_parameter_may_be_a_text() -> None:
    assert read_params(Params, {"market": "altlend"}, "strategies.quiet") == Params("altlend")
    with pytest.raises(ParameterError, match="is not a text"):
        read_params(Params, {"market": 3}, "strategies.quiet")


@pytest.mark.parametrize("units", [(0,), (-1,), (2, 1)])
def test_a_need_that_nobody_quotes_is_refused_where_it_is_written(units: tuple[int, ...]) -> None:
    with pytest.raises(UnitError, match="ladder"):
        LadderNeed(tuple(TokenAmount(SOL, unit) for unit in units), SSOL)


def test_a_need_of_two_tokens_or_of_the_token_itself_is_refused() -> None:
    with pytest.raises(UnitError, match="compare"):
        LadderNeed((TokenAmount(SOL, 1), TokenAmount(SSOL, 2)), STRANGER)
    with pytest.raises(UnitError, match="for another"):
        LadderNeed((TokenAmount(SOL, 1),), SOL)
    assert LadderNeed((), SSOL).sizes == ()


STRANGER = replace(SSOL, address="Stranger11111111111111111111111111111111111")


def test_a_views_freshness_has_the_numbers_of_a_hold() -> None:
    here = view().slot
    fresh = Freshness(
        "node_behind", (Source("accounts", here, 41), Source("quotes a/b", None, None, "NoRoute")), (("limit", 25),)
    )
    assert fresh.numbers == {"accounts age_slots": 41, "limit": 25}
    assert Hold(fresh.problem, fresh.numbers).numbers == fresh.numbers
