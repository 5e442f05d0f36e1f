"""Borsh by an IDL: encode arguments, decode account structs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from solders.pubkey import Pubkey

from keeper.protocols.glow_lrt.idl import Array, Defined, Enum, Field, Idl, IdlType, Option, Primitive, Struct, Vec
from keeper.protocols.layout import LayoutError, Reader

_INTEGERS = {f"{sign}{bits}": (bits // 8, sign == "i") for sign in ("u", "i") for bits in (8, 16, 32, 64, 128)}
MAX_ITEMS = 1_000_000
"""More items than an account of 10 MiB holds in any struct with fields; bounds items that take no space."""


class EncodeError(ValueError):
    """A value that the IDL's type cannot hold. The message names the argument."""


def encode_fields(idl: Idl, fields: Sequence[Field], values: Mapping[str, Any], place: str) -> bytes:
    """Borsh bytes of ``values`` in the order of ``fields``. Raises ``EncodeError`` for a missing or impossible value."""
    unknown = sorted(set(values) - {one.name for one in fields})
    if unknown:
        raise EncodeError(f"{place} has no {', '.join(unknown)}")
    parts = []
    for one in fields:
        if one.name not in values:
            raise EncodeError(f"{place}.{one.name} has no value")
        parts.append(encode(idl, one.type, values[one.name], f"{place}.{one.name}"))
    return b"".join(parts)


def encode(idl: Idl, kind: IdlType, value: Any, place: str) -> bytes:
    """Borsh bytes of one value."""
    if isinstance(kind, Primitive):
        return _encode_primitive(kind.name, value, place)
    if isinstance(kind, Option):
        return b"\0" if value is None else b"\1" + encode(idl, kind.item, value, place)
    if isinstance(kind, Vec):
        items = _items(value, place)
        body = b"".join(encode(idl, kind.item, one, f"{place}[{i}]") for i, one in enumerate(items))
        return len(items).to_bytes(4, "little") + body
    if isinstance(kind, Array):
        items = _items(value, place)
        if len(items) != kind.length:
            raise EncodeError(f"{place} takes {kind.length} items, got {len(items)}")
        return b"".join(encode(idl, kind.item, one, f"{place}[{i}]") for i, one in enumerate(items))
    return _encode_defined(idl, idl.types[kind.name], value, place)


def _items(value: Any, place: str) -> Sequence[Any]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise EncodeError(f"{place} takes a list, got {value!r}")
    return value


def _encode_defined(idl: Idl, body: Struct | Enum, value: Any, place: str) -> bytes:
    if not isinstance(value, Mapping):
        raise EncodeError(f"{place} takes an object of {body.name}, got {value!r}")
    if isinstance(body, Struct):
        return encode_fields(idl, body.fields, value, place)
    names = [one.name for one in body.variants]
    if len(value) != 1 or next(iter(value)) not in names:
        raise EncodeError(f"{place} takes one variant of {body.name} ({', '.join(names)}), got {value!r}")
    ((name, inner),) = value.items()
    tag = names.index(name)
    return bytes([tag]) + encode_fields(idl, body.variants[tag].fields, inner or {}, f"{place}.{name}")


def _encode_primitive(name: str, value: Any, place: str) -> bytes:
    if name in _INTEGERS:
        size, signed = _INTEGERS[name]
        if isinstance(value, bool) or not isinstance(value, int):
            raise EncodeError(f"{place} takes {name}, got {value!r}")
        try:
            return value.to_bytes(size, "little", signed=signed)
        except OverflowError as error:
            raise EncodeError(f"{place} takes {name}, which cannot hold {value}") from error
    if name == "bool" and isinstance(value, bool):
        return bytes([value])
    if name == "pubkey" and isinstance(value, Pubkey):
        return bytes(value)
    if name == "string" and isinstance(value, str):
        text = value.encode("utf-8")
        return len(text).to_bytes(4, "little") + text
    if name == "bytes" and isinstance(value, bytes):
        return len(value).to_bytes(4, "little") + value
    raise EncodeError(f"{place} takes {name}, got {value!r}")


def decode_account(idl: Idl, name: str, data: bytes) -> dict[str, Any]:
    """Fields of the account struct ``name``. Bytes after the last field are free space. Raises ``LayoutError``."""
    read = Reader(data, name)
    read.discriminator(idl.accounts[name])
    value = decode(idl, Defined(name), read, "")
    if not isinstance(value, dict):
        raise LayoutError(name, "type", "a struct", type(value).__name__)
    return value


def decode_args(idl: Idl, name: str, data: bytes) -> dict[str, Any]:
    """Arguments of the instruction ``name`` in its data. Raises ``LayoutError``."""
    read = Reader(data, name)
    read.discriminator(idl.instructions[name].discriminator)
    values = {one.name: decode(idl, one.type, read, one.name) for one in idl.instructions[name].args}
    read.end()
    return values


def decode(idl: Idl, kind: IdlType, read: Reader, place: str) -> Any:
    """One value: int, bool, Pubkey, str, bytes, None, list, or a dict for a struct and ``{variant: fields}`` for an enum."""
    if isinstance(kind, Primitive):
        return _READ[kind.name](read, place)
    if isinstance(kind, Option):
        return read.option(place, lambda inner: decode(idl, kind.item, read, inner))
    if isinstance(kind, Vec):
        return list(read.vec(place, lambda inner: decode(idl, kind.item, read, inner)))
    if isinstance(kind, Array):
        if kind.length > MAX_ITEMS:
            raise read.fail(place, f"at most {MAX_ITEMS} items", str(kind.length))
        return list(read.array(place, kind.length, lambda inner: decode(idl, kind.item, read, inner)))
    body = idl.types[kind.name]
    if isinstance(body, Struct):
        return _decode_struct(idl, body, read, place)
    tag = read.u8(place)
    if tag >= len(body.variants):
        raise read.fail(place, f"a variant below {len(body.variants)} of {body.name}", str(tag))
    variant = body.variants[tag]
    return {variant.name: _decode_struct(idl, variant, read, f"{place}.{variant.name}")}


def _decode_struct(idl: Idl, body: Struct, read: Reader, place: str) -> dict[str, Any]:
    prefix = f"{place}." if place else ""
    return {one.name: decode(idl, one.type, read, prefix + one.name) for one in body.fields}


_READ: Mapping[str, Callable[[Reader, str], Any]] = {
    "bool": Reader.boolean,
    "u8": Reader.u8,
    "i8": Reader.i8,
    "u16": Reader.u16,
    "i16": Reader.i16,
    "u32": Reader.u32,
    "i32": Reader.i32,
    "u64": Reader.u64,
    "i64": Reader.i64,
    "u128": Reader.u128,
    "i128": Reader.i128,
    "pubkey": Reader.pubkey,
    "string": Reader.string,
    "bytes": lambda read, place: read.raw(read.count(place), place),
}
