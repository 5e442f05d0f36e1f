"""Solayer restaking: addresses, discriminators and account order that the facts verified against mainnet's binary."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.protocols import solayer
from keeper.protocols.addresses import (
    ASSOCIATED_TOKEN,
    LST_MINT,
    LST_VAULT,
    RESTAKING_POOL,
    SOLAYER_RESTAKING,
    SPL_TOKEN,
    SSOL_MINT,
    SYSTEM,
)
from keeper.protocols.layout import LayoutError
from keeper.protocols.token import associated_token_address
from keeper.units import SSOL, STAKE_POOL_LST, TokenAmount, UnitError
from tests.protocols.account_bytes import key

POOL_DATA = bytes.fromhex("0c05648f7d5e1ad6") + bytes(LST_MINT) + bytes(SSOL_MINT) + b"\xff" + b"\0"


def test_pool_and_vault_addresses_are_the_verified_ones() -> None:
    assert solayer.restaking_pool_address() == RESTAKING_POOL
    assert solayer.lst_vault_address() == LST_VAULT


def test_pool_account_decodes() -> None:
    assert len(POOL_DATA) == 74
    seen = solayer.decode_restaking_pool(POOL_DATA, owner=SOLAYER_RESTAKING)
    assert (seen.lst_mint, seen.rst_mint, seen.bump) == (LST_MINT, SSOL_MINT, 255)


@pytest.mark.parametrize("data", [POOL_DATA[:-1], POOL_DATA + b"\0", b"\0" + POOL_DATA[1:], b""])
def test_other_accounts_are_refused(data: bytes) -> None:
    with pytest.raises(LayoutError, match="restaking pool"):
        solayer.decode_restaking_pool(data)


def test_a_foreign_owner_is_refused() -> None:
    with pytest.raises(LayoutError, match="owner"):
        solayer.decode_restaking_pool(POOL_DATA, owner=SYSTEM)


def test_restake_and_unrestake_share_their_accounts() -> None:
    wrap = solayer.restake(key(1), TokenAmount(STAKE_POOL_LST, 258))
    unwrap = solayer.unrestake(key(1), TokenAmount(SSOL, 258))
    assert bytes(wrap.data).hex() == "61a1f1a70620d535" + "0201000000000000"
    assert bytes(unwrap.data).hex() == "0ab1a1eefa257818" + "0201000000000000"
    assert wrap.accounts == unwrap.accounts
    assert [(a.pubkey, a.is_writable, a.is_signer) for a in wrap.accounts] == [
        (key(1), True, True),
        (LST_MINT, False, False),
        (associated_token_address(key(1), LST_MINT), True, False),
        (associated_token_address(key(1), SSOL_MINT), True, False),
        (SSOL_MINT, True, False),
        (LST_VAULT, True, False),
        (RESTAKING_POOL, False, False),
        (ASSOCIATED_TOKEN, False, False),
        (SPL_TOKEN, False, False),
        (SYSTEM, False, False),
    ]


def test_the_wrong_token_is_refused() -> None:
    with pytest.raises(UnitError):
        solayer.restake(key(1), TokenAmount(SSOL, 1))
    with pytest.raises(UnitError):
        solayer.unrestake(key(1), TokenAmount(STAKE_POOL_LST, 1))
    with pytest.raises(UnitError):
        solayer.restake(key(1), TokenAmount(STAKE_POOL_LST, -1))


@given(st.integers(0, 2**64 - 1))
def test_wrapping_is_one_to_one_both_ways(units: int) -> None:
    wrapped = solayer.quote_restake(TokenAmount(STAKE_POOL_LST, units))
    assert wrapped == TokenAmount(SSOL, units)
    assert solayer.quote_unrestake(wrapped) == TokenAmount(STAKE_POOL_LST, units)
