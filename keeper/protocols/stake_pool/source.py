"""Whose stake pays a WithdrawStake (the program's ``process_withdraw_stake``; shared facts, protocol.md 2.2).

The preferred withdraw validator pays while it has anything to give. Otherwise any validator's active stake pays; transient stake
only while nobody has active stake to give, and the reserve only while nobody has either.
"""

from __future__ import annotations

from dataclasses import dataclass

from solders.pubkey import Pubkey

from keeper.protocols.quotes import QuoteError
from keeper.protocols.stake_pool.derived import transient_stake_address, validator_stake_address
from keeper.protocols.stake_pool.state import StakePool, StakeStatus, ValidatorList, ValidatorStake
from keeper.units import Lamports

MINIMUM_ACTIVE_STAKE = Lamports(1_000_000)
"""What a validator's stake keeps beside its rent (``lib.rs``; the cluster's own minimum delegation is 1 lamport)."""


@dataclass(frozen=True, slots=True)
class StakeSource:
    """The stake account to split, and the most lamports that it can give."""

    account: Pubkey
    most: Lamports


def stake_source(
    address: Pubkey, pool: StakePool, listed: ValidatorList, amount: Lamports, *, reserve: Lamports, rent: Lamports
) -> StakeSource:
    """The account of the pool at ``address`` that can pay ``amount`` lamports of stake.

    ``reserve`` is what the reserve account holds, ``rent`` the exempt minimum of a stake account. Raises
    ``QuoteError("stake_unavailable")`` with the most that one withdrawal can take, where no single account can pay.
    """
    required = rent + MINIMUM_ACTIVE_STAKE
    # The program leaves room for what one pool token is worth, as nobody can withdraw less.
    per_token = -(-pool.total_lamports.value // pool.pool_token_supply) if pool.pool_token_supply else 0
    tolerance = required + Lamports(per_token)

    if any(entry.active > tolerance for entry in listed.validators):
        payers = _payers(pool, listed, tolerance)
        return _largest([_active(address, entry, required) for entry in payers], amount)
    if any(entry.transient > tolerance for entry in listed.validators):
        payers = _payers(pool, listed, tolerance)
        return _largest([_transient(address, entry, required) for entry in payers], amount)
    return _largest([StakeSource(pool.reserve_stake, reserve - rent)], amount)


def _payers(pool: StakePool, listed: ValidatorList, tolerance: Lamports) -> tuple[ValidatorStake, ...]:
    """The validators whose stake the program would take from; the preferred one alone while it has active stake to give."""
    willing = tuple(entry for entry in listed.validators if entry.status == StakeStatus.ACTIVE)
    preferred = tuple(
        entry
        for entry in listed.validators
        if entry.vote == pool.preferred_withdraw_validator and entry.active > tolerance
    )
    return tuple(entry for entry in willing if entry in preferred) if preferred else willing


def _active(address: Pubkey, entry: ValidatorStake, required: Lamports) -> StakeSource:
    return StakeSource(validator_stake_address(entry.vote, address, entry.validator_seed), entry.active - required)


def _transient(address: Pubkey, entry: ValidatorStake, required: Lamports) -> StakeSource:
    return StakeSource(transient_stake_address(entry.vote, address, entry.transient_seed), entry.transient - required)


def _largest(sources: list[StakeSource], amount: Lamports) -> StakeSource:
    best = max(sources, key=lambda source: source.most, default=None)
    if best is None or best.most < amount:
        most = max(best.most, Lamports(0)) if best is not None else Lamports(0)
        raise QuoteError(
            "stake_unavailable", f"no stake account of the pool can give {amount}; the most that one can give is {most}"
        )
    return best
