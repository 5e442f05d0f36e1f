"""Jupiter's answers as far as we use them: strict on those fields, indifferent to the others.

Source: shared facts, execution.md 3.3-3.5 and 3.7 (jup-ag/docs openapi, swap v1 and v2).
"""

from __future__ import annotations

import base64
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

_U64_MAX = 2**64 - 1


def _amount(value: Any) -> int:
    """Amounts are strings of decimal digits; a JSON number would have gone through a float somewhere."""
    if not isinstance(value, str) or not value.isascii() or not value.isdigit() or len(value) > 20:
        raise ValueError("expected an amount as a string of digits")
    if int(value) > _U64_MAX:
        raise ValueError("expected an unsigned 64-bit amount")
    return int(value)


def _decimal(value: Any) -> Decimal | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float) or len(str(value)) > 64:
        raise ValueError("expected a decimal number")
    try:
        number = Decimal(str(value))
    except InvalidOperation as error:
        raise ValueError("expected a decimal number") from error
    if not number.is_finite():
        raise ValueError("expected a finite number")
    return number


def _pubkey(value: Any) -> Pubkey:
    if not isinstance(value, str):
        raise ValueError("expected a base58 address")  # noqa: TRY004 - pydantic reports ValueError with its place
    return Pubkey.from_string(value)


def _base64(value: Any) -> bytes:
    if not isinstance(value, str):
        raise ValueError("expected base64")  # noqa: TRY004 - as above
    return base64.b64decode(value, validate=True)


Amount = Annotated[int, BeforeValidator(_amount)]
Share = Annotated[Decimal | None, BeforeValidator(_decimal)]
Address = Annotated[Pubkey, BeforeValidator(_pubkey)]
Base64 = Annotated[bytes, BeforeValidator(_base64)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, arbitrary_types_allowed=True)


class SwapInfo(_Model):
    """One pool of the route."""

    label: str = ""


class RouteStep(_Model):
    """One step of the route."""

    swapInfo: SwapInfo


class QuoteModel(_Model):
    """What v1 /quote and v2 /build have in common."""

    inputMint: str
    outputMint: str
    inAmount: Amount
    outAmount: Amount
    otherAmountThreshold: Amount
    swapMode: str
    slippageBps: int
    priceImpactPct: Share = None
    routePlan: list[RouteStep] = Field(min_length=1)
    contextSlot: Annotated[int, Field(ge=0, le=_U64_MAX)] | None = None


class AccountModel(_Model):
    """One account of an instruction."""

    pubkey: Address
    isSigner: bool
    isWritable: bool


class InstructionModel(_Model):
    """One instruction."""

    programId: Address
    accounts: list[AccountModel]
    data: Base64

    def instruction(self) -> Instruction:
        metas = [AccountMeta(item.pubkey, item.isSigner, item.isWritable) for item in self.accounts]
        return Instruction(self.programId, self.data, metas)


class BuildModel(QuoteModel):
    """v2 /build."""

    computeBudgetInstructions: list[InstructionModel] = []
    setupInstructions: list[InstructionModel]
    swapInstruction: InstructionModel
    cleanupInstruction: InstructionModel | None = None
    otherInstructions: list[InstructionModel] = []
    tipInstruction: InstructionModel | None = None
    addressesByLookupTableAddress: dict[str, Any] | None = None
