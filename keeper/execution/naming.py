"""Naming a transaction's error by the program that raised it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from solders.transaction import VersionedTransaction

from keeper.chain.answers import TransactionErr
from keeper.protocols.addresses import LOOKUP_TABLE_REGISTRY
from keeper.protocols.errors import ProgramErrors, explain
from keeper.protocols.glow_margin import (
    AIRSPACE_ERRORS,
    LOOKUP_REGISTRY_ERRORS,
    MARGIN_ERRORS,
    PYTH_PRICE_ERRORS,
)
from keeper.protocols.glow_margin_pool import POOL_ERRORS
from keeper.protocols.market import Market


@dataclass(frozen=True, slots=True)
class ErrorNames:
    """The error tables of this market's programs."""

    registry: ProgramErrors

    @classmethod
    def of(cls, market: Market) -> ErrorNames:
        """With the restaking program's own errors, where its IDL is known, and those of a configured lending market."""
        registry = ProgramErrors.standard()
        if market.lrt is not None:
            market.lrt.program.register_errors(registry)
        lending = market.lending
        if lending is not None:
            # Refreshing a raw position reads the oracle itself, so that one names its errors among margin's own.
            registry.register(
                lending.margin_program, "glow-margin", {**PYTH_PRICE_ERRORS, **MARGIN_ERRORS}, anchor=True
            )
            registry.register(
                lending.pool_program, "glow-margin-pool", {**PYTH_PRICE_ERRORS, **POOL_ERRORS}, anchor=True
            )
            registry.register(lending.airspace_program, "glow-airspace", AIRSPACE_ERRORS, anchor=True)
            registry.register(LOOKUP_TABLE_REGISTRY, "lookup-table-registry", LOOKUP_REGISTRY_ERRORS, anchor=True)
        return cls(registry)

    def name(self, err: TransactionErr, raw: bytes, logs: Sequence[str] = ()) -> str:
        """``"stake-pool: ExceededSlippage (39)"`` for the error of the transaction whose wire bytes are ``raw``."""
        message = VersionedTransaction.from_bytes(raw).message
        programs = [message.account_keys[call.program_id_index] for call in message.instructions]
        return explain(err, programs, logs=logs, registry=self.registry)
