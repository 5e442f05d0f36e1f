"""Loans through the margin program: borrowing in both forms, repaying in all, prices of notes, and what stops them."""

from __future__ import annotations

import pytest
from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_MARGIN_POOL, PYTH_RECEIVER, TOKEN_2022
from keeper.sim.localnet import margin_instructions as margin
from keeper.sim.localnet import pool_instructions as pools
from keeper.sim.localnet.lending_addresses import GLOWSOL_RATE, SOL_USD, SSOL_RATE
from keeper.sim.localnet.lending_user import Borrower
from keeper.sim.localnet.market import LendingConfig
from keeper.sim.localnet.programs.glow_margin_errors import PriceError
from keeper.sim.localnet.programs.glow_margin_pool_exchange import Action
from keeper.sim.localnet.programs.glow_margin_pool_number import down, up
from keeper.sim.localnet.programs.glow_margin_tokens import associated_address
from tests.localnet_programs.lending_world import (
    SET_DESTINATION,
    SET_SOURCE,
    LendingWorld,
    event,
    make_lending_world,
)
from tests.localnet_programs.world import SOL, code, landed


@pytest.fixture
def lending() -> LendingWorld:
    return make_lending_world()


def wallet(borrower: Borrower) -> Pubkey:
    return borrower.actor.account(borrower.market.sol_mint)


def test_a_loan_from_the_first_note_to_the_last(lending: LendingWorld) -> None:
    borrower = lending.borrower()
    loan = pools.loan_account(lending.sol, borrower.account)
    account = lending.world.bank.get_account(loan)
    assert account is not None
    assert account.owner == TOKEN_2022
    assert bytes(account.data)[32:64] == bytes(lending.sol.pool)  # the pool holds the claim, not the borrower
    before = lending.state()
    record = landed(borrower.borrow("SOL", 200 * SOL))
    after = lending.state()
    assert borrower.actor.tokens(lending.sol.mint) == 1_200 * SOL
    assert after.loan_notes - before.loan_notes == lending.amount(loan)
    assert before.deposit_tokens - after.deposit_tokens == 200 * SOL
    assert lending.amount(lending.sol.vault) == after.deposit_tokens
    assert 200 * SOL <= borrower.debt("SOL") <= 200 * SOL + 2
    assert len(event(record, "MarginBorrow")) == 4 * 32 + 3 * 8 + 6 * 8
    lending.advance(500)
    landed(borrower.repay("SOL", 50 * SOL))
    assert 150 * SOL < borrower.debt("SOL") < 151 * SOL  # and interest
    record = landed(borrower.repay("SOL"))
    assert lending.amount(loan) == borrower.debt("SOL") == 0
    assert len(event(record, "Repay")) == 4 * 32 + 2 * 8 + 6 * 8
    rent = borrower.actor.lamports
    record = landed(lending.invoke(borrower, pools.close_loan(lending.sol, borrower.account, borrower.key)))
    assert lending.world.bank.get_account(loan) is None
    assert borrower.actor.lamports == rent + account.lamports - record.fee
    assert borrower.state.position(lending.sol.loan_note_mint) is None


def test_a_loan_account_is_opened_once_and_closed_empty(lending: LendingWorld) -> None:
    borrower = lending.borrower()
    landed(borrower.borrow("SOL", SOL))
    again = pools.register_loan(lending.sol, borrower.account, borrower.key)
    assert code(lending.invoke(borrower, again)) == 0  # the System program: already in use
    close = pools.close_loan(lending.sol, borrower.account, borrower.key)
    assert code(lending.invoke(borrower, close)) == 11  # the token program: not empty


def test_a_stray_lamport_does_not_block_a_loan_account(lending: LendingWorld) -> None:
    actor = lending.world.actor("early")
    borrower = Borrower(actor)
    lending.world.bank.airdrop(pools.loan_account(lending.sol, borrower.account), 900_000)
    landed(borrower.open())
    assert lending.amount(pools.loan_account(lending.sol, borrower.account)) == 0


def test_borrowing_into_a_deposit_and_repaying_out_of_it(lending: LendingWorld) -> None:
    borrower = lending.borrower()
    notes = lending.with_notes(borrower)
    before = lending.state()
    borrow = pools.margin_borrow(lending.sol, borrower.account, notes=notes, amount=100 * SOL)
    landed(lending.invoke(borrower, borrow))
    after = lending.state()
    assert after.deposit_tokens == before.deposit_tokens
    assert down(after.borrowed) - down(before.borrowed) == pytest.approx(100 * SOL, abs=10**6)
    held = after.notes(lending.amount(notes), Action.WITHDRAW).tokens
    assert 100 * SOL - 2 <= held <= 100 * SOL
    raised = pools.margin_borrow(lending.sol, borrower.account, notes=notes, amount=150 * SOL, kind=SET_SOURCE)
    landed(lending.invoke(borrower, raised))
    assert 150 * SOL - 2 <= borrower.debt("SOL") <= 150 * SOL + 2
    lowered = pools.margin_repay(lending.sol, borrower.account, notes=notes, amount=60 * SOL, kind=SET_DESTINATION)
    record = landed(lending.invoke(borrower, lowered))
    assert 60 * SOL - 2 <= borrower.debt("SOL") <= 60 * SOL + 2
    assert len(event(record, "MarginRepay")) == 4 * 32 + 3 * 8 + 6 * 8
    everything = pools.margin_repay(lending.sol, borrower.account, notes=notes, amount=0, kind=SET_SOURCE)
    landed(lending.invoke(borrower, everything))
    assert lending.amount(notes) == 0
    assert borrower.debt("SOL") < 10  # what rounding took, the deposit could not pay
    landed(borrower.repay("SOL"))
    assert borrower.debt("SOL") == 0
    assert lending.supply(lending.sol.loan_note_mint) == lending.state().loan_notes


def test_a_deposit_in_the_pool_is_collateral(lending: LendingWorld) -> None:
    borrower = lending.borrower(collateral=SOL)
    notes = lending.with_notes(borrower)
    put = pools.deposit(lending.sol, borrower.key, source=wallet(borrower), notes=notes, amount=500 * SOL)
    landed(borrower.send(margin.accounting_invoke(borrower.account, put)))
    landed(borrower.borrow("SOL", 300 * SOL))
    assert code(borrower.borrow("SOL", 100 * SOL)) == 135030
    mine = associated_address(borrower.account, lending.sol.mint, lending.sol.token_program)
    landed(borrower.send(*borrower.raw_position("SOL")))

    def take(amount: int, destination: Pubkey) -> object:
        inner = pools.withdraw(lending.sol, borrower.account, notes=notes, destination=destination, amount=amount)
        return code(lending.invoke(borrower, inner))

    assert take(SOL, mine) is None
    assert take(SOL, wallet(borrower)) is None
    assert take(SOL, lending.lender().account(lending.sol.mint)) == 135114
    assert take(450 * SOL, wallet(borrower)) == 135030


def test_the_utilisation_cap_holds_for_borrowers_and_not_for_lenders() -> None:
    lending = make_lending_world(LendingConfig(borrower_collateral=100_000 * SOL))
    market = lending.world.market
    resident = Borrower(lending.world.as_actor(market.borrower))
    assert code(resident.borrow("SOL", 9_100 * SOL)) == 135109
    landed(resident.borrow("SOL", 8_990 * SOL))
    lender = lending.world.as_actor(market.holders)
    landed(lender.send(lending.withdraw(lender, 900 * SOL)))
    state = lending.state()
    assert state.utilisation * 10_000 // 10**15 > 9_900
    assert state.borrow_rate > 19 * 10**14
    lending.write_state(flags=0)
    assert code(resident.borrow("SOL", SOL)) == 135102
    lending.write_state(flags=2, borrow_limit=up(state.borrowed))
    lending.advance()
    assert code(resident.borrow("SOL", SOL)) == 135112


def test_note_prices_are_token_prices_times_note_rates(lending: LendingWorld) -> None:
    borrower = lending.borrower()
    notes = lending.with_notes(borrower)
    landed(borrower.send(*borrower.refresh()))
    state = lending.state()
    found = {position.address: position.price for position in borrower.state.positions}
    deposit, loan = found[notes], found[pools.loan_account(lending.sol, borrower.account)]
    assert deposit.is_valid
    assert deposit.exponent == -8
    assert deposit.value == (15_000_000_000 * state.deposit_rate + 5 * 10**14) // 10**15
    assert loan.value == (15_000_000_000 * state.loan_rate + 5 * 10**14) // 10**15


def test_refreshing_publishes_the_stored_state_and_accrues_nothing(lending: LendingWorld) -> None:
    borrower = lending.borrower()
    lending.advance(100)
    before = lending.state()
    landed(borrower.send(margin.accounting_invoke(borrower.account, pools.refresh(lending.sol, borrower.account))))
    assert lending.state() == before


def test_a_redemption_pool_multiplies_its_rate(lending: LendingWorld) -> None:
    borrower = lending.borrower(loans=("SOL", "sSOL"))
    lending.oracles.override(SSOL_RATE, 116_779_625)
    lending.advance()
    landed(borrower.send(*borrower.refresh()))
    pool = lending.world.market.lending_pools["sSOL"]
    position = borrower.state.position(pool.loan_note_mint)
    assert position is not None
    exact = 116_779_625 * 150 * lending.state("sSOL").loan_rate
    assert position.price.value == (exact + 5 * 10**14) // 10**15
    missing = pools.refresh(pool, borrower.account)
    metas = [*missing.accounts[:3], type(missing.accounts[3])(GLOW_MARGIN_POOL, False, False)]
    bare = type(missing)(GLOW_MARGIN_POOL, bytes(missing.data), metas)
    assert code(borrower.send(margin.accounting_invoke(borrower.account, bare))) == 135115


def refreshed(lending: LendingWorld, borrower: Borrower, symbol: str = "SOL") -> object:
    pool = lending.world.market.lending_pools[symbol]
    return code(borrower.send(margin.accounting_invoke(borrower.account, pools.refresh(pool, borrower.account))))


def test_bad_prices_stop_a_refresh_or_make_it_worthless(lending: LendingWorld) -> None:
    borrower = lending.borrower(loans=("SOL", "sSOL"))
    oracles = lending.oracles
    oracles.stop(SOL_USD)
    lending.advance(15)
    assert refreshed(lending, borrower) is None  # 60 seconds old
    lending.advance()
    assert refreshed(lending, borrower) == PriceError.PRICE_TOO_OLD
    oracles.heal()
    oracles.weaken(SOL_USD, 5)
    lending.advance()
    assert refreshed(lending, borrower) == PriceError.INSUFFICIENT_VERIFICATION_LEVEL
    oracles.heal()
    oracles.override(SSOL_RATE, -1)
    lending.advance()
    assert refreshed(lending, borrower, "sSOL") == "ProgramFailedToComplete"
    oracles.heal()
    oracles.widen(SOL_USD, 501)
    lending.advance()
    assert refreshed(lending, borrower) is None
    position = borrower.state.position(lending.sol.loan_note_mint)
    assert position is not None
    assert not position.price.is_valid
    foreign = lending.world.bank.get_account(lending.sol.price)
    assert foreign is not None
    assert foreign.owner == PYTH_RECEIVER
    lending.advance()
    lending.write(lending.sol.price, bytes(foreign.data), GLOW_MARGIN_POOL)
    assert refreshed(lending, borrower) == 135106


def test_a_wrong_feed_is_a_wrong_price(lending: LendingWorld) -> None:
    borrower = lending.borrower()
    other = lending.world.bank.get_account(lending.oracles.address(GLOWSOL_RATE))
    assert other is not None
    lending.write(lending.sol.price, bytes(other.data), PYTH_RECEIVER)
    assert refreshed(lending, borrower) == PriceError.MISMATCHED_FEED_ID


def test_a_stale_price_blocks_borrowing_and_not_repaying(lending: LendingWorld) -> None:
    borrower = lending.borrower()
    landed(borrower.borrow("SOL", 100 * SOL))
    lending.oracles.stop()
    lending.advance(30)
    assert code(borrower.borrow("SOL", SOL)) == PriceError.PRICE_TOO_OLD
    landed(borrower.repay("SOL", 50 * SOL))


@pytest.mark.parametrize("published", [False, True])
def test_a_whole_repayment_is_whole_unless_the_program_is_as_published(published: bool) -> None:
    """In the public source ``repay`` values the debt at the deposit note's rate, 1.02 here against 1.05."""
    lending = make_lending_world(LendingConfig(published_repay=published))
    borrower = lending.borrower()
    landed(borrower.borrow("SOL", 105 * SOL))
    landed(borrower.repay("SOL"))
    rest = borrower.debt("SOL")
    assert rest == (pytest.approx(3 * SOL, rel=1e-3) if published else 0)
    for _ in range(9):
        lending.advance()
        if borrower.debt("SOL"):
            landed(borrower.repay("SOL"))
    assert borrower.debt("SOL") == 0
