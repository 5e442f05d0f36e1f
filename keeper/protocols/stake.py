"""The native stake program, as far as leaving a stake pool by WithdrawStake needs it.

The keeper's own stake accounts stand at a few *places*: addresses derived from the wallet with a seed, so that all of them
are found without a search, and created without another signer.

Layout and instruction indices: shared facts, protocol.md 2.2 and 6.1 (bincode: u32 variant, little-endian integers).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from types import MappingProxyType

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import (
    AllocateWithSeedParams,
    CreateAccountParams,
    CreateAccountWithSeedParams,
    TransferParams,
    allocate_with_seed,
    create_account,
    create_account_with_seed,
    transfer,
)

from keeper.protocols.addresses import CLOCK_SYSVAR, STAKE, STAKE_HISTORY_SYSVAR
from keeper.protocols.layout import Reader, require_owner
from keeper.units import Epoch, Lamports, UnixTime

STAKE_ACCOUNT_LENGTH = 200
WITHDRAW = 4
DEACTIVATE = 5
NEVER = 2**64 - 1
STATE_INITIALIZED, STATE_DELEGATED = 1, 2
PLACES = 8
"""How many stake accounts of one wallet may cool down at the same time."""

STAKE_ERRORS = MappingProxyType(
    dict(
        enumerate(
            (
                "NoCreditsToRedeem",
                "LockupInForce",
                "AlreadyDeactivated",
                "TooSoonToRedelegate",
                "InsufficientStake",
                "MergeTransientStake",
                "MergeMismatch",
                "CustodianMissing",
                "CustodianSignatureMissing",
                "InsufficientReferenceVotes",
                "VoteAddressMismatch",
                "MinimumDelinquentEpochsForDeactivationNotMet",
                "InsufficientDelegation",
                "RedelegateTransientOrInactiveStake",
                "RedelegateToSameVoteAccount",
                "RedelegatedStakeMustFullyActivateBeforeDeactivationIsPermitted",
                "EpochRewardsActive",
            )
        )
    )
)
"""Custom codes of the stake program."""


@dataclass(frozen=True, slots=True)
class Delegation:
    """Stake delegated to a validator. ``deactivation_epoch`` is None while nobody has asked to deactivate."""

    voter: Pubkey
    stake: Lamports
    activation_epoch: Epoch
    deactivation_epoch: Epoch | None


@dataclass(frozen=True, slots=True)
class Lockup:
    """Until when only the ``custodian`` may let a stake account be withdrawn."""

    unix_timestamp: UnixTime
    epoch: Epoch
    custodian: Pubkey

    def in_force(self, now: UnixTime, epoch: Epoch) -> bool:
        return self.unix_timestamp > now or self.epoch > epoch


NO_LOCKUP = Lockup(UnixTime(0), Epoch(0), Pubkey.default())


@dataclass(frozen=True, slots=True)
class StakeAccount:
    """A stake account that is initialised; ``delegation`` is None until it is delegated."""

    rent_exempt_reserve: Lamports
    staker: Pubkey
    withdrawer: Pubkey
    delegation: Delegation | None
    lockup: Lockup = NO_LOCKUP

    def belongs_to(self, wallet: Pubkey) -> bool:
        """Whether ``wallet`` alone decides over it."""
        return self.staker == wallet and self.withdrawer == wallet

    def payable(self, now: UnixTime, epoch: Epoch) -> bool:
        """Whether all of it can be withdrawn: undelegated, or cooled down.

        Stake cools down at the end of the epoch that it was deactivated in (stake of a validator's first epoch at once), unless
        more than 9 % of the whole cluster's stake leaves in that epoch: then the program pays later than this says.
        """
        if self.lockup.in_force(now, epoch):
            return False
        if self.delegation is None:
            return True
        ends = self.delegation.deactivation_epoch
        return ends is not None and (ends < epoch or ends == self.delegation.activation_epoch)


def decode_stake_account(data: bytes, *, owner: Pubkey | None = None) -> StakeAccount:
    """Decode an initialised or delegated stake account; its owner is checked when given. Raises ``LayoutError``."""
    require_owner("stake account", owner, (STAKE,))
    read = Reader(data, "stake account")
    state = read.u32("state")
    if state not in (STATE_INITIALIZED, STATE_DELEGATED):
        raise read.fail("state", "1 (initialised) or 2 (delegated)", str(state))
    rent = Lamports(read.u64("rent_exempt_reserve"))
    staker, withdrawer = read.pubkey("staker"), read.pubkey("withdrawer")
    lockup = Lockup(
        UnixTime(read.i64("lockup.unix_timestamp")), Epoch(read.u64("lockup.epoch")), read.pubkey("lockup.custodian")
    )
    if state == STATE_INITIALIZED:
        return StakeAccount(rent, staker, withdrawer, None, lockup)
    voter, stake = read.pubkey("voter"), Lamports(read.u64("stake"))
    activation, deactivation = Epoch(read.u64("activation_epoch")), read.u64("deactivation_epoch")
    ends = None if deactivation == NEVER else Epoch(deactivation)
    return StakeAccount(rent, staker, withdrawer, Delegation(voter, stake, activation, ends), lockup)


def place_seed(place: int) -> str:
    """The seed of the wallet's stake account number ``place``. Raises ``ValueError`` outside 0..7."""
    if not 0 <= place < PLACES:
        raise ValueError(f"a stake account's place is 0 to {PLACES - 1}, got {place}")
    return f"glow-keeper/{place}"


def place_address(wallet: Pubkey, place: int) -> Pubkey:
    """Where the wallet's stake account number ``place`` stands: SHA-256 of wallet, seed and the stake program's id."""
    return Pubkey.create_with_seed(wallet, place_seed(place), STAKE)


def place_addresses(wallet: Pubkey) -> tuple[Pubkey, ...]:
    """All places, by number."""
    return tuple(place_address(wallet, place) for place in range(PLACES))


def create_at_place(wallet: Pubkey, place: int, rent: Lamports, present: Lamports) -> tuple[Instruction, ...]:
    """Make the empty stake account at ``place``, with at least ``rent`` lamports; only the wallet signs.

    Anybody can send lamports to an address that he foresees, and CreateAccountWithSeed refuses an account that has any. So
    where ``present`` lamports lie there, the rest is transferred and the account allocated as the wallet's seed allows.
    """
    account, seed = place_address(wallet, place), place_seed(place)
    if not present:
        create = CreateAccountWithSeedParams(
            from_pubkey=wallet,
            to_pubkey=account,
            base=wallet,
            seed=seed,
            lamports=rent.as_u64(),
            space=STAKE_ACCOUNT_LENGTH,
            owner=STAKE,
        )
        return (create_account_with_seed(create),)
    allocate = allocate_with_seed(
        AllocateWithSeedParams(address=account, base=wallet, seed=seed, space=STAKE_ACCOUNT_LENGTH, owner=STAKE)
    )
    if present >= rent:
        return (allocate,)
    missing = (rent - present).as_u64()
    return transfer(TransferParams(from_pubkey=wallet, to_pubkey=account, lamports=missing)), allocate


def create_uninitialized(payer: Pubkey, account: Pubkey, rent: Lamports) -> Instruction:
    """Create the empty 200-byte stake account that WithdrawStake splits into; ``account`` signs too."""
    return create_account(
        CreateAccountParams(
            from_pubkey=payer, to_pubkey=account, lamports=rent.as_u64(), space=STAKE_ACCOUNT_LENGTH, owner=STAKE
        )
    )


def deactivate(account: Pubkey, authority: Pubkey) -> Instruction:
    """Ask for the stake to cool down; it can be withdrawn once the epoch has ended. ``authority`` is the staker."""
    accounts = [
        AccountMeta(account, is_signer=False, is_writable=True),
        AccountMeta(CLOCK_SYSVAR, is_signer=False, is_writable=False),
        AccountMeta(authority, is_signer=True, is_writable=False),
    ]
    return Instruction(STAKE, struct.pack("<I", DEACTIVATE), accounts)


def withdraw(account: Pubkey, recipient: Pubkey, authority: Pubkey, amount: Lamports) -> Instruction:
    """Take ``amount`` lamports out of a stake account that is not (or no longer) delegated; ``authority`` is the
    withdrawer. Taking everything closes the account."""
    accounts = [
        AccountMeta(account, is_signer=False, is_writable=True),
        AccountMeta(recipient, is_signer=False, is_writable=True),
        AccountMeta(CLOCK_SYSVAR, is_signer=False, is_writable=False),
        AccountMeta(STAKE_HISTORY_SYSVAR, is_signer=False, is_writable=False),
        AccountMeta(authority, is_signer=True, is_writable=False),
    ]
    return Instruction(STAKE, struct.pack("<IQ", WITHDRAW, amount.as_u64()), accounts)
