"""What a v1 swap request says about priority fees and tips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.sim.localnet import genesis
from keeper.sim.localnet.fees import MICRO, priority_fee
from keeper.sim.localnet.interface import BankFace
from keeper.sim.localnet.jupiter.composition import price_at
from keeper.sim.localnet.jupiter.errors import ErrorCode, JupiterError, unreadable_body
from keeper.sim.localnet.jupiter.requests import body_pubkey, body_unsigned, field
from keeper.sim.localnet.programs import cpi

PERCENTILES = {"medium": 2_500, "high": 5_000, "veryHigh": 7_500}
AUTO_MAX_LAMPORTS = 5_000_000
"""The cap of ``"auto"``."""


@dataclass(frozen=True, slots=True)
class FeeChoice:
    """``unit_price`` in micro-lamports per compute unit; ``priority_lamports`` what it makes of the limit; ``tip`` or None."""

    unit_price: int
    priority_lamports: int
    tip: Instruction | None


def tip_instruction(bank: BankFace, payer: Pubkey, lamports: int) -> Instruction:
    """A tip: a transfer to the leader of the box."""
    return cpi.system_transfer(payer, genesis.leader(bank.config.seed), lamports)


def _for_lamports(lamports: int, limit: int) -> int:
    """The highest unit price whose fee on ``limit`` units stays within ``lamports``."""
    return lamports * MICRO // limit


def choose_fees(
    bank: BankFace, body: Mapping[str, Any], payer: Pubkey, instructions: Sequence[Instruction], limit: int
) -> FeeChoice:
    """From ``computeUnitPriceMicroLamports`` or ``prioritizationFeeLamports``, which exclude each other.

    Raises ``JupiterError`` INVALID_COMPUTE_UNIT_PRICE_AND_PRIORITIZATION_FEE for both, 422 for an unknown form.
    """
    asked = body.get("prioritizationFeeLamports")
    price = body_unsigned(body, "computeUnitPriceMicroLamports")
    if asked is not None and price is not None:
        raise JupiterError(
            "computeUnitPriceMicroLamports and prioritizationFeeLamports are mutually exclusive",
            ErrorCode.INVALID_COMPUTE_UNIT_PRICE_AND_PRIORITIZATION_FEE,
        )
    if price is not None:
        return FeeChoice(price, priority_fee(limit, price), None)
    if asked is None:
        return FeeChoice(0, 0, None)
    if asked == "auto":
        return _market_price(bank, instructions, limit, PERCENTILES["medium"], AUTO_MAX_LAMPORTS)
    if isinstance(asked, int) and not isinstance(asked, bool):
        lamports = body_unsigned(body, "prioritizationFeeLamports") or 0
        return _priced(_for_lamports(lamports, limit), limit)
    if not isinstance(asked, dict) or len(asked) != 1:
        raise unreadable_body("prioritizationFeeLamports: expected an integer, `auto`, or one of its objects")
    return _structured(bank, asked, payer, instructions, limit)


def _priced(price: int, limit: int) -> FeeChoice:
    return FeeChoice(price, priority_fee(limit, price), None)


def _market_price(
    bank: BankFace, instructions: Sequence[Instruction], limit: int, percentile: int, most: int
) -> FeeChoice:
    return _priced(min(price_at(bank, instructions, percentile), _for_lamports(most, limit)), limit)


def _structured(
    bank: BankFace, asked: dict[str, Any], payer: Pubkey, instructions: Sequence[Instruction], limit: int
) -> FeeChoice:
    name, value = next(iter(asked.items()))
    if name == "jitoTipLamports":
        lamports = body_unsigned(asked, name) or 0
        return FeeChoice(0, 0, tip_instruction(bank, payer, lamports))
    if name == "jitoTipLamportsWithPayer" and isinstance(value, dict):
        lamports = body_unsigned(value, "lamports") or 0
        return FeeChoice(0, 0, tip_instruction(bank, body_pubkey(value, "payer"), lamports))
    if name == "priorityLevelWithMaxLamports" and isinstance(value, dict):
        level = field(value, "priorityLevel", str)
        most = body_unsigned(value, "maxLamports")
        if level not in PERCENTILES or most is None:
            raise unreadable_body(f"priorityLevelWithMaxLamports: level {level!r}, maxLamports {most!r}")
        return _market_price(bank, instructions, limit, PERCENTILES[level], most)
    raise unreadable_body(f"prioritizationFeeLamports: unknown variant `{name}`")
