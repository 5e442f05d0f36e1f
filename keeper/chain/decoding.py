"""Strict reading of JSON results. Everything unexpected is ``Malformed`` with its path; extra fields are ignored."""

from __future__ import annotations

import base64
from typing import Any

from solders.hash import Hash, ParseHashError
from solders.pubkey import Pubkey
from solders.signature import Signature

from keeper.chain.accounts import Account
from keeper.chain.answers import TransactionErr
from keeper.units import Lamports, Slot, UnixTime

U64_MAX = 2**64 - 1
_SHOWN = 80


class Malformed(ValueError):
    """A JSON value is not what its place asks for."""

    def __init__(self, path: str, wanted: str, value: object) -> None:
        shown = repr(value)
        super().__init__(f"{path}: expected {wanted}, got {shown[:_SHOWN]}{'...' if len(shown) > _SHOWN else ''}")
        self.path = path
        self.value = value


def mapping(value: object, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Malformed(path, "an object", value)
    return value


def sequence(value: object, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise Malformed(path, "a list", value)
    return value


def member(value: object, key: str, path: str) -> Any:
    """``value[key]``; a missing key is an error, a null is the caller's matter."""
    holder = mapping(value, path)
    if key not in holder:
        raise Malformed(path, f"a field {key!r}", sorted(holder))
    return holder[key]


def u64(value: object, path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= U64_MAX:
        raise Malformed(path, "an unsigned 64-bit integer", value)
    return value


def u64_text(value: object, path: str) -> int:
    """An amount written as decimal digits in a string, as token amounts are."""
    if not isinstance(value, str) or not value.isascii() or not value.isdigit() or len(value) > 20:
        raise Malformed(path, "an amount as a string of digits", value)
    return u64(int(value), path)


def text(value: object, path: str) -> str:
    if not isinstance(value, str):
        raise Malformed(path, "a string", value)
    return value


def flag(value: object, path: str) -> bool:
    if not isinstance(value, bool):
        raise Malformed(path, "true or false", value)
    return value


def lines(value: object, path: str) -> tuple[str, ...]:
    """A list of strings; null is an empty one (nodes send null for logs that they dropped)."""
    if value is None:
        return ()
    return tuple(text(item, path) for item in sequence(value, path))


def pubkey(value: object, path: str) -> Pubkey:
    try:
        return Pubkey.from_string(text(value, path))
    except ValueError as error:
        raise Malformed(path, "a base58 address", value) from error


def blockhash(value: object, path: str) -> Hash:
    try:
        return Hash.from_string(text(value, path))
    except (ValueError, ParseHashError) as error:  # solders: this one alone is no ValueError
        raise Malformed(path, "a base58 hash", value) from error


def signature(value: object, path: str) -> Signature:
    try:
        return Signature.from_string(text(value, path))
    except ValueError as error:
        raise Malformed(path, "a base58 signature", value) from error


def base64_bytes(value: object, path: str) -> bytes:
    try:
        return base64.b64decode(text(value, path), validate=True)
    except ValueError as error:
        raise Malformed(path, "base64", value) from error


def encoded(value: object, path: str) -> bytes:
    """``[data, "base64"]``, the only encoding that we ask for."""
    pair = sequence(value, path)
    if len(pair) != 2 or pair[1] != "base64":
        raise Malformed(path, 'a pair [data, "base64"]', value)
    return base64_bytes(pair[0], path)


def transaction_err(value: object, path: str) -> TransactionErr | None:
    if value is None or isinstance(value, str | dict):
        return value
    raise Malformed(path, "a transaction error (string, object or null)", value)


def unix_time(value: object, path: str) -> UnixTime | None:
    return None if value is None else UnixTime(u64(value, path))


def account(value: object, path: str) -> Account | None:
    """An account in base64; null is an account that does not exist."""
    if value is None:
        return None
    return Account(
        lamports=Lamports(u64(member(value, "lamports", path), f"{path}.lamports")),
        owner=pubkey(member(value, "owner", path), f"{path}.owner"),
        data=encoded(member(value, "data", path), f"{path}.data"),
        executable=flag(member(value, "executable", path), f"{path}.executable"),
    )


def with_context(result: object) -> tuple[Slot, Any]:
    """``{context: {slot}, value}`` as (slot, value)."""
    slot = u64(member(member(result, "context", "result"), "slot", "result.context"), "result.context.slot")
    return Slot(slot), member(result, "value", "result")
