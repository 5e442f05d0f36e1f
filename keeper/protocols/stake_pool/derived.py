"""Program-derived addresses of a stake pool (the program's ``lib.rs``)."""

from __future__ import annotations

from solders.pubkey import Pubkey

from keeper.protocols.addresses import STAKE_POOL_PROGRAM


def withdraw_authority(pool_address: Pubkey) -> Pubkey:
    """PDA [pool, "withdraw"]: mints pool tokens, owns the pool's stake accounts and its reserve."""
    return Pubkey.find_program_address([bytes(pool_address), b"withdraw"], STAKE_POOL_PROGRAM)[0]


def deposit_authority(pool_address: Pubkey) -> Pubkey:
    """PDA [pool, "deposit"]: stake deposit authority of a pool that anyone may deposit stake into."""
    return Pubkey.find_program_address([bytes(pool_address), b"deposit"], STAKE_POOL_PROGRAM)[0]


def validator_stake_address(vote: Pubkey, pool_address: Pubkey, seed: int = 0) -> Pubkey:
    """PDA [vote, pool, seed u32 unless zero]: the pool's active stake with a validator."""
    suffix = [seed.to_bytes(4, "little")] if seed else []
    return Pubkey.find_program_address([bytes(vote), bytes(pool_address), *suffix], STAKE_POOL_PROGRAM)[0]


def transient_stake_address(vote: Pubkey, pool_address: Pubkey, seed: int) -> Pubkey:
    """PDA ["transient", vote, pool, seed u64]: stake that is being activated or deactivated."""
    seeds = [b"transient", bytes(vote), bytes(pool_address), seed.to_bytes(8, "little")]
    return Pubkey.find_program_address(seeds, STAKE_POOL_PROGRAM)[0]
