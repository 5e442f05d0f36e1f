"""State of the SPL stake pool: account layouts, its integer maths and its errors.

Layout and formulas: solana-program/stake-pool ``state.rs`` and ``error.rs`` (shared facts, protocol.md 2.1-2.2).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from solders.pubkey import Pubkey

from keeper.protocols.addresses import SPL_TOKEN, STAKE_POOL_PROGRAM
from keeper.sim.localnet.interface import ProgramError
from keeper.sim.localnet.programs.borsh import Reader, optional_key, u8, u32, u64

STAKE_POOL_SIZE = 611
VALIDATOR_RECORD_SIZE = 73
VALIDATOR_HEADER_SIZE = 9
MAX_VALIDATORS_TO_UPDATE = 4


class StakePoolError(IntEnum):
    """Custom codes of the stake-pool program that the model can raise."""

    INVALID_PROGRAM_ADDRESS = 1
    INVALID_STATE = 2
    CALCULATION_FAILURE = 3
    SIGNATURE_MISSING = 7
    INVALID_VALIDATOR_STAKE_LIST = 8
    INVALID_FEE_ACCOUNT = 9
    WRONG_POOL_MINT = 10
    WRONG_STAKE_STAKE = 11
    VALIDATOR_NOT_FOUND = 14
    INVALID_STAKE_ACCOUNT_ADDRESS = 15
    STAKE_LIST_OUT_OF_DATE = 16
    STAKE_LIST_AND_POOL_OUT_OF_DATE = 17
    UNEXPECTED_VALIDATOR_LIST_ACCOUNT_SIZE = 20
    STAKE_LAMPORTS_NOT_EQUAL_TO_MINIMUM = 23
    INCORRECT_DEPOSIT_VOTE_ADDRESS = 24
    INCORRECT_WITHDRAW_VOTE_ADDRESS = 25
    WITHDRAWAL_TOO_SMALL = 28
    DEPOSIT_TOO_SMALL = 29
    INVALID_STAKE_DEPOSIT_AUTHORITY = 30
    INVALID_SOL_DEPOSIT_AUTHORITY = 31
    INVALID_SOL_WITHDRAW_AUTHORITY = 34
    SOL_WITHDRAWAL_TOO_LARGE = 35
    EXCEEDED_SLIPPAGE = 39

    def error(self) -> ProgramError:
        """The program error with its name as the program logs it."""
        return ProgramError.custom(self.value, "".join(word.capitalize() for word in self.name.split("_")))


class Fee(NamedTuple):
    """A fee as a fraction, stored denominator first. A zero denominator is no fee."""

    denominator: int
    numerator: int

    def apply(self, amount: int) -> int:
        """The fee on ``amount``, rounded up."""
        if self.denominator == 0 or amount == 0:
            return 0
        return -(-amount * self.numerator // self.denominator)

    def encode(self) -> bytes:
        return u64(self.denominator) + u64(self.numerator)


NO_FEE = Fee(0, 0)


class FutureFee(NamedTuple):
    """A fee that becomes active at a pool update: ``tag`` 2 after two, 1 at the next, 0 none."""

    tag: int
    fee: Fee

    def turned(self) -> FutureFee:
        return FutureFee(1, self.fee) if self.tag == 2 else NO_FUTURE_FEE

    def encode(self) -> bytes:
        return u8(self.tag) + (self.fee.encode() if self.tag else b"")


NO_FUTURE_FEE = FutureFee(0, NO_FEE)


def read_fee(reader: Reader) -> Fee:
    return Fee(reader.u64(), reader.u64())


def read_future_fee(reader: Reader) -> FutureFee:
    tag = reader.u8()
    if tag == 0:
        return NO_FUTURE_FEE
    if tag > 2:
        raise StakePoolError.INVALID_STATE.error()
    return FutureFee(tag, read_fee(reader))


@dataclass(slots=True)
class StakePoolState:
    """The 611-byte pool account. Lamports and pool tokens in base units."""

    manager: Pubkey
    staker: Pubkey
    stake_deposit_authority: Pubkey
    stake_withdraw_bump_seed: int
    validator_list: Pubkey
    reserve_stake: Pubkey
    pool_mint: Pubkey
    manager_fee_account: Pubkey
    total_lamports: int
    pool_token_supply: int
    last_update_epoch: int
    token_program: Pubkey = SPL_TOKEN
    lockup: bytes = bytes(48)
    epoch_fee: Fee = NO_FEE
    next_epoch_fee: FutureFee = NO_FUTURE_FEE
    preferred_deposit_validator: Pubkey | None = None
    preferred_withdraw_validator: Pubkey | None = None
    stake_deposit_fee: Fee = NO_FEE
    stake_withdrawal_fee: Fee = NO_FEE
    next_stake_withdrawal_fee: FutureFee = NO_FUTURE_FEE
    stake_referral_fee: int = 0
    sol_deposit_authority: Pubkey | None = None
    sol_deposit_fee: Fee = NO_FEE
    sol_referral_fee: int = 0
    sol_withdraw_authority: Pubkey | None = None
    sol_withdrawal_fee: Fee = NO_FEE
    next_sol_withdrawal_fee: FutureFee = NO_FUTURE_FEE
    last_epoch_pool_token_supply: int = 0
    last_epoch_total_lamports: int = 0

    @classmethod
    def decode(cls, data: bytes) -> StakePoolState:
        """Raises error 2 InvalidState for bytes that are no stake pool."""
        reader = Reader(data, error=StakePoolError.INVALID_STATE.error())
        if reader.u8() != 1:
            raise StakePoolError.INVALID_STATE.error()
        manager, staker, deposit_authority, bump = reader.key(), reader.key(), reader.key(), reader.u8()
        validators, reserve, mint, fee_account, token = (reader.key() for _ in range(5))
        total, supply, updated, lockup = reader.u64(), reader.u64(), reader.u64(), reader.take(48)
        return cls(
            manager=manager,
            staker=staker,
            stake_deposit_authority=deposit_authority,
            stake_withdraw_bump_seed=bump,
            validator_list=validators,
            reserve_stake=reserve,
            pool_mint=mint,
            manager_fee_account=fee_account,
            token_program=token,
            total_lamports=total,
            pool_token_supply=supply,
            last_update_epoch=updated,
            lockup=lockup,
            epoch_fee=read_fee(reader),
            next_epoch_fee=read_future_fee(reader),
            preferred_deposit_validator=reader.optional_key(),
            preferred_withdraw_validator=reader.optional_key(),
            stake_deposit_fee=read_fee(reader),
            stake_withdrawal_fee=read_fee(reader),
            next_stake_withdrawal_fee=read_future_fee(reader),
            stake_referral_fee=reader.u8(),
            sol_deposit_authority=reader.optional_key(),
            sol_deposit_fee=read_fee(reader),
            sol_referral_fee=reader.u8(),
            sol_withdraw_authority=reader.optional_key(),
            sol_withdrawal_fee=read_fee(reader),
            next_sol_withdrawal_fee=read_future_fee(reader),
            last_epoch_pool_token_supply=reader.u64(),
            last_epoch_total_lamports=reader.u64(),
        )

    def encode(self) -> bytes:
        body = b"".join(
            (
                b"\x01",
                bytes(self.manager),
                bytes(self.staker),
                bytes(self.stake_deposit_authority),
                u8(self.stake_withdraw_bump_seed),
                bytes(self.validator_list),
                bytes(self.reserve_stake),
                bytes(self.pool_mint),
                bytes(self.manager_fee_account),
                bytes(self.token_program),
                u64(self.total_lamports),
                u64(self.pool_token_supply),
                u64(self.last_update_epoch),
                self.lockup,
                self.epoch_fee.encode(),
                self.next_epoch_fee.encode(),
                optional_key(self.preferred_deposit_validator),
                optional_key(self.preferred_withdraw_validator),
                self.stake_deposit_fee.encode(),
                self.stake_withdrawal_fee.encode(),
                self.next_stake_withdrawal_fee.encode(),
                u8(self.stake_referral_fee),
                optional_key(self.sol_deposit_authority),
                self.sol_deposit_fee.encode(),
                u8(self.sol_referral_fee),
                optional_key(self.sol_withdraw_authority),
                self.sol_withdrawal_fee.encode(),
                self.next_sol_withdrawal_fee.encode(),
                u64(self.last_epoch_pool_token_supply),
                u64(self.last_epoch_total_lamports),
            )
        )
        return body.ljust(STAKE_POOL_SIZE, b"\0")

    # The integer maths of state.rs.

    def tokens_for_deposit(self, lamports: int) -> int:
        """Pool tokens for ``lamports`` before fees, rounded down; 1:1 for an empty pool."""
        if self.total_lamports == 0 or self.pool_token_supply == 0:
            return lamports
        return lamports * self.pool_token_supply // self.total_lamports

    def lamports_for(self, pool_tokens: int) -> int:
        """Lamports for burning ``pool_tokens``, rounded down; 0 for an empty pool."""
        if self.pool_token_supply == 0:
            return 0
        return pool_tokens * self.total_lamports // self.pool_token_supply

    def epoch_fee_tokens(self, reward: int) -> int:
        """Pool tokens minted to the manager for ``reward`` lamports, before these are in ``total_lamports``."""
        if reward == 0:
            return 0
        total = self.total_lamports + reward
        fee_lamports = self.epoch_fee.apply(reward)
        if total == fee_lamports or self.pool_token_supply == 0:
            return reward
        return self.pool_token_supply * fee_lamports // (total - fee_lamports)

    def turn_epoch(self, epoch: int, previous_lamports: int, previous_supply: int) -> None:
        """Roll fees announced for the future into effect and remember what the last epoch ended with."""
        if self.next_epoch_fee.tag == 1:
            self.epoch_fee = self.next_epoch_fee.fee
        self.next_epoch_fee = self.next_epoch_fee.turned()
        if self.next_stake_withdrawal_fee.tag == 1:
            self.stake_withdrawal_fee = self.next_stake_withdrawal_fee.fee
        self.next_stake_withdrawal_fee = self.next_stake_withdrawal_fee.turned()
        if self.next_sol_withdrawal_fee.tag == 1:
            self.sol_withdrawal_fee = self.next_sol_withdrawal_fee.fee
        self.next_sol_withdrawal_fee = self.next_sol_withdrawal_fee.turned()
        self.last_update_epoch = epoch
        self.last_epoch_total_lamports = previous_lamports
        self.last_epoch_pool_token_supply = previous_supply


ACTIVE_STATUS = 0


@dataclass(slots=True)
class ValidatorRecord:
    """One 73-byte entry of the validator list. Lamports include the stake accounts' rent reserves."""

    vote: Pubkey
    active_lamports: int = 0
    transient_lamports: int = 0
    last_update_epoch: int = 0
    transient_seed_suffix: int = 0
    unused: int = 0
    validator_seed_suffix: int = 0
    status: int = ACTIVE_STATUS

    @property
    def lamports(self) -> int:
        return self.active_lamports + self.transient_lamports

    def encode(self) -> bytes:
        return b"".join(
            (
                u64(self.active_lamports),
                u64(self.transient_lamports),
                u64(self.last_update_epoch),
                u64(self.transient_seed_suffix),
                u32(self.unused),
                u32(self.validator_seed_suffix),
                u8(self.status),
                bytes(self.vote),
            )
        )


@dataclass(slots=True)
class ValidatorList:
    """The validator list account, sized for ``max_validators``."""

    max_validators: int
    records: list[ValidatorRecord] = field(default_factory=list)

    @classmethod
    def decode(cls, data: bytes) -> ValidatorList:
        """Raises error 2 InvalidState for bytes that are no validator list."""
        reader = Reader(data, error=StakePoolError.INVALID_STATE.error())
        if reader.u8() != 2:
            raise StakePoolError.INVALID_STATE.error()
        maximum, count = reader.u32(), reader.u32()
        records = []
        for _ in range(count):
            active, transient, updated, transient_seed = reader.u64(), reader.u64(), reader.u64(), reader.u64()
            unused, seed, status = reader.u32(), reader.u32(), reader.u8()
            records.append(
                ValidatorRecord(reader.key(), active, transient, updated, transient_seed, unused, seed, status)
            )
        return cls(maximum, records)

    def encode(self) -> bytes:
        body = b"\x02" + u32(self.max_validators) + u32(len(self.records)) + b"".join(r.encode() for r in self.records)
        return body.ljust(VALIDATOR_HEADER_SIZE + self.max_validators * VALIDATOR_RECORD_SIZE, b"\0")

    def find(self, vote: Pubkey) -> ValidatorRecord:
        """Raises error 14 ValidatorNotFound."""
        for record in self.records:
            if record.vote == vote:
                return record
        raise StakePoolError.VALIDATOR_NOT_FOUND.error()


# --- addresses --------------------------------------------------------------------------------------------------------


def withdraw_authority(pool: Pubkey) -> tuple[Pubkey, int]:
    return Pubkey.find_program_address([bytes(pool), b"withdraw"], STAKE_POOL_PROGRAM)


def deposit_authority(pool: Pubkey) -> tuple[Pubkey, int]:
    return Pubkey.find_program_address([bytes(pool), b"deposit"], STAKE_POOL_PROGRAM)


def validator_stake_address(pool: Pubkey, vote: Pubkey, seed: int = 0) -> Pubkey:
    seeds = [bytes(vote), bytes(pool)] + ([u32(seed)] if seed else [])
    return Pubkey.find_program_address(seeds, STAKE_POOL_PROGRAM)[0]


def transient_stake_address(pool: Pubkey, vote: Pubkey, seed: int = 0) -> Pubkey:
    return Pubkey.find_program_address([b"transient", bytes(vote), bytes(pool), u64(seed)], STAKE_POOL_PROGRAM)[0]
