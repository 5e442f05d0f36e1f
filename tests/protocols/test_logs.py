"""Events as transactions log them: read from real logs of the localnet, and believed only of the program that wrote them."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.protocols import glow_margin, glow_margin_pool
from keeper.protocols.addresses import GLOW_MARGIN, GLOW_MARGIN_POOL, SPL_TOKEN
from keeper.protocols.glow_margin.events import EVENT_DISCRIMINATORS
from keeper.protocols.layout import LayoutError
from keeper.protocols.logs import program_data
from keeper.sim.localnet.bank import Bank
from keeper.sim.localnet.interface import BankConfig
from keeper.sim.localnet.lending_user import Borrower, open_margin_account
from keeper.sim.localnet.market import create_market
from keeper.sim.localnet.oracles import Oracles
from tests.protocols.account_bytes import key

SOL = 10**9


def data(payload: bytes) -> str:
    return f"Program data: {b64encode(payload).decode()}"


def called(program: object, *lines: str, depth: int = 1, end: str = "success") -> list[str]:
    return [f"Program {program} invoke [{depth}]", *lines, f"Program {program} {end}"]


VERIFIED = EVENT_DISCRIMINATORS["VerifiedHealthy"] + bytes(key(1))
INSIDE = data(VERIFIED)


@pytest.fixture(scope="module")
def borrower() -> Borrower:
    """A wallet with collateral in the localnet's lending market."""
    bank = Bank(BankConfig())
    market = create_market(bank)
    Oracles(bank, market).attach()
    bank.advance_slot(2)
    trader = market.traders[0]
    return open_margin_account(bank, market, trader)


def test_what_a_real_transaction_logged_is_read(borrower: Borrower) -> None:
    actor = borrower.actor
    assert borrower.deposit("glowSOL", 100 * SOL).err is None
    record = borrower.borrow("SOL", 20 * SOL)
    assert record.err is None, record.logs
    margin = [type(event).__name__ for event in glow_margin.logged_events(record.logs)]
    assert margin == [
        *("AccountingInvokeBegin", "AccountingInvokeEnd"),  # the loan's price
        *("AdapterInvokeBegin", "AdapterInvokeEnd"),
    ]
    found = glow_margin_pool.logged_events(record.logs)
    borrowed = next(event for event in found if isinstance(event, glow_margin_pool.events.MarginBorrowEvent))
    assert (borrowed.pool, borrowed.user) == (borrower.pool("SOL").pool, borrower.account)
    assert (borrowed.tokens, borrowed.deposit_notes) == (20 * SOL, 0)
    assert borrowed.summary.loan_notes >= borrowed.loan_notes > 0
    assert actor.tokens(borrower.market.sol_mint) >= 20 * SOL


def test_an_event_counts_only_as_its_own_programs() -> None:
    logs = called(SPL_TOKEN, INSIDE) + called(GLOW_MARGIN, *called(SPL_TOKEN, INSIDE, depth=2))
    assert glow_margin.logged_events(logs) == ()
    own = called(GLOW_MARGIN, *called(SPL_TOKEN, depth=2, end="failed: custom program error: 0x1"), INSIDE)
    assert glow_margin.logged_events(own) == (glow_margin.VerifiedHealthy(key(1)),)
    assert glow_margin.logged_events([INSIDE]) == ()
    assert glow_margin_pool.logged_events(called(GLOW_MARGIN_POOL, INSIDE)) == ()


def test_parts_of_one_payload_are_joined_and_other_lines_are_no_data() -> None:
    parts = f"Program data: {b64encode(b'ab').decode()} {b64encode(b'c').decode()}"
    lines = called(GLOW_MARGIN, "Program log: Program data: YWJj", parts, "Program data: not base64!", data(b"d"))
    assert list(program_data(lines, GLOW_MARGIN)) == [b"abc", b"d"]


def test_lines_that_do_not_follow_from_each_other_end_it() -> None:
    missing = [f"Program {GLOW_MARGIN} invoke [2]", INSIDE]
    crossed = [f"Program {GLOW_MARGIN} invoke [1]", f"Program {SPL_TOKEN} success", INSIDE]
    for logs in (missing, crossed, [f"Program {GLOW_MARGIN} success", *called(GLOW_MARGIN, INSIDE)]):
        assert glow_margin.logged_events(logs) == ()


def test_an_event_that_was_cut_short_is_named() -> None:
    with pytest.raises(LayoutError, match="event VerifiedHealthy"):
        glow_margin.logged_events(called(GLOW_MARGIN, data(VERIFIED[:20])))


LINES = st.sampled_from([*called(GLOW_MARGIN, INSIDE), *called(SPL_TOKEN, depth=2), "Log truncated"]) | st.text()


@given(st.lists(LINES, max_size=12))
def test_no_logs_break_it(logs: list[str]) -> None:
    for payload in program_data(logs, GLOW_MARGIN):
        assert data(payload) in logs or any(line.startswith("Program data: ") for line in logs)
