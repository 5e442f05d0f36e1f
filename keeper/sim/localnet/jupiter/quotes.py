"""Routes as Jupiter quotes them, and back: from a quote that a caller hands in to the route it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from solders.pubkey import Pubkey

from keeper.sim.localnet.interface import BankFace
from keeper.sim.localnet.jupiter.errors import ErrorCode, JupiterError, unreadable_body
from keeper.sim.localnet.jupiter.requests import (
    MAX_BPS,
    QuoteRequest,
    body_amount,
    body_pubkey,
    body_unsigned,
    field,
)
from keeper.sim.localnet.programs.dex_state import (
    DEX_LABELS,
    POOL_DISCRIMINATOR,
    Curve,
    PoolState,
    decode_pool,
    pool_state,
)
from keeper.sim.localnet.programs.jupiter_router import ACCOUNTS_A_STEP, minimum_out
from keeper.sim.localnet.programs.routes import Leg, Route, find_route, read_pools

WHOLE_BPS = 10_000
U64_MAX = 2**64 - 1
MAX_STEPS = 16
"""Steps that the router reads."""


def best_route(bank: BankFace, asked: QuoteRequest) -> Route:
    """The best route, or the reason there is none: TOKEN_NOT_TRADABLE, NO_ROUTES_FOUND, COULD_NOT_FIND_ANY_ROUTE, or
    ROUTE_PLAN_DOES_NOT_CONSUME_ALL_THE_AMOUNT where no pool's vault has room for the input."""

    def search(*, direct_only: bool, dexes: frozenset[str] | None, exclude: frozenset[str]) -> Route | None:
        return find_route(
            bank,
            asked.input_mint,
            asked.output_mint,
            asked.amount,
            dexes=dexes,
            exclude=exclude,
            direct_only=direct_only,
        )

    _require_room(bank, asked)
    route = search(direct_only=asked.direct_only, dexes=asked.dexes, exclude=asked.exclude_dexes)
    if route is not None and len(route.legs) * ACCOUNTS_A_STEP > asked.max_accounts:
        route = search(direct_only=True, dexes=asked.dexes, exclude=asked.exclude_dexes)
        if route is not None and len(route.legs) * ACCOUNTS_A_STEP > asked.max_accounts:
            route = None
    if route is not None:
        return route
    traded = {mint for state in read_pools(bank) for mint in (state.pool.mint_a, state.pool.mint_b)}
    for mint in (asked.input_mint, asked.output_mint):
        if mint not in traded:
            raise JupiterError(f"The token {mint} is not tradable", ErrorCode.TOKEN_NOT_TRADABLE)
    if search(direct_only=False, dexes=None, exclude=frozenset()) is not None:
        raise JupiterError("Could not find any route", ErrorCode.COULD_NOT_FIND_ANY_ROUTE)
    raise JupiterError("No routes found", ErrorCode.NO_ROUTES_FOUND)


def _require_room(bank: BankFace, asked: QuoteRequest) -> None:
    """A vault holds at most 2**64 - 1 base units: an input beyond what is left in every vault cannot be taken whole."""
    reserves = [
        state.reserve_a if state.a_to_b(asked.input_mint) else state.reserve_b
        for state in read_pools(bank)
        if asked.input_mint in (state.pool.mint_a, state.pool.mint_b)
    ]
    if reserves and min(reserves) + asked.amount > U64_MAX:
        code = ErrorCode.ROUTE_PLAN_DOES_NOT_CONSUME_ALL_THE_AMOUNT
        raise JupiterError("Route plan does not consume all the amount, please lower the amount", code)


def decimal_text(value: Decimal) -> str:
    """A decimal fraction without exponent or trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _fee_mint(leg: Leg) -> Pubkey:
    """A constant-product pool takes its fee in the input token, a stable-swap pool in the output token."""
    return leg.input_mint if leg.state.pool.curve is Curve.CONSTANT_PRODUCT else leg.output_mint


def _step_json(leg: Leg, *, fees: bool) -> dict[str, Any]:
    info: dict[str, Any] = {
        "ammKey": str(leg.pool),
        "label": leg.label,
        "inputMint": str(leg.input_mint),
        "outputMint": str(leg.output_mint),
        "inAmount": str(leg.in_amount),
        "outAmount": str(leg.out_amount),
    }
    if fees:
        info |= {"feeAmount": str(leg.fee_amount), "feeMint": str(_fee_mint(leg))}
    return {"swapInfo": info, "percent": leg.bps // 100, "bps": leg.bps}


def quote_json(route: Route, slippage_bps: int, *, fees: bool) -> dict[str, Any]:
    """The fields that quote (v1) and build (v2) share. ``fees``: with the deprecated fee fields, which v2 dropped.

    Raises ``JupiterError`` with CANNOT_COMPUTE_OTHER_AMOUNT_THRESHOLD where the slippage leaves nothing to insist on.
    """
    threshold = minimum_out(route.out_amount, slippage_bps)
    if threshold == 0:
        code = ErrorCode.CANNOT_COMPUTE_OTHER_AMOUNT_THRESHOLD
        raise JupiterError(f"Cannot compute other amount threshold of {route.out_amount} at {slippage_bps} bps", code)
    return {
        "inputMint": str(route.input_mint),
        "inAmount": str(route.in_amount),
        "outputMint": str(route.output_mint),
        "outAmount": str(route.out_amount),
        "otherAmountThreshold": str(threshold),
        "swapMode": "ExactIn",
        "slippageBps": slippage_bps,
        "platformFee": None,
        "priceImpactPct": decimal_text(route.price_impact),
        "routePlan": [_step_json(leg, fees=fees) for leg in route.legs],
    }


def quote_v1_json(bank: BankFace, route: Route, slippage_bps: int) -> dict[str, Any]:
    """The answer of /swap/v1/quote. ``timeTaken`` is 0: routing takes none of the chain's time, and the same seed must give
    the same bytes."""
    return {
        **quote_json(route, slippage_bps, fees=True),
        "contextSlot": bank.clock.slot,
        "timeTaken": 0.0,
        "mostReliableAmmsQuoteReport": {"info": {str(leg.pool): str(leg.out_amount) for leg in route.legs}},
    }


def read_quote(bank: BankFace, body: Mapping[str, Any]) -> tuple[Route, int]:
    """(route, slippage in bps) of the ``quoteResponse`` of a swap request.

    Every field of a quote must be there: the real server refuses a quote that lost some on the way. Raises ``JupiterError``
    with MARKET_NOT_FOUND for a pool that does not exist.
    """
    quote = field(body, "quoteResponse", dict)
    field(quote, "swapMode", str)
    body_amount(quote, "otherAmountThreshold")
    impact = field(quote, "priceImpactPct", str)
    slippage = body_unsigned(quote, "slippageBps", high=MAX_BPS)
    if slippage is None:
        raise unreadable_body("missing field `slippageBps`")
    if quote["swapMode"] != "ExactIn":
        raise JupiterError("ExactOut is not supported by the localnet's pools", ErrorCode.NOT_SUPPORTED)
    plan = field(quote, "routePlan", list)
    if not 0 < len(plan) <= MAX_STEPS:
        raise unreadable_body(f"routePlan: {len(plan)} steps; need 1 to {MAX_STEPS}")
    route = Route(
        input_mint=body_pubkey(quote, "inputMint"),
        output_mint=body_pubkey(quote, "outputMint"),
        legs=tuple(_leg(bank, step) for step in plan),
        in_amount=body_amount(quote, "inAmount"),
        out_amount=body_amount(quote, "outAmount"),
        price_impact=_decimal(impact),
    )
    return route, slippage


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError as error:
        raise unreadable_body(f"priceImpactPct: {text!r} is not a decimal") from error


def _leg(bank: BankFace, step: Any) -> Leg:
    if not isinstance(step, dict):
        raise unreadable_body("routePlan: expected struct RoutePlanStep")
    info = field(step, "swapInfo", dict)
    body_pubkey(info, "feeMint")
    address = body_pubkey(info, "ammKey")
    bps = body_unsigned(step, "bps", high=WHOLE_BPS)
    if bps is None:
        percent = body_unsigned(step, "percent", high=100)
        if percent is None:
            raise unreadable_body("missing field `percent`")
        bps = percent * 100
    return Leg(
        pool=address,
        label=field(info, "label", str),
        input_mint=body_pubkey(info, "inputMint"),
        output_mint=body_pubkey(info, "outputMint"),
        in_amount=body_amount(info, "inAmount"),
        out_amount=body_amount(info, "outAmount"),
        fee_amount=body_amount(info, "feeAmount"),
        bps=bps,
        state=_pool(bank, address),
    )


def _pool(bank: BankFace, address: Pubkey) -> PoolState:
    account = bank.get_account(address)
    if account is None or account.owner not in DEX_LABELS or bytes(account.data[:8]) != POOL_DISCRIMINATOR:
        raise JupiterError(f"Market {address} not found", ErrorCode.MARKET_NOT_FOUND)
    return pool_state(bank.get_account, decode_pool(address, account.owner, bytes(account.data)))
