"""Closing down: what holds nothing is closed and its rent comes back; what holds something is kept, and said why."""

from __future__ import annotations

from solders.account import Account
from solders.pubkey import Pubkey

from keeper.engine.accounting import account
from keeper.protocols.token import associated_token_address
from keeper.sim.localnet.programs.native_state import encode_token_account
from tests.setup.conftest import Operator

PERMIT = 1_781_760


async def test_everything_comes_back_but_the_permit_the_wallets_accounts_and_the_fees(operator: Operator) -> None:
    start = operator.lamports()
    opened = await operator.run(lend=("SOL",))
    closed = await operator.run(close=True)
    assert operator.bank.get_account(operator.margin_account) is None
    assert closed.change.value == operator.asked[1].change.value > 0
    assert any("goes out of use now" in line for line in operator.said)
    soon = await operator.run(close=True)
    assert soon.landed == ()
    assert "it can be closed after about" in operator.said[-2]
    operator.bank.advance_slot(600)
    last = await operator.run(close=True)
    assert len(last.landed) == 1
    assert (await operator.run(close=True)).landed == ()
    assert await operator.tables() == [], "a table that is gone is forgotten"
    fees = sum(one.fee.value for done in (opened, closed, last) for one in done.landed)
    wallets = 3 * 2_039_280
    assert start - operator.lamports() == fees + PERMIT + wallets
    assert (await account(operator.loaded(), accept=False, edges=operator.stage.edges)).differences == ()


async def test_after_closing_it_can_be_set_up_again_with_a_new_table(operator: Operator) -> None:
    await operator.run()
    (first,) = await operator.tables()
    await operator.run(close=True)
    again = await operator.run()
    assert again.landed
    tables = await operator.tables()
    assert (tables[0], len(tables)) == (first, 2)
    parts = await operator.assembled()
    assert parts.market.lookup_tables == (tables[1],), "one that is out of use is named no more"
    assert (await operator.run()).landed == ()


async def test_what_holds_something_is_kept(operator: Operator) -> None:
    await operator.run()
    mint = operator.sim.glowsol_mint
    key = associated_token_address(operator.margin_account, mint)
    held = operator.stored(key)
    tokens = encode_token_account(mint, operator.margin_account, 5)
    operator.put(key, Account(held.lamports, tokens, held.owner))
    await operator.owe(7)
    done = await operator.run(close=True)
    titles = [step.title for bundle in operator.asked[1].bundles for step in bundle.steps]
    assert titles == ["collateral position in sSOL", "lookup table out of use"]
    said = "\n".join(done.preview.notes)
    assert "the position in glowSOL: 5 units are still held" in said
    assert "the position in SOL: 7 units are still owed" in said
    assert "it still has positions" in said


async def test_a_position_that_setup_did_not_open_is_kept(operator: Operator) -> None:
    await operator.run()
    operator.rename_position(operator.sim.ssol_mint, Pubkey.new_unique())
    done = await operator.run(close=True)
    assert any("is not among those that setup opens" in note for note in done.preview.notes)
    assert operator.bank.get_account(operator.margin_account) is not None


async def test_closing_is_not_held_up_by_the_reserve(operator: Operator) -> None:
    await operator.run()
    operator.put(operator.stage.wallet.pubkey(), Account(50_000, b"", Pubkey.default()))
    await operator.accept_books()
    done = await operator.run(close=True)
    assert done.landed
    assert operator.lamports() > 50_000_000


async def test_nothing_to_close_says_so(operator: Operator) -> None:
    assert (await operator.run(close=True)).landed == ()
    assert operator.said == ["nothing to do: nothing can be closed"]
