"""The margin account's lookup tables on the localnet: a modelled registry over real tables."""

from __future__ import annotations

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.protocols.addresses import ADDRESS_LOOKUP_TABLE, LOOKUP_TABLE_REGISTRY, SYSTEM
from keeper.sim.localnet.programs.borsh import u32, u64
from keeper.sim.localnet.programs.glow_margin_errors import MarginError
from keeper.sim.localnet.programs.lookup_registry import LookupRegistry, RegistryError, registry_address
from tests.localnet_programs.margin_box import MarginBox, error
from tests.localnet_programs.margin_calls import MARGIN, OWNER, STRANGER, call, key, read, write

REGISTRY = registry_address(MARGIN)[0]


@pytest.fixture
def box() -> MarginBox:
    box = MarginBox()
    box.open()
    return box


def init(by: Keypair = OWNER) -> Instruction:
    signer = by.pubkey()
    metas = [read(signer, True), write(signer, True), read(MARGIN), write(REGISTRY), read(LOOKUP_TABLE_REGISTRY)]
    return call("init_lookup_registry", [*metas, read(SYSTEM)])


def table_call(name: str, table: Pubkey, args: bytes) -> Instruction:
    signer = OWNER.pubkey()
    metas = [read(signer, True), write(signer, True), read(MARGIN), write(REGISTRY), write(table)]
    return call(name, [*metas, read(ADDRESS_LOOKUP_TABLE), read(LOOKUP_TABLE_REGISTRY), read(SYSTEM)], args)


def create(slot: int) -> tuple[Instruction, Pubkey]:
    table = Pubkey.find_program_address([bytes(MARGIN), u64(slot)], ADDRESS_LOOKUP_TABLE)[0]
    return table_call("create_lookup_table", table, u64(slot) + u64(10)), table


def append(table: Pubkey, *addresses: Pubkey) -> Instruction:
    keys = b"".join(bytes(address) for address in addresses)
    return table_call("append_to_lookup", table, u32(len(addresses)) + keys)


def test_tables_are_created_listed_and_extended(box: MarginBox) -> None:
    assert error(box.send(init())) is None
    data = box.data(REGISTRY)
    assert data[:8].hex() == "715d6ac964a69262"
    assert data[8:40] == bytes(MARGIN)
    tables = []
    for _ in range(2):
        slot = box.bank.clock.slot
        instruction, table = create(slot)
        assert error(box.send(instruction)) is None
        tables.append(table)
    registry = LookupRegistry.decode(box.data(REGISTRY))
    assert registry.entries == [(2, table) for table in tables]
    held = box.bank.get_account(REGISTRY)
    assert held is not None
    assert held.lamports == box.bank.rent_exempt(len(held.data))
    assert error(box.send(append(tables[0], key(60), key(61)))) is None
    assert box.data(tables[0])[56:] == bytes(key(60)) + bytes(key(61))


def test_only_the_owner_and_only_listed_tables(box: MarginBox) -> None:
    assert error(box.send(init(STRANGER), signers=[STRANGER])) == MarginError.UNAUTHORIZED_INVOCATION
    assert error(box.send(init())) is None
    assert error(box.send(init())) == 0  # System: account already in use
    assert error(box.send(append(key(62), key(60)))) == RegistryError.INVALID_LOOKUP_TABLE
    old, _ = create(box.bank.clock.slot - 10)
    assert error(box.send(old)) == RegistryError.INVALID_SLOT
    slot = box.bank.clock.slot
    wrong = table_call("create_lookup_table", key(63), u64(slot) + u64(10))
    assert error(box.send(wrong)) == RegistryError.INVALID_LOOKUP_TABLE
