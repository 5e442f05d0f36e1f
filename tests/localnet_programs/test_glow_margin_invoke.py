"""Adapters invoked through the margin model: who signs, what is counted, what their results do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_MARGIN, GLOW_MARGIN_POOL, JUPITER_V6, SPL_TOKEN, TOKEN_2022
from keeper.sim.localnet.interface import InvokeContext
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.anchor import event_discriminator
from keeper.sim.localnet.programs.glow_margin_errors import MarginError
from keeper.sim.localnet.programs.glow_margin_health import PriceChange
from keeper.sim.localnet.programs.glow_margin_result import (
    Cause,
    Change,
    Close,
    FlagsChange,
    Register,
    TokenChange,
    decode_result,
    encode_result,
)
from keeper.sim.localnet.programs.glow_margin_state import (
    AdapterConfig,
    PositionFlag,
    PositionKind,
    TokenFeature,
    adapter_config_address,
    require_direct_invocation,
    token_config_address,
)
from tests.localnet_programs.margin_box import MarginBox, ScriptedPool, error, events
from tests.localnet_programs.margin_calls import (
    AIRSPACE,
    GLOWSOL,
    LOAN,
    LOAN_NOTES,
    MARGIN,
    NOT_OURS,
    OWNER,
    RAW,
    SOL,
    STRANGER,
    WALLET_RAW,
    accounting_invoke,
    adapter_invoke,
    key,
    pool_call,
    read,
    refresh,
    verify_healthy,
    write,
)

OWN = OWNER.pubkey()
OTHER = key(70)


@pytest.fixture
def box() -> MarginBox:
    """Ten glowSOL (2 500 USD) in the account, fresh."""
    box = MarginBox()
    box.open_raw(10 * SOL)
    return box


def returning(*changes: Change, mint: Pubkey = LOAN) -> Callable[[InvokeContext], None]:
    """An adapter that reports ``changes`` of one mint."""

    def run(ctx: InvokeContext) -> None:
        ctx.set_return_data(encode_result([(mint, changes)]))

    return run


def registering(box: MarginBox, balance: int = 0) -> tuple[AccountMeta, ...]:
    """What a loan's registration needs among the accounts; its notes exist with ``balance``."""
    box.token(LOAN_NOTES, LOAN, GLOW_MARGIN_POOL, balance, TOKEN_2022)
    return (read(token_config_address(AIRSPACE, LOAN)), read(LOAN), write(LOAN_NOTES))


# --- who may, and with what ------------------------------------------------------------------------------------------


def test_the_owner_lends_the_accounts_signature(box: MarginBox) -> None:
    seen = []
    box.pool.run = lambda ctx: seen.append(ctx.accounts[0].is_signer)
    assert error(box.send(adapter_invoke(pool_call()))) is None
    assert error(box.send(accounting_invoke(pool_call()))) is None
    assert seen == [True, False]


def test_the_signature_moves_the_accounts_tokens(box: MarginBox) -> None:
    metas = [write(RAW), write(WALLET_RAW), read(SPL_TOKEN)]

    def pay_out(ctx: InvokeContext) -> None:
        ctx.invoke(cpi.token_transfer(RAW, WALLET_RAW, MARGIN, SOL))

    box.pool.run = pay_out
    assert error(box.send(accounting_invoke(pool_call(*metas)))) == "PrivilegeEscalation"
    assert error(box.send(adapter_invoke(pool_call(*metas)))) is None
    assert box.amount(RAW) == 9 * SOL
    assert box.margin.require_position(GLOWSOL).balance == 9 * SOL


def test_only_the_owner_uses_adapter_invoke(box: MarginBox) -> None:
    record = box.send(adapter_invoke(pool_call(), owner=STRANGER.pubkey()), signers=[STRANGER])
    assert error(record) == 2001
    assert error(box.send(accounting_invoke(pool_call()), signers=[STRANGER])) is None


def test_an_adapter_knows_that_margin_called_it_itself(box: MarginBox) -> None:
    box.pool.run = lambda ctx: require_direct_invocation(ctx.accounts[0].data, ctx.stack_height)
    assert error(box.send(accounting_invoke(pool_call()))) is None
    assert box.margin.invocation == 0
    top_level = Instruction(GLOW_MARGIN_POOL, b"go", [read(MARGIN)])
    assert error(box.send(top_level)) == MarginError.INDIRECT_INVOCATION

    def pass_on(ctx: InvokeContext) -> None:
        ctx.invoke(top_level)

    box.bank.add_model(ScriptedPool(pass_on, program_id=OTHER, name="go_between"))
    box.put(adapter_config_address(AIRSPACE, OTHER), AdapterConfig(AIRSPACE, OTHER).encode(), GLOW_MARGIN)
    through = (OTHER, b"", [read(MARGIN), read(GLOW_MARGIN_POOL)])
    assert error(box.send(accounting_invoke(through))) == MarginError.INDIRECT_INVOCATION


def test_a_program_without_an_adapter_config_is_not_invoked(box: MarginBox) -> None:
    box.bank.add_model(ScriptedPool(program_id=OTHER))
    config = adapter_config_address(AIRSPACE, OTHER)
    assert error(box.send(accounting_invoke((OTHER, b"", [])))) == 3012
    box.put(config, AdapterConfig(AIRSPACE, GLOW_MARGIN_POOL).encode(), GLOW_MARGIN)
    assert error(box.send(accounting_invoke((OTHER, b"", [])))) == MarginError.UNAUTHORIZED_INVOCATION
    box.put(config, AdapterConfig(NOT_OURS, OTHER).encode(), GLOW_MARGIN)
    assert error(box.send(accounting_invoke((OTHER, b"", [])))) == MarginError.WRONG_AIRSPACE
    box.put(config, AdapterConfig(AIRSPACE, OTHER).encode(), GLOW_MARGIN)
    assert error(box.send(accounting_invoke((OTHER, b"", [])))) is None


@pytest.mark.parametrize("change", [-1, 1])
def test_the_accounts_must_add_up_exactly(box: MarginBox, change: int) -> None:
    whole = adapter_invoke(pool_call(), pool_call(read(GLOWSOL)))
    metas = whole.accounts[:-1] if change < 0 else [*whole.accounts, read(GLOWSOL)]
    assert error(box.send(whole)) is None
    record = box.send(Instruction(GLOW_MARGIN, bytes(whole.data), metas))
    assert error(record) == MarginError.INVALID_INVOKE_ACCOUNTS


def test_each_inner_call_gets_its_own_accounts_in_order(box: MarginBox) -> None:
    box.pool.calls.clear()
    calls = [pool_call(read(GLOWSOL), data=b"one"), pool_call(read(LOAN), write(WALLET_RAW), data=b"two")]
    assert error(box.send(accounting_invoke(*calls))) is None
    listed = [(ctx.data, [account.key for account in ctx.accounts]) for ctx in box.pool.calls]
    assert listed == [(b"one", [MARGIN, GLOWSOL]), (b"two", [MARGIN, LOAN, WALLET_RAW])]


def test_invokes_announce_themselves(box: MarginBox) -> None:
    for instruction, name in [(adapter_invoke(pool_call()), "Adapter"), (accounting_invoke(pool_call()), "Accounting")]:
        emitted = events(box.send(instruction))
        begin, end = event_discriminator(f"{name}InvokeBegin"), event_discriminator(f"{name}InvokeEnd")
        assert emitted == [begin + bytes(MARGIN), end]


# --- health ----------------------------------------------------------------------------------------------------------


def test_an_unhealthy_end_fails_adapter_invoke_and_not_accounting_invoke(box: MarginBox) -> None:
    box.owe(2_000)
    assert error(box.send(verify_healthy())) == MarginError.UNHEALTHY
    assert error(box.send(adapter_invoke(pool_call()))) == MarginError.UNHEALTHY
    assert error(box.send(accounting_invoke(pool_call()))) is None


def test_only_the_end_of_an_invoke_must_be_healthy(box: MarginBox) -> None:
    box.owe(1_900)
    metas = [write(RAW), write(WALLET_RAW), read(SPL_TOKEN), read(OWN, True)]

    def out_or_back(ctx: InvokeContext) -> None:
        back = ctx.data == b"back"
        source, target, authority = (WALLET_RAW, RAW, OWN) if back else (RAW, WALLET_RAW, MARGIN)
        ctx.invoke(cpi.token_transfer(source, target, authority, SOL))

    box.pool.run = out_or_back
    out, back = pool_call(*metas, data=b"out"), pool_call(*metas, data=b"back")
    assert error(box.send(adapter_invoke(out))) == MarginError.UNHEALTHY
    assert error(box.send(adapter_invoke(out, back))) is None


def test_owner_actions_are_blocked_while_a_liquidator_is_set(box: MarginBox) -> None:
    state = box.margin
    state.liquidator = STRANGER.pubkey()
    box.margin = state
    assert error(box.send(adapter_invoke(pool_call()))) == MarginError.LIQUIDATING
    assert error(box.send(accounting_invoke(pool_call()))) is None


# --- balances --------------------------------------------------------------------------------------------------------


def test_passed_token_accounts_of_positions_are_refreshed(box: MarginBox) -> None:
    box.send(cpi.token_transfer(WALLET_RAW, RAW, OWN, SOL))
    box.wait(10)
    assert error(box.send(accounting_invoke(pool_call()))) is None
    assert box.margin.require_position(GLOWSOL).balance == 10 * SOL  # not passed, not seen
    assert error(box.send(accounting_invoke(pool_call(read(RAW), read(WALLET_RAW))))) is None
    position = box.margin.require_position(GLOWSOL)
    assert (position.balance, position.balance_timestamp) == (11 * SOL, box.now)


# --- results ---------------------------------------------------------------------------------------------------------


def test_results_survive_their_encoding() -> None:
    changes: list[Change] = [
        PriceChange(-5, 6, -7, 8, -9),
        FlagsChange(2, False),
        Register(OTHER),
        Close(OTHER),
        TokenChange(OTHER, 9, Cause.REPAY),
    ]
    assert decode_result(encode_result([(LOAN, changes), (GLOWSOL, [])])) == [(LOAN, changes), (GLOWSOL, [])]


def test_a_loan_registers_with_the_owners_signature_only(box: MarginBox) -> None:
    needed = registering(box, 7)
    box.pool.run = returning(Register(LOAN_NOTES))
    assert error(box.send(accounting_invoke(pool_call(*needed)))) == MarginError.INVALID_POSITION_OWNER
    box.pool.run = returning(Register(LOAN_NOTES), PriceChange(10**8, 0, 10**8, box.now, -8))
    assert error(box.send(adapter_invoke(pool_call(*needed)))) is None
    position = box.margin.require_position(LOAN, LOAN_NOTES)
    assert (position.kind, position.adapter, position.balance) == (PositionKind.CLAIM, GLOW_MARGIN_POOL, 7)
    assert (position.value_modifier, position.is_token_2022) == (400, True)
    again = box.send(adapter_invoke(pool_call(*needed)))
    assert error(again) == MarginError.POSITION_ALREADY_REGISTERED
    box.pool.run = returning(Register(OTHER))
    assert error(box.send(adapter_invoke(pool_call(*needed)))) == MarginError.POSITION_NOT_REGISTERABLE


def test_a_registration_needs_config_mint_and_token_account(box: MarginBox) -> None:
    needed = registering(box)
    box.pool.run = returning(Register(LOAN_NOTES))
    for missing in range(3):
        some = [meta for at, meta in enumerate(needed) if at != missing]
        record = box.send(adapter_invoke(pool_call(*some)))
        assert error(record) == MarginError.POSITION_NOT_REGISTERABLE


def test_collateral_is_not_an_adapters_to_register(box: MarginBox) -> None:
    """A deposit note is the owner's to register, though the pool is its adapter."""
    notes = key(71)
    box.token(notes, key(22), MARGIN, 0, TOKEN_2022)
    box.pool.run = returning(Register(notes), mint=key(22))
    metas = [read(token_config_address(AIRSPACE, key(22))), read(key(22)), read(notes)]
    assert error(box.send(adapter_invoke(pool_call(*metas)))) == MarginError.INVALID_POSITION_OWNER


def test_a_loan_closes_when_empty(box: MarginBox) -> None:
    box.owe(1)
    box.pool.run = returning(Close(LOAN_NOTES))
    assert error(box.send(adapter_invoke(pool_call()))) == MarginError.CLOSE_NON_ZERO_POSITION
    state = box.margin
    state.require_position(LOAN).set_balance(0, box.now)
    box.margin = state
    assert error(box.send(accounting_invoke(pool_call()))) == MarginError.INVALID_POSITION_OWNER
    assert error(box.send(adapter_invoke(pool_call()))) is None
    assert box.margin.position(LOAN) is None
    assert error(box.send(adapter_invoke(pool_call()))) == MarginError.POSITION_NOT_REGISTERED


def test_prices_and_flags_from_the_pool_enter_its_positions(box: MarginBox) -> None:
    box.owe(1)
    price = PriceChange(2 * 10**8, 10**6, 2 * 10**8, box.now, -8)
    box.pool.run = returning(price, FlagsChange(PositionFlag.PAST_DUE, True))
    assert error(box.send(accounting_invoke(pool_call()))) is None
    position = box.margin.require_position(LOAN)
    assert (position.price.value, position.price.timestamp) == (2 * 10**8, box.now)
    assert (position.value, position.flags) == (2 * 10**10, PositionFlag.PAST_DUE)
    box.pool.run = returning(FlagsChange(PositionFlag.PAST_DUE, False), PriceChange(1, 1, 0, box.now, -8))
    assert error(box.send(accounting_invoke(pool_call()))) is None
    position = box.margin.require_position(LOAN)
    assert (position.flags, position.price.is_valid) == (0, False)  # a zero ema does not revert
    assert error(box.send(adapter_invoke(pool_call()))) == MarginError.INVALID_PRICE


def test_a_price_of_a_mint_without_position_is_ignored(box: MarginBox) -> None:
    box.pool.run = returning(PriceChange(1, 0, 1, box.now, 0))
    assert error(box.send(accounting_invoke(pool_call()))) is None
    box.pool.run = returning(FlagsChange(1, True))
    assert error(box.send(accounting_invoke(pool_call()))) == MarginError.POSITION_NOT_REGISTERED


def test_a_position_of_another_adapter_is_out_of_reach(box: MarginBox) -> None:
    box.owe(1)
    state = box.margin
    state.require_position(LOAN).adapter = OTHER
    box.margin = state
    box.pool.run = returning(PriceChange(1, 0, 1, box.now, 0))
    assert error(box.send(accounting_invoke(pool_call()))) == MarginError.INVALID_POSITION_ADAPTER


def test_results_of_other_programs_are_not_read(box: MarginBox) -> None:
    box.owe(1)
    adapter = ScriptedPool(returning(FlagsChange(PositionFlag.PAST_DUE, True)), program_id=OTHER)
    box.bank.add_model(adapter)
    box.put(adapter_config_address(AIRSPACE, OTHER), AdapterConfig(AIRSPACE, OTHER).encode(), GLOW_MARGIN)
    assert error(box.send(accounting_invoke((OTHER, b"", [])))) is None
    assert box.margin.require_position(LOAN).flags == 0


def test_garbage_from_the_pool_fails_the_invoke(box: MarginBox) -> None:
    box.pool.run = lambda ctx: ctx.set_return_data(b"\1\0\0\0")
    assert error(box.send(accounting_invoke(pool_call()))) == "BorshIoError"


def test_a_swap_through_jupiter_is_announced(box: MarginBox) -> None:
    box.bank.add_model(ScriptedPool(program_id=JUPITER_V6))
    config = AdapterConfig(AIRSPACE, JUPITER_V6)
    box.put(adapter_config_address(AIRSPACE, JUPITER_V6), config.encode(), GLOW_MARGIN)
    record = box.send(adapter_invoke((JUPITER_V6, b"", [write(RAW)])))
    assert error(record) is None
    assert event_discriminator("JupiterSwap") + bytes(MARGIN) + bytes(JUPITER_V6) in events(record)


# --- features --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("account", "token", "refusal"),
    [
        (0, 0, None),
        (0, TokenFeature.SOL_BASED, MarginError.TOKEN_FEATURE_VIOLATION),  # the public source's rule, odd as it is
        (0, TokenFeature.SOL_BASED | TokenFeature.RESTRICTED, MarginError.TOKEN_FEATURE_VIOLATION),
        (4, TokenFeature.SOL_BASED | TokenFeature.RESTRICTED, None),
        (4, TokenFeature.WBTC_BASED, MarginError.TOKEN_FEATURE_VIOLATION),
        (4, TokenFeature.SOL_BASED | TokenFeature.WBTC_BASED, MarginError.INVALID_FEATURE_FLAGS),
    ],
)
def test_features_of_held_tokens_are_checked_at_the_end(
    box: MarginBox, account: int, token: int, refusal: MarginError | None
) -> None:
    state = box.margin
    state.features = account
    state.require_position(GLOWSOL).token_features = token
    box.margin = state
    assert error(box.send(refresh(), adapter_invoke(pool_call()))) == refusal


def test_a_violation_ends_when_the_balance_is_gone(box: MarginBox) -> None:
    state = box.margin
    state.features = 1
    held = state.require_position(GLOWSOL)
    held.token_features = TokenFeature.SOL_BASED | TokenFeature.RESTRICTED
    box.margin = state
    assert error(box.send(adapter_invoke(pool_call()))) == MarginError.TOKEN_FEATURE_VIOLATION
    held.set_balance(0, box.now)
    box.margin = state
    assert error(box.send(adapter_invoke(pool_call()))) is None
