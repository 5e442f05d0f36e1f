"""What every Anchor program shares: discriminators and the framework's own error codes.

Discriminator: first 8 bytes of sha256("global:NAME"), ("account:NAME") or ("event:NAME") (shared facts, protocol.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType

DISCRIMINATOR_LENGTH = 8

ANCHOR_ERRORS = MappingProxyType(
    {
        100: "InstructionMissing",
        101: "InstructionFallbackNotFound",
        102: "InstructionDidNotDeserialize",
        103: "InstructionDidNotSerialize",
        1000: "IdlInstructionStub",
        1001: "IdlInstructionInvalidProgram",
        1002: "IdlAccountNotEmpty",
        1500: "EventInstructionStub",
        2000: "ConstraintMut",
        2001: "ConstraintHasOne",
        2002: "ConstraintSigner",
        2003: "ConstraintRaw",
        2004: "ConstraintOwner",
        2005: "ConstraintRentExempt",
        2006: "ConstraintSeeds",
        2007: "ConstraintExecutable",
        2008: "ConstraintState",
        2009: "ConstraintAssociated",
        2010: "ConstraintAssociatedInit",
        2011: "ConstraintClose",
        2012: "ConstraintAddress",
        2013: "ConstraintZero",
        2014: "ConstraintTokenMint",
        2015: "ConstraintTokenOwner",
        2016: "ConstraintMintMintAuthority",
        2017: "ConstraintMintFreezeAuthority",
        2018: "ConstraintMintDecimals",
        2019: "ConstraintSpace",
        2020: "ConstraintAccountIsNone",
        2021: "ConstraintTokenTokenProgram",
        2022: "ConstraintMintTokenProgram",
        2023: "ConstraintAssociatedTokenTokenProgram",
        2500: "RequireViolated",
        2501: "RequireEqViolated",
        2502: "RequireKeysEqViolated",
        2503: "RequireNeqViolated",
        2504: "RequireKeysNeqViolated",
        2505: "RequireGtViolated",
        2506: "RequireGteViolated",
        3000: "AccountDiscriminatorAlreadySet",
        3001: "AccountDiscriminatorNotFound",
        3002: "AccountDiscriminatorMismatch",
        3003: "AccountDidNotDeserialize",
        3004: "AccountDidNotSerialize",
        3005: "AccountNotEnoughKeys",
        3006: "AccountNotMutable",
        3007: "AccountOwnedByWrongProgram",
        3008: "InvalidProgramId",
        3009: "InvalidProgramExecutable",
        3010: "AccountNotSigner",
        3011: "AccountNotSystemOwned",
        3012: "AccountNotInitialized",
        3013: "AccountNotProgramData",
        3014: "AccountNotAssociatedTokenAccount",
        3015: "AccountSysvarMismatch",
        3016: "AccountReallocExceedsLimit",
        3017: "AccountDuplicateReallocs",
        4100: "DeclaredProgramIdMismatch",
        5000: "Deprecated",
    }
)
"""The framework's codes; a program's own errors begin at 6000."""

FIRST_PROGRAM_ERROR = 6000
_RANGES = ((100, 999, "instruction"), (1000, 1999, "IDL"), (2000, 2999, "constraint"), (3000, 3999, "account"))


def instruction_discriminator(name: str) -> bytes:
    """First 8 bytes of an instruction's data; ``name`` in snake_case."""
    return hashlib.sha256(f"global:{name}".encode()).digest()[:DISCRIMINATOR_LENGTH]


def account_discriminator(name: str) -> bytes:
    """First 8 bytes of an account's data; ``name`` as the struct is called."""
    return hashlib.sha256(f"account:{name}".encode()).digest()[:DISCRIMINATOR_LENGTH]


def event_discriminator(name: str) -> bytes:
    """First 8 bytes of a logged event; ``name`` as the struct is called."""
    return hashlib.sha256(f"event:{name}".encode()).digest()[:DISCRIMINATOR_LENGTH]


def as_returned(values: Mapping[int, str]) -> MappingProxyType[int, str]:
    """The names of an error list with explicit values, by those values and by what Anchor makes of them: it adds 6000 to
    each when it returns one. Sources and facts give now the one number, now the other, so both are known."""
    return MappingProxyType(dict(values) | {value + FIRST_PROGRAM_ERROR: name for value, name in values.items()})


def framework_error(code: int) -> str | None:
    """Name of a code of the framework itself, or None for a program's own (6000 and above, or below 100)."""
    if code in ANCHOR_ERRORS:
        return f"Anchor {ANCHOR_ERRORS[code]}"
    for first, last, kind in _RANGES:
        if first <= code <= last:
            return f"an Anchor {kind} error unknown here"
    return None
