"""The margin account in the books: opened with what it holds, booked with what moves, and halting when somebody else moves it."""

from __future__ import annotations

from dataclasses import replace

from solders.account import Account as RawAccount
from solders.pubkey import Pubkey

from keeper.chain.pool import Endpoints
from keeper.execution.booking import book
from keeper.execution.lending_sight import held_accounts, loan_account, tracked_accounts
from keeper.execution.reconcile import Drift, drift, on_chain, opening_entries
from keeper.plan import Borrow, Deposit
from keeper.units import SSOL, Lamports, TokenAmount, UnixTime
from tests.execution.lending import SOL_LAMPORTS, Lending
from tests.execution.test_lending import glow, put, sol, ssol


async def test_opening_entries_hold_collateral_and_loans_by_their_mints(lending: Lending) -> None:
    await put(lending, 60)
    await lending.landed(Borrow(lending.market(), sol(20)))
    lending.world.bank.advance_slot(2)
    entries = await opening_entries(lending.world.node, lending.world.owner, UnixTime(7), lending.addresses)
    booked = {(entry.account, entry.asset): entry.delta for entry in entries}
    mint = lending.world.glowsol.address
    position = lending.account.position(Pubkey.from_string(mint))
    assert position is not None
    assert booked[str(position.address), mint] == 60 * SOL_LAMPORTS
    assert booked[str(position.address), "lamports"] == lending.world.bank.rent_exempt(165)
    loan = loan_account(lending.addresses, lending.pool())
    assert booked[str(loan), str(lending.pool().loan_note_mint)] == lending.units(loan) > 0
    without = {entry.account for entry in await opening_entries(lending.world.node, lending.world.owner, UnixTime(7))}
    assert without.isdisjoint({str(key) for key in held_accounts(lending.addresses)})


async def test_collateral_that_somebody_else_took_is_drift(lending: Lending) -> None:
    """What a liquidation looks like: collateral and debt are less than the books say, and nothing of ours did it."""
    await put(lending, 60)
    await lending.landed(Borrow(lending.market(), sol(20)))
    await lending.agrees()
    mint = lending.world.glowsol
    position = lending.account.position(Pubkey.from_string(mint.address))
    assert position is not None
    loan = loan_account(lending.addresses, lending.pool())
    debt = lending.units(loan)
    for key, units in ((position.address, 45 * SOL_LAMPORTS), (loan, 5 * SOL_LAMPORTS)):
        account = lending.world.bank.get_account(key)
        assert account is not None
        data = bytes(account.data)
        changed = data[:64] + units.to_bytes(8, "little") + data[72:]
        lending.world.bank.set_account(key, RawAccount(account.lamports, changed, account.owner))
    found = await drift(lending.journal, lending.world.node, lending.world.owner, lending.addresses)
    assert set(found) == {
        Drift(str(position.address), mint.address, 60 * SOL_LAMPORTS, 45 * SOL_LAMPORTS),
        Drift(str(loan), str(lending.pool().loan_note_mint), debt, 5 * SOL_LAMPORTS),
    }


async def test_an_attempt_that_an_earlier_process_landed_is_booked_with_the_margin_account(lending: Lending) -> None:
    """Recovery books as landing does: the same transaction, read again, gives the same entries."""
    await put(lending, 60)
    outcome = await lending.landed(Borrow(lending.market(), sol(20)))
    lending.world.bank.advance_slot(2)
    signature = lending.world.bank.signatures_for(lending.world.owner)[0]
    transaction = await lending.world.node.transaction(signature)
    assert transaction is not None
    tracked = tracked_accounts(lending.addresses)
    assert book(transaction, lending.world.owner, "test", tracked).deltas == dict(outcome.deltas)
    assert str(lending.pool().loan_note_mint) not in book(transaction, lending.world.owner, "test").deltas


async def test_a_restart_with_its_journal_agrees_and_goes_on(lending: Lending) -> None:
    await put(lending, 60)
    await lending.landed(Borrow(lending.market(), sol(20)))
    again = lending.world.executor(lending.journal, Endpoints(lending.world.node))
    assert await again.recover(lending.leadership) == ()
    lending.executor = again
    await lending.landed(Deposit(lending.place(SSOL), ssol(5)))
    await lending.agrees()


async def test_lamports_sent_ahead_to_an_account_that_is_not_open_are_not_ours(lending: Lending) -> None:
    await lending.agrees()
    closed = next(key for key in held_accounts(lending.addresses) if lending.world.bank.get_account(key) is None)
    lending.world.bank.set_account(closed, RawAccount(5_000_000, b"", Pubkey.default()))
    await lending.agrees()
    books = await on_chain(lending.world.node, lending.world.owner, replace(lending.addresses, seed=1))
    assert not any(account == str(closed) for account, _ in books.balances)


async def test_a_wallet_without_lending_is_booked_as_ever(lending: Lending) -> None:
    outcome = await lending.landed(Deposit(lending.place(lending.world.glowsol), glow(lending, 1)))
    assert TokenAmount(lending.world.glowsol, outcome.deltas.get(lending.world.glowsol.address, 0)).units == 0
    assert outcome.native_change == -outcome.fee
    assert outcome.fee > Lamports(0)
