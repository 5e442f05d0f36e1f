"""State, addresses, errors and arithmetic of the modelled glowSOL program.

The mainnet program is closed source. Instruction and account names, the 7-day queue of eight slots, the 0.1 SOL floor and the
floor rounding are from the shared facts (protocol.md 1.1-1.5); layouts and account orders are the localnet's, and published
in the IDL that drives every caller.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_LRT
from keeper.sim.localnet.interface import ProgramError
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.anchor import AnchorError, account_discriminator
from keeper.sim.localnet.programs.borsh import Reader, i64, u8, u16, u32, u64

POOL_DISCRIMINATOR = account_discriminator("LrtPool")
QUEUE_DISCRIMINATOR = account_discriminator("PendingWithdrawals")
QUEUE_SLOTS = 8
POOL_SIZE = 8 + 2 + 8 * 32 + 8 + 4 + 2 + 3 * 8
QUEUE_SIZE = 8 + 64 + 8 + 8 + 8 + QUEUE_SLOTS * 28
MINIMUM_RESERVE = 100_000_000
WAITING_PERIOD = 604_800
BPS = 10_000
U64_MAX = 2**64 - 1


class LrtError(IntEnum):
    """Custom codes, in the order of the IDL."""

    POOL_PAUSED = 6000
    ZERO_AMOUNT = 6001
    DEPOSIT_CAP_EXCEEDED = 6002
    STAKE_POOL_OUT_OF_DATE = 6003
    SLIPPAGE_EXCEEDED = 6004
    TOO_MANY_PENDING_WITHDRAWALS = 6005
    INVALID_WITHDRAWAL_INDEX = 6006
    WAITING_PERIOD_NOT_PASSED = 6007
    MINIMUM_RESERVE_BREACHED = 6008
    PENDING_WITHDRAWALS_NOT_EMPTY = 6009
    UNAUTHORIZED = 6010
    INVALID_CONFIGURATION = 6011
    MATH_OVERFLOW = 6012

    @property
    def title(self) -> str:
        """The name as the IDL and the logs write it."""
        return "".join(word.capitalize() for word in self.name.split("_"))

    def error(self) -> ProgramError:
        return ProgramError.custom(self.value, self.title)


ERROR_MESSAGES: dict[LrtError, str] = {
    LrtError.POOL_PAUSED: "The pool is paused",
    LrtError.ZERO_AMOUNT: "Amounts of assets and shares must not be zero",
    LrtError.DEPOSIT_CAP_EXCEEDED: "The deposit would lift total assets above the pool's cap",
    LrtError.STAKE_POOL_OUT_OF_DATE: "The stake pool was not updated in this epoch",
    LrtError.SLIPPAGE_EXCEEDED: "Fewer shares than the minimum",
    LrtError.TOO_MANY_PENDING_WITHDRAWALS: "All eight slots of the withdrawal queue are in use",
    LrtError.INVALID_WITHDRAWAL_INDEX: "No pending withdrawal at this index",
    LrtError.WAITING_PERIOD_NOT_PASSED: "The waiting period of this withdrawal has not passed",
    LrtError.MINIMUM_RESERVE_BREACHED: "The pool must keep its minimum reserve of liquid SOL",
    LrtError.PENDING_WITHDRAWALS_NOT_EMPTY: "The queue still holds withdrawals",
    LrtError.UNAUTHORIZED: "Only the pool's admin may do this",
    LrtError.INVALID_CONFIGURATION: "Configuration value out of range",
    LrtError.MATH_OVERFLOW: "Arithmetic overflow",
}


def checked_u64(value: int) -> int:
    """Raises MathOverflow outside 0..2**64-1."""
    if not 0 <= value <= U64_MAX:
        raise LrtError.MATH_OVERFLOW.error()
    return value


@dataclass(slots=True)
class LrtPool:
    """The pool account. Its lamports above rent exemption are its liquid SOL. Cap, reserve and pending assets are lamports."""

    bump: int
    paused: bool
    admin: Pubkey
    glowsol_mint: Pubkey
    ssol_mint: Pubkey
    lst_mint: Pubkey
    stake_pool: Pubkey
    restaking_pool: Pubkey
    ssol_vault: Pubkey
    share_escrow: Pubkey
    deposit_cap: int
    waiting_period: int = WAITING_PERIOD
    cancel_fee_bps: int = 10
    minimum_reserve: int = MINIMUM_RESERVE
    pending_assets: int = 0
    pending_shares: int = 0

    @classmethod
    def decode(cls, data: bytes) -> LrtPool:
        reader = Reader(data, 8, error=AnchorError.ACCOUNT_DID_NOT_DESERIALIZE.error("pool"))
        return cls(
            bump=reader.u8(),
            paused=reader.flag(),
            admin=reader.key(),
            glowsol_mint=reader.key(),
            ssol_mint=reader.key(),
            lst_mint=reader.key(),
            stake_pool=reader.key(),
            restaking_pool=reader.key(),
            ssol_vault=reader.key(),
            share_escrow=reader.key(),
            deposit_cap=reader.u64(),
            waiting_period=reader.u32(),
            cancel_fee_bps=reader.u16(),
            minimum_reserve=reader.u64(),
            pending_assets=reader.u64(),
            pending_shares=reader.u64(),
        )

    def encode(self) -> bytes:
        return b"".join(
            (
                POOL_DISCRIMINATOR,
                u8(self.bump),
                u8(self.paused),
                bytes(self.admin),
                bytes(self.glowsol_mint),
                bytes(self.ssol_mint),
                bytes(self.lst_mint),
                bytes(self.stake_pool),
                bytes(self.restaking_pool),
                bytes(self.ssol_vault),
                bytes(self.share_escrow),
                u64(self.deposit_cap),
                u32(self.waiting_period),
                u16(self.cancel_fee_bps),
                u64(self.minimum_reserve),
                u64(self.pending_assets),
                u64(self.pending_shares),
            )
        )

    @property
    def seeds(self) -> cpi.Seeds:
        return (b"lrt_pool", bytes(self.glowsol_mint), bytes([self.bump]))


@dataclass(frozen=True, slots=True)
class PendingWithdrawal:
    """One slot: lamports fixed at the request and the shares in escrow for them. All zero: the slot is free."""

    pending_assets: int = 0
    pending_shares: int = 0
    requested_at: int = 0
    waiting_period: int = 0

    @property
    def is_free(self) -> bool:
        return self.pending_shares == 0

    @property
    def ripe_at(self) -> int:
        return self.requested_at + self.waiting_period


FREE_SLOT = PendingWithdrawal()


@dataclass(slots=True)
class PendingWithdrawals:
    """An owner's queue at one pool. Totals and the earliest ripe time are kept beside the slots (0 when none)."""

    owner: Pubkey
    pool: Pubkey
    slots: list[PendingWithdrawal] = field(default_factory=lambda: [FREE_SLOT] * QUEUE_SLOTS)

    @classmethod
    def decode(cls, data: bytes) -> PendingWithdrawals:
        reader = Reader(data, 8, error=AnchorError.ACCOUNT_DID_NOT_DESERIALIZE.error("pending_withdrawals"))
        owner, pool = reader.key(), reader.key()
        reader.take(24)
        slots = [PendingWithdrawal(reader.u64(), reader.u64(), reader.i64(), reader.u32()) for _ in range(QUEUE_SLOTS)]
        return cls(owner, pool, slots)

    @property
    def total_pending_assets(self) -> int:
        return sum(slot.pending_assets for slot in self.slots)

    @property
    def total_pending_shares(self) -> int:
        return sum(slot.pending_shares for slot in self.slots)

    @property
    def earliest_withdrawal_timestamp(self) -> int:
        return min((slot.ripe_at for slot in self.slots if not slot.is_free), default=0)

    def encode(self) -> bytes:
        head = QUEUE_DISCRIMINATOR + bytes(self.owner) + bytes(self.pool)
        totals = (
            u64(self.total_pending_assets) + u64(self.total_pending_shares) + i64(self.earliest_withdrawal_timestamp)
        )
        slots = b"".join(
            u64(slot.pending_assets) + u64(slot.pending_shares) + i64(slot.requested_at) + u32(slot.waiting_period)
            for slot in self.slots
        )
        return head + totals + slots

    def taken(self, index: int) -> PendingWithdrawal:
        """The withdrawal at ``index``. Raises InvalidWithdrawalIndex for a free slot or no slot."""
        if index >= QUEUE_SLOTS or self.slots[index].is_free:
            raise LrtError.INVALID_WITHDRAWAL_INDEX.error()
        return self.slots[index]


# --- share arithmetic: u128 intermediates, floor ----------------------------------------------------------------------


def shares_for(assets: int, total_assets: int, outstanding: int) -> int:
    """Shares minted for ``assets`` lamports; 1:1 while none are outstanding.

    Raises MathOverflow when shares are outstanding that nothing backs.
    """
    if outstanding == 0:
        return checked_u64(assets)
    if total_assets == 0:
        raise LrtError.MATH_OVERFLOW.error()
    return checked_u64(assets * outstanding // total_assets)


def assets_for(shares: int, total_assets: int, outstanding: int) -> int:
    """Lamports that ``shares`` redeem for."""
    return checked_u64(shares * total_assets // outstanding)


def cancelled_shares(slot: PendingWithdrawal, total_assets: int, outstanding: int, fee_bps: int) -> int:
    """Shares that come back when a request is cancelled; the others of the slot are burnt, which benefits all holders.

    A request stops earning when it is made: its assets are fixed. So what comes back is never worth more than those
    assets today, and the fee (rounded up) comes off it. Giving all shares back instead would pay the queue's missed
    rewards out of the other holders' rate. While the rate has not moved this is simply shares less the fee.
    """
    worth = slot.pending_shares
    limit = worth
    if outstanding and total_assets:
        worth = min(worth, -(-slot.pending_assets * outstanding // total_assets))
        limit = slot.pending_assets * outstanding // total_assets
    return min(worth - -(-worth * fee_bps // BPS), limit)


# --- addresses --------------------------------------------------------------------------------------------------------


def pool_address(glowsol_mint: Pubkey) -> tuple[Pubkey, int]:
    return Pubkey.find_program_address([b"lrt_pool", bytes(glowsol_mint)], GLOW_LRT)


def queue_address(pool: Pubkey, owner: Pubkey) -> tuple[Pubkey, int]:
    return Pubkey.find_program_address([b"pending_withdrawals", bytes(pool), bytes(owner)], GLOW_LRT)


def staging_address(pool: Pubkey) -> tuple[Pubkey, int]:
    """A system-owned PDA through which SOL passes on its way into the stake pool (a data account cannot send SOL)."""
    return Pubkey.find_program_address([b"sol_staging", bytes(pool)], GLOW_LRT)
