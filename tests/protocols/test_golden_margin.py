"""Numbers of the facts (protocol.md 0.4, 3, 5.2, 6), asserted as they are written there."""

from collections.abc import Callable

import pytest
from solders.pubkey import Pubkey

from keeper.protocols import glow_margin as gm
from keeper.protocols.addresses import (
    GLOW_LRT,
    GLOW_MARGIN,
    GLOW_MARGIN_POOL,
    JUPITER_V6,
    SOLAYER_RESTAKING,
    SSOL_MINT,
    STAKE_POOL_PROGRAM,
    WSOL_MINT,
)
from keeper.protocols.errors import PROGRAM_ERRORS
from keeper.protocols.glow_margin import configs, instructions, invoke, margin_account
from keeper.protocols.glow_margin.events import EVENT_DISCRIMINATORS
from keeper.units import Bps
from tests.protocols.account_bytes import key
from tests.protocols.margin_bytes import margin_account as an_account
from tests.protocols.margin_bytes import margin_account_bytes, position, token_config_bytes

INSTRUCTIONS = {
    instructions.CREATE_ACCOUNT: "63148277c4eb8395",
    instructions.CLOSE_ACCOUNT: "7dff950e6e224818",
    instructions.REGISTER_POSITION: "c9a4c875b2c5c65c",
    instructions.CREATE_DEPOSIT_POSITION: "64f9bc24c67f07d4",
    instructions.CLOSE_POSITION: "7b86510031446262",
    instructions.UPDATE_POSITION_BALANCE: "414ab7c5dea057fc",
    instructions.REFRESH_DEPOSIT_POSITION: "bc5508a454702f52",
    instructions.REFRESH_POSITION_CONFIG: "901dc1136498c03a",
    instructions.TRANSFER_DEPOSIT: "141493df293fcc6f",
    instructions.VERIFY_HEALTHY: "1c3398c27ec0d483",
    instructions.VERIFY_UNHEALTHY: "e7d7c3ff98df683b",
    invoke.ADAPTER_INVOKE: "5f84c49fbd47a875",
    invoke.ACCOUNTING_INVOKE: "6077c58acfb2c69b",
    invoke.LIQUIDATOR_INVOKE: "75154e7a45cca2a3",
    instructions.LIQUIDATE_END: "f315f355ad8b893c",
    instructions.INIT_LOOKUP_REGISTRY: "58a9908b08f5d634",
    instructions.CREATE_LOOKUP_TABLE: "4a1a2dd6179b8f99",
    instructions.APPEND_TO_LOOKUP: "e8ad27e4d8c2a976",
    instructions.AIRSPACE_PERMIT_CREATE: "c3112e270d5424e0",
}
ACCOUNTS = {
    margin_account.MARGIN_ACCOUNT_DISCRIMINATOR: "85dcadd5b3d32bee",
    configs.TOKEN_CONFIG_DISCRIMINATOR: "5c49ff2b6b337565",
    configs.ADAPTER_CONFIG_DISCRIMINATOR: "e8eedd7b37391b0e",
    configs.PERMIT_DISCRIMINATOR: "dbc3baaec5e853a0",
    configs.CONSTRAINT_TICKET_DISCRIMINATOR: "f5c3801a86511c72",
    configs.LIQUIDATION_DISCRIMINATOR: "330326af5d90ffac",
    configs.AIRSPACE_DISCRIMINATOR: "0e9a6826fa6d2d65",
    configs.AIRSPACE_PERMIT_DISCRIMINATOR: "f4e92ce57057c858",
    configs.LOOKUP_REGISTRY_DISCRIMINATOR: "715d6ac964a69262",
}
EVENTS = {
    "AccountCreated": "462706ad76c6be5b",
    "AccountClosed": "13fa4fec5b509430",
    "VerifiedHealthy": "a6e32db2247b9ae3",
    "VerifiedUnhealthy": "d26b67d29904f13a",
    "AdapterInvokeBegin": "cc33d8e6bfc0644b",
    "AdapterInvokeEnd": "bb0f88e4bdeb7e6d",
    "AccountingInvokeBegin": "f19eea798acb0bfc",
    "AccountingInvokeEnd": "d60e73f630113bfe",
    "LiquidationBegun": "f8de2416fd411ec7",
    "LiquidatorInvokeBegin": "4a5132d9d35678a9",
    "LiquidatorInvokeEnd": "24df0535caa89dcb",
    "LiquidationEnded": "8d5373da94c9eed9",
    "JupiterSwap": "668446066d0f33c7",
}
DEFAULT = Pubkey.from_string("D9u84WRsjZ6jYtjQApBFa9BV5w47fiZ56kHwxmwM6uTY")
SOL_NOTES = ("9Q4qCUSVg1SrHCEd5wnUiUeNxxTxrvraD7Yn4XDyyvdu", "2FetmGNKgwpkhv1rDSDuPA4rxnWzAtsaaGJbmWy1U4bC")
SSOL_NOTES = ("EJaEHbRmR9YfwYfka7z15GbPDkGb7q77pzskfAcScokw", "9TR4VtP8sLzTZvQ6ByWe7Con4ft796GHZDCke1Zt3hxa")
GLOW_VAULT = "gwv1ybUe2JVEpjdWARK1PjZUVY5xdNUCRhu24tgYtxa"
TOKEN_CONFIGS = {
    str(WSOL_MINT): "HokZAiy3xXRqbLSnGQUvms2Wz4bgyfca1RWbV4CcMEzV",
    SOL_NOTES[0]: "8m8LqUzwcinLqYYdaCx32Fc4UNMPDD6yo5AdfZABGiDV",
    SOL_NOTES[1]: "GaFHKXho424V746YUHUCPKCvsPZK8h889Pvqc7Woz1y8",
    str(SSOL_MINT): "8n5SFyKSuoy6yFUdzPjjhENGN6opWfCaUzHT8dXdPwjV",
    SSOL_NOTES[0]: "84yrvNGmZicrXFZPdxH5Eczi62mNzqi4e2EQ2Fr1k7ru",
    SSOL_NOTES[1]: "A2u3GYsQimcgNWNoLKk6He2JskiUWYYCyYcfucu4Gq3p",
}
ADAPTER_CONFIGS = {
    str(GLOW_MARGIN_POOL): "H986UUegFYtcqbWCEQLJSC7mdkmFZT9WUFwHS2qN8oK8",
    str(GLOW_LRT): "KxHCokZYpFV6uojeZHBDfTYfzjaQeU6ms5nzTuZ9V6Y",
    str(JUPITER_V6): "9spnmrvPHdwKjVSxBP9HLcJAvcX7APVQePHcxHZuXDPz",
    str(STAKE_POOL_PROGRAM): "FkZXBe2E2aypVtoHYgG7NcboJ418FuH2MhH8arfYGYp4",
    str(SOLAYER_RESTAKING): "JCM6pwwwrsxjnqtAo9v5kQFCwRiytodq83AfbZK6vtBh",
    GLOW_VAULT: "CnE9XX3qXYDizgRfbDkHCvtrGhVNhppQFQn4raTCL6Ab",
}
ERRORS = {
    135000: "NoAdapterResult",
    135002: "UnauthorizedInvocation",
    135003: "IndirectInvocation",
    135010: "MaxPositions",
    135012: "CloseNonZeroPosition",
    135013: "PositionAlreadyRegistered",
    135014: "AccountNotEmpty",
    135015: "PositionNotRegistered",
    135017: "InvalidPositionOwner",
    135018: "PositionNotRegisterable",
    135020: "InvalidPositionAdapter",
    135021: "OutdatedPrice",
    135022: "InvalidPrice",
    135023: "OutdatedBalance",
    135024: "AccountConstraintViolation",
    135030: "Unhealthy",
    135031: "Healthy",
    135032: "Liquidating",
    135033: "NotLiquidating",
    135034: "StalePositions",
    135040: "UnauthorizedLiquidator",
    135041: "LiquidationLostValue",
    135050: "WrongAirspace",
    135052: "InvalidOracle",
    135060: "InsufficientPermissions",
    135063: "InvalidInvokeAccounts",
    135090: "AccountConstraintWithdrawal",
}


@pytest.mark.parametrize(("actual", "written"), INSTRUCTIONS.items(), ids=INSTRUCTIONS.values())
def test_instruction_discriminators(actual: bytes, written: str) -> None:
    assert actual.hex() == written


@pytest.mark.parametrize(("actual", "written"), ACCOUNTS.items(), ids=ACCOUNTS.values())
def test_account_discriminators(actual: bytes, written: str) -> None:
    assert actual.hex() == written


@pytest.mark.parametrize("name", EVENTS)
def test_event_discriminators(name: str) -> None:
    assert EVENT_DISCRIMINATORS[name].hex() == EVENTS[name]
    assert EVENTS.keys() == EVENT_DISCRIMINATORS.keys()


def test_the_airspace_called_default() -> None:
    assert gm.airspace_address("default") == DEFAULT


def test_the_governor() -> None:
    assert str(gm.governor_id_address()) == "BdH6Cj6MQE3wED5f2V9mFmhusGfAzh9SPFFM5ysWgTdh"


@pytest.mark.parametrize("mint", TOKEN_CONFIGS)
def test_token_configs(mint: str) -> None:
    assert str(gm.token_config_address(DEFAULT, Pubkey.from_string(mint))) == TOKEN_CONFIGS[mint]


@pytest.mark.parametrize("program", ADAPTER_CONFIGS)
def test_adapter_configs(program: str) -> None:
    assert str(gm.adapter_config_address(DEFAULT, Pubkey.from_string(program))) == ADAPTER_CONFIGS[program]


@pytest.mark.parametrize("code", ERRORS)
def test_error_codes(code: int) -> None:
    assert gm.MARGIN_ERRORS[code] == ERRORS[code]
    assert PROGRAM_ERRORS.code(GLOW_MARGIN, code) == f"{ERRORS[code]} ({code})"


@pytest.mark.parametrize(("health", "leverage"), [(0, "4.167"), (600, "3.501"), (1000, "3.165")])
def test_leverage_at_a_health_level(health: int, leverage: str) -> None:
    assert f"{float(gm.leverage_at(Bps(health), weight=95, factor=400)):.3f}" == leverage


def test_sizes_and_limits() -> None:
    assert margin_account.MARGIN_ACCOUNT_LENGTH == 7544 == 8 + 7536
    assert margin_account.MAX_USER_POSITIONS == 24
    assert margin_account.MAX_POSITIONS == 32
    assert (gm.MAX_PRICE_AGE.value, gm.MAX_PUBLISH_AGE.value, gm.MAX_CONFIDENCE_BPS) == (30, 60, 500)


def _put(data: bytes, offset: int, field: bytes) -> gm.MarginAccountState:
    return gm.decode_margin_account(data[:offset] + field + data[offset + len(field) :])


HEADER: dict[str, tuple[int, bytes, Callable[[gm.MarginAccountState], object], object]] = {
    "bump": (9, b"\x07", lambda state: state.bump, 7),
    "user_seed": (10, b"\x01\x02", lambda state: state.seed, 0x0201),
    "invocation": (12, b"\x05", lambda state: state.invocation, 5),
    "constraints": (13, b"\x04", lambda state: state.constraints, gm.Constraint.DENY_TRANSFERS),
    "features": (14, b"\x04\0", lambda state: state.features, gm.AccountFeature.SOL_BASED_ONLY),
    "owner": (16, bytes(key(9)), lambda state: state.owner, key(9)),
    "airspace": (48, bytes(key(9)), lambda state: state.airspace, key(9)),
    "liquidator": (80, bytes(key(9)), lambda state: state.liquidator, key(9)),
}


@pytest.mark.parametrize("field", HEADER)
def test_offsets_of_a_margin_account(field: str) -> None:
    offset, written, read, value = HEADER[field]
    state = _put(margin_account_bytes(an_account([position()])), offset, written)
    assert read(state) == value


POSITION: dict[str, tuple[int, bytes, Callable[[gm.AccountPosition], object], object]] = {
    "address": (32, bytes(key(9)), lambda one: one.address, key(9)),
    "adapter": (64, bytes(key(9)), lambda one: one.adapter, key(9)),
    "value": (96, b"\xff" * 16, lambda one: one.value, -1),
    "balance": (112, b"\x09" + bytes(7), lambda one: one.balance, 9),
    "balance_timestamp": (120, b"\x09" + bytes(7), lambda one: one.balance_timestamp.value, 9),
    "price.value": (128, b"\xff" * 8, lambda one: one.price.value, -1),
    "price.timestamp": (136, b"\x09" + bytes(7), lambda one: one.price.timestamp.value, 9),
    "price.exponent": (144, b"\xfe\xff\xff\xff", lambda one: one.price.exponent, -2),
    "price.is_valid": (148, b"\0", lambda one: one.price.is_valid, False),
    "kind": (152, b"\x03\0\0\0", lambda one: one.kind, gm.PositionKind.ADAPTER_COLLATERAL),
    "exponent": (156, b"\xfa\xff", lambda one: one.exponent, -6),
    "value_modifier": (158, b"\x90\x01", lambda one: one.value_modifier, 400),
    "max_staleness": (160, b"\x1e" + bytes(7), lambda one: one.max_staleness, 30),
    "required": (168, b"\x01", lambda one: (one.required, one.past_due), (True, False)),
    "past_due": (168, b"\x02", lambda one: (one.required, one.past_due), (False, True)),
    "is_token_2022": (169, b"\x01", lambda one: one.is_token_2022, True),
    "token_features": (170, b"\x04\0", lambda one: one.token_features, 4),
}


@pytest.mark.parametrize("field", POSITION)
def test_offsets_of_a_position(field: str) -> None:
    offset, written, read, value = POSITION[field]
    state = _put(margin_account_bytes(an_account([position()])), 1400 + offset, written)
    assert read(state.positions[0]) == value


CONFIG: dict[str, tuple[int, bytes, Callable[[gm.TokenConfig], object], object]] = {
    "mint": (8, bytes(key(9)), lambda config: config.mint, key(9)),
    "mint_token_program": (40, bytes(key(9)), lambda config: config.mint_token_program, key(9)),
    "underlying_mint": (72, bytes(key(9)), lambda config: config.underlying_mint, key(9)),
    "underlying_token_program": (104, bytes(key(9)), lambda config: config.underlying_token_program, key(9)),
    "airspace": (136, bytes(key(9)), lambda config: config.airspace, key(9)),
    "token_kind": (168, b"\x01", lambda config: config.token_kind, gm.PositionKind.CLAIM),
    "value_modifier": (169, b"\x90\x01", lambda config: config.value_modifier, 400),
    "max_staleness": (171, b"\x28" + bytes(7), lambda config: config.max_staleness, 40),
    "admin": (180, bytes(key(9)), lambda config: config.admin, gm.AdapterAdmin(key(9))),
}


@pytest.mark.parametrize("field", CONFIG)
def test_offsets_of_a_token_config(field: str) -> None:
    offset, written, read, value = CONFIG[field]
    data = token_config_bytes(gm.AdapterAdmin(key(3)))
    assert read(gm.decode_token_config(data[:offset] + written + data[offset + len(written) :])) == value
