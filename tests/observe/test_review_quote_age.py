"""Quotes and accounts are read at different slots: the view says by how much, and quotes that are too old are not used."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from keeper.observe.freshness import Accepted, Reading, judge
from keeper.observe.observer import ObservationFailed
from keeper.protocols.glow_lrt import LrtProgram
from keeper.protocols.glow_lrt.mapping import LrtMapping
from keeper.units import Epoch, Rate, Slot
from keeper.view import Source, View
from strategies.arbitrage import ARBITRAGE, Params
from tests.observe.conftest import RULES, Eye


def ages(view: View) -> dict[str, tuple[int | None, str]]:
    return {one.name: (one.age_slots, one.problem) for one in view.fresh.sources if one.name.startswith("quotes")}


async def test_the_view_says_how_much_older_its_quotes_are(eye: Eye) -> None:
    def slow(_method: str, answer: Any) -> Any:
        eye.net.bank.advance_slot()
        return answer

    eye.venue_wire.tamper = slow
    asked_at = (await eye.rpc.slot()).value
    view = await eye.observer().view(eye.needs)
    assert view.slot.value == asked_at + 9
    assert [ladder.slot for ladder in view.quotes] == [Slot(asked_at)] * 3
    names = ("quotes glowSOL/SOL", "quotes glowSOL/sSOL", "quotes SOL/glowSOL")
    assert ages(view) == dict.fromkeys(names, (9, ""))
    assert Source(names[0], Slot(asked_at), 9) in view.fresh.sources


async def test_quotes_that_waited_too_long_for_their_turn_are_missing_ladders(eye: Eye) -> None:
    """A rate limit of one request a second and many sizes: the first quote is old when the last one comes."""

    def crawl(_method: str, answer: Any) -> Any:
        eye.net.bank.advance_slot(20)
        return answer

    eye.venue_wire.tamper = crawl
    view = await eye.observer().view(eye.needs)
    assert view.fresh.ok  # claims and cancellations do not wait for the DEX
    assert view.quotes == ()
    assert set(ages(view).values()) == {(180, "quotes_stale")}
    patient = replace(RULES, max_quote_age_slots=180)
    assert len((await eye.observer(patient).view(eye.needs)).quotes) == 3


async def test_a_router_that_answers_out_of_an_old_state_is_not_believed(eye: Eye) -> None:
    frozen = (await eye.rpc.slot()).value - RULES.max_quote_age_slots - 1

    def old(_method: str, answer: Any) -> Any:
        if answer["inputMint"] == eye.lrt.glowsol.address:
            answer["contextSlot"] = frozen
        return answer

    eye.venue_wire.tamper = old
    view = await eye.observer().view(eye.needs)
    assert [ladder.buy for ladder in view.quotes] == [eye.lrt.glowsol]
    assert ages(view)["quotes glowSOL/SOL"] == (RULES.max_quote_age_slots + 1, "quotes_stale")


async def test_a_node_that_does_not_say_its_slot_is_no_view(eye: Eye) -> None:
    eye.wire.down = True
    with pytest.raises(ObservationFailed):
        await eye.observer().view(eye.needs)
    assert not eye.venue_wire.calls  # nothing was asked of the DEX for a view that cannot be


async def test_without_a_queue_in_the_mapping_there_is_no_place_in_it(eye: Eye) -> None:
    """The discount's way through the queue is then a Hold, and not a plan that no builder can build."""
    known = eye.lrt.program.mapping
    queueing = ("create_queue", "request_unstake", "claim_unstake", "cancel_unstake", "close_queue")
    mapping = LrtMapping(
        instructions={role: one for role, one in known.instructions.items() if role not in queueing},
        pool=known.pool,
        queue=None,
        accounts={name: source for name, source in known.accounts.items() if source.kind != "queue"},
    )
    program = eye.lrt.program
    bare = LrtProgram(program.idl, mapping, program.program_id, program.pool, program.pool_state)
    market = replace(eye.market, lrt=replace(eye.lrt, program=bare))
    view = await eye.observer(market=market).view(ARBITRAGE.needs(Params(), eye.lrt.glowsol))
    assert view.glowsol is not None
    assert view.glowsol.queue_slots_free == 0
    assert view.queue == ()


async def test_a_dex_only_mode_quotes_what_it_is_asked_for(eye: Eye) -> None:
    view = await eye.observer(market=replace(eye.market, lrt=None)).view(eye.needs)
    assert len(view.quotes) == 3
    assert ARBITRAGE.decide(view, Params()).reason == "lrt_unavailable"


def test_a_verdict_has_the_numbers_that_it_was_made_by() -> None:
    last = Accepted(Epoch(900), Rate(105, 100))
    reading = Reading(Slot(500), Slot(500), Slot(500), 1.5, Epoch(900), Rate(104, 100))
    fell = judge(reading, last, RULES, ())
    assert fell.problem == "redemption_rate_fell"
    assert fell.numbers["rate"] == "1.040000000"
    assert fell.numbers["believed_rate"] == "1.050000000"
    assert fell.numbers["believed_epoch"] == 900
    behind = judge(replace(reading, highest_slot=Slot(541)), last, RULES, ())
    assert (behind.problem, behind.numbers["accounts age_slots"], behind.numbers["max_age_slots"]) == (
        "node_behind",
        41,
        40,
    )
    frozen = judge(replace(reading, seconds_since_progress=20.5), last, RULES, ())
    assert (frozen.problem, frozen.numbers["ms_since_progress"]) == ("node_frozen", 20_500)
    assert judge(replace(reading, rate=last.rate), last, RULES, ()).numbers == {
        "accounts age_slots": 0,
        "clock age_slots": 0,
    }
