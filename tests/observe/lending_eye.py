"""The observing wallet with a loop in the lending market: 20 glowSOL as collateral, 10 SOL borrowed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.observe.discovery import LendingSource, discover
from keeper.protocols.addresses import (
    GLOW_AIRSPACE,
    GLOW_MARGIN,
    GLOW_MARGIN_POOL,
    PYTH_PUSH_ORACLE,
    PYTH_RECEIVER,
    SSOL_MINT,
    WSOL_MINT,
)
from keeper.protocols.lending import LendingAddresses
from keeper.sim.localnet.lending_user import Borrower, open_margin_account
from keeper.sim.localnet.programs import cpi
from keeper.view import View
from tests.engine.stage import SOL_UNIT, genesis_of, market_of
from tests.observe.conftest import Eye, lrt_source

COLLATERAL, BORROWED = 20 * SOL_UNIT, 10 * SOL_UNIT


def lending_source(**changes: object) -> LendingSource:
    source = LendingSource(
        airspace="default",
        seed=0,
        mints=(WSOL_MINT, SSOL_MINT),
        receivers=frozenset({PYTH_RECEIVER}),
        push_oracle=PYTH_PUSH_ORACLE,
        margin_program=GLOW_MARGIN,
        pool_program=GLOW_MARGIN_POOL,
        airspace_program=GLOW_AIRSPACE,
    )
    return replace(source, **changes)  # type: ignore[arg-type]  # each test changes the one field that it is about


@dataclass(slots=True)
class LendingEye:
    """``eye.market`` knows the lending market; ``borrower`` acts for the same wallet without the keeper's code."""

    eye: Eye
    borrower: Borrower

    @property
    def addresses(self) -> LendingAddresses:
        assert self.eye.market.lending is not None
        return self.eye.market.lending

    @property
    def account(self) -> Pubkey:
        return self.addresses.account

    async def view(self) -> View:
        return await self.eye.observer().view(())


async def rediscovered(eye: Eye, source: LendingSource | None = None) -> Eye:
    market = await discover(
        eye.rpc,
        await genesis_of(eye.net),
        lrt_source(eye.net),
        (),
        lending=source or lending_source(),
        owner=eye.owner,
    )
    eye.market = market
    return eye


async def looped(eye: Eye) -> LendingEye:
    """Raises ``AssertionError`` where the loop does not come about."""
    bank, market = eye.net.bank, market_of(eye.net)
    borrower = open_margin_account(bank, market, eye.wallet, collateral=("glowSOL", "sSOL"))
    bank.advance_slot(1)
    made = LendingEye(await rediscovered(eye), borrower)
    for record in (borrower.deposit("glowSOL", COLLATERAL), borrower.send(*_wrapped(borrower))):
        assert record.err is None, record.logs
    record = borrower.borrow("SOL", BORROWED)
    assert record.err is None, record.logs
    bank.advance_slot(2)
    return made


def _wrapped(borrower: Borrower) -> list[Instruction]:
    """The wallet's wrapped-SOL account, which a loan is paid into."""
    return [cpi.create_associated(borrower.key, borrower.key, borrower.market.sol_mint)]
