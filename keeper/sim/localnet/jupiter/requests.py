"""What callers ask of the face, read and checked: query strings and bodies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from solders.pubkey import Pubkey

from keeper.sim.localnet.jupiter.errors import ErrorCode, JupiterError, unreadable_body, unreadable_query

U64_MAX = 2**64 - 1
DEFAULT_SLIPPAGE_BPS = 50
MAX_BPS = 10_000
MAX_ACCOUNTS = 64
REAL_TIME_SLIPPAGE = "rtse"
_MAX_DIGITS = 40
_TRUE = {"true": True, "false": False}

Query = Mapping[str, str]


def required_text(query: Query, name: str) -> str:
    """A query parameter that must be there."""
    value = query.get(name)
    if value is None or value == "":
        raise unreadable_query(f"missing field `{name}`")
    return value


def query_pubkey(query: Query, name: str) -> Pubkey:
    """An address."""
    text = required_text(query, name)
    try:
        return Pubkey.from_string(text)
    except ValueError as error:
        raise unreadable_query(f"{name}: {text!r} is not a base58 address of 32 bytes") from error


def optional_pubkey(query: Query, name: str) -> Pubkey | None:
    """An address, None where absent."""
    return query_pubkey(query, name) if query.get(name) else None


def _is_number(text: str) -> bool:
    """Digits, and few enough of them to be worth reading."""
    return text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS


def query_integer(query: Query, name: str, default: int, *, low: int, high: int) -> int:
    """A whole number from ``low`` to ``high``."""
    text = query.get(name)
    if text is None or text == "":
        return default
    if not _is_number(text):
        raise unreadable_query(f"{name}: invalid digit found in {text!r}")
    value = int(text)
    if not low <= value <= high:
        raise unreadable_query(f"{name}: {value} is not from {low} to {high}")
    return value


def query_boolean(query: Query, name: str, *, default: bool) -> bool:
    """``true`` or ``false``."""
    text = query.get(name)
    if text is None or text == "":
        return default
    if text not in _TRUE:
        raise unreadable_query(f"{name}: provided string was not `true` or `false`: {text!r}")
    return _TRUE[text]


def _labels(query: Query, name: str) -> frozenset[str] | None:
    text = query.get(name)
    if not text:
        return None
    return frozenset(label.strip() for label in text.split(",") if label.strip())


@dataclass(frozen=True, slots=True)
class QuoteRequest:
    """What both versions ask a route by. ``amount`` in base units of the input token."""

    input_mint: Pubkey
    output_mint: Pubkey
    amount: int
    slippage_bps: int
    dexes: frozenset[str] | None
    exclude_dexes: frozenset[str]
    direct_only: bool
    max_accounts: int
    platform_fee_bps: int

    @classmethod
    def read(cls, query: Query, *, real_time_slippage: bool = False) -> QuoteRequest:
        """From the query string. ``real_time_slippage``: "rtse" is understood (v2) and means the default here.

        Raises ``JupiterError``: unreadable, CIRCULAR_ARBITRAGE_IS_DISABLED, NOT_SUPPORTED, MAX_ACCOUNT_GREATER_THAN_MAX.
        """
        input_mint, output_mint = query_pubkey(query, "inputMint"), query_pubkey(query, "outputMint")
        required_text(query, "amount")
        amount = query_integer(query, "amount", 0, low=0, high=U64_MAX)
        rtse = real_time_slippage and query.get("slippageBps") == REAL_TIME_SLIPPAGE
        slippage = (
            DEFAULT_SLIPPAGE_BPS
            if rtse
            else query_integer(query, "slippageBps", DEFAULT_SLIPPAGE_BPS, low=0, high=MAX_BPS)
        )
        dexes, excluded = _labels(query, "dexes"), _labels(query, "excludeDexes")
        if dexes is not None and excluded is not None:
            raise JupiterError("dexes and excludeDexes are mutually exclusive", ErrorCode.NOT_SUPPORTED)
        max_accounts = query_integer(query, "maxAccounts", MAX_ACCOUNTS, low=1, high=U64_MAX)
        if max_accounts > MAX_ACCOUNTS:
            raise JupiterError(
                f"maxAccounts is {max_accounts}, the most is {MAX_ACCOUNTS}", ErrorCode.MAX_ACCOUNT_GREATER_THAN_MAX
            )
        platform_fee = query_integer(query, "platformFeeBps", 0, low=0, high=MAX_BPS)
        if platform_fee:
            raise JupiterError("platform fees are not supported on the localnet", ErrorCode.NOT_SUPPORTED)
        if input_mint == output_mint:
            raise JupiterError(
                "Input and output mints are not allowed to be equal", ErrorCode.CIRCULAR_ARBITRAGE_IS_DISABLED
            )
        return cls(
            input_mint=input_mint,
            output_mint=output_mint,
            amount=amount,
            slippage_bps=slippage,
            dexes=dexes,
            exclude_dexes=excluded or frozenset(),
            direct_only=query_boolean(query, "onlyDirectRoutes", default=False),
            max_accounts=max_accounts,
            platform_fee_bps=0,
        )


def field(body: Mapping[str, Any], name: str, kind: type | tuple[type, ...], *, default: Any = ...) -> Any:
    """A member of a JSON body, of JSON type ``kind``; raises 422 where it is missing (without ``default``) or of another type."""
    value = body.get(name)
    if value is None:
        if default is ...:
            raise unreadable_body(f"missing field `{name}`")
        return default
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        names = " or ".join(item.__name__ for item in kinds)
        raise unreadable_body(f"{name}: invalid type: {type(value).__name__}, expected {names}")
    return value


def body_pubkey(body: Mapping[str, Any], name: str) -> Pubkey:
    """An address in a JSON body."""
    text = field(body, name, str)
    try:
        return Pubkey.from_string(text)
    except ValueError as error:
        raise unreadable_body(f"{name}: {text!r} is not a base58 address of 32 bytes") from error


def body_amount(body: Mapping[str, Any], name: str) -> int:
    """A u64 written as a string."""
    text = field(body, name, str)
    if not _is_number(text) or int(text) > U64_MAX:
        raise unreadable_body(f"{name}: {text!r} is not a u64")
    return int(text)


def body_unsigned(body: Mapping[str, Any], name: str, *, high: int = U64_MAX) -> int | None:
    """A whole number in a JSON body, None where absent."""
    value = field(body, name, int, default=None)
    if value is None:
        return None
    number = int(value)
    if not 0 <= number <= high:
        raise unreadable_body(f"{name}: {number} is not from 0 to {high}")
    return number
