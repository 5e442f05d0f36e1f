"""Taking transactions apart: what was compiled comes back, and what cannot be is named."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from keeper.chain import ONCE, RpcClient, RpcError
from keeper.venues.decompile import Decompiled, Undecodable, decompile

if TYPE_CHECKING:
    from tests.venues.conftest import Jupiter

PAYER = Keypair.from_seed(bytes([1] * 32)).pubkey()
KEYS = [Pubkey.from_bytes(bytes([40 + n] * 32)) for n in range(8)]
RPC = RpcClient("http://node.test", transport=httpx2.MockTransport(lambda _: httpx2.Response(503)), retry=ONCE)

metas = st.builds(AccountMeta, st.sampled_from(KEYS), st.booleans(), st.booleans())
programs = st.sampled_from([Pubkey.from_bytes(bytes([90 + n] * 32)) for n in range(3)])
instructions = st.lists(
    st.builds(Instruction, programs, st.binary(max_size=8), st.lists(metas, max_size=5)), min_size=1, max_size=4
)


def apart(raw: bytes) -> Decompiled:
    return asyncio.run(decompile(raw, RPC))


@given(instructions, st.booleans())
def test_instructions_come_back(given_instructions: list[Instruction], legacy: bool) -> None:
    message: Message | MessageV0
    if legacy:
        message = Message.new_with_blockhash(given_instructions, PAYER, Hash.default())
    else:
        message = MessageV0.try_compile(PAYER, given_instructions, [], Hash.default())
    signatures = [Signature.default()] * message.header.num_required_signatures
    found = apart(bytes(VersionedTransaction.populate(message, signatures)))
    every = [meta for instruction in given_instructions for meta in instruction.accounts]
    signers = {meta.pubkey for meta in every if meta.is_signer} | {PAYER}
    writable = {meta.pubkey for meta in every if meta.is_writable} | {PAYER}
    assert found.signers[0] == PAYER
    assert set(found.signers) == signers
    assert [(item.program_id, bytes(item.data)) for item in found.instructions] == [
        (item.program_id, bytes(item.data)) for item in given_instructions
    ]
    for got, wanted in zip(found.instructions, given_instructions, strict=True):
        # privileges belong to the transaction: an account is as privileged as its most privileged mention
        assert [(meta.pubkey, meta.is_signer, meta.is_writable) for meta in got.accounts] == [
            (meta.pubkey, meta.pubkey in signers, meta.pubkey in writable) for meta in wanted.accounts
        ]


@given(st.binary(max_size=200))
def test_any_bytes_are_taken_apart_or_named(raw: bytes) -> None:
    try:
        apart(raw)
    except (Undecodable, RpcError):
        return


@given(st.data())
def test_any_damage_is_taken_apart_or_named(make_jupiter: type[Jupiter], data: st.DataObject) -> None:
    raw = bytearray(base64.b64decode(make_jupiter().transaction()))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        apart(bytes(raw))
    except (Undecodable, RpcError):  # damage can make it name a lookup table, which this node does not serve
        return


def test_not_a_transaction() -> None:
    with pytest.raises(Undecodable, match="3 bytes that are not a transaction"):
        apart(b"abc")
