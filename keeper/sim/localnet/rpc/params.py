"""Reading JSON-RPC parameters, refusing them in agave's words."""

from __future__ import annotations

import base64
import binascii
import json
from enum import IntEnum
from typing import Any

from solders.hash import Hash, ParseHashError
from solders.pubkey import Pubkey
from solders.signature import Signature

from keeper.sim.localnet.rpc.base58 import decode_base58
from keeper.sim.localnet.rpc.errors import RpcError, invalid_param, invalid_params

U64_MAX = 2**64 - 1


class Commitment(IntEnum):
    """How settled the caller wants what it reads to be; greater is more settled."""

    PROCESSED = 0
    CONFIRMED = 1
    FINALIZED = 2

    @property
    def label(self) -> str:
        """``processed``, ``confirmed`` or ``finalized``."""
        return self.name.lower()


_COMMITMENTS = {level.label: level for level in Commitment}


def _described(value: Any) -> str:
    """A JSON value as serde names it in its messages."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"boolean `{json.dumps(value)}`"
    if isinstance(value, int):
        return f"integer `{value}`"
    if isinstance(value, float):
        return f"floating point `{value}`"
    if isinstance(value, str):
        return f"string {json.dumps(value)}"
    return "sequence" if isinstance(value, list) else "map"


def wrong_type(value: Any, expected: str) -> RpcError:
    """-32602 for a JSON value of the wrong type; ``expected`` with its article, as in "a string"."""
    return invalid_params(f"Invalid params: invalid type: {_described(value)}, expected {expected}.")


def unknown_variant(value: str, allowed: tuple[str, ...]) -> RpcError:
    """-32602 for a word outside an enumeration."""
    names = ", ".join(f"`{name}`" for name in allowed)
    return invalid_params(f"Invalid params: unknown variant `{value}`, expected one of {names}.")


def as_text(value: Any) -> str:
    """A string or -32602."""
    if not isinstance(value, str):
        raise wrong_type(value, "a string")
    return value


def as_integer(value: Any, *, maximum: int = U64_MAX, expected: str = "u64") -> int:
    """An unsigned integer or -32602."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(value, expected)
    if not 0 <= value <= maximum:
        raise invalid_params(f"Invalid params: invalid value: integer `{value}`, expected {expected}.")
    return value


def as_boolean(value: Any) -> bool:
    """A boolean or -32602."""
    if not isinstance(value, bool):
        raise wrong_type(value, "a boolean")
    return value


def as_list(value: Any) -> list[Any]:
    """A list or -32602."""
    if not isinstance(value, list):
        raise wrong_type(value, "a sequence")
    return value


def as_pubkey(value: Any) -> Pubkey:
    """An address or -32602: ``Invalid`` for a foreign character, ``WrongSize`` for other than 32 bytes."""
    text = as_text(value)
    try:
        return Pubkey.from_string(text)
    except ValueError as error:
        raise invalid_param(_size_or_alphabet(text)) from error


def as_signature(value: Any) -> Signature:
    """A signature or -32602, as ``as_pubkey``."""
    text = as_text(value)
    try:
        return Signature.from_string(text)
    except ValueError as error:
        raise invalid_param(_size_or_alphabet(text)) from error


def as_hash(value: Any) -> Hash:
    """A blockhash or -32602, as ``as_pubkey``."""
    text = as_text(value)
    try:
        return Hash.from_string(text)
    except (ValueError, ParseHashError) as error:
        raise invalid_param(_size_or_alphabet(text)) from error


def _size_or_alphabet(text: str) -> str:
    try:
        decode_base58(text)
    except ValueError:
        return "Invalid"
    return "WrongSize"


def decode_base64(text: str) -> bytes:
    """Bytes of strict base64, or -32602."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid_params(f"invalid base64 encoding: {error}") from error


class Config:
    """The optional object that ends most parameter lists. JSON null counts as absent."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def get(self, name: str) -> Any:
        """The raw value, or None."""
        return self.values.get(name)

    def text(self, name: str) -> str | None:
        """A string, None where absent."""
        value = self.values.get(name)
        return None if value is None else as_text(value)

    def choice(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        """One of ``allowed``."""
        value = self.text(name)
        if value is None:
            return default
        if value not in allowed:
            raise unknown_variant(value, allowed)
        return value

    def boolean(self, name: str, *, default: bool = False) -> bool:
        """A boolean."""
        value = self.values.get(name)
        return default if value is None else as_boolean(value)

    def integer(self, name: str) -> int | None:
        """An unsigned integer, None where absent."""
        value = self.values.get(name)
        return None if value is None else as_integer(value)

    def commitment(self, default: Commitment = Commitment.FINALIZED, *, name: str = "commitment") -> Commitment:
        """The commitment asked for; Solana's default is finalized."""
        value = self.text(name)
        if value is None:
            return default
        level = _COMMITMENTS.get(value)
        if level is None:
            raise unknown_variant(value, tuple(_COMMITMENTS))
        return level


class Params:
    """The positional parameters of one call."""

    def __init__(self, values: list[Any]) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def required(self, index: int) -> Any:
        """The value at ``index``, or -32602 saying how many are needed."""
        if index >= len(self.values) or self.values[index] is None:
            raise invalid_params(f"`params` should have at least {index + 1} argument(s)")
        return self.values[index]

    def optional(self, index: int) -> Any:
        """The value at ``index``, None where the list is shorter."""
        return self.values[index] if index < len(self.values) else None

    def text(self, index: int) -> str:
        """A required string."""
        return as_text(self.required(index))

    def integer(self, index: int) -> int:
        """A required unsigned integer."""
        return as_integer(self.required(index))

    def pubkey(self, index: int) -> Pubkey:
        """A required address."""
        return as_pubkey(self.required(index))

    def pubkeys(self, index: int, *, maximum: int) -> list[Pubkey]:
        """A required list of at most ``maximum`` addresses."""
        values = as_list(self.required(index))
        if len(values) > maximum:
            raise invalid_params(f"Too many inputs provided; max {maximum}")
        return [as_pubkey(value) for value in values]

    def config(self, index: int) -> Config:
        """The configuration object; an absent one is empty."""
        value = self.optional(index)
        if value is None:
            return Config({})
        if not isinstance(value, dict):
            raise wrong_type(value, "a map")
        return Config(value)
