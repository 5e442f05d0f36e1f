"""Token accounts and mints."""

from __future__ import annotations

from typing import Any

from solders.account import Account
from solders.pubkey import Pubkey

from keeper.sim.localnet.rpc.account_data import AccountForm, account_json
from keeper.sim.localnet.rpc.errors import invalid_param, invalid_params
from keeper.sim.localnet.rpc.node import Method, Node
from keeper.sim.localnet.rpc.params import Params, as_pubkey, wrong_type
from keeper.sim.localnet.rpc.token_state import TOKEN_PROGRAMS, mint_of, read_token_account, ui_amount


def get_token_account_balance(node: Node, params: Params) -> dict[str, Any]:
    """The balance of one token account."""
    key, config = params.pubkey(0), params.config(1)
    context = node.heads.context(config)
    account = node.bank.get_account(key)
    if account is None:
        raise invalid_param("could not find account")
    holder = read_token_account(account)
    if holder is None:
        raise invalid_param("not a Token account")
    mint = mint_of(node.bank, holder.mint)
    if mint is None:
        raise invalid_param("could not find mint")
    return {"context": context, "value": ui_amount(holder.amount, mint.decimals)}


def get_token_supply(node: Node, params: Params) -> dict[str, Any]:
    """The supply of one mint."""
    key, config = params.pubkey(0), params.config(1)
    context = node.heads.context(config)
    if node.bank.get_account(key) is None:
        raise invalid_param("could not find account")
    mint = mint_of(node.bank, key)
    if mint is None:
        raise invalid_param("not a Token mint")
    return {"context": context, "value": ui_amount(mint.supply, mint.decimals)}


def _wanted_mint(node: Node, choice: Any) -> tuple[Pubkey | None, Pubkey]:
    """(mint or None, token program) from ``{"mint": ...}`` or ``{"programId": ...}``."""
    if not isinstance(choice, dict):
        raise wrong_type(choice, "a map")
    if "mint" in choice:
        mint = as_pubkey(choice["mint"])
        account = node.bank.get_account(mint)
        if account is None:
            raise invalid_param("could not find mint")
        if mint_of(node.bank, mint) is None:
            raise invalid_param("not a Token mint")
        return mint, account.owner
    if "programId" in choice:
        program = as_pubkey(choice["programId"])
        if program not in TOKEN_PROGRAMS:
            raise invalid_param("unrecognized Token program id")
        return None, program
    raise invalid_params("Invalid params: unknown variant, expected `mint` or `programId`.")


def get_token_accounts_by_owner(node: Node, params: Params) -> dict[str, Any]:
    """Token accounts of an owner, of one mint or of one token program."""
    owner, choice, config = params.pubkey(0), params.required(1), params.config(2)
    context = node.heads.context(config)
    form = AccountForm.read(config)
    mint, program = _wanted_mint(node, choice)

    def wanted(account: Account) -> bool:
        holder = read_token_account(account)
        return holder is not None and account.owner == program and mint in (None, holder.mint)

    value = [
        {"pubkey": str(key), "account": account_json(node.bank, account, form)}
        for key, account in node.bank.token_accounts_by_owner(owner)
        if wanted(account)
    ]
    return {"context": context, "value": value}


def get_token_largest_accounts(node: Node, params: Params) -> dict[str, Any]:
    """The 20 largest accounts of a mint, largest first."""
    key, config = params.pubkey(0), params.config(1)
    context = node.heads.context(config)
    account, mint = node.bank.get_account(key), mint_of(node.bank, key)
    if account is None or mint is None:
        raise invalid_param("not a Token mint")
    held = [
        (holder.amount, str(address))
        for address, candidate in node.bank.program_accounts(account.owner)
        if (holder := read_token_account(candidate)) is not None and holder.mint == key
    ]
    held.sort(key=lambda pair: (-pair[0], pair[1]))
    value = [{"address": address, **ui_amount(amount, mint.decimals)} for amount, address in held[:20]]
    return {"context": context, "value": value}


TOKEN_METHODS: dict[str, Method] = {
    "getTokenAccountBalance": get_token_account_balance,
    "getTokenAccountsByOwner": get_token_accounts_by_owner,
    "getTokenLargestAccounts": get_token_largest_accounts,
    "getTokenSupply": get_token_supply,
}
