"""Liquidation in the margin model: who may begin, what an invoke may do, what it earns, how it ends."""

from __future__ import annotations

import pytest

from keeper.protocols.addresses import GLOW_MARGIN, JUPITER_V6, SPL_TOKEN
from keeper.sim.localnet.interface import InvokeContext
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.anchor import event_discriminator
from keeper.sim.localnet.programs.glow_margin_errors import MarginError
from keeper.sim.localnet.programs.glow_margin_liquidation import liquidation_fee
from keeper.sim.localnet.programs.glow_margin_liquidation_state import LiquidationState, liquidation_address
from keeper.sim.localnet.programs.glow_margin_result import Cause, TokenChange, encode_result
from keeper.sim.localnet.programs.glow_margin_state import (
    AdapterConfig,
    Permission,
    adapter_config_address,
)
from tests.localnet_programs.margin_box import MarginBox, ScriptedPool, error, events
from tests.localnet_programs.margin_calls import (
    AIRSPACE,
    GLOWSOL,
    LIQUIDATOR,
    LOAN,
    MARGIN,
    NOT_OURS,
    OWNER,
    RAW,
    SOL,
    STRANGER,
    WALLET_RAW,
    adapter_invoke,
    close_position,
    collect_fee,
    key,
    liquidate_begin,
    liquidate_end,
    liquidator_invoke,
    pool_call,
    read,
    refresh,
    verify_healthy,
    withdraw_raw,
    write,
)

LIQ = LIQUIDATOR.pubkey()
USD = 10**10
FEE_ACCOUNT = key(80)


@pytest.fixture
def box() -> MarginBox:
    """Ten glowSOL (2 500 USD, weighted 2 375) against a debt of 2 000 USD: 125 USD short. The liquidator has a permit."""
    box = MarginBox()
    box.open_raw(10 * SOL)
    box.owe(2_000)
    box.permit(LIQ, Permission.LIQUIDATE)
    box.token(FEE_ACCOUNT, GLOWSOL, LIQ, 0)
    return box


def begun(box: MarginBox) -> None:
    record = box.send(liquidate_begin(LIQ), signers=[LIQUIDATOR])
    assert error(record) is None, record.logs


def sell(box: MarginBox, tokens: int, usd: int, *, repaid: int = 0, cause: Cause = Cause.REPAY) -> object:
    """Let the pool take ``tokens`` glowSOL from the account and ``usd`` whole dollars off its debt. The code of the invoke."""

    def run(ctx: InvokeContext) -> None:
        if tokens:
            ctx.invoke(cpi.token_transfer(RAW, WALLET_RAW, MARGIN, tokens))
        if repaid:
            ctx.set_return_data(encode_result([(GLOWSOL, [TokenChange(GLOWSOL, repaid, cause)])]))

    box.pool.run = run
    state = box.margin
    claim = state.require_position(LOAN)
    # The scripted pool keeps no notes: the debt that it takes off is written while it runs, as a refreshed balance would be.
    notes = key(41)
    box.token(notes, LOAN, MARGIN, claim.balance - usd * SOL)
    metas = [write(RAW), write(WALLET_RAW), write(notes), read(SPL_TOKEN)]
    return error(box.send(liquidator_invoke(LIQ, pool_call(*metas)), signers=[LIQUIDATOR]))


# --- begin -----------------------------------------------------------------------------------------------------------


def test_a_permitted_third_party_begins_on_an_unhealthy_account(box: MarginBox) -> None:
    record = box.send(liquidate_begin(LIQ), signers=[LIQUIDATOR])
    assert error(record) is None
    assert box.margin.liquidator == LIQ
    state = box.liquidation
    assert (state.liquidator, state.margin_account, state.start_time) == (LIQ, MARGIN, box.now)
    assert state.max_equity_loss == 101 * USD  # 5 % of 2 000 and one dollar
    assert state.max_available_collateral == 50 * USD  # 10 % of the required 500
    event = events(record)[0]
    assert event.startswith(event_discriminator("LiquidationBegun") + bytes(MARGIN) + bytes(LIQ))
    numbers = [int.from_bytes(event[-97 + 16 * at : -81 + 16 * at], "little", signed=True) for at in range(6)]
    assert numbers == [500 * USD, 2_000 * USD, 500 * USD, 2_375 * USD, 375 * USD, -125 * USD]
    assert event[-1] == 0


def test_a_healthy_account_is_left_alone(box: MarginBox) -> None:
    state = box.margin
    state.require_position(LOAN).set_balance(1_900 * SOL, box.now)
    box.margin = state
    assert error(box.send(liquidate_begin(LIQ), signers=[LIQUIDATOR])) == MarginError.HEALTHY


def test_stale_collateral_forbids_a_liquidation(box: MarginBox) -> None:
    box.wait(31)
    state = box.margin
    claim = state.require_position(LOAN)
    claim.set_price(claim.price.__class__(10**8, box.now, -8, True))
    box.margin = state
    assert error(box.send(liquidate_begin(LIQ), signers=[LIQUIDATOR])) == MarginError.STALE_POSITIONS


def test_a_foreign_lacking_or_misplaced_permit_is_refused(box: MarginBox) -> None:
    box.permit(LIQ, Permission.REFRESH_POSITION_CONFIG)
    assert error(box.send(liquidate_begin(LIQ), signers=[LIQUIDATOR])) == MarginError.UNAUTHORIZED_LIQUIDATOR
    others = box.permit(STRANGER.pubkey(), Permission.LIQUIDATE)
    record = box.send(liquidate_begin(LIQ, others), signers=[LIQUIDATOR])
    assert error(record) == MarginError.UNAUTHORIZED_LIQUIDATOR
    elsewhere = box.permit(LIQ, Permission.LIQUIDATE, NOT_OURS)
    assert error(box.send(liquidate_begin(LIQ, elsewhere), signers=[LIQUIDATOR])) == MarginError.WRONG_AIRSPACE
    assert error(box.send(liquidate_begin(LIQ, key(99)), signers=[LIQUIDATOR])) == 3012


def test_one_liquidator_at_a_time(box: MarginBox) -> None:
    begun(box)
    box.permit(STRANGER.pubkey(), Permission.LIQUIDATE)
    record = box.send(liquidate_begin(STRANGER.pubkey()), signers=[STRANGER])
    assert error(record) == MarginError.LIQUIDATING
    assert error(box.send(liquidate_begin(LIQ), signers=[LIQUIDATOR])) == 0  # System: account already in use


def test_the_owner_is_locked_out_meanwhile(box: MarginBox) -> None:
    begun(box)
    assert error(box.send(adapter_invoke(pool_call()))) == MarginError.LIQUIDATING
    assert error(box.send(withdraw_raw(1))) == MarginError.LIQUIDATING
    assert error(box.send(close_position(OWNER.pubkey(), GLOWSOL, RAW))) == MarginError.LIQUIDATING
    stranger = close_position(STRANGER.pubkey(), GLOWSOL, RAW)
    assert error(box.send(stranger, signers=[STRANGER])) == MarginError.UNAUTHORIZED_LIQUIDATOR
    assert error(box.send(refresh())) is None


# --- invoke ----------------------------------------------------------------------------------------------------------


def test_a_liquidator_sells_collateral_against_the_debt(box: MarginBox) -> None:
    begun(box)
    assert sell(box, 2 * SOL, 490) is None
    state = box.liquidation
    # 500 USD of glowSOL for 490 of debt: available from -125 to -125 - 475 + 490 x 1.25.
    assert state.equity_loss == 10 * USD
    assert state.collateral_change == (-475 * 100 + 490 * 125) * USD // 100
    assert box.margin.require_position(GLOWSOL).balance == 8 * SOL


def test_it_may_not_lose_the_account_too_much(box: MarginBox) -> None:
    begun(box)
    assert sell(box, 2 * SOL, 398) == MarginError.LIQUIDATION_LOST_VALUE  # 102 of at most 101
    assert sell(box, 2 * SOL, 399) is None
    assert sell(box, SOL, 249) == MarginError.LIQUIDATION_LOST_VALUE  # the loss adds up over invokes


def test_it_may_not_lower_the_available_collateral(box: MarginBox) -> None:
    """One glowSOL carries 237.50 by weight, and 190 of debt ask for as much; the equity lost, 61, is allowed."""
    begun(box)
    assert sell(box, SOL, 189) == MarginError.LIQUIDATION_LOST_VALUE
    assert sell(box, SOL, 190) is None


def test_it_may_not_take_more_than_it_must(box: MarginBox) -> None:
    begun(box)
    # Each glowSOL sold for 250 lifts available collateral by 75: five are 375 - 125 = 250, above the limit of 50.
    assert sell(box, 5 * SOL, 1_250) == MarginError.LIQUIDATION_LOST_VALUE
    assert sell(box, 2 * SOL, 500) is None


def test_only_the_liquidator_of_this_account_invokes(box: MarginBox) -> None:
    begun(box)
    wrong = liquidator_invoke(LIQ, pool_call())
    metas = [read(STRANGER.pubkey(), True), *wrong.accounts[1:]]
    stolen = type(wrong)(wrong.program_id, bytes(wrong.data), metas)
    assert error(box.send(stolen, signers=[STRANGER])) == 2001
    none_begun = liquidator_invoke(STRANGER.pubkey(), pool_call())
    assert error(box.send(none_begun, signers=[STRANGER])) == 3012


# --- the fee ---------------------------------------------------------------------------------------------------------


def test_the_fee_is_five_in_a_hundred_and_five_of_what_was_swapped_in_and_repaid() -> None:
    def changes(**tokens: int) -> list[TokenChange]:
        return [TokenChange(GLOWSOL, amount, Cause[name.upper()]) for name, amount in tokens.items()]

    def fee(**tokens: int) -> int:
        return liquidation_fee(GLOWSOL, changes(**tokens))

    assert fee(external_increase=105 * SOL, repay=210 * SOL) == 476_190_476 * 105 * SOL // 10**10
    assert fee(external_increase=210 * SOL, repay=105 * SOL) == fee(external_increase=105 * SOL, repay=105 * SOL)
    assert fee(external_increase=105 * SOL, external_decrease=105 * SOL, repay=SOL) == 0
    assert fee(external_decrease=5, repay=SOL) == 0
    assert liquidation_fee(LOAN, changes(external_increase=SOL, repay=SOL)) == 0
    with pytest.raises(Exception, match="LiquidationLostValue"):
        fee(borrow=2, repay=1)


def test_a_swap_and_its_repayment_accrue_a_fee_that_is_paid_at_the_end(box: MarginBox) -> None:
    """The fee's token here is the collateral itself: swapped in through Jupiter, and reported as repaid by the pool."""
    begun(box)

    def swap(ctx: InvokeContext) -> None:
        ctx.invoke(cpi.token_transfer(WALLET_RAW, RAW, OWNER.pubkey(), SOL))

    box.bank.add_model(ScriptedPool(swap, program_id=JUPITER_V6))
    config = AdapterConfig(AIRSPACE, JUPITER_V6)
    box.put(adapter_config_address(AIRSPACE, JUPITER_V6), config.encode(), GLOW_MARGIN)
    box.pool.run = lambda ctx: ctx.set_return_data(
        encode_result([(GLOWSOL, [TokenChange(GLOWSOL, SOL // 2, Cause.REPAY)])])
    )
    owner = read(OWNER.pubkey(), True)
    trade = (JUPITER_V6, b"", [write(WALLET_RAW), write(RAW), owner, read(SPL_TOKEN)])
    state = box.margin  # the swap lifts equity by 250, so the limit on available collateral must leave room for it
    state.require_position(LOAN).set_balance(2_150 * SOL, box.now)
    box.margin = state
    record = box.send(liquidator_invoke(LIQ, trade, pool_call()), signers=[LIQUIDATOR, OWNER])
    assert error(record) is None, record.logs
    accrued = 476_190_476 * (SOL // 2) // 10**10
    assert box.liquidation.fees == {GLOWSOL: accrued}

    # Unhealthy still: the fee waits until the account is whole.
    assert error(box.send(collect_fee(LIQ, FEE_ACCOUNT), signers=[LIQUIDATOR])) == MarginError.UNHEALTHY
    state = box.margin
    state.require_position(LOAN).set_balance(1_000 * SOL, box.now)
    box.margin = state
    lost = LiquidationState.decode(box.data(liquidation_address(MARGIN, LIQ)[0]))
    lost.equity_loss = USD  # one dollar of the fee is forgone
    box.put(liquidation_address(MARGIN, LIQ)[0], lost.encode(), GLOW_MARGIN)
    box.publish()
    assert error(box.send(collect_fee(LIQ, FEE_ACCOUNT), signers=[LIQUIDATOR])) is None
    paid = box.amount(FEE_ACCOUNT)
    assert 0 <= accrued - SOL // 250 - paid <= 1
    assert box.margin.require_position(GLOWSOL).balance == box.amount(RAW) == 11 * SOL - paid
    assert (box.liquidation.fees, box.liquidation.equity_loss) == ({}, 0)
    assert error(box.send(liquidator_invoke(LIQ, pool_call()), signers=[LIQUIDATOR])) == 2003
    again = box.send(collect_fee(LIQ, FEE_ACCOUNT), signers=[LIQUIDATOR])
    assert error(again) == MarginError.INVALID_LIQUIDATION_FEE_MINT


def test_six_fee_tokens_fit(box: MarginBox) -> None:
    state = LiquidationState(LIQ, MARGIN, 1, -2, 3, 4, -5, True)
    for tag in range(6):
        state.accrue(key(100 + tag), tag)
    state.accrue(key(100), 5)
    assert LiquidationState.decode(state.encode()) == state
    assert box.bank.rent_exempt(len(state.encode())) == box.bank.rent_exempt(392)
    with pytest.raises(Exception, match="LiquidationFeeSlotsFull"):
        state.accrue(key(120), 1)


# --- end -------------------------------------------------------------------------------------------------------------


def test_the_liquidator_ends_and_gets_the_rent_back(box: MarginBox) -> None:
    begun(box)
    assert error(box.send(liquidate_end(STRANGER.pubkey(), LIQ), signers=[STRANGER])) == (
        MarginError.UNAUTHORIZED_LIQUIDATOR
    )
    record = box.send(liquidate_end(LIQ, LIQ), signers=[LIQUIDATOR])
    assert error(record) is None
    assert not box.margin.is_liquidating
    assert box.bank.get_account(liquidation_address(MARGIN, LIQ)[0]) is None
    payload = event_discriminator("LiquidationEnded") + bytes(MARGIN) + bytes(LIQ) + b"\0"
    assert payload in events(record)


def test_anybody_ends_it_after_a_minute(box: MarginBox) -> None:
    begun(box)
    box.wait(60)
    record = box.send(liquidate_end(STRANGER.pubkey(), LIQ), signers=[STRANGER])
    assert error(record) is None
    assert events(record)[0][-1] == 1
    box.publish()
    box.freshen()
    assert error(box.send(verify_healthy())) == MarginError.UNHEALTHY
    assert error(box.send(withdraw_raw(1))) is None  # the owner is free again
