"""The firewall's second wall on effects that no honest program has, the static bounds, and the message's limits."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.chain.accounts import Account
from keeper.execution.balances import Effects, Limits, verify
from keeper.execution.bounds import LAMPORTS, net, require_covered
from keeper.execution.message import NO_BLOCKHASH, WIDEST, Compiled, assemble, resolve
from keeper.execution.outcome import Refusal
from keeper.execution.policy import ExecutionPolicy
from keeper.execution.simulation import compute_limit
from keeper.plan import Atomic, Intent, Swap, Wrap
from keeper.protocols.addresses import SPL_TOKEN, SYSTEM
from keeper.protocols.token import associated_token_address
from keeper.units import SOL, SSOL, ComputeUnits, Lamports, Mint, TokenAmount

WALLET, STRANGER, VAULT = (Pubkey.from_bytes(bytes([tag] * 32)) for tag in (1, 2, 3))
GLOW = Mint(str(Pubkey.from_bytes(bytes([9] * 32))), "glowSOL", 9)
HELD = Pubkey.from_bytes(bytes([4] * 32))
FRESH = associated_token_address(WALLET, Pubkey.from_string(GLOW.address))
RENT = 2_039_280
FEE = Lamports(5_000)
SELL = Swap(TokenAmount(SSOL, 100), TokenAmount(SOL, 110), "venue")


def system(lamports: int, owner: Pubkey = SYSTEM, data: bytes = b"") -> Account:
    return Account(Lamports(lamports), owner, data)


def token(
    mint: Mint, units: int, owner: Pubkey = WALLET, delegate: Pubkey | None = None, closer: Pubkey | None = None
) -> Account:
    """A token account's 165 bytes (facts, protocol.md 6.1)."""

    def option(key: Pubkey | None) -> bytes:
        return struct.pack("<I", key is not None) + (bytes(key) if key else bytes(32))

    data = bytes(Pubkey.from_string(mint.address)) + bytes(owner) + struct.pack("<Q", units)
    data += option(delegate) + b"\x01" + bytes(12) + struct.pack("<Q", units if delegate else 0) + option(closer)
    return Account(Lamports(RENT), SPL_TOKEN, data)


BEFORE: dict[Pubkey, Account | None] = {WALLET: system(10**9), HELD: token(SSOL, 500), FRESH: None, VAULT: system(5)}
HONEST = {**BEFORE, WALLET: system(10**9 - FEE.value + 110), HELD: token(SSOL, 400)}


def limits(*intents: Intent, floor: int = -(10**12)) -> Limits:
    return Limits(WALLET, Atomic(intents or (SELL,)), None, FEE, Lamports(floor))


def rule(after: Mapping[Pubkey, Account | None], given_limits: Limits | None = None) -> str:
    try:
        verify(Effects(BEFORE, {**HONEST, **after}, Lamports(0)), given_limits or limits())
    except Refusal as refusal:
        return refusal.refused.reason
    return ""


def test_effects_that_just_meet_the_bounds_pass() -> None:
    assert rule({}) == ""


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ({WALLET: system(10**9 - FEE.value + 109)}, "balance_below_bound"),
        ({HELD: token(SSOL, 399)}, "balance_below_bound"),
        ({HELD: token(SSOL, 400, owner=STRANGER)}, "account_given_away"),
        ({HELD: token(SSOL, 400, delegate=STRANGER)}, "delegate_changed"),
        ({HELD: token(SSOL, 400, closer=STRANGER)}, "authority_changed"),
        ({HELD: None}, "balance_below_bound"),
        ({WALLET: None}, "wallet_taken"),
        ({WALLET: system(10**10, owner=SPL_TOKEN)}, "wallet_taken"),
        ({WALLET: system(10**10, data=b"x")}, "wallet_taken"),
        ({FRESH: token(GLOW, 7, delegate=STRANGER)}, "delegate_changed"),
        (
            {FRESH: token(GLOW, 0, owner=STRANGER), WALLET: system(10**9 - FEE.value + 110 - RENT)},
            "balance_below_bound",
        ),
    ],
)
def test_effects_outside_the_bounds_are_named(after: dict[Pubkey, Account | None], expected: str) -> None:
    assert rule(after) == expected


def test_rent_of_an_account_of_our_own_is_no_loss() -> None:
    assert rule({FRESH: token(GLOW, 0), WALLET: system(10**9 - FEE.value + 110 - RENT)}) == ""


def test_rent_of_a_hop_does_not_count_against_the_plans_floor_but_hops_are_few() -> None:
    paid = {FRESH: token(GLOW, 0), WALLET: system(10**9 - FEE.value + 110 - RENT)}
    assert rule(paid, limits(floor=110 - FEE.value)) == ""
    planned = limits(Swap(TokenAmount(SSOL, 100), TokenAmount(GLOW, 1), "venue"), floor=-FEE.value)
    assert rule({FRESH: token(GLOW, 1), WALLET: system(10**9 - FEE.value - RENT)}, planned) == "below_plan"
    many = {Pubkey.from_bytes(bytes([tag] * 32)): token(GLOW, 0) for tag in (20, 21, 22)}
    assert rule({**many, WALLET: system(10**9 - FEE.value + 110 - 3 * RENT)}) == "accounts_beyond_plan"


def test_what_the_final_fee_adds_counts_against_the_floor() -> None:
    exact = limits(floor=110 - FEE.value)
    assert verify(Effects(BEFORE, HONEST, Lamports(0)), exact) == Lamports(110 - FEE.value)
    with pytest.raises(Refusal, match="native SOL would change"):
        verify(Effects(BEFORE, HONEST, Lamports(1)), replace(exact, fee=FEE + Lamports(1)))


amounts = st.integers(1, 10**12)
swaps = st.builds(
    lambda pair, sold, bought: Swap(TokenAmount(pair[0], sold), TokenAmount(pair[1], bought), "venue"),
    st.permutations([SOL, SSOL, GLOW]),
    amounts,
    amounts,
)
intents = swaps | st.builds(lambda amount: Wrap(Lamports(amount)), amounts)


@given(
    step=st.lists(intents, min_size=1, max_size=6).map(lambda found: Atomic(tuple(found))), held=st.integers(0, 10**13)
)
def test_a_covered_step_never_leaves_a_pot_below_zero(step: Atomic, held: int) -> None:
    pots = {LAMPORTS: held, SSOL.address: held // 2}
    try:
        after = require_covered(step, pots)
    except Refusal as refusal:
        assert refusal.refused.reason == "spends_more_than_sure"
        return
    assert min(after.values()) >= 0
    assert after == {asset: after.get(asset, 0) for asset in after}
    for asset, change in net(step).items():
        assert after.get(asset, 0) == pots.get(asset, 0) + change


@given(units=st.integers(0, 2_000_000))
def test_the_compute_limit_covers_what_the_simulation_used(units: int) -> None:
    limit = compute_limit(ComputeUnits(units), ExecutionPolicy()).value
    assert limit == min(1_400_000, -(-units * 115 // 100) + 300)


def note(accounts: int, data: bytes = b"") -> Compiled:
    metas = [AccountMeta(Keypair().pubkey(), is_signer=False, is_writable=True) for _ in range(accounts)]
    call = Instruction(STRANGER, data, metas)
    return Compiled((call,), (call,), ())


def test_a_transaction_beyond_the_wires_limit_is_refused_with_its_size() -> None:
    with pytest.raises(Refusal) as caught:
        assemble(WALLET, note(3, bytes(1_200)), WIDEST, NO_BLOCKHASH)
    assert caught.value.refused.reason == "transaction_too_large"
    assert int(caught.value.refused.numbers["size"]) > 1_232


def test_a_lookup_that_nobody_can_read_is_refused() -> None:
    compiled = note(5)
    table = AddressLookupTableAccount(STRANGER, [meta.pubkey for meta in compiled.instructions[0].accounts])
    message = assemble(WALLET, replace(compiled, tables=(table,)), WIDEST, NO_BLOCKHASH)
    assert message.address_table_lookups
    for known in ([], [AddressLookupTableAccount(STRANGER, table.addresses[:2])]):
        with pytest.raises(Refusal, match="unresolved_lookup"):
            resolve(message, known)
    resolved = resolve(message, [table])
    assert set(table.addresses) <= set(resolved.writable)
    assert resolved.signers == (WALLET,)
