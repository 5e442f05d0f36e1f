"""How prices enter positions of the margin model, and what stale ones do."""

from __future__ import annotations

import pytest

from keeper.protocols.addresses import GLOW_AIRSPACE, PYTH_RECEIVER_UPGRADED
from keeper.sim.localnet.programs.anchor import event_discriminator
from keeper.sim.localnet.programs.glow_margin_errors import MarginError, PriceError
from keeper.sim.localnet.programs.glow_margin_state import INVALID_PRICE, PositionFlag, PriceInfo, PythPull
from tests.localnet_programs.margin_box import MarginBox, error, events
from tests.localnet_programs.margin_calls import (
    GLOWSOL,
    LOAN,
    MARGIN,
    RATE_FEED,
    RAW,
    SOL,
    WALLET_RAW,
    refresh,
    update_balance,
    verify_healthy,
    verify_unhealthy,
)


@pytest.fixture
def box() -> MarginBox:
    """100 glowSOL would be 25 000 USD; ten are in the account."""
    box = MarginBox()
    box.open_raw(10 * SOL)
    return box


def test_a_redemption_price_is_rate_times_quote_truncated(box: MarginBox) -> None:
    box.publish(rate=123_456_789, quote=19_876_543_210)
    assert error(box.send(refresh())) is None
    price = box.margin.require_position(GLOWSOL).price
    assert (price.value, price.exponent, price.is_valid) == (123_456_789 * 19_876_543_210 // 10**8, -8, True)
    assert price.timestamp == box.now


def test_a_plain_feed_needs_no_quote(box: MarginBox) -> None:
    config = box.raw_config()
    config.admin = PythPull(RATE_FEED)
    box.configure(config)
    box.publish(rate=25_000_000_000)
    assert error(box.send(refresh(quote=False))) is None
    assert box.margin.require_position(GLOWSOL).price.value == 25_000_000_000


def test_a_redemption_price_needs_its_quote(box: MarginBox) -> None:
    assert error(box.send(refresh(quote=False))) == MarginError.INVALID_ORACLE


def test_the_token_account_refreshes_the_balance_too(box: MarginBox) -> None:
    box.wait(5)
    assert error(box.send(refresh(token_account=RAW))) is None
    assert box.margin.require_position(GLOWSOL).balance_timestamp == box.now
    assert error(box.send(refresh(token_account=WALLET_RAW))) == MarginError.POSITION_NOT_REGISTERED


def test_an_unregistered_token_has_no_position_to_price(box: MarginBox) -> None:
    state = box.margin
    state.slots.clear()
    box.margin = state
    assert error(box.send(refresh())) == MarginError.POSITION_NOT_REGISTERED


def test_an_old_partial_or_foreign_update_reverts(box: MarginBox) -> None:
    box.publish(age=55)
    assert error(box.send(refresh())) is None
    box.publish(age=61)
    assert error(box.send(refresh())) == PriceError.PRICE_TOO_OLD
    box.publish(signatures=5)
    assert error(box.send(refresh())) == PriceError.INSUFFICIENT_VERIFICATION_LEVEL
    box.publish(feed=bytes(32))
    assert error(box.send(refresh())) == PriceError.MISMATCHED_FEED_ID
    box.publish(owner=GLOW_AIRSPACE)
    assert error(box.send(refresh())) == MarginError.INVALID_ORACLE
    box.publish(owner=PYTH_RECEIVER_UPGRADED)
    assert error(box.send(refresh())) is None


@pytest.mark.parametrize(
    ("conf", "ema", "is_valid"),
    # conf = rate conf x 200 + 0.1, so at an ema of 250 USD the limit of 5 % is at a rate conf of 0.062
    [
        (6_199_999, 125_000_000, True),
        (6_200_000, 125_000_000, True),
        (6_300_000, 125_000_000, False),
        (10_000, 0, False),
    ],
)
def test_a_wide_confidence_is_kept_as_an_invalid_price(box: MarginBox, conf: int, ema: int, is_valid: bool) -> None:
    box.publish(conf=conf, ema=ema)
    assert error(box.send(refresh())) is None
    position = box.margin.require_position(GLOWSOL)
    assert position.price.is_valid is is_valid
    if not is_valid:
        assert position.price == INVALID_PRICE
        assert position.value == 0


def test_a_negative_rate_panics_instead_of_pricing(box: MarginBox) -> None:
    box.publish(rate=-125_000_000, ema=125_000_000)
    assert error(box.send(refresh())) == "ProgramFailedToComplete"


def test_collateral_counts_for_thirty_seconds(box: MarginBox) -> None:
    box.owe(1_000)
    assert error(box.send(verify_healthy())) is None
    state = box.margin
    held = state.require_position(GLOWSOL)
    held.max_staleness = 0
    held.set_price(PriceInfo(held.price.value, box.now - 31, -8, True))
    box.margin = state
    assert error(box.send(verify_healthy())) == MarginError.UNHEALTHY  # stale collateral is not counted
    assert error(box.send(verify_unhealthy())) == MarginError.STALE_POSITIONS


def test_an_aged_balance_is_stale_where_its_age_is_limited(box: MarginBox) -> None:
    box.wait(31)
    box.publish()
    assert error(box.send(refresh())) is None
    box.owe(1)
    assert error(box.send(verify_healthy())) == MarginError.UNHEALTHY
    assert error(box.send(update_balance(RAW), verify_healthy())) is None


def test_a_stale_claim_fails_every_valuation(box: MarginBox) -> None:
    box.owe(1)
    state = box.margin
    claim = state.require_position(LOAN)
    claim.set_price(INVALID_PRICE)
    box.margin = state
    assert error(box.send(verify_healthy())) == MarginError.INVALID_PRICE
    claim.max_staleness = 10
    claim.set_price(state.require_position(GLOWSOL).price)
    claim.balance_timestamp = box.now - 20
    box.margin = state
    assert error(box.send(verify_healthy())) == MarginError.OUTDATED_BALANCE
    claim.set_balance(claim.balance, box.now)
    claim.price = PriceInfo(10**8, box.now - 31, -8, True)
    box.margin = state
    assert error(box.send(verify_unhealthy())) == MarginError.OUTDATED_PRICE


def test_stale_collateral_without_debt_is_healthy(box: MarginBox) -> None:
    box.wait(40)
    record = box.send(verify_healthy())
    assert error(record) is None
    assert event_discriminator("VerifiedHealthy") + bytes(MARGIN) in events(record)


def test_health_at_the_edge(box: MarginBox) -> None:
    """Ten glowSOL carry 2 375 USD by weight: a debt of 1 900 and its required quarter, 475, and no more."""
    box.owe(1_900)
    assert error(box.send(verify_healthy())) is None
    assert error(box.send(verify_unhealthy())) == MarginError.HEALTHY
    state = box.margin
    claim = state.require_position(LOAN)
    claim.set_balance(claim.balance + 1_000, box.now)
    box.margin = state
    assert error(box.send(verify_healthy())) == MarginError.UNHEALTHY
    record = box.send(verify_unhealthy())
    assert error(record) is None
    assert event_discriminator("VerifiedUnhealthy") + bytes(MARGIN) in events(record)


def test_a_past_due_claim_is_for_liquidators_though_healthy(box: MarginBox) -> None:
    box.owe(1, flags=PositionFlag.PAST_DUE)
    assert error(box.send(verify_healthy())) is None
    assert error(box.send(verify_unhealthy())) is None


def test_a_claim_without_leverage_is_never_covered(box: MarginBox) -> None:
    box.owe(1, leverage=0)
    assert error(box.send(verify_healthy())) == MarginError.UNHEALTHY
