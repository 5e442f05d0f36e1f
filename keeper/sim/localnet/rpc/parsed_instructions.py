"""The jsonParsed form of the instructions people look at most: system transfers, token instructions, ATA creates, memos.

Names as agave's transaction-status/src/{parse_system,parse_token,parse_associated_token}.rs. Everything else is shown as it is.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

from solders.pubkey import Pubkey

from keeper.protocols.addresses import ASSOCIATED_TOKEN, MEMO, SYSTEM
from keeper.sim.localnet.rpc.base58 import encode_base58
from keeper.sim.localnet.rpc.token_state import TOKEN_PROGRAMS, ui_amount

Parsed = dict[str, Any]


def instruction_json(
    program: Pubkey, accounts: Sequence[Pubkey], data: bytes, *, stack_height: int | None
) -> dict[str, Any]:
    """Parsed where this face can, else ``{"programId", "accounts", "data"}`` (partially decoded)."""
    known = _parse(program, [str(key) for key in accounts], data)
    if known is None:
        return {
            "programId": str(program),
            "accounts": [str(key) for key in accounts],
            "data": encode_base58(data),
            "stackHeight": stack_height,
        }
    name, parsed = known
    return {"program": name, "programId": str(program), "parsed": parsed, "stackHeight": stack_height}


def _parse(program: Pubkey, keys: list[str], data: bytes) -> tuple[str, Any] | None:
    parsed: Any = None
    if program == SYSTEM:
        name, parsed = "system", _guarded(_system, keys, data)
    elif program in TOKEN_PROGRAMS:
        name, parsed = TOKEN_PROGRAMS[program], _guarded(_token, keys, data)
    elif program == ASSOCIATED_TOKEN:
        name, parsed = "spl-associated-token-account", _guarded(_associated, keys, data)
    elif program == MEMO:
        name, parsed = "spl-memo", _memo(data)
    else:
        return None
    return None if parsed is None else (name, parsed)


def _guarded(reader: Callable[[list[str], bytes], Parsed | None], keys: list[str], data: bytes) -> Parsed | None:
    """A malformed instruction (too short, too few accounts) is shown undecoded, as on a real node."""
    try:
        return reader(keys, data)
    except (struct.error, IndexError):
        return None


def _memo(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _system(keys: list[str], data: bytes) -> Parsed | None:
    (tag,) = struct.unpack_from("<I", data)
    if tag == 2:
        (lamports,) = struct.unpack_from("<Q", data, 4)
        return {"type": "transfer", "info": {"source": keys[0], "destination": keys[1], "lamports": lamports}}
    if tag == 0:
        lamports, space, owner = struct.unpack_from("<QQ32s", data, 4)
        info = {
            "source": keys[0],
            "newAccount": keys[1],
            "lamports": lamports,
            "space": space,
            "owner": str(Pubkey.from_bytes(owner)),
        }
        return {"type": "createAccount", "info": info}
    return None


def _authority(info: Parsed, keys: list[str], at: int, name: str) -> Parsed:
    """A single signer, or a multisig with its signers."""
    if len(keys) > at + 1:
        info["multisig" + name[0].upper() + name[1:]] = keys[at]
        info["signers"] = keys[at + 1 :]
    else:
        info[name] = keys[at]
    return info


def _token(keys: list[str], data: bytes) -> Parsed | None:
    tag = data[0]
    if tag == 3:
        (amount,) = struct.unpack_from("<Q", data, 1)
        info = {"source": keys[0], "destination": keys[1], "amount": str(amount)}
        return {"type": "transfer", "info": _authority(info, keys, 2, "authority")}
    if tag == 12:
        amount, decimals = struct.unpack_from("<QB", data, 1)
        checked = {
            "source": keys[0],
            "mint": keys[1],
            "destination": keys[2],
            "tokenAmount": ui_amount(amount, decimals),
        }
        return {"type": "transferChecked", "info": _authority(checked, keys, 3, "authority")}
    if tag == 7:
        (amount,) = struct.unpack_from("<Q", data, 1)
        info = {"mint": keys[0], "account": keys[1], "amount": str(amount)}
        return {"type": "mintTo", "info": _authority(info, keys, 2, "mintAuthority")}
    if tag == 8:
        (amount,) = struct.unpack_from("<Q", data, 1)
        info = {"account": keys[0], "mint": keys[1], "amount": str(amount)}
        return {"type": "burn", "info": _authority(info, keys, 2, "authority")}
    if tag == 9:
        info = {"account": keys[0], "destination": keys[1]}
        return {"type": "closeAccount", "info": _authority(info, keys, 2, "owner")}
    if tag == 17:
        return {"type": "syncNative", "info": {"account": keys[0]}}
    if tag == 18:
        (owner,) = struct.unpack_from("<32s", data, 1)
        info = {"account": keys[0], "mint": keys[1], "owner": str(Pubkey.from_bytes(owner))}
        return {"type": "initializeAccount3", "info": info}
    return None


def _associated(keys: list[str], data: bytes) -> Parsed | None:
    kind = {b"": "create", b"\0": "create", b"\1": "createIdempotent"}.get(data)
    if kind is None:
        return None
    info = {
        "source": keys[0],
        "account": keys[1],
        "wallet": keys[2],
        "mint": keys[3],
        "systemProgram": keys[4],
        "tokenProgram": keys[5],
    }
    return {"type": kind, "info": info}
