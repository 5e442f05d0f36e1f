"""The pool's lenders through the bank: deposits, withdrawals, interest and fees, and who may hold restricted notes."""

from __future__ import annotations

import pytest
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_MARGIN, GLOW_MARGIN_POOL, GLOW_METADATA
from keeper.sim.localnet import pool_instructions as pools
from keeper.sim.localnet.lending_user import Borrower
from keeper.sim.localnet.programs.glow_margin_pool_accounts import PositionTokenMetadata
from keeper.sim.localnet.programs.glow_margin_pool_number import down, up
from keeper.sim.localnet.user_instructions import lrt
from tests.localnet_programs.lending_world import (
    SET_DESTINATION,
    SET_SOURCE,
    LendingWorld,
    event,
    make_lending_world,
    note_account_instruction,
)
from tests.localnet_programs.world import SOL, code, code_of, landed

WEEK = 604_800


@pytest.fixture
def lending() -> LendingWorld:
    return make_lending_world()


def rebuilt(instruction: Instruction, index: int, key: Pubkey) -> Instruction:
    """The instruction with another account at ``index``."""
    metas = list(instruction.accounts)
    old = metas[index]
    metas[index] = type(old)(key, old.is_signer, old.is_writable)
    return Instruction(instruction.program_id, bytes(instruction.data), metas)


def test_a_deposit_and_its_withdrawal_book_what_they_move(lending: LendingWorld) -> None:
    lender = lending.lender()
    before = lending.state()
    lending.advance()
    record = landed(lender.send(lending.deposit(lender, 100 * SOL)))
    after = lending.state()
    notes = lending.amount(lending.notes(lender.key))
    assert after.deposit_tokens - before.deposit_tokens == 100 * SOL
    assert after.deposit_notes - before.deposit_notes == notes
    assert after.accrued_until == lending.world.bank.clock.unix_timestamp > before.accrued_until
    assert lending.amount(lending.sol.vault) == after.deposit_tokens
    assert notes == 100 * SOL * 10**15 // after.deposit_rate  # one conversion: rounding of the rate aside
    payload = event(record, "Deposit")
    keys = (lending.sol.pool, lender.key, lender.account(lending.sol.mint), lending.notes(lender.key))
    numbers = [100 * SOL, notes, up(after.borrowed), down(after.uncollected_fees), after.deposit_tokens]
    numbers += [after.deposit_notes, after.loan_notes, after.accrued_until]
    assert payload == b"".join(map(bytes, keys)) + b"".join(number.to_bytes(8, "little") for number in numbers)

    record = landed(lender.send(lending.withdraw(lender, 0, SET_SOURCE)))
    assert lending.amount(lending.notes(lender.key)) == 0
    assert 1_000 * SOL - 2 <= lender.tokens(lending.sol.mint) <= 1_000 * SOL
    assert len(event(record, "Withdraw")) == len(payload)


def test_set_kinds_of_lenders(lending: LendingWorld) -> None:
    lender = lending.lender()
    mint = lending.sol.mint
    landed(lender.send(lending.deposit(lender, 900 * SOL, SET_SOURCE)))
    assert lender.tokens(mint) == 900 * SOL
    landed(lender.send(lending.deposit(lender, 300 * SOL, SET_DESTINATION)))
    assert 700 * SOL <= lender.tokens(mint) <= 700 * SOL + 2
    landed(lender.send(lending.withdraw(lender, 750 * SOL, SET_DESTINATION)))
    assert lender.tokens(mint) == 750 * SOL
    landed(lender.send(lending.withdraw(lender, 200 * SOL, SET_SOURCE)))
    assert 800 * SOL - 3 <= lender.tokens(mint) <= 800 * SOL
    lending.advance()
    assert code_of(lender, lending.deposit(lender, 900 * SOL, SET_SOURCE)) == 135110


def test_interest_flows_to_lenders_and_fees_to_their_owner(lending: LendingWorld) -> None:
    before = lending.state()
    fees = lending.amount(lending.sol.fee_destination)
    lending.advance(3_000)
    user = lending.world.actor()
    record = landed(user.send(pools.collect(lending.sol)))
    after = lending.state()
    minted = lending.amount(lending.sol.fee_destination) - fees
    assert minted > 0
    assert after.deposit_notes == before.deposit_notes + minted
    assert after.deposit_rate > before.deposit_rate
    assert after.loan_rate > before.loan_rate
    interest = down(after.borrowed) - down(before.borrowed)
    assert minted * after.deposit_rate // 10**15 == pytest.approx(interest // 5, abs=3)
    assert int.from_bytes(event(record, "Collect")[32:40], "little") == minted
    assert lending.supply(lending.sol.deposit_note_mint) == after.deposit_notes


def test_a_pool_that_fell_behind_is_caught_up_by_collecting() -> None:
    lending = make_lending_world(warp=200_000)  # 80 000 s a slot
    lender = lending.lender()
    stored = lending.state().accrued_until
    lending.advance(20)
    for instruction in (lending.deposit(lender, SOL), lending.withdraw(lender, 0, SET_SOURCE)):
        assert code_of(lender, instruction) == 135101
    landed(lender.send(pools.collect(lending.sol)))
    assert lending.state().accrued_until == stored + WEEK
    assert code_of(lender, lending.deposit(lender, SOL)) == 135101
    collections = [pools.collect(lending.sol)] * 2
    landed(lender.send(*collections, lending.deposit(lender, SOL)))
    assert lending.state().accrued_until == lending.world.bank.clock.unix_timestamp


def test_a_disabled_pool_moves_nothing_but_accrues_its_past() -> None:
    lending = make_lending_world(warp=200_000)
    lender = lending.lender()
    lending.write_state(flags=1 | 2)
    assert code_of(lender, pools.collect(lending.sol), lending.deposit(lender, SOL)) == 135100
    assert code_of(lender, pools.collect(lending.sol), lending.withdraw(lender, 0)) == 135100
    lending.advance(20)
    assert code_of(lender, pools.collect(lending.sol)) is None
    assert code_of(lender, *[pools.collect(lending.sol)] * 3) == 135100


def test_limits_of_lenders(lending: LendingWorld) -> None:
    lender = lending.lender()
    idle = lending.state().deposit_tokens
    lending.write_state(deposit_limit=idle + 10 * SOL)
    assert code_of(lender, lending.deposit(lender, 10 * SOL)) is None
    assert code_of(lender, lending.deposit(lender, 10 * SOL + 1)) == 135111
    assert code_of(lender, lending.deposit(lender, 1)) == 135104  # a note is worth more than one lamport
    holders = lending.world.as_actor(lending.world.market.holders)
    assert code_of(holders, lending.withdraw(holders, 10_001 * SOL)) == 135103
    assert code_of(holders, lending.withdraw(holders, 9_999 * SOL)) is None


def test_withdrawals_go_to_their_owner_only(lending: LendingWorld) -> None:
    lender, other = lending.lender(), lending.world.actor("other")
    landed(lender.send(lending.deposit(lender, 10 * SOL)))
    notes = lending.notes(lender.key)
    mine, theirs = lender.account(lending.sol.mint), other.account(lending.sol.mint)
    elsewhere = pools.withdraw(lending.sol, lender.key, notes=notes, destination=theirs, amount=SOL)
    assert code_of(lender, elsewhere) == 135114
    wrong_mint = lender.account(lending.world.market.ssol_mint)
    assert code_of(lender, rebuilt(lending.withdraw(lender, SOL), 5, wrong_mint)) == 2014
    assert code_of(lender, rebuilt(lending.withdraw(lender, SOL), 6, theirs)) == 2009
    stolen = pools.withdraw(lending.sol, other.key, notes=notes, destination=theirs, amount=SOL)
    assert code_of(other, stolen) == 4  # the token program: not the owner
    assert code_of(lender, pools.withdraw(lending.sol, lender.key, notes=notes, destination=mine, amount=SOL)) is None


def test_foreign_accounts_are_refused(lending: LendingWorld) -> None:
    lender = lending.lender()
    good = lending.deposit(lender, SOL)
    ssol = lending.world.market.lending_pools["sSOL"]
    assert code_of(lender, good) is None
    assert code_of(lender, rebuilt(good, 0, lender.key)) == 3007
    assert code_of(lender, rebuilt(good, 1, ssol.vault)) == 2001
    assert code_of(lender, rebuilt(good, 2, ssol.deposit_note_mint)) == 2001
    assert code_of(lender, rebuilt(good, 6, lender.account(lending.sol.mint))) == 2014
    assert code_of(lender, rebuilt(good, 7, lender.key)) == 3008
    assert code_of(lender, rebuilt(good, 9, ssol.deposit_metadata)) == 2003
    assert code_of(lender, rebuilt(good, 9, lending.sol.pool)) == 3007
    ssol_account = lender.account(ssol.mint)
    assert code_of(lender, rebuilt(good, 4, ssol_account)) == 2014
    metas = [meta if not meta.is_signer else type(meta)(meta.pubkey, False, False) for meta in good.accounts]
    unsigned = Instruction(GLOW_MARGIN_POOL, bytes(good.data), metas)
    assert code_of(lending.world.actor("payer"), unsigned) == 3010
    assert code_of(lender, Instruction(GLOW_MARGIN_POOL, bytes(good.data)[:-1], list(good.accounts))) == 102
    assert code_of(lender, Instruction(GLOW_MARGIN_POOL, b"\x03" * 12, list(good.accounts))) == 101
    unknown_kind = bytes(good.data)[:8] + b"\x03" + bytes(good.data)[9:]
    assert code_of(lender, Instruction(GLOW_MARGIN_POOL, unknown_kind, list(good.accounts))) == 102


def restrict(lending: LendingWorld, features: int) -> None:
    account = lending.world.bank.get_account(lending.sol.deposit_metadata)
    assert account is not None
    metadata = PositionTokenMetadata.decode(bytes(account.data))
    changed = PositionTokenMetadata(
        metadata.airspace,
        metadata.position_token_mint,
        metadata.underlying_token_mint,
        metadata.adapter_program,
        metadata.token_program,
        metadata.token_kind,
        metadata.value_modifier,
        metadata.max_staleness,
        token_features=features,
    )
    lending.write(lending.sol.deposit_metadata, changed.encode(), GLOW_METADATA)


def test_restricted_notes_only_enter_the_payers_own_margin_account(lending: LendingWorld) -> None:
    borrower = lending.borrower()
    notes = lending.with_notes(borrower)
    landed(borrower.actor.send(note_account_instruction(borrower.key, lending.sol)))
    source = borrower.actor.account(lending.sol.mint)
    account = lending.world.bank.get_account(borrower.account)
    assert account is not None
    data = bytearray(account.data)
    data[14] = 4  # a SOL-based account
    lending.write(borrower.account, bytes(data), GLOW_MARGIN)
    restrict(lending, 1 | 4)

    def attempt(payer: Borrower, destination: Pubkey, margin_account: Pubkey) -> object:
        wallet = payer.actor.account(lending.sol.mint)
        instruction = pools.deposit(lending.sol, payer.key, source=wallet, notes=notes, amount=SOL)
        return code_of(payer.actor, rebuilt(rebuilt(instruction, 6, destination), 10, margin_account))

    assert attempt(borrower, notes, borrower.account) is None
    assert attempt(borrower, notes, GLOW_MARGIN_POOL) == 135116
    assert attempt(borrower, lending.notes(borrower.key), borrower.account) == 135116
    assert attempt(lending.borrower("stranger"), notes, borrower.account) == 135116
    restrict(lending, 1 | 2)
    assert attempt(borrower, notes, borrower.account) == 135116
    restrict(lending, 4)
    landed(borrower.actor.send(pools.deposit(lending.sol, borrower.key, source=source, notes=notes, amount=SOL)))


def test_what_margin_must_call_itself_cannot_be_called_from_outside(lending: LendingWorld) -> None:
    borrower = lending.borrower()
    for instruction in (
        pools.refresh(lending.sol, borrower.account),
        rebuilt(pools.refresh(lending.sol, borrower.account), 0, lending.world.market.borrower_account),
    ):
        assert code_of(borrower.actor, instruction) == 135003
    assert code_of(borrower.actor, rebuilt(pools.refresh(lending.sol, borrower.account), 0, borrower.key)) == 3007


def test_the_lrt_still_works_beside_it(lending: LendingWorld) -> None:
    user = lending.world.actor()
    record = user.send(lrt(lending.world.market, user.key, "deposit_sol", lamports=SOL, minimum_shares=0))
    assert code(record) is None
