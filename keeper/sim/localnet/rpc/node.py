"""What every RPC method works on: one node's view of the bank."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from solders.account import Account
from solders.hash import Hash
from solders.pubkey import Pubkey

from keeper.sim.localnet import genesis
from keeper.sim.localnet.interface import BankFace, TransactionRecord
from keeper.sim.localnet.rpc.faults import Faults
from keeper.sim.localnet.rpc.heads import Heads
from keeper.sim.localnet.rpc.params import Params
from keeper.sim.localnet.rpc.performance import Performance
from keeper.sim.localnet.rpc.sending import Sender


@dataclass(frozen=True, slots=True)
class Node:
    """``market`` gives the addresses of the market in the box, as JSON; None where there is no market."""

    bank: BankFace
    heads: Heads
    faults: Faults
    sender: Sender
    performance: Performance
    market: Callable[[], dict[str, Any]] | None

    @property
    def identity(self) -> Pubkey:
        """The node's identity, made from the seed: the only leader of the box."""
        return genesis.leader(self.bank.config.seed)

    @property
    def genesis_hash(self) -> Hash:
        """Made from the seed, so that two localnets of one seed are the same cluster."""
        return Hash(hashlib.sha256(f"glow-keeper localnet {self.bank.config.seed} genesis".encode()).digest())


Method = Callable[[Node, Params], Any | Awaitable[Any]]


class HeadKeeper:
    """The bank's listener behind a node: notes each slot's head and counts transactions."""

    def __init__(self, heads: Heads, performance: Performance) -> None:
        self._heads = heads
        self._performance = performance

    def on_slot(self, slot: int, parent: int, root: int) -> None:  # noqa: ARG002 - the listener's signature
        """A new slot began."""
        self._heads.note()
        self._performance.slot(slot)

    def on_transaction(self, record: TransactionRecord) -> None:  # noqa: ARG002 - as above
        """A transaction entered the block."""
        self._performance.transaction()

    def on_account(self, key: Pubkey, account: Account | None, slot: int) -> None:
        """Accounts are always read from the bank itself."""
