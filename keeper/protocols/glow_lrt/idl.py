"""Anchor's IDL (spec of Anchor 0.30 and later): what a closed-source program says of itself.

Parsed into frozen values; whatever is missing or not understood is an ``IdlError`` that names the place. The account on
chain that holds an IDL is in ``idl_account``, encoding and decoding by it in ``codec``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from solders.pubkey import Pubkey

PRIMITIVES = frozenset(
    {"bool", "u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64", "u128", "i128", "pubkey", "string", "bytes"}
)


class IdlError(ValueError):
    """Text that is not an IDL of the supported spec. The message names the place and what was found there."""


@dataclass(frozen=True, slots=True)
class Primitive:
    """A scalar, ``string`` or ``bytes``."""

    name: str


@dataclass(frozen=True, slots=True)
class Vec:
    """A u32 count and that many items."""

    item: IdlType


@dataclass(frozen=True, slots=True)
class Option:
    """A tag byte and, when it is 1, the item."""

    item: IdlType


@dataclass(frozen=True, slots=True)
class Array:
    """``length`` items without a count."""

    item: IdlType
    length: int


@dataclass(frozen=True, slots=True)
class Defined:
    """A type of the IDL's own, by name."""

    name: str


IdlType = Primitive | Vec | Option | Array | Defined


@dataclass(frozen=True, slots=True)
class Field:
    """A named value of a type: struct field or instruction argument."""

    name: str
    type: IdlType


@dataclass(frozen=True, slots=True)
class Struct:
    """A struct; tuple fields are named "0", "1"..."""

    name: str
    fields: tuple[Field, ...]

    def names(self) -> tuple[str, ...]:
        """Field names in order."""
        return tuple(one.name for one in self.fields)


@dataclass(frozen=True, slots=True)
class Enum:
    """A Rust enum: one tag byte, then the variant's fields."""

    name: str
    variants: tuple[Struct, ...]


@dataclass(frozen=True, slots=True)
class ConstSeed:
    """Fixed bytes."""

    value: bytes


@dataclass(frozen=True, slots=True)
class AccountSeed:
    """Address of an account of the instruction, or with a dotted path a field of its data."""

    path: str


@dataclass(frozen=True, slots=True)
class ArgSeed:
    """An argument of the instruction, in its Borsh bytes."""

    path: str


Seed = ConstSeed | AccountSeed | ArgSeed


@dataclass(frozen=True, slots=True)
class Pda:
    """Seeds of a program-derived address; ``program`` is the deriving program unless it is the IDL's own."""

    seeds: tuple[Seed, ...]
    program: Seed | None


@dataclass(frozen=True, slots=True)
class AccountItem:
    """One account of an instruction. Accounts inside a group are called "group.account"."""

    name: str
    writable: bool
    signer: bool
    optional: bool
    address: Pubkey | None
    pda: Pda | None


@dataclass(frozen=True, slots=True)
class InstructionSpec:
    """An instruction: discriminator, accounts in order, arguments in order."""

    name: str
    discriminator: bytes
    accounts: tuple[AccountItem, ...]
    args: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Idl:
    """A program's interface."""

    address: Pubkey
    name: str
    version: str
    instructions: Mapping[str, InstructionSpec]
    accounts: Mapping[str, bytes]
    """Account struct name to discriminator."""
    events: Mapping[str, bytes]
    types: Mapping[str, Struct | Enum]
    errors: Mapping[int, str]

    @classmethod
    def parse(cls, source: str | bytes | Mapping[str, Any]) -> Idl:
        """Parse JSON text or the object it stands for. Raises ``IdlError``."""
        if isinstance(source, Mapping):
            document: Any = source
        else:
            try:
                document = json.loads(source)
            except (ValueError, RecursionError) as error:
                raise IdlError(f"the IDL is not JSON: {error}") from error
        try:
            return _Parser().idl(document)
        except RecursionError as error:
            raise IdlError("the IDL's types are nested too deeply") from error


def _snake(name: str) -> str:
    """Names as Rust writes them: some tools camel-case an IDL's names."""
    return "".join(f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))


@dataclass(slots=True)
class _Parser:
    """Walks the document; ``place`` is where it is, for messages."""

    place: list[str] = field(default_factory=lambda: ["idl"])

    def error(self, message: str) -> IdlError:
        return IdlError(f"{'.'.join(self.place)}: {message}")

    def get(self, node: Any, key: str, kind: type | tuple[type, ...], default: Any = ...) -> Any:
        if not isinstance(node, Mapping):
            raise self.error(f"should be an object, is {type(node).__name__}")
        value = node.get(key, default)
        if value is ...:
            raise self.error(f"has no {key!r}")
        if value is default:
            return value
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
            raise self.error(f"{key!r} has an unexpected type, {type(value).__name__}")
        return value

    def each(self, node: Any, key: str, *, required: bool = False) -> list[Any]:
        items = self.get(node, key, list, ... if required else [])
        return list(items)

    def address(self, text: str) -> Pubkey:
        try:
            return Pubkey.from_string(text)
        except ValueError as error:
            raise self.error(f"{text!r} is not an address") from error

    def octets(self, node: Any, what: str) -> bytes:
        valid = isinstance(node, list) and all(type(b) is int and 0 <= b <= 255 for b in node)
        if not valid:
            raise self.error(f"{what} should be a list of bytes, is {node!r}")
        return bytes(node)

    def discriminator(self, node: Any) -> bytes:
        value = self.octets(self.get(node, "discriminator", list), "discriminator")
        if not value:
            raise self.error("discriminator is empty")
        return value

    def idl(self, node: Any) -> Idl:
        if isinstance(node, Mapping) and "address" not in node and "instructions" in node:
            raise self.error("no 'address': an IDL of before Anchor 0.30; convert it with `anchor idl convert`")
        metadata = self.get(node, "metadata", Mapping, {})
        types = {one.name: one for one in (self.within("types", n, self.type_def) for n in self.each(node, "types"))}
        found = [
            self.within("instructions", n, self.instruction) for n in self.each(node, "instructions", required=True)
        ]
        result = Idl(
            address=self.address(self.get(node, "address", str)),
            name=self.get(metadata, "name", str, ""),
            version=self.get(metadata, "version", str, ""),
            instructions={one.name: one for one in found},
            accounts=self.discriminators(node, "accounts"),
            events=self.discriminators(node, "events"),
            types=types,
            errors=dict(self.within("errors", n, self.code) for n in self.each(node, "errors")),
        )
        self.check_references(result)
        return result

    def within(self, part: str, node: Any, parse: Any) -> Any:
        label = node.get("name", "?") if isinstance(node, Mapping) else "?"
        self.place.append(f"{part}[{label}]")
        value = parse(node)
        self.place.pop()
        return value

    def discriminators(self, node: Any, part: str) -> dict[str, bytes]:
        pairs = (
            self.within(part, n, lambda one: (self.get(one, "name", str), self.discriminator(one)))
            for n in self.each(node, part)
        )
        return dict(pairs)

    def code(self, node: Any) -> tuple[int, str]:
        return self.get(node, "code", int), self.get(node, "name", str)

    def instruction(self, node: Any) -> InstructionSpec:
        return InstructionSpec(
            name=_snake(self.get(node, "name", str)),
            discriminator=self.discriminator(node),
            accounts=tuple(a for n in self.each(node, "accounts") for a in self.account_items(n, "")),
            args=tuple(self.within("args", n, self.field) for n in self.each(node, "args")),
        )

    def account_items(self, node: Any, prefix: str) -> list[AccountItem]:
        name = prefix + _snake(self.get(node, "name", str))
        if "accounts" in node:
            return [one for n in self.each(node, "accounts") for one in self.account_items(n, f"{name}.")]
        address = self.get(node, "address", str, None)
        pda = self.get(node, "pda", Mapping, None)
        return [
            AccountItem(
                name=name,
                writable=self.get(node, "writable", bool, False),
                signer=self.get(node, "signer", bool, False),
                optional=self.get(node, "optional", bool, False),
                address=self.address(address) if address is not None else None,
                pda=self.pda(pda) if pda is not None else None,
            )
        ]

    def pda(self, node: Any) -> Pda:
        program = self.get(node, "program", Mapping, None)
        seeds = tuple(self.seed(n) for n in self.each(node, "seeds", required=True))
        return Pda(seeds, self.seed(program) if program is not None else None)

    def seed(self, node: Any) -> Seed:
        kind = self.get(node, "kind", str)
        if kind == "const":
            return ConstSeed(self.octets(node.get("value"), "seed value"))
        if kind in ("account", "arg"):
            path = ".".join(_snake(part) for part in self.get(node, "path", str).split("."))
            return AccountSeed(path) if kind == "account" else ArgSeed(path)
        raise self.error(f"unknown kind of seed {kind!r}")

    def field(self, node: Any) -> Field:
        return Field(_snake(self.get(node, "name", str)), self.type(self.get(node, "type", (str, Mapping))))

    def fields(self, name: str, node: Any) -> Struct:
        parsed = []
        for position, one in enumerate(self.each(node, "fields")):
            is_named = isinstance(one, Mapping) and "name" in one
            parsed.append(self.field(one) if is_named else Field(str(position), self.type(one)))
        return Struct(name, tuple(parsed))

    def type_def(self, node: Any) -> Struct | Enum:
        name, body = self.get(node, "name", str), self.get(node, "type", Mapping)
        if node.get("generics"):
            raise self.error("generic types are not supported")
        if node.get("serialization", "borsh") not in ("borsh", "bytemuck"):
            raise self.error(f"serialization {node['serialization']!r} is not supported")
        kind = self.get(body, "kind", str)
        if kind == "struct":
            return self.fields(name, body)
        if kind == "enum":
            variants = self.each(body, "variants", required=True)
            return Enum(name, tuple(self.fields(self.get(v, "name", str), v) for v in variants))
        if kind == "type":
            return Struct(name, (Field("0", self.type(self.get(body, "alias", (str, Mapping)))),))
        raise self.error(f"unknown kind of type {kind!r}")

    def type(self, node: Any) -> IdlType:
        if isinstance(node, str):
            name = "pubkey" if node == "publicKey" else node
            if name in PRIMITIVES:
                return Primitive(name)
            raise self.error(f"unknown type {node!r}")
        if not isinstance(node, Mapping) or len(node) != 1:
            raise self.error(f"unknown type {node!r}")
        ((kind, inner),) = node.items()
        if kind == "vec":
            return Vec(self.type(inner))
        if kind == "option":
            return Option(self.type(inner))
        if kind == "array" and isinstance(inner, Sequence) and len(inner) == 2 and type(inner[1]) is int:
            return Array(self.type(inner[0]), inner[1])
        if kind == "defined":
            return Defined(inner if isinstance(inner, str) else self.get(inner, "name", str))
        raise self.error(f"unknown type {node!r}")

    def check_references(self, idl: Idl) -> None:
        """Every defined type exists and no type contains itself without an option or a vector between."""

        def visit(found: IdlType, trail: tuple[str, ...]) -> None:
            if isinstance(found, Vec | Option | Array):
                if isinstance(found, Array) and not 0 <= found.length <= 10 * 1024 * 1024:
                    raise IdlError(f"idl.types: an array of {found.length} items is not possible")
                visit(found.item, trail)
            elif isinstance(found, Defined):
                if found.name not in idl.types:
                    raise IdlError(f"idl.types: {found.name!r} is used, but not defined")
                if found.name in trail:
                    raise IdlError(f"idl.types: {' -> '.join((*trail, found.name))} contains itself")
                body = idl.types[found.name]
                structs = body.variants if isinstance(body, Enum) else (body,)
                for one in (f for s in structs for f in s.fields):
                    visit(one.type, (*trail, found.name))

        for name in idl.types:
            visit(Defined(name), ())
        for instruction in idl.instructions.values():
            for arg in instruction.args:
                visit(arg.type, ())
        for name in idl.accounts:
            if name not in idl.types:
                raise IdlError(f"idl.accounts: {name!r} has a discriminator, but no type")
