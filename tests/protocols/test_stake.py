"""Stake program instructions and layout against the real stake program."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.protocols import stake
from keeper.protocols.addresses import RENT_SYSVAR, STAKE, SYSTEM
from keeper.protocols.layout import LayoutError
from keeper.units import Epoch, Lamports
from tests.protocols.account_bytes import key
from tests.protocols.runtime import RunFailed, Runtime

RENT = 2_282_880


def delegated(staker: Pubkey, amount: int, activation: int, deactivation: int = 2**64 - 1) -> bytes:
    """A delegated stake account of 200 bytes (protocol.md 6.1)."""
    head = struct.pack("<IQ", 2, RENT) + bytes(staker) * 2 + bytes(48)
    tail = bytes(key(1)) + struct.pack("<QQQdQ", amount, activation, deactivation, 0.25, 0)
    return (head + tail).ljust(200, b"\0")


def test_layout_stands_at_the_published_offsets() -> None:
    data = delegated(key(2), 5, 6, 7)
    assert struct.unpack_from("<QQQ", data, 156) == (5, 6, 7)
    assert data[124:156] == bytes(key(1))
    seen = stake.decode_stake_account(data, owner=STAKE)
    assert (seen.rent_exempt_reserve, seen.staker, seen.withdrawer) == (Lamports(RENT), key(2), key(2))
    assert seen.delegation == stake.Delegation(key(1), Lamports(5), Epoch(6), Epoch(7))


def test_an_account_created_here_is_taken_by_the_real_program_and_pays_out(runtime: Runtime) -> None:
    account = Keypair()
    initialize = Instruction(
        STAKE,
        struct.pack("<I", 0) + bytes(runtime.owner) * 2 + bytes(48),
        [AccountMeta(account.pubkey(), False, True), AccountMeta(RENT_SYSVAR, False, False)],
    )
    runtime.run(
        stake.create_uninitialized(runtime.owner, account.pubkey(), Lamports(RENT + 10)), initialize, signers=[account]
    )
    seen = stake.decode_stake_account(runtime.data(account.pubkey()), owner=STAKE)
    assert (seen.staker, seen.withdrawer, seen.delegation) == (runtime.owner, runtime.owner, None)
    everything = Lamports(runtime.lamports(account.pubkey()))
    runtime.run(stake.withdraw(account.pubkey(), key(9), runtime.owner, everything))
    assert runtime.lamports(key(9)) == everything.value
    assert not runtime.exists(account.pubkey())


def test_deactivated_stake_cools_down_and_can_be_withdrawn(runtime: Runtime) -> None:
    epoch = runtime.svm.get_clock().epoch
    runtime.put(key(5), delegated(runtime.owner, 10**9, epoch), STAKE, RENT + 10**9)
    before = stake.decode_stake_account(runtime.data(key(5)))
    assert before.delegation is not None
    assert before.delegation.deactivation_epoch is None
    runtime.run(stake.deactivate(key(5), runtime.owner))
    after = stake.decode_stake_account(runtime.data(key(5)))
    assert after.delegation is not None
    assert after.delegation.deactivation_epoch == Epoch(epoch)
    with pytest.raises(RunFailed, match="2") as caught:
        runtime.run(stake.deactivate(key(5), runtime.owner))
    assert "InstructionErrorCustom(2)" in str(caught.value)
    assert stake.STAKE_ERRORS[2] == "AlreadyDeactivated"
    runtime.run(stake.withdraw(key(5), key(9), runtime.owner, Lamports(RENT + 10**9)))
    assert runtime.lamports(key(9)) == RENT + 10**9


def test_a_stranger_cannot_deactivate(runtime: Runtime) -> None:
    runtime.put(key(5), delegated(key(6), 10**9, 0), STAKE, RENT + 10**9)
    with pytest.raises(RunFailed, match="MissingRequiredSignature"):
        runtime.run(stake.deactivate(key(5), runtime.owner))


@pytest.mark.parametrize("data", [bytes(200), struct.pack("<I", 3) + bytes(196), delegated(key(1), 1, 1)[:170]])
def test_other_states_and_short_data_are_refused(data: bytes) -> None:
    with pytest.raises(LayoutError, match="stake account"):
        stake.decode_stake_account(data)


def test_a_foreign_owner_is_refused() -> None:
    with pytest.raises(LayoutError, match="owner"):
        stake.decode_stake_account(delegated(key(1), 1, 1), owner=SYSTEM)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_delegations_round_trip(amount: int, activation: int, deactivation: int) -> None:
    seen = stake.decode_stake_account(delegated(key(3), amount, activation, deactivation)).delegation
    ends = None if deactivation == stake.NEVER else Epoch(deactivation)
    assert seen == stake.Delegation(key(1), Lamports(amount), Epoch(activation), ends)
