"""Invokes packed and unpacked, and the account metas of the margin program's own instructions."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from keeper.protocols import glow_margin as gm
from keeper.protocols.addresses import (
    ADDRESS_LOOKUP_TABLE,
    GLOW_AIRSPACE,
    GLOW_MARGIN,
    GLOW_MARGIN_POOL,
    LOOKUP_TABLE_REGISTRY,
    RENT_SYSVAR,
    SPL_TOKEN,
    SYSTEM,
    TOKEN_2022,
)
from keeper.protocols.layout import LayoutError
from keeper.protocols.lookup_table import create
from keeper.protocols.token import associated_token_address
from keeper.units import SSOL, Slot, TokenAmount, UnitError
from tests.protocols.account_bytes import key

OWNER, MARGIN, AIRSPACE, MINT, PAYER = key(1), key(2), key(3), key(4), key(5)
CONFIG = gm.adapter_config_address(AIRSPACE, GLOW_MARGIN_POOL)
METAS = st.builds(AccountMeta, st.integers(1, 8).map(key), st.booleans(), st.booleans())


def _inner(data: bytes, metas: list[AccountMeta], program: Pubkey = GLOW_MARGIN_POOL) -> gm.Inner:
    return gm.Inner(program, CONFIG, Instruction(program, data, metas))


INNERS = st.lists(
    st.builds(
        _inner, st.binary(max_size=40), st.lists(METAS, max_size=12), st.sampled_from([GLOW_MARGIN_POOL, key(9)])
    ),
    min_size=1,
    max_size=4,
)


def _plain(meta: AccountMeta) -> tuple[Pubkey, bool, bool]:
    return meta.pubkey, meta.is_signer, meta.is_writable


def _without_margin(inners: list[gm.Inner]) -> list[gm.Inner]:
    """As the transaction carries them: nobody but the program signs for the margin account."""
    return [
        _inner(
            bytes(one.instruction.data),
            [
                AccountMeta(meta.pubkey, meta.is_signer and meta.pubkey != MARGIN, meta.is_writable)
                for meta in one.instruction.accounts
            ],
            one.program,
        )
        for one in inners
    ]


@given(INNERS)
def test_what_is_packed_unpacks(inners: list[gm.Inner]) -> None:
    packed = gm.adapter_invoke(OWNER, MARGIN, inners)
    assert packed.program_id == GLOW_MARGIN
    assert [_plain(meta) for meta in packed.accounts[:2]] == [(OWNER, True, False), (MARGIN, False, True)]
    assert len(packed.accounts) == 2 + sum(len(one.instruction.accounts) + 2 for one in inners)
    assert not any(meta.is_signer for meta in packed.accounts if meta.pubkey == MARGIN)
    assert gm.unpack_invoke(packed.data, packed.accounts) == gm.Invoke(MARGIN, True, tuple(_without_margin(inners)))


@given(INNERS)
def test_accounting_has_no_owner_and_no_signature_of_the_account(inners: list[gm.Inner]) -> None:
    needs = any(meta.pubkey == MARGIN and meta.is_signer for one in inners for meta in one.instruction.accounts)
    if needs:
        with pytest.raises(UnitError, match="use adapter_invoke"):
            gm.accounting_invoke(MARGIN, inners)
        return
    packed = gm.accounting_invoke(MARGIN, inners)
    assert _plain(packed.accounts[0]) == (MARGIN, False, True)
    assert gm.unpack_invoke(packed.data, packed.accounts) == gm.Invoke(MARGIN, False, tuple(inners))


def test_the_bytes_are_those_of_the_facts() -> None:
    metas = [AccountMeta(MARGIN, True, False), AccountMeta(key(6), False, True), AccountMeta(OWNER, True, True)]
    packed = gm.adapter_invoke(OWNER, MARGIN, [_inner(b"abc", metas), _inner(b"", [])])
    assert bytes(packed.data) == bytes.fromhex("5f84c49fbd47a875") + (
        struct.pack("<I", 2) + b"\3" + struct.pack("<I", 3) + b"abc" + b"\0" + struct.pack("<I", 0)
    )
    assert [_plain(meta) for meta in packed.accounts] == [
        (OWNER, True, False),
        (MARGIN, False, True),
        (GLOW_MARGIN_POOL, False, False),
        (CONFIG, False, False),
        (MARGIN, False, False),
        (key(6), False, True),
        (OWNER, True, True),
        (GLOW_MARGIN_POOL, False, False),
        (CONFIG, False, False),
    ]


def test_what_cannot_be_packed_is_refused() -> None:
    with pytest.raises(UnitError, match="needs an instruction inside"):
        gm.adapter_invoke(OWNER, MARGIN, [])
    with pytest.raises(UnitError, match="cannot go through the adapter"):
        gm.adapter_invoke(OWNER, MARGIN, [gm.Inner(key(9), CONFIG, Instruction(GLOW_MARGIN_POOL, b"", []))])
    with pytest.raises(UnitError, match="up to 255 accounts, not 256"):
        gm.adapter_invoke(OWNER, MARGIN, [_inner(b"", [AccountMeta(key(6), False, False)] * 256)])


def test_a_wrong_number_of_accounts_is_refused_as_the_program_does() -> None:
    packed = gm.accounting_invoke(MARGIN, [_inner(b"abc", [AccountMeta(key(6), False, False)])])
    for accounts in (packed.accounts[:-1], [*packed.accounts, packed.accounts[0]]):
        with pytest.raises(LayoutError, match="accounts should be 4, but is"):
            gm.unpack_invoke(packed.data, accounts)


def test_a_liquidators_invoke_is_read_too() -> None:
    data = bytes.fromhex("75154e7a45cca2a3") + struct.pack("<IBI", 1, 1, 2) + b"ok"
    metas = [AccountMeta(key(number), False, False) for number in range(10, 15)]
    inside = [AccountMeta(one, False, False) for one in (GLOW_MARGIN_POOL, CONFIG, key(6))]
    assert gm.is_invoke(data)
    read = gm.unpack_invoke(data, metas + inside)
    assert read == gm.Invoke(key(12), True, (_inner(b"ok", [AccountMeta(key(6), False, False)]),))


PACKED = gm.adapter_invoke(OWNER, MARGIN, [_inner(b"abc", [AccountMeta(key(6), False, False)] * 3), _inner(b"d", [])])


@given(st.binary(max_size=60), st.integers(0, 12), st.booleans())
def test_random_bytes_are_read_or_refused_by_name(data: bytes, accounts: int, ours: bool) -> None:
    data = bytes(PACKED.data[:8]) + data if ours else data
    metas = [AccountMeta(key(number), False, False) for number in range(accounts)]
    try:
        gm.unpack_invoke(data, metas)
    except LayoutError as error:
        assert error.account == "invoke"


def test_every_truncation_is_refused() -> None:
    for end in range(len(PACKED.data)):
        with pytest.raises(LayoutError):
            gm.unpack_invoke(PACKED.data[:end], PACKED.accounts)
    with pytest.raises(LayoutError, match="no more bytes"):
        gm.unpack_invoke(PACKED.data + b"\0", PACKED.accounts)
    assert not gm.is_invoke(gm.verify_healthy(MARGIN).data)


R, W, S, WS = (False, False), (False, True), (True, False), (True, True)
TOKEN_CONFIG = gm.token_config_address(AIRSPACE, MINT)
ATA = associated_token_address(MARGIN, MINT)
REGISTRY = gm.lookup_registry_address(MARGIN)
TABLE_CALL, TABLE = gm.create_lookup_table(authority=OWNER, payer=PAYER, margin_account=MARGIN, recent_slot=Slot(77))
TABLE_METAS = [
    (OWNER, S),
    (PAYER, WS),
    (MARGIN, R),
    (REGISTRY, W),
    (TABLE, W),
    (ADDRESS_LOOKUP_TABLE, R),
    (LOOKUP_TABLE_REGISTRY, R),
    (SYSTEM, R),
]
BUILT: dict[str, tuple[Instruction, bytes, list[tuple[Pubkey, tuple[bool, bool]]]]] = {
    "create_account": (
        gm.create_account(owner=OWNER, payer=PAYER, airspace=AIRSPACE, margin_account=MARGIN, seed=258, features=4),
        b"\x02\x01\x04\0",
        [(OWNER, S), (gm.airspace_permit_address(AIRSPACE, OWNER), R), (PAYER, WS), (MARGIN, W), (SYSTEM, R)],
    ),
    "close_account": (
        gm.close_account(owner=OWNER, receiver=PAYER, margin_account=MARGIN),
        b"",
        [(OWNER, S), (PAYER, W), (MARGIN, W)],
    ),
    "register_position": (
        gm.register_position(
            authority=OWNER, payer=PAYER, margin_account=MARGIN, airspace=AIRSPACE, mint=MINT, token_program=TOKEN_2022
        ),
        b"",
        [
            (OWNER, S),
            (PAYER, WS),
            (MARGIN, W),
            (MINT, R),
            (TOKEN_CONFIG, R),
            (gm.position_token_address(MARGIN, MINT), W),
            (TOKEN_2022, R),
            (RENT_SYSVAR, R),
            (SYSTEM, R),
        ],
    ),
    "create_deposit_position": (
        gm.create_deposit_position(authority=OWNER, payer=PAYER, margin_account=MARGIN, airspace=AIRSPACE, mint=MINT),
        b"",
        [
            (OWNER, S),
            (PAYER, WS),
            (MARGIN, W),
            (MINT, R),
            (TOKEN_CONFIG, R),
            (ATA, R),
            (Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"), R),
            (SPL_TOKEN, R),
            (RENT_SYSVAR, R),
            (SYSTEM, R),
        ],
    ),
    "close_position": (
        gm.close_position(
            authority=OWNER,
            receiver=PAYER,
            margin_account=MARGIN,
            mint=MINT,
            token_account=ATA,
            token_program=SPL_TOKEN,
        ),
        b"",
        [(OWNER, S), (PAYER, W), (MARGIN, W), (MINT, R), (ATA, W), (SPL_TOKEN, R)],
    ),
    "update_position_balance": (
        gm.update_position_balance(margin_account=MARGIN, token_account=ATA),
        b"",
        [(MARGIN, W), (ATA, R)],
    ),
    "refresh_deposit_position": (
        gm.refresh_deposit_position(
            margin_account=MARGIN, config=TOKEN_CONFIG, price=key(7), quote=key(8), token_account=ATA
        ),
        b"",
        [(MARGIN, W), (TOKEN_CONFIG, R), (key(7), R), (key(8), R), (ATA, R)],
    ),
    "refresh_position_config": (
        gm.refresh_position_config(margin_account=MARGIN, config=TOKEN_CONFIG, permit=key(7), refresher=key(8)),
        b"",
        [(MARGIN, W), (TOKEN_CONFIG, R), (key(7), R), (key(8), S)],
    ),
    "transfer_deposit": (
        gm.transfer_deposit(
            owner=OWNER,
            margin_account=MARGIN,
            source_owner=MARGIN,
            source=ATA,
            destination=key(7),
            amount=TokenAmount(SSOL, 513),
        ),
        b"\1\2" + bytes(6),
        [
            (OWNER, S),
            (MARGIN, W),
            (MARGIN, R),
            (ATA, W),
            (key(7), W),
            (Pubkey.from_string(SSOL.address), R),
            (SPL_TOKEN, R),
        ],
    ),
    "verify_healthy": (gm.verify_healthy(MARGIN), b"", [(MARGIN, R)]),
    "verify_unhealthy": (gm.verify_unhealthy(MARGIN), b"", [(MARGIN, R)]),
    "liquidate_end": (
        gm.liquidate_end(authority=OWNER, margin_account=MARGIN, liquidation=key(7)),
        b"",
        [(OWNER, WS), (MARGIN, W), (key(7), W)],
    ),
    "init_lookup_registry": (
        gm.init_lookup_registry(authority=OWNER, payer=PAYER, margin_account=MARGIN),
        b"",
        [(OWNER, S), (PAYER, WS), (MARGIN, R), (REGISTRY, W), (LOOKUP_TABLE_REGISTRY, R), (SYSTEM, R)],
    ),
    "create_lookup_table": (TABLE_CALL, struct.pack("<QQ", 77, 10), TABLE_METAS),
    "append_to_lookup": (
        gm.append_to_lookup(
            authority=OWNER, payer=PAYER, margin_account=MARGIN, table=TABLE, addresses=[key(7), key(8)]
        ),
        struct.pack("<I", 2) + bytes(key(7)) + bytes(key(8)),
        TABLE_METAS,
    ),
}


@pytest.mark.parametrize("name", BUILT)
def test_instructions_have_the_accounts_of_the_facts(name: str) -> None:
    instruction, arguments, metas = BUILT[name]
    assert instruction.program_id == GLOW_MARGIN
    assert bytes(instruction.data[8:]) == arguments
    assert [(meta.pubkey, (meta.is_signer, meta.is_writable)) for meta in instruction.accounts] == metas


def test_the_airspace_permit() -> None:
    instruction = gm.airspace_permit_create(payer=PAYER, authority=OWNER, airspace=AIRSPACE, owner=OWNER)
    assert instruction.program_id == GLOW_AIRSPACE
    assert bytes(instruction.data[8:]) == bytes(OWNER)
    assert [(meta.pubkey, (meta.is_signer, meta.is_writable)) for meta in instruction.accounts] == [
        (PAYER, WS),
        (OWNER, S),
        (AIRSPACE, R),
        (gm.airspace_permit_address(AIRSPACE, OWNER), W),
        (gm.airspace_permit_issuer_address(AIRSPACE, OWNER), R),
        (SYSTEM, R),
    ]


def test_an_absent_quote_is_the_called_programs_id() -> None:
    plain = gm.refresh_deposit_position(margin_account=MARGIN, config=TOKEN_CONFIG, price=key(7), program=key(9))
    assert [meta.pubkey for meta in plain.accounts] == [MARGIN, TOKEN_CONFIG, key(7), key(9)]


def test_the_lookup_table_is_the_margin_accounts_own() -> None:
    assert create(MARGIN, PAYER, Slot(77))[1] == TABLE
    with pytest.raises(UnitError, match="discriminator is 2 to"):
        gm.create_lookup_table(
            authority=OWNER, payer=PAYER, margin_account=MARGIN, recent_slot=Slot(77), discriminator=1
        )
    for count in (0, 21):
        with pytest.raises(UnitError, match="1 to 20 addresses"):
            gm.append_to_lookup(
                authority=OWNER, payer=PAYER, margin_account=MARGIN, table=TABLE, addresses=[key(7)] * count
            )
