"""SPL Token and Token-2022: accounts, mints, associated addresses, native SOL wrapping, errors by name.

Layouts: shared facts, protocol.md 6.1; the first 165 (account) and 82 (mint) bytes are the same in both programs, and
Token-2022 puts a type byte at offset 165 before its extensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from spl.token import instructions as spl
from spl.token.models import CloseAccountParams, SyncNativeParams, TransferCheckedParams

from keeper.protocols.addresses import ASSOCIATED_TOKEN, SPL_TOKEN, TOKEN_2022, WSOL_MINT
from keeper.protocols.layout import LayoutError, Reader, require_owner
from keeper.units import Lamports, TokenAmount

ACCOUNT_LENGTH = 165
MINT_LENGTH = 82
MULTISIG_LENGTH = 355
TYPE_OFFSET = 165
TYPE_MINT = 1
TYPE_ACCOUNT = 2

TOKEN_ERRORS = MappingProxyType(
    dict(
        enumerate(
            (
                "NotRentExempt",
                "InsufficientFunds",
                "InvalidMint",
                "MintMismatch",
                "OwnerMismatch",
                "FixedSupply",
                "AlreadyInUse",
                "InvalidNumberOfProvidedSigners",
                "InvalidNumberOfRequiredSigners",
                "UninitializedState",
                "NativeNotSupported",
                "NonNativeHasBalance",
                "InvalidInstruction",
                "InvalidState",
                "Overflow",
                "AuthorityTypeNotSupported",
                "MintCannotFreeze",
                "AccountFrozen",
                "MintDecimalsMismatch",
                "NonNativeNotSupported",
            )
        )
    )
)
"""Custom codes of SPL Token; Token-2022 shares them."""

TOKEN_2022_ERRORS = MappingProxyType(
    dict(TOKEN_ERRORS)
    | dict(
        enumerate(
            (
                "ExtensionTypeMismatch",
                "ExtensionBaseMismatch",
                "ExtensionAlreadyInitialized",
                "ConfidentialTransferAccountHasBalance",
                "ConfidentialTransferAccountNotApproved",
                "ConfidentialTransferDepositsAndTransfersDisabled",
                "ConfidentialTransferElGamalPubkeyMismatch",
                "ConfidentialTransferBalanceMismatch",
                "MintHasSupply",
                "NoAuthorityExists",
                "TransferFeeExceedsMaximum",
                "MintRequiredForTransfer",
                "FeeMismatch",
                "FeeParametersMismatch",
                "ImmutableOwner",
                "AccountHasWithheldTransferFees",
                "NoMemo",
                "NonTransferable",
                "NonTransferableNeedsImmutableOwnership",
            ),
            start=20,
        )
    )
)
ASSOCIATED_TOKEN_ERRORS = MappingProxyType({0: "InvalidOwner"})


class AccountState(IntEnum):
    """State byte of a token account that exists."""

    INITIALIZED = 1
    FROZEN = 2


@dataclass(frozen=True, slots=True)
class TokenAccount:
    """A token account. ``amount`` and ``delegated_amount`` are base units; ``is_native`` is the rent reserve in
    lamports of a wrapped-SOL account and None for every other mint."""

    mint: Pubkey
    owner: Pubkey
    amount: int
    is_native: int | None
    state: AccountState
    delegate: Pubkey | None
    close_authority: Pubkey | None
    delegated_amount: int = 0


@dataclass(frozen=True, slots=True)
class MintState:
    """A mint. ``supply`` is in base units."""

    supply: int
    decimals: int
    mint_authority: Pubkey | None
    freeze_authority: Pubkey | None


def _check_length(data: bytes, account: str, base: int, type_byte: int, owner: Pubkey | None) -> None:
    """Exactly ``base`` bytes, or a Token-2022 account whose type byte says what it is."""
    if len(data) == base:
        return
    extended = len(data) > TYPE_OFFSET and len(data) != MULTISIG_LENGTH and owner != SPL_TOKEN
    if not extended:
        raise LayoutError(account, "length", f"{base} bytes", f"{len(data)} bytes")
    if data[TYPE_OFFSET] != type_byte:
        raise LayoutError(account, f"account type @{TYPE_OFFSET}", str(type_byte), str(data[TYPE_OFFSET]))


def decode_token_account(data: bytes, *, owner_program: Pubkey) -> TokenAccount:
    """Decode a token account whose Solana account is owned by ``owner_program``.

    Raises ``LayoutError`` for a foreign owner, a wrong length or type, or an account that is not initialised.
    """
    account = "token account"
    require_owner(account, owner_program, (SPL_TOKEN, TOKEN_2022))
    _check_length(data, account, ACCOUNT_LENGTH, TYPE_ACCOUNT, owner_program)
    read = Reader(data, account)
    mint, owner, amount = read.pubkey("mint"), read.pubkey("owner"), read.u64("amount")
    delegate = read.fixed_option("delegate", read.pubkey)
    state = read.u8("state")
    if state not in (AccountState.INITIALIZED, AccountState.FROZEN):
        raise read.fail("state", "1 (initialised) or 2 (frozen)", str(state))
    is_native = read.fixed_option("is_native", read.u64)
    delegated_amount = read.u64("delegated_amount")
    close_authority = read.fixed_option("close_authority", read.pubkey)
    return TokenAccount(
        mint, owner, amount, is_native, AccountState(state), delegate, close_authority, delegated_amount
    )


def decode_mint(data: bytes, *, owner_program: Pubkey | None = None) -> MintState:
    """Decode a mint; the owner is checked when given. Raises ``LayoutError`` also for one not initialised."""
    account = "mint"
    require_owner(account, owner_program, (SPL_TOKEN, TOKEN_2022))
    _check_length(data, account, MINT_LENGTH, TYPE_MINT, owner_program)
    read = Reader(data, account)
    mint_authority = read.fixed_option("mint_authority", read.pubkey)
    supply, decimals = read.u64("supply"), read.u8("decimals")
    if not read.boolean("is_initialized"):
        raise read.fail("is_initialized", "1", "0")
    return MintState(supply, decimals, mint_authority, read.fixed_option("freeze_authority", read.pubkey))


def associated_token_address(owner: Pubkey, mint: Pubkey, token_program: Pubkey = SPL_TOKEN) -> Pubkey:
    """PDA [owner, token program, mint] of the associated-token program."""
    return Pubkey.find_program_address([bytes(owner), bytes(token_program), bytes(mint)], ASSOCIATED_TOKEN)[0]


def associated_token_addresses(owner: Pubkey, mint: Pubkey) -> tuple[Pubkey, ...]:
    """Where the owner's associated account for ``mint`` is, for either token program."""
    return tuple(associated_token_address(owner, mint, program) for program in (SPL_TOKEN, TOKEN_2022))


def create_ata_idempotent(payer: Pubkey, owner: Pubkey, mint: Pubkey, token_program: Pubkey = SPL_TOKEN) -> Instruction:
    """Create the owner's associated account for ``mint`` unless it is there already; ``payer`` pays its rent."""
    return spl.create_idempotent_associated_token_account(payer, owner, mint, token_program)


def sync_native(account: Pubkey) -> Instruction:
    """Make a wrapped-SOL account's token amount follow its lamports."""
    return spl.sync_native(SyncNativeParams(program_id=SPL_TOKEN, account=account))


def wrap(owner: Pubkey, lamports: Lamports) -> tuple[Instruction, ...]:
    """Turn ``lamports`` of ``owner`` into wrapped SOL in its associated account, creating that when needed."""
    account = associated_token_address(owner, WSOL_MINT)
    return (
        create_ata_idempotent(owner, owner, WSOL_MINT),
        transfer(TransferParams(from_pubkey=owner, to_pubkey=account, lamports=lamports.as_u64())),
        sync_native(account),
    )


def close_account(
    account: Pubkey, destination: Pubkey, owner: Pubkey, token_program: Pubkey = SPL_TOKEN
) -> Instruction:
    """Close an empty token account (or any wrapped-SOL account) and send its lamports to ``destination``."""
    return spl.close_account(
        CloseAccountParams(program_id=token_program, account=account, dest=destination, owner=owner)
    )


def unwrap(owner: Pubkey) -> Instruction:
    """Turn all wrapped SOL of ``owner``'s associated account back into lamports, with its rent."""
    return close_account(associated_token_address(owner, WSOL_MINT), owner, owner)


def transfer_checked(
    *,
    source: Pubkey,
    destination: Pubkey,
    owner: Pubkey,
    amount: TokenAmount,
    token_program: Pubkey = SPL_TOKEN,
) -> Instruction:
    """Move ``amount`` between token accounts; the program checks mint and decimals."""
    return spl.transfer_checked(
        TransferCheckedParams(
            program_id=token_program,
            source=source,
            mint=Pubkey.from_string(amount.mint.address),
            dest=destination,
            owner=owner,
            amount=amount.as_u64(),
            decimals=amount.mint.decimals,
            signers=[],
        )
    )
