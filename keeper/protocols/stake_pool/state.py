"""Accounts of the stake pool program, read field by field: options float, so nothing is at a fixed offset after 346."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from solders.pubkey import Pubkey

from keeper.protocols.addresses import STAKE_POOL_PROGRAM
from keeper.protocols.layout import Reader, require_owner
from keeper.units import Epoch, Lamports, Rate, UnixTime

ACCOUNT_TYPE_POOL = 1
ACCOUNT_TYPE_VALIDATOR_LIST = 2
VALIDATOR_ENTRY_LENGTH = 73


@dataclass(frozen=True, slots=True)
class Fee:
    """A fee ratio, stored denominator first. A zero denominator means no fee."""

    denominator: int
    numerator: int

    def apply(self, amount: int) -> int:
        """The fee on ``amount``, rounded up as the program does."""
        if self.denominator == 0:
            return 0
        return -(-amount * self.numerator // self.denominator)

    def exceeds(self, other: Fee) -> bool:
        """Whether this ratio is higher than ``other``."""
        mine = 0 if self.denominator == 0 else self.numerator
        theirs = 0 if other.denominator == 0 else other.numerator
        return mine * (other.denominator or 1) > theirs * (self.denominator or 1)


@dataclass(frozen=True, slots=True)
class FutureFee:
    """A fee that becomes current at the ``epochs``-th pool update from now (1 or 2)."""

    fee: Fee
    epochs: int


@dataclass(frozen=True, slots=True)
class Lockup:
    """Lockup that all stake of the pool carries."""

    unix_timestamp: UnixTime
    epoch: Epoch
    custodian: Pubkey


@dataclass(frozen=True, slots=True)
class StakePool:
    """A stake pool. ``pool_token_supply`` and ``last_epoch_pool_token_supply`` are base units of ``pool_mint``."""

    manager: Pubkey
    staker: Pubkey
    stake_deposit_authority: Pubkey
    stake_withdraw_bump_seed: int
    validator_list: Pubkey
    reserve_stake: Pubkey
    pool_mint: Pubkey
    manager_fee_account: Pubkey
    token_program_id: Pubkey
    total_lamports: Lamports
    pool_token_supply: int
    last_update_epoch: Epoch
    lockup: Lockup
    epoch_fee: Fee
    next_epoch_fee: FutureFee | None
    preferred_deposit_validator: Pubkey | None
    preferred_withdraw_validator: Pubkey | None
    stake_deposit_fee: Fee
    stake_withdrawal_fee: Fee
    next_stake_withdrawal_fee: FutureFee | None
    stake_referral_fee: int
    sol_deposit_authority: Pubkey | None
    sol_deposit_fee: Fee
    sol_referral_fee: int
    sol_withdraw_authority: Pubkey | None
    sol_withdrawal_fee: Fee
    next_sol_withdrawal_fee: FutureFee | None
    last_epoch_pool_token_supply: int
    last_epoch_total_lamports: Lamports

    @property
    def rate(self) -> Rate:
        """Lamports per base unit of the pool token; 1:1 for an empty pool. Old while ``is_current`` says so."""
        if self.total_lamports.value == 0 or self.pool_token_supply == 0:
            return Rate(1, 1)
        return Rate(self.total_lamports.value, self.pool_token_supply)

    @property
    def last_epoch_rate(self) -> Rate | None:
        """The rate before the last update, or None where the pool has not recorded one."""
        if self.last_epoch_total_lamports.value == 0 or self.last_epoch_pool_token_supply == 0:
            return None
        return Rate(self.last_epoch_total_lamports.value, self.last_epoch_pool_token_supply)

    def is_current(self, epoch: Epoch) -> bool:
        """Whether the pool was updated in ``epoch``; while not, deposits and withdrawals fail with code 17."""
        return self.last_update_epoch >= epoch


class StakeStatus(IntEnum):
    """Status of a validator's entry."""

    ACTIVE = 0
    DEACTIVATING_TRANSIENT = 1
    READY_FOR_REMOVAL = 2
    DEACTIVATING_VALIDATOR = 3
    DEACTIVATING_ALL = 4


@dataclass(frozen=True, slots=True)
class ValidatorStake:
    """One validator of the pool. A ``validator_seed`` of zero means that the stake address has no seed."""

    active: Lamports
    transient: Lamports
    last_update_epoch: Epoch
    transient_seed: int
    validator_seed: int
    status: StakeStatus
    vote: Pubkey


@dataclass(frozen=True, slots=True)
class ValidatorList:
    """The pool's validators, in the order that ``UpdateValidatorListBalance`` indexes."""

    max_validators: int
    validators: tuple[ValidatorStake, ...]


def _fee(read: Reader) -> Callable[[str], Fee]:
    def one(field: str) -> Fee:
        return Fee(read.u64(f"{field}.denominator"), read.u64(f"{field}.numerator"))

    return one


def _future_fee(read: Reader) -> Callable[[str], FutureFee | None]:
    fee = _fee(read)

    def one(field: str) -> FutureFee | None:
        tag = read.u8(field)
        if tag > 2:
            raise read.fail(field, "0 (none), 1 or 2 epochs", str(tag))
        return FutureFee(fee(field), tag) if tag else None

    return one


def _percent(read: Reader, field: str) -> int:
    value = read.u8(field)
    if value > 100:
        raise read.fail(field, "a percentage of 0 to 100", str(value))
    return value


def decode_stake_pool(data: bytes, *, owner: Pubkey | None = None) -> StakePool:
    """Decode a pool account; its owner is checked when given. Bytes after the last field are free space.

    Raises ``LayoutError``.
    """
    require_owner("stake pool", owner, (STAKE_POOL_PROGRAM,))
    read = Reader(data, "stake pool")
    read.discriminator(bytes([ACCOUNT_TYPE_POOL]), "account_type")
    fee, future_fee, key = _fee(read), _future_fee(read), read.pubkey
    return StakePool(
        manager=key("manager"),
        staker=key("staker"),
        stake_deposit_authority=key("stake_deposit_authority"),
        stake_withdraw_bump_seed=read.u8("stake_withdraw_bump_seed"),
        validator_list=key("validator_list"),
        reserve_stake=key("reserve_stake"),
        pool_mint=key("pool_mint"),
        manager_fee_account=key("manager_fee_account"),
        token_program_id=key("token_program_id"),
        total_lamports=Lamports(read.u64("total_lamports")),
        pool_token_supply=read.u64("pool_token_supply"),
        last_update_epoch=Epoch(read.u64("last_update_epoch")),
        lockup=Lockup(UnixTime(read.i64("lockup")), Epoch(read.u64("lockup.epoch")), key("lockup.custodian")),
        epoch_fee=fee("epoch_fee"),
        next_epoch_fee=future_fee("next_epoch_fee"),
        preferred_deposit_validator=read.option("preferred_deposit_validator", key),
        preferred_withdraw_validator=read.option("preferred_withdraw_validator", key),
        stake_deposit_fee=fee("stake_deposit_fee"),
        stake_withdrawal_fee=fee("stake_withdrawal_fee"),
        next_stake_withdrawal_fee=future_fee("next_stake_withdrawal_fee"),
        stake_referral_fee=_percent(read, "stake_referral_fee"),
        sol_deposit_authority=read.option("sol_deposit_authority", key),
        sol_deposit_fee=fee("sol_deposit_fee"),
        sol_referral_fee=_percent(read, "sol_referral_fee"),
        sol_withdraw_authority=read.option("sol_withdraw_authority", key),
        sol_withdrawal_fee=fee("sol_withdrawal_fee"),
        next_sol_withdrawal_fee=future_fee("next_sol_withdrawal_fee"),
        last_epoch_pool_token_supply=read.u64("last_epoch_pool_token_supply"),
        last_epoch_total_lamports=Lamports(read.u64("last_epoch_total_lamports")),
    )


def decode_validator_list(data: bytes, *, owner: Pubkey | None = None) -> ValidatorList:
    """Decode a validator list (73 bytes an entry); its owner is checked when given. Raises ``LayoutError``."""
    require_owner("validator list", owner, (STAKE_POOL_PROGRAM,))
    read = Reader(data, "validator list")
    read.discriminator(bytes([ACCOUNT_TYPE_VALIDATOR_LIST]), "account_type")
    max_validators, length = read.u32("max_validators"), read.u32("validators")
    if length > max_validators or length * VALIDATOR_ENTRY_LENGTH > read.remaining:
        fitting = min(max_validators, read.remaining // VALIDATOR_ENTRY_LENGTH)
        raise read.fail("validators", f"at most {fitting} entries", str(length))

    def entry(field: str) -> ValidatorStake:
        active, transient = Lamports(read.u64(f"{field}.active")), Lamports(read.u64(f"{field}.transient"))
        updated, transient_seed = Epoch(read.u64(f"{field}.epoch")), read.u64(f"{field}.transient_seed")
        read.u32(f"{field}.unused")
        validator_seed, status = read.u32(f"{field}.validator_seed"), read.u8(f"{field}.status")
        if status > StakeStatus.DEACTIVATING_ALL:
            raise read.fail(f"{field}.status", "0 to 4", str(status))
        vote = read.pubkey(f"{field}.vote")
        return ValidatorStake(active, transient, updated, transient_seed, validator_seed, StakeStatus(status), vote)

    return ValidatorList(max_validators, read.array("validators", length, entry))
