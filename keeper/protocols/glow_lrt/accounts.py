"""What the keeper reads out of the program's accounts, in its own units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from solders.pubkey import Pubkey

from keeper.units import Bps, Duration, Lamports, UnixTime


@dataclass(frozen=True, slots=True)
class LrtPool:
    """The liquid restaking pool. ``pending_shares`` are base units of glowSOL that wait in the queue; ``fields`` is the
    account struct as the IDL names it."""

    paused: bool
    cap: Lamports
    waiting_period: Duration
    cancel_fee: Bps
    pending_assets: Lamports
    pending_shares: int
    minimum_reserve: Lamports
    glowsol_mint: Pubkey
    ssol_mint: Pubkey
    stake_pool: Pubkey
    ssol_vault: Pubkey
    fields: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class QueueSlot:
    """One withdrawal that waits: ``assets`` were fixed when it was requested, ``shares`` are base units of glowSOL."""

    index: int
    assets: Lamports
    shares: int
    requested_at: UnixTime
    waiting: Duration

    @property
    def ready_at(self) -> UnixTime:
        """The moment from which it can be claimed."""
        return self.requested_at.after(self.waiting)
