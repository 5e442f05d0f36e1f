"""The rent rule, and the payer's smallest balances."""

from __future__ import annotations

import pytest
from solders.account import Account
from solders.instruction import Instruction

from keeper.protocols.addresses import SYSTEM
from keeper.sim.localnet.interface import TransactionRejected
from tests.localnet_bank.box import MODEL, SOL, Box, pay, unit_limit, write


def test_a_rent_paying_account_may_shrink_but_not_grow_until_it_is_exempt(box: Box) -> None:
    bob, alice = box.bob.pubkey(), box.alice.pubkey()
    box.bank.set_account(bob, Account(500_000, b"", SYSTEM))
    more = box.run(pay(alice, bob, 1))
    assert more.err == {"InsufficientFundsForRent": {"account_index": more.account_keys.index(bob)}}
    assert box.run(pay(bob, alice, 100_000), signers=[box.alice, box.bob]).err is None
    assert box.lamports(bob) == 400_000
    assert box.run(pay(alice, bob, 490_880)).err is None
    assert box.lamports(bob) == 890_880


def test_a_payer_with_exactly_the_fee_pays_it_and_disappears(box: Box) -> None:
    box.bank.set_account(box.alice.pubkey(), Account(5_000, b"", SYSTEM))
    assert box.bank.process(box.signed(unit_limit(1_000))).err is None
    assert box.bank.get_account(box.alice.pubkey()) is None


def test_a_nonce_account_pays_only_from_what_its_rent_leaves(box: Box) -> None:
    minimum = box.bank.rent_exempt(80)
    box.bank.set_account(box.alice.pubkey(), Account(minimum + 5_000, bytes(80), SYSTEM))
    assert box.bank.process(box.signed(unit_limit(1_000))).err is None
    assert box.lamports(box.alice.pubkey()) == minimum
    with pytest.raises(TransactionRejected) as caught:
        box.bank.process(box.signed(unit_limit(1_001)))
    assert caught.value.error == "InsufficientFundsForFee"


def test_rent_grows_with_size(box: Box) -> None:
    assert box.bank.rent_exempt(0) == 890_880
    assert box.bank.rent_exempt(165) == 2_039_280


def test_an_account_that_a_model_grows_must_stay_exempt(box: Box) -> None:
    state = box.state(MODEL, data=b"", lamports=890_880)
    box.model(lambda ctx: setattr(ctx.accounts[0], "data", bytes(100)))
    record = box.run(Instruction(MODEL, b"", [write(state)]))
    assert record.err == {"InsufficientFundsForRent": {"account_index": record.account_keys.index(state)}}
    box.state(MODEL, data=b"", lamports=SOL)
    assert box.run(Instruction(MODEL, b"", [write(state)])).err is None
