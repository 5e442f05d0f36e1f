"""After setting up, the keeper's lending steps land, and its own table is what makes them fit."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack

from solders.message import MessageV0
from solders.transaction import VersionedTransaction

from keeper.engine.accounting import account
from keeper.engine.leadership import Lease
from keeper.execution.message import MAX_TRANSACTION_BYTES
from keeper.execution.outcome import Landed
from keeper.plan import Atomic, Borrow, Deposit, Expected, Intent, Plan, Stake
from keeper.units import SOL, Bps, Duration, Lamports, TokenAmount
from tests.engine.stage import SOL_UNIT
from tests.setup.conftest import Operator


def plan(*intents: Intent, min_health: int | None = None) -> Plan:
    expected = Expected(Lamports(0), Lamports(0), Bps(0), Lamports(0), Duration(0), Lamports(-(10**12)))
    return Plan((Atomic(intents, None if min_health is None else Bps(min_health)),), expected, "test")


async def test_a_lever_lands_in_one_transaction_through_the_keepers_own_table(
    operator: Operator, record_property: Callable[[str, object], None]
) -> None:
    await operator.run()
    (table,) = await operator.tables()
    async with AsyncExitStack() as closing:
        parts = await operator.stage.assemble(closing)
        lease = await Lease.take(parts.journal, "test", 1e6, operator.stage.clock)
        await parts.executor.recover(lease.held)
        lending, lrt = parts.market.lending, parts.market.lrt
        assert lending is not None
        assert lrt is not None
        glow = next(raw for raw in lending.raw if raw.mint == lrt.glowsol)
        place, pool = str(glow.config), str(next(one for one in lending.pools if one.mint == SOL).address)

        async def landed(*intents: Intent, min_health: int | None = None) -> Landed:
            view = await parts.observer.view(())
            (outcome,) = await parts.executor.execute(lease.held, "test", plan(*intents, min_health=min_health), view)
            assert isinstance(outcome, Landed), outcome
            operator.bank.advance_slot(2)
            return outcome

        def glowsol(units: int) -> TokenAmount:
            return TokenAmount(lrt.glowsol, units * SOL_UNIT)

        await landed(Stake(Lamports(100 * SOL_UNIT), glowsol(80)), Deposit(place, glowsol(80)))
        lever = (
            Borrow(pool, TokenAmount(SOL, 20 * SOL_UNIT)),
            Stake(Lamports(20 * SOL_UNIT), glowsol(16)),
            Deposit(place, glowsol(16)),
        )
        outcome = await landed(*lever, min_health=1_000)
        raw = next(one.raw for one in await parts.journal.attempts() if one.signature == outcome.signature)
        message = VersionedTransaction.from_bytes(raw).message
        assert isinstance(message, MessageV0)
        record_property("lever_bytes", len(raw))
        assert [look.account_key for look in message.address_table_lookups] == [table]
        assert len(raw) <= 640, f"{len(raw)} of {MAX_TRANSACTION_BYTES} bytes"
        assert outcome.native_change == Lamports(-outcome.fee.value), "no rent is left to be paid by a step"
        await lease.give_up()
    assert (await account(operator.loaded(), accept=False, edges=operator.stage.edges)).differences == ()
