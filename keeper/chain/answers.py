"""What a node tells us, as frozen values. Amounts and positions carry their units; errors stay in Solana's JSON shape,
because the set of their names grows with every release (shared facts, execution.md 1.6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.signature import Signature

from keeper.chain.accounts import Account
from keeper.chain.errors import RpcError
from keeper.units import BlockHeight, ComputeUnits, Epoch, Lamports, Mint, Slot, TokenAmount, UnixTime

TransactionErr = str | dict[str, Any]
"""A TransactionError as JSON: ``"BlockhashNotFound"`` or ``{"InstructionError": [1, {"Custom": 17}]}``."""


class Commitment(StrEnum):
    """How settled a slot is; ordered, so that ``status.confirmation >= Commitment.CONFIRMED`` reads as it means."""

    PROCESSED = "processed"
    CONFIRMED = "confirmed"
    FINALIZED = "finalized"

    @property
    def _rank(self) -> int:
        return ("processed", "confirmed", "finalized").index(self.value)

    def __lt__(self, other: str) -> bool:
        return self._rank < Commitment(other)._rank

    def __le__(self, other: str) -> bool:
        return self._rank <= Commitment(other)._rank

    def __gt__(self, other: str) -> bool:
        return self._rank > Commitment(other)._rank

    def __ge__(self, other: str) -> bool:
        return self._rank >= Commitment(other)._rank


@dataclass(frozen=True, slots=True)
class EpochInfo:
    """Where the chain stands. ``slot_index`` counts from the epoch's first slot."""

    epoch: Epoch
    slot_index: int
    slots_in_epoch: int
    absolute_slot: Slot
    block_height: BlockHeight


@dataclass(frozen=True, slots=True)
class RecentBlockhash:
    """A blockhash, the last block height at which it may land, and the slot it was read at."""

    hash: Hash
    last_valid_block_height: BlockHeight
    slot: Slot


@dataclass(frozen=True, slots=True)
class SignatureStatus:
    """What became of a transaction so far. In a block does not mean that it ran: look at ``err``."""

    slot: Slot
    confirmation: Commitment
    err: TransactionErr | None


@dataclass(frozen=True, slots=True)
class Sent:
    """The node took the bytes (or knew them already). That is all it says: landing is a matter of statuses."""

    signature: Signature


@dataclass(frozen=True, slots=True)
class Refused:
    """The node did not forward the bytes, and says why. Earlier or parallel sends of them may still land."""

    error: RpcError


@dataclass(frozen=True, slots=True)
class Unknown:
    """The bytes may be on their way or not: timeout, reset, gateway error, garbage. Treat the attempt as in flight."""

    reason: str
    error: RpcError


SendResult = Sent | Refused | Unknown


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a transaction would do at ``slot``. ``accounts`` is empty when ``err`` is set (the node returns none then).

    ``loaded_data_size`` in bytes and ``fee`` are None on nodes that do not report them.
    """

    err: TransactionErr | None
    logs: tuple[str, ...]
    units: ComputeUnits
    accounts: Mapping[Pubkey, Account | None]
    slot: Slot
    replacement: RecentBlockhash | None = None
    return_data: tuple[Pubkey, bytes] | None = None
    loaded_data_size: int | None = None
    fee: Lamports | None = None


@dataclass(frozen=True, slots=True)
class TokenBalance:
    """Balance of one token account before or after a transaction. ``owner`` is None in very old records."""

    account: Pubkey
    owner: Pubkey | None
    amount: TokenAmount


@dataclass(frozen=True, slots=True)
class LandedTransaction:
    """A transaction in a block, as the ledger books it. Balances are parallel to ``account_keys``
    (static keys, then loaded writable, then loaded read-only)."""

    signature: Signature
    slot: Slot
    block_time: UnixTime | None
    err: TransactionErr | None
    fee: Lamports
    units: ComputeUnits | None
    account_keys: tuple[Pubkey, ...]
    pre_balances: tuple[Lamports, ...]
    post_balances: tuple[Lamports, ...]
    pre_token_balances: tuple[TokenBalance, ...]
    post_token_balances: tuple[TokenBalance, ...]
    logs: tuple[str, ...] = field(default=(), repr=False)

    def lamports_change(self, key: Pubkey) -> Lamports:
        """Change of ``key``'s lamports, fee included; zero where the transaction does not name it."""
        if key not in self.account_keys:
            return Lamports(0)
        index = self.account_keys.index(key)
        return self.post_balances[index] - self.pre_balances[index]

    def token_change(self, owner: Pubkey, mint: Mint) -> TokenAmount:
        """Change of ``owner``'s holdings of ``mint`` over all its token accounts in this transaction."""
        total = TokenAmount(mint, 0)
        for sign, balances in ((1, self.post_token_balances), (-1, self.pre_token_balances)):
            for balance in balances:
                if balance.owner == owner and balance.amount.mint == mint:
                    total = total + TokenAmount(mint, balance.amount.units * sign)
        return total


@dataclass(frozen=True, slots=True)
class SignatureInfo:
    """One line of an address's history."""

    signature: Signature
    slot: Slot
    err: TransactionErr | None
    block_time: UnixTime | None
    confirmation: Commitment | None


@dataclass(frozen=True, slots=True)
class PerformanceSample:
    """``slots`` slots took ``seconds`` seconds up to ``slot``: slot times are measured, never assumed."""

    slot: Slot
    slots: int
    transactions: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the node calls itself healthy. A frozen node does, too: freshness is judged by slots."""

    ok: bool
    slots_behind: int | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class DataSize:
    """Filter of getProgramAccounts: accounts with exactly ``size`` data bytes."""

    size: int


@dataclass(frozen=True, slots=True)
class MemCompare:
    """Filter of getProgramAccounts: accounts whose data has ``data`` at ``offset``."""

    offset: int
    data: bytes


AccountFilter = DataSize | MemCompare
