"""Candidates for glowSOL's mint out of what an airspace lists."""

from __future__ import annotations

from dataclasses import replace

from solders.account import Account
from solders.pubkey import Pubkey

from keeper.observe.lrt_candidates import find_lrt_candidates
from keeper.protocols.addresses import GLOW_LRT, SPL_TOKEN
from keeper.sim.localnet.programs.glow_margin_config import TokenConfig
from keeper.sim.localnet.programs.native_state import encode_mint
from tests.engine.stage import market_of
from tests.observe.conftest import Eye

SOMEBODY = Pubkey.from_bytes(b"\x07" * 32)


def config_of(eye: Eye, symbol: str) -> tuple[Pubkey, TokenConfig]:
    key = market_of(eye.net).raw_tokens[symbol].config
    account = eye.net.bank.get_account(key)
    assert account is not None
    return key, TokenConfig.decode(bytes(account.data))


def put(eye: Eye, key: Pubkey, data: bytes, owner: Pubkey) -> None:
    eye.net.bank.set_account(key, Account(eye.net.bank.rent_exempt(len(data)), data, owner))
    eye.net.bank.advance_slot(2)


async def test_the_redemption_priced_token_minted_by_the_restaking_program_is_found(eye: Eye) -> None:
    market = market_of(eye.net)
    (found,) = await find_lrt_candidates(eye.rpc, market.airspace)
    assert (found.mint, found.pools, found.likely) == (market.glowsol_mint, (market.lrt_pool,), True)
    assert found.mint_authority == market.lrt_pool
    assert "redemption rate" in found.evidence


async def test_a_token_that_the_restaking_program_administers_is_found(eye: Eye) -> None:
    market = market_of(eye.net)
    key, config = config_of(eye, "glowSOL")
    account = eye.net.bank.get_account(key)
    assert account is not None
    put(eye, key, replace(config, admin=GLOW_LRT).encode(), account.owner)
    (found,) = await find_lrt_candidates(eye.rpc, market.airspace)
    assert (found.mint, found.likely) == (market.glowsol_mint, True)
    assert "administered by the restaking program" in found.evidence


async def test_a_token_of_anybody_is_listed_last_and_not_as_likely(eye: Eye) -> None:
    market = market_of(eye.net)
    key, config = config_of(eye, "glowSOL")
    account = eye.net.bank.get_account(key)
    assert account is not None
    put(eye, SOMEBODY, encode_mint(10**9, 9, SOMEBODY), SPL_TOKEN)
    put(eye, Pubkey.from_bytes(b"\x09" * 32), replace(config, mint=SOMEBODY).encode(), account.owner)
    first, second = await find_lrt_candidates(eye.rpc, market.airspace)
    assert (first.mint, second.mint) == (market.glowsol_mint, SOMEBODY)
    assert not second.likely
    assert "is not of the restaking program" in str(second)


async def test_garbage_and_other_airspaces_are_no_candidates(eye: Eye) -> None:
    market = market_of(eye.net)
    key, config = config_of(eye, "glowSOL")
    account = eye.net.bank.get_account(key)
    assert account is not None
    put(eye, key, config.encode()[:170], account.owner)
    assert await find_lrt_candidates(eye.rpc, market.airspace) == ()
    assert await find_lrt_candidates(eye.rpc, SOMEBODY) == ()
    put(eye, key, config.encode(), account.owner)
    put(eye, market.glowsol_mint, b"\xff" * 82, SPL_TOKEN)
    assert await find_lrt_candidates(eye.rpc, market.airspace) == ()
