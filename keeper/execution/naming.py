"""Naming a transaction's error by the program that raised it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from solders.transaction import VersionedTransaction

from keeper.chain.answers import TransactionErr
from keeper.protocols.errors import ProgramErrors, explain
from keeper.protocols.market import Market


@dataclass(frozen=True, slots=True)
class ErrorNames:
    """The error tables of this market's programs."""

    registry: ProgramErrors

    @classmethod
    def of(cls, market: Market) -> ErrorNames:
        """With the restaking program's own errors, where its IDL is known."""
        registry = ProgramErrors.standard()
        if market.lrt is not None:
            market.lrt.program.register_errors(registry)
        return cls(registry)

    def name(self, err: TransactionErr, raw: bytes, logs: Sequence[str] = ()) -> str:
        """``"stake-pool: ExceededSlippage (39)"`` for the error of the transaction whose wire bytes are ``raw``."""
        message = VersionedTransaction.from_bytes(raw).message
        programs = [message.account_keys[call.program_id_index] for call in message.instructions]
        return explain(err, programs, logs=logs, registry=self.registry)
