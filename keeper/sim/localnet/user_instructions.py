"""Instructions of the market's users, as the models define them: for scenarios' traders and for the models' own tests.

Deliberately not ``keeper.protocols``: the keeper's builders are held against the models, so the models' side is its own.
"""

from __future__ import annotations

from typing import Any

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

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
    WSOL_MINT,
)
from keeper.sim.localnet.market_addresses import Market
from keeper.sim.localnet.programs import cpi, solayer
from keeper.sim.localnet.programs.borsh import u8, u16, u32, u64
from keeper.sim.localnet.programs.cpi import readonly, writable
from keeper.sim.localnet.programs.glow_lrt_idl import INSTRUCTIONS
from keeper.sim.localnet.programs.glow_lrt_state import queue_address

_ARGUMENTS = {"u8": u8, "u16": u16, "u32": u32, "u64": u64, "bool": u8}


def wrap(owner: Pubkey, lamports: int) -> list[Instruction]:
    """SOL into the owner's wrapped-SOL account, created where absent."""
    account = cpi.associated_address(owner, WSOL_MINT)
    return [
        cpi.create_associated(owner, owner, WSOL_MINT),
        cpi.system_transfer(owner, account, lamports),
        Instruction(SPL_TOKEN, b"\x11", [writable(account)]),
    ]


def unwrap(owner: Pubkey) -> Instruction:
    """Close the wrapped-SOL account and take all its lamports."""
    account = cpi.associated_address(owner, WSOL_MINT)
    return Instruction(SPL_TOKEN, b"\x09", [writable(account), writable(owner), readonly(owner, True)])


def stake_sol(market: Market, owner: Pubkey, lamports: int, minimum_out: int | None = None) -> Instruction:
    """Stake-pool DepositSol (WithSlippage where ``minimum_out`` is given)."""
    tokens = cpi.associated_address(owner, market.lst_mint)
    metas = [
        writable(market.stake_pool),
        readonly(market.stake_pool_withdraw_authority),
        writable(market.reserve_stake),
        writable(owner, True),
        writable(tokens),
        writable(market.manager_fee),
        writable(tokens),
        writable(market.lst_mint),
        readonly(SYSTEM),
        readonly(SPL_TOKEN),
    ]
    data = b"\x0e" + u64(lamports) if minimum_out is None else b"\x19" + u64(lamports) + u64(minimum_out)
    return Instruction(STAKE_POOL_PROGRAM, data, metas)


def unstake_sol(market: Market, owner: Pubkey, pool_tokens: int, minimum_out: int | None = None) -> Instruction:
    """Stake-pool WithdrawSol (WithSlippage where ``minimum_out`` is given)."""
    metas = [
        writable(market.stake_pool),
        readonly(market.stake_pool_withdraw_authority),
        readonly(owner, True),
        writable(cpi.associated_address(owner, market.lst_mint)),
        writable(market.reserve_stake),
        writable(owner),
        writable(market.manager_fee),
        writable(market.lst_mint),
        readonly(CLOCK_SYSVAR),
        readonly(STAKE_HISTORY_SYSVAR),
        readonly(STAKE),
        readonly(SPL_TOKEN),
    ]
    data = b"\x10" + u64(pool_tokens) if minimum_out is None else b"\x1a" + u64(pool_tokens) + u64(minimum_out)
    return Instruction(STAKE_POOL_PROGRAM, data, metas)


def unstake_stake(
    market: Market,
    owner: Pubkey,
    pool_tokens: int,
    *,
    source: Pubkey,
    destination: Pubkey,
    minimum_out: int | None = None,
) -> Instruction:
    """Stake-pool WithdrawStake: active stake split off ``source`` into the empty stake account ``destination``."""
    metas = [
        writable(market.stake_pool),
        writable(market.validator_list),
        readonly(market.stake_pool_withdraw_authority),
        writable(source),
        writable(destination),
        readonly(owner),
        readonly(owner, True),
        writable(cpi.associated_address(owner, market.lst_mint)),
        writable(market.manager_fee),
        writable(market.lst_mint),
        readonly(CLOCK_SYSVAR),
        readonly(SPL_TOKEN),
        readonly(STAKE),
    ]
    data = b"\x0a" + u64(pool_tokens) if minimum_out is None else b"\x18" + u64(pool_tokens) + u64(minimum_out)
    return Instruction(STAKE_POOL_PROGRAM, data, metas)


def stake_stake(
    market: Market, owner: Pubkey, *, stake: Pubkey, validator_stake: Pubkey, deposit_authority: Pubkey
) -> Instruction:
    """Stake-pool DepositStake. Both authorities of ``stake`` must be ``deposit_authority`` already."""
    tokens = cpi.associated_address(owner, market.lst_mint)
    metas = [
        writable(market.stake_pool),
        writable(market.validator_list),
        readonly(deposit_authority),
        readonly(market.stake_pool_withdraw_authority),
        writable(stake),
        writable(validator_stake),
        writable(market.reserve_stake),
        writable(tokens),
        writable(market.manager_fee),
        writable(tokens),
        writable(market.lst_mint),
        readonly(CLOCK_SYSVAR),
        readonly(STAKE_HISTORY_SYSVAR),
        readonly(SPL_TOKEN),
        readonly(STAKE),
    ]
    return Instruction(STAKE_POOL_PROGRAM, b"\x09", metas)


def convert_lst(market: Market, owner: Pubkey, amount: int, *, restake: bool) -> Instruction:
    """Solayer restake or unrestake."""
    metas = [
        writable(owner, True),
        readonly(market.lst_mint),
        writable(cpi.associated_address(owner, market.lst_mint)),
        writable(cpi.associated_address(owner, market.ssol_mint)),
        writable(market.ssol_mint),
        writable(market.lst_vault),
        readonly(market.restaking_pool),
        readonly(ASSOCIATED_TOKEN),
        readonly(SPL_TOKEN),
        readonly(SYSTEM),
    ]
    discriminator = solayer.RESTAKE if restake else solayer.UNRESTAKE
    return Instruction(SOLAYER_RESTAKING, discriminator + u64(amount), metas)


def lrt(market: Market, owner: Pubkey, name: str, **args: int) -> Instruction:
    """An instruction of the glowSOL program for a user, or its ``configure_pool`` for the admin, built from its IDL.

    Raises ``KeyError`` for an instruction, account or argument that the IDL does not have.
    """
    entry: dict[str, Any] = {instruction["name"]: instruction for instruction in INSTRUCTIONS}[name]
    keys = {
        "owner": owner,
        "admin": owner,
        "pool": market.lrt_pool,
        "glowsol_mint": market.glowsol_mint,
        "ssol_mint": market.ssol_mint,
        "owner_shares": cpi.associated_address(owner, market.glowsol_mint),
        "owner_ssol": cpi.associated_address(owner, market.ssol_mint),
        "ssol_vault": market.ssol_vault,
        "share_escrow": market.share_escrow,
        "stake_pool": market.stake_pool,
        "pending_withdrawals": queue_address(market.lrt_pool, owner)[0],
        "token_program": SPL_TOKEN,
        "system_program": SYSTEM,
    }
    metas = [
        AccountMeta(keys[account["name"]], account.get("signer", False), account.get("writable", False))
        for account in entry["accounts"]
    ]
    data = bytes(entry["discriminator"])
    for argument in entry["args"]:
        data += _ARGUMENTS[argument["type"]](args[argument["name"]])
    return Instruction(GLOW_LRT, data, metas)
