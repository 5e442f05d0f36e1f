"""The liquid restaking program by IDL and mapping: bytes and accounts of each role, and misfits found at once."""

import pytest
from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_LRT, SPL_TOKEN, SYSTEM
from keeper.protocols.errors import ProgramErrors, explain
from keeper.protocols.glow_lrt import (
    LOCALNET_LRT_MAPPING,
    Idl,
    LrtProgram,
    PoolStateRequired,
    localnet_pool_address,
)
from keeper.protocols.layout import LayoutError
from keeper.protocols.token import associated_token_address
from keeper.units import SSOL, Bps, Duration, Lamports, Mint, TokenAmount, UnitError, UnixTime
from tests.protocols.account_bytes import key, lrt_idl_json, lrt_pool_bytes, lrt_queue_bytes

GLOWSOL_MINT = key(21)
GLOWSOL = Mint(str(GLOWSOL_MINT), "glowSOL", 9)
POOL = localnet_pool_address(GLOWSOL_MINT)
OWNER = key(1)
SSOL_HERE = Mint(str(key(22)), "sSOL", 9)


def fresh() -> LrtProgram:
    return LrtProgram(Idl.parse(lrt_idl_json()), LOCALNET_LRT_MAPPING, GLOW_LRT, POOL)


def ready() -> LrtProgram:
    program = fresh()
    return program.with_pool_state(program.decode_pool(lrt_pool_bytes()))


def glow(units: int) -> TokenAmount:
    return TokenAmount(GLOWSOL, units)


# -- accounts


def test_the_pool_decodes_into_units() -> None:
    data = lrt_pool_bytes(paused=True, cap=5, cancel_bps=50, pending_assets=7, pending_shares=6)
    pool = fresh().decode_pool(data, owner=GLOW_LRT)
    assert (pool.paused, pool.cap, pool.cancel_fee) == (True, Lamports(5), Bps(50))
    assert (pool.waiting_period, pool.minimum_reserve) == (Duration(604_800), Lamports(100_000_000))
    assert (pool.pending_assets, pool.pending_shares) == (Lamports(7), 6)
    assert (pool.glowsol_mint, pool.ssol_mint, pool.stake_pool, pool.ssol_vault) == (key(21), key(22), key(24), key(26))
    assert pool.fields["share_escrow"] == key(27)


def test_only_used_slots_of_a_queue_are_returned() -> None:
    data = lrt_queue_bytes(OWNER, {1: (900, 850, 1_000, 604_800), 7: (5, 4, 2_000, 60)})
    first, second = fresh().decode_queue(data, owner=GLOW_LRT, wallet=OWNER)
    assert (first.index, first.assets, first.shares) == (1, Lamports(900), 850)
    assert (first.requested_at, first.waiting, first.ready_at) == (
        UnixTime(1_000),
        Duration(604_800),
        UnixTime(605_800),
    )
    assert (second.index, second.ready_at) == (7, UnixTime(2_060))
    assert fresh().decode_queue(lrt_queue_bytes(OWNER, {})) == ()


def test_foreign_and_damaged_accounts_are_refused() -> None:
    program = fresh()
    with pytest.raises(LayoutError, match="owner"):
        program.decode_pool(lrt_pool_bytes(), owner=SYSTEM)
    with pytest.raises(LayoutError, match="discriminator"):
        program.decode_pool(lrt_queue_bytes(OWNER, {}))
    with pytest.raises(LayoutError, match="pending_shares"):
        program.decode_pool(lrt_pool_bytes()[:-1])
    with pytest.raises(LayoutError, match="cancel_fee_bps"):
        program.decode_pool(lrt_pool_bytes(cancel_bps=10_001))
    with pytest.raises(LayoutError, match=f"owner should be {OWNER}"):
        program.decode_queue(lrt_queue_bytes(key(2), {}), wallet=OWNER)


def test_queue_address_is_the_pda_of_pool_and_owner() -> None:
    expected = Pubkey.find_program_address([b"pending_withdrawals", bytes(POOL), bytes(OWNER)], GLOW_LRT)[0]
    assert fresh().queue_address(OWNER) == expected


# -- instructions


def test_deposit_sol_carries_amount_minimum_and_resolved_accounts() -> None:
    built = ready().deposit_sol(OWNER, Lamports(1_000), glow(900))
    assert built.program_id == GLOW_LRT
    assert bytes(built.data).hex() == "6c514e757d9b38c8" + "e803000000000000" + "8403000000000000"
    assert [(a.pubkey, a.is_writable, a.is_signer) for a in built.accounts] == [
        (OWNER, True, True),
        (POOL, True, False),
        (GLOWSOL_MINT, True, False),
        (associated_token_address(OWNER, GLOWSOL_MINT), True, False),
        (key(26), False, False),
        (key(24), False, False),
        (SPL_TOKEN, False, False),
        (SYSTEM, False, False),
    ]


def test_every_role_has_its_instruction() -> None:
    program = ready()
    assert program.missing() == ()
    assert bytes(program.deposit_ssol(OWNER, TokenAmount(SSOL_HERE, 5), glow(4)).data).hex() == (
        "a0a709dc4af3e42b" + "0500000000000000" + "0400000000000000"
    )
    assert bytes(program.create_queue(OWNER).data).hex() == "0dc50c92f1cedeed"
    assert bytes(program.request_unstake(OWNER, glow(3)).data).hex() == "45d8834a727a2670" + "0300000000000000"
    assert bytes(program.claim_unstake(OWNER, 7).data).hex() == "7179cbe8898bf8f9" + "07"
    assert bytes(program.cancel_unstake(OWNER, 2).data).hex() == "dcf2c6fac1a58a50" + "02"
    assert bytes(program.close_queue(OWNER).data).hex() == "bae041fdab984cbd"
    queue = program.queue_address(OWNER)
    for built in (program.create_queue(OWNER), program.claim_unstake(OWNER, 0), program.close_queue(OWNER)):
        assert queue in [a.pubkey for a in built.accounts]


def test_addresses_of_the_pool_account_need_the_pool_account() -> None:
    with pytest.raises(PoolStateRequired, match=r"deposit_sol: pool\.glowsol_mint"):
        fresh().deposit_sol(OWNER, Lamports(1), glow(1))
    assert fresh().create_queue(OWNER).program_id == GLOW_LRT


def test_amounts_of_other_tokens_and_indices_beyond_the_type_are_refused() -> None:
    program = ready()
    with pytest.raises(UnitError, match="pool's mint"):
        program.request_unstake(OWNER, TokenAmount(SSOL, 1))
    with pytest.raises(UnitError, match="pool's mint"):
        program.deposit_ssol(OWNER, TokenAmount(SSOL, 1))
    with pytest.raises(UnitError, match="pool's mint"):
        program.deposit_sol(OWNER, Lamports(1), TokenAmount(SSOL, 1))
    with pytest.raises(ValueError, match="cannot hold 256"):
        program.claim_unstake(OWNER, 256)


def test_errors_come_from_the_idl() -> None:
    registry = ProgramErrors.standard()
    fresh().register_errors(registry)
    error = {"InstructionError": [0, {"Custom": 6000}]}
    assert explain(error, (GLOW_LRT,), registry=registry) == "glow_lrt: PoolPaused (6000)"
