"""Whether a mapping fits an IDL, found out before anything is built with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keeper.protocols.glow_lrt.idl import Array, Defined, Enum, Field, Idl, IdlType, Primitive, Struct, Vec
from keeper.protocols.glow_lrt.mapping import (
    POOL_FIELDS,
    QUEUE_FIELDS,
    SLOT_FIELDS,
    Constant,
    FieldSource,
    InstructionRole,
    LrtMapping,
    Source,
    nearest,
)
from keeper.protocols.glow_lrt.resolution import IdlMismatch

_INTEGERS = frozenset({"u8", "u16", "u32", "u64", "u128", "i8", "i16", "i32", "i64", "i128"})
_KINDS = {
    "integer": frozenset(Primitive(name) for name in _INTEGERS),
    "flag": frozenset({Primitive("bool"), Primitive("u8")}),
    "pubkey": frozenset({Primitive("pubkey")}),
}


def check_fit(idl: Idl, mapping: LrtMapping) -> None:
    """Raise ``IdlMismatch`` for the first instruction, argument, account struct, field or account source of
    ``mapping`` that ``idl`` does not have."""
    for role, instruction in mapping.instructions.items():
        _check_instruction(idl, role, instruction)
    pool = _account_struct(idl, "pool", mapping.pool.account)
    _check_fields(idl, "pool", pool, mapping.pool.fields, POOL_FIELDS)
    if mapping.queue is not None:
        queue = _account_struct(idl, "queue", mapping.queue.account)
        _check_fields(idl, "queue", queue, mapping.queue.fields, QUEUE_FIELDS)
        slot = _slot_struct(idl, queue, mapping.queue.fields["slots"])
        _check_fields(idl, "queue slot", slot, mapping.queue.slot_fields, SLOT_FIELDS)
        _check_pool_keys(idl, pool, "queue", mapping.queue.address)
    known = tuple({a.name for spec in idl.instructions.values() for a in spec.accounts})
    for name, source in mapping.accounts.items():
        if name not in known:
            raise IdlMismatch("accounts", name, f"no instruction has an account {name!r}; {nearest(name, known)}")
        _check_pool_keys(idl, pool, f"account {name}", source)
        if mapping.queue is None and any(one.kind == "queue" for one in (source, *source.parts)):
            raise IdlMismatch("accounts", name, f"account {name!r} needs the queue, but the mapping has no queue")


def _check_pool_keys(idl: Idl, pool: Struct, role: str, source: Source) -> None:
    for one in (source, *source.parts):
        if one.kind == "field":
            found = find_field(idl, pool, one.text, role)
            if found.type != Primitive("pubkey"):
                raise IdlMismatch(role, one.text, f"{pool.name}.{one.text} is a {found.type}, not a pubkey")


def _check_instruction(idl: Idl, role: str, mapped: InstructionRole) -> None:
    spec = idl.instructions.get(mapped.name)
    if spec is None:
        message = f"the IDL has no instruction {mapped.name!r}; {nearest(mapped.name, tuple(idl.instructions))}"
        raise IdlMismatch(role, mapped.name, message)
    args = Struct(spec.name, spec.args)
    given: dict[str, Any] = dict(mapped.constants)
    for path in (mapped.amount, mapped.min_out, mapped.index):
        if path is None:
            continue
        if path in given:
            raise IdlMismatch(role, path, f"argument {path!r} of {spec.name} is mapped twice")
        found = find_field(idl, args, path, role)
        if found.type not in _KINDS["integer"]:
            raise IdlMismatch(role, path, f"argument {path!r} of {spec.name} is a {found.type}, not an integer")
        given[path] = None
    for path in mapped.constants:
        find_field(idl, args, path, role)
    for arg in spec.args:
        if not any(path == arg.name or path.startswith(f"{arg.name}.") for path in given):
            message = f"argument {arg.name!r} of {spec.name} has no role and no constant"
            raise IdlMismatch(role, arg.name, f"{message}; {nearest(arg.name, tuple(given))}")


def find_field(idl: Idl, struct: Struct, path: str, role: str) -> Field:
    """The field at a dotted path. Raises ``IdlMismatch`` with the nearest name."""
    head, _, rest = path.partition(".")
    found = next((one for one in struct.fields if one.name == head), None)
    if found is None:
        raise IdlMismatch(role, path, f"{struct.name} has no {head!r}; {nearest(head, struct.names())}")
    if not rest:
        return found
    inner = idl.types.get(found.type.name) if isinstance(found.type, Defined) else None
    if not isinstance(inner, Struct):
        raise IdlMismatch(role, path, f"{struct.name}.{head} is not a struct, so it has no {rest!r}")
    return find_field(idl, inner, rest, role)


def _account_struct(idl: Idl, role: str, wanted: str) -> Struct:
    if wanted not in idl.accounts:
        raise IdlMismatch(
            role, wanted, f"the IDL has no account struct {wanted!r}; {nearest(wanted, tuple(idl.accounts))}"
        )
    body = idl.types[wanted]
    if isinstance(body, Enum):
        raise IdlMismatch(role, wanted, f"{wanted!r} is an enum, not a struct")
    return body


def _check_fields(
    idl: Idl, role: str, struct: Struct, fields: Mapping[str, FieldSource], kinds: Mapping[str, str]
) -> None:
    for name, source in fields.items():
        if isinstance(source, Constant) or kinds[name] == "list":
            continue
        found = find_field(idl, struct, source, role)
        if found.type not in _KINDS[kinds[name]]:
            message = f"{struct.name}.{source} is a {found.type}, but {name} should be a {kinds[name]}"
            raise IdlMismatch(role, source, message)


def _slot_struct(idl: Idl, queue: Struct, source: FieldSource) -> Struct:
    if isinstance(source, Constant):
        raise IdlMismatch("queue", "slots", "the slots of a queue cannot be a constant")
    kind: IdlType = find_field(idl, queue, source, "queue").type
    item = kind.item if isinstance(kind, Vec | Array) else kind
    body = idl.types.get(item.name) if isinstance(item, Defined) and item is not kind else None
    if not isinstance(body, Struct):
        raise IdlMismatch("queue", source, f"{queue.name}.{source} is not a list of structs")
    return body
