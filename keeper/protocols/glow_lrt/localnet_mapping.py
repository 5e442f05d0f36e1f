"""The mapping for the liquid restaking program that the localnet models."""

from __future__ import annotations

from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_LRT
from keeper.protocols.glow_lrt.mapping import LrtMapping

LOCALNET_LRT_MAPPING = LrtMapping.from_dict(
    {
        "instructions": {
            "deposit_sol": {"name": "deposit_sol", "amount": "lamports", "min_out": "minimum_shares"},
            "deposit_ssol": {"name": "deposit_stake", "amount": "ssol_amount", "min_out": "minimum_shares"},
            "create_queue": {"name": "create_pending_withdrawals"},
            "request_unstake": {"name": "initiate_withdrawal", "amount": "shares"},
            "claim_unstake": {"name": "execute_withdrawal", "index": "withdrawal_index"},
            "cancel_unstake": {"name": "cancel_pending_withdrawal", "index": "withdrawal_index"},
            "close_queue": {"name": "close_pending_withdrawal"},
        },
        "pool": {
            "account": "LrtPool",
            "fields": {
                "paused": "paused",
                "cap": "deposit_cap",
                "waiting_period": "waiting_period",
                "cancel_fee_bps": "cancel_fee_bps",
                "pending_assets": "pending_assets",
                "pending_shares": "pending_shares",
                "minimum_reserve": "minimum_reserve",
                "glowsol_mint": "glowsol_mint",
                "ssol_mint": "ssol_mint",
                "stake_pool": "stake_pool",
                "ssol_vault": "ssol_vault",
            },
        },
        "queue": {
            "account": "PendingWithdrawals",
            "address": "pda('pending_withdrawals', pool, owner)",
            "fields": {"owner": "owner", "slots": "slots"},
            "slot_fields": {
                "assets": "pending_assets",
                "shares": "pending_shares",
                "requested_at": "withdrawal_request_timestamp",
                "waiting_period": "withdrawal_waiting_period",
            },
        },
        "accounts": {
            "owner": "owner",
            "pool": "pool",
            "glowsol_mint": "pool.glowsol_mint",
            "owner_shares": "ata(owner, pool.glowsol_mint)",
            "ssol_mint": "pool.ssol_mint",
            "owner_ssol": "ata(owner, pool.ssol_mint)",
            "ssol_vault": "pool.ssol_vault",
            "share_escrow": "pool.share_escrow",
            "stake_pool": "pool.stake_pool",
            "pending_withdrawals": "queue",
            "token_program": "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
            "system_program": "11111111111111111111111111111111",
        },
    }
)


def localnet_pool_address(glowsol_mint: Pubkey, program_id: Pubkey = GLOW_LRT) -> Pubkey:
    """PDA ["lrt_pool", glowSOL mint]."""
    return Pubkey.find_program_address([b"lrt_pool", bytes(glowsol_mint)], program_id)[0]
