"""Token accounts and mints against the published layout and the real token programs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account
from spl.token import instructions as spl
from spl.token.models import ApproveParams, InitializeMintParams, MintToParams

from keeper.protocols import token
from keeper.protocols.addresses import LST_MINT, RESTAKING_POOL, SPL_TOKEN, SYSTEM, TOKEN_2022, WSOL_MINT
from keeper.protocols.layout import LayoutError
from keeper.protocols.token import AccountState
from keeper.units import Lamports, Mint, TokenAmount, UnitError
from tests.protocols.account_bytes import key, mint_bytes, token_account_bytes
from tests.protocols.runtime import RunFailed, Runtime


def new_mint(runtime: Runtime, program: Pubkey = SPL_TOKEN, decimals: int = 6) -> Mint:
    mint = Keypair()
    create = create_account(
        CreateAccountParams(
            from_pubkey=runtime.owner, to_pubkey=mint.pubkey(), lamports=10_000_000, space=82, owner=program
        )
    )
    initialize = spl.initialize_mint(
        InitializeMintParams(
            decimals=decimals,
            mint=mint.pubkey(),
            mint_authority=runtime.owner,
            program_id=program,
            freeze_authority=None,
        )
    )
    runtime.run(create, initialize, signers=[mint])
    return Mint(str(mint.pubkey()), "T", decimals)


def test_associated_address_is_the_one_the_facts_verified_for_the_lst_vault() -> None:
    assert (
        str(token.associated_token_address(RESTAKING_POOL, LST_MINT)) == "4eimDGZonDS41b7YEEtxuX1JbSRLanH2BLJfG5sqbCsB"
    )


@pytest.mark.parametrize("program", [SPL_TOKEN, TOKEN_2022])
def test_accounts_and_mints_of_the_real_programs_decode(runtime: Runtime, program: Pubkey) -> None:
    mint = new_mint(runtime, program)
    address = Pubkey.from_string(mint.address)
    account = token.associated_token_address(runtime.owner, address, program)
    create = token.create_ata_idempotent(runtime.owner, runtime.owner, address, program)
    runtime.run(create)
    runtime.run(create)  # a second time changes nothing
    runtime.run(
        spl.mint_to(
            MintToParams(
                program_id=program, mint=address, dest=account, mint_authority=runtime.owner, amount=500, signers=[]
            )
        ),
        spl.approve(
            ApproveParams(
                program_id=program, source=account, delegate=key(2), owner=runtime.owner, amount=40, signers=[]
            )
        ),
    )
    seen = token.decode_token_account(runtime.data(account), owner_program=program)
    assert (seen.mint, seen.owner, seen.amount) == (address, runtime.owner, 500)
    assert (seen.delegate, seen.delegated_amount) == (key(2), 40)
    assert (seen.state, seen.is_native, seen.close_authority) == (AccountState.INITIALIZED, None, None)
    state = token.decode_mint(runtime.data(address), owner_program=program)
    assert (state.supply, state.decimals, state.mint_authority, state.freeze_authority) == (500, 6, runtime.owner, None)


def test_transfer_checked_moves_tokens_and_the_program_checks_decimals(runtime: Runtime) -> None:
    mint = new_mint(runtime)
    address = Pubkey.from_string(mint.address)
    source, target = (token.associated_token_address(who, address) for who in (runtime.owner, key(1)))
    runtime.run(
        token.create_ata_idempotent(runtime.owner, runtime.owner, address),
        token.create_ata_idempotent(runtime.owner, key(1), address),
        spl.mint_to(
            MintToParams(
                program_id=SPL_TOKEN, mint=address, dest=source, mint_authority=runtime.owner, amount=500, signers=[]
            )
        ),
    )
    runtime.run(
        token.transfer_checked(source=source, destination=target, owner=runtime.owner, amount=TokenAmount(mint, 120))
    )
    assert token.decode_token_account(runtime.data(target), owner_program=SPL_TOKEN).amount == 120
    wrong = TokenAmount(Mint(mint.address, "T", 9), 1)
    with pytest.raises(RunFailed, match="18"):
        runtime.run(token.transfer_checked(source=source, destination=target, owner=runtime.owner, amount=wrong))
    assert token.TOKEN_ERRORS[18] == "MintDecimalsMismatch"


def test_wrap_and_unwrap_give_back_every_lamport_but_the_fees(runtime: Runtime) -> None:
    before = runtime.lamports(runtime.owner)
    runtime.run(*token.wrap(runtime.owner, Lamports(3_000_000_000)))
    account = token.associated_token_address(runtime.owner, WSOL_MINT)
    seen = token.decode_token_account(runtime.data(account), owner_program=SPL_TOKEN)
    assert (seen.amount, seen.mint) == (3_000_000_000, WSOL_MINT)
    assert seen.is_native == runtime.lamports(account) - 3_000_000_000
    runtime.run(token.unwrap(runtime.owner))
    assert not runtime.exists(account)
    assert runtime.lamports(runtime.owner) == before - 2 * 5_000


def test_wrapping_a_negative_amount_is_refused_before_anything_is_built() -> None:
    with pytest.raises(UnitError):
        token.wrap(key(1), Lamports(-1))


@pytest.mark.parametrize(
    ("data", "program", "expected"),
    [
        (token_account_bytes(key(1), key(2), 5), SYSTEM, "owner"),
        (token_account_bytes(key(1), key(2), 5)[:-1], SPL_TOKEN, "length"),
        (token_account_bytes(key(1), key(2), 5) + b"\2", SPL_TOKEN, "length"),
        (token_account_bytes(key(1), key(2), 5) + b"\1", TOKEN_2022, "account type"),
        (token_account_bytes(key(1), key(2), 5, state=0), SPL_TOKEN, "state"),
        (token_account_bytes(key(1), key(2), 5, state=3), SPL_TOKEN, "state"),
        (bytes(355), TOKEN_2022, "length"),
        (mint_bytes(None, 5, 9), SPL_TOKEN, "length"),
    ],
)
def test_what_is_not_a_token_account_is_named(data: bytes, program: Pubkey, expected: str) -> None:
    with pytest.raises(LayoutError, match=expected):
        token.decode_token_account(data, owner_program=program)


def test_a_token_2022_account_with_extensions_decodes() -> None:
    data = token_account_bytes(key(1), key(2), 5) + b"\2" + b"\7\0\0\0"
    assert token.decode_token_account(data, owner_program=TOKEN_2022).amount == 5


def test_a_mint_that_is_not_initialised_is_refused() -> None:
    with pytest.raises(LayoutError, match="is_initialized"):
        token.decode_mint(bytes(82))


@given(st.integers(0, 2**64 - 1), st.integers(0, 255), st.booleans(), st.booleans())
def test_mints_round_trip(supply: int, decimals: int, has_authority: bool, has_freeze: bool) -> None:
    authority, freeze = key(1) if has_authority else None, key(2) if has_freeze else None
    seen = token.decode_mint(mint_bytes(authority, supply, decimals, freeze))
    assert (seen.supply, seen.decimals, seen.mint_authority, seen.freeze_authority) == (
        supply,
        decimals,
        authority,
        freeze,
    )


@given(st.integers(0, 2**64 - 1), st.one_of(st.none(), st.integers(0, 2**64 - 1)), st.sampled_from([1, 2]))
def test_token_accounts_round_trip(amount: int, native: int | None, state: int) -> None:
    data = token_account_bytes(key(1), key(2), amount, state=state, native=native)
    seen = token.decode_token_account(data, owner_program=SPL_TOKEN)
    assert (seen.amount, seen.is_native, int(seen.state)) == (amount, native, state)
