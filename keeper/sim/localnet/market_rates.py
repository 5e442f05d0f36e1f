"""The market's redemption rates, read from its accounts by the models' own integer arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

from solders.account import Account
from solders.pubkey import Pubkey

from keeper.sim.localnet.interface import BankFace
from keeper.sim.localnet.market_addresses import Market
from keeper.sim.localnet.programs.curves import Rate
from keeper.sim.localnet.programs.glow_lrt_state import POOL_SIZE, LrtPool
from keeper.sim.localnet.programs.native_state import supply_of, token_amount
from keeper.sim.localnet.programs.stake_pool_state import StakePoolState

RATE_SCALE = 10**12
"""Denominator of the rates that DEX pools hold."""


def account_of(bank: BankFace, key: Pubkey) -> Account:
    """Raises ``LookupError`` naming the account that the market lacks."""
    account = bank.get_account(key)
    if account is None:
        raise LookupError(f"the market has no account {key}; was create_market run on this bank?")
    return account


def stake_pool_of(bank: BankFace, market: Market) -> StakePoolState:
    return StakePoolState.decode(bytes(account_of(bank, market.stake_pool).data))


@dataclass(frozen=True, slots=True)
class LrtTotals:
    """glowSOL at one moment, in lamports and shares. ``total_assets / outstanding`` is the redemption rate."""

    pool: LrtPool
    liquid: int
    ssol: int
    total_assets: int
    outstanding: int


def lrt_totals(bank: BankFace, market: Market) -> LrtTotals:
    """Raises ``LookupError`` where the market was not created."""
    account = account_of(bank, market.lrt_pool)
    pool = LrtPool.decode(bytes(account.data))
    liquid = account.lamports - bank.rent_exempt(POOL_SIZE)
    ssol = token_amount(bytes(account_of(bank, market.ssol_vault).data))
    staked = stake_pool_of(bank, market).lamports_for(ssol)
    supply = supply_of(bytes(account_of(bank, market.glowsol_mint).data))
    return LrtTotals(pool, liquid, ssol, liquid + staked - pool.pending_assets, supply - pool.pending_shares)


def sol_values(bank: BankFace, market: Market) -> dict[Pubkey, Rate]:
    """Lamports a base unit of each token redeems for. A token without supply counts 1:1."""
    pool, lrt = stake_pool_of(bank, market), lrt_totals(bank, market)
    lst = Rate(pool.total_lamports, pool.pool_token_supply) if pool.pool_token_supply else Rate(1, 1)
    glowsol = Rate(lrt.total_assets, lrt.outstanding) if lrt.outstanding and lrt.total_assets else Rate(1, 1)
    return {market.sol_mint: Rate(1, 1), market.lst_mint: lst, market.ssol_mint: lst, market.glowsol_mint: glowsol}


def relative_rate(values: dict[Pubkey, Rate], mint_a: Pubkey, mint_b: Pubkey) -> Rate:
    """Value of one unit of A in B, rounded down to ``RATE_SCALE``."""
    a, b = values[mint_a], values[mint_b]
    return Rate(RATE_SCALE * a.numerator * b.denominator // (a.denominator * b.numerator), RATE_SCALE)
