"""Health of a margin account exactly as the program computes it, now or as it would be after a refresh.

Formulas, staleness and the order of its reasons: shared facts, protocol.md 3.4-3.6 and 3.10a. Amounts are raw Number128 dollars.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_MARGIN
from keeper.protocols.glow_margin.configs import TokenConfig
from keeper.protocols.glow_margin.margin_account import (
    INVALID_PRICE,
    AccountPosition,
    MarginAccountState,
    PositionPrice,
    decode_margin_account,
)
from keeper.protocols.glow_margin.number128 import (
    LARGEST,
    NumberError,
    checked,
    div,
    from_bps,
    from_decimal,
    from_hundredths,
    mul,
)
from keeper.protocols.pyth import TokenPrice
from keeper.units import BPS, Bps, Duration, UnixTime

MAX_PRICE_AGE = Duration(30)
"""A position's price counts for this long after its refresh."""
MAX_PUBLISH_AGE = Duration(60)
MAX_CONFIDENCE_BPS = 500
INFINITE = LARGEST
"""Required collateral of a claim without leverage: more than any account has."""


class StaleReason(Enum):
    """Why a position does not count, by the program's error name, in the order in which the program looks."""

    INVALID_PRICE = "InvalidPrice"
    OUTDATED_BALANCE = "OutdatedBalance"
    OUTDATED_PRICE = "OutdatedPrice"


class ClaimStale(Exception):
    """The account has no valuation: this debt cannot be valued now. A refresh of its price and balance cures it."""

    def __init__(self, token: Pubkey, reason: StaleReason) -> None:
        super().__init__(f"the claim in {token} is stale ({reason.value}): refresh its price and balance first")
        self.token = token
        self.reason = reason


@dataclass(frozen=True, slots=True)
class StalePosition:
    """Collateral that was left out of the totals."""

    token: Pubkey
    reason: StaleReason


@dataclass(frozen=True, slots=True)
class Valuation:
    """Totals over fresh positions. ``required`` is ``INFINITE`` once a claim has no leverage configured.

    ``not_positive``: tokens that the program counts though their price is zero or negative; nothing should be decided on them.
    """

    equity: int
    liabilities: int
    required: int
    weighted: int
    past_due: bool
    stale: tuple[StalePosition, ...]
    not_positive: tuple[Pubkey, ...]

    @property
    def effective(self) -> int:
        """Weighted collateral less liabilities."""
        return self.weighted - self.liabilities

    @property
    def available(self) -> int:
        """What could still be required of the account; minus ``INFINITE`` where no collateral is enough."""
        return -INFINITE if self.required == INFINITE else self.effective - self.required

    @property
    def healthy(self) -> bool:
        """What ``verify_healthy`` and the end of ``adapter_invoke`` ask. Being past due is not part of it."""
        return self.required <= self.effective

    @property
    def liquidatable(self) -> bool:
        """Whether ``liquidate_begin`` would be allowed: unhealthy or past due, and nothing stale."""
        return not self.stale and (not self.healthy or self.past_due)


def stale_reason(position: AccountPosition, now: UnixTime) -> StaleReason | None:
    """Why the position does not count at ``now``; None when it does.

    A moment before its refresh counts as fresh: ``now`` may have been observed a slot earlier than the account. The program
    itself never sees that, and would fail.
    """
    if not position.price.is_valid:
        return StaleReason.INVALID_PRICE
    if 0 < position.max_staleness < now.since(position.balance_timestamp):
        return StaleReason.OUTDATED_BALANCE
    if now.since(position.price.timestamp) > MAX_PRICE_AGE.value:
        return StaleReason.OUTDATED_PRICE
    return None


def collateral_value(position: AccountPosition) -> int:
    """What a collateral counts: value x weight."""
    return mul(from_hundredths(position.value_modifier), position.value)


def required_collateral(position: AccountPosition) -> int:
    """What a claim requires beyond itself: value / leverage, or ``INFINITE`` without leverage."""
    modifier = from_hundredths(position.value_modifier)
    return div(position.value, modifier) if modifier else INFINITE


def valuation(state: MarginAccountState, now: UnixTime) -> Valuation:
    """Value the account from the values, prices and balances that it stores.

    Raises ``ClaimStale`` for the first claim that is stale, and ``NumberError`` where the program's arithmetic would fail.
    """
    equity = liabilities = required = weighted = 0
    past_due, stale, not_positive = False, list[StalePosition](), list[Pubkey]()
    for position in state.positions:
        if position.balance == 0:
            continue
        reason = stale_reason(position, now)
        if reason is not None:
            if position.is_claim:
                raise ClaimStale(position.token, reason)
            stale.append(StalePosition(position.token, reason))
            continue
        if position.price.value <= 0:
            not_positive.append(position.token)
        if position.is_claim:
            past_due = past_due or position.past_due
            equity = checked(equity - position.value)
            liabilities = checked(liabilities + position.value)
            more = required_collateral(position)
            # Beyond infinity the program fails; for us such an account stays one that can never be healthy.
            required = INFINITE if INFINITE in (required, more) and more >= 0 <= required else checked(required + more)
        else:
            equity = checked(equity + position.value)
            weighted = checked(weighted + collateral_value(position))
    checked(weighted - liabilities)
    return Valuation(equity, liabilities, required, weighted, past_due, tuple(stale), tuple(not_positive))


def health_level(value: Valuation) -> Bps:
    """HL = 1 - (required + liabilities) / weighted in basis points, rounded down; liquidation is due at 0.

    Without debt 10 000. Without any weighted collateral but with debt 0, as the app shows; check ``healthy`` beside it.
    """
    burden = value.required + value.liabilities
    if burden <= 0:
        return Bps(BPS)
    if value.weighted <= 0:
        return Bps(0)
    return Bps(BPS - -(-burden * BPS // value.weighted))


def worst_case(state: MarginAccountState, configs: Mapping[Pubkey, TokenConfig]) -> MarginAccountState:
    """The account with the worse of each position's modifier and that of its TokenConfig (``configs`` by mint).

    A position keeps what was configured when it was opened until someone permitted refreshes it: a lower weight or leverage in
    the configuration is a shock to come. A configuration of another kind makes a collateral worthless and a claim without
    leverage; a missing one changes nothing.
    """

    def worse(position: AccountPosition) -> AccountPosition:
        config = configs.get(position.token)
        if config is None:
            return position
        configured = config.value_modifier if config.token_kind is position.kind else 0
        return replace(position, value_modifier=min(position.value_modifier, configured))

    return replace(state, positions=tuple(worse(one) for one in state.positions))


def valuation_of(
    data: bytes,
    configs: Mapping[Pubkey, TokenConfig],
    now: UnixTime,
    *,
    owner: Pubkey | None = None,
    program: Pubkey = GLOW_MARGIN,
) -> Valuation:
    """Valuation, by the worse of position and configuration, of an account's bytes (say, as a simulation left them).

    Raises ``LayoutError``, ``ClaimStale``, ``NumberError``.
    """
    return valuation(worst_case(decode_margin_account(data, owner=owner, program=program), configs), now)


def position_price(price: TokenPrice, now: UnixTime) -> PositionPrice:
    """What a refresh at ``now`` stores: the price stamped ``now``, or ``INVALID_PRICE`` where the average is zero, the confidence
    above 5 % of it, or the price published more than 60 s ago. Raises ``NumberError`` for an impossible exponent.

    The refresh itself fails, storing nothing, where a Pyth update is older than 60 s, partly verified or of another feed.
    """
    ema, confidence = from_decimal(price.ema, price.exponent), from_decimal(price.conf, price.exponent)
    if ema == 0 or div(confidence, ema) > from_bps(MAX_CONFIDENCE_BPS):
        return INVALID_PRICE
    if now.elapsed(price.publish_time) > MAX_PUBLISH_AGE:
        return INVALID_PRICE
    return PositionPrice(price.price, now, price.exponent, is_valid=True)


def price_is_usable(price: TokenPrice, now: UnixTime) -> bool:
    """Whether a refresh at ``now`` gives a price that counts and that we would act on: valid, and above zero."""
    try:
        stored = position_price(price, now)
    except NumberError:
        return False
    return stored.is_valid and stored.value > 0


def revalued(
    position: AccountPosition, price: TokenPrice | PositionPrice | None, balance: int | None, now: UnixTime
) -> AccountPosition:
    """The position after a refresh at ``now`` of its price, its balance (base units), or both; None leaves one as it is.

    Raises ``NumberError``.
    """
    if price is None and balance is None:
        return position
    if isinstance(price, TokenPrice):
        price = position_price(price, now)
    price = position.price if price is None else price
    held = position.balance if balance is None else balance
    return replace(
        position,
        price=price,
        balance=held,
        balance_timestamp=position.balance_timestamp if balance is None else now,
        value=mul(from_decimal(held, position.exponent), from_decimal(price.value, price.exponent)),
    )


def priced(
    state: MarginAccountState,
    prices: Mapping[Pubkey, TokenPrice | PositionPrice],
    now: UnixTime,
    *,
    balances: Mapping[Pubkey, int] | None = None,
) -> MarginAccountState:
    """The account after a refresh at ``now``: prices by mint, and balances by mint in base units.

    A priced position's balance counts as refreshed too, unchanged where ``balances`` does not name it: our transactions refresh
    both. Positions named in neither keep what they have. Raises ``NumberError``.
    """
    known = balances or {}

    def refreshed(position: AccountPosition) -> AccountPosition:
        balance = known.get(position.token)
        if balance is None and position.token in prices:
            balance = position.balance
        return revalued(position, prices.get(position.token), balance, now)

    return replace(state, positions=tuple(refreshed(one) for one in state.positions))
