"""The Anchor IDL (spec 0.1.0, of Anchor 0.30 and later) of the modelled glowSOL program, and its account on chain."""

from __future__ import annotations

import json
import zlib
from typing import Any

from solders.pubkey import Pubkey

from keeper.protocols.addresses import (
    ASSOCIATED_TOKEN,
    CLOCK_SYSVAR,
    GLOW_LRT,
    SOLAYER_RESTAKING,
    SPL_TOKEN,
    STAKE,
    STAKE_HISTORY_SYSVAR,
    STAKE_POOL_PROGRAM,
    SYSTEM,
)
from keeper.sim.localnet.programs.anchor import account_discriminator, event_discriminator, instruction_discriminator
from keeper.sim.localnet.programs.borsh import u32
from keeper.sim.localnet.programs.glow_lrt_state import ERROR_MESSAGES, QUEUE_SLOTS

Json = dict[str, Any]

IDL_ACCOUNT_DISCRIMINATOR = bytes.fromhex("184662bf3a907b9e")
"""sha256("internal:IdlAccount")[:8]."""


def idl_address(program: Pubkey) -> Pubkey:
    """Where Anchor publishes a program's IDL."""
    base = Pubkey.find_program_address([], program)[0]
    return Pubkey.create_with_seed(base, "anchor:idl", program)


def idl_account_data(idl: Json, authority: Pubkey) -> bytes:
    """Bytes of the IDL account: discriminator, authority, length, zlib-compressed JSON."""
    packed = zlib.compress(json.dumps(idl, separators=(",", ":")).encode(), 9)
    return IDL_ACCOUNT_DISCRIMINATOR + bytes(authority) + u32(len(packed)) + packed


def _account(name: str, flags: str = "", **extra: object) -> Json:
    """``flags``: W writable, S signer."""
    entry: Json = {"name": name}
    if "W" in flags:
        entry["writable"] = True
    if "S" in flags:
        entry["signer"] = True
    return entry | extra


def _seeds(*parts: str | bytes) -> Json:
    """A PDA's seeds: bytes are constants, text is the path of an account."""
    return {
        "seeds": [
            {"kind": "const", "value": list(part)} if isinstance(part, bytes) else {"kind": "account", "path": part}
            for part in parts
        ]
    }


_POOL_PDA = _seeds(b"lrt_pool", "glowsol_mint")
_QUEUE_PDA = _seeds(b"pending_withdrawals", "pool", "owner")
_STAGING_PDA = _seeds(b"sol_staging", "pool")
_OWNED = {"relations": ["pool"]}
_TOKEN = _account("token_program", address=str(SPL_TOKEN))
_SYSTEM = _account("system_program", address=str(SYSTEM))


def _owned(name: str, flags: str = "") -> Json:
    """An account that the pool names (has_one)."""
    return _account(name, flags, **_OWNED)


def _instruction(name: str, docs: str, accounts: list[Json], **args: str) -> Json:
    return {
        "name": name,
        "docs": [docs],
        "discriminator": list(instruction_discriminator(name)),
        "accounts": accounts,
        "args": [{"name": argument, "type": kind} for argument, kind in args.items()],
    }


_STAKING_ACCOUNTS = [
    _account("admin", "S", **_OWNED),
    _account("pool", "W"),
    _owned("ssol_vault", "W"),
    _account("pool_lst", "W"),
    _owned("lst_mint", "W"),
    _owned("ssol_mint", "W"),
    _owned("stake_pool", "W"),
    _account("stake_pool_withdraw_authority"),
    _account("reserve_stake", "W"),
    _account("manager_fee_account", "W"),
    _owned("restaking_pool"),
    _account("lst_vault", "W"),
    _account("stake_pool_program", address=str(STAKE_POOL_PROGRAM)),
    _account("restaking_program", address=str(SOLAYER_RESTAKING)),
    _account("associated_token_program", address=str(ASSOCIATED_TOKEN)),
    _TOKEN,
    _SYSTEM,
]

INSTRUCTIONS: list[Json] = [
    _instruction(
        "deposit_sol",
        "Pay lamports into the pool for new shares.",
        [
            _account("owner", "WS"),
            _account("pool", "W", pda=_POOL_PDA),
            _owned("glowsol_mint", "W"),
            _account("owner_shares", "W"),
            _owned("ssol_vault"),
            _owned("stake_pool"),
            _TOKEN,
            _SYSTEM,
        ],
        lamports="u64",
        minimum_shares="u64",
    ),
    _instruction(
        "deposit_stake",
        "Pay sSOL into the pool for new shares.",
        [
            _account("owner", "S"),
            _account("pool", "W", pda=_POOL_PDA),
            _owned("glowsol_mint", "W"),
            _account("owner_shares", "W"),
            _owned("ssol_vault", "W"),
            _account("owner_ssol", "W"),
            _owned("ssol_mint"),
            _owned("stake_pool"),
            _TOKEN,
        ],
        ssol_amount="u64",
        minimum_shares="u64",
    ),
    _instruction(
        "create_pending_withdrawals",
        "Open the owner's withdrawal queue.",
        [
            _account("owner", "WS"),
            _account("pool"),
            _account("pending_withdrawals", "W", pda=_QUEUE_PDA),
            _SYSTEM,
        ],
    ),
    _instruction(
        "initiate_withdrawal",
        "Move shares into escrow and fix the lamports they redeem for after the waiting period.",
        [
            _account("owner", "S"),
            _account("pool", "W", pda=_POOL_PDA),
            _owned("glowsol_mint"),
            _account("owner_shares", "W"),
            _owned("share_escrow", "W"),
            _owned("ssol_vault"),
            _owned("stake_pool"),
            _account("pending_withdrawals", "W", pda=_QUEUE_PDA),
            _TOKEN,
        ],
        shares="u64",
    ),
    _instruction(
        "execute_withdrawal",
        "Burn the escrowed shares of a ripe withdrawal and pay its lamports.",
        [
            _account("owner", "WS"),
            _account("pool", "W", pda=_POOL_PDA),
            _owned("glowsol_mint", "W"),
            _owned("share_escrow", "W"),
            _account("pending_withdrawals", "W", pda=_QUEUE_PDA),
            _TOKEN,
        ],
        withdrawal_index="u8",
    ),
    _instruction(
        "cancel_pending_withdrawal",
        "Take a withdrawal back for its shares less the cancellation fee, which is burnt.",
        [
            _account("owner", "S"),
            _account("pool", "W", pda=_POOL_PDA),
            _owned("glowsol_mint", "W"),
            _account("owner_shares", "W"),
            _owned("share_escrow", "W"),
            _owned("ssol_vault"),
            _owned("stake_pool"),
            _account("pending_withdrawals", "W", pda=_QUEUE_PDA),
            _TOKEN,
        ],
        withdrawal_index="u8",
    ),
    _instruction(
        "close_pending_withdrawal",
        "Close the owner's empty queue and return its rent.",
        [
            _account("owner", "WS"),
            _account("pool"),
            _account("pending_withdrawals", "W", pda=_QUEUE_PDA),
        ],
    ),
    _instruction(
        "configure_pool",
        "Set the pool's parameters.",
        [_account("admin", "S", **_OWNED), _account("pool", "W")],
        paused="bool",
        deposit_cap="u64",
        waiting_period="u32",
        cancel_fee_bps="u16",
    ),
    _instruction(
        "solayer_restake",
        "Turn liquid SOL of the pool into sSOL.",
        [*_STAKING_ACCOUNTS, _account("sol_staging", "W", pda=_STAGING_PDA)],
        lamports="u64",
    ),
    _instruction(
        "solayer_unrestake",
        "Turn sSOL of the pool into liquid SOL through the stake pool's reserve.",
        [
            *_STAKING_ACCOUNTS,
            _account("clock", address=str(CLOCK_SYSVAR)),
            _account("stake_history", address=str(STAKE_HISTORY_SYSVAR)),
            _account("stake_program", address=str(STAKE)),
        ],
        ssol_amount="u64",
    ),
]


def _struct(name: str, **fields: object) -> Json:
    return {
        "name": name,
        "type": {"kind": "struct", "fields": [{"name": field, "type": kind} for field, kind in fields.items()]},
    }


def _keys(*names: str) -> dict[str, object]:
    return dict.fromkeys(names, "pubkey")


_EVENTS: dict[str, dict[str, object]] = {
    "Deposited": _keys("pool", "owner") | {"assets": "u64", "ssol_amount": "u64", "shares": "u64"},
    "WithdrawalInitiated": _keys("pool", "owner")
    | {"withdrawal_index": "u8", "assets": "u64", "shares": "u64", "withdrawable_at": "i64"},
    "WithdrawalExecuted": _keys("pool", "owner") | {"withdrawal_index": "u8", "assets": "u64", "shares": "u64"},
    "WithdrawalCancelled": _keys("pool", "owner")
    | {"withdrawal_index": "u8", "assets": "u64", "shares_returned": "u64", "shares_burnt": "u64"},
    "PoolConfigured": _keys("pool")
    | {"paused": "bool", "deposit_cap": "u64", "waiting_period": "u32", "cancel_fee_bps": "u16"},
    "Restaked": _keys("pool") | {"lamports": "u64", "ssol_amount": "u64"},
    "Unrestaked": _keys("pool") | {"ssol_amount": "u64", "lamports": "u64"},
}

_ACCOUNTS: dict[str, dict[str, object]] = {
    "LrtPool": {
        "bump": "u8",
        "paused": "bool",
        **_keys(
            "admin",
            "glowsol_mint",
            "ssol_mint",
            "lst_mint",
            "stake_pool",
            "restaking_pool",
            "ssol_vault",
            "share_escrow",
        ),
        "deposit_cap": "u64",
        "waiting_period": "u32",
        "cancel_fee_bps": "u16",
        "minimum_reserve": "u64",
        "pending_assets": "u64",
        "pending_shares": "u64",
    },
    "PendingWithdrawals": {
        **_keys("owner", "pool"),
        "total_pending_assets": "u64",
        "total_pending_shares": "u64",
        "earliest_withdrawal_timestamp": "i64",
        "slots": {"array": [{"defined": {"name": "PendingWithdrawal"}}, QUEUE_SLOTS]},
    },
}

_PENDING_WITHDRAWAL: dict[str, object] = {
    "pending_assets": "u64",
    "pending_shares": "u64",
    "withdrawal_request_timestamp": "i64",
    "withdrawal_waiting_period": "u32",
}


def lrt_idl() -> Json:
    """The IDL as a JSON-ready mapping."""
    structs = {**_ACCOUNTS, "PendingWithdrawal": _PENDING_WITHDRAWAL, **_EVENTS}
    return {
        "address": str(GLOW_LRT),
        "metadata": {
            "name": "glow_lrt",
            "version": "0.1.0",
            "spec": "0.1.0",
            "description": "glowSOL liquid restaking, as modelled by glow-keeper's localnet",
        },
        "instructions": INSTRUCTIONS,
        "accounts": [{"name": name, "discriminator": list(account_discriminator(name))} for name in _ACCOUNTS],
        "events": [{"name": name, "discriminator": list(event_discriminator(name))} for name in _EVENTS],
        "errors": [
            {"code": error.value, "name": error.title, "msg": message} for error, message in ERROR_MESSAGES.items()
        ],
        "types": [_struct(name, **fields) for name, fields in structs.items()],
    }
