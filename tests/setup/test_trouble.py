"""What the network and other people do meanwhile: dropped transactions, a failure on chain, a node that hangs back."""

from __future__ import annotations

from typing import Any

import pytest

from keeper.engine.accounting import account
from keeper.engine.assembly import StartupError
from keeper.journal.journal import Journal
from keeper.protocols.glow_margin import airspace_permit_address
from keeper.sim.localnet.lending_addresses import AIRSPACE
from keeper.sim.localnet.rpc.faults import FaultRates
from tests.setup.conftest import Operator


async def states(operator: Operator) -> list[str]:
    async with await operator.journal() as journal:
        return [one.state.value for one in await journal.attempts()]


async def test_what_the_network_swallows_costs_nothing_and_is_tried_again(operator: Operator) -> None:
    start = operator.lamports()
    operator.stage.net.faults.rates = FaultRates(drop_rate_bps=10_000)
    with pytest.raises(StartupError, match=r"expired 3 times unexecuted and cost nothing"):
        await operator.run()
    assert (operator.lamports(), await states(operator)) == (start, ["expired"] * 3)
    operator.stage.net.faults.rates = FaultRates()
    done = await operator.run()
    assert operator.lamports() - start == done.change.value == operator.asked[0].change.value


async def test_one_that_expires_is_made_again_within_the_run(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second transaction is swallowed; it makes the lookup table, so a new slot and a new address are taken."""
    real, tables = Journal.record_table, list[str]()

    async def noted(self: Journal, held: Any, table: Any) -> None:
        tables.append(table.address)
        drop = 10_000 if len(tables) == 1 else 0
        operator.stage.net.faults.rates = FaultRates(drop_rate_bps=drop)
        await real(self, held, table)

    real_resolve = Journal.resolve

    async def heard(self: Journal, *given: Any, **named: Any) -> None:
        operator.stage.net.faults.rates = FaultRates()
        await real_resolve(self, *given, **named)

    monkeypatch.setattr(Journal, "record_table", noted)
    monkeypatch.setattr(Journal, "resolve", heard)
    start = operator.lamports()
    done = await operator.run()
    assert (await states(operator)).count("expired") == 1
    assert len(set(tables)) == 2
    assert [str(table) for table in await operator.tables()] == tables[1:]
    assert operator.lamports() - start == done.change.value == operator.asked[0].change.value


async def test_a_failure_on_chain_is_named_costs_its_fee_and_does_not_bar_the_way(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between simulation and landing somebody else gives the wallet its permit."""
    real = Journal.record_attempt

    async def overtaken(self: Journal, *given: Any) -> None:
        await real(self, *given)
        operator.issue_permit(airspace_permit_address(AIRSPACE, operator.stage.wallet.pubkey()))

    start = operator.lamports()
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "record_attempt", overtaken)
        with pytest.raises(
            StartupError, match=r"failed on chain \(.*\); .*fee .*nothing else of it happened"
        ) as caught:
            await operator.run()
    assert "airspace permit, margin account" in str(caught.value)
    fee = operator.asked[0].bundles[0].budget.fee.value
    assert start - operator.lamports() == fee
    done = await operator.run()
    assert start - operator.lamports() == fee - done.change.value
    assert await states(operator) == ["failed", *["landed"] * len(done.landed)]
    assert (await account(operator.loaded(), accept=False, edges=operator.stage.edges)).differences == ()


async def test_a_simulation_that_fails_sends_nothing_and_names_the_programs_error(operator: Operator) -> None:
    """A collateral token that governance made restricted since: an account for all tokens may not hold it."""
    operator.restrict("sSOL")
    with pytest.raises(StartupError, match=r"was not sent: simulation/program_error: glow-margin: RestrictedToken"):
        await operator.run()
    assert (operator.transactions(), await states(operator)) == (0, [])


async def test_a_node_that_answers_badly_for_a_while_is_asked_again(operator: Operator) -> None:
    operator.stage.net.faults.rates = FaultRates(lost_answer_bps=500, land_delay_slots=5)
    start = operator.lamports()
    done = await operator.run()
    assert operator.lamports() - start == done.change.value == operator.asked[0].change.value
