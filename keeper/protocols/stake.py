"""The native stake program, as far as leaving a stake pool by WithdrawStake needs it.

Layout and instruction indices: shared facts, protocol.md 2.2 and 6.1 (bincode: u32 variant, little-endian integers).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from types import MappingProxyType

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account

from keeper.protocols.addresses import CLOCK_SYSVAR, STAKE, STAKE_HISTORY_SYSVAR
from keeper.protocols.layout import Reader, require_owner
from keeper.units import Epoch, Lamports

STAKE_ACCOUNT_LENGTH = 200
WITHDRAW = 4
DEACTIVATE = 5
NEVER = 2**64 - 1
STATE_INITIALIZED, STATE_DELEGATED = 1, 2

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
class StakeAccount:
    """A stake account that is initialised; ``delegation`` is None until it is delegated."""

    rent_exempt_reserve: Lamports
    staker: Pubkey
    withdrawer: Pubkey
    delegation: Delegation | None


def decode_stake_account(data: bytes, *, owner: Pubkey | None = None) -> StakeAccount:
    """Decode an initialised or delegated stake account; its owner is checked when given. Raises ``LayoutError``."""
    require_owner("stake account", owner, (STAKE,))
    read = Reader(data, "stake account")
    state = read.u32("state")
    if state not in (STATE_INITIALIZED, STATE_DELEGATED):
        raise read.fail("state", "1 (initialised) or 2 (delegated)", str(state))
    rent = Lamports(read.u64("rent_exempt_reserve"))
    staker, withdrawer = read.pubkey("staker"), read.pubkey("withdrawer")
    read.raw(48, "lockup")
    if state == STATE_INITIALIZED:
        return StakeAccount(rent, staker, withdrawer, None)
    voter, stake = read.pubkey("voter"), Lamports(read.u64("stake"))
    activation, deactivation = Epoch(read.u64("activation_epoch")), read.u64("deactivation_epoch")
    ends = None if deactivation == NEVER else Epoch(deactivation)
    return StakeAccount(rent, staker, withdrawer, Delegation(voter, stake, activation, ends))


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
