"""The SPL stake pool program: state, exact quotes, instructions, errors by name.

Sources: shared facts, protocol.md 2.1-2.2 and execution.md 4.1; the program's ``state.rs``, ``lib.rs`` and ``error.rs``
(solana-program/stake-pool).
"""

from keeper.protocols.stake_pool.codes import STAKE_POOL_ERRORS
from keeper.protocols.stake_pool.derived import (
    deposit_authority,
    transient_stake_address,
    validator_stake_address,
    withdraw_authority,
)
from keeper.protocols.stake_pool.instructions import (
    MAX_VALIDATORS_TO_UPDATE,
    deposit_sol,
    deposit_sol_with_slippage,
    update_stake_pool_balance,
    update_validator_list_balance,
    withdraw_sol,
    withdraw_sol_with_slippage,
    withdraw_stake_with_slippage,
)
from keeper.protocols.stake_pool.pricing import (
    quote_deposit_sol,
    quote_withdraw_sol,
    quote_withdraw_stake,
    withdrawable_reserve,
)
from keeper.protocols.stake_pool.source import MINIMUM_ACTIVE_STAKE, StakeSource, stake_source
from keeper.protocols.stake_pool.state import (
    Fee,
    FutureFee,
    Lockup,
    StakePool,
    StakeStatus,
    ValidatorList,
    ValidatorStake,
    decode_stake_pool,
    decode_validator_list,
)

__all__ = [
    "MAX_VALIDATORS_TO_UPDATE",
    "MINIMUM_ACTIVE_STAKE",
    "STAKE_POOL_ERRORS",
    "Fee",
    "FutureFee",
    "Lockup",
    "StakePool",
    "StakeSource",
    "StakeStatus",
    "ValidatorList",
    "ValidatorStake",
    "decode_stake_pool",
    "decode_validator_list",
    "deposit_authority",
    "deposit_sol",
    "deposit_sol_with_slippage",
    "quote_deposit_sol",
    "quote_withdraw_sol",
    "quote_withdraw_stake",
    "stake_source",
    "transient_stake_address",
    "update_stake_pool_balance",
    "update_validator_list_balance",
    "validator_stake_address",
    "withdraw_authority",
    "withdraw_sol",
    "withdraw_sol_with_slippage",
    "withdraw_stake_with_slippage",
    "withdrawable_reserve",
]
