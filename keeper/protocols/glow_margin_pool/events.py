"""Events of the pool program, from the bytes of a "Program data:" log (shared facts, protocol.md 3.10b)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_MARGIN_POOL
from keeper.protocols.anchor import DISCRIMINATOR_LENGTH, event_discriminator
from keeper.protocols.layout import Reader
from keeper.protocols.logs import program_data
from keeper.units import UnixTime


@dataclass(frozen=True, slots=True)
class PoolSummary:
    """The pool after the action: ``borrowed_tokens`` rounded up, ``uncollected_fees`` down, all in base units."""

    borrowed_tokens: int
    uncollected_fees: int
    deposit_tokens: int
    deposit_notes: int
    loan_notes: int
    accrued_until: UnixTime


@dataclass(frozen=True, slots=True)
class DepositEvent:
    """Tokens of ``source`` became notes of ``destination``."""

    pool: Pubkey
    user: Pubkey
    source: Pubkey
    destination: Pubkey
    tokens: int
    notes: int
    summary: PoolSummary


@dataclass(frozen=True, slots=True)
class WithdrawEvent:
    """Notes of ``source`` became tokens of ``destination``."""

    pool: Pubkey
    user: Pubkey
    source: Pubkey
    destination: Pubkey
    tokens: int
    notes: int
    summary: PoolSummary


@dataclass(frozen=True, slots=True)
class MarginBorrowEvent:
    """A loan to the margin account ``user``; ``deposit_account`` is where it went, ``deposit_notes`` 0 if that holds tokens."""

    pool: Pubkey
    user: Pubkey
    loan_account: Pubkey
    deposit_account: Pubkey
    tokens: int
    loan_notes: int
    deposit_notes: int
    summary: PoolSummary


@dataclass(frozen=True, slots=True)
class MarginRepayEvent:
    """A repayment of the margin account ``user`` out of its deposit."""

    pool: Pubkey
    user: Pubkey
    loan_account: Pubkey
    deposit_account: Pubkey
    tokens: int
    loan_notes: int
    deposit_notes: int
    summary: PoolSummary


@dataclass(frozen=True, slots=True)
class RepayEvent:
    """A repayment with tokens of ``repayment_account``, signed by ``user``."""

    pool: Pubkey
    user: Pubkey
    loan_account: Pubkey
    repayment_account: Pubkey
    tokens: int
    loan_notes: int
    summary: PoolSummary


@dataclass(frozen=True, slots=True)
class CollectEvent:
    """Fees minted as notes. The two balances are of the vault, converted; the program's own use of them is odd."""

    pool: Pubkey
    fee_notes: int
    fee_tokens: int
    notes_balance: int
    tokens_balance: int
    summary: PoolSummary


PoolEvent = DepositEvent | WithdrawEvent | MarginBorrowEvent | MarginRepayEvent | RepayEvent | CollectEvent


def _summary(read: Reader) -> PoolSummary:
    return PoolSummary(
        read.u64("summary.borrowed_tokens"),
        read.u64("summary.uncollected_fees"),
        read.u64("summary.deposit_tokens"),
        read.u64("summary.deposit_notes"),
        read.u64("summary.loan_notes"),
        UnixTime(read.i64("summary.accrued_until")),
    )


def _keys(read: Reader) -> tuple[Pubkey, Pubkey, Pubkey, Pubkey]:
    return read.pubkey("pool"), read.pubkey("user"), read.pubkey("first_account"), read.pubkey("second_account")


def _deposit(read: Reader) -> PoolEvent:
    return DepositEvent(*_keys(read), read.u64("tokens"), read.u64("notes"), _summary(read))


def _withdraw(read: Reader) -> PoolEvent:
    return WithdrawEvent(*_keys(read), read.u64("tokens"), read.u64("notes"), _summary(read))


def _borrow(read: Reader) -> PoolEvent:
    keys, tokens = _keys(read), read.u64("tokens")
    return MarginBorrowEvent(*keys, tokens, read.u64("loan_notes"), read.u64("deposit_notes"), _summary(read))


def _margin_repay(read: Reader) -> PoolEvent:
    keys, tokens = _keys(read), read.u64("tokens")
    return MarginRepayEvent(*keys, tokens, read.u64("loan_notes"), read.u64("deposit_notes"), _summary(read))


def _repay(read: Reader) -> PoolEvent:
    return RepayEvent(*_keys(read), read.u64("tokens"), read.u64("loan_notes"), _summary(read))


def _collect(read: Reader) -> PoolEvent:
    pool, notes, tokens = read.pubkey("pool"), read.u64("fee_notes"), read.u64("fee_tokens")
    return CollectEvent(pool, notes, tokens, read.u64("notes_balance"), read.u64("tokens_balance"), _summary(read))


_READERS: dict[bytes, tuple[str, Callable[[Reader], PoolEvent]]] = {
    event_discriminator(name): (name, read)
    for name, read in (
        ("Deposit", _deposit),
        ("Withdraw", _withdraw),
        ("MarginBorrow", _borrow),
        ("MarginRepay", _margin_repay),
        ("Repay", _repay),
        ("Collect", _collect),
    )
}


def decode_event(data: bytes) -> PoolEvent | None:
    """The event in ``data``; None for one that this module does not know (of another program, or an administrator's).

    Raises ``LayoutError`` for a known event that is cut short.
    """
    known = _READERS.get(data[:DISCRIMINATOR_LENGTH])
    if known is None:
        return None
    name, read = known
    return read(Reader(data, f"event {name}", position=DISCRIMINATOR_LENGTH))


def logged_events(logs: Iterable[str], *, program: Pubkey = GLOW_MARGIN_POOL) -> tuple[PoolEvent, ...]:
    """The events that the pool program itself wrote into a transaction's ``logs``, in order. Raises as ``decode_event``."""
    found = (decode_event(data) for data in program_data(logs, program))
    return tuple(event for event in found if event is not None)
