"""What execution asks of the chain: the part of ``keeper.chain`` that it uses, narrow enough to be played by a test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from solders.pubkey import Pubkey
from solders.signature import Signature

from keeper.chain.accounts import AccountSnapshot
from keeper.chain.answers import LandedTransaction, RecentBlockhash, SignatureStatus, Simulation
from keeper.chain.pool import Broadcast
from keeper.units import BlockHeight, Slot


class Node(Protocol):
    """One endpoint (``keeper.chain.rpc.RpcClient``). Every call raises ``RpcError`` where no usable answer came."""

    async def block_height(
        self, commitment: str | None = None, *, min_context_slot: Slot | None = None
    ) -> BlockHeight: ...

    async def latest_blockhash(
        self, commitment: str | None = None, *, min_context_slot: Slot | None = None
    ) -> RecentBlockhash: ...

    async def accounts(self, keys: Sequence[Pubkey], min_context_slot: Slot | None = None) -> AccountSnapshot: ...

    async def token_accounts_by_owner(self, owner: Pubkey) -> AccountSnapshot: ...

    async def signature_statuses(
        self, signatures: Sequence[Signature], search_history: bool = False
    ) -> list[SignatureStatus | None]: ...

    async def simulate(
        self,
        raw: bytes,
        *,
        accounts: Sequence[Pubkey] = (),
        replace_blockhash: bool = True,
        min_context_slot: Slot | None = None,
    ) -> Simulation: ...

    async def transaction(self, signature: Signature, commitment: str | None = None) -> LandedTransaction | None: ...


class Network(Protocol):
    """The endpoints (``keeper.chain.pool.Endpoints``): one to read from, and others that also take sends and bear witness."""

    @property
    def primary(self) -> Node: ...

    @property
    def others(self) -> Sequence[Node]: ...

    async def broadcast(self, raw: bytes) -> Broadcast: ...
