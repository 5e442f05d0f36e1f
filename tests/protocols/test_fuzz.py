"""Every decoder against random and damaged bytes: a value or a LayoutError, never another exception."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.instruction import Instruction

from keeper.protocols import compute_budget, jupiter, lookup_table, solayer, stake, stake_pool, token
from keeper.protocols.addresses import COMPUTE_BUDGET, GLOW_LRT, LST_MINT, SPL_TOKEN, SSOL_MINT, TOKEN_2022
from keeper.protocols.glow_lrt import (
    LOCALNET_LRT_MAPPING,
    Idl,
    IdlError,
    LrtProgram,
    decode_idl_account,
    encode_idl_account,
)
from keeper.protocols.layout import LayoutError
from tests.protocols.account_bytes import (
    fee,
    future,
    key,
    lrt_idl_json,
    lrt_pool_bytes,
    lrt_queue_bytes,
    mint_bytes,
    stake_pool_bytes,
    token_account_bytes,
)

LRT = LrtProgram(Idl.parse(lrt_idl_json()), LOCALNET_LRT_MAPPING, GLOW_LRT, key(1))
Decoder = Callable[[bytes], object]
GOOD: dict[str, tuple[Decoder, bytes]] = {
    "token account": (
        lambda data: token.decode_token_account(data, owner_program=SPL_TOKEN),
        token_account_bytes(key(1), key(2), 5),
    ),
    "token-2022 account": (
        lambda data: token.decode_token_account(data, owner_program=TOKEN_2022),
        token_account_bytes(key(1), key(2), 5) + b"\2" + bytes(20),
    ),
    "mint": (token.decode_mint, mint_bytes(key(1), 5, 9)),
    "stake pool": (
        stake_pool.decode_stake_pool,
        stake_pool_bytes(next_epoch_fee=future(2, fee(1, 1)), sol_deposit_authority=key(3)),
    ),
    "validator list": (
        stake_pool.decode_validator_list,
        b"\2\2\0\0\0\1\0\0\0" + bytes(40) + b"\1" + bytes(32) + bytes(73),
    ),
    "stake": (stake.decode_stake_account, b"\2\0\0\0" + bytes(196)),
    "restaking pool": (
        solayer.decode_restaking_pool,
        bytes.fromhex("0c05648f7d5e1ad6") + bytes(LST_MINT) + bytes(SSOL_MINT) + bytes(2),
    ),
    "lookup table": (lookup_table.decode_lookup_table, b"\1\0\0\0" + bytes(52) + bytes(64)),
    "route_v2": (jupiter.decode_swap, bytes.fromhex("bb64facc31c4af14") + bytes(26) + b"\1" + bytes(5)),
    "route": (jupiter.decode_swap, bytes.fromhex("e517cb977ae3ad2a") + b"\1\0\0\0\x11\1\x64\0\1" + bytes(19)),
    "compute budget": (lambda data: compute_budget.decode(Instruction(COMPUTE_BUDGET, data, [])), b"\2\1\2\3\4"),
    "lrt pool": (LRT.decode_pool, lrt_pool_bytes()),
    "lrt queue": (LRT.decode_queue, lrt_queue_bytes(key(1), {0: (1, 2, 3, 4)})),
    "idl account": (decode_idl_account, encode_idl_account('{"instructions": []}', key(1)) + bytes(9)),
}


def survives(decode: Decoder, data: bytes) -> None:
    try:
        decode(data)
    except LayoutError as error:
        assert error.field
        assert error.account


@pytest.mark.parametrize("name", GOOD)
def test_the_good_bytes_are_good(name: str) -> None:
    decode, data = GOOD[name]
    decode(data)


@given(st.sampled_from(sorted(GOOD)), st.binary(max_size=700))
def test_random_bytes(name: str, data: bytes) -> None:
    survives(GOOD[name][0], data)


@given(st.sampled_from(sorted(GOOD)), st.data())
def test_damaged_bytes(name: str, draw: st.DataObject) -> None:
    decode, good = GOOD[name]
    data = bytearray(good)
    for _ in range(draw.draw(st.integers(0, 4))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    end = draw.draw(st.integers(0, len(data)) | st.just(len(data)))
    survives(decode, bytes(data[:end]))


@pytest.mark.parametrize("name", GOOD)
def test_every_truncation(name: str) -> None:
    decode, good = GOOD[name]
    for end in range(len(good)):
        survives(decode, good[:end])


@given(st.text(max_size=60))
def test_text_that_is_not_an_idl(text: str) -> None:
    try:
        Idl.parse(text)
    except IdlError:
        return
