"""Real programs through the bank: tokens, wrapped SOL, associated accounts, stake, user binaries."""

from __future__ import annotations

import struct

import pytest
from solders.account import Account
from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account

from keeper.protocols.addresses import (
    ASSOCIATED_TOKEN,
    CLOCK_SYSVAR,
    MEMO,
    RENT_SYSVAR,
    SPL_TOKEN,
    STAKE,
    STAKE_HISTORY_SYSVAR,
    SYSTEM,
    TOKEN_2022,
    WSOL_MINT,
)
from keeper.sim.localnet.interface import BankConfig, TokenBalance
from tests.localnet_bank.box import MODEL, SOL, Box, key, keypair, pay, read, signer, token_transfer, write

VOTE = Pubkey.from_string("Vote111111111111111111111111111111111111111")
STAKE_CONFIG = Pubkey.from_string("StakeConfig11111111111111111111111111111111")


def associated(owner: Pubkey, mint: Pubkey) -> Pubkey:
    return Pubkey.find_program_address([bytes(owner), bytes(SPL_TOKEN), bytes(mint)], ASSOCIATED_TOKEN)[0]


def create_associated(payer: Pubkey, owner: Pubkey, mint: Pubkey) -> Instruction:
    account = associated(owner, mint)
    metas = [signer(payer), write(account), read(owner), read(mint), read(SYSTEM), read(SPL_TOKEN)]
    return Instruction(ASSOCIATED_TOKEN, b"\x01", metas)


def test_sol_wraps_syncs_and_unwraps(box: Box) -> None:
    wallet = box.alice.pubkey()
    wrapped = associated(wallet, WSOL_MINT)
    sync = Instruction(SPL_TOKEN, b"\x11", [write(wrapped)])
    record = box.run(create_associated(wallet, wallet, WSOL_MINT), pay(wallet, wrapped, 3 * SOL), sync)
    assert record.err is None, record.logs
    assert box.token_amount(wrapped) == 3 * SOL
    index = record.account_keys.index(wrapped)
    assert record.pre_token_balances == ()
    assert record.post_token_balances == (TokenBalance(index, WSOL_MINT, wallet, SPL_TOKEN, 3 * SOL, 9),)
    assert [found for found, _ in box.bank.token_accounts_by_owner(wallet)] == [wrapped]
    close = Instruction(SPL_TOKEN, b"\x09", [write(wrapped), write(wallet), signer(wallet)])
    assert box.run(close).err is None
    assert box.bank.get_account(wrapped) is None
    assert box.lamports(wallet) == 100 * SOL - 10_000


def test_token_balances_need_a_token_program_in_the_transaction(box: Box) -> None:
    held = box.token(41, box.alice.pubkey(), 5)
    record = box.run(pay(box.alice.pubkey(), held, 1))
    assert record.err is None
    assert record.post_token_balances == ()


def test_token_2022_balances_are_read_with_extensions(box: Box) -> None:
    mint, wallet = key(52), box.alice.pubkey()
    box.bank.set_account(mint, Account(SOL, bytes(44) + bytes([6, 1]) + bytes(36), TOKEN_2022))
    for tag, amount in ((53, 100), (54, 0)):
        base = bytes(mint) + bytes(wallet) + amount.to_bytes(8, "little") + bytes(36) + bytes([1]) + bytes(56)
        box.bank.set_account(key(tag), Account(SOL, base + b"\x02" + bytes([7, 0, 0, 0]), TOKEN_2022))
    move = token_transfer(key(53), mint, key(54), wallet, 30)
    data = bytes([12]) + (30).to_bytes(8, "little") + bytes([6])
    record = box.run(Instruction(TOKEN_2022, data, move.accounts))
    assert record.err is None, record.logs
    amounts = {record.account_keys[b.account_index]: (b.amount, b.decimals) for b in record.post_token_balances}
    assert amounts == {key(53): (70, 6), key(54): (30, 6)}


def test_errors_of_real_programs_keep_their_shape(box: Box) -> None:
    source, target = box.token(41, box.alice.pubkey(), 5), box.token(42, box.bob.pubkey(), 0)
    alice = box.alice.pubkey()
    assert box.run(token_transfer(source, box.mint, target, alice, 6)).err == {"InstructionError": [1, {"Custom": 1}]}
    short = Instruction(SPL_TOKEN, b"\x0c", [write(source)])
    assert box.run(short).err == {"InstructionError": [1, {"Custom": 12}]}
    unsigned = Instruction(SYSTEM, pay(alice, key(60), 1).data, [write(box.bob.pubkey()), write(key(60))])
    assert box.run(unsigned).err == {"InstructionError": [1, "MissingRequiredSignature"]}
    record = box.run(unsigned)
    assert record.logs[-1] == f"Program {SYSTEM} failed: missing required signature for instruction"


def _vote_account(box: Box) -> Pubkey:
    node, vote = keypair(21), keypair(22)
    size = 3_762
    params = CreateAccountParams(
        from_pubkey=box.alice.pubkey(), to_pubkey=vote.pubkey(), lamports=SOL, space=size, owner=VOTE
    )
    data = struct.pack("<I32s32s32sB", 0, *[bytes(node.pubkey())] * 3, 0)
    metas = [write(vote.pubkey()), read(RENT_SYSVAR), read(CLOCK_SYSVAR), signer(node.pubkey(), writable=False)]
    record = box.run(create_account(params), Instruction(VOTE, data, metas), signers=[box.alice, vote, node])
    assert record.err is None, record.logs
    return vote.pubkey()


def test_stake_warms_up_and_cools_down_over_epochs() -> None:
    box = Box(BankConfig(slots_per_epoch=5, seed=2))
    wallet, stake = box.alice.pubkey(), keypair(23)
    vote = _vote_account(box)
    params = CreateAccountParams(
        from_pubkey=wallet, to_pubkey=stake.pubkey(), lamports=10 * SOL, space=200, owner=STAKE
    )
    setup = Instruction(
        STAKE,
        struct.pack("<I32s32sqQ32s", 0, bytes(wallet), bytes(wallet), 0, 0, bytes(32)),
        [write(stake.pubkey()), read(RENT_SYSVAR)],
    )
    sysvars = [read(CLOCK_SYSVAR), read(STAKE_HISTORY_SYSVAR)]
    delegate = Instruction(
        STAKE,
        struct.pack("<I", 2),
        [write(stake.pubkey()), read(vote), *sysvars, read(STAKE_CONFIG), signer(wallet, writable=False)],
    )
    record = box.run(create_account(params), setup, delegate, signers=[box.alice, stake])
    assert record.err is None, record.logs
    box.bank.advance_slot(10)
    metas = [write(stake.pubkey()), write(box.bob.pubkey()), *sysvars, signer(wallet, writable=False)]
    withdraw = Instruction(STAKE, struct.pack("<IQ", 4, 10 * SOL), metas)
    assert box.run(withdraw).err == {"InstructionError": [1, "InsufficientFunds"]}
    stop = Instruction(
        STAKE, struct.pack("<I", 5), [write(stake.pubkey()), read(CLOCK_SYSVAR), signer(wallet, writable=False)]
    )
    assert box.run(stop).err is None
    assert box.run(withdraw).err == {"InstructionError": [1, "InsufficientFunds"]}
    box.bank.advance_slot(10)
    assert box.run(withdraw).err is None
    assert box.lamports(box.bob.pubkey()) == 110 * SOL


def test_a_user_binary_replaces_the_model_at_its_address(box: Box) -> None:
    memo = box.bank.get_account(MEMO)
    assert memo is not None
    elf = bytes(memo.data)
    box.model(lambda ctx: ctx.log("model"))
    assert "Program log: model" in box.run(Instruction(MODEL, b"hello", [])).logs
    box.bank.add_binary(MODEL, elf)
    record = box.run(Instruction(MODEL, b"hello", []))
    assert record.err is None
    assert "Program log: model" not in record.logs
    assert any("consumed" in line and str(MODEL) in line for line in record.logs)
    account = box.bank.get_account(MODEL)
    assert account is not None
    assert account.executable
    box.model(lambda ctx: ctx.log("model"))
    assert "Program log: model" not in box.run(Instruction(MODEL, b"hello", [])).logs


@pytest.mark.parametrize("elf", [b"", b"\x7fELF", b"\x7fELF" + bytes(500), b"no"])
def test_an_elf_that_does_not_load_leaves_the_model(box: Box, elf: bytes) -> None:
    box.model(lambda ctx: ctx.log("model"))
    with pytest.raises(ValueError, match=r"does not load.*: ."):
        box.bank.add_binary(MODEL, elf)
    assert "Program log: model" in box.run(Instruction(MODEL, b"", [])).logs


def test_a_truncated_elf_of_a_real_program_is_refused(box: Box) -> None:
    memo = box.bank.get_account(MEMO)
    assert memo is not None
    elf = bytes(memo.data)
    for size in (64, len(elf) // 2, len(elf) - 64):
        with pytest.raises(ValueError, match="does not load"):
            box.bank.add_binary(MODEL, elf[:size])
    assert box.bank.get_account(MODEL) is None


def test_an_executable_account_that_is_no_program_is_refused(box: Box) -> None:
    loader = Pubkey.from_string("BPFLoader2111111111111111111111111111111111")
    with pytest.raises(ValueError, match="refused"):
        box.bank.set_account(key(60), Account(SOL, b"junk", loader, True))
