"""What is examined: the configuration as far as the chain can confirm or deny it."""

from __future__ import annotations

from dataclasses import dataclass

from solders.pubkey import Pubkey

from keeper.chain.clock import Clock
from keeper.chain.rpc import RpcClient
from keeper.observe.discovery import LendingSource, LrtSource
from keeper.protocols.market import Market
from keeper.units import Lamports


@dataclass(frozen=True, slots=True)
class Case:
    """``rpc`` is examined, ``witnesses`` are only asked which chain they serve. ``owner`` is None where the wallet's key could
    not be read. ``lrt_fault``: why the configured access to the restaking program could not be made out. ``market``: as
    discovered, or None. ``patience``: seconds to wait for the node's next slot, 0 to take its word. ``scans``: whether whole
    programs may be searched for what is not configured."""

    rpc: RpcClient
    genesis_hash: str
    clock: Clock
    owner: Pubkey | None
    gas_reserve: Lamports
    witnesses: tuple[RpcClient, ...] = ()
    lrt: LrtSource | None = None
    lrt_fault: str = ""
    lending: LendingSource | None = None
    lookup_tables: tuple[Pubkey, ...] = ()
    market: Market | None = None
    patience: float = 0.0
    scans: bool = False
