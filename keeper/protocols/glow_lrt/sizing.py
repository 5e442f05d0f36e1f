"""How large the queue account is, by the IDL: what its rent and its number of places follow from."""

from __future__ import annotations

from keeper.protocols.glow_lrt.idl import Array, Defined, Idl, IdlType, Primitive, Struct
from keeper.protocols.glow_lrt.program import LrtProgram

_SIZES = {"bool": 1, "pubkey": 32} | {f"{sign}{bits}": bits // 8 for sign in "ui" for bits in (8, 16, 32, 64, 128)}
DISCRIMINATOR_LENGTH = 8


def fixed_size(idl: Idl, kind: IdlType) -> int | None:
    """Bytes of a value of ``kind``; None where they depend on the value (vec, option, string, enum)."""
    if isinstance(kind, Primitive):
        return _SIZES.get(kind.name)
    if isinstance(kind, Array):
        item = fixed_size(idl, kind.item)
        return None if item is None else item * kind.length
    body = idl.types.get(kind.name) if isinstance(kind, Defined) else None
    if not isinstance(body, Struct):
        return None
    total = 0
    for field in body.fields:
        size = fixed_size(idl, field.type)
        if size is None:
            return None
        total += size
    return total


def queue_account_size(program: LrtProgram) -> int | None:
    """Bytes of the queue account with its discriminator; None where the IDL does not fix it or the mapping has no queue."""
    role = program.mapping.queue
    if role is None:
        return None
    body = fixed_size(program.idl, Defined(role.account))
    return None if body is None else body + DISCRIMINATOR_LENGTH


def queue_capacity(program: LrtProgram) -> int | None:
    """How many requests one owner's queue account holds; None where it is not a fixed array."""
    role = program.mapping.queue
    body = program.idl.types.get(role.account) if role is not None else None
    if role is None or not isinstance(body, Struct):
        return None
    kind = next((field.type for field in body.fields if field.name == role.fields["slots"]), None)
    return kind.length if isinstance(kind, Array) else None
