"""Events that the margin program logs ("Program data: " in base64): 8 bytes of discriminator, then Borsh.

Names and discriminators: shared facts, protocol.md 3.10b. Valuation numbers are raw Number128 dollars.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import MappingProxyType

from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_MARGIN
from keeper.protocols.anchor import DISCRIMINATOR_LENGTH, event_discriminator
from keeper.protocols.glow_margin.configs import LIQUIDATION_FEES
from keeper.protocols.layout import Reader
from keeper.protocols.logs import program_data
from keeper.units import UnixTime


@dataclass(frozen=True, slots=True)
class LiquidationData:
    """How far a liquidation has come."""

    equity_loss: int
    max_equity_loss: int
    collateral_change: int
    max_available_collateral_limit: int
    start_time: UnixTime
    is_collecting_fees: bool


@dataclass(frozen=True, slots=True)
class ValuationSummary:
    """The valuation that the program acted on."""

    equity: int
    liabilities: int
    required: int
    weighted: int
    effective: int
    available: int
    past_due: bool


@dataclass(frozen=True, slots=True)
class AccountCreated:
    margin_account: Pubkey
    owner: Pubkey
    airspace: Pubkey
    seed: int
    features: int


@dataclass(frozen=True, slots=True)
class AccountClosed:
    margin_account: Pubkey


@dataclass(frozen=True, slots=True)
class VerifiedHealthy:
    margin_account: Pubkey


@dataclass(frozen=True, slots=True)
class VerifiedUnhealthy:
    margin_account: Pubkey


@dataclass(frozen=True, slots=True)
class AdapterInvokeBegin:
    margin_account: Pubkey


@dataclass(frozen=True, slots=True)
class AdapterInvokeEnd:
    """Carries nothing."""


@dataclass(frozen=True, slots=True)
class AccountingInvokeBegin:
    margin_account: Pubkey


@dataclass(frozen=True, slots=True)
class AccountingInvokeEnd:
    """Carries nothing."""


@dataclass(frozen=True, slots=True)
class LiquidationBegun:
    margin_account: Pubkey
    liquidator: Pubkey
    liquidation: Pubkey
    data: LiquidationData
    valuation: ValuationSummary


@dataclass(frozen=True, slots=True)
class LiquidatorInvokeBegin:
    margin_account: Pubkey
    liquidator: Pubkey


@dataclass(frozen=True, slots=True)
class LiquidatorInvokeEnd:
    """``fee`` in base units of ``fee_mint``."""

    data: LiquidationData
    valuation: ValuationSummary
    fee: int
    fee_mint: Pubkey


@dataclass(frozen=True, slots=True)
class LiquidationEnded:
    margin_account: Pubkey
    authority: Pubkey
    timed_out: bool


@dataclass(frozen=True, slots=True)
class JupiterSwap:
    margin_account: Pubkey
    program: Pubkey


MarginEvent = (
    AccountCreated
    | AccountClosed
    | VerifiedHealthy
    | VerifiedUnhealthy
    | AdapterInvokeBegin
    | AdapterInvokeEnd
    | AccountingInvokeBegin
    | AccountingInvokeEnd
    | LiquidationBegun
    | LiquidatorInvokeBegin
    | LiquidatorInvokeEnd
    | LiquidationEnded
    | JupiterSwap
)


def _liquidation_data(read: Reader) -> LiquidationData:
    loss, most_loss, change = read.i128("equity_loss"), read.i128("max_equity_loss"), read.i128("collateral_change")
    limit, start = read.i128("max_available_collateral_limit"), UnixTime(read.i64("start_time"))
    collecting = read.u8("is_collecting_fees") != 0
    read.raw(7 + LIQUIDATION_FEES * 40, "padding and accrued fees")
    return LiquidationData(loss, most_loss, change, limit, start, collecting)


def _summary(read: Reader) -> ValuationSummary:
    equity, liabilities, required = read.i128("equity"), read.i128("liabilities"), read.i128("required_collateral")
    weighted, effective = read.i128("weighted_collateral"), read.i128("effective_collateral")
    available = read.i128("available_collateral")
    return ValuationSummary(equity, liabilities, required, weighted, effective, available, read.boolean("past_due"))


def _created(read: Reader) -> AccountCreated:
    margin_account, owner, airspace = read.pubkey("margin_account"), read.pubkey("owner"), read.pubkey("airspace")
    return AccountCreated(margin_account, owner, airspace, read.u16("seed"), read.u16("feature_flags"))


def _begun(read: Reader) -> LiquidationBegun:
    margin_account, liquidator = read.pubkey("margin_account"), read.pubkey("liquidator")
    liquidation, data = read.pubkey("liquidation"), _liquidation_data(read)
    return LiquidationBegun(margin_account, liquidator, liquidation, data, _summary(read))


def _liquidated(read: Reader) -> LiquidatorInvokeEnd:
    data, summary = _liquidation_data(read), _summary(read)
    return LiquidatorInvokeEnd(data, summary, read.u64("fee_amount"), read.pubkey("fee_mint"))


def _ended(read: Reader) -> LiquidationEnded:
    margin_account, authority = read.pubkey("margin_account"), read.pubkey("authority")
    return LiquidationEnded(margin_account, authority, read.boolean("timed_out"))


def _of_account(event: Callable[[Pubkey], MarginEvent]) -> Callable[[Reader], MarginEvent]:
    return lambda read: event(read.pubkey("margin_account"))


_DECODERS: MappingProxyType[str, Callable[[Reader], MarginEvent]] = MappingProxyType(
    {
        "AccountCreated": _created,
        "AccountClosed": _of_account(AccountClosed),
        "VerifiedHealthy": _of_account(VerifiedHealthy),
        "VerifiedUnhealthy": _of_account(VerifiedUnhealthy),
        "AdapterInvokeBegin": _of_account(AdapterInvokeBegin),
        "AdapterInvokeEnd": lambda _: AdapterInvokeEnd(),
        "AccountingInvokeBegin": _of_account(AccountingInvokeBegin),
        "AccountingInvokeEnd": lambda _: AccountingInvokeEnd(),
        "LiquidationBegun": _begun,
        "LiquidatorInvokeBegin": lambda read: LiquidatorInvokeBegin(
            read.pubkey("margin_account"), read.pubkey("liquidator")
        ),
        "LiquidatorInvokeEnd": _liquidated,
        "LiquidationEnded": _ended,
        "JupiterSwap": lambda read: JupiterSwap(read.pubkey("margin_account"), read.pubkey("adapter_program")),
    }
)
EVENT_DISCRIMINATORS = MappingProxyType({name: event_discriminator(name) for name in _DECODERS})
_BY_DISCRIMINATOR = MappingProxyType({event_discriminator(name): (name, decode) for name, decode in _DECODERS.items()})


def decode_event(data: bytes) -> MarginEvent | None:
    """The event in one "Program data" payload, or None for one of another kind or program.

    Raises ``LayoutError`` for an event of margin's that is truncated or malformed. Any program can log such bytes, so what
    matters must be read from accounts.
    """
    known = _BY_DISCRIMINATOR.get(bytes(data[:DISCRIMINATOR_LENGTH]))
    if known is None:
        return None
    name, decode = known
    return decode(Reader(data, f"event {name}", position=DISCRIMINATOR_LENGTH))


def logged_events(logs: Iterable[str], *, program: Pubkey = GLOW_MARGIN) -> tuple[MarginEvent, ...]:
    """The events that the margin program itself wrote into a transaction's ``logs``, in order. Raises as ``decode_event``."""
    found = (decode_event(data) for data in program_data(logs, program))
    return tuple(event for event in found if event is not None)
