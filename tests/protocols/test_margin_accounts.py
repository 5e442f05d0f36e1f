"""Decoders of the margin program's accounts: round trips, named refusals, and nothing else on any bytes."""

import struct
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from keeper.protocols import glow_margin as gm
from keeper.protocols.addresses import GLOW_AIRSPACE, GLOW_MARGIN, GLOW_MARGIN_POOL, LOOKUP_TABLE_REGISTRY
from keeper.protocols.layout import LayoutError
from keeper.units import Slot, UnitError, UnixTime
from tests.protocols import margin_bytes as mb
from tests.protocols.account_bytes import key

U64 = st.integers(0, 2**64 - 1)
KEYS = st.binary(min_size=32, max_size=32).map(Pubkey.from_bytes)
USED = KEYS.filter(lambda one: one != Pubkey.default())
PRICES = st.builds(
    gm.PositionPrice,
    st.integers(-(2**63), 2**63 - 1),
    U64.map(UnixTime),
    st.integers(-(2**31), 2**31 - 1),
    st.booleans(),
)
POSITIONS = st.builds(
    gm.AccountPosition,
    slot=st.just(0),
    token=KEYS,
    address=USED,
    adapter=KEYS,
    value=st.integers(-(2**127), 2**127 - 1),
    balance=U64,
    balance_timestamp=U64.map(UnixTime),
    price=PRICES,
    kind=st.sampled_from(gm.PositionKind),
    exponent=st.integers(-(2**15), 2**15 - 1),
    value_modifier=st.integers(0, 2**16 - 1),
    max_staleness=U64,
    required=st.booleans(),
    past_due=st.booleans(),
    is_token_2022=st.booleans(),
    token_features=st.integers(0, 2**16 - 1),
)


@st.composite
def margin_accounts(draw: st.DrawFn) -> gm.MarginAccountState:
    held = draw(st.lists(POSITIONS, max_size=6, unique_by=lambda one: one.token))
    slots = sorted(draw(st.sets(st.integers(0, 31), min_size=len(held), max_size=len(held))))
    return gm.MarginAccountState(
        bump=draw(st.integers(0, 255)),
        seed=draw(st.integers(0, 2**16 - 1)),
        invocation=draw(st.integers(0, 255)),
        constraints=gm.Constraint(draw(st.integers(0, 7))),
        features=gm.AccountFeature(draw(st.integers(0, 15))),
        owner=draw(KEYS),
        airspace=draw(KEYS),
        liquidator=draw(st.none() | USED),
        positions=tuple(replace(one, slot=slot) for one, slot in zip(held, slots, strict=True)),
    )


@given(margin_accounts())
def test_a_margin_account_comes_back_as_it_was_written(state: gm.MarginAccountState) -> None:
    assert gm.decode_margin_account(mb.margin_account_bytes(state), owner=GLOW_MARGIN) == state


FEEDS = st.binary(min_size=32, max_size=32)
ADMINS = (
    st.builds(gm.AdapterAdmin, KEYS)
    | st.just(gm.OracleAdmin())
    | st.builds(gm.OracleAdmin, FEEDS)
    | st.builds(gm.OracleAdmin, FEEDS, FEEDS)
    | st.builds(gm.UnknownAdmin, st.integers(2, 255))
    | st.builds(gm.UnknownAdmin, st.just(0), st.integers(3, 255))
)


@given(ADMINS, st.integers(0, 2), st.integers(0, 2**16 - 1), U64)
def test_a_token_config_comes_back(admin: gm.TokenAdmin, kind: int, modifier: int, staleness: int) -> None:
    data = mb.token_config_bytes(admin, kind=kind, modifier=modifier, staleness=staleness)
    config = gm.decode_token_config(data, owner=GLOW_MARGIN)
    assert config.admin == admin
    assert (config.token_kind, config.value_modifier, config.max_staleness) == (kind + 1, modifier, staleness)
    known = not isinstance(admin, gm.UnknownAdmin)
    assert (config.token_features, config.version) == ((gm.TokenFeature.SOL_BASED, 2) if known else (None, None))
    assert (config.mint, config.underlying_mint, config.airspace) == (key(100), key(5), key(2))


def test_a_redemption_oracle_says_so() -> None:
    assert gm.OracleAdmin(b"a" * 32, b"b" * 32).is_redemption
    assert not gm.OracleAdmin(b"a" * 32).is_redemption


def test_the_small_accounts() -> None:
    pair = bytes(key(1)) + bytes(key(2))
    assert gm.decode_adapter_config(mb.ADAPTER_CONFIG + pair, owner=GLOW_MARGIN) == gm.AdapterConfig(key(1), key(2))
    permit = gm.decode_permit(mb.PERMIT + pair + b"\3\0\0\0", owner=GLOW_MARGIN)
    assert permit == gm.Permit(key(1), key(2), gm.Permission.LIQUIDATE | gm.Permission.REFRESH_POSITION_CONFIG)
    airspace = (mb.AIRSPACE + bytes(key(1)) + b"\1").ljust(304, b"\0")
    assert gm.decode_airspace(airspace, owner=GLOW_AIRSPACE) == gm.Airspace(key(1), is_restricted=True)
    issued = (mb.AIRSPACE_PERMIT + pair + bytes(key(3))).ljust(128, b"\0")
    assert gm.decode_airspace_permit(issued, owner=GLOW_AIRSPACE) == gm.AirspacePermit(key(1), key(2), key(3))


def test_a_liquidation() -> None:
    data = mb.liquidation_bytes(collecting=True, fees=[(key(3), 44)])
    assert len(data) == 152 + 6 * 40
    expected = gm.LiquidationState(key(1), key(2), -1, 2, -3, 4, UnixTime(5), True, ((key(3), 44),))
    assert gm.decode_liquidation_state(data, owner=GLOW_MARGIN) == expected


def test_a_lookup_registry_names_its_active_tables() -> None:
    registry = gm.decode_lookup_registry(
        mb.registry_bytes([(10, key(3)), (0, Pubkey.default()), (1, key(4)), (2, key(5))]), owner=LOOKUP_TABLE_REGISTRY
    )
    assert registry.tables == (key(3), key(5))
    assert (registry.authority, registry.last_created_slot) == (key(1), Slot(77))


GOOD: dict[str, tuple[Callable[..., object], bytes]] = {
    "margin account": (
        gm.decode_margin_account,
        mb.margin_account_bytes(mb.margin_account([mb.position(), mb.position(kind=gm.PositionKind.CLAIM, slot=1)])),
    ),
    "token config": (gm.decode_token_config, mb.token_config_bytes(gm.OracleAdmin(b"r" * 32, b"q" * 32))),
    "adapter config": (gm.decode_adapter_config, mb.ADAPTER_CONFIG + bytes(64)),
    "permit": (gm.decode_permit, mb.PERMIT + bytes(68)),
    "airspace": (gm.decode_airspace, mb.AIRSPACE + bytes(296)),
    "airspace permit": (gm.decode_airspace_permit, mb.AIRSPACE_PERMIT + bytes(120)),
    "liquidation": (gm.decode_liquidation_state, mb.liquidation_bytes()),
    "lookup registry": (gm.decode_lookup_registry, mb.registry_bytes([(2, key(1)), (1, key(2))])),
}


def survives(decode: Callable[..., object], data: bytes) -> None:
    try:
        decode(data)
    except LayoutError as error:
        assert error.account
        assert error.field


@pytest.mark.parametrize("name", GOOD)
def test_foreign_owners_and_discriminators_are_refused(name: str) -> None:
    decode, good = GOOD[name]
    decode(good)
    with pytest.raises(LayoutError, match="owner should be"):
        decode(good, owner=GLOW_MARGIN_POOL)
    assert decode(good, owner=key(9), program=key(9)) == decode(good)
    with pytest.raises(LayoutError, match="discriminator"):
        decode(b"\0" + good[1:])


@pytest.mark.parametrize("name", GOOD)
def test_every_truncation_of_the_smaller_accounts(name: str) -> None:
    decode, good = GOOD[name]
    for end in range(0, len(good), 1 if len(good) < 500 else 97):
        survives(decode, good[:end])


@given(st.sampled_from(sorted(GOOD)), st.binary(max_size=400), st.booleans())
def test_random_bytes(name: str, data: bytes, after_discriminator: bool) -> None:
    decode, good = GOOD[name]
    survives(decode, good[:8] + data if after_discriminator else data)


@given(st.sampled_from(sorted(GOOD)), st.data())
def test_damaged_bytes(name: str, draw: st.DataObject) -> None:
    decode, good = GOOD[name]
    data = bytearray(good)
    for _ in range(draw.draw(st.integers(0, 6))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    survives(decode, bytes(data[: draw.draw(st.integers(0, len(data)) | st.just(len(data)))]))


@given(st.data())
def test_a_damaged_position_is_valued_or_refused_by_name(draw: st.DataObject) -> None:
    data = bytearray(GOOD["margin account"][1])
    for _ in range(draw.draw(st.integers(1, 6))):
        at = draw.draw(st.integers(1400 + 64, 1400 + 2 * 192 - 1))
        data[at] = draw.draw(st.integers(0, 255))
    try:
        value = gm.valuation_of(bytes(data), {}, mb.NOW)
        assert isinstance(gm.health_level(value).value, int)
    except (LayoutError, gm.ClaimStale, gm.NumberError) as error:
        assert str(error)


ACCOUNT = GOOD["margin account"][1]


def _with(offset: int, field: bytes) -> bytes:
    return ACCOUNT[:offset] + field + ACCOUNT[offset + len(field) :]


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (ACCOUNT[:-1], "length should be 7544 bytes, but is 7543"),
        (ACCOUNT + b"\0", "length should be 7544 bytes, but is 7545"),
        (_with(8, b"\2"), "version @8 should be 01, but is 02"),
        (_with(112, b"\x21"), "positions.length @120 should be up to 32, but is 33"),
        (_with(112, b"\1"), "the 2 slots in use"),
        (_with(152, b"\5"), "the 2 slots in use"),
        (_with(1400 + 152, b"\4"), "positions\\[0\\].kind .* but is 4"),
        (_with(1400 + 152, b"\0"), "positions\\[0\\].kind .* but is 0"),
    ],
)
def test_what_is_not_a_margin_account_is_named(data: bytes, named: str) -> None:
    with pytest.raises(LayoutError, match=named):
        gm.decode_margin_account(data)


def test_unknown_kinds_and_counts_elsewhere_are_named() -> None:
    config = mb.token_config_bytes(gm.OracleAdmin())
    with pytest.raises(LayoutError, match=r"token_kind .* but is 3"):
        gm.decode_token_config(config[:168] + b"\3" + config[169:])
    with pytest.raises(LayoutError, match=r"entries .* up to 254, but is 255"):
        gm.decode_lookup_registry(mb.registry_bytes([])[:56] + struct.pack("<I", 255) + bytes(255 * 40))


def test_a_free_slot_is_not_looked_at() -> None:
    data = _with(1400 + 5 * 192 + 96, b"\xff" * 96)
    assert gm.decode_margin_account(data) == gm.decode_margin_account(ACCOUNT)


def test_positions_are_found_by_token() -> None:
    state = gm.decode_margin_account(ACCOUNT)
    assert state.position(key(101)) == state.positions[1]
    assert state.position(key(999)) is None
    assert not state.is_being_liquidated
    assert replace(state, liquidator=key(3)).is_being_liquidated


def test_seeds_and_names_that_cannot_be_are_refused() -> None:
    with pytest.raises(UnitError, match="0 to 65535"):
        gm.margin_account_address(key(1), key(2), 65_536)
    with pytest.raises(UnitError, match="up to 32 bytes"):
        gm.airspace_address("x" * 33)


def test_derived_addresses_differ_by_every_seed() -> None:
    a, b, c = key(1), key(2), key(3)
    found = [
        gm.airspace_permit_address(a, b),
        gm.airspace_permit_address(b, a),
        gm.airspace_permit_issuer_address(a, b),
        gm.permit_address(a, b),
        gm.liquidation_address(a, b),
        gm.position_token_address(a, b),
        gm.constraint_ticket_address(a),
        gm.lookup_registry_address(a),
        gm.margin_account_address(a, b, 0),
        gm.margin_account_address(a, b, 1),
        gm.margin_account_address(a, b, 256),
        gm.margin_account_address(a, b, 0, program=c),
    ]
    assert len(set(found)) == len(found)
    assert (
        gm.margin_account_address(a, b, 256)
        == Pubkey.find_program_address([bytes(a), bytes(b), b"\0\1"], GLOW_MARGIN)[0]
    )
