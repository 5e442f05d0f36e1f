"""Which part of an IDL plays which part for the keeper. Written by whoever has read the IDL; checked against it at start.

Example (TOML)::

    [instructions.deposit_sol]
    name = "deposit_sol"
    amount = "lamports"
    min_out = "minimum_shares"
    [pool]
    account = "LrtPool"
    [pool.fields]
    paused = "paused"
    cap = { constant = 1000000000000 }
    [queue]
    account = "PendingWithdrawals"
    address = "pda('pending_withdrawals', pool, owner)"
    [accounts]
    owner_shares = "ata(owner, pool.glowsol_mint)"

Sources of accounts: ``owner``, ``pool``, ``queue``, ``pool.FIELD`` (a pubkey in the pool account, by the IDL's name),
``ata(OWNER, MINT[, TOKEN_PROGRAM])``, ``pda('text' or source, ...)`` of the program, or a base58 address.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from solders.pubkey import Pubkey

ROLES = (
    "deposit_sol",
    "deposit_ssol",
    "create_queue",
    "request_unstake",
    "claim_unstake",
    "cancel_unstake",
    "close_queue",
)
NEEDS_AMOUNT = frozenset({"deposit_sol", "deposit_ssol", "request_unstake"})
NEEDS_INDEX = frozenset({"claim_unstake", "cancel_unstake"})

POOL_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "paused": "flag",
        "cap": "integer",
        "waiting_period": "integer",
        "cancel_fee_bps": "integer",
        "pending_assets": "integer",
        "pending_shares": "integer",
        "minimum_reserve": "integer",
        "glowsol_mint": "pubkey",
        "ssol_mint": "pubkey",
        "stake_pool": "pubkey",
        "ssol_vault": "pubkey",
    }
)
QUEUE_FIELDS: Mapping[str, str] = MappingProxyType({"owner": "pubkey", "slots": "list"})
SLOT_FIELDS: Mapping[str, str] = MappingProxyType(
    {"assets": "integer", "shares": "integer", "requested_at": "integer", "waiting_period": "integer"}
)


class MappingError(ValueError):
    """A mapping that says something impossible or leaves something out. The message names the key."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that the program does not store, written into the mapping instead."""

    value: int | bool | Pubkey


FieldSource = str | Constant
"""Name of a field of the account struct, or a constant."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where an account's address comes from: ``kind`` is owner, pool, queue, field, ata, pda, address or text."""

    kind: str
    text: str = ""
    parts: tuple[Source, ...] = ()
    address: Pubkey | None = None


@dataclass(frozen=True, slots=True)
class InstructionRole:
    """One instruction: its IDL name and which arguments carry what (dotted where they lie in a struct). ``constants``
    are the values of all further arguments."""

    name: str
    amount: str | None = None
    min_out: str | None = None
    index: str | None = None
    constants: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PoolRole:
    """The pool's account struct and where its fields are found."""

    account: str
    fields: Mapping[str, FieldSource]


@dataclass(frozen=True, slots=True)
class QueueRole:
    """The withdrawal queue's account struct, its address, and its fields: ``owner``, ``slots``, and those of a slot."""

    account: str
    address: Source
    fields: Mapping[str, FieldSource]
    slot_fields: Mapping[str, FieldSource]


@dataclass(frozen=True, slots=True)
class LrtMapping:
    """Roles of a liquid restaking program. Roles that are left out are not available."""

    instructions: Mapping[str, InstructionRole]
    pool: PoolRole
    queue: QueueRole | None
    accounts: Mapping[str, Source]

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> LrtMapping:
        """Build from plain data (TOML or JSON). Raises ``MappingError`` that names the key and the nearest known one."""
        _known(document, ("instructions", "pool", "queue", "accounts"), "mapping")
        instructions = {
            role: _instruction(role, node) for role, node in _table(document, "instructions", "mapping").items()
        }
        _known(instructions, ROLES, "mapping.instructions")
        sources = _table(document, "accounts", "mapping", required=False)
        return cls(
            instructions=MappingProxyType(instructions),
            pool=_pool(_table(document, "pool", "mapping")),
            queue=_queue(_table(document, "queue", "mapping")) if "queue" in document else None,
            accounts=MappingProxyType(
                {name: parse_source(text, f"mapping.accounts.{name}") for name, text in sources.items()}
            ),
        )


def nearest(wanted: str, known: Mapping[str, Any] | tuple[str, ...]) -> str:
    """A clause for messages: the known name that looks most like ``wanted``."""
    close = get_close_matches(wanted, list(known), n=1, cutoff=0.4)
    if close:
        return f"nearest is {close[0]!r}"
    return f"there is {', '.join(sorted(known)) or 'none'}"


def _known(node: Mapping[str, Any], known: tuple[str, ...], place: str) -> None:
    for key in node:
        if key not in known:
            raise MappingError(f"{place}.{key} is unknown; {nearest(str(key), known)}")


def _table(node: Mapping[str, Any], key: str, place: str, *, required: bool = True) -> Mapping[str, Any]:
    value = node.get(key, None if required else {})
    if not isinstance(value, Mapping):
        raise MappingError(f"{place}.{key} should be a table, is {'missing' if value is None else repr(value)}")
    return value


def _name(node: Mapping[str, Any], key: str, place: str, *, required: bool = False) -> str | None:
    value = node.get(key)
    if value is None and not required:
        return None
    if not isinstance(value, str) or not value:
        raise MappingError(f"{place}.{key} should be a name, is {'missing' if value is None else repr(value)}")
    return value


def _required_name(node: Mapping[str, Any], key: str, place: str) -> str:
    return _name(node, key, place, required=True) or ""


def _instruction(role: str, node: Any) -> InstructionRole:
    place = f"mapping.instructions.{role}"
    if isinstance(node, str):
        node = {"name": node}
    if not isinstance(node, Mapping):
        raise MappingError(f"{place} should be a table, is {node!r}")
    _known(node, ("name", "amount", "min_out", "index", "constants"), place)
    found = InstructionRole(
        name=_required_name(node, "name", place),
        amount=_name(node, "amount", place, required=role in NEEDS_AMOUNT),
        min_out=_name(node, "min_out", place),
        index=_name(node, "index", place, required=role in NEEDS_INDEX),
        constants=MappingProxyType(dict(_table(node, "constants", place, required=False))),
    )
    if role not in NEEDS_AMOUNT and found.amount:
        raise MappingError(f"{place}.amount has no meaning for {role}")
    return found


def _fields(node: Mapping[str, Any], wanted: Mapping[str, str], place: str) -> Mapping[str, FieldSource]:
    _known(node, tuple(wanted), place)
    missing = [name for name in wanted if name not in node]
    if missing:
        raise MappingError(f"{place} does not say where {', '.join(missing)} is found")
    return MappingProxyType({key: _field(value, wanted[key], f"{place}.{key}") for key, value in node.items()})


def _field(value: Any, kind: str, place: str) -> FieldSource:
    if isinstance(value, str):
        return value
    if not isinstance(value, Mapping) or set(value) != {"constant"}:
        raise MappingError(f"{place} should be a field's name or {{ constant = ... }}, is {value!r}")
    constant = value["constant"]
    if kind == "pubkey" and isinstance(constant, str):
        return Constant(_address(constant, place))
    if kind == "flag" and isinstance(constant, bool):
        return Constant(constant)
    if kind == "integer" and type(constant) is int:
        return Constant(constant)
    raise MappingError(f"{place} takes a constant of kind {kind}, got {constant!r}")


def _pool(node: Mapping[str, Any]) -> PoolRole:
    _known(node, ("account", "fields"), "mapping.pool")
    fields = _fields(_table(node, "fields", "mapping.pool"), POOL_FIELDS, "mapping.pool.fields")
    return PoolRole(_required_name(node, "account", "mapping.pool"), fields)


def _queue(node: Mapping[str, Any]) -> QueueRole:
    place = "mapping.queue"
    _known(node, ("account", "address", "fields", "slot_fields"), place)
    address = parse_source(node.get("address"), f"{place}.address")
    if any(one.kind == "queue" for one in (address, *address.parts)):
        raise MappingError(f"{place}.address cannot depend on the queue's own address")
    return QueueRole(
        account=_required_name(node, "account", place),
        address=address,
        fields=_fields(_table(node, "fields", place), QUEUE_FIELDS, f"{place}.fields"),
        slot_fields=_fields(_table(node, "slot_fields", place), SLOT_FIELDS, f"{place}.slot_fields"),
    )


def _address(text: str, place: str) -> Pubkey:
    try:
        return Pubkey.from_string(text)
    except ValueError as error:
        raise MappingError(
            f"{place}: {text!r} is neither an address nor owner, pool, queue, pool.FIELD, ata(...), pda(...)"
        ) from error


_CALL = re.compile(r"^(ata|pda)\((.*)\)$")
_FIELD = re.compile(r"^pool\.([A-Za-z_][A-Za-z0-9_]*)$")
_TEXT = re.compile(r"^'([^']{0,32})'$")


def parse_source(text: Any, place: str) -> Source:
    """Parse a source of an account's address (see the module's docstring). Raises ``MappingError``."""
    if not isinstance(text, str) or not text.strip():
        raise MappingError(f"{place} should say where the address comes from, is {text!r}")
    text = text.strip()
    if text in ("owner", "pool", "queue"):
        return Source(text)
    if match := _FIELD.match(text):
        return Source("field", match.group(1))
    if match := _CALL.match(text):
        kind, inner = match.groups()
        parts = tuple(_part(one.strip(), kind, place) for one in inner.split(","))
        if kind == "ata" and len(parts) not in (2, 3):
            raise MappingError(f"{place}: ata takes owner, mint and perhaps a token program, got {text!r}")
        return Source(kind, parts=parts)
    return Source("address", address=_address(text, place))


def _part(text: str, kind: str, place: str) -> Source:
    if kind == "pda" and (match := _TEXT.match(text)):
        return Source("text", match.group(1))
    if _CALL.match(text) or "(" in text:
        raise MappingError(
            f"{place}: {text!r} cannot stand inside {kind}(...); use owner, pool, pool.FIELD or an address"
        )
    return parse_source(text, place)
