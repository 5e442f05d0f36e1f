"""Account bytes of the real programs: SPL Token mints and accounts, stake accounts, address lookup tables.

Layouts: spl-token ``state.rs`` (Pack), solana-stake-interface ``StakeStateV2`` (bincode), address-lookup-table ``state.rs``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from solders.pubkey import Pubkey

from keeper.protocols.addresses import SPL_TOKEN, STAKE
from keeper.sim.localnet.interface import AccountView, ProgramError
from keeper.sim.localnet.programs.borsh import Reader, u32, u64

MINT_SIZE = 82
TOKEN_ACCOUNT_SIZE = 165
STAKE_ACCOUNT_SIZE = 200
U64_MAX = 2**64 - 1

INVALID_DATA = ProgramError("InvalidAccountData")


# --- SPL Token --------------------------------------------------------------------------------------------------------


def encode_mint(supply: int, decimals: int, authority: Pubkey | None, freeze_authority: Pubkey | None = None) -> bytes:
    return _coption(authority) + u64(supply) + bytes([decimals, 1]) + _coption(freeze_authority)


def encode_token_account(mint: Pubkey, owner: Pubkey, amount: int, *, native_rent: int | None = None) -> bytes:
    """An initialised token account. ``native_rent``: rent-exempt lamports under a wrapped-SOL account, else None."""
    native = u32(0) + u64(0) if native_rent is None else u32(1) + u64(native_rent)
    return bytes(mint) + bytes(owner) + u64(amount) + _coption(None) + b"\x01" + native + u64(0) + _coption(None)


def _coption(key: Pubkey | None) -> bytes:
    return u32(0) + bytes(32) if key is None else u32(1) + bytes(key)


@dataclass(frozen=True, slots=True)
class TokenBalanceState:
    """What the models need of a token account."""

    mint: Pubkey
    owner: Pubkey
    amount: int


def read_token_account(account: AccountView) -> TokenBalanceState:
    """Raises ``ProgramError``: "IllegalOwner" when it is not the token program's, "InvalidAccountData" when not live."""
    if account.owner != SPL_TOKEN:
        raise ProgramError("IllegalOwner", f"{account.key} is not a token account")
    data = account.data
    if len(data) < TOKEN_ACCOUNT_SIZE or data[108] != 1:
        raise ProgramError("InvalidAccountData", f"{account.key} is not an initialised token account")
    return TokenBalanceState(Pubkey.from_bytes(data[:32]), Pubkey.from_bytes(data[32:64]), token_amount(data))


def token_amount(data: bytes) -> int:
    """Amount in base units of a token account's bytes."""
    return int.from_bytes(data[64:72], "little")


def mint_supply(account: AccountView) -> int:
    """Supply in base units. Raises ``ProgramError`` when it is not a live mint of the token program."""
    if account.owner != SPL_TOKEN:
        raise ProgramError("IllegalOwner", f"{account.key} is not a mint")
    data = account.data
    if len(data) < MINT_SIZE or data[45] != 1:
        raise ProgramError("InvalidAccountData", f"{account.key} is not an initialised mint")
    return supply_of(data)


def supply_of(data: bytes) -> int:
    """Supply in base units of a mint's bytes."""
    return int.from_bytes(data[36:44], "little")


# --- Stake ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StakeMeta:
    """Meta of a stake account: rent reserve in lamports and its authorities (no lockup: the models set none)."""

    rent_exempt_reserve: int
    staker: Pubkey
    withdrawer: Pubkey

    def encode(self) -> bytes:
        return u64(self.rent_exempt_reserve) + bytes(self.staker) + bytes(self.withdrawer) + bytes(48)


@dataclass(frozen=True, slots=True)
class Delegation:
    """A delegation: lamports staked to ``voter`` between two epochs (``U64_MAX``: since ever, or never ending)."""

    voter: Pubkey
    stake: int
    activation_epoch: int
    deactivation_epoch: int
    credits_observed: int

    def encode(self) -> bytes:
        warmup = struct.pack("<d", 0.25)  # the historic rate, a float in the layout that nothing reads any more
        return (
            bytes(self.voter)
            + u64(self.stake)
            + u64(self.activation_epoch)
            + u64(self.deactivation_epoch)
            + warmup
            + u64(self.credits_observed)
        )


@dataclass(frozen=True, slots=True)
class StakeState:
    """``meta`` None: uninitialised. ``delegation`` None: initialised, holding undelegated lamports."""

    meta: StakeMeta | None
    delegation: Delegation | None

    def encode(self) -> bytes:
        if self.meta is None:
            return bytes(STAKE_ACCOUNT_SIZE)
        delegation = b"" if self.delegation is None else self.delegation.encode()
        body = u32(2 if delegation else 1) + self.meta.encode() + delegation
        return body.ljust(STAKE_ACCOUNT_SIZE, b"\0")


def decode_stake(data: bytes) -> StakeState:
    """Raises ``ProgramError("InvalidAccountData")`` for bytes that are no stake account."""
    reader = Reader(data, error=INVALID_DATA)
    tag = reader.u32()
    if tag not in (1, 2):
        return StakeState(None, None)
    meta = StakeMeta(reader.u64(), reader.key(), reader.key())
    reader.take(48)
    if tag == 1:
        return StakeState(meta, None)
    voter, stake, activation, deactivation = reader.key(), reader.u64(), reader.u64(), reader.u64()
    reader.take(8)
    return StakeState(meta, Delegation(voter, stake, activation, deactivation, reader.u64()))


def read_stake(account: AccountView) -> StakeState:
    """State of a stake account; of an account that is none (a transient one never used): uninitialised."""
    if account.owner != STAKE:
        return StakeState(None, None)
    return decode_stake(account.data)


# --- Address lookup table ---------------------------------------------------------------------------------------------


def encode_lookup_table(addresses: list[Pubkey], authority: Pubkey, last_extended_slot: int) -> bytes:
    """An active table. Usable from the slot after ``last_extended_slot``."""
    header = u32(1) + u64(U64_MAX) + u64(last_extended_slot) + b"\0" + b"\x01" + bytes(authority) + b"\0\0"
    return header + b"".join(bytes(address) for address in addresses)
