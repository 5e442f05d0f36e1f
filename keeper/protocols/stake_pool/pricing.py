"""What the stake pool pays, to the base unit (``state.rs`` and ``processor.rs`` of the program).

All results are rounded as the program rounds: shares and lamports down, fees up.
"""

from __future__ import annotations

from keeper.protocols.quotes import QuoteError, require_u64
from keeper.protocols.stake_pool.state import Fee, FutureFee, StakePool
from keeper.units import STAKE_POOL_LST, Epoch, Lamports, TokenAmount, UnitError


def _pool_tokens(amount: TokenAmount) -> int:
    if amount.mint != STAKE_POOL_LST:
        raise UnitError(f"the stake pool takes {STAKE_POOL_LST}, not {amount}")
    return amount.as_u64()


def _fee_now(pool: StakePool, current: Fee, pending: FutureFee | None, epoch: Epoch | None) -> Fee:
    """The fee in force when the instruction runs: the pool update of a new epoch comes before it, and activates a fee
    that has waited one epoch. Without ``epoch`` the pool is taken to be stale. The higher of the two counts."""
    if epoch is not None and pool.is_current(epoch):
        return current
    if pending is not None and pending.epochs == 1 and pending.fee.exceeds(current):
        return pending.fee
    return current


def quote_deposit_sol(pool: StakePool, deposit: Lamports) -> TokenAmount:
    """Pool tokens for ``deposit``: floor(lamports * supply / total) less the deposit fee rounded up.

    The referrer's part of the fee is not counted, even where it comes back to the depositor. Raises ``QuoteError`` where
    the program would refuse (DepositTooSmall).
    """
    lamports = deposit.as_u64()
    if pool.total_lamports.value == 0 or pool.pool_token_supply == 0:
        gross = lamports
    else:
        gross = lamports * pool.pool_token_supply // pool.total_lamports.value
    net = gross - pool.sol_deposit_fee.apply(gross)
    return TokenAmount(STAKE_POOL_LST, require_u64(net, "deposit_too_small", f"a deposit of {deposit}"))


def _withdrawal(pool: StakePool, tokens: TokenAmount, fee: Fee) -> Lamports:
    units = _pool_tokens(tokens)
    burnt = units - fee.apply(units)
    lamports = burnt * pool.total_lamports.value // pool.pool_token_supply if pool.pool_token_supply else 0
    return Lamports(require_u64(lamports, "withdrawal_too_small", f"a withdrawal of {tokens}"))


def quote_withdraw_sol(pool: StakePool, tokens: TokenAmount, *, epoch: Epoch | None = None) -> Lamports:
    """Lamports out of the reserve for ``tokens``: floor((tokens - fee rounded up) * total / supply).

    ``epoch`` is the current epoch; without it, or where the pool has not been updated in it, the higher of the current
    and the next fee counts. The reserve may hold less: see ``withdrawable_reserve``. Raises ``QuoteError``.
    """
    fee = _fee_now(pool, pool.sol_withdrawal_fee, pool.next_sol_withdrawal_fee, epoch)
    return _withdrawal(pool, tokens, fee)


def quote_withdraw_stake(pool: StakePool, tokens: TokenAmount, *, epoch: Epoch | None = None) -> Lamports:
    """Lamports of stake split off for ``tokens``; as ``quote_withdraw_sol`` with the stake withdrawal fee."""
    fee = _fee_now(pool, pool.stake_withdrawal_fee, pool.next_stake_withdrawal_fee, epoch)
    return _withdrawal(pool, tokens, fee)


def withdrawable_reserve(reserve: Lamports, rent_exempt: Lamports) -> Lamports:
    """What WithdrawSol can take out of a reserve that holds ``reserve`` lamports: all but its rent. Beyond it the
    program answers SolWithdrawalTooLarge (35). Raises ``QuoteError`` for a reserve below its rent."""
    if reserve < rent_exempt:
        raise QuoteError("reserve_depleted", f"the reserve holds {reserve}, less than its rent of {rent_exempt}")
    return reserve - rent_exempt
