"""Custom error codes of the modelled margin program and of the Pyth SDK inside it.

Codes and names: shared facts, protocol.md 3.10, and the order of the public source's error enum between them. The facts give
the enum's values (135xxx), and so do the models; Anchor adds its offset of 6000 to an enum value, so that the real programs are
expected to report 141xxx. ``CODE_OFFSET`` is that one place.
"""

from __future__ import annotations

from enum import IntEnum

from keeper.sim.localnet.interface import ProgramError

CODE_OFFSET = 0
"""Added to every code below when it is raised; 6000 would be what Anchor does."""


class MarginError(IntEnum):
    """The margin program's errors by the enum's values."""

    UNAUTHORIZED_INVOCATION = 135002
    INDIRECT_INVOCATION = 135003
    MAX_POSITIONS = 135010
    CLOSE_NON_ZERO_POSITION = 135012
    POSITION_ALREADY_REGISTERED = 135013
    ACCOUNT_NOT_EMPTY = 135014
    POSITION_NOT_REGISTERED = 135015
    CLOSE_REQUIRED_POSITION = 135016
    INVALID_POSITION_OWNER = 135017
    POSITION_NOT_REGISTERABLE = 135018
    INVALID_POSITION_ADAPTER = 135020
    OUTDATED_PRICE = 135021
    INVALID_PRICE = 135022
    OUTDATED_BALANCE = 135023
    ACCOUNT_CONSTRAINT_VIOLATION = 135024
    UNHEALTHY = 135030
    HEALTHY = 135031
    LIQUIDATING = 135032
    NOT_LIQUIDATING = 135033
    STALE_POSITIONS = 135034
    UNAUTHORIZED_LIQUIDATOR = 135040
    LIQUIDATION_LOST_VALUE = 135041
    WRONG_LIQUIDATION_STATE = 135042
    WRONG_AIRSPACE = 135050
    INVALID_ORACLE = 135052
    POSITION_ALREADY_EXISTS = 135054
    INSUFFICIENT_PERMISSIONS = 135060
    PERMIT_NOT_OWNED = 135061
    INVALID_INVOKE_ACCOUNTS = 135063
    MATH_OP_FAILED = 135065
    UNKNOWN_TOKEN_PROGRAM = 135066
    INVALID_CONFIG_REGISTER_POSITION = 135078
    LIQUIDATION_FEE_SLOTS_FULL = 135082
    INVALID_LIQUIDATION_FEE_MINT = 135083
    UNKNOWN_FEATURE_FLAGS = 135084
    INVALID_FEATURE_FLAGS = 135085
    RESTRICTED_TOKEN = 135086
    TOKEN_FEATURE_VIOLATION = 135087
    ACCOUNT_CONSTRAINT_WITHDRAWAL = 135090

    @property
    def title(self) -> str:
        return "".join(word.capitalize() for word in self.name.split("_"))

    def error(self, detail: str = "") -> ProgramError:
        return ProgramError.custom(self.value + CODE_OFFSET, f"{self.title}: {detail}" if detail else self.title)


class PriceError(IntEnum):
    """Errors of pyth-solana-receiver-sdk's ``get_price_no_older_than`` by its enum's values."""

    PRICE_TOO_OLD = 10000
    MISMATCHED_FEED_ID = 10001
    INSUFFICIENT_VERIFICATION_LEVEL = 10002

    def error(self, detail: str = "") -> ProgramError:
        title = "".join(word.capitalize() for word in self.name.split("_"))
        return ProgramError.custom(self.value + CODE_OFFSET, f"{title}: {detail}" if detail else title)
