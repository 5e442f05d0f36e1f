"""Instructions of those who keep the market running: the stake pool's updates, the LRT admin's restaking."""

from __future__ import annotations

from solders.instruction import AccountMeta, Instruction

from keeper.protocols.addresses import (
    ASSOCIATED_TOKEN,
    CLOCK_SYSVAR,
    GLOW_LRT,
    SOLAYER_RESTAKING,
    SPL_TOKEN,
    STAKE,
    STAKE_HISTORY_SYSVAR,
    STAKE_POOL_PROGRAM,
    SYSTEM,
)
from keeper.sim.localnet.market_addresses import Market
from keeper.sim.localnet.programs.anchor import instruction_discriminator
from keeper.sim.localnet.programs.borsh import u32, u64
from keeper.sim.localnet.programs.cpi import readonly, writable
from keeper.sim.localnet.programs.stake_pool_state import MAX_VALIDATORS_TO_UPDATE


def update_list(market: Market) -> list[Instruction]:
    """UpdateValidatorListBalance over all validators, four an instruction."""
    fixed = [
        readonly(market.stake_pool),
        readonly(market.stake_pool_withdraw_authority),
        writable(market.validator_list),
        writable(market.reserve_stake),
        readonly(CLOCK_SYSVAR),
        readonly(STAKE_HISTORY_SYSVAR),
        readonly(STAKE),
    ]
    instructions = []
    for start in range(0, len(market.validators), MAX_VALIDATORS_TO_UPDATE):
        chunk = market.validators[start : start + MAX_VALIDATORS_TO_UPDATE]
        pairs = [writable(key) for validator in chunk for key in (validator.stake, validator.transient)]
        instructions.append(Instruction(STAKE_POOL_PROGRAM, b"\x06" + u32(start) + b"\0", [*fixed, *pairs]))
    return instructions


def update_pool(market: Market) -> Instruction:
    """UpdateStakePoolBalance."""
    metas = [
        writable(market.stake_pool),
        readonly(market.stake_pool_withdraw_authority),
        writable(market.validator_list),
        readonly(market.reserve_stake),
        writable(market.manager_fee),
        writable(market.lst_mint),
        readonly(SPL_TOKEN),
    ]
    return Instruction(STAKE_POOL_PROGRAM, b"\x07", metas)


def _staking_accounts(market: Market) -> list[AccountMeta]:
    return [
        readonly(market.admin.pubkey(), True),
        writable(market.lrt_pool),
        writable(market.ssol_vault),
        writable(market.lrt_lst),
        writable(market.lst_mint),
        writable(market.ssol_mint),
        writable(market.stake_pool),
        readonly(market.stake_pool_withdraw_authority),
        writable(market.reserve_stake),
        writable(market.manager_fee),
        readonly(market.restaking_pool),
        writable(market.lst_vault),
        readonly(STAKE_POOL_PROGRAM),
        readonly(SOLAYER_RESTAKING),
        readonly(ASSOCIATED_TOKEN),
        readonly(SPL_TOKEN),
        readonly(SYSTEM),
    ]


def restake(market: Market, lamports: int) -> Instruction:
    """The LRT's solayer_restake."""
    data = instruction_discriminator("solayer_restake") + u64(lamports)
    return Instruction(GLOW_LRT, data, [*_staking_accounts(market), writable(market.sol_staging)])


def unrestake(market: Market, ssol_amount: int) -> Instruction:
    """The LRT's solayer_unrestake."""
    data = instruction_discriminator("solayer_unrestake") + u64(ssol_amount)
    sysvars = [readonly(CLOCK_SYSVAR), readonly(STAKE_HISTORY_SYSVAR), readonly(STAKE)]
    return Instruction(GLOW_LRT, data, [*_staking_accounts(market), *sysvars])
