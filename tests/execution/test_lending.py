"""Every lending intent, executed for real on the localnet's bank, and the ledger held against the chain after each."""

from __future__ import annotations

from dataclasses import replace

import pytest
from solders.pubkey import Pubkey

from keeper.execution.lending_sight import loan_account
from keeper.execution.outcome import Stage
from keeper.journal.journal import Journal
from keeper.journal.records import Leadership
from keeper.plan import Borrow, Deposit, Intent, Repay, RequestUnstake, Stake, Swap, Withdraw, Wrap
from keeper.sim.localnet.interface import BankConfig
from keeper.units import SOL, SSOL, WSOL_ADDRESS, Lamports, Mint, TokenAmount
from tests.execution.lending import SOL_LAMPORTS, Lending, make_lending_world, open_books
from tests.execution.world import VENUE


def sol(units: int) -> TokenAmount:
    return TokenAmount(SOL, units * SOL_LAMPORTS)


def ssol(units: int) -> TokenAmount:
    return TokenAmount(SSOL, units * SOL_LAMPORTS)


def glow(lending: Lending, units: int) -> TokenAmount:
    return TokenAmount(lending.world.glowsol, units * SOL_LAMPORTS)


def collateral(lending: Lending, mint: Mint) -> int:
    position = lending.account.position(Pubkey.from_string(mint.address))
    return 0 if position is None else position.balance


def loan_notes(lending: Lending, mint: Mint = SOL) -> int:
    return lending.units(loan_account(lending.addresses, lending.pool(mint)))


async def put(lending: Lending, units: int = 100) -> None:
    await lending.landed(Deposit(lending.place(lending.world.glowsol), glow(lending, units)))


async def test_raw_collateral_goes_in_and_comes_out_to_the_unit(lending: Lending) -> None:
    mint = lending.world.glowsol
    held = lending.world.tokens()[mint.address]
    outcome = await lending.landed(Deposit(lending.place(mint), glow(lending, 100)))
    assert outcome.deltas == {"lamports": -outcome.fee.value}
    assert (collateral(lending, mint), lending.world.tokens()[mint.address]) == (
        100 * SOL_LAMPORTS,
        held - 100 * SOL_LAMPORTS,
    )
    await lending.agrees()
    outcome = await lending.landed(Withdraw(lending.place(mint), glow(lending, 40)), min_health=10_000)
    assert (collateral(lending, mint), lending.world.tokens()[mint.address]) == (
        60 * SOL_LAMPORTS,
        held - 60 * SOL_LAMPORTS,
    )
    await lending.agrees()


async def test_borrowed_sol_arrives_as_native_sol_and_is_paid_back(lending: Lending) -> None:
    await put(lending)
    outcome = await lending.landed(Borrow(lending.market(), sol(50)), min_health=1_000)
    assert outcome.native_change.value == 50 * SOL_LAMPORTS - outcome.fee.value
    assert outcome.deltas[str(lending.pool().loan_note_mint)] == loan_notes(lending) > 0
    assert WSOL_ADDRESS not in lending.world.tokens()
    await lending.agrees()
    before = loan_notes(lending)
    outcome = await lending.landed(Repay(lending.market(), sol(20)))
    assert outcome.native_change.value == -20 * SOL_LAMPORTS - outcome.fee.value
    assert outcome.deltas[str(lending.pool().loan_note_mint)] == loan_notes(lending) - before < 0
    await lending.agrees()


async def test_a_whole_repayment_leaves_no_loan_and_gives_back_what_it_did_not_need(lending: Lending) -> None:
    await put(lending)
    await lending.landed(Borrow(lending.market(), sol(50)))
    lending.world.bank.advance_slot(500)
    outcome = await lending.landed(Repay(lending.market(), sol(60), whole=True))
    assert loan_notes(lending) == 0
    assert -51 * SOL_LAMPORTS < outcome.native_change.value < -50 * SOL_LAMPORTS
    await lending.agrees()


async def test_a_whole_repayment_spends_no_more_than_the_plan_allows(lending: Lending) -> None:
    await put(lending)
    await lending.landed(Borrow(lending.market(), sol(50)))
    outcome = await lending.refused(Repay(lending.market(), sol(50), whole=True))
    assert (outcome.stage, outcome.reason) == (Stage.COMPILE, "repay_beyond_amount")
    owed = outcome.numbers["owed"]
    assert isinstance(owed, int)
    assert owed > 50 * SOL_LAMPORTS == outcome.numbers["plan"]
    outcome = await lending.refused(Repay(lending.market(), sol(51)))
    assert outcome.reason == "repay_beyond_loan"
    # Exactly what is owed at the read: nothing is allowed for the interest since, so that is what may stay.
    await lending.landed(Repay(lending.market(), TokenAmount(SOL, owed + 1_000), whole=True))
    assert loan_notes(lending) <= 1_000


async def test_a_lever_lands_as_one_transaction_by_the_mint_and_by_the_dex(lending: Lending) -> None:
    await put(lending)
    mint, market = lending.world.glowsol, lending.market()
    before = lending.world.landed()
    minted: tuple[Intent, ...] = (
        Borrow(market, sol(20)),
        Stake(Lamports(20 * SOL_LAMPORTS), glow(lending, 18)),
        Deposit(lending.place(mint), glow(lending, 18)),
    )
    await lending.landed(*minted, min_health=1_000)
    await lending.agrees()
    bought: tuple[Intent, ...] = (
        Borrow(market, sol(20)),
        Swap(sol(20), glow(lending, 18), VENUE),
        Deposit(lending.place(mint), glow(lending, 18)),
    )
    await lending.landed(*bought, min_health=1_000)
    assert lending.world.landed() == before + 2
    assert collateral(lending, mint) == 136 * SOL_LAMPORTS
    await lending.agrees()


async def test_a_delever_sells_collateral_and_repays_in_one_transaction(lending: Lending) -> None:
    await put(lending)
    await lending.landed(Borrow(lending.market(), sol(50)))
    before = loan_notes(lending)
    step: tuple[Intent, ...] = (
        Withdraw(lending.place(lending.world.glowsol), glow(lending, 10)),
        Swap(glow(lending, 10), sol(10), VENUE),
        Repay(lending.market(), sol(10)),
    )
    await lending.landed(*step, min_health=3_000)
    assert loan_notes(lending) < before
    assert collateral(lending, lending.world.glowsol) == 90 * SOL_LAMPORTS
    await lending.agrees()


async def test_a_full_unwind_returns_everything_to_the_wallet(lending: Lending) -> None:
    mint = lending.world.glowsol
    await put(lending)
    await lending.landed(Borrow(lending.market(), sol(50)))
    await lending.landed(Repay(lending.market(), sol(51), whole=True))
    await lending.landed(Withdraw(lending.place(mint), glow(lending, 100)))
    assert (loan_notes(lending), collateral(lending, mint)) == (0, 0)
    await lending.agrees()


async def test_deposits_in_a_pool_are_lent_and_come_back(lending: Lending) -> None:
    outcome = await lending.landed(Deposit(lending.market(), sol(30)))
    notes = str(lending.pool().deposit_note_mint)
    assert 0 < outcome.deltas[notes] < 30 * SOL_LAMPORTS  # a note is worth more than a token by now
    await lending.agrees()
    outcome = await lending.landed(Withdraw(lending.market(), sol(29)), min_health=10_000)
    assert outcome.deltas["lamports"] == 29 * SOL_LAMPORTS - outcome.fee.value
    await lending.agrees()


async def test_sol_as_raw_collateral_is_wrapped_on_the_way(lending: Lending) -> None:
    outcome = await lending.landed(Deposit(lending.place(SOL), sol(5)))
    assert outcome.deltas == {"lamports": -5 * SOL_LAMPORTS - outcome.fee.value, WSOL_ADDRESS: 5 * SOL_LAMPORTS}
    await lending.agrees()
    await lending.landed(Withdraw(lending.place(SOL), sol(5)))
    assert WSOL_ADDRESS not in lending.world.tokens()
    await lending.agrees()


async def test_another_token_is_borrowed_and_a_loan_is_opened_on_the_way(lending: Lending) -> None:
    await put(lending)
    held = lending.world.tokens()[SSOL.address]
    await lending.landed(Borrow(lending.market(SSOL), ssol(10)), min_health=5_000)
    assert lending.world.tokens()[SSOL.address] == held + 10 * SOL_LAMPORTS
    await lending.agrees()
    await lending.landed(Repay(lending.market(SSOL), ssol(11), whole=True))
    assert loan_notes(lending, SSOL) == 0
    await lending.agrees()


async def test_older_wrapped_sol_comes_back_native_when_the_step_unwraps(lending: Lending) -> None:
    await put(lending)
    await lending.landed(Wrap(Lamports(3 * SOL_LAMPORTS)))
    outcome = await lending.landed(Borrow(lending.market(), sol(10)))
    assert outcome.native_change.value > 13 * SOL_LAMPORTS - outcome.fee.value
    await lending.agrees()


async def test_a_step_that_only_bounds_health_is_judged_by_fresh_prices(lending: Lending) -> None:
    await put(lending)
    await lending.landed(Borrow(lending.market(), sol(70)))
    lending.world.bank.advance_slot(1_000)
    await lending.landed(Wrap(Lamports(SOL_LAMPORTS)), min_health=2)
    outcome = await lending.refused(Wrap(Lamports(SOL_LAMPORTS)), min_health=9_000)
    assert (outcome.stage, outcome.reason) == (Stage.FIREWALL, "health_below_bound")


async def test_the_bound_on_health_is_exact_to_the_basis_point(lending: Lending) -> None:
    await put(lending)
    await lending.landed(Borrow(lending.market(), sol(60)))
    outcome = await lending.refused(Borrow(lending.market(), sol(1)), min_health=9_999)
    assert outcome.reason == "health_below_bound"
    health = outcome.numbers["health"]
    assert isinstance(health, int)
    assert (await lending.refused(Borrow(lending.market(), sol(1)), min_health=health + 1)).numbers["health"] == health
    await lending.landed(Borrow(lending.market(), sol(1)), min_health=health)


async def test_what_the_program_finds_unhealthy_is_refused_by_its_own_name(lending: Lending) -> None:
    await put(lending, 10)
    outcome = await lending.refused(Borrow(lending.market(), sol(20)))
    assert (outcome.stage, outcome.numbers["error"]) == (Stage.SIMULATION, "glow-margin: Unhealthy (135030)")
    await lending.landed(Borrow(lending.market(), sol(5)))
    outcome = await lending.refused(Withdraw(lending.place(lending.world.glowsol), glow(lending, 9)))
    assert outcome.numbers["error"] == "glow-margin: Unhealthy (135030)"


async def test_a_loan_without_a_price_stops_what_needs_health_and_not_the_way_out(lending: Lending) -> None:
    await put(lending)
    await lending.landed(Borrow(lending.market(), sol(20)))
    lending.oracles.stop("SOL/USD")
    lending.world.bank.advance_slot(200)  # 80 s
    for intent in (Borrow(lending.market(), sol(1)), Withdraw(lending.place(lending.world.glowsol), glow(lending, 1))):
        outcome = await lending.refused(intent)
        assert (outcome.stage, outcome.reason) == (Stage.COMPILE, "oracle_stale")
    assert (await lending.refused(Repay(lending.market(), sol(1)), min_health=0)).reason == "oracle_stale"
    await lending.landed(Deposit(lending.place(lending.world.glowsol), glow(lending, 1)))
    await lending.landed(Repay(lending.market(), sol(21), whole=True))
    await lending.agrees()


@pytest.mark.parametrize(
    ("fault", "reason"), [("zero", "price_not_positive"), ("wide", "oracle_unsure"), ("weak", "oracle_partial")]
)
async def test_a_price_that_the_programs_would_not_take_is_named(lending: Lending, fault: str, reason: str) -> None:
    await put(lending)
    {
        "zero": lambda: lending.oracles.override("SOL/USD", 0),
        "wide": lambda: lending.oracles.widen("SOL/USD", 600),
        "weak": lambda: lending.oracles.weaken("SOL/USD", 5),
    }[fault]()
    lending.world.bank.advance_slot(2)
    assert (await lending.refused(Borrow(lending.market(), sol(1)))).reason == reason


async def test_collateral_without_a_price_counts_nothing_but_does_not_stop_the_rest(lending: Lending) -> None:
    await put(lending)
    await lending.landed(Deposit(lending.place(SSOL), ssol(50)))
    lending.oracles.stop("sSOL/SOL")
    lending.world.bank.advance_slot(200)
    await lending.landed(Borrow(lending.market(), sol(20)), min_health=5_000)
    outcome = await lending.refused(Borrow(lending.market(), sol(90)))
    assert outcome.numbers["error"] == "glow-margin: Unhealthy (135030)"


async def test_weeks_without_interest_are_caught_up_within_a_bound(journal: Journal, leadership: Leadership) -> None:
    world, oracles, borrower = make_lending_world(bank_config=BankConfig(warp=50_000))  # a slot is 5 1/2 hours
    lending = await open_books(world, oracles, borrower, journal, leadership)
    await put(lending)
    await lending.landed(Borrow(lending.market(), sol(50)), min_health=1_000)
    await lending.agrees()
    world.bank.advance_slot(90)
    await lending.landed(Repay(lending.market(), sol(10)))
    await lending.agrees()
    world.bank.advance_slot(90)
    await lending.landed(Repay(lending.market(), sol(60), whole=True))
    assert loan_notes(lending) == 0
    await lending.agrees()
    world.bank.advance_slot(130)
    outcome = await lending.refused(Borrow(lending.market(), sol(1)))
    assert (outcome.reason, outcome.numbers["collects"]) == ("interest_behind", 5)


async def test_a_pool_that_is_named_wrongly_or_lends_something_else_is_unsupported(lending: Lending) -> None:
    for intent in (
        Borrow(lending.place(SSOL), ssol(1)),
        Deposit("nowhere", ssol(1)),
        Repay(lending.market(), ssol(1)),
        Withdraw(lending.market(), ssol(1)),
    ):
        assert (await lending.refused(intent)).reason == "unsupported_intent"


async def test_nothing_to_take_and_nothing_to_repay(lending: Lending) -> None:
    assert (await lending.refused(Withdraw(lending.market(), sol(1)))).reason == "no_position"
    assert (await lending.refused(Repay(lending.market(SSOL), ssol(1)))).reason == "no_position"
    assert (await lending.refused(Repay(lending.market(), sol(1)))).reason == "repay_beyond_loan"


async def test_spending_more_than_the_wallet_holds_is_refused_before_anything_is_asked(lending: Lending) -> None:
    for intent in (Deposit(lending.place(SSOL), ssol(100)), Repay(lending.market(), sol(10_000))):
        assert (await lending.refused(intent)).reason == "spends_more_than_sure"


async def test_without_a_table_the_larger_steps_are_too_long_and_say_so(
    journal: Journal, leadership: Leadership
) -> None:
    world, oracles, borrower = make_lending_world(table=False)
    world.market, world.venue.table = replace(world.market, lookup_tables=()), None
    lending = await open_books(world, oracles, borrower, journal, leadership)
    await put(lending)
    step: tuple[Intent, ...] = (
        Borrow(lending.market(), sol(20)),
        Swap(sol(20), glow(lending, 18), VENUE),
        Deposit(lending.place(lending.world.glowsol), glow(lending, 18)),
    )
    outcome = await lending.refused(*step)
    assert outcome.reason == "transaction_too_large"
    size = outcome.numbers["size"]
    assert isinstance(size, int)
    assert size > 1_232


async def test_ssol_leaves_collateral_and_the_stake_pool_in_one_step(lending: Lending) -> None:
    await lending.landed(Deposit(lending.place(SSOL), ssol(50)))
    await lending.landed(
        Withdraw(lending.place(SSOL), ssol(20)),
        RequestUnstake(ssol(20), Lamports(23 * SOL_LAMPORTS)),
        min_health=10_000,
    )
    await lending.agrees()
