"""Anchor IDLs: where they live, how they are packed, what they say, and Borsh by them."""

import copy
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_LRT, SYSTEM
from keeper.protocols.glow_lrt import codec, decode_idl_account, encode_idl_account, idl_address
from keeper.protocols.glow_lrt.idl import (
    AccountSeed,
    ArgSeed,
    Array,
    ConstSeed,
    Defined,
    Enum,
    Field,
    Idl,
    IdlError,
    IdlType,
    Option,
    Primitive,
    Struct,
    Vec,
)
from keeper.protocols.layout import LayoutError, Reader
from tests.protocols.account_bytes import key, lrt_idl_json

# -- the account


def test_idl_accounts_unpack_and_may_be_larger_than_their_content() -> None:
    packed = encode_idl_account('{"a": 1}', key(1))
    assert packed[:8].hex() == "184662bf3a907b9e"
    assert packed[8:40] == bytes(key(1))
    for free in (0, 1, 5_000):
        assert decode_idl_account(packed + bytes(free), owner=GLOW_LRT, program_id=GLOW_LRT) == '{"a": 1}'


def test_the_address_is_derived_as_anchor_does() -> None:
    base = Pubkey.find_program_address([], GLOW_LRT)[0]
    assert idl_address(GLOW_LRT) == Pubkey.create_with_seed(base, "anchor:idl", GLOW_LRT)


def raw_idl_account(content: bytes, length: int | None = None) -> bytes:
    size = len(content) if length is None else length
    return bytes.fromhex("184662bf3a907b9e") + bytes(32) + size.to_bytes(4, "little") + content


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(100),
        raw_idl_account(b"not zlib"),
        raw_idl_account(zlib.compress(b"{}"), 500),
        raw_idl_account(zlib.compress(b'{"address": "abcdefgh"}')[:-6]),
        raw_idl_account(zlib.compress(b"\xff\xfe")),
        raw_idl_account(zlib.compress(bytes(17 * 1024 * 1024))),
    ],
)
def test_garbage_in_an_idl_account_is_a_layout_error(data: bytes) -> None:
    with pytest.raises(LayoutError, match="IDL account"):
        decode_idl_account(data)


def test_a_foreign_idl_account_is_refused() -> None:
    with pytest.raises(LayoutError, match="owner"):
        decode_idl_account(encode_idl_account("{}", key(1)), owner=SYSTEM, program_id=GLOW_LRT)


@given(st.text(max_size=200))
def test_idl_text_round_trips(text: str) -> None:
    assert decode_idl_account(encode_idl_account(text, key(1))) == text


# -- parsing


def test_an_idl_is_parsed_from_text_and_from_an_object() -> None:
    document = lrt_idl_json()
    idl = Idl.parse(json.dumps(document))
    assert idl == Idl.parse(document)
    assert (idl.address, idl.name, idl.version) == (GLOW_LRT, "glow_lrt", "0.1.0")
    deposit = idl.instructions["deposit_sol"]
    assert deposit.discriminator.hex() == "6c514e757d9b38c8"
    assert [one.name for one in deposit.args] == ["lamports", "minimum_shares"]
    assert (deposit.accounts[0].name, deposit.accounts[0].signer, deposit.accounts[0].writable) == ("owner", True, True)
    assert idl.accounts["LrtPool"].hex() == "45b9268a8adf00d8"
    assert idl.accounts["PendingWithdrawals"].hex() == "ee190f01bb19fd10"
    assert idl.errors == {6000: "PoolPaused"}


RICH: dict[str, Any] = {
    "address": str(GLOW_LRT),
    "metadata": {"name": "rich", "version": "1", "spec": "0.1.0"},
    "instructions": [
        {
            "name": "doIt",
            "discriminator": [1, 2, 3, 4, 5, 6, 7, 8],
            "accounts": [
                {"name": "owner", "signer": True},
                {
                    "name": "group",
                    "accounts": [{"name": "innerOne", "writable": True}, {"name": "maybe", "optional": True}],
                },
                {
                    "name": "vault",
                    "pda": {
                        "seeds": [
                            {"kind": "const", "value": [118]},
                            {"kind": "account", "path": "group.innerOne"},
                            {"kind": "arg", "path": "index"},
                        ],
                        "program": {"kind": "const", "value": list(bytes(32))},
                    },
                },
                {"name": "system_program", "address": str(SYSTEM)},
            ],
            "args": [
                {"name": "index", "type": "u16"},
                {"name": "kind", "type": {"defined": {"name": "Kind"}}},
                {"name": "pair", "type": {"defined": {"name": "Pair"}}},
                {"name": "many", "type": {"vec": {"option": "i64"}}},
                {"name": "grid", "type": {"array": ["u8", 3]}},
                {"name": "label", "type": "string"},
                {"name": "blob", "type": "bytes"},
            ],
        }
    ],
    "types": [
        {
            "name": "Kind",
            "type": {
                "kind": "enum",
                "variants": [
                    {"name": "Empty"},
                    {"name": "Named", "fields": [{"name": "x", "type": "u8"}]},
                    {"name": "Tuple", "fields": ["u16", "bool"]},
                ],
            },
        },
        {"name": "Pair", "type": {"kind": "struct", "fields": ["pubkey", "i128"]}},
    ],
}


def test_groups_seeds_enums_and_tuples_are_understood() -> None:
    idl = Idl.parse(RICH)
    spec = idl.instructions["do_it"]
    assert [one.name for one in spec.accounts] == ["owner", "group.inner_one", "group.maybe", "vault", "system_program"]
    vault = spec.accounts[3].pda
    assert vault is not None
    assert vault.seeds == (ConstSeed(b"v"), AccountSeed("group.inner_one"), ArgSeed("index"))
    assert vault.program == ConstSeed(bytes(32))
    assert spec.accounts[2].optional
    assert spec.accounts[4].address == SYSTEM


def test_arguments_encode_and_decode_by_the_idl() -> None:
    idl = Idl.parse(RICH)
    spec = idl.instructions["do_it"]
    values: dict[str, Any] = {
        "index": 258,
        "kind": {"Tuple": {"0": 7, "1": True}},
        "pair": {"0": key(1), "1": -(2**127)},
        "many": [None, -1],
        "grid": [1, 2, 3],
        "label": "é",
        "blob": b"\0\1",
    }
    data = codec.encode_fields(idl, spec.args, values, "do_it")
    expected = bytes([2, 1]) + bytes([2, 7, 0, 1]) + bytes(key(1)) + bytes(15) + b"\x80"
    expected += bytes([2, 0, 0, 0, 0, 1]) + b"\xff" * 8 + bytes([1, 2, 3]) + b"\2\0\0\0" + "é".encode()
    expected += b"\2\0\0\0\0\1"
    assert data == expected
    assert codec.decode_args(idl, "do_it", spec.discriminator + data) == values


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"index": 65_536}, r"index takes u16, which cannot hold 65536"),
        ({"index": True}, r"index takes u16, got True"),
        ({"kind": {"Other": {}}}, r"Empty, Named, Tuple"),
        ({"kind": {"Named": {}}}, r"Named\.x has no value"),
        ({"grid": [1, 2]}, r"grid takes 3 items, got 2"),
        ({"label": 5}, r"label takes string, got 5"),
        ({"pair": []}, r"object of Pair"),
        ({"surplus": 1}, r"do_it has no surplus"),
    ],
)
def test_values_that_do_not_fit_are_named(change: dict[str, Any], message: str) -> None:
    idl = Idl.parse(RICH)
    values: dict[str, Any] = {
        "index": 1,
        "kind": {"Empty": None},
        "pair": {"0": key(1), "1": 0},
        "many": [],
        "grid": [0, 0, 0],
        "label": "",
        "blob": b"",
    }
    codec.encode_fields(idl, idl.instructions["do_it"].args, values, "do_it")
    with pytest.raises(codec.EncodeError, match=message):
        codec.encode_fields(idl, idl.instructions["do_it"].args, values | change, "do_it")


def broken(path: list[str | int], value: Any) -> dict[str, Any]:
    document = copy.deepcopy(RICH)
    node: Any = document
    for part in path[:-1]:
        node = node[part]
    if value is ...:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return document


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "not JSON"),
        ("[]", "should be an object"),
        (broken(["address"], ...), "before Anchor 0.30"),
        (broken(["address"], "nonsense"), "'nonsense' is not an address"),
        (broken(["instructions"], {}), "'instructions' has an unexpected type"),
        (broken(["instructions", 0, "discriminator"], [256]), r"instructions\[doIt\]: discriminator"),
        (broken(["instructions", 0, "args", 0, "type"], "u7"), r"args\[index\]: unknown type 'u7'"),
        (broken(["instructions", 0, "args", 0, "type"], {"hashMap": ["u8", "u8"]}), "unknown type"),
        (broken(["instructions", 0, "args", 1, "type"], {"defined": {"name": "Gone"}}), "'Gone' is used, but not"),
        (broken(["instructions", 0, "accounts", 2, "pda", "seeds", 0, "kind"], "magic"), "kind of seed 'magic'"),
        (broken(["types", 1, "type", "fields"], [{"defined": {"name": "Pair"}}]), "Pair -> Pair contains itself"),
        (broken(["types", 0, "generics"], [{"kind": "type", "name": "T"}]), "generic types"),
        (broken(["accounts"], [{"name": "Lost", "discriminator": [1]}]), "'Lost' has a discriminator, but no type"),
    ],
)
def test_what_is_not_an_idl_is_named(document: Any, message: str) -> None:
    with pytest.raises(IdlError, match=message):
        Idl.parse(document)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PLACES = st.sampled_from(
    [
        ["address"],
        ["metadata"],
        ["instructions"],
        ["types"],
        ["accounts"],
        ["errors"],
        ["instructions", 0],
        ["instructions", 0, "accounts"],
        ["instructions", 0, "accounts", 1],
        ["instructions", 0, "accounts", 2, "pda"],
        ["instructions", 0, "args", 0],
        ["instructions", 0, "args", 1, "type"],
        ["types", 0],
        ["types", 0, "type"],
        ["types", 1, "type", "fields", 0],
    ]
)


@given(PLACES, JSON)
def test_no_damage_to_an_idl_ends_in_another_error(path: list[str | int], value: Any) -> None:
    try:
        Idl.parse(broken(path, value))
    except IdlError:
        return


# -- borsh of any type

SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "u8": st.integers(0, 255),
    "i16": st.integers(-(2**15), 2**15 - 1),
    "u64": st.integers(0, 2**64 - 1),
    "i128": st.integers(-(2**127), 2**127 - 1),
    "pubkey": st.binary(min_size=32, max_size=32).map(Pubkey.from_bytes),
    "string": st.text(max_size=5),
    "bytes": st.binary(max_size=5),
}
# An option directly inside an option is left out: plain data cannot tell Some(None) from None.
# So are arrays of no items: Borsh has no vectors of what takes no space, and the reader refuses their counts.
TYPES: st.SearchStrategy[IdlType] = st.recursive(
    st.sampled_from(sorted(SCALARS)).map(Primitive) | st.just(Defined("S")) | st.just(Defined("E")),
    lambda inner: (
        inner.map(Vec)
        | inner.filter(lambda kind: not isinstance(kind, Option)).map(Option)
        | st.builds(Array, inner, st.integers(1, 3))
    ),
    max_leaves=4,
)
BORSH = Idl(
    address=GLOW_LRT,
    name="",
    version="",
    instructions={},
    accounts={},
    events={},
    errors={},
    types={
        "S": Struct("S", (Field("a", Primitive("u8")), Field("b", Option(Primitive("string"))))),
        "E": Enum("E", (Struct("None", ()), Struct("One", (Field("0", Primitive("u64")),)))),
    },
)


def values_of(kind: IdlType) -> st.SearchStrategy[Any]:
    if isinstance(kind, Primitive):
        return SCALARS[kind.name]
    if isinstance(kind, Option):
        return st.none() | values_of(kind.item)
    if isinstance(kind, Vec):
        return st.lists(values_of(kind.item), max_size=3)
    if isinstance(kind, Array):
        return st.lists(values_of(kind.item), min_size=kind.length, max_size=kind.length)
    if kind.name == "S":
        return st.fixed_dictionaries({"a": SCALARS["u8"], "b": st.none() | SCALARS["string"]})
    return st.sampled_from([{"None": {}}]) | SCALARS["u64"].map(lambda n: {"One": {"0": n}})


@given(TYPES, st.data(), st.binary(max_size=4))
def test_every_value_round_trips_and_leaves_the_rest(kind: IdlType, data: st.DataObject, rest: bytes) -> None:
    value = data.draw(values_of(kind))
    encoded = codec.encode(BORSH, kind, value, "x")
    read = Reader(encoded + rest, "x")
    assert codec.decode(BORSH, kind, read, "x") == value
    assert read.rest() == rest


@given(TYPES, st.binary(max_size=60))
def test_random_bytes_decode_or_are_a_layout_error(kind: IdlType, data: bytes) -> None:
    try:
        codec.decode(BORSH, kind, Reader(data, "x"), "x")
    except LayoutError:
        return
