"""From nothing to everything on the localnet: shown, asked, paid to the lamport, and never twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from solders.account import Account
from solders.pubkey import Pubkey

from keeper.engine.accounting import account
from keeper.engine.assembly import StartupError
from keeper.engine.setting_up import SetupRefused
from keeper.execution.lending_sight import loan_account
from keeper.protocols import addresses
from keeper.protocols.glow_margin import airspace_permit_address, decode_margin_account, margin_account_address
from keeper.protocols.lookup_table import decode_lookup_table
from keeper.protocols.token import associated_token_address
from keeper.sim.localnet.lending_addresses import AIRSPACE
from keeper.sim.localnet.programs.glow_margin_config import Airspace
from tests.engine.stage import SOL_UNIT
from tests.setup.conftest import Operator, make_operator

UP_TO_DATE = "nothing to do: everything is set up"


async def test_everything_is_set_up_once_for_exactly_what_was_shown(operator: Operator) -> None:
    before = operator.lamports()
    done = await operator.run()
    (shown,) = operator.asked
    assert len(done.landed) == len(shown.bundles) > 2
    assert operator.lamports() - before == done.change.value == shown.change.value < 0
    assert shown.after.value == operator.lamports()
    transactions = operator.transactions()
    again = await operator.run()
    assert (again.landed, operator.said[-1], len(operator.asked)) == ((), UP_TO_DATE, 1)
    assert operator.transactions() == transactions


async def test_what_is_there_afterwards_is_what_the_market_needs(operator: Operator) -> None:
    await operator.run(borrow=("SOL", "sSOL", "SOL"), lend=("SOL", str(addresses.WSOL_MINT)))
    bank, owner, sim = operator.stage.net.bank, operator.stage.wallet.pubkey(), operator.sim
    key = margin_account_address(owner, AIRSPACE, 0)
    held = bank.get_account(key)
    assert held is not None
    state = decode_margin_account(bytes(held.data), owner=held.owner)
    pools = sim.lending_pools
    assert {one.token for one in state.positions} == {
        sim.glowsol_mint,
        sim.ssol_mint,
        pools["SOL"].loan_note_mint,
        pools["sSOL"].loan_note_mint,
        pools["SOL"].deposit_note_mint,
    }
    for mint in (sim.glowsol_mint, sim.ssol_mint, addresses.LST_MINT):
        assert bank.get_account(associated_token_address(owner, mint)) is not None
    (table,) = await operator.tables()
    stored = bank.get_account(table)
    assert stored is not None
    contents = decode_lookup_table(bytes(stored.data), owner=stored.owner)
    assert contents.authority == owner
    assert len(set(contents.addresses)) == len(contents.addresses)
    for named in (
        key,
        pools["SOL"].pool,
        pools["SOL"].vault,
        sim.lrt_pool,
        addresses.SOLAYER_STAKE_POOL,
        pools["SOL"].price,
    ):
        assert named in contents.addresses
    assert owner not in contents.addresses


async def test_the_books_agree_with_the_chain_and_the_keeper_starts_with_its_own_table(operator: Operator) -> None:
    await operator.run()
    loaded = operator.loaded()
    found = await account(loaded, accept=False, edges=operator.stage.edges)
    assert found.differences == ()
    parts = await operator.assembled()
    assert parts.market.lookup_tables == tuple(await operator.tables())


async def test_every_transaction_is_in_the_journal_and_its_costs_are_no_strategys(operator: Operator) -> None:
    done = await operator.run()
    async with await operator.journal() as journal:
        assert [one.state for one in await journal.attempts()] == ["landed"] * len(done.landed)
        totals = await journal.totals()
        assert totals.by_strategy["keeper setup"].landed == len(done.landed)
        assert totals.fees == done.preview.fees
        assert {entry.strategy for entry in await journal.entries(None)} == {"", "keeper setup"}


async def test_a_later_wish_is_added_to_what_is_there(operator: Operator) -> None:
    await operator.run()
    before = operator.lamports()
    done = await operator.run(lend=(str(operator.sim.lending_pools["sSOL"].mint),))
    assert [step.title for bundle in operator.asked[1].bundles for step in bundle.steps] == [
        "deposit position in the sSOL pool"
    ]
    assert operator.lamports() - before == done.change.value == operator.asked[1].change.value
    assert (await operator.run(lend=("sSOL",))).landed == ()


async def test_no_means_no(operator: Operator) -> None:
    operator.answer = False
    before = operator.lamports()
    done = await operator.run()
    assert not done.agreed
    assert done.lines() == ["nothing was done"]
    assert (operator.lamports(), operator.transactions(), await operator.tables()) == (before, 0, [])
    assert any("margin account" in line and "0.053397120 SOL" in line for line in operator.said)
    operator.answer = True
    assert (await operator.run()).landed, "and the lease was given back"


async def test_a_dry_run_shows_the_same_and_asks_nothing(operator: Operator) -> None:
    before = operator.lamports()
    await operator.run(dry_run=True)
    shown = list(operator.said)
    assert (operator.lamports(), operator.asked) == (before, [])
    operator.said.clear()
    await operator.run()
    assert operator.said[: len(shown)] == shown
    operator.said.clear()
    assert (await operator.run(dry_run=True)).landed == ()
    assert operator.said == [UP_TO_DATE]


async def test_a_wallet_that_could_not_keep_its_reserve_is_refused_before_anything_is_signed(tmp_path: Path) -> None:
    operator = await make_operator(tmp_path, funds=SOL_UNIT + 50_000_000)
    with pytest.raises(StartupError, match=r"send at least 0\.0331\d+ SOL to it; nothing was signed"):
        await operator.run()
    assert (operator.asked, operator.transactions()) == ([], 0)
    short = (await operator.run(dry_run=True)).preview.shortfall
    operator.give(short.value)
    await operator.run()
    assert operator.lamports() == SOL_UNIT, "exactly the reserve is left"


async def test_it_refuses_while_a_keeper_leads_and_when_one_takes_over_at_the_question(operator: Operator) -> None:
    async with await operator.journal() as journal:
        held = await journal.acquire("keeper-0", 60.0)
        with pytest.raises(StartupError, match=r"keeper-0.*leads on this journal: stop it first"):
            await operator.run()
        assert (await operator.run(dry_run=True)).preview.bundles, "looking needs no lease"
        await journal.release(held)
    operator.before_answer = operator.take_over
    with pytest.raises(StartupError, match="took the lead meanwhile"):
        await operator.run()
    assert operator.transactions() == 0


async def test_lamports_sent_ahead_are_not_paid_twice(operator: Operator) -> None:
    """Anybody can send lamports to an address that is about to be opened; they count towards its rent."""
    owner, bank = operator.stage.wallet.pubkey(), operator.stage.net.bank
    key = margin_account_address(owner, AIRSPACE, 0)
    bank.set_account(key, Account(1_000_000, b"", addresses.SYSTEM))
    bank.set_account(associated_token_address(owner, addresses.SSOL_MINT), Account(2_500_000, b"", addresses.SYSTEM))
    bank.advance_slot(2)
    before = operator.lamports()
    done = await operator.run()
    assert operator.lamports() - before == done.change.value == operator.asked[0].change.value
    steps = {step.title: step.rent.value for bundle in operator.asked[0].bundles for step in bundle.steps}
    assert steps["margin account"] == 53_397_120 - 1_000_000
    assert steps["the wallet's sSOL account"] == 0


async def test_a_restricted_airspace_needs_a_permit_from_somebody_else(operator: Operator) -> None:
    bank, owner = operator.stage.net.bank, operator.stage.wallet.pubkey()
    stored = bank.get_account(AIRSPACE)
    assert stored is not None
    space = Airspace(operator.sim.admin.pubkey(), is_restricted=True)
    bank.set_account(AIRSPACE, Account(stored.lamports, space.encode(), stored.owner))
    bank.advance_slot(2)
    with pytest.raises(SetupRefused, match=r"restricted.*has no permit: ask its authority"):
        await operator.run()
    permit = airspace_permit_address(AIRSPACE, owner)
    operator.issue_permit(permit)
    await operator.run()
    assert "airspace permit" not in [step.title for bundle in operator.asked[0].bundles for step in bundle.steps]


async def test_a_pool_that_is_not_configured_is_named(operator: Operator) -> None:
    with pytest.raises(SetupRefused, match=r"--lend BONK: no such pool.*SOL \(So1111"):
        await operator.run(lend=("BONK",))


async def test_without_a_lending_market_the_wallet_and_the_table_are_set_up_all_the_same(operator: Operator) -> None:
    operator.without_lending()
    await operator.run()
    titles = [step.title for bundle in operator.asked[0].bundles for step in bundle.steps]
    assert titles[:4] == [
        "the wallet's glowSOL account",
        "the wallet's sSOL account",
        "the wallet's sSOL-raw account",
        "lookup table",
    ]
    assert (await operator.run()).landed == ()


async def test_a_chain_that_changed_at_the_question_is_not_paid_more_than_was_shown(operator: Operator) -> None:
    await operator.run()
    own = associated_token_address(operator.stage.wallet.pubkey(), addresses.SSOL_MINT)
    await operator.run(close=True)
    operator.before_answer = lambda: operator.erase(own)
    with pytest.raises(StartupError, match="the chain has changed meanwhile"):
        await operator.run()


async def test_a_loan_is_not_registered_while_another_one_is_owed(operator: Operator) -> None:
    await operator.run()
    await operator.owe(1_000)
    await operator.run(borrow=("SOL", "sSOL"))
    assert operator.said[-2:] == [
        "note: no loan position in the sSOL pool while another loan is open; the first step that borrows there opens it",
        UP_TO_DATE,
    ]


async def test_an_account_under_liquidation_is_left_alone(operator: Operator) -> None:
    await operator.run()
    operator.rewrite_margin_account(liquidator=Pubkey.new_unique())
    with pytest.raises(SetupRefused, match="is liquidating the margin account"):
        await operator.run(lend=("SOL",))


async def test_foreign_bytes_at_our_addresses_are_named(operator: Operator) -> None:
    await operator.run()
    (table,) = await operator.tables()
    kept = operator.stored(table)
    operator.corrupt(table)
    with pytest.raises(SetupRefused, match=r"lookup table .* cannot be read"):
        await operator.run()
    operator.put(table, kept)
    operator.corrupt(operator.margin_account)
    with pytest.raises(SetupRefused, match=r"margin account .* cannot be read"):
        await operator.run()


async def test_the_table_grows_with_the_market(operator: Operator) -> None:
    """A pool that is configured later brings accounts that the table does not hold yet."""
    operator.with_pools("SOL")
    await operator.run()
    operator.with_pools("SOL", "sSOL")
    done = await operator.run()
    (bundle,) = operator.asked[1].bundles
    assert all("in the lookup table" in step.title for step in bundle.steps)
    assert done.change.value == operator.asked[1].change.value
    assert len(await operator.tables()) == 1
    assert (await operator.run()).landed == ()


async def test_the_lending_market_is_asked_by_its_own_addresses(operator: Operator) -> None:
    await operator.run()
    parts = await operator.assembled()
    lending = parts.market.lending
    assert lending is not None
    loan = operator.stage.net.bank.get_account(loan_account(lending, lending.pools[0]))
    assert loan is not None
    assert loan.owner == addresses.TOKEN_2022
