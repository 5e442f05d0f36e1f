"""What others do to the margin account, and what the books make of it: a liquidation and a loan that is not ours halt, gifts do
not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.engine.books import Books, BooksState
from keeper.execution.bounds import LAMPORTS
from keeper.plan import Borrow, Repay
from keeper.protocols import glow_margin as margin
from keeper.protocols import glow_margin_pool as margin_pool
from keeper.protocols.glow_margin_pool import ChangeKind
from keeper.protocols.token import associated_token_address, wrap
from keeper.sim.localnet.actor import Actor
from keeper.sim.localnet.lending_addresses import GLOWSOL_RATE
from keeper.sim.localnet.liquidator import Liquidator, LiquidatorConfig
from keeper.sim.localnet.programs.cpi import create_associated, token_transfer
from keeper.units import SSOL, Lamports
from tests.execution.lending import SOL_LAMPORTS, Lending
from tests.execution.test_lending import loan_notes, put, sol

DONOR = Keypair.from_seed(bytes([88] * 32))


def books_of(lending: Lending) -> Books:
    world = lending.world
    traded = {LAMPORTS, world.glowsol.address, SSOL.address}
    traded |= {str(pool.deposit_note_mint) for pool in lending.addresses.pools}
    return Books(lending.journal, world.node, world.owner, world.clock, traded, lending=lending.addresses)


async def twice(lending: Lending, books: Books) -> tuple[BooksState, BooksState]:
    """Nothing is concluded from one look."""
    found = []
    for _ in range(2):
        lending.world.bank.advance_slot(2)
        found.append(await books.check(lending.leadership))
    return found[0], found[1]


async def loop(lending: Lending, debt: int = 20) -> Books:
    await put(lending, 60)
    await lending.landed(Borrow(lending.market(), sol(debt)))
    books = books_of(lending)
    assert await twice(lending, books) == (BooksState.AGREE, BooksState.AGREE)
    return books


async def test_a_liquidation_halts_and_is_not_argued_with(lending: Lending) -> None:
    world = lending.world
    books, notes = await loop(lending, 45), loan_notes(lending)
    liquidator = Liquidator(world.bank, world.sim, LiquidatorConfig())
    liquidator.attach()
    lending.oracles.shock(GLOWSOL_RATE, -2_500)
    for _ in range(40):
        world.bank.advance_slot()
        if liquidator.done:
            break
    assert liquidator.done, liquidator.failures
    assert loan_notes(lending) < notes
    first, second = await twice(lending, books)
    assert (first, books.short) == (BooksState.IN_DOUBT, True)
    assert second is BooksState.BROKEN
    assert (await twice(lending, books)) == (BooksState.BROKEN, BooksState.BROKEN)
    assert [one for one in await lending.journal.entries(None) if one.kind == "external"] == []


def donor(lending: Lending) -> Actor:
    actor = Actor(lending.world.bank, lending.world.sim, DONOR)
    actor.fund(100 * SOL_LAMPORTS)
    return actor


def repays(lending: Lending) -> None:
    """Somebody pays five of what we owe."""
    actor, pool = donor(lending), lending.pool()
    assert actor.open_accounts(lending.world.sim.sol_mint).err is None
    paid = margin_pool.instructions.repay(
        pool,
        margin_account=lending.addresses.account,
        source=associated_token_address(DONOR.pubkey(), lending.world.sim.sol_mint),
        authority=DONOR.pubkey(),
        amount=sol(5),
        change=ChangeKind.SHIFT_BY,
        program=lending.addresses.pool_program,
    )
    inner = margin.Inner(lending.addresses.pool_program, lending.addresses.pool_adapter_config, paid)
    record = actor.send(
        *wrap(DONOR.pubkey(), Lamports(5 * SOL_LAMPORTS)), margin.accounting_invoke(lending.addresses.account, [inner])
    )
    assert record.err is None, record.logs


def gives_collateral(lending: Lending) -> None:
    """Somebody's own glowSOL, right into our position."""
    actor, lrt = donor(lending), lending.world.market.lrt
    assert lrt is not None
    mint = Pubkey.from_string(lrt.glowsol.address)
    assert actor.open_accounts(mint).err is None
    held, position = actor.account(mint), lending.account.position(mint)
    assert position is not None
    record = actor.send(
        lrt.program.deposit_sol(DONOR.pubkey(), Lamports(2 * SOL_LAMPORTS)),
        token_transfer(held, position.address, DONOR.pubkey(), SOL_LAMPORTS),
    )
    assert record.err is None, record.logs


@pytest.mark.parametrize("give", [repays, gives_collateral])
async def test_a_gift_is_booked_and_halts_nothing(lending: Lending, give: Callable[[Lending], None]) -> None:
    books = await loop(lending)
    give(lending)
    assert await twice(lending, books) == (BooksState.IN_DOUBT, BooksState.AGREE)
    assert not books.short
    await lending.agrees()
    await lending.landed(Repay(lending.market(), sol(21), whole=True))
    await lending.agrees()


async def test_a_loan_that_the_books_do_not_know_halts(lending: Lending) -> None:
    """With it the wallet has more than booked, so nothing else would tell: a transaction taken for dead that landed after all,
    or somebody else with our key."""
    books = await loop(lending)
    owner = lending.world.owner
    assert lending.borrower.send(create_associated(owner, owner, lending.world.sim.sol_mint)).err is None
    record = lending.borrower.borrow("SOL", 3 * SOL_LAMPORTS)
    assert record.err is None, record.logs
    first, second = await twice(lending, books)
    assert (first, second) == (BooksState.IN_DOUBT, BooksState.BROKEN)
    assert books.short
