"""Jupiter's HTTP errors (facts, execution.md 3.7)."""

from __future__ import annotations

from enum import StrEnum
from typing import Any


class ErrorCode(StrEnum):
    """``errorCode`` of quote, composing and routing errors."""

    NO_ROUTES_FOUND = "NO_ROUTES_FOUND"
    COULD_NOT_FIND_ANY_ROUTE = "COULD_NOT_FIND_ANY_ROUTE"
    TOKEN_NOT_TRADABLE = "TOKEN_NOT_TRADABLE"  # noqa: S105 - a word of the API, no secret
    NOT_SUPPORTED = "NOT_SUPPORTED"
    MARKET_NOT_FOUND = "MARKET_NOT_FOUND"
    ROUTE_PLAN_DOES_NOT_CONSUME_ALL_THE_AMOUNT = "ROUTE_PLAN_DOES_NOT_CONSUME_ALL_THE_AMOUNT"
    CIRCULAR_ARBITRAGE_IS_DISABLED = "CIRCULAR_ARBITRAGE_IS_DISABLED"
    CANNOT_COMPUTE_OTHER_AMOUNT_THRESHOLD = "CANNOT_COMPUTE_OTHER_AMOUNT_THRESHOLD"
    MAX_ACCOUNT_GREATER_THAN_MAX = "MAX_ACCOUNT_GREATER_THAN_MAX"
    INVALID_COMPUTE_UNIT_PRICE_AND_PRIORITIZATION_FEE = "INVALID_COMPUTE_UNIT_PRICE_AND_PRIORITIZATION_FEE"
    FAILED_TO_GET_SWAP_AND_ACCOUNT_METAS = "FAILED_TO_GET_SWAP_AND_ACCOUNT_METAS"


class JupiterError(Exception):
    """An answer other than 200. ``code`` is absent for a request that could not be read at all."""

    def __init__(self, message: str, code: ErrorCode | None = None, *, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status

    def to_json(self) -> dict[str, Any]:
        """``{"error", "errorCode"}``."""
        return {"error": self.message} if self.code is None else {"error": self.message, "errorCode": self.code.value}


def unreadable_query(reason: str) -> JupiterError:
    """400 for query parameters that do not parse."""
    return JupiterError(f"Failed to deserialize query string: {reason}")


def unreadable_body(reason: str) -> JupiterError:
    """422 for a JSON body that does not parse, in the words of the router's web framework."""
    return JupiterError(f"Failed to deserialize the JSON body into the target type: {reason}", status=422)
