"""Accounts as JSON-RPC shows them (agave account-decoder/src/lib.rs)."""

from __future__ import annotations

import base64
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from solders.account import Account
from solders.pubkey import Pubkey

from keeper.sim.localnet.interface import BankFace
from keeper.sim.localnet.rpc.base58 import encode_base58
from keeper.sim.localnet.rpc.errors import INVALID_REQUEST, RpcError, invalid_params
from keeper.sim.localnet.rpc.params import Config, as_integer, wrong_type
from keeper.sim.localnet.rpc.parsed_accounts import parse_account

ENCODINGS = ("binary", "base58", "base64", "base64+zstd", "jsonParsed")
MAX_BASE58_BYTES = 128
RENT_EXEMPT_EPOCH = 2**64 - 1


@dataclass(frozen=True, slots=True)
class AccountForm:
    """How the caller wants account data: ``encoding``, and an optional slice of ``length`` bytes from ``offset``."""

    encoding: str = "base64"
    offset: int = 0
    length: int | None = None

    @classmethod
    def read(cls, config: Config, *, default: str = "binary") -> AccountForm:
        """From ``encoding`` and ``dataSlice`` of a configuration object."""
        encoding = config.choice("encoding", ENCODINGS, default)
        part = config.get("dataSlice")
        if part is None:
            return cls(encoding)
        if not isinstance(part, dict):
            raise wrong_type(part, "struct UiDataSliceConfig")
        for field in ("offset", "length"):
            if field not in part:
                raise invalid_params(f"Invalid params: missing field `{field}`.")
        return cls(encoding, as_integer(part["offset"]), as_integer(part["length"]))

    def cut(self, data: bytes) -> bytes:
        """The part of ``data`` that was asked for; empty where the slice begins behind its end."""
        return data if self.length is None else data[self.offset : self.offset + self.length]


def _zstd() -> Callable[[bytes], bytes]:
    """A zstd compressor, if this Python has one: 3.14's own module, or the ``zstandard`` package."""
    for name in ("compression.zstd", "zstandard"):
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        return cast("Callable[[bytes], bytes]", module.compress)
    raise invalid_params("base64+zstd needs the zstandard package in the localnet's environment; ask for base64")


def encode_data(data: bytes, form: AccountForm, *, strict: bool) -> Any:
    """``data`` in a binary encoding. ``strict`` raises for base58 over 128 bytes, as single-account methods do."""
    part = form.cut(data)
    if form.encoding in ("binary", "base58"):
        if len(part) > MAX_BASE58_BYTES:
            if strict:
                raise RpcError(
                    INVALID_REQUEST,
                    "Encoded binary (base 58) data should be less than 128 bytes, please use Base64 encoding.",
                )
            text = "error: data too large for bs58 encoding"
        else:
            text = encode_base58(part)
        return text if form.encoding == "binary" else [text, "base58"]
    if form.encoding == "base64+zstd":
        return [base64.b64encode(_zstd()(part)).decode(), "base64+zstd"]
    return [base64.b64encode(part).decode(), "base64"]


def account_json(bank: BankFace, account: Account, form: AccountForm, *, strict: bool = False) -> dict[str, Any]:
    """One account: lamports, owner, data, executable, rentEpoch, space. jsonParsed falls back to base64."""
    data: Any = None
    if form.encoding == "jsonParsed":
        data = parse_account(bank, account)
    if data is None:
        data = encode_data(account.data, form, strict=strict)
    return {
        "lamports": account.lamports,
        "owner": str(account.owner),
        "data": data,
        "executable": account.executable,
        "rentEpoch": RENT_EXEMPT_EPOCH,
        "space": len(account.data),
    }


def optional_account_json(bank: BankFace, key: Pubkey, form: AccountForm) -> dict[str, Any] | None:
    """As ``account_json`` for the bank's account at ``key``, None where there is none."""
    account = bank.get_account(key)
    return None if account is None else account_json(bank, account, form, strict=True)
