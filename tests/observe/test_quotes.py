"""A DEX that does not answer, or answers nonsense, costs its ladders and is counted; the view stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from keeper.strategy import LadderNeed
from keeper.units import SOL, STAKE_POOL_LST, TokenAmount
from keeper.venues.door import NoRoute, QuoteAbsurd, QuoteMalformed, VenueError, VenueUnavailable
from tests.engine.stage import SOL_UNIT
from tests.observe.conftest import RULES, Eye


async def _nothing_quoted(eye: Eye, error: type[Exception]) -> None:
    view = await eye.observer().view(eye.needs)
    assert view.fresh.ok
    assert view.quotes == ()
    assert view.glowsol is not None
    assert len(eye.quoted) == 9
    assert {(venue, type(fault)) for venue, fault in eye.quoted} == {("jupiter", error)}
    named = {source.name: source.problem for source in view.fresh.sources if source.problem}
    assert named == dict.fromkeys(("quotes glowSOL/SOL", "quotes glowSOL/sSOL", "quotes SOL/glowSOL"), error.__name__)


async def test_a_dex_that_is_down(eye: Eye) -> None:
    eye.venue_wire.down = True
    await _nothing_quoted(eye, VenueUnavailable)


@pytest.mark.parametrize("status", [500, 503])
async def test_a_dex_that_answers_5xx(eye: Eye, status: int) -> None:
    eye.venue_wire.status = status
    await _nothing_quoted(eye, VenueUnavailable)


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe", b"[" * 100_000, b'{"outAmount": NaN'])
async def test_a_dex_that_answers_garbage(eye: Eye, body: bytes) -> None:
    eye.venue_wire.tamper = lambda _method, _answer: body
    await _nothing_quoted(eye, VenueUnavailable)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda quote: quote.pop("outAmount"), QuoteMalformed),
        (lambda quote: quote.pop("otherAmountThreshold"), QuoteMalformed),
        (lambda quote: quote.update(outAmount="-1"), QuoteMalformed),
        (lambda quote: quote.update(outAmount="1e9"), QuoteMalformed),
        (lambda quote: quote.update(outAmount=None), QuoteMalformed),
        (lambda quote: quote.update(outAmount=str(2**70)), VenueError),
        (lambda quote: quote.update(inAmount="1"), QuoteAbsurd),
        (lambda quote: quote.update(outputMint=quote["inputMint"]), QuoteAbsurd),
        (lambda quote: quote.update(otherAmountThreshold=str(int(quote["outAmount"]) + 1)), QuoteAbsurd),
        (lambda quote: quote.update(otherAmountThreshold="0"), QuoteAbsurd),
    ],
)
async def test_a_quote_with_missing_or_absurd_fields(
    eye: Eye, change: Callable[[dict[str, Any]], object], error: type[VenueError]
) -> None:
    def tamper(_method: str, answer: Any) -> Any:
        change(answer)
        return answer

    eye.venue_wire.tamper = tamper
    view = await eye.observer().view(eye.needs)
    assert view.quotes == ()
    assert len(eye.quoted) == 9
    assert all(isinstance(fault, error) for _, fault in eye.quoted), eye.quoted[0]


async def test_a_pair_without_a_route(eye: Eye) -> None:
    size = TokenAmount(STAKE_POOL_LST, SOL_UNIT)  # no pool trades it
    view = await eye.observer().view((LadderNeed((size,), eye.lrt.glowsol),))
    assert view.quotes == ()
    assert [type(fault) for _, fault in eye.quoted] == [NoRoute]


async def test_a_size_that_no_pool_can_take(eye: Eye) -> None:
    size = TokenAmount(SOL, 10**18)
    view = await eye.observer().view((LadderNeed((size,), eye.lrt.glowsol),))
    assert view.quotes == ()
    assert [type(fault) for _, fault in eye.quoted] == [QuoteAbsurd]


async def test_one_size_that_fails_costs_that_size_alone(eye: Eye) -> None:
    seen: list[int] = []

    def tamper(_method: str, answer: Any) -> Any:
        seen.append(1)
        return b"garbage" if len(seen) == 2 else answer

    eye.venue_wire.tamper = tamper
    view = await eye.observer().view(eye.needs[2:])
    ladder = view.ladder(SOL, eye.lrt.glowsol)
    assert ladder is not None
    assert len(ladder.rungs) == 2
    assert sorted(fault is None for _, fault in eye.quoted) == [False, True, True]
    assert not any(source.problem for source in view.fresh.sources)


async def test_an_inflated_quote_loses_against_its_neighbours(eye: Eye) -> None:
    """A smaller size that promises more than the larger ones is the one that goes."""

    def tamper(_method: str, answer: Any) -> Any:
        if answer["inAmount"] == str(eye.needs[2].sizes[0].units):
            answer["outAmount"] = str(10**13)
        return answer

    eye.venue_wire.tamper = tamper
    view = await eye.observer().view(eye.needs[2:])
    ladder = view.ladder(SOL, eye.lrt.glowsol)
    assert ladder is not None
    assert [rung.sell for rung in ladder.rungs] == list(eye.needs[2].sizes[1:])


async def test_quotes_that_came_are_counted_too(eye: Eye) -> None:
    await eye.observer().view(eye.needs)
    assert eye.quoted == [("jupiter", None)] * 9


async def test_quotes_much_older_than_the_accounts_are_no_quotes(eye: Eye) -> None:
    """A rate limit can hold a ladder up while the chain goes on; what it says is then of another market."""

    def slowly(_method: str, answer: Any) -> Any:
        eye.net.bank.advance_slot(4)
        return answer

    observer = eye.observer(replace(RULES, max_quote_age_slots=10))
    eye.venue_wire.tamper = slowly
    view = await observer.view(eye.needs)
    assert view.quotes == ()
    assert {source.problem for source in view.fresh.sources if source.name.startswith("quotes")} == {"quotes_stale"}
    assert view.fresh.ok, "the accounts are fresh, and a claim needs no quote"
    eye.venue_wire.tamper = None
    assert len((await observer.view(eye.needs)).quotes) == 3
