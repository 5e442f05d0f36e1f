"""The jsonParsed form of accounts whose layout is public and small: token accounts, mints, lookup tables."""

from __future__ import annotations

import struct
from typing import Any

from solders.account import Account
from solders.pubkey import Pubkey

from keeper.protocols.addresses import ADDRESS_LOOKUP_TABLE, TOKEN_2022
from keeper.sim.localnet.interface import BankFace
from keeper.sim.localnet.rpc.token_state import (
    TOKEN_PROGRAMS,
    extensions_json,
    mint_of,
    read_mint,
    read_token_account,
    ui_amount,
)

_TABLE_HEADER = 56
_TABLE = struct.Struct("<IQQBB32s")


def parse_account(bank: BankFace, account: Account) -> dict[str, Any] | None:
    """``{"program", "parsed": {"type", "info"}, "space"}``, or None: show it as base64."""
    if account.owner in TOKEN_PROGRAMS:
        parsed = _token(bank, account)
        program = TOKEN_PROGRAMS[account.owner]
    elif account.owner == ADDRESS_LOOKUP_TABLE:
        parsed = _lookup_table(account.data)
        program = "address-lookup-table"
    else:
        return None
    return None if parsed is None else {"program": program, "parsed": parsed, "space": len(account.data)}


def _text(key: Pubkey | None) -> str | None:
    return None if key is None else str(key)


def _token(bank: BankFace, account: Account) -> dict[str, Any] | None:
    extensions = extensions_json(account.data) if account.owner == TOKEN_2022 else []
    if extensions is None:
        return None
    holder = read_token_account(account)
    if holder is not None:
        mint = mint_of(bank, holder.mint)
        if mint is None:
            return None
        info: dict[str, Any] = {
            "mint": str(holder.mint),
            "owner": str(holder.owner),
            "tokenAmount": ui_amount(holder.amount, mint.decimals),
            "state": holder.state,
            "isNative": holder.native_reserve is not None,
        }
        if holder.delegate is not None:
            info["delegate"] = str(holder.delegate)
            info["delegatedAmount"] = ui_amount(holder.delegated, mint.decimals)
        if holder.native_reserve is not None:
            info["rentExemptReserve"] = ui_amount(holder.native_reserve, mint.decimals)
        if holder.close_authority is not None:
            info["closeAuthority"] = str(holder.close_authority)
        kind = "account"
    else:
        mint = read_mint(account)
        if mint is None:
            return None
        info = {
            "mintAuthority": _text(mint.authority),
            "supply": str(mint.supply),
            "decimals": mint.decimals,
            "isInitialized": mint.initialized,
            "freezeAuthority": _text(mint.freeze_authority),
        }
        kind = "mint"
    if extensions:
        info["extensions"] = extensions
    return {"info": info, "type": kind}


def _lookup_table(data: bytes) -> dict[str, Any] | None:
    """ProgramState::LookupTable (solana-sdk address-lookup-table-interface/src/state.rs): meta, then the addresses."""
    if len(data) < _TABLE_HEADER or struct.unpack_from("<I", data)[0] != 1:
        return None
    _, deactivation, extended, start, has_authority, authority = _TABLE.unpack_from(data)
    return {
        "type": "lookupTable",
        "info": {
            "deactivationSlot": str(deactivation),
            "lastExtendedSlot": str(extended),
            "lastExtendedSlotStartIndex": start,
            **({"authority": str(Pubkey.from_bytes(authority))} if has_authority else {}),
            "addresses": [
                str(Pubkey.from_bytes(data[at : at + 32])) for at in range(_TABLE_HEADER, len(data) - 31, 32)
            ],
        },
    }
