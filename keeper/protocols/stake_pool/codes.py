"""Custom error codes of the stake pool program, in the order of its ``error.rs``."""

from types import MappingProxyType

STAKE_POOL_ERRORS = MappingProxyType(
    dict(
        enumerate(
            (
                "AlreadyInUse",
                "InvalidProgramAddress",
                "InvalidState",
                "CalculationFailure",
                "FeeTooHigh",
                "WrongAccountMint",
                "WrongManager",
                "SignatureMissing",
                "InvalidValidatorStakeList",
                "InvalidFeeAccount",
                "WrongPoolMint",
                "WrongStakeStake",
                "UserStakeNotActive",
                "ValidatorAlreadyAdded",
                "ValidatorNotFound",
                "InvalidStakeAccountAddress",
                "StakeListOutOfDate",
                "StakeListAndPoolOutOfDate",
                "UnknownValidatorStakeAccount",
                "WrongMintingAuthority",
                "UnexpectedValidatorListAccountSize",
                "WrongStaker",
                "NonZeroPoolTokenSupply",
                "StakeLamportsNotEqualToMinimum",
                "IncorrectDepositVoteAddress",
                "IncorrectWithdrawVoteAddress",
                "InvalidMintFreezeAuthority",
                "FeeIncreaseTooHigh",
                "WithdrawalTooSmall",
                "DepositTooSmall",
                "InvalidStakeDepositAuthority",
                "InvalidSolDepositAuthority",
                "InvalidPreferredValidator",
                "TransientAccountInUse",
                "InvalidSolWithdrawAuthority",
                "SolWithdrawalTooLarge",
                "InvalidMetadataAccount",
                "UnsupportedMintExtension",
                "UnsupportedFeeAccountExtension",
                "ExceededSlippage",
                "IncorrectMintDecimals",
                "ReserveDepleted",
                "MissingRequiredSysvar",
                "EpochRewardDistributionInProgress",
                "TooManyValidatorsInPool",
            )
        )
    )
)
"""Code to name."""
