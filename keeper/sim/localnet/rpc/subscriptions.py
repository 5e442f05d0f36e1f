"""Websocket subscriptions, without the sockets: what was asked for, and what follows from what happens in the bank.

A notification at ``processed`` goes out at once; at ``confirmed`` and ``finalized`` when the slot it belongs to is that
settled. Nothing here waits for anybody: a ``Subscriber`` takes text and must not block.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from solders.account import Account
from solders.pubkey import Pubkey
from solders.signature import Signature

from keeper.protocols.addresses import SYSTEM
from keeper.sim.localnet.interface import BankFace, TransactionRecord
from keeper.sim.localnet.rpc.account_data import AccountForm, account_json
from keeper.sim.localnet.rpc.dispatch import encode, failure, read_request, success
from keeper.sim.localnet.rpc.errors import INVALID_REQUEST, METHOD_NOT_FOUND, RpcError, invalid_params
from keeper.sim.localnet.rpc.filters import AccountFilter, passes, read_filters
from keeper.sim.localnet.rpc.heads import Heads
from keeper.sim.localnet.rpc.params import (
    Commitment,
    Params,
    as_boolean,
    as_list,
    as_pubkey,
    as_signature,
    unknown_variant,
)

_NOBODY = Account(0, b"", SYSTEM)
"""How a closed account is shown to its subscribers."""


class Subscriber(Protocol):
    """One client. ``send`` must not block; a client that does not keep up is the subscriber's own affair."""

    def send(self, text: bytes) -> None: ...


@dataclass(eq=False, slots=True)
class Subscription:
    """One subscription of one client. Which of the fields mean something depends on ``kind``."""

    number: int
    kind: str
    subscriber: Subscriber
    commitment: Commitment = Commitment.PROCESSED
    address: Pubkey | None = None
    signature: Signature | None = None
    form: AccountForm = field(default_factory=AccountForm)
    filters: list[AccountFilter] = field(default_factory=list)
    received: bool = False

    def notify(self, result: Any) -> None:
        """Send one notification."""
        params = {"result": result, "subscription": self.number}
        self.subscriber.send(encode({"jsonrpc": "2.0", "method": f"{self.kind}Notification", "params": params}))


@dataclass(slots=True)
class _Held:
    """What happened in one slot and waits for a commitment."""

    slot: int
    accounts: dict[Pubkey, Account | None] = field(default_factory=dict)
    records: list[TransactionRecord] = field(default_factory=list)


class Subscriptions:
    """All subscriptions of one node. A listener of the bank; subscribe it after the node's own ``JsonRpc``."""

    def __init__(self, bank: BankFace, heads: Heads) -> None:
        self._bank = bank
        self._heads = heads
        self._numbers = itertools.count(1)
        self._all: dict[int, Subscription] = {}
        self._by_kind: dict[str, dict[int, Subscription]] = {
            kind: {} for kind in ("account", "program", "logs", "signature", "slot", "root")
        }
        self._held: dict[Commitment, deque[_Held]] = {Commitment.CONFIRMED: deque(), Commitment.FINALIZED: deque()}
        self._root = heads.slot(Commitment.FINALIZED)
        bank.subscribe(self)

    def __len__(self) -> int:
        return len(self._all)

    def stop(self) -> None:
        """Stop listening to the bank and forget everybody."""
        self._bank.unsubscribe(self)
        for number in list(self._all):
            self._remove(number)

    # requests
    def answer(self, subscriber: Subscriber, request: Any) -> None:
        """Carry out one request object, or a batch, of a client; the answer is sent to it before any notification."""
        if isinstance(request, list):
            for item in request:
                self.answer(subscriber, item)
            return
        if not isinstance(request, dict):
            subscriber.send(encode(failure(None, RpcError(INVALID_REQUEST, "Invalid request"))))
            return
        if "id" not in request:
            return  # a notification, such as web3.js's ping
        try:
            name, values = read_request(request)
            result, made = self._carry_out(subscriber, name, Params(values))
        except RpcError as error:
            subscriber.send(encode(failure(request["id"], error)))
            return
        subscriber.send(encode(success(request["id"], result)))
        if made is not None and made.kind == "signature":
            self._settle(made)

    def _carry_out(self, subscriber: Subscriber, name: str, params: Params) -> tuple[Any, Subscription | None]:
        for kind, opened in self._openers().items():
            if name == f"{kind}Subscribe":
                made = opened(Subscription(next(self._numbers), kind, subscriber), params)
                self._all[made.number] = made
                self._by_kind[kind][made.number] = made
                return made.number, made
            if name == f"{kind}Unsubscribe":
                number = params.integer(0)
                known = self._by_kind[kind].get(number)
                if known is None or known.subscriber is not subscriber:
                    raise invalid_params("Invalid subscription id.")
                self._remove(number)
                return True, None
        raise RpcError(METHOD_NOT_FOUND, "Method not found")

    def _openers(self) -> dict[str, Callable[[Subscription, Params], Subscription]]:
        return {
            "account": self._open_account,
            "program": self._open_account,
            "logs": self._open_logs,
            "signature": self._open_signature,
            "slot": lambda made, _: made,
            "root": lambda made, _: made,
        }

    def _open_account(self, made: Subscription, params: Params) -> Subscription:
        made.address = params.pubkey(0)
        config = params.config(1)
        made.commitment, made.form = config.commitment(), AccountForm.read(config)
        if made.kind == "program":
            made.filters = read_filters(config)
        return made

    def _open_logs(self, made: Subscription, params: Params) -> Subscription:
        wanted = params.required(0)
        made.commitment = params.config(1).commitment()
        if isinstance(wanted, dict) and "mentions" in wanted:
            addresses = as_list(wanted["mentions"])
            if len(addresses) != 1:
                raise invalid_params("Invalid Request: Only 1 address supported")
            made.address = as_pubkey(addresses[0])
        elif wanted not in ("all", "allWithVotes"):
            raise unknown_variant(str(wanted), ("all", "allWithVotes", "mentions"))
        return made

    def _open_signature(self, made: Subscription, params: Params) -> Subscription:
        made.signature = as_signature(params.required(0))
        config = params.config(1)
        made.commitment = config.commitment()
        asked = config.get("enableReceivedNotification")
        made.received = False if asked is None else as_boolean(asked)
        return made

    def _remove(self, number: int) -> None:
        gone = self._all.pop(number, None)
        if gone is not None:
            del self._by_kind[gone.kind][number]

    def drop(self, subscriber: Subscriber) -> None:
        """Forget a client that went away."""
        for number in [number for number, known in self._all.items() if known.subscriber is subscriber]:
            self._remove(number)

    # what happens in the bank
    def on_account(self, key: Pubkey, account: Account | None, slot: int) -> None:
        """An account changed."""
        if not self._by_kind["account"] and not self._by_kind["program"]:
            return
        self._tell_account(Commitment.PROCESSED, key, account, slot)
        for held in self._holding(slot, ("account", "program")):
            held.accounts[key] = account

    def on_transaction(self, record: TransactionRecord) -> None:
        """A transaction entered the block."""
        for known in [sub for sub in self._by_kind["signature"].values() if sub.signature == record.signature]:
            if known.received:
                known.notify({"context": self._context(record.slot), "value": "receivedSignature"})
            self._settle(known)
        if self._by_kind["logs"]:
            self._tell_logs(Commitment.PROCESSED, record)
            for held in self._holding(record.slot, ("logs",)):
                held.records.append(record)

    def on_slot(self, slot: int, parent: int, root: int) -> None:  # noqa: ARG002 - the heads know the root by configured lag
        """A new slot began, so older ones are more settled now."""
        for commitment, waiting in self._held.items():
            while waiting and self._heads.level(waiting[0].slot) >= commitment:
                held = waiting.popleft()
                for key, account in held.accounts.items():
                    self._tell_account(commitment, key, account, held.slot)
                for record in held.records:
                    self._tell_logs(commitment, record)
        for known in list(self._by_kind["signature"].values()):
            self._settle(known)
        settled = self._heads.slot(Commitment.FINALIZED)
        for known in list(self._by_kind["slot"].values()):
            known.notify({"slot": slot, "parent": parent, "root": settled})
        for rooted in range(self._root + 1, settled + 1):
            if self._bank.block(rooted) is not None:
                for known in list(self._by_kind["root"].values()):
                    known.notify(rooted)
        self._root = settled

    def _holding(self, slot: int, kinds: tuple[str, ...]) -> list[_Held]:
        """Where to keep what happened in ``slot``: one place for each commitment that a subscription of ``kinds`` waits for."""
        found = []
        for commitment, waiting in self._held.items():
            if any(known.commitment == commitment for kind in kinds for known in self._by_kind[kind].values()):
                if not waiting or waiting[-1].slot != slot:
                    waiting.append(_Held(slot))
                found.append(waiting[-1])
        return found

    def _context(self, slot: int) -> dict[str, Any]:
        return {"slot": slot}

    def _tell_account(self, commitment: Commitment, key: Pubkey, account: Account | None, slot: int) -> None:
        shown = _NOBODY if account is None else account
        for known in list(self._by_kind["account"].values()):
            if known.commitment == commitment and known.address == key:
                value = account_json(self._bank, shown, known.form)
                known.notify({"context": self._context(slot), "value": value})
        for known in list(self._by_kind["program"].values()):
            if known.commitment == commitment and known.address == shown.owner and account is not None:
                if not passes(account, known.filters):
                    continue
                value = {"pubkey": str(key), "account": account_json(self._bank, account, known.form)}
                known.notify({"context": self._context(slot), "value": value})

    def _tell_logs(self, commitment: Commitment, record: TransactionRecord) -> None:
        for known in list(self._by_kind["logs"].values()):
            if known.commitment != commitment or (
                known.address is not None and known.address not in record.account_keys
            ):
                continue
            value = {"signature": str(record.signature), "err": record.err, "logs": list(record.logs)}
            known.notify({"context": self._context(record.slot), "value": value})

    def _settle(self, known: Subscription) -> None:
        """Notify and cancel a signature subscription whose transaction is settled enough."""
        if known.signature is None:
            return
        record = self._bank.transaction(known.signature)
        if record is None or self._heads.level(record.slot) < known.commitment:
            return
        known.notify({"context": self._context(self._bank.clock.slot), "value": {"err": record.err}})
        self._remove(known.number)
