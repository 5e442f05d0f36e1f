"""Slots, blocks, blockhashes and the clock of the localnet.

A slot may be skipped: then it has no block, its number and its time pass, and no blockhash ages. Everything follows from the
configuration; the same seed gives the same chain.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict, deque

from solders.hash import Hash

from keeper.sim.localnet.interface import BankConfig, ChainClock

MAX_PROCESSING_AGE = 150
"""A blockhash may be this many blocks old; age counts from 0, so 151 hashes are usable (solana-sdk clock)."""
ROOT_DISTANCE = 32
"""Blocks between the newest block and the root."""
_BPS = 10_000


def validate(config: BankConfig) -> None:
    """Raises ``ValueError`` that names the field of an impossible configuration."""
    for name in ("slot_ms", "warp", "slots_per_epoch"):
        if getattr(config, name) < 1:
            raise ValueError(f"{name} is {getattr(config, name)}; it must be at least 1")
    for name in ("start_unix", "start_epoch"):
        if getattr(config, name) < 0:
            raise ValueError(f"{name} is {getattr(config, name)}; it must not be negative")
    if config.start_slot < 1:
        raise ValueError(f"start_slot is {config.start_slot}; it must be at least 1, because it has a parent")
    if not 0 <= config.skip_rate_bps < _BPS:
        raise ValueError(f"skip_rate_bps is {config.skip_rate_bps}; it must be from 0 to 9,999")


class Timeline:
    """Where the chain is in time. The current slot is the one whose block is being built."""

    def __init__(self, config: BankConfig) -> None:
        validate(config)
        self._config = config
        self.slot = config.start_slot
        self.parent_slot = config.start_slot - 1
        # Below the slot number, as on mainnet, so that nobody can confuse the two.
        self.block_height = config.start_slot - config.start_slot // 16
        self._recent: deque[int] = deque([self.parent_slot], maxlen=ROOT_DISTANCE)
        self._hashes: OrderedDict[Hash, int] = OrderedDict()
        self._register(self.hash_of(self.parent_slot), self.block_height - 1)

    def hash_of(self, slot: int) -> Hash:
        """The blockhash of the block in ``slot``."""
        return Hash(hashlib.sha256(f"glow-keeper localnet {self._config.seed} block {slot}".encode()).digest())

    def _register(self, blockhash: Hash, height: int) -> None:
        self._hashes[blockhash] = height
        while len(self._hashes) > MAX_PROCESSING_AGE + 1:
            self._hashes.popitem(last=False)

    @property
    def latest(self) -> tuple[Hash, int]:
        """(newest blockhash, last block height at which getLatestBlockhash calls it valid)."""
        blockhash, height = next(reversed(self._hashes.items()))
        return blockhash, height + MAX_PROCESSING_AGE

    def usable(self, blockhash: Hash) -> bool:
        """Whether a transaction with ``blockhash`` may enter the current block."""
        return blockhash in self._hashes

    def skipped(self, slot: int) -> bool:
        """Whether ``slot`` has no leader that turns up."""
        if not self._config.skip_rate_bps:
            return False
        digest = hashlib.sha256(f"glow-keeper localnet {self._config.seed} leader {slot}".encode()).digest()
        return int.from_bytes(digest[:8], "little") % _BPS < self._config.skip_rate_bps

    def close_block(self) -> None:
        """Seal the current block and move to the next slot that is not skipped."""
        self._register(self.hash_of(self.slot), self.block_height)
        self._recent.append(self.slot)
        self.parent_slot = self.slot
        self.block_height += 1
        self.slot += 1
        while self.skipped(self.slot):
            self.slot += 1

    @property
    def root(self) -> int:
        """Slot of the block that lies ``ROOT_DISTANCE`` blocks behind the current one, or the oldest there is."""
        return self._recent[0]

    def unix_of(self, slot: int) -> int:
        """Chain time of ``slot`` in seconds: exact integer milliseconds, cut to seconds."""
        config = self._config
        return config.start_unix + (slot - config.start_slot) * config.slot_ms * config.warp // 1_000

    @property
    def clock(self) -> ChainClock:
        config = self._config
        epochs, index = divmod(self.slot - config.start_slot, config.slots_per_epoch)
        return ChainClock(
            slot=self.slot,
            block_height=self.block_height,
            epoch=config.start_epoch + epochs,
            epoch_start_timestamp=self.unix_of(self.slot - index),
            unix_timestamp=self.unix_of(self.slot),
            slot_index=index,
            slots_per_epoch=config.slots_per_epoch,
        )
