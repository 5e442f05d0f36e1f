"""Account filters of getProgramAccounts and programSubscribe (agave rpc-client-types/src/filter.rs)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from solders.account import Account

from keeper.sim.localnet.rpc.base58 import decode_base58
from keeper.sim.localnet.rpc.errors import invalid_param, invalid_params
from keeper.sim.localnet.rpc.params import (
    Config,
    as_integer,
    as_list,
    as_text,
    decode_base64,
    unknown_variant,
    wrong_type,
)
from keeper.sim.localnet.rpc.token_state import read_token_account

MAX_FILTERS = 4
MAX_MEMCMP_BYTES = 128

AccountFilter = Callable[[Account], bool]


def read_filters(config: Config) -> list[AccountFilter]:
    """The ``filters`` of a configuration object; an account must pass all of them."""
    given = config.get("filters")
    if given is None:
        return []
    values = as_list(given)
    if len(values) > MAX_FILTERS:
        raise invalid_params(f"Too many filters provided; max {MAX_FILTERS}")
    return [_filter(value) for value in values]


def _filter(value: Any) -> AccountFilter:
    if value == "tokenAccountState":
        return lambda account: read_token_account(account) is not None
    if not isinstance(value, dict) or len(value) != 1:
        raise wrong_type(value, "a filter: dataSize, memcmp or tokenAccountState")
    name, argument = next(iter(value.items()))
    if name == "dataSize":
        size = as_integer(argument)
        return lambda account: len(account.data) == size
    if name == "memcmp":
        return _memcmp(argument)
    if name == "tokenAccountState":
        return lambda account: read_token_account(account) is not None
    raise unknown_variant(name, ("dataSize", "memcmp", "tokenAccountState"))


def _memcmp(argument: Any) -> AccountFilter:
    if not isinstance(argument, dict):
        raise wrong_type(argument, "struct Memcmp")
    for field in ("offset", "bytes"):
        if field not in argument:
            raise invalid_params(f"Invalid params: missing field `{field}`.")
    offset = as_integer(argument["offset"])
    wanted = _memcmp_bytes(argument["bytes"], argument.get("encoding"))
    if len(wanted) > MAX_MEMCMP_BYTES:
        raise invalid_param(f"decoded memcmp bytes too large: {len(wanted)} bytes (max: {MAX_MEMCMP_BYTES} bytes)")
    return lambda account: account.data[offset : offset + len(wanted)] == wanted


def _memcmp_bytes(value: Any, encoding: Any) -> bytes:
    if isinstance(value, list):
        return bytes(as_integer(item, maximum=255, expected="u8") for item in value)
    text = as_text(value)
    if encoding in (None, "base58", "binary"):
        try:
            return decode_base58(text)
        except ValueError as error:
            raise invalid_param(str(error)) from error
    if encoding == "base64":
        return decode_base64(text)
    raise unknown_variant(as_text(encoding), ("base58", "base64", "bytes"))


def passes(account: Account, filters: list[AccountFilter]) -> bool:
    """Whether ``account`` passes every filter."""
    return all(accepted(account) for accepted in filters)
