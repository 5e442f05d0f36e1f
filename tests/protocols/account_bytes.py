"""Account bytes and IDLs for the tests of keeper.protocols, written field by field from the published layouts."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from typing import Any

from solders.pubkey import Pubkey

Json = dict[str, Any]


def key(number: int) -> Pubkey:
    """A made-up address."""
    return Pubkey.from_bytes(hashlib.sha256(f"key {number}".encode()).digest())


def fee(denominator: int, numerator: int) -> bytes:
    return struct.pack("<QQ", denominator, numerator)


def future(tag: int, value: bytes = b"") -> bytes:
    return bytes([tag]) + value


def option(value: Pubkey | None) -> bytes:
    return b"\1" + bytes(value) if value else b"\0"


def stake_pool_bytes(
    *,
    total: int = 0,
    supply: int = 0,
    epoch: int = 0,
    next_epoch_fee: bytes = b"\0",
    preferred_withdraw: Pubkey | None = None,
    next_stake_withdrawal_fee: bytes = b"\0",
    sol_deposit_authority: Pubkey | None = None,
    sol_deposit_fee: bytes = fee(0, 0),
    sol_withdraw_authority: Pubkey | None = None,
    sol_withdrawal_fee: bytes = fee(0, 0),
    stake_withdrawal_fee: bytes = fee(0, 0),
    next_sol_withdrawal_fee: bytes = b"\0",
    last_supply: int = 0,
    last_total: int = 0,
) -> bytes:
    """A stake pool account of 611 bytes (protocol.md 2.1); its keys are ``key(1)`` to ``key(9)``."""
    body = b"\1" + b"".join(bytes(key(n)) for n in (1, 2, 3)) + b"\xfe"
    body += b"".join(bytes(key(n)) for n in (4, 5, 6, 7, 8))
    body += struct.pack("<QQQ", total, supply, epoch)
    body += struct.pack("<qQ", -5, 6) + bytes(key(9))
    body += fee(100, 7) + next_epoch_fee + b"\0" + option(preferred_withdraw)
    body += fee(0, 0) + stake_withdrawal_fee + next_stake_withdrawal_fee + b"\x0a"
    body += option(sol_deposit_authority) + sol_deposit_fee + b"\x14"
    body += option(sol_withdraw_authority) + sol_withdrawal_fee + next_sol_withdrawal_fee
    body += struct.pack("<QQ", last_supply, last_total)
    return body.ljust(611, b"\0")


def token_account_bytes(
    mint: Pubkey, owner: Pubkey, amount: int, *, state: int = 1, native: int | None = None
) -> bytes:
    """A token account of 165 bytes."""
    is_native = struct.pack("<IQ", 0 if native is None else 1, native or 0)
    head = bytes(mint) + bytes(owner) + struct.pack("<Q", amount) + bytes(36) + bytes([state])
    return head + is_native + bytes(8) + bytes(36)


def mint_bytes(authority: Pubkey | None, supply: int, decimals: int, freeze: Pubkey | None = None) -> bytes:
    """A mint of 82 bytes."""

    def coption(value: Pubkey | None) -> bytes:
        return struct.pack("<I", 1 if value else 0) + (bytes(value) if value else bytes(32))

    return coption(authority) + struct.pack("<QBB", supply, decimals, 1) + coption(freeze)


def discriminator(namespace: str, name: str) -> list[int]:
    return list(hashlib.sha256(f"{namespace}:{name}".encode()).digest()[:8])


def _accounts(*names: str) -> list[Json]:
    """``name`` with a suffix of flags: ``owner+ws``."""
    items = []
    for entry in names:
        name, _, flags = entry.partition("+")
        item: Json = {"name": name}
        if "w" in flags:
            item["writable"] = True
        if "s" in flags:
            item["signer"] = True
        items.append(item)
    return items


def _instruction(name: str, args: Mapping[str, str], *accounts: str) -> Json:
    return {
        "name": name,
        "discriminator": discriminator("global", name),
        "accounts": _accounts(*accounts),
        "args": [{"name": arg, "type": kind} for arg, kind in args.items()],
    }


def _struct(name: str, fields: Mapping[str, Any]) -> Json:
    return {
        "name": name,
        "type": {"kind": "struct", "fields": [{"name": field, "type": kind} for field, kind in fields.items()]},
    }


LRT_POOL_FIELDS: dict[str, Any] = {
    "bump": "u8",
    "paused": "bool",
    **dict.fromkeys(
        (
            "admin",
            "glowsol_mint",
            "ssol_mint",
            "lst_mint",
            "stake_pool",
            "restaking_pool",
            "ssol_vault",
            "share_escrow",
        ),
        "pubkey",
    ),
    "deposit_cap": "u64",
    "waiting_period": "u32",
    "cancel_fee_bps": "u16",
    "minimum_reserve": "u64",
    "pending_assets": "u64",
    "pending_shares": "u64",
}


def lrt_idl_json() -> Json:
    """An Anchor IDL of the shape that the localnet's liquid restaking program publishes."""
    queue: dict[str, Any] = {
        "owner": "pubkey",
        "pool": "pubkey",
        "total_pending_assets": "u64",
        "total_pending_shares": "u64",
        "earliest_withdrawal_timestamp": "i64",
        "slots": {"array": [{"defined": {"name": "PendingWithdrawal"}}, 8]},
    }
    slot = {
        "pending_assets": "u64",
        "pending_shares": "u64",
        "withdrawal_request_timestamp": "i64",
        "withdrawal_waiting_period": "u32",
    }
    return {
        "address": "LRtc6q4AhSr3k9dSLXpTRoAP1hBrgbQSiFkuQpuHaq3",
        "metadata": {"name": "glow_lrt", "version": "0.1.0", "spec": "0.1.0"},
        "instructions": [
            _instruction(
                "deposit_sol",
                {"lamports": "u64", "minimum_shares": "u64"},
                "owner+ws",
                "pool+w",
                "glowsol_mint+w",
                "owner_shares+w",
                "ssol_vault",
                "stake_pool",
                "token_program",
                "system_program",
            ),
            _instruction(
                "deposit_stake",
                {"ssol_amount": "u64", "minimum_shares": "u64"},
                "owner+s",
                "pool+w",
                "glowsol_mint+w",
                "owner_shares+w",
                "ssol_vault+w",
                "owner_ssol+w",
                "ssol_mint",
                "stake_pool",
                "token_program",
            ),
            _instruction(
                "create_pending_withdrawals", {}, "owner+ws", "pool", "pending_withdrawals+w", "system_program"
            ),
            _instruction(
                "initiate_withdrawal",
                {"shares": "u64"},
                "owner+s",
                "pool+w",
                "owner_shares+w",
                "share_escrow+w",
                "pending_withdrawals+w",
                "token_program",
            ),
            _instruction(
                "execute_withdrawal", {"withdrawal_index": "u8"}, "owner+ws", "pool+w", "pending_withdrawals+w"
            ),
            _instruction(
                "cancel_pending_withdrawal", {"withdrawal_index": "u8"}, "owner+s", "pool+w", "pending_withdrawals+w"
            ),
            _instruction("close_pending_withdrawal", {}, "owner+ws", "pool", "pending_withdrawals+w"),
        ],
        "accounts": [
            {"name": name, "discriminator": discriminator("account", name)}
            for name in ("LrtPool", "PendingWithdrawals")
        ],
        "events": [],
        "errors": [{"code": 6000, "name": "PoolPaused", "msg": "The pool is paused"}],
        "types": [
            _struct("LrtPool", LRT_POOL_FIELDS),
            _struct("PendingWithdrawals", queue),
            _struct("PendingWithdrawal", slot),
        ],
    }


def lrt_pool_bytes(
    *,
    paused: bool = False,
    cap: int = 10**15,
    waiting: int = 604_800,
    cancel_bps: int = 50,
    reserve: int = 100_000_000,
    pending_assets: int = 0,
    pending_shares: int = 0,
) -> bytes:
    """A pool account: its keys are ``key(20)`` (admin) and on, in the struct's order."""
    body = bytes(discriminator("account", "LrtPool")) + bytes([254, paused])
    body += b"".join(bytes(key(20 + n)) for n in range(8))
    return body + struct.pack("<QIHQQQ", cap, waiting, cancel_bps, reserve, pending_assets, pending_shares)


def lrt_queue_bytes(owner: Pubkey, slots: Mapping[int, tuple[int, int, int, int]]) -> bytes:
    """A queue account: ``slots`` maps index to (assets, shares, requested at, waiting)."""
    body = bytes(discriminator("account", "PendingWithdrawals")) + bytes(owner) + bytes(key(30))
    body += struct.pack("<QQq", sum(s[0] for s in slots.values()), sum(s[1] for s in slots.values()), 0)
    return body + b"".join(struct.pack("<QQqI", *slots.get(index, (0, 0, 0, 0))) for index in range(8))
