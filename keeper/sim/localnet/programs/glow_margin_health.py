"""What a margin account is worth, and whether that carries its debts (shared facts, protocol.md 3.4-3.6).

All amounts are raw Number128 USD. Written from the facts alone: the keeper's own health is held against this one by tests.
"""

from __future__ import annotations

from dataclasses import dataclass

from solders.pubkey import Pubkey

from keeper.sim.localnet.programs.glow_margin_errors import MarginError
from keeper.sim.localnet.programs.glow_margin_number import (
    NUMBER_MAX,
    checked,
    divide,
    from_bps,
    from_decimal,
    multiply,
    panic,
)
from keeper.sim.localnet.programs.glow_margin_state import (
    INVALID_PRICE,
    AccountPosition,
    MarginAccount,
    PositionFlag,
    PositionKind,
    PriceInfo,
)

MAX_PRICE_AGE = 30
"""Seconds for which a position's price counts."""
MAX_ORACLE_AGE = 60
MAX_CONFIDENCE_BPS = 500


@dataclass(frozen=True, slots=True)
class PriceChange:
    """A price as an oracle or an adapter reports it: ``value``, ``confidence`` and ``ema`` in units of ``10**exponent`` USD."""

    value: int
    confidence: int
    ema: int
    publish_time: int
    exponent: int

    def to_price_info(self, now: int) -> PriceInfo:
        """The price as a position keeps it, stamped ``now``; an invalid one where ema, confidence or age rule it out."""
        ema = from_decimal(self.ema, self.exponent)
        confidence = from_decimal(self.confidence, self.exponent)
        if ema == 0 or divide(confidence, ema) > from_bps(MAX_CONFIDENCE_BPS):
            return INVALID_PRICE
        if now - self.publish_time > MAX_ORACLE_AGE:
            return INVALID_PRICE
        return PriceInfo(self.value, now, self.exponent, True)


@dataclass(frozen=True, slots=True)
class Valuation:
    """Totals over the fresh positions, and the collateral that was left out as stale with the reason."""

    equity: int
    liabilities: int
    required: int
    weighted: int
    past_due: bool
    stale: tuple[tuple[Pubkey, MarginError], ...]

    @property
    def effective(self) -> int:
        return checked(self.weighted - self.liabilities)

    @property
    def available(self) -> int:
        return checked(self.effective - self.required)

    @property
    def is_healthy(self) -> bool:
        return self.required <= self.effective

    def verify_healthy(self) -> None:
        """Raises Unhealthy. Stale collateral does not fail it; it is just not counted."""
        if not self.is_healthy:
            raise MarginError.UNHEALTHY.error(
                f"weighted {self.weighted}, effective {self.effective}, required {self.required}"
            )

    def verify_unhealthy(self) -> None:
        """Raises StalePositions, or Healthy where nothing calls for a liquidation."""
        if self.stale:
            raise MarginError.STALE_POSITIONS.error(", ".join(f"{mint}: {why.title}" for mint, why in self.stale))
        if self.is_healthy and not self.past_due:
            raise MarginError.HEALTHY.error()


def stale_reason(position: AccountPosition, now: int) -> MarginError | None:
    """Why a position does not count at ``now`` (unix seconds), or None for a fresh one."""
    balance_age, price_age = now - position.balance_timestamp, now - position.price.timestamp
    if balance_age < 0 or price_age < 0:
        raise panic("a position was refreshed in the future")
    if not position.price.is_valid:
        return MarginError.INVALID_PRICE
    if 0 < position.max_staleness < balance_age:
        return MarginError.OUTDATED_BALANCE
    if price_age > MAX_PRICE_AGE:
        return MarginError.OUTDATED_PRICE
    return None


def valuation(account: MarginAccount, now: int) -> Valuation:
    """Totals at ``now`` (unix seconds). Raises InvalidPrice, OutdatedBalance or OutdatedPrice for a stale claim."""
    equity = liabilities = required = weighted = 0
    past_due = False
    stale: list[tuple[Pubkey, MarginError]] = []
    for position in account.positions:
        if position.balance == 0:
            continue
        reason = stale_reason(position, now)
        if position.kind is PositionKind.CLAIM:
            if reason is not None:
                raise reason.error(f"claim position {position.token} is stale")
            past_due = past_due or bool(position.flags & PositionFlag.PAST_DUE)
            equity = checked(equity - position.value)
            liabilities = checked(liabilities + position.value)
            required = checked(required + _required(position))
        elif reason is not None:
            stale.append((position.token, reason))
        else:
            equity = checked(equity + position.value)
            weighted = checked(weighted + multiply(from_decimal(position.value_modifier, -2), position.value))
    return Valuation(equity, liabilities, required, weighted, past_due, tuple(stale))


def _required(position: AccountPosition) -> int:
    """Collateral beyond the debt itself that a claim asks for; without a leverage no collateral is ever enough."""
    if position.value_modifier == 0:
        return NUMBER_MAX
    return divide(position.value, from_decimal(position.value_modifier, -2))
