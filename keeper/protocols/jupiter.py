"""The Jupiter aggregator's program: what a swap instruction promises on chain, and its errors by name.

Argument layouts: the program's published IDL (Anchor), checked field by field; shared facts, protocol.md 7.2. In
``route_v2`` and ``shared_accounts_route_v2`` the amounts come first. In the older ``route`` and ``shared_accounts_route``
they come after the route plan, and the program ignores bytes after its arguments; whoever reads such an instruction from
its end can be shown a minimum that the program never sees. So the plan is walked step by step (``jupiter_route``), and a
step that is not known is a refusal.

Exact-out and token-ledger variants are refused: the keeper asks for neither, and their bounds mean something else.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from solders.pubkey import Pubkey

from keeper.protocols.anchor import instruction_discriminator
from keeper.protocols.jupiter_route import skip_route_plan
from keeper.protocols.layout import LayoutError, Reader
from keeper.units import BPS, Bps

EVENT_AUTHORITY = Pubkey.from_string("D8cy77BBepLMngZx6ZukaTff5hCt1HrWyKk3Hnd9oitf")
ROUTE = instruction_discriminator("route")
SHARED_ACCOUNTS_ROUTE = instruction_discriminator("shared_accounts_route")
ROUTE_V2 = instruction_discriminator("route_v2")
SHARED_ACCOUNTS_ROUTE_V2 = instruction_discriminator("shared_accounts_route_v2")
_REFUSED = {
    instruction_discriminator(name): name
    for name in (
        "exact_out_route",
        "exact_out_route_v2",
        "shared_accounts_exact_out_route",
        "shared_accounts_exact_out_route_v2",
        "route_with_token_ledger",
        "shared_accounts_route_with_token_ledger",
    )
}
_NAMES = {
    ROUTE: "route",
    SHARED_ACCOUNTS_ROUTE: "shared_accounts_route",
    ROUTE_V2: "route_v2",
    SHARED_ACCOUNTS_ROUTE_V2: "shared_accounts_route_v2",
}

JUPITER_ERRORS = MappingProxyType(
    dict(
        enumerate(
            (
                "EmptyRoute",
                "SlippageToleranceExceeded",
                "InvalidCalculation",
                "MissingPlatformFeeAccount",
                "InvalidSlippage",
                "NotEnoughPercent",
                "InvalidInputIndex",
                "InvalidOutputIndex",
                "NotEnoughAccountKeys",
                "NonZeroMinimumOutAmountNotSupported",
                "InvalidRoutePlan",
                "InvalidReferralAuthority",
                "LedgerTokenAccountDoesNotMatch",
                "InvalidTokenLedger",
                "IncorrectTokenProgramID",
                "TokenProgramNotProvided",
                "SwapNotSupported",
                "ExactOutAmountNotMatched",
                "SourceAndDestinationMintCannotBeTheSame",
                "InvalidMint",
                "InvalidProgramAuthority",
                "InvalidOutputTokenAccount",
                "InvalidFeeWallet",
                "InvalidAuthority",
                "InsufficientFunds",
                "InvalidTokenAccount",
                "BondingCurveAlreadyCompleted",
            ),
            start=6000,
        )
    )
)
"""Custom codes from the program's IDL."""


@dataclass(frozen=True, slots=True)
class JupiterSwap:
    """An exact-in swap as the program will run it. Amounts are base units of the input and the output mint."""

    kind: str
    in_amount: int
    quoted_out_amount: int
    slippage: Bps
    platform_fee: Bps
    positive_slippage: Bps

    @property
    def minimum_out(self) -> int:
        """The least that the swap may deliver before the program fails it with 6001: the quote less the slippage, and
        less the platform fee in case it is taken after that check. Rounded down, so never more than the program holds to
        (how the program itself rounds is not published: INFERRED)."""
        after_slippage = self.quoted_out_amount * (BPS - self.slippage.value) // BPS
        return after_slippage * (BPS - self.platform_fee.value) // BPS


def decode_swap(data: bytes) -> JupiterSwap:
    """Decode the data of a Jupiter swap instruction.

    Raises ``LayoutError`` for another instruction, an exact-out or token-ledger variant, impossible basis points, a route
    plan with an unknown step, or bytes after the arguments of the older variants.
    """
    read = Reader(data, "Jupiter swap")
    discriminator = read.raw(8, "discriminator")
    if discriminator not in _NAMES:
        known = ", ".join(_NAMES.values())
        raise LayoutError("Jupiter swap", "discriminator", known, _REFUSED.get(discriminator, discriminator.hex()))
    if discriminator in (SHARED_ACCOUNTS_ROUTE, SHARED_ACCOUNTS_ROUTE_V2):
        read.u8("id")
    older = discriminator in (ROUTE, SHARED_ACCOUNTS_ROUTE)
    if older:
        skip_route_plan(read)
    in_amount, quoted = read.u64("in_amount"), read.u64("quoted_out_amount")
    slippage = _bps(read, read.u16("slippage_bps"), "slippage_bps")
    platform_fee = _bps(
        read, read.u8("platform_fee_bps") if older else read.u16("platform_fee_bps"), "platform_fee_bps"
    )
    positive = Bps(0) if older else _bps(read, read.u16("positive_slippage_bps"), "positive_slippage_bps")
    if older:
        read.end()
    else:
        read.count("route_plan")
    return JupiterSwap(_NAMES[discriminator], in_amount, quoted, slippage, platform_fee, positive)


def _bps(read: Reader, value: int, field: str) -> Bps:
    if value > BPS:
        raise read.fail(field, f"at most {BPS} basis points", str(value))
    return Bps(value)
