"""Accounts: balances, data, program scans."""

from __future__ import annotations

from typing import Any

from keeper.sim.localnet.rpc.account_data import AccountForm, account_json, optional_account_json
from keeper.sim.localnet.rpc.filters import passes, read_filters
from keeper.sim.localnet.rpc.node import Method, Node
from keeper.sim.localnet.rpc.params import Params

MAX_MULTIPLE_ACCOUNTS = 100


def get_balance(node: Node, params: Params) -> dict[str, Any]:
    """Lamports; 0 for an account that does not exist."""
    key, config = params.pubkey(0), params.config(1)
    context = node.heads.context(config)
    account = node.bank.get_account(key)
    return {"context": context, "value": 0 if account is None else account.lamports}


def get_account_info(node: Node, params: Params) -> dict[str, Any]:
    """One account or null."""
    key, config = params.pubkey(0), params.config(1)
    context = node.heads.context(config)
    return {"context": context, "value": optional_account_json(node.bank, key, AccountForm.read(config))}


def get_multiple_accounts(node: Node, params: Params) -> dict[str, Any]:
    """Up to 100 accounts, null where there is none. Read at once, so they belong together. Default encoding base64."""
    keys, config = params.pubkeys(0, maximum=MAX_MULTIPLE_ACCOUNTS), params.config(1)
    context = node.heads.context(config)
    form = AccountForm.read(config, default="base64")
    return {"context": context, "value": [optional_account_json(node.bank, key, form) for key in keys]}


def get_program_accounts(node: Node, params: Params) -> Any:
    """Accounts that a program owns and that pass the filters, in order of their addresses."""
    program, config = params.pubkey(0), params.config(1)
    form, filters = AccountForm.read(config), read_filters(config)
    context = node.heads.context(config)
    found = [(key, account) for key, account in node.bank.program_accounts(program) if passes(account, filters)]
    if config.boolean("sortResults", default=True):
        found.sort(key=lambda pair: bytes(pair[0]))
    value = [{"pubkey": str(key), "account": account_json(node.bank, account, form)} for key, account in found]
    return {"context": context, "value": value} if config.boolean("withContext") else value


def get_minimum_balance_for_rent_exemption(node: Node, params: Params) -> int:
    """Lamports that an account of so many bytes must hold."""
    return node.bank.rent_exempt(params.integer(0))


ACCOUNT_METHODS: dict[str, Method] = {
    "getBalance": get_balance,
    "getAccountInfo": get_account_info,
    "getMultipleAccounts": get_multiple_accounts,
    "getProgramAccounts": get_program_accounts,
    "getMinimumBalanceForRentExemption": get_minimum_balance_for_rent_exemption,
}
