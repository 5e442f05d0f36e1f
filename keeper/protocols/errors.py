"""Transaction errors in words: which program failed, and what its code is called.

Works on the raw JSON of an RPC (``"BlockhashNotFound"``, ``{"InstructionError": [2, {"Custom": 39}]}``), whose set of
variants grows: an unknown one is quoted, never refused (shared facts, execution.md 1.6).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeGuard

from solders.pubkey import Pubkey

from keeper.protocols import addresses
from keeper.protocols.anchor import as_returned, framework_error
from keeper.protocols.glow_margin.errors import AIRSPACE_ERRORS, LOOKUP_REGISTRY_ERRORS, MARGIN_ERRORS
from keeper.protocols.glow_margin_pool.errors import POOL_ERRORS
from keeper.protocols.jupiter import JUPITER_ERRORS
from keeper.protocols.solayer import SOLAYER_ERRORS
from keeper.protocols.stake import STAKE_ERRORS
from keeper.protocols.stake_pool.codes import STAKE_POOL_ERRORS
from keeper.protocols.token import ASSOCIATED_TOKEN_ERRORS, TOKEN_2022_ERRORS, TOKEN_ERRORS

SYSTEM_ERRORS = MappingProxyType(
    dict(
        enumerate(
            (
                "AccountAlreadyInUse",
                "ResultWithNegativeLamports",
                "InvalidProgramId",
                "InvalidAccountDataLength",
                "MaxSeedLengthExceeded",
                "AddressWithSeedMismatch",
                "NonceNoRecentBlockhashes",
                "NonceBlockhashNotExpired",
                "NonceUnexpectedBlockhashValue",
            )
        )
    )
)
"""Custom codes of the system program."""

_FAILED = re.compile(r"^Program ([1-9A-HJ-NP-Za-km-z]{32,44}) failed: custom program error: 0x([0-9a-fA-F]{1,8})$")
_LONGEST_QUOTE = 200


@dataclass(frozen=True, slots=True)
class _Program:
    name: str
    codes: Mapping[int, str]
    anchor: bool


class ProgramErrors:
    """Programs by name and their custom error codes. ``register`` adds one, or replaces what was known of it."""

    def __init__(self) -> None:
        self._programs: dict[Pubkey, _Program] = {}

    def register(self, program: Pubkey, name: str, codes: Mapping[int, str], *, anchor: bool = False) -> None:
        """Make ``program`` known. ``anchor``: codes below 6000 that the table lacks are the Anchor framework's."""
        self._programs[program] = _Program(name, MappingProxyType(dict(codes)), anchor)

    def program(self, program: Pubkey) -> str:
        """What people call the program; its address when it is not known."""
        known = self._programs.get(program)
        return known.name if known else str(program)

    def code(self, program: Pubkey, code: int) -> str:
        """``"ExceededSlippage (39)"``; a code that nobody registered stays a number."""
        known = self._programs.get(program)
        name = known.codes.get(code) if known else None
        framework = framework_error(code)
        if name is None and known is not None and known.anchor:
            name = framework
        if name is not None:
            return f"{name} ({code})"
        hint = f"; {framework}, if it is an Anchor program" if known is None and framework else ""
        return f"custom error {code} (0x{code:x}{hint})"

    @classmethod
    def standard(cls) -> ProgramErrors:
        """A new registry of the programs in this package."""
        registry = cls()
        registry.register(addresses.SYSTEM, "system", SYSTEM_ERRORS)
        registry.register(addresses.SPL_TOKEN, "token", TOKEN_ERRORS)
        registry.register(addresses.TOKEN_2022, "token-2022", TOKEN_2022_ERRORS)
        registry.register(addresses.ASSOCIATED_TOKEN, "associated-token", ASSOCIATED_TOKEN_ERRORS)
        registry.register(addresses.STAKE, "stake", STAKE_ERRORS)
        registry.register(addresses.ADDRESS_LOOKUP_TABLE, "lookup-table", {})
        registry.register(addresses.COMPUTE_BUDGET, "compute-budget", {})
        registry.register(addresses.STAKE_POOL_PROGRAM, "stake-pool", STAKE_POOL_ERRORS)
        registry.register(addresses.SOLAYER_RESTAKING, "solayer", SOLAYER_ERRORS, anchor=True)
        registry.register(addresses.JUPITER_V6, "jupiter", JUPITER_ERRORS, anchor=True)
        registry.register(addresses.GLOW_LRT, "glow-lrt", {}, anchor=True)
        registry.register(addresses.GLOW_MARGIN, "glow-margin", MARGIN_ERRORS, anchor=True)
        registry.register(addresses.GLOW_MARGIN_POOL, "glow-margin-pool", as_returned(POOL_ERRORS), anchor=True)
        registry.register(addresses.GLOW_AIRSPACE, "glow-airspace", AIRSPACE_ERRORS, anchor=True)
        registry.register(addresses.LOOKUP_TABLE_REGISTRY, "lookup-registry", LOOKUP_REGISTRY_ERRORS, anchor=True)
        return registry


PROGRAM_ERRORS = ProgramErrors.standard()
"""The registry that ``explain`` uses unless it is given another."""


def explain(
    err_json: Any,
    instructions_programs: Sequence[Pubkey],
    *,
    logs: Sequence[str] | None = None,
    registry: ProgramErrors = PROGRAM_ERRORS,
) -> str:
    """Name a TransactionError: ``"stake-pool: ExceededSlippage (39)"``.

    ``instructions_programs`` are the programs of the transaction's instructions in order, compute budget included. A code
    may come from a program that the instruction called; with ``logs`` the innermost failing one is named as well. Never
    raises: what is not understood is quoted.
    """
    if err_json is None:
        return "no error"
    if isinstance(err_json, str):
        return err_json
    failure = _instruction_error(err_json)
    if failure is None:
        return _quote(err_json)
    index, inner = failure
    outer = instructions_programs[index] if 0 <= index < len(instructions_programs) else None
    where = registry.program(outer) if outer else f"instruction {index}"
    code = inner.get("Custom") if isinstance(inner, Mapping) else None
    if not _is_code(code):
        return f"{where}: {inner if isinstance(inner, str) else _quote(inner)}"
    deepest = _deepest(logs, code)
    if deepest is not None and deepest != outer:
        return f"{where}: {registry.program(deepest)}: {registry.code(deepest, code)}"
    return f"{where}: {registry.code(outer, code) if outer else f'custom error {code} (0x{code:x})'}"


def _instruction_error(err_json: Any) -> tuple[int, Any] | None:
    pair = err_json.get("InstructionError") if isinstance(err_json, Mapping) and len(err_json) == 1 else None
    if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2 or type(pair[0]) is not int:
        return None
    return pair[0], pair[1]


def _is_code(code: Any) -> TypeGuard[int]:
    return type(code) is int and 0 <= code < 2**32


def _deepest(logs: Sequence[str] | None, code: int) -> Pubkey | None:
    """The first program in ``logs`` that failed with ``code``: failures are logged from the inside out."""
    for line in logs or ():
        match = _FAILED.match(line)
        if match and int(match.group(2), 16) == code:
            try:
                return Pubkey.from_string(match.group(1))
            except ValueError:
                continue
    return None


def _quote(node: Any) -> str:
    try:
        text = json.dumps(node, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        text = f"an error of type {type(node).__name__}"
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}..."
