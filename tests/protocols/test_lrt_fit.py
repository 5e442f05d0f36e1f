"""Mappings and IDLs that do not fit: found at once, with the role, what was wanted and the nearest thing that exists."""

import copy
from typing import Any

import pytest
from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_LRT, SPL_TOKEN
from keeper.protocols.glow_lrt import Idl, IdlMismatch, LrtMapping, LrtProgram, MappingError, localnet_pool_address
from keeper.units import Bps, Duration, Lamports, Mint, TokenAmount
from tests.protocols.account_bytes import key, lrt_idl_json, lrt_pool_bytes, lrt_queue_bytes

GLOWSOL_MINT = key(21)
GLOWSOL = Mint(str(GLOWSOL_MINT), "glowSOL", 9)
POOL = localnet_pool_address(GLOWSOL_MINT)
OWNER = key(1)


def glow(units: int) -> TokenAmount:
    return TokenAmount(GLOWSOL, units)


def mapping_dict() -> dict[str, Any]:
    return copy.deepcopy(MAPPING)


MAPPING: dict[str, Any] = {
    "instructions": {
        "deposit_sol": {"name": "deposit_sol", "amount": "lamports", "min_out": "minimum_shares"},
        "claim_unstake": {"name": "execute_withdrawal", "index": "withdrawal_index"},
    },
    "pool": {
        "account": "LrtPool",
        "fields": {
            "paused": "paused",
            "cap": "deposit_cap",
            "waiting_period": "waiting_period",
            "cancel_fee_bps": {"constant": 25},
            "pending_assets": "pending_assets",
            "pending_shares": "pending_shares",
            "minimum_reserve": "minimum_reserve",
            "glowsol_mint": "glowsol_mint",
            "ssol_mint": "ssol_mint",
            "stake_pool": {"constant": str(key(77))},
            "ssol_vault": "ssol_vault",
        },
    },
    "accounts": {"pending_withdrawals": "pda('q', pool, owner)"},
}


QUEUE: dict[str, Any] = {
    "account": "PendingWithdrawals",
    "address": "pda('q', pool, owner)",
    "fields": {"owner": "owner", "slots": "slots"},
    "slot_fields": {
        "assets": "pending_assets",
        "shares": "pending_shares",
        "requested_at": "withdrawal_request_timestamp",
        "waiting_period": {"constant": 60},
    },
}


def build(change: Any = None, idl_change: Any = None) -> LrtProgram:
    mapping, idl = mapping_dict(), lrt_idl_json()
    if change:
        change(mapping)
    if idl_change:
        idl_change(idl)
    return LrtProgram(Idl.parse(idl), LrtMapping.from_dict(mapping), GLOW_LRT, POOL)


def test_a_partial_mapping_says_what_is_missing() -> None:
    program = build()
    assert program.missing() == ("deposit_ssol", "create_queue", "request_unstake", "cancel_unstake", "close_queue")
    with pytest.raises(IdlMismatch, match="request_unstake: the mapping has no instruction for this role"):
        program.request_unstake(OWNER, glow(1))
    with pytest.raises(IdlMismatch, match="no queue"):
        program.queue_address(OWNER)
    with pytest.raises(IdlMismatch, match="no queue"):
        program.decode_queue(b"")


def test_a_waiting_period_that_the_slots_do_not_store_comes_from_the_mapping() -> None:
    program = build(set_at("queue", value=QUEUE))
    (slot,) = program.decode_queue(lrt_queue_bytes(OWNER, {0: (1, 2, 3, 4)}))
    assert slot.waiting == Duration(60)


def test_constants_stand_in_for_what_the_program_does_not_store() -> None:
    pool = build().decode_pool(lrt_pool_bytes(cancel_bps=50))
    assert (pool.cancel_fee, pool.stake_pool) == (Bps(25), key(77))


def set_at(*path: str, value: Any) -> Any:
    def change(mapping: dict[str, Any]) -> None:
        node = mapping
        for part in path[:-1]:
            node = node[part]
        node[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            set_at("instructions", "deposit_sol", "name", value="deposit_sols"),
            r"deposit_sol: the IDL has no instruction 'deposit_sols'; nearest is 'deposit_sol'",
        ),
        (
            set_at("instructions", "deposit_sol", "amount", value="lamport"),
            r"deposit_sol: deposit_sol has no 'lamport'; nearest is 'lamports'",
        ),
        (
            set_at("instructions", "deposit_sol", "min_out", value=None),
            r"argument 'minimum_shares' of deposit_sol has no role and no constant",
        ),
        (
            set_at("instructions", "deposit_sol", "min_out", value="lamports"),
            r"'lamports' of deposit_sol is mapped twice",
        ),
        (set_at("pool", "account", value="LRTPool"), r"no account struct 'LRTPool'; nearest is 'LrtPool'"),
        (
            set_at("pool", "fields", "cap", value="deposit_caps"),
            r"LrtPool has no 'deposit_caps'; nearest is 'deposit_cap'",
        ),
        (set_at("pool", "fields", "cap", value="ssol_mint"), r"cap should be a integer"),
        (set_at("accounts", "owner_share", value="owner"), r"no instruction has an account 'owner_share'; nearest is"),
        (set_at("accounts", "owner_shares", value="pool.glow_mint"), r"LrtPool has no 'glow_mint'; nearest is"),
        (set_at("accounts", "owner_shares", value="pool.paused"), r"not a pubkey"),
        (set_at("accounts", "owner_shares", value="queue"), r"the mapping has no queue"),
        (
            set_at("queue", value=QUEUE | {"address": "pda('q', pool.ssol_mints)"}),
            r"queue: LrtPool has no 'ssol_mints'",
        ),
        (set_at("queue", value=QUEUE | {"account": "Pending"}), r"'Pending'; nearest is 'PendingWithdrawals'"),
        (set_at("queue", value=QUEUE | {"fields": {"owner": "owner", "slots": "pool"}}), r"not a list of structs"),
        (set_at("queue", value=QUEUE | {"fields": {"owner": "slots", "slots": "slots"}}), r"owner should be a pubkey"),
    ],
)
def test_a_mapping_that_does_not_fit_names_role_wanted_and_nearest(change: Any, message: str) -> None:
    with pytest.raises(IdlMismatch, match=message):
        build(change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_at("instruction", value={}), "mapping.instruction is unknown; nearest is 'instructions'"),
        (
            set_at("instructions", "deposit", value="x"),
            "mapping.instructions.deposit is unknown; nearest is 'deposit_sol'",
        ),
        (
            set_at("instructions", "deposit_sol", "amount", value=None),
            "deposit_sol.amount should be a name, is missing",
        ),
        (set_at("instructions", "claim_unstake", "index", value=None), "claim_unstake.index should be a name"),
        (set_at("instructions", "claim_unstake", "amount", value="x"), "amount has no meaning for claim_unstake"),
        (set_at("instructions", "deposit_sol", value=5), "should be a table, is 5"),
        (set_at("pool", "fields", "cap", value=5), "a field's name or"),
        (set_at("pool", "fields", "cap", value={"constant": "x"}), "takes a constant of kind integer"),
        (set_at("pool", "fields", "caps", value="x"), "caps is unknown; nearest is 'cap'"),
        (set_at("pool", "fields", value={}), "does not say where paused, cap,"),
        (set_at("accounts", "owner_shares", value="somewhere"), "neither an address nor owner, pool"),
        (set_at("accounts", "owner_shares", value="ata(owner)"), "ata takes owner, mint"),
        (set_at("accounts", "owner_shares", value="pda('a', ata(owner, pool))"), "cannot stand inside"),
        (set_at("accounts", "owner_shares", value=""), "where the address comes from"),
        (set_at("accounts", value=[]), "should be a table"),
        (set_at("queue", value=QUEUE | {"address": "queue"}), "queue.address cannot depend on the queue"),
        (set_at("queue", value=QUEUE | {"address": "pda('q', queue)"}), "queue.address cannot depend on the queue"),
        (set_at("queue", value={"account": "PendingWithdrawals"}), "queue.address should say where"),
    ],
)
def test_a_mapping_that_says_something_impossible_names_the_key(change: Any, message: str) -> None:
    mapping = mapping_dict()
    change(mapping)
    with pytest.raises(MappingError, match=message):
        LrtMapping.from_dict(mapping)


def test_an_account_without_any_source_is_named_when_it_is_needed() -> None:
    program = build()
    with pytest.raises(
        IdlMismatch, match="account 'glowsol_mint' of deposit_sol has no address, no seeds and no entry"
    ):
        program.deposit_sol(OWNER, Lamports(1), glow(1))


def account_of(idl: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(a for a in idl["instructions"][4]["accounts"] if a["name"] == name)
    return found


def claim_address(idl_change: Any) -> Pubkey:
    """Where the claim's queue account lies when the IDL, not the mapping, says so."""
    mapping = mapping_dict()
    del mapping["accounts"]
    idl = lrt_idl_json()
    idl_change(idl)
    program = LrtProgram(Idl.parse(idl), LrtMapping.from_dict(mapping), GLOW_LRT, POOL)
    state = program.with_pool_state(program.decode_pool(lrt_pool_bytes()))
    return state.claim_unstake(OWNER, 3).accounts[2].pubkey


def seeds(*parts: Any, program: Any = None) -> Any:
    def change(idl: dict[str, Any]) -> None:
        pda: dict[str, Any] = {"seeds": list(parts)}
        if program:
            pda["program"] = program
        account_of(idl, "pending_withdrawals")["pda"] = pda

    return change


def account_seed(path: str) -> dict[str, str]:
    return {"kind": "account", "path": path}


def test_the_idls_own_seeds_are_used_where_the_mapping_is_silent() -> None:
    const = {"kind": "const", "value": [113]}
    arg = {"kind": "arg", "path": "withdrawal_index"}
    found = claim_address(seeds(const, account_seed("owner"), account_seed("pool.ssol_mint"), arg))
    raw = [b"q", bytes(OWNER), bytes(key(22)), b"\3"]
    assert found == Pubkey.find_program_address(raw, GLOW_LRT)[0]
    elsewhere = claim_address(seeds(const, program={"kind": "const", "value": list(bytes(SPL_TOKEN))}))
    assert elsewhere == Pubkey.find_program_address([b"q"], SPL_TOKEN)[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (seeds(account_seed("pending_withdrawals")), "depend on itself"),
        (seeds(account_seed("vault.airspace")), "not an account of execute_withdrawal"),
        (seeds({"kind": "arg", "path": "shares"}), "argument 'shares', which execute_withdrawal does not have"),
        (seeds({"kind": "const", "value": [0] * 33}), "longer or more"),
        (seeds({"kind": "const", "value": [1]}, program={"kind": "const", "value": [1]}), "not an address"),
    ],
)
def test_seeds_that_cannot_be_resolved_are_named(change: Any, message: str) -> None:
    with pytest.raises(IdlMismatch, match=message):
        claim_address(change)


def test_a_second_signer_is_refused() -> None:
    def change(idl: dict[str, Any]) -> None:
        account_of(idl, "pool")["signer"] = True

    with pytest.raises(IdlMismatch, match="account 'pool' must sign, but is"):
        build(idl_change=change).claim_unstake(OWNER, 0)


def test_an_optional_account_that_nobody_maps_is_the_program_itself() -> None:
    def change(idl: dict[str, Any]) -> None:
        idl["instructions"][4]["accounts"].append({"name": "referrer", "optional": True, "writable": True})

    last = build(idl_change=change).claim_unstake(OWNER, 0).accounts[-1]
    assert (last.pubkey, last.is_writable, last.is_signer) == (GLOW_LRT, False, False)


def test_arguments_inside_structs_and_constants_are_written() -> None:
    def change(idl: dict[str, Any]) -> None:
        idl["instructions"][0]["args"] = [
            {"name": "change", "type": {"defined": {"name": "TokenChange"}}},
            {"name": "mode", "type": "u8"},
        ]
        fields = [{"name": "kind", "type": "u8"}, {"name": "tokens", "type": "u64"}]
        idl["types"].append({"name": "TokenChange", "type": {"kind": "struct", "fields": fields}})

    def remap(mapping: dict[str, Any]) -> None:
        mapping["instructions"]["deposit_sol"] = {
            "name": "deposit_sol",
            "amount": "change.tokens",
            "constants": {"change.kind": 1, "mode": 9},
        }
        mapping["accounts"] = dict.fromkeys(
            ("glowsol_mint", "owner_shares", "ssol_vault", "stake_pool", "token_program", "system_program"), "owner"
        )

    program = build(remap, change)
    assert bytes(program.deposit_sol(OWNER, Lamports(258)).data)[8:] == bytes([1, 2, 1, 0, 0, 0, 0, 0, 0, 9])
    assert not program.enforces_minimum("deposit_sol")
    with pytest.raises(IdlMismatch, match="takes no minimum, so 5 cannot hold on chain"):
        program.deposit_sol(OWNER, Lamports(258), glow(5))
