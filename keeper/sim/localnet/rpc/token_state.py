"""Token accounts and mints as the token programs lay them out (spl-token-interface state.rs; Token-2022 keeps the base)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from solders.account import Account
from solders.pubkey import Pubkey

from keeper.protocols.addresses import SPL_TOKEN, TOKEN_2022
from keeper.sim.localnet.interface import BankFace

TOKEN_PROGRAMS = {SPL_TOKEN: "spl-token", TOKEN_2022: "spl-token-2022"}
ACCOUNT_BYTES = 165
MINT_BYTES = 82
_KIND_AT = ACCOUNT_BYTES
"""Token-2022 writes the account type behind the longest base layout: 1 mint, 2 account."""
_ACCOUNT = struct.Struct("<32s32sQ4s32sB4sQQ4s32s")
_MINT = struct.Struct("<4s32sQBB4s32s")
_SOME = b"\1\0\0\0"
_STATES = ("uninitialized", "initialized", "frozen")
_IMMUTABLE_OWNER = 7


@dataclass(frozen=True, slots=True)
class TokenAccount:
    """A holder's account; ``amount`` and ``delegated`` in base units, ``native_reserve`` in lamports (None: not wSOL)."""

    mint: Pubkey
    owner: Pubkey
    amount: int
    delegate: Pubkey | None
    state: str
    native_reserve: int | None
    delegated: int
    close_authority: Pubkey | None


@dataclass(frozen=True, slots=True)
class Mint:
    """A token's mint; ``supply`` in base units."""

    authority: Pubkey | None
    supply: int
    decimals: int
    initialized: bool
    freeze_authority: Pubkey | None


def _option(tag: bytes, value: bytes) -> Pubkey | None:
    return Pubkey.from_bytes(value) if tag == _SOME else None


def is_token_account(account: Account) -> bool:
    """By owner, size and (Token-2022) the account type."""
    if account.owner not in TOKEN_PROGRAMS:
        return False
    data = account.data
    if len(data) == ACCOUNT_BYTES:
        return True
    return account.owner == TOKEN_2022 and len(data) > _KIND_AT and data[_KIND_AT] == 2


def is_mint(account: Account) -> bool:
    """By owner, size and (Token-2022) the account type."""
    if account.owner not in TOKEN_PROGRAMS:
        return False
    data = account.data
    if len(data) == MINT_BYTES:
        return True
    return account.owner == TOKEN_2022 and len(data) > _KIND_AT and data[_KIND_AT] == 1


def read_token_account(account: Account | None) -> TokenAccount | None:
    """The token account in ``account``, None where it holds something else or is not initialised."""
    if account is None or not is_token_account(account):
        return None
    mint, owner, amount, delegate_tag, delegate, state, native_tag, reserve, delegated, close_tag, close = (
        _ACCOUNT.unpack_from(account.data)
    )
    if not 0 < state < len(_STATES):
        return None
    return TokenAccount(
        mint=Pubkey.from_bytes(mint),
        owner=Pubkey.from_bytes(owner),
        amount=amount,
        delegate=_option(delegate_tag, delegate),
        state=_STATES[state],
        native_reserve=reserve if native_tag == _SOME else None,
        delegated=delegated,
        close_authority=_option(close_tag, close),
    )


def read_mint(account: Account | None) -> Mint | None:
    """The mint in ``account``, None where it holds something else or is not initialised."""
    if account is None or not is_mint(account):
        return None
    authority_tag, authority, supply, decimals, initialized, freeze_tag, freeze = _MINT.unpack_from(account.data)
    if not initialized:
        return None
    return Mint(
        authority=_option(authority_tag, authority),
        supply=supply,
        decimals=decimals,
        initialized=True,
        freeze_authority=_option(freeze_tag, freeze),
    )


def mint_of(bank: BankFace, mint: Pubkey) -> Mint | None:
    """The mint at that address."""
    return read_mint(bank.get_account(mint))


def ui_amount(amount: int, decimals: int) -> dict[str, Any]:
    """UiTokenAmount. The float is for people only, as on a real node; ``amount`` carries the truth."""
    exact = Decimal(amount).scaleb(-decimals)
    text = f"{exact:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return {"amount": str(amount), "decimals": decimals, "uiAmount": float(exact), "uiAmountString": text}


def extensions_json(data: bytes) -> list[dict[str, Any]] | None:
    """Token-2022 extensions of an account; None where one is met that this face does not know how to show."""
    shown: list[dict[str, Any]] = []
    at = _KIND_AT + 1
    while at + 4 <= len(data):
        kind, length = struct.unpack_from("<HH", data, at)
        if kind == 0:
            break
        if kind != _IMMUTABLE_OWNER:
            return None
        shown.append({"extension": "immutableOwner"})
        at += 4 + length
    return shown
