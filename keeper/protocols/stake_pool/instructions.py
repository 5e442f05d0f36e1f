"""Instructions of the stake pool program. The first byte is the variant, arguments are Borsh.

Account orders: shared facts, protocol.md 2.2 and execution.md 4.1 (DepositSol and WithdrawSol executed there against the
real program). Accounts that the pool names are taken from its decoded state, so they cannot disagree with it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from keeper.protocols import metas
from keeper.protocols.addresses import CLOCK_SYSVAR, STAKE, STAKE_HISTORY_SYSVAR, STAKE_POOL_PROGRAM, SYSTEM
from keeper.protocols.stake_pool.derived import transient_stake_address, validator_stake_address, withdraw_authority
from keeper.protocols.stake_pool.state import StakePool, ValidatorStake
from keeper.units import STAKE_POOL_LST, Lamports, TokenAmount, UnitError

UPDATE_VALIDATOR_LIST_BALANCE = 6
UPDATE_STAKE_POOL_BALANCE = 7
DEPOSIT_SOL = 14
WITHDRAW_SOL = 16
WITHDRAW_STAKE_WITH_SLIPPAGE = 24
DEPOSIT_SOL_WITH_SLIPPAGE = 25
WITHDRAW_SOL_WITH_SLIPPAGE = 26
MAX_VALIDATORS_TO_UPDATE = 4


def _instruction(data: bytes, accounts: Sequence[AccountMeta]) -> Instruction:
    return Instruction(STAKE_POOL_PROGRAM, data, list(accounts))


def _pool_tokens(amount: TokenAmount) -> int:
    if amount.mint != STAKE_POOL_LST:
        raise UnitError(f"the stake pool takes {STAKE_POOL_LST}, not {amount}")
    return amount.as_u64()


def _deposit_sol_accounts(
    pool_address: Pubkey, pool: StakePool, funder: Pubkey, destination: Pubkey, referrer: Pubkey | None
) -> list[AccountMeta]:
    authority = pool.sol_deposit_authority
    return [
        metas.write(pool_address),
        metas.read(withdraw_authority(pool_address)),
        metas.write(pool.reserve_stake),
        metas.sign(funder, writable=True),
        metas.write(destination),
        metas.write(pool.manager_fee_account),
        metas.write(referrer or destination),
        metas.write(pool.pool_mint),
        metas.read(SYSTEM),
        metas.read(pool.token_program_id),
        *([metas.sign(authority)] if authority else []),
    ]


def deposit_sol(
    pool_address: Pubkey,
    pool: StakePool,
    *,
    funder: Pubkey,
    destination: Pubkey,
    amount: Lamports,
    referrer: Pubkey | None = None,
) -> Instruction:
    """Deposit lamports of ``funder``; pool tokens go to the token account ``destination``, referral fees to
    ``referrer`` (a token account; the destination unless given). No minimum: prefer the variant with slippage."""
    data = struct.pack("<BQ", DEPOSIT_SOL, amount.as_u64())
    return _instruction(data, _deposit_sol_accounts(pool_address, pool, funder, destination, referrer))


def deposit_sol_with_slippage(
    pool_address: Pubkey,
    pool: StakePool,
    *,
    funder: Pubkey,
    destination: Pubkey,
    amount: Lamports,
    minimum_out: TokenAmount,
    referrer: Pubkey | None = None,
) -> Instruction:
    """As ``deposit_sol``; fails with 39 ExceededSlippage below ``minimum_out`` pool tokens."""
    data = struct.pack("<BQQ", DEPOSIT_SOL_WITH_SLIPPAGE, amount.as_u64(), _pool_tokens(minimum_out))
    return _instruction(data, _deposit_sol_accounts(pool_address, pool, funder, destination, referrer))


def _withdraw_sol_accounts(
    pool_address: Pubkey, pool: StakePool, owner: Pubkey, source: Pubkey, destination: Pubkey
) -> list[AccountMeta]:
    authority = pool.sol_withdraw_authority
    return [
        metas.write(pool_address),
        metas.read(withdraw_authority(pool_address)),
        metas.sign(owner),
        metas.write(source),
        metas.write(pool.reserve_stake),
        metas.write(destination),
        metas.write(pool.manager_fee_account),
        metas.write(pool.pool_mint),
        metas.read(CLOCK_SYSVAR),
        metas.read(STAKE_HISTORY_SYSVAR),
        metas.read(STAKE),
        metas.read(pool.token_program_id),
        *([metas.sign(authority)] if authority else []),
    ]


def withdraw_sol(
    pool_address: Pubkey,
    pool: StakePool,
    *,
    owner: Pubkey,
    source: Pubkey,
    destination: Pubkey,
    amount: TokenAmount,
) -> Instruction:
    """Burn pool tokens of the token account ``source`` (authority ``owner``) for lamports of the reserve, paid to the
    system account ``destination``. No minimum: prefer the variant with slippage."""
    data = struct.pack("<BQ", WITHDRAW_SOL, _pool_tokens(amount))
    return _instruction(data, _withdraw_sol_accounts(pool_address, pool, owner, source, destination))


def withdraw_sol_with_slippage(
    pool_address: Pubkey,
    pool: StakePool,
    *,
    owner: Pubkey,
    source: Pubkey,
    destination: Pubkey,
    amount: TokenAmount,
    minimum_out: Lamports,
) -> Instruction:
    """As ``withdraw_sol``; fails with 39 ExceededSlippage below ``minimum_out`` lamports."""
    data = struct.pack("<BQQ", WITHDRAW_SOL_WITH_SLIPPAGE, _pool_tokens(amount), minimum_out.as_u64())
    return _instruction(data, _withdraw_sol_accounts(pool_address, pool, owner, source, destination))


def withdraw_stake_with_slippage(
    pool_address: Pubkey,
    pool: StakePool,
    *,
    owner: Pubkey,
    source: Pubkey,
    stake_to_split: Pubkey,
    stake_to_receive: Pubkey,
    amount: TokenAmount,
    minimum_out: Lamports,
    stake_authority: Pubkey | None = None,
) -> Instruction:
    """Burn pool tokens of ``source`` for active stake, split off ``stake_to_split`` into the uninitialised stake account
    ``stake_to_receive``; ``stake_authority`` (the owner unless given) becomes its staker and withdrawer.

    Which stake to split: the preferred withdraw validator's first, active before transient, the reserve only when
    nothing else can pay.
    """
    accounts = [
        metas.write(pool_address),
        metas.write(pool.validator_list),
        metas.read(withdraw_authority(pool_address)),
        metas.write(stake_to_split),
        metas.write(stake_to_receive),
        metas.read(stake_authority or owner),
        metas.sign(owner),
        metas.write(source),
        metas.write(pool.manager_fee_account),
        metas.write(pool.pool_mint),
        metas.read(CLOCK_SYSVAR),
        metas.read(pool.token_program_id),
        metas.read(STAKE),
    ]
    data = struct.pack("<BQQ", WITHDRAW_STAKE_WITH_SLIPPAGE, _pool_tokens(amount), minimum_out.as_u64())
    return _instruction(data, accounts)


def update_validator_list_balance(
    pool_address: Pubkey,
    pool: StakePool,
    validators: Sequence[ValidatorStake],
    *,
    start_index: int,
    no_merge: bool = False,
) -> Instruction:
    """Refresh the entries ``validators``, which stand at ``start_index`` and after in the list. Anyone may send it.

    Raises ``ValueError`` for none or more than four, which is what one instruction can carry.
    """
    if not 0 < len(validators) <= MAX_VALIDATORS_TO_UPDATE:
        raise ValueError(f"one update takes 1 to {MAX_VALIDATORS_TO_UPDATE} validators, got {len(validators)}")
    accounts = [
        metas.read(pool_address),
        metas.read(withdraw_authority(pool_address)),
        metas.write(pool.validator_list),
        metas.write(pool.reserve_stake),
        metas.read(CLOCK_SYSVAR),
        metas.read(STAKE_HISTORY_SYSVAR),
        metas.read(STAKE),
    ]
    for entry in validators:
        accounts.append(metas.write(validator_stake_address(entry.vote, pool_address, entry.validator_seed)))
        accounts.append(metas.write(transient_stake_address(entry.vote, pool_address, entry.transient_seed)))
    return _instruction(struct.pack("<BI?", UPDATE_VALIDATOR_LIST_BALANCE, start_index, no_merge), accounts)


def update_stake_pool_balance(pool_address: Pubkey, pool: StakePool) -> Instruction:
    """Bring the pool to the current epoch once its validators are. Anyone may send it; 16 while a validator is old."""
    accounts = [
        metas.write(pool_address),
        metas.read(withdraw_authority(pool_address)),
        metas.write(pool.validator_list),
        metas.read(pool.reserve_stake),
        metas.write(pool.manager_fee_account),
        metas.write(pool.pool_mint),
        metas.read(pool.token_program_id),
    ]
    return _instruction(bytes([UPDATE_STAKE_POOL_BALANCE]), accounts)
