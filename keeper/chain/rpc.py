"""The keeper's JSON-RPC client: typed methods over ``JsonRpc``, reads repeated, sends never.

Responses are parsed here and not by solders, whose parser panics on error objects without ``data`` and refuses names that it
does not know (shared facts, execution.md 7.3). Every method raises ``RpcError`` by name, except ``send_transaction``,
whose outcome is a value because "no answer" must not look like "not sent".
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2
from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.signature import Signature

from keeper.chain import decoding as read
from keeper.chain import results
from keeper.chain.accounts import Account, AccountSnapshot
from keeper.chain.answers import (
    AccountFilter,
    Commitment,
    DataSize,
    EpochInfo,
    Health,
    LandedTransaction,
    PerformanceSample,
    RecentBlockhash,
    SendResult,
    SignatureInfo,
    SignatureStatus,
    Simulation,
)
from keeper.chain.decoding import Malformed
from keeper.chain.errors import NodeUnhealthy, RpcBadResponse, RpcError, WrongCluster
from keeper.chain.retry import RetryPolicy
from keeper.chain.sending import send_result
from keeper.chain.transport import JsonRpc, RpcCall
from keeper.units import BlockHeight, Lamports, MicroLamports, Slot

T = TypeVar("T")

MAX_ACCOUNTS = 100  # getMultipleAccounts, Agave's MAX_MULTIPLE_ACCOUNTS
MAX_STATUSES = 256  # getSignatureStatuses, MAX_GET_SIGNATURE_STATUSES_QUERY_ITEMS
MAX_FEE_ACCOUNTS = 128  # getRecentPrioritizationFees, MAX_TX_ACCOUNT_LOCKS
TRANSACTION_VERSION = 1  # 0 or absent makes getTransaction fail on v1 transactions (-32015)
TOKEN_PROGRAMS = (
    Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"),
    Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"),
)


class RpcClient:
    """One node. ``timeout`` in seconds per request; ``commitment`` is what reads default to.

    ``observer`` is told of every HTTP request, repeats included. Use as an async context manager or call ``aclose``.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 10,
        commitment: str = Commitment.CONFIRMED,
        transport: httpx2.AsyncBaseTransport | None = None,
        retry: RetryPolicy | None = None,
        observer: Callable[[RpcCall], None] | None = None,
    ) -> None:
        self._rpc = JsonRpc(url, timeout=timeout, transport=transport, observer=observer)
        self._retry = retry if retry is not None else RetryPolicy()
        self.commitment = Commitment(commitment)

    @property
    def endpoint(self) -> str:
        """Host and port: safe to print and to label metrics with."""
        return self._rpc.label

    def __repr__(self) -> str:
        return f"RpcClient({self.endpoint})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._rpc.aclose()

    # --- where the chain stands

    async def slot(self, commitment: str | None = None) -> Slot:
        """The node's slot."""
        return await self._read("getSlot", [self._config(commitment)], lambda r: Slot(read.u64(r, "result")))

    async def block_height(self, commitment: str | None = None, *, min_context_slot: Slot | None = None) -> BlockHeight:
        """Number of blocks below the node's slot; what blockhashes age by."""
        config = self._config(commitment, min_context_slot)
        return await self._read("getBlockHeight", [config], lambda r: BlockHeight(read.u64(r, "result")))

    async def epoch_info(self, commitment: str | None = None) -> EpochInfo:
        """Epoch, slot and block height of one moment."""
        return await self._read("getEpochInfo", [self._config(commitment)], results.epoch_info)

    async def latest_blockhash(
        self, commitment: str | None = None, *, min_context_slot: Slot | None = None
    ) -> RecentBlockhash:
        """A blockhash to sign with. At confirmed: processed may be of a dropped fork, finalized is half spent."""
        config = self._config(commitment, min_context_slot)
        return await self._read("getLatestBlockhash", [config], results.latest_blockhash)

    async def blockhash_valid(self, blockhash: Hash, min_context_slot: Slot, commitment: str | None = None) -> bool:
        """Whether the hash can still be used. ``min_context_slot`` is the slot at which it was fetched: without it
        a lagging node's "not yet seen" reads as "expired"."""
        params = [str(blockhash), self._config(commitment, min_context_slot)]
        return await self._read(
            "isBlockhashValid", params, lambda r: read.flag(read.with_context(r)[1], "result.value")
        )

    async def performance_samples(self, limit: int = 5) -> list[PerformanceSample]:
        """Newest first, one a minute: for measured slot times."""
        return await self._read("getRecentPerformanceSamples", [limit], results.performance_samples)

    async def prioritization_fees(self, accounts: Sequence[Pubkey]) -> list[tuple[Slot, MicroLamports]]:
        """Per recent slot the *lowest* compute-unit price that landed writing ``accounts`` (at most 128)."""
        if len(accounts) > MAX_FEE_ACCOUNTS:
            raise ValueError(f"{len(accounts)} accounts for getRecentPrioritizationFees; it takes {MAX_FEE_ACCOUNTS}")
        params = [[str(key) for key in accounts]]
        return await self._read("getRecentPrioritizationFees", params, results.prioritization_fees)

    # --- the node itself

    async def genesis_hash(self) -> str:
        """The cluster's identity."""
        return await self._read("getGenesisHash", [], lambda r: str(read.blockhash(r, "result")))

    async def require_cluster(self, expected: str) -> None:
        """Raises ``WrongCluster`` unless the node's genesis hash is ``expected``."""
        actual = await self.genesis_hash()
        if actual != expected:
            raise WrongCluster(expected, actual)

    async def version(self) -> str:
        """The node's version, for logs."""
        return await self._read(
            "getVersion", [], lambda r: read.text(read.member(r, "solana-core", "result"), "solana-core")
        )

    async def health(self) -> Health:
        """What the node says of itself, asked once. Raises only where it does not say anything."""
        try:
            said = await self._rpc.call("getHealth", [])
        except NodeUnhealthy as error:
            return Health(False, error.slots_behind, error.message)
        return Health(said == "ok", None, "" if said == "ok" else f"getHealth said {said!r:.80}")

    # --- accounts

    async def account(self, key: Pubkey, *, min_context_slot: Slot | None = None) -> Account | None:
        """One account, None where it does not exist."""
        params = [str(key), self._config(None, min_context_slot, encoding="base64")]
        return await self._read(
            "getAccountInfo", params, lambda r: read.account(read.with_context(r)[1], "result.value")
        )

    async def accounts(self, keys: Sequence[Pubkey], min_context_slot: Slot | None = None) -> AccountSnapshot:
        """Many accounts, 100 a request; later requests may not be older than the first. See ``AccountSnapshot.torn``."""
        unique = list(dict.fromkeys(keys))
        if not unique:
            raise ValueError("accounts() needs at least one key: an empty snapshot would have no slot")
        found: dict[Pubkey, Account | None] = {}
        slots: list[Slot] = []
        for start in range(0, len(unique), MAX_ACCOUNTS):
            chunk = unique[start : start + MAX_ACCOUNTS]
            floor = slots[0] if slots else min_context_slot
            params = [[str(key) for key in chunk], self._config(None, floor, encoding="base64")]
            slot, part = await self._read("getMultipleAccounts", params, _accounts_of(chunk))
            slots.append(slot)
            found |= part
        return AccountSnapshot(min(slots), found, max(slots))

    async def program_accounts(
        self, program: Pubkey, filters: Sequence[AccountFilter] = (), *, min_context_slot: Slot | None = None
    ) -> AccountSnapshot:
        """All accounts of ``program`` that pass every filter (``DataSize``, ``MemCompare``)."""
        config = self._config(None, min_context_slot, encoding="base64", withContext=True)
        if filters:
            config["filters"] = [_filter(item) for item in filters]
        slot, found = await self._read("getProgramAccounts", [str(program), config], _keyed_accounts)
        return AccountSnapshot(slot, found, slot)

    async def token_accounts_by_owner(self, owner: Pubkey) -> AccountSnapshot:
        """The owner's token accounts of both token programs, raw: ``keeper.protocols.token`` decodes them."""
        found: dict[Pubkey, Account | None] = {}
        slots: list[Slot] = []
        for program in TOKEN_PROGRAMS:
            config = self._config(None, slots[0] if slots else None, encoding="base64")
            params = [str(owner), {"programId": str(program)}, config]
            slot, part = await self._read("getTokenAccountsByOwner", params, _keyed_accounts)
            slots.append(slot)
            found |= part
        return AccountSnapshot(min(slots), found, max(slots))

    async def balance(self, key: Pubkey, *, min_context_slot: Slot | None = None) -> Lamports:
        """Lamports of one account; zero where it does not exist."""
        params = [str(key), self._config(None, min_context_slot)]
        return await self._read(
            "getBalance", params, lambda r: Lamports(read.u64(read.with_context(r)[1], "result.value"))
        )

    async def rent_exempt(self, size: int) -> Lamports:
        """Least balance of an account with ``size`` data bytes. It is being cut in steps: never hard-code it."""
        return await self._read("getMinimumBalanceForRentExemption", [size], lambda r: Lamports(read.u64(r, "result")))

    # --- transactions

    async def simulate(
        self,
        raw: bytes,
        *,
        accounts: Sequence[Pubkey] = (),
        replace_blockhash: bool = True,
        min_context_slot: Slot | None = None,
    ) -> Simulation:
        """What the transaction would do; signatures are not checked. ``accounts`` are returned as they would be after."""
        config = self._config(
            None, min_context_slot, encoding="base64", sigVerify=False, replaceRecentBlockhash=replace_blockhash
        )
        if accounts:
            config["accounts"] = {"encoding": "base64", "addresses": [str(key) for key in accounts]}
        params = [base64.b64encode(raw).decode("ascii"), config]
        return await self._read("simulateTransaction", params, lambda r: results.simulation(r, accounts))

    async def send_transaction(
        self, raw: bytes, *, skip_preflight: bool = True, min_context_slot: Slot | None = None
    ) -> SendResult:
        """Hands signed bytes to the node, once. The node itself does not rebroadcast (maxRetries 0): that is our job.

        Raises ``ValueError`` for bytes that are not a signed transaction, and nothing else.
        """
        return await send_result(self._rpc, raw, self.commitment, skip_preflight, min_context_slot)

    async def signature_statuses(
        self, signatures: Sequence[Signature], search_history: bool = False
    ) -> list[SignatureStatus | None]:
        """One status per signature, None where the node knows nothing. Without ``search_history`` only recent slots."""
        found: list[SignatureStatus | None] = []
        for start in range(0, len(signatures), MAX_STATUSES):
            chunk = signatures[start : start + MAX_STATUSES]
            params = [[str(item) for item in chunk], {"searchTransactionHistory": search_history}]
            count = len(chunk)
            found += await self._read("getSignatureStatuses", params, _statuses_of(count))
        return found

    async def transaction(self, signature: Signature, commitment: str | None = None) -> LandedTransaction | None:
        """A landed transaction with its balances; None where the node does not know it (at confirmed or finalized)."""
        config = {
            "encoding": "json",
            "commitment": Commitment(commitment or self.commitment).value,
            "maxSupportedTransactionVersion": TRANSACTION_VERSION,
        }
        params = [str(signature), config]
        return await self._read("getTransaction", params, lambda r: results.landed_transaction(r, signature))

    async def signatures_for(
        self,
        address: Pubkey,
        limit: int = 1000,
        before: Signature | None = None,
        until: Signature | None = None,
    ) -> list[SignatureInfo]:
        """Transactions that name ``address``, newest first, at most 1000: older than ``before``, newer than ``until``."""
        config = self._config(None, limit=limit)
        if before is not None:
            config["before"] = str(before)
        if until is not None:
            config["until"] = str(until)
        return await self._read("getSignaturesForAddress", [str(address), config], results.signature_infos)

    # --- plumbing

    def _config(
        self, commitment: str | None, min_context_slot: Slot | None = None, **more: str | int | bool
    ) -> dict[str, Any]:
        config: dict[str, Any] = {"commitment": Commitment(commitment or self.commitment).value, **more}
        if min_context_slot is not None:
            config["minContextSlot"] = min_context_slot.value
        return config

    async def _read(self, method: str, params: list[Any], parse: Callable[[Any], T]) -> T:
        async for attempt in self._retry.retrying():
            with attempt:
                result = await self._rpc.call(method, params, attempt=attempt.retry_state.attempt_number)
                try:
                    return parse(result)
                except Malformed as error:
                    raise RpcBadResponse(str(error), method=method, endpoint=self.endpoint) from error
        raise RpcError("the retry loop ended without an outcome", method=method, endpoint=self.endpoint)


def _accounts_of(keys: Sequence[Pubkey]) -> Callable[[Any], tuple[Slot, dict[Pubkey, Account | None]]]:
    def parse(result: Any) -> tuple[Slot, dict[Pubkey, Account | None]]:
        slot, value = read.with_context(result)
        return slot, results.account_list(value, keys, "result.value")

    return parse


def _keyed_accounts(result: Any) -> tuple[Slot, dict[Pubkey, Account | None]]:
    slot, value = read.with_context(result)
    return slot, results.keyed_accounts(value, "result.value")


def _statuses_of(count: int) -> Callable[[Any], list[SignatureStatus | None]]:
    return lambda result: results.signature_statuses(result, count)


def _filter(item: AccountFilter) -> dict[str, Any]:
    if isinstance(item, DataSize):
        return {"dataSize": item.size}
    encoded = base64.b64encode(item.data).decode("ascii")
    return {"memcmp": {"offset": item.offset, "bytes": encoded, "encoding": "base64"}}
