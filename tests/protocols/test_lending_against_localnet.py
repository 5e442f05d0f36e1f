"""The builders that no plan uses yet, executed by the localnet's models: both were written from the facts alone."""

from __future__ import annotations

import pytest
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.protocols import glow_margin, glow_margin_pool
from keeper.protocols.addresses import GLOW_MARGIN, GLOW_MARGIN_POOL, LOOKUP_TABLE_REGISTRY
from keeper.protocols.errors import explain
from keeper.protocols.lookup_table import decode_lookup_table
from keeper.sim.localnet.bank import Bank
from keeper.sim.localnet.interface import BankConfig, TransactionRecord
from keeper.sim.localnet.lending_addresses import ADAPTER_CONFIGS
from keeper.sim.localnet.lending_user import Borrower, open_margin_account
from keeper.sim.localnet.market import create_market
from keeper.sim.localnet.oracles import Oracles
from keeper.units import SOL as NATIVE
from keeper.units import Slot, TokenAmount
from tests.execution.lending import lending_of

SOL = 10**9


@pytest.fixture
def borrower() -> Borrower:
    """A wallet with 100 glowSOL of collateral, and positions for a loan of SOL and for SOL that is lent."""
    bank = Bank(BankConfig())
    market = create_market(bank)
    Oracles(bank, market).attach()
    bank.advance_slot(2)
    made = open_margin_account(bank, market, market.traders[0])
    assert made.send(made.note_position("SOL")).err is None
    assert made.deposit("glowSOL", 100 * SOL).err is None
    return made


def data(borrower: Borrower, key: Pubkey) -> bytes:
    account = borrower.bank.get_account(key)
    assert account is not None
    return bytes(account.data)


def invoked(borrower: Borrower, *inside: Instruction) -> TransactionRecord:
    config = ADAPTER_CONFIGS[GLOW_MARGIN_POOL]
    inners = [glow_margin.Inner(GLOW_MARGIN_POOL, config, one) for one in inside]
    return borrower.send(*borrower.refresh(), glow_margin.adapter_invoke(borrower.key, borrower.account, inners))


def balances(borrower: Borrower) -> dict[Pubkey, int]:
    """By the keeper's own decoder."""
    state = glow_margin.decode_margin_account(data(borrower, borrower.account), owner=GLOW_MARGIN)
    return {one.token: one.balance for one in state.positions}


def test_a_loan_into_lent_notes_and_its_repayment_out_of_them(borrower: Borrower) -> None:
    pools = lending_of(borrower.market, borrower.account).pools
    pool = next(one for one in pools if one.mint == NATIVE)
    notes = glow_margin.position_token_address(borrower.account, pool.deposit_note_mint)
    borrow, repay = (
        build(pool, margin_account=borrower.account, deposit_account=notes, amount=TokenAmount(pool.mint, units))
        for build, units in (
            (glow_margin_pool.instructions.margin_borrow, 10 * SOL),
            (glow_margin_pool.instructions.margin_repay, 10 * SOL - 2),  # what was lent out came in rounded down
        )
    )
    record = invoked(borrower, borrow)
    assert record.err is None, record.logs
    held = balances(borrower)
    assert 9 * SOL < held[pool.loan_note_mint] <= 10 * SOL
    assert 9 * SOL < held[pool.deposit_note_mint] <= 10 * SOL
    record = invoked(borrower, repay)
    assert record.err is None, record.logs
    held = balances(borrower)
    assert held[pool.loan_note_mint] + held[pool.deposit_note_mint] <= 8, "roundings, and interest of a moment"


def test_a_healthy_account_is_not_unhealthy(borrower: Borrower) -> None:
    healthy = borrower.send(*borrower.refresh(), glow_margin.verify_healthy(borrower.account))
    assert healthy.err is None, healthy.logs
    record = borrower.send(*borrower.refresh(), glow_margin.verify_unhealthy(borrower.account))
    assert "glow-margin: Healthy" in named(record)


def named(record: TransactionRecord) -> str:
    """The error of a transaction of margin's instructions alone."""
    return explain(record.err, [GLOW_MARGIN] * len(record.transaction.message.instructions))


def test_what_only_others_may_do_is_refused_by_name(borrower: Borrower) -> None:
    key, account = borrower.key, borrower.account
    config = borrower.market.raw_tokens["glowSOL"].config
    permit = glow_margin.permit_address(borrower.market.airspace, key)
    refresh = glow_margin.refresh_position_config(margin_account=account, config=config, permit=permit, refresher=key)
    assert "AccountNotInitialized" in named(borrower.send(refresh)), "the permit, which governance gives"
    liquidation = glow_margin.liquidation_address(account, key)
    end = glow_margin.liquidate_end(authority=key, margin_account=account, liquidation=liquidation)
    assert "AccountNotInitialized" in named(borrower.send(end)), "a liquidation, which nobody began"


def test_the_registry_of_lookup_tables(borrower: Borrower) -> None:
    key, account, bank = borrower.key, borrower.account, borrower.bank
    record = borrower.send(glow_margin.init_lookup_registry(authority=key, payer=key, margin_account=account))
    assert record.err is None, record.logs
    bank.advance_slot()
    recent = Slot(bank.clock.slot - 1)
    create, table = glow_margin.create_lookup_table(
        authority=key, payer=key, margin_account=account, recent_slot=recent
    )
    assert borrower.send(create).err is None
    addresses = [borrower.market.airspace, borrower.pool("SOL").pool]
    append = glow_margin.append_to_lookup(
        authority=key, payer=key, margin_account=account, table=table, addresses=addresses
    )
    record = borrower.send(append)
    assert record.err is None, record.logs
    assert list(decode_lookup_table(data(borrower, table)).addresses) == addresses
    registry = glow_margin.decode_lookup_registry(
        data(borrower, glow_margin.lookup_registry_address(account)), owner=LOOKUP_TABLE_REGISTRY
    )
    assert registry.authority == account
    assert [entry.table for entry in registry.entries] == [table]
