"""What the localnet remembers: blocks, transactions, which addresses they named, statuses and fees. All of it bounded."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence

from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.signature import Signature

from keeper.sim.localnet.interface import BlockRecord, TransactionRecord

FEE_SLOTS = 150
"""Blocks for which getRecentPrioritizationFees answers."""


class LedgerHistory:
    """Blocks and transactions of the last ``slots`` slots, and at most ``transactions`` transactions."""

    def __init__(self, slots: int, transactions: int) -> None:
        if slots < 1 or transactions < 1:
            raise ValueError(f"history of {slots} slots and {transactions} transactions; each must be at least 1")
        self._slots = slots
        self._transactions = transactions
        self._blocks: OrderedDict[int, BlockRecord] = OrderedDict()
        self._records: OrderedDict[Signature, TransactionRecord] = OrderedDict()
        self._by_address: dict[Pubkey, deque[Signature]] = {}
        self._open: list[Signature] = []

    def add(self, record: TransactionRecord) -> None:
        """A transaction landed in the current block."""
        self._records[record.signature] = record
        self._open.append(record.signature)
        for key in record.account_keys:
            self._by_address.setdefault(key, deque()).append(record.signature)
        while len(self._records) > self._transactions:
            self._drop_oldest()

    def close(self, block: BlockRecord) -> None:
        """The current block is sealed; what is too old goes."""
        self._blocks[block.slot] = block
        self._open = []
        horizon = block.slot - self._slots
        while self._blocks and next(iter(self._blocks)) <= horizon:
            self._blocks.popitem(last=False)
        while self._records and next(iter(self._records.values())).slot <= horizon:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        signature, record = self._records.popitem(last=False)
        for key in record.account_keys:
            named = self._by_address[key]
            if named[0] != signature:
                raise RuntimeError(f"history of {key} is out of order at {signature}")
            named.popleft()
            if not named:
                del self._by_address[key]

    @property
    def open_signatures(self) -> tuple[Signature, ...]:
        """Signatures in the block that is being built, in order."""
        return tuple(self._open)

    def transaction(self, signature: Signature) -> TransactionRecord | None:
        return self._records.get(signature)

    def block(self, slot: int) -> BlockRecord | None:
        return self._blocks.get(slot)

    def signatures_for(self, address: Pubkey) -> list[Signature]:
        """Newest first."""
        return list(reversed(self._by_address.get(address, ())))


class StatusCache:
    """Signatures by blockhash, for as long as the blockhash lives: what AlreadyProcessed is decided by."""

    def __init__(self) -> None:
        self._seen: dict[Hash, set[Signature]] = {}

    def add(self, blockhash: Hash, signature: Signature) -> None:
        self._seen.setdefault(blockhash, set()).add(signature)

    def holds(self, blockhash: Hash, signature: Signature) -> bool:
        return signature in self._seen.get(blockhash, ())

    def keep(self, usable: Callable[[Hash], bool]) -> None:
        """Forget signatures under blockhashes that are not ``usable`` any more."""
        for blockhash in [known for known in self._seen if not usable(known)]:
            del self._seen[blockhash]


class RecentFees:
    """Compute-unit prices that landed, by block: the lowest of the block and of each writable account.

    As agave's ``PrioritizationFeeCache``: the answer for some accounts is the highest of those minima.
    """

    def __init__(self) -> None:
        self._blocks: deque[tuple[int, int, dict[Pubkey, int]]] = deque(maxlen=FEE_SLOTS)
        self._lowest: int | None = None
        self._accounts: dict[Pubkey, int] = {}

    def add(self, price: int, writable: Sequence[Pubkey]) -> None:
        """A transaction with ``price`` micro-lamports per unit landed in the current block."""
        self._lowest = price if self._lowest is None else min(self._lowest, price)
        for key in writable:
            self._accounts[key] = min(self._accounts.get(key, price), price)

    def close(self, slot: int) -> None:
        """The current block, of ``slot``, is sealed."""
        self._blocks.append((slot, self._lowest or 0, self._accounts))
        self._lowest, self._accounts = None, {}

    def read(self, writable: Sequence[Pubkey]) -> list[tuple[int, int]]:
        """(slot, micro-lamports per unit), oldest first."""
        return [
            (slot, max([low, *(prices.get(key, 0) for key in writable)]) if prices else low)
            for slot, low, prices in self._blocks
        ]
