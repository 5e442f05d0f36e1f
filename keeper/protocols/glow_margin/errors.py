"""Custom error codes of the margin and airspace programs and of the lookup registry.

Codes: shared facts, protocol.md 3.10; those between them follow from the order of the program's error list (GV1
programs/margin/src/lib.rs). The facts give the values of that list, 135xxx. Anchor adds 6000 to an error list's values when it
returns one, which is why the source's comments say 141xxx: every name is known here under both numbers. A refresh fails with the
codes of Pyth's SDK.
"""

from types import MappingProxyType

from keeper.protocols.anchor import as_returned

_RUNS = {
    135_000: ("NoAdapterResult", "WrongProgramAdapterResult", "UnauthorizedInvocation", "IndirectInvocation"),
    135_010: (
        "MaxPositions",
        "UnknownPosition",
        "CloseNonZeroPosition",
        "PositionAlreadyRegistered",
        "AccountNotEmpty",
        "PositionNotRegistered",
        "CloseRequiredPosition",
        "InvalidPositionOwner",
        "PositionNotRegisterable",
        "PositionMintMismatch",
        "InvalidPositionAdapter",
        "OutdatedPrice",
        "InvalidPrice",
        "OutdatedBalance",
        "AccountConstraintViolation",
    ),
    135_030: ("Unhealthy", "Healthy", "Liquidating", "NotLiquidating", "StalePositions"),
    135_040: ("UnauthorizedLiquidator", "LiquidationLostValue", "WrongLiquidationState"),
    135_050: (
        "WrongAirspace",
        "InvalidConfigStaleness",
        "InvalidOracle",
        "PositionIndexOverflow",
        "PositionAlreadyExists",
        "AlreadyJoinedAirspace",
    ),
    135_060: (
        "InsufficientPermissions",
        "PermitNotOwned",
        "BitSetMismatch",
        "InvalidInvokeAccounts",
        "IncorrectProgramReturnData",
        "MathOpFailed",
        "UnknownTokenProgram",
        "UnsupportedOracleMessage",
        "FailedToDeserializeOracleMessage",
        "InvalidOracleFeedId",
        "InvalidConfigTokenKind",
        "InvalidConfigAdapterAddressChange",
        "InvalidConfigAdapterToMargin",
        "InvalidConfigMarginToAdapter",
        "InvalidConfigCollateralValueModifierLimit",
        "InvalidConfigClaimValueModifierLimit",
        "InvalidConfigUnderlyingMintChange",
        "InvalidConfigUnderlyingMintEmpty",
        "InvalidConfigRegisterPosition",
        "InvalidConfigUtilRate",
        "InvalidConfigBorrowRate",
        "InvalidConfigManagementRate",
        "LiquidationFeeSlotsFull",
        "InvalidLiquidationFeeMint",
        "UnknownFeatureFlags",
        "InvalidFeatureFlags",
        "RestrictedToken",
        "TokenFeatureViolation",
        "OracleExponentMismatch",
        "InvalidConfigTokenProgramUnsupported",
        "AccountConstraintWithdrawal",
    ),
}

PYTH_PRICE_ERRORS = as_returned(
    dict(
        enumerate(
            (
                "PriceTooOld",
                "MismatchedFeedId",
                "InsufficientVerificationLevel",
                "FeedIdMustBe32Bytes",
                "FeedIdNonHexCharacter",
            ),
            start=10_000,
        )
    )
)
"""What a program raises that reads a price through Pyth's receiver SDK (PYTH pyth_solana_receiver_sdk/src/error.rs)."""

MARGIN_ERRORS = MappingProxyType(
    dict(as_returned({first + step: name for first, names in _RUNS.items() for step, name in enumerate(names)}))
    | dict(PYTH_PRICE_ERRORS)
)
"""Code to name; 135xxx and 141xxx name the same errors."""
AIRSPACE_ERRORS = as_returned({701_000: "PermissionDenied"})
LOOKUP_REGISTRY_ERRORS = as_returned(
    dict(
        enumerate(
            ("InvalidDiscriminator", "InvalidSlot", "InvalidLookupTable", "TooManyEntries", "InvalidState"),
            start=10_000,
        )
    )
)
"""LTR programs/lookup-table-registry/src/lib.rs."""
