"""The journal's shares read against a view: the wallet's own accounts, loans by their notes, requests by who made them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.engine.ownership import Ownership, ownership
from keeper.journal.records import ExitRequest, Order, Standing
from keeper.lending import LendingMarket, Note
from keeper.past import EpochRates
from keeper.plan import TicketId
from keeper.protocols.addresses import SPL_TOKEN, TOKEN_2022
from keeper.protocols.token import associated_token_address
from keeper.units import SOL, SSOL, Bps, Epoch, Lamports, Mint, Rate, Slot, TokenAmount, UnixTime
from keeper.view import Ticket, View
from tests.strategies.market_views import NOW, view

WALLET = Keypair.from_seed(bytes(31) + b"\x01").pubkey()
GLOW = Mint(str(Keypair.from_seed(bytes(31) + b"\x02").pubkey()), "glowSOL", 9)
LOAN_NOTE, DEPOSIT_NOTE = "LoanNote", "DepositNote"


def standing(
    shares: dict[tuple[str, str, str], int] | None = None, *requests: ExitRequest, **fields: object
) -> Standing:
    return replace(Standing(shares or {}, requests, {}, {}), **fields)  # type: ignore[arg-type]  # the caller's names


def seen(*queue: Ticket) -> View:
    base = view()
    tokens = (TokenAmount(GLOW, 100), TokenAmount(SSOL, 50))
    sol = TokenAmount(SOL, 10**12)
    notes = (Note(LOAN_NOTE, 11, 10, owed=True), Note(DEPOSIT_NOTE, 12, 10, owed=False))
    pool = LendingMarket("pool", SOL, sol, sol, ((0, 1),), Bps(9_000), sol, sol, notes=notes)
    return replace(base, wallet=replace(base.wallet, owner=str(WALLET), tokens=tokens), queue=queue, lending=(pool,))


def account(mint: Mint, program: Pubkey = SPL_TOKEN) -> str:
    return str(associated_token_address(WALLET, Pubkey.from_string(mint.address), program))


def test_sol_and_tokens_of_the_wallet_are_told_from_those_elsewhere() -> None:
    shares = {
        ("loop", str(WALLET), "lamports"): -70,
        ("loop", account(GLOW), "lamports"): 2_039_280,
        ("loop", account(GLOW), GLOW.address): 30,
        ("loop", account(SSOL, TOKEN_2022), SSOL.address): 5,
        ("loop", "the margin account's own", GLOW.address): 900,
        ("arbitrage", account(GLOW), SSOL.address): 44,
        ("arbitrage", str(WALLET), "lamports"): 12,
        ("loop", "margin", DEPOSIT_NOTE): 10,
    }
    found = ownership(seen(), standing(shares))
    assert found.net == {"loop": -70, "arbitrage": 12}
    assert found.tokens == {("loop", GLOW.address): 30, ("loop", SSOL.address): 5}
    assert (found.deployed("loop"), found.deployed("arbitrage"), found.deployed("nobody")) == (70, 0, 0)
    assert found.debts == {}


@pytest.mark.parametrize(("net", "notes", "borrowed"), [(50, 100, 50), (200, 100, 110), (-5, 100, 0), (50, 0, 0)])
def test_sol_that_came_from_a_loan_is_borrowed_up_to_the_debt(net: int, notes: int, borrowed: int) -> None:
    shares = {("loop", str(WALLET), "lamports"): net, ("loop", "margin", LOAN_NOTE): notes}
    found = ownership(seen(), standing(shares))
    assert found.debts == {"loop": notes * 11 // 10}
    assert found.borrowed("loop") == borrowed


def asked(strategy: str, *, at: int = 0, units: int = 7, mint: Mint = GLOW) -> ExitRequest:
    return ExitRequest("sig", strategy, Slot(1), UnixTime(NOW.value + at), mint.address, units)


def waiting(index: int = 0, *, at: int = 0, units: int = 7) -> Ticket:
    requested = UnixTime(NOW.value + at)
    return Ticket(TicketId(index, requested), TokenAmount(GLOW, units), Lamports(units), NOW)


@pytest.mark.parametrize(
    ("requests", "owner"),
    [
        ((), None),
        ((asked("loop"),), "loop"),
        ((asked("loop", at=1),), None),
        ((asked("loop", mint=SSOL),), None),
        ((asked("loop", units=8),), "loop"),
        ((asked("loop", units=8), asked("arbitrage")), "arbitrage"),
        ((asked("loop"), asked("arbitrage")), None),
        ((asked("loop"), asked("loop")), "loop"),
    ],
)
def test_a_request_is_his_who_asked_at_that_moment(requests: tuple[ExitRequest, ...], owner: str | None) -> None:
    found = ownership(seen(waiting()), standing(None, *requests))
    assert found.tickets == ({} if owner is None else {waiting().id: owner})


def test_two_requests_of_one_second_are_told_apart_by_their_amounts() -> None:
    first, second = waiting(0, units=7), waiting(1, units=9)
    found = ownership(seen(first, second), standing(None, asked("loop"), asked("arbitrage", units=9)))
    assert found.tickets == {first.id: "loop", second.id: "arbitrage"}


def noted(epoch: int, at: int) -> EpochRates:
    return EpochRates(Epoch(epoch), UnixTime(NOW.value + at), Rate(1, 1), None)


EPOCHS = (noted(899, -500), noted(900, 0), noted(901, 500))


@pytest.mark.parametrize(
    ("requests", "owner"),
    [
        ((), None),
        ((asked("loop", mint=SSOL, at=0),), "loop"),
        ((asked("loop", mint=SSOL, at=499, units=999),), "loop"),
        ((asked("loop", mint=SSOL, at=-1), asked("arbitrage", mint=SSOL, at=500)), None),
        ((asked("loop", mint=SSOL, at=-9_999),), None),
        ((asked("loop", at=5),), None),
        ((asked("loop", mint=SSOL, at=5, units=8), asked("compound", mint=SSOL, at=9, units=70)), "loop"),
        ((asked("loop", mint=SSOL, at=5, units=70), asked("compound", mint=SSOL, at=9, units=8)), "compound"),
    ],
)
def test_a_stake_account_is_his_who_asked_in_its_epoch_for_about_as_much(
    requests: tuple[ExitRequest, ...], owner: str | None
) -> None:
    ticket = Ticket(TicketId(3, UnixTime(900), "stake"), TokenAmount(SSOL, 7), Lamports(8), NOW)
    found = ownership(seen(ticket), standing(None, *requests), EPOCHS)
    assert found.tickets == ({} if owner is None else {ticket.id: owner})
    assert ownership(seen(ticket), standing(None, *requests)).tickets == {}, "before any epoch was seen"


def test_a_strategy_is_unwound_once_its_order_is_done() -> None:
    orders = {"loop": Order("loop", "unwind", 1.0, done_at=2.0), "compound": Order("compound", "unwind", 1.0)}
    assert ownership(seen(), standing(orders=orders)) == Ownership(unwound=frozenset({"loop"}))
