"""From bytes on the wire to the bank: decoding, and the way of a transaction through a node that may drop or delay it."""

from __future__ import annotations

import base64
import binascii
from collections import Counter

from solders.signature import Signature
from solders.transaction import VersionedTransaction

from keeper.sim.localnet.interface import BankFace, ChainClock, TransactionRejected
from keeper.sim.localnet.loading import PACKET_BYTES, V1_BYTES
from keeper.sim.localnet.rpc.base58 import decode_base58
from keeper.sim.localnet.rpc.errors import invalid_params
from keeper.sim.localnet.rpc.faults import Faults

_TYPE = "solana_transaction::versioned::VersionedTransaction"
_V1_PREFIX = 0x81


def decode_wire(text: str, encoding: str) -> bytes:
    """Bytes of a transaction or message in base58 (``binary``) or base64; -32602 in agave's words."""
    if encoding == "base64":
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise invalid_params(f"invalid base64 encoding: {error}") from error
    if encoding not in ("binary", "base58"):
        raise invalid_params(f"unsupported encoding: {encoding}. Supported encodings: base58, base64")
    # Checked before decoding: base58 takes quadratic time.
    longest = PACKET_BYTES * 138 // 100 + 1
    if len(text) > longest:
        raise invalid_params(
            f"base58 encoded {_TYPE} too large: {len(text)} bytes (max: encoded/raw {longest}/{PACKET_BYTES})"
        )
    try:
        return decode_base58(text)
    except ValueError as error:
        raise invalid_params(f"invalid base58 encoding: {error}") from error


def decode_transaction(text: str, encoding: str, *, partial: bool = False) -> VersionedTransaction:
    """The transaction in ``text``. Raises -32602 for a wrong encoding, too many bytes, or bytes that are no transaction.

    ``partial`` allows fewer signatures than the message asks for (a simulation that verifies none).
    """
    wire = decode_wire(text, encoding)
    limit = V1_BYTES if wire[:1] == bytes([_V1_PREFIX]) else PACKET_BYTES
    if len(wire) > limit:
        raise invalid_params(f"decoded {_TYPE} too large: {len(wire)} bytes (max: {limit} bytes)")
    try:
        transaction = VersionedTransaction.from_bytes(wire)
        if not partial:
            transaction.sanitize()
    except Exception as error:
        raise invalid_params(f"failed to deserialize {_TYPE}: {error}") from error
    return transaction


class Sender:
    """Carries accepted transactions into the bank at once, some slots later, or (a fault) not at all.

    As on a real node, an answer with a signature promises nothing: what the bank refuses is only counted, in ``refused`` by
    the name of the error. ``dropped`` counts what the fault swallowed.
    """

    def __init__(self, bank: BankFace, faults: Faults) -> None:
        self._bank = bank
        self._faults = faults
        self._waiting: dict[Signature, tuple[int, VersionedTransaction]] = {}
        self.dropped = 0
        self.refused: Counter[str] = Counter()
        bank.at_slot(self._release)

    def submit(self, transaction: VersionedTransaction) -> None:
        """Take a transaction whose signature was answered to the client."""
        if self._faults.drops_transaction():
            self.dropped += 1
            return
        delay = self._faults.rates.land_delay_slots
        if delay:
            due = self._bank.clock.slot + delay
            self._waiting.setdefault(transaction.signatures[0], (due, transaction))
            return
        self._execute(transaction)

    def _execute(self, transaction: VersionedTransaction) -> None:
        try:
            self._bank.process(transaction)
        except TransactionRejected as refusal:
            self.refused[refusal.error if isinstance(refusal.error, str) else next(iter(refusal.error))] += 1

    def _release(self, clock: ChainClock) -> None:
        for signature in [known for known, (due, _) in self._waiting.items() if due <= clock.slot]:
            _, transaction = self._waiting.pop(signature)
            self._execute(transaction)
