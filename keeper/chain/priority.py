"""What to bid per compute unit."""

from __future__ import annotations

from collections.abc import Sequence

from solders.pubkey import Pubkey

from keeper.chain.rpc import MAX_FEE_ACCOUNTS, RpcClient
from keeper.units import MicroLamports


class PriorityFee:
    """A price inside [floor, cap], from what recently landed on the same writable accounts.

    The node reports the *minimum* per slot and zeros dominate, so the given ``percentile`` (1..100) of the non-zero values is
    taken (shared facts, execution.md 1.8). The cap is absolute: estimates are known to spike by orders of magnitude.
    """

    def __init__(self, rpc: RpcClient, *, floor: MicroLamports, cap: MicroLamports, percentile: int = 75) -> None:
        if not 1 <= percentile <= 100:
            raise ValueError(f"percentile is 1..100, got {percentile}")
        if floor > cap or floor.value < 0:
            raise ValueError(f"priority fee floor {floor} must lie between 0 and the cap {cap}")
        self._rpc = rpc
        self._floor = floor
        self._cap = cap
        self._percentile = percentile

    async def price(self, writable: Sequence[Pubkey]) -> MicroLamports:
        """The bid for a transaction that writes ``writable`` (the first 128 count). Raises ``RpcError``."""
        fees = await self._rpc.prioritization_fees(list(dict.fromkeys(writable))[:MAX_FEE_ACCOUNTS])
        return self.clamp(percentile_of([fee for _, fee in fees if fee], self._percentile))

    def clamp(self, price: MicroLamports | None) -> MicroLamports:
        """``price`` inside the bounds; the floor where nothing is known."""
        return self._floor if price is None else max(self._floor, min(self._cap, price))


def percentile_of(prices: Sequence[MicroLamports], percentile: int) -> MicroLamports | None:
    """Nearest-rank percentile; None of nothing."""
    if not prices:
        return None
    rank = -(-len(prices) * percentile // 100)
    return sorted(prices)[rank - 1]
