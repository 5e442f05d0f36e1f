"""The published IDL: at the standard address, in the standard envelope, true to the accounts it describes."""

from __future__ import annotations

import json
import zlib
from hashlib import sha256
from typing import Any

import pytest
from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_LRT
from keeper.sim.localnet.programs.glow_lrt_idl import idl_address
from keeper.sim.localnet.programs.glow_lrt_state import LrtError, queue_address
from keeper.sim.localnet.user_instructions import lrt
from tests.localnet_programs.world import SOL, World, landed

SIZES = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "i64": 8, "bool": 1, "pubkey": 32}

# Candidate discriminators of the shared facts, protocol.md 1.2.
FACTS = {
    "deposit_sol": "6c514e757d9b38c8",
    "deposit_stake": "a0a709dc4af3e42b",
    "create_pending_withdrawals": "0dc50c92f1cedeed",
    "initiate_withdrawal": "45d8834a727a2670",
    "execute_withdrawal": "7179cbe8898bf8f9",
    "cancel_pending_withdrawal": "dcf2c6fac1a58a50",
    "close_pending_withdrawal": "bae041fdab984cbd",
    "configure_pool": "7a33d472efdeb1a3",
    "solayer_restake": "9ca48b0ad25773bd",
    "solayer_unrestake": "c3ee01bbcd817c7b",
}


def published(world: World) -> dict[str, Any]:
    """The IDL as a stranger reads it from chain."""
    base = Pubkey.find_program_address([], GLOW_LRT)[0]
    address = Pubkey.create_with_seed(base, "anchor:idl", GLOW_LRT)
    assert address == idl_address(GLOW_LRT)
    account = world.bank.get_account(address)
    assert account is not None
    assert account.owner == GLOW_LRT
    data = bytes(account.data)
    assert data[:8] == sha256(b"internal:IdlAccount").digest()[:8]
    assert data[8:40] == bytes(world.market.admin.pubkey())
    size = int.from_bytes(data[40:44], "little")
    idl: dict[str, Any] = json.loads(zlib.decompress(data[44 : 44 + size]))
    return idl


def decode(idl: dict[str, Any], name: str, data: bytes, offset: int = 0) -> tuple[dict[str, Any], int]:
    """Decode by the IDL's types alone."""
    types = {entry["name"]: entry["type"]["fields"] for entry in idl["types"]}

    def value(kind: Any, at: int) -> tuple[Any, int]:
        if isinstance(kind, dict) and "array" in kind:
            inner, count = kind["array"]
            items = []
            for _ in range(count):
                item, at = value(inner, at)
                items.append(item)
            return items, at
        if isinstance(kind, dict):
            return decode(idl, kind["defined"]["name"], data, at)
        end = at + SIZES[kind]
        chunk = data[at:end]
        assert len(chunk) == SIZES[kind]
        if kind == "pubkey":
            return Pubkey.from_bytes(chunk), end
        return int.from_bytes(chunk, "little", signed=kind == "i64"), end

    fields: dict[str, Any] = {}
    for entry in types[name]:
        fields[entry["name"]], offset = value(entry["type"], offset)
    return fields, offset


def test_instructions_carry_the_known_discriminators(world: World) -> None:
    idl = published(world)
    assert {entry["name"]: bytes(entry["discriminator"]).hex() for entry in idl["instructions"]} == FACTS
    assert idl["metadata"]["spec"] == "0.1.0"
    assert idl["address"] == str(GLOW_LRT)


@pytest.mark.parametrize(
    ("name", "discriminator"), [("LrtPool", "45b9268a8adf00d8"), ("PendingWithdrawals", "ee190f01bb19fd10")]
)
def test_accounts_carry_the_known_discriminators(world: World, name: str, discriminator: str) -> None:
    (entry,) = [entry for entry in published(world)["accounts"] if entry["name"] == name]
    assert bytes(entry["discriminator"]).hex() == discriminator


def test_errors_are_all_named(world: World) -> None:
    errors = published(world)["errors"]
    assert [entry["code"] for entry in errors] == [error.value for error in LrtError]
    assert errors[5]["name"] == "TooManyPendingWithdrawals"
    assert all(entry["msg"] for entry in errors)


def test_accounts_decode_by_the_idl_to_the_last_byte(world: World) -> None:
    market = world.market
    actor = world.actor()
    landed(actor.send(lrt(market, actor.key, "deposit_sol", lamports=5 * SOL, minimum_shares=0)))
    landed(actor.send(lrt(market, actor.key, "create_pending_withdrawals")))
    landed(actor.send(lrt(market, actor.key, "initiate_withdrawal", shares=SOL)))
    idl = published(world)
    pool = world.bank.get_account(market.lrt_pool)
    queue = world.bank.get_account(queue_address(market.lrt_pool, actor.key)[0])
    assert pool is not None
    assert queue is not None
    fields, end = decode(idl, "LrtPool", bytes(pool.data), 8)
    assert end == len(bytes(pool.data))
    assert fields["glowsol_mint"] == market.glowsol_mint
    assert fields["pending_shares"] == SOL
    assert fields["minimum_reserve"] == 100_000_000
    fields, end = decode(idl, "PendingWithdrawals", bytes(queue.data), 8)
    assert end == len(bytes(queue.data))
    assert fields["owner"] == actor.key
    assert fields["total_pending_shares"] == SOL
    assert fields["slots"][0]["pending_shares"] == SOL
    assert fields["slots"][1]["pending_assets"] == 0
    assert fields["earliest_withdrawal_timestamp"] == world.bank.clock.unix_timestamp + 604_800


def test_pdas_resolve_from_the_idl(world: World) -> None:
    market = world.market
    owner = world.actor().key
    known = {"owner": owner, "pool": market.lrt_pool, "glowsol_mint": market.glowsol_mint}
    resolved = {}
    for instruction in published(world)["instructions"]:
        for account in instruction["accounts"]:
            if "pda" in account:
                seeds = [
                    bytes(seed["value"]) if seed["kind"] == "const" else bytes(known[seed["path"]])
                    for seed in account["pda"]["seeds"]
                ]
                resolved[account["name"]] = Pubkey.find_program_address(seeds, GLOW_LRT)[0]
    assert resolved == {
        "pool": market.lrt_pool,
        "pending_withdrawals": queue_address(market.lrt_pool, owner)[0],
        "sol_staging": market.sol_staging,
    }
