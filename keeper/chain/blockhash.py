"""Blockhashes that are safe to sign with: read at confirmed, from a node that has not fallen behind."""

from __future__ import annotations

from keeper.chain.answers import Commitment, RecentBlockhash
from keeper.chain.errors import ChainError
from keeper.chain.rpc import RpcClient
from keeper.units import BlockHeight, Slot


class StaleBlockhash(ChainError):
    """The node's newest blockhash is too old to sign with: the node lags or is frozen."""


class BlockhashSource:
    """Fetches a hash each time it is asked; nothing is kept that could be stale.

    A node shortly before the cluster's limit hands out nearly dead hashes and still calls itself healthy, so a hash must have
    at least ``min_blocks_left`` blocks to live, and may not be read at a slot more than ``max_lag`` below the newest
    slot seen by anyone (``saw_slot``: websocket, reads).
    """

    def __init__(self, rpc: RpcClient, *, min_blocks_left: int = 100, max_lag: int = 32) -> None:
        self._rpc = rpc
        self._min_blocks_left = min_blocks_left
        self._max_lag = max_lag
        self._newest = Slot(0)

    def saw_slot(self, slot: Slot) -> None:
        """Tell of a slot that the cluster has reached."""
        self._newest = max(self._newest, slot)

    async def fresh(self, *, min_context_slot: Slot | None = None) -> tuple[RecentBlockhash, BlockHeight]:
        """A hash at confirmed and the block height it was judged at. Raises ``StaleBlockhash`` and ``RpcError``."""
        recent = await self._rpc.latest_blockhash(Commitment.CONFIRMED, min_context_slot=min_context_slot)
        if self._newest.since(recent.slot) > self._max_lag:
            raise StaleBlockhash(
                f"{self._rpc.endpoint} reads at slot {recent.slot}, the cluster has reached {self._newest}; "
                "the node lags or is frozen: use another one"
            )
        self.saw_slot(recent.slot)
        height = await self._rpc.block_height(Commitment.CONFIRMED)
        left = recent.last_valid_block_height.since(height)
        if left < self._min_blocks_left:
            raise StaleBlockhash(
                f"{self._rpc.endpoint} hands out a blockhash with {left} blocks to live (wanted {self._min_blocks_left})"
            )
        return recent, height
