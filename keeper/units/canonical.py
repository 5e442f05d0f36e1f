"""One value, one text: the canonical JSON of the house's frozen values.

Decision logs, intent identities and replay compare bytes, so the encoding must not depend on dict order, on floats or on a
library's taste. Quantities become their integers, rates "num/den", token amounts "units@mint".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from hashlib import sha256
from typing import Any

from keeper.units.amounts import Mint, TokenAmount
from keeper.units.chain_time import Position
from keeper.units.quantity import Quantity
from keeper.units.ratios import Rate


def plain(value: Any) -> Any:
    """``value`` as JSON-ready plain data. Raises ``TypeError`` for what has no canonical form (floats among them)."""
    match value:
        case None | bool() | str():
            return value
        case Enum():
            return plain(value.value)
        case Quantity() | Position():
            return value.value
        case int():
            return value
        case Mint():
            return value.address
        case TokenAmount():
            return f"{value.units}@{value.mint.address}"
        case Rate():
            return f"{value.numerator}/{value.denominator}"
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case tuple() | list():
            return [plain(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        body = {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        return {"type": type(value).__name__, **body}
    raise TypeError(f"{type(value).__name__} has no canonical form; {value!r} cannot enter a decision log")


def canonical(value: Any) -> str:
    """Canonical JSON text: sorted keys, no spaces."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def digest(value: Any) -> str:
    """SHA-256 of the canonical text, as hex."""
    return sha256(canonical(value).encode()).hexdigest()
