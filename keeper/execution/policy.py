"""How the executor may behave: caps, intervals and margins, all from configuration."""

from __future__ import annotations

from dataclasses import dataclass

from solders.pubkey import Pubkey

from keeper.protocols.addresses import JUPITER_V6
from keeper.units import Bps, ComputeUnits, MicroLamports


@dataclass(frozen=True, slots=True)
class ExecutionPolicy:
    """Bounds of execution. Intervals are seconds of the injected clock.

    ``max_unit_price``: cap on the compute-unit price, whatever the source says. ``max_slippage``: the widest slippage a swap
    may be built with, even where the intent's bound would allow more. ``single_endpoint_margin``: finalised blocks
    beyond lastValidBlockHeight to wait for where no second endpoint confirms the expiry. ``venue_programs``: the programs
    that swap instructions may call. ``backoff``: cap of the wait between polls while the endpoints do not answer.
    ``max_view_age``: slots that may pass between the View of a plan and the blockhash that it is signed with.
    ``compute_margin`` and ``compute_overhead``: what the compute-unit limit is above the units that the simulation used.
    """

    max_unit_price: MicroLamports = MicroLamports(200_000)
    max_slippage: Bps = Bps(100)
    rebroadcast_interval: float = 1.0
    poll_interval: float = 0.5
    backoff: float = 5.0
    single_endpoint_margin: int = 32
    max_view_age: int = 150
    venue_programs: frozenset[Pubkey] = frozenset({JUPITER_V6})
    compute_margin: Bps = Bps(1_500)
    compute_overhead: ComputeUnits = ComputeUnits(300)

    def __post_init__(self) -> None:
        for name in ("rebroadcast_interval", "poll_interval", "backoff"):
            if getattr(self, name) <= 0:
                raise ValueError(f"execution policy: {name} must be positive, got {getattr(self, name)}")
        if self.single_endpoint_margin < 0:
            raise ValueError(f"execution policy: single_endpoint_margin is negative ({self.single_endpoint_margin})")
        if not Bps(0) <= self.max_slippage <= Bps(10_000):
            raise ValueError(f"execution policy: max_slippage lies in 0..10000 bps, got {self.max_slippage}")
