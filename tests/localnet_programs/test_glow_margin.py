"""Accounts and positions of the margin model: opened, balanced, closed, and by whom."""

from __future__ import annotations

import pytest
from solders.account import Account

from keeper.protocols.addresses import GLOW_AIRSPACE, GLOW_MARGIN, GLOW_MARGIN_POOL, SPL_TOKEN, TOKEN_2022
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.anchor import event_discriminator
from keeper.sim.localnet.programs.glow_airspace import AirspaceError
from keeper.sim.localnet.programs.glow_margin_errors import MarginError
from keeper.sim.localnet.programs.glow_margin_state import (
    MARGIN_ACCOUNT_SIZE,
    USER_POSITIONS,
    AccountFeature,
    AccountPosition,
    Airspace,
    AirspacePermit,
    ConfigKind,
    Constraint,
    Permission,
    PositionFlag,
    TokenConfig,
    TokenFeature,
    airspace_permit_address,
    margin_account_address,
    permit_address,
    token_config_address,
)
from keeper.sim.localnet.programs.native_state import encode_mint
from tests.localnet_programs import margin_calls as calls
from tests.localnet_programs.margin_box import MarginBox, error, events
from tests.localnet_programs.margin_calls import (
    AIRSPACE,
    GLOWSOL,
    LOAN,
    MARGIN,
    NOT_OURS,
    NOTE,
    NOTES,
    OWNER,
    RAW,
    SOL,
    STRANGER,
    WALLET_RAW,
    create_account,
    create_deposit_position,
    create_permit,
    key,
)

OWN = OWNER.pubkey()


@pytest.fixture
def box() -> MarginBox:
    return MarginBox()


# --- airspace ---------------------------------------------------------------------------------------------------------


def test_anyone_permits_anyone_in_an_open_airspace(box: MarginBox) -> None:
    assert error(box.send(create_permit(OWN, STRANGER.pubkey()), signers=[STRANGER])) is None
    permit = AirspacePermit.decode(box.data(airspace_permit_address(AIRSPACE, OWN)[0]))
    assert permit == AirspacePermit(AIRSPACE, OWN, STRANGER.pubkey())


def test_a_restricted_airspace_permits_by_its_authority_only(box: MarginBox) -> None:
    box.put(AIRSPACE, Airspace(STRANGER.pubkey(), is_restricted=True).encode(), GLOW_AIRSPACE)
    assert error(box.send(create_permit(OWN, OWN))) == AirspaceError.PERMISSION_DENIED
    assert error(box.send(create_permit(OWN, STRANGER.pubkey()), signers=[STRANGER])) is None


# --- accounts ---------------------------------------------------------------------------------------------------------


def test_an_account_opens_at_its_address_with_the_published_layout(box: MarginBox) -> None:
    record = box.send(create_permit(OWN, OWN), create_account(OWN))
    assert error(record) is None
    data = box.data(MARGIN)
    account = box.bank.get_account(MARGIN)
    assert account is not None
    assert account.lamports == 53_397_120
    assert len(data) == MARGIN_ACCOUNT_SIZE == 7_544
    assert data[:8].hex() == "85dcadd5b3d32bee"
    assert data[8] == 1
    assert data[16:48] == bytes(OWN)
    assert data[48:80] == bytes(AIRSPACE)
    assert data[80:112] == bytes(32)
    payload = bytes(MARGIN) + bytes(OWN) + bytes(AIRSPACE) + bytes(2) + bytes(2)
    assert event_discriminator("AccountCreated") + payload in events(record)


def test_an_account_needs_the_owners_permit(box: MarginBox) -> None:
    assert error(box.send(create_account(OWN))) == 3012
    foreign = AirspacePermit(AIRSPACE, STRANGER.pubkey(), STRANGER.pubkey())
    box.put(airspace_permit_address(AIRSPACE, OWN)[0], foreign.encode(), GLOW_AIRSPACE)
    assert error(box.send(create_account(OWN))) == 2001


def test_an_account_cannot_be_created_twice_nor_at_another_address(box: MarginBox) -> None:
    box.open()
    assert error(box.send(create_account(OWN))) == 0  # System: account already in use
    wrong = create_account(OWN, seed=1)
    metas = list(wrong.accounts)
    metas[3] = calls.write(margin_account_address(OWN, AIRSPACE, 2)[0])
    assert error(box.send(type(wrong)(wrong.program_id, bytes(wrong.data), metas))) == 2006


@pytest.mark.parametrize(
    ("features", "refusal"),
    [
        (16, MarginError.UNKNOWN_FEATURE_FLAGS),
        (1, MarginError.INVALID_FEATURE_FLAGS),
        (6, MarginError.INVALID_FEATURE_FLAGS),
    ],
)
def test_odd_features_are_refused(box: MarginBox, features: int, refusal: MarginError) -> None:
    assert error(box.send(create_permit(OWN, OWN), create_account(OWN, features=features))) == refusal


def test_an_empty_account_closes_and_returns_its_rent(box: MarginBox) -> None:
    box.open()
    before = box.bank.get_account(OWN)
    record = box.send(calls.close_account(OWN))
    after = box.bank.get_account(OWN)
    assert error(record) is None
    assert before is not None
    assert after is not None
    assert after.lamports - before.lamports == 53_397_120 - record.fee
    assert box.bank.get_account(MARGIN) is None


def test_an_account_with_positions_or_constraints_stays_open(box: MarginBox) -> None:
    box.open_raw()
    assert error(box.send(calls.close_account(OWN))) == MarginError.ACCOUNT_NOT_EMPTY
    state = box.margin
    state.slots.clear()
    state.constraints = Constraint.DENY_DEPOSITS
    box.margin = state
    assert error(box.send(calls.close_account(OWN))) == MarginError.ACCOUNT_CONSTRAINT_VIOLATION


def test_a_stranger_closes_nothing(box: MarginBox) -> None:
    box.open()
    assert error(box.send(calls.close_account(STRANGER.pubkey()), signers=[STRANGER])) == 2001


# --- positions --------------------------------------------------------------------------------------------------------


def test_registering_a_note_creates_a_token_2022_account_of_the_margin_account(box: MarginBox) -> None:
    box.open()
    assert error(box.send(calls.register_position(OWN, NOTE))) is None
    account = box.bank.get_account(NOTES)
    assert account is not None
    assert account.owner == TOKEN_2022
    assert bytes(account.data)[:64] == bytes(NOTE) + bytes(MARGIN)
    position = box.margin.require_position(NOTE, NOTES)
    assert (position.adapter, position.value_modifier, position.exponent) == (GLOW_MARGIN_POOL, 90, -9)


def test_only_an_adapters_collateral_registers_so(box: MarginBox) -> None:
    box.open()
    refusal = MarginError.INVALID_CONFIG_REGISTER_POSITION
    assert error(box.send(calls.register_position(OWN, GLOWSOL, SPL_TOKEN))) == refusal
    assert error(box.send(calls.register_position(OWN, LOAN))) == refusal


def test_a_deposit_position_needs_the_associated_account(box: MarginBox) -> None:
    box.open()
    assert error(box.send(create_deposit_position(OWN, GLOWSOL, RAW))) == 3012
    box.token(key(90), GLOWSOL, MARGIN, 0)
    assert error(box.send(create_deposit_position(OWN, GLOWSOL, key(90)))) == 2009
    create = cpi.create_associated(OWN, MARGIN, GLOWSOL)
    assert error(box.send(create, create_deposit_position(OWN, GLOWSOL, RAW))) is None
    position = box.margin.require_position(GLOWSOL, RAW)
    assert (position.value_modifier, position.max_staleness, position.is_token_2022) == (95, 30, False)
    # A second time changes nothing, as in the program.
    assert error(box.send(create_deposit_position(OWN, GLOWSOL, RAW))) is None
    assert len(box.margin.slots) == 1


def test_strangers_register_nothing(box: MarginBox) -> None:
    box.open()
    record = box.send(calls.register_position(STRANGER.pubkey(), NOTE), signers=[STRANGER])
    assert error(record) == MarginError.UNAUTHORIZED_INVOCATION


def test_a_config_of_another_airspace_is_refused(box: MarginBox) -> None:
    box.open()
    foreign = TokenConfig(NOTE, NOT_OURS, ConfigKind.COLLATERAL, 90, 0, GLOW_MARGIN_POOL, TOKEN_2022)
    box.put(token_config_address(AIRSPACE, NOTE), foreign.encode(), GLOW_MARGIN)
    assert error(box.send(calls.register_position(OWN, NOTE))) == MarginError.WRONG_AIRSPACE


def test_the_owner_has_24_positions(box: MarginBox) -> None:
    box.open()
    state = box.margin
    for tag in range(USER_POSITIONS):
        state.add(AccountPosition(key(100 + tag), key(150 + tag)))
    box.margin = state
    assert error(box.send(calls.register_position(OWN, NOTE))) == MarginError.MAX_POSITIONS


def test_positions_take_the_first_free_slot_and_the_map_stays_sorted(box: MarginBox) -> None:
    box.open_raw()
    assert error(box.send(calls.register_position(OWN, NOTE))) is None
    assert error(box.send(calls.close_position(OWN, GLOWSOL, RAW))) is None
    assert sorted(box.margin.slots) == [1]
    create = cpi.create_associated(OWN, MARGIN, GLOWSOL)
    assert error(box.send(create, create_deposit_position(OWN, GLOWSOL, RAW))) is None
    assert sorted(box.margin.slots) == [0, 1]
    data = box.data(MARGIN)
    entries = [(data[at : at + 32], data[at + 32]) for at in (120, 160)]
    assert int.from_bytes(data[112:120], "little") == 2
    assert data[200:240] == bytes(40)
    assert entries == sorted([(bytes(GLOWSOL), 0), (bytes(NOTE), 1)])


def test_a_position_with_a_balance_or_a_required_one_stays(box: MarginBox) -> None:
    box.open_raw(SOL)
    assert error(box.send(calls.close_position(OWN, GLOWSOL, RAW))) == MarginError.CLOSE_NON_ZERO_POSITION
    assert error(box.send(calls.withdraw_raw(SOL))) is None
    state = box.margin
    state.require_position(GLOWSOL).flags = PositionFlag.REQUIRED
    box.margin = state
    assert error(box.send(calls.close_position(OWN, GLOWSOL, RAW))) == MarginError.CLOSE_REQUIRED_POSITION
    state.require_position(GLOWSOL).flags = 0
    box.margin = state
    assert error(box.send(calls.close_position(OWN, GLOWSOL, RAW))) is None
    assert box.bank.get_account(RAW) is None


def test_deposit_and_withdrawal_move_tokens_and_book_balances(box: MarginBox) -> None:
    box.open_raw(40 * SOL)
    assert (box.amount(WALLET_RAW), box.amount(RAW)) == (60 * SOL, 40 * SOL)
    assert error(box.send(calls.withdraw_raw(15 * SOL))) is None
    position = box.margin.require_position(GLOWSOL)
    assert (position.balance, position.balance_timestamp) == (25 * SOL, box.now)
    assert position.value == 25 * 250 * 10**10
    assert (box.amount(WALLET_RAW), box.amount(RAW)) == (75 * SOL, 25 * SOL)


def test_a_withdrawal_has_no_health_check_of_its_own(box: MarginBox) -> None:
    """As the public source; the keeper adds verify_healthy, which fails the transaction."""
    box.open_raw(10 * SOL)
    box.owe(1_500)
    assert error(box.send(calls.withdraw_raw(9 * SOL), calls.verify_healthy())) == MarginError.UNHEALTHY
    assert box.amount(RAW) == 10 * SOL
    assert error(box.send(calls.withdraw_raw(9 * SOL))) is None


def test_transfers_need_the_owner_a_position_and_no_constraint(box: MarginBox) -> None:
    box.open_raw(SOL)
    state = box.margin
    state.constraints = Constraint.DENY_TRANSFERS
    box.margin = state
    assert error(box.send(calls.withdraw_raw(SOL))) == MarginError.ACCOUNT_CONSTRAINT_WITHDRAWAL
    deposit = calls.transfer_deposit(WALLET_RAW, RAW, SOL, source_owner=OWN)
    assert error(box.send(deposit)) is None  # a constraint blocks only what leaves
    box.token(key(91), GLOWSOL, OWN, 0)
    astray = calls.transfer_deposit(WALLET_RAW, key(91), SOL, source_owner=OWN)
    assert error(box.send(astray)) == MarginError.POSITION_NOT_REGISTERED
    too_much = calls.transfer_deposit(WALLET_RAW, RAW, 1_000 * SOL, source_owner=OWN)
    assert error(box.send(too_much)) == 1  # the token program's InsufficientFunds


def test_update_position_balance_sees_tokens_sent_directly(box: MarginBox) -> None:
    box.open_raw(SOL)
    box.send(cpi.token_transfer(WALLET_RAW, RAW, OWN, 2 * SOL))
    assert box.margin.require_position(GLOWSOL).balance == SOL
    assert error(box.send(calls.update_balance(RAW), signers=[STRANGER])) is None
    assert box.margin.require_position(GLOWSOL).balance == 3 * SOL
    assert error(box.send(calls.update_balance(WALLET_RAW))) == MarginError.POSITION_NOT_REGISTERED


# --- configuration drift and features ---------------------------------------------------------------------------------


def test_config_drift_arrives_by_a_permitted_refresh_only(box: MarginBox) -> None:
    box.open_raw(SOL)
    box.configure(box.raw_config(modifier=80, staleness=10))
    assert box.margin.require_position(GLOWSOL).value_modifier == 95
    stranger = STRANGER.pubkey()
    ours = box.permit(OWN, Permission.REFRESH_POSITION_CONFIG)
    wanted = calls.refresh_config(GLOWSOL, stranger, ours)
    assert error(box.send(wanted, signers=[STRANGER])) == MarginError.PERMIT_NOT_OWNED
    elsewhere = box.permit(stranger, Permission.REFRESH_POSITION_CONFIG, NOT_OURS)
    wanted = calls.refresh_config(GLOWSOL, stranger, elsewhere)
    assert error(box.send(wanted, signers=[STRANGER])) == MarginError.WRONG_AIRSPACE
    box.permit(stranger, Permission.LIQUIDATE)
    wanted = calls.refresh_config(GLOWSOL, stranger)
    assert error(box.send(wanted, signers=[STRANGER])) == MarginError.INSUFFICIENT_PERMISSIONS
    box.permit(stranger, Permission.LIQUIDATE | Permission.REFRESH_POSITION_CONFIG)
    assert error(box.send(wanted, signers=[STRANGER])) is None
    position = box.margin.require_position(GLOWSOL)
    assert (position.value_modifier, position.max_staleness) == (80, 10)


@pytest.mark.parametrize(
    ("account", "token", "allowed"),
    [
        (0, 0, True),
        (0, TokenFeature.SOL_BASED, True),
        (0, TokenFeature.SOL_BASED | TokenFeature.RESTRICTED, False),
        (AccountFeature.SOL_BASED, TokenFeature.SOL_BASED, True),
        (AccountFeature.SOL_BASED, TokenFeature.SOL_BASED | TokenFeature.RESTRICTED, True),
        (AccountFeature.SOL_BASED, 0, False),
        (AccountFeature.SOL_BASED, TokenFeature.WBTC_BASED, False),
    ],
)
def test_restricted_accounts_and_tokens_meet_only_their_own_kind(
    box: MarginBox, account: int, token: int, allowed: bool
) -> None:
    box.open(features=account)
    box.configure(box.raw_config(features=token))
    create = cpi.create_associated(OWN, MARGIN, GLOWSOL)
    record = box.send(create, create_deposit_position(OWN, GLOWSOL, RAW))
    assert error(record) == (None if allowed else MarginError.RESTRICTED_TOKEN)


def test_a_token_that_becomes_restricted_marks_the_account(box: MarginBox) -> None:
    box.open_raw(SOL)
    box.configure(box.raw_config(features=TokenFeature.SOL_BASED | TokenFeature.RESTRICTED))
    box.permit(STRANGER.pubkey(), Permission.REFRESH_POSITION_CONFIG)
    refresh = calls.refresh_config(GLOWSOL, STRANGER.pubkey())
    assert error(box.send(refresh, signers=[STRANGER])) is None
    assert box.margin.features == AccountFeature.VIOLATION
    assert error(box.send(calls.refresh(token_account=RAW), calls.adapter_invoke())) == (
        MarginError.TOKEN_FEATURE_VIOLATION
    )


# --- foreign and broken accounts --------------------------------------------------------------------------------------


def test_foreign_and_truncated_accounts_are_anchors_errors(box: MarginBox) -> None:
    box.open_raw(SOL)
    good = box.data(MARGIN)
    for data, owner, code in [
        (good, GLOW_AIRSPACE, 3007),
        (bytes(8) + good[8:], GLOW_MARGIN, 3002),
        (good[:-1], GLOW_MARGIN, 3003),
        (b"", GLOW_MARGIN, 3002),
    ]:
        box.put(MARGIN, data, owner)
        assert error(box.send(calls.verify_healthy())) == code
    box.bank.set_account(MARGIN, Account(0, b"", GLOW_MARGIN))
    assert error(box.send(calls.verify_healthy())) == 3012


def test_unknown_and_truncated_instructions(box: MarginBox) -> None:
    box.open()
    assert error(box.send(calls.call("no_such_thing", []))) == 101
    short = calls.call("create_account", create_account(OWN).accounts, b"\0")
    assert error(box.send(short)) == 102
    assert error(box.send(calls.call("verify_healthy", []))) == 3005


def test_an_account_without_mints_of_a_kind_cannot_be_a_position(box: MarginBox) -> None:
    box.open()
    box.put(NOTE, encode_mint(0, 9, OWN)[:-1], TOKEN_2022)
    assert error(box.send(calls.register_position(OWN, NOTE))) == 3003
    assert permit_address(AIRSPACE, OWN) != permit_address(NOT_OURS, OWN)
