"""Reading a strategy's parameters: by type, with errors that name the key; and finding strategies of other packages."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from keeper import strategy
from keeper.plan import Hold
from keeper.strategy import ParameterError, Strategy, StrategyNotFound, configure, load, read_params
from keeper.units import Bps, Duration, Lamports
from keeper.view import View
from tests.strategies.market_views import GLOWSOL, view


@dataclass(frozen=True)
class Params:
    amount: Lamports
    share: Bps = Bps(10)
    wait: Duration = Duration(60)
    count: int = 3
    active: bool = True
    sizes: tuple[Lamports, ...] = (Lamports(1),)

    def __post_init__(self) -> None:
        if self.count > 10:
            raise ValueError("count may be at most 10")


def _decide(seen: View, params: Params) -> Hold:
    return Hold("quiet", {"slot": seen.slot.value, "count": params.count})


QUIET = Strategy("quiet", Params, _decide, lambda _params, _glowsol: ())


def test_every_type_reads_its_text() -> None:
    table = {
        "amount": "2 SOL",
        "share": "0.2 %",
        "wait": "7 days",
        "count": 4,
        "active": False,
        "sizes": ["1 SOL", "2 SOL"],
    }
    read = read_params(Params, table, "strategies.quiet")
    assert read == Params(
        Lamports(2 * 10**9), Bps(20), Duration(604_800), 4, False, (Lamports(10**9), Lamports(2 * 10**9))
    )


@pytest.mark.parametrize(
    ("table", "field", "said"),
    [
        ({"amont": "1 SOL", "amount": "1 SOL"}, "strategies.quiet.amont", "did you mean 'amount'"),
        ({"zzz": 1, "amount": "1 SOL"}, "strategies.quiet.zzz", "known: active, amount"),
        ({}, "strategies.quiet.amount", "missing"),
        ({"amount": "1"}, "strategies.quiet.amount", "write an amount"),
        ({"amount": "1 SOL", "share": "0.001 bps"}, "strategies.quiet.share", "finer than"),
        ({"amount": "1 SOL", "count": "3"}, "strategies.quiet.count", "whole number"),
        ({"amount": "1 SOL", "count": 3.0}, "strategies.quiet.count", "whole number"),
        ({"amount": "1 SOL", "active": "yes"}, "strategies.quiet.active", "true or false"),
        ({"amount": "1 SOL", "sizes": ["2 SOL", "1 SOL"]}, "strategies.quiet.sizes", "rising"),
        ({"amount": "1 SOL", "sizes": []}, "strategies.quiet.sizes", "list of amounts"),
        ({"amount": "1 SOL", "count": 11}, "strategies.quiet", "at most 10"),
    ],
)
def test_a_wrong_table_names_the_key_the_value_and_the_remedy(table: dict[str, object], field: str, said: str) -> None:
    with pytest.raises(ParameterError, match="strategies") as caught:
        read_params(Params, table, "strategies.quiet")
    assert caught.value.field == field
    assert said in str(caught.value)


def test_another_packages_strategy_is_found_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("quiet", f"{__name__}:QUIET", strategy.GROUP)
    monkeypatch.setattr(EntryPoint, "load", lambda _self: QUIET)
    monkeypatch.setattr(strategy, "entry_points", lambda *, group: EntryPoints([point]).select(group=group))
    mine = configure("quiet", {"amount": "1 SOL"}, "strategies.quiet")
    assert mine.decide(view()) == Hold("quiet", {"slot": 500, "count": 3})
    assert mine.needs(GLOWSOL) == ()


def test_an_unknown_strategy_names_the_nearest_one() -> None:
    with pytest.raises(StrategyNotFound, match="did you mean 'arbitrage'"):
        load("arbitrge")


def test_an_entry_point_that_is_no_strategy_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EntryPoint, "load", lambda _self: "not a strategy")
    with pytest.raises(TypeError, match=r"not a keeper\.strategy\.Strategy"):
        load("arbitrage")
