"""The ledger against the chain while the keeper runs: deposits are not profit, missing money halts, a silent node is doubt."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import pytest
from solders.account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.engine.books import Books, BooksState, opening_balances
from keeper.engine.tick import Tick
from keeper.execution.reconcile import drift
from keeper.plan import Hold
from keeper.protocols import addresses
from keeper.protocols.token import associated_token_address
from keeper.risk import TradingState
from keeper.sim.localnet.programs.native_state import encode_token_account
from keeper.units import Lamports
from tests.engine.scripted import scripted, stake_plan
from tests.engine.stage import FUNDS, SOL_UNIT, Stage, open_token_account, pay

IDLE = scripted("idle", lambda _view: Hold("idle"))
SPAM = Keypair.from_seed(bytes([77] * 32)).pubkey()


def trading(tick: Tick) -> TradingState:
    return tick.risk.trading


async def books_of(stage: Stage, closing: AsyncExitStack) -> Books:
    await stage.open(closing)
    traded = ("lamports", str(addresses.SSOL_MINT))
    books = Books(stage.parts.journal, stage.parts.endpoints.primary, stage.parts.owner, stage.clock, traded)
    await books.open(stage.lease.held)
    return books


def add_lamports(stage: Stage, lamports: int) -> None:
    account = stage.net.bank.get_account(stage.wallet.pubkey())
    assert account is not None
    stage.net.bank.set_account(stage.wallet.pubkey(), Account(account.lamports + lamports, b"", account.owner))
    stage.net.bank.advance_slot(2)


def give_tokens(stage: Stage, mint: Pubkey, units: int) -> None:
    """Somebody else makes the wallet's account for ``mint`` hold ``units`` (and pays its rent)."""
    owner = stage.wallet.pubkey()
    rent = stage.net.bank.rent_exempt(165)
    data = encode_token_account(mint, owner, units)
    stage.net.bank.set_account(associated_token_address(owner, mint), Account(rent, data, addresses.SPL_TOKEN))
    stage.net.bank.advance_slot(2)


async def externals(stage: Stage) -> list[tuple[str, int]]:
    return [(one.asset, one.delta) for one in await stage.parts.journal.entries(None) if one.kind == "external"]


async def test_books_that_agree_say_so(stage: Stage, closing: AsyncExitStack) -> None:
    books = await books_of(stage, closing)
    assert await books.check(stage.lease.held) is BooksState.AGREE
    assert not books.in_doubt
    assert books.opening == {"lamports": FUNDS}


async def test_a_deposit_is_booked_as_external_when_it_was_seen_twice(stage: Stage, closing: AsyncExitStack) -> None:
    books = await books_of(stage, closing)
    add_lamports(stage, 3 * SOL_UNIT)
    assert await books.check(stage.lease.held) is BooksState.IN_DOUBT
    assert books.in_doubt
    assert await externals(stage) == []
    assert await books.check(stage.lease.held) is BooksState.AGREE
    assert await externals(stage) == [("lamports", 3 * SOL_UNIT)]
    assert books.opening == {"lamports": FUNDS + 3 * SOL_UNIT}
    assert await drift(stage.parts.journal, stage.parts.endpoints.primary, stage.parts.owner) == ()


async def test_a_deposit_does_not_count_as_profit(stage: Stage, closing: AsyncExitStack) -> None:
    tick = await stage.open(closing, [IDLE])
    for _ in range(2):
        await tick.run()
    add_lamports(stage, 10 * SOL_UNIT)
    for _ in range(45):  # the books are looked at every twentieth quiet tick, and twice once they differ
        await tick.run()
    assert tick.memory.valuation is not None
    assert tick.memory.valuation.nav == Lamports(FUNDS + 10 * SOL_UNIT)
    assert tick.memory.valuation.against_holding == Lamports(0)
    assert trading(tick) is TradingState.ACTIVE
    assert stage.metric("keeper_ledger_drift_lamports") == 0


async def test_a_deposit_of_tokens_does_not_count_as_profit_and_its_rent_is_not_ours(
    stage: Stage, closing: AsyncExitStack
) -> None:
    books = await books_of(stage, closing)
    give_tokens(stage, addresses.SSOL_MINT, 7 * SOL_UNIT)
    for _ in range(2):
        state = await books.check(stage.lease.held)
    assert state is BooksState.AGREE
    assert books.opening == {"lamports": FUNDS, str(addresses.SSOL_MINT): 7 * SOL_UNIT}


async def test_dust_every_time_is_booked_all_the_same(stage: Stage, closing: AsyncExitStack) -> None:
    """Whoever sends a lamport before each check must not keep the books in doubt for ever."""
    books = await books_of(stage, closing)
    for _ in range(5):
        add_lamports(stage, 1)
        assert await books.check(stage.lease.held) is BooksState.IN_DOUBT
    assert sum(delta for _, delta in await externals(stage)) == 4
    stage.net.bank.advance_slot(2)
    assert await books.check(stage.lease.held) is BooksState.AGREE
    assert sum(delta for _, delta in await externals(stage)) == 5


async def test_missing_money_halts_a_keeper_that_trades_all_the_time(stage: Stage, closing: AsyncExitStack) -> None:
    tick = await stage.open(closing, [scripted("staker", stake_plan)])
    add_lamports(stage, -SOL_UNIT)
    await tick.run()
    assert trading(tick) is TradingState.ACTIVE, "one difference may be a node that lags"
    await tick.run()
    assert trading(tick) is TradingState.HALTED
    await tick.run()
    assert tick.memory.landed == 0, "nothing is entered while money is missing, from the first look on"


@pytest.mark.parametrize("again", [0, -SOL_UNIT])
async def test_missing_money_is_broken_books(stage: Stage, closing: AsyncExitStack, again: int) -> None:
    """Also when more of it goes missing before the second look."""
    books = await books_of(stage, closing)
    add_lamports(stage, -SOL_UNIT)
    assert await books.check(stage.lease.held) is BooksState.IN_DOUBT
    add_lamports(stage, again)
    assert await books.check(stage.lease.held) is BooksState.BROKEN
    assert await externals(stage) == [], "missing money is never booked away"


async def test_a_node_that_catches_up_is_not_missing_money(stage: Stage, closing: AsyncExitStack) -> None:
    books = await books_of(stage, closing)
    add_lamports(stage, -2 * SOL_UNIT)
    assert await books.check(stage.lease.held) is BooksState.IN_DOUBT
    add_lamports(stage, SOL_UNIT)
    assert await books.check(stage.lease.held) is BooksState.IN_DOUBT
    add_lamports(stage, SOL_UNIT)
    assert await books.check(stage.lease.held) is BooksState.AGREE
    assert await externals(stage) == []


async def test_the_tick_halts_over_missing_money(stage: Stage, closing: AsyncExitStack) -> None:
    tick = await stage.open(closing, [IDLE])
    await tick.run()
    add_lamports(stage, -SOL_UNIT)
    for _ in range(45):
        await tick.run()
    assert trading(tick) is TradingState.HALTED
    assert "ledger" in tick.risk.cause
    assert stage.metric("keeper_ledger_drift_lamports") == SOL_UNIT
    assert [(item.booked, item.on_chain) for item in tick.memory.drift] == [(FUNDS, FUNDS - SOL_UNIT)]


async def test_a_strangers_token_that_he_takes_back_is_no_loss(stage: Stage, closing: AsyncExitStack) -> None:
    """A token with a permanent delegate put into the wallet and burned later must not stop the keeper."""
    books = await books_of(stage, closing)
    give_tokens(stage, SPAM, 1_000)
    for _ in range(2):
        await books.check(stage.lease.held)
    assert (str(SPAM), 1_000) in await externals(stage)
    give_tokens(stage, SPAM, 0)
    assert await books.check(stage.lease.held) is BooksState.IN_DOUBT
    assert await books.check(stage.lease.held) is BooksState.AGREE
    assert books.opening.get(str(SPAM)) == 0


async def test_a_traded_token_that_is_taken_is_a_loss(stage: Stage, closing: AsyncExitStack) -> None:
    books = await books_of(stage, closing)
    give_tokens(stage, addresses.SSOL_MINT, 1_000)
    for _ in range(2):
        await books.check(stage.lease.held)
    give_tokens(stage, addresses.SSOL_MINT, 999)
    await books.check(stage.lease.held)
    assert await books.check(stage.lease.held) is BooksState.BROKEN


async def test_an_unreachable_node_is_only_doubt(stage: Stage, closing: AsyncExitStack) -> None:
    books = await books_of(stage, closing)

    def refuse(_method: str, answer: Any) -> Any:
        return {"jsonrpc": "2.0", "id": answer["id"], "error": {"code": -32601, "message": "not here"}}

    stage.rpc.tamper = refuse
    for _ in range(4):
        assert await books.check(stage.lease.held) is BooksState.IN_DOUBT
    stage.rpc.tamper = None
    assert await books.check(stage.lease.held) is BooksState.AGREE


async def test_a_token_account_that_does_not_decode_is_only_doubt(stage: Stage, closing: AsyncExitStack) -> None:
    books = await books_of(stage, closing)
    open_token_account(stage.net, stage.wallet, addresses.SSOL_MINT)

    def garble(method: str, answer: Any) -> Any:
        if method == "getTokenAccountsByOwner":
            for one in answer["result"]["value"]:
                one["account"]["data"][0] = "AAAA"
        return answer

    stage.rpc.tamper = garble
    assert await books.check(stage.lease.held) is BooksState.IN_DOUBT


async def test_rent_in_token_accounts_is_no_part_of_the_yardstick(stage: Stage, closing: AsyncExitStack) -> None:
    open_token_account(stage.net, stage.wallet, addresses.SSOL_MINT)
    stage.net.bank.advance_slot(2)
    await books_of(stage, closing)
    opening = await opening_balances(stage.parts.journal, stage.parts.owner)
    account = stage.net.bank.get_account(stage.wallet.pubkey())
    assert account is not None
    assert opening == {"lamports": account.lamports, str(addresses.SSOL_MINT): 0}


async def test_our_own_trades_leave_nothing_to_explain(stage: Stage, closing: AsyncExitStack) -> None:
    tick = await stage.open(closing, [scripted("staker", stake_plan)])
    for _ in range(4):
        await tick.run()
        assert tick.memory.drift == ()
    assert await externals(stage) == []
    pay(stage.net, stage.wallet)  # a transaction of the same key that the journal does not know: its fee is missing
    stage.net.bank.advance_slot(2)
    await tick.run()
    assert [item.booked - item.on_chain for item in tick.memory.drift] == [5_000]
