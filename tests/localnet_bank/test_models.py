"""Modelled programs: privileges, ownership, conservation, CPI, logs and atomicity."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account

from keeper.protocols.addresses import CLOCK_SYSVAR, SPL_TOKEN, SYSTEM, TOKEN_2022
from keeper.sim.localnet.interface import InvokeContext, JsonError, ProgramError
from tests.localnet_bank.box import (
    MODEL,
    OTHER_MODEL,
    SOL,
    Box,
    key,
    pay,
    read,
    signer,
    token_transfer,
    write,
)

AUTHORITY, BUMP = Pubkey.find_program_address([b"authority"], MODEL)
SEEDS = [[b"authority", bytes([BUMP])]]


def call(*metas: AccountMeta, data: bytes = b"", program: Pubkey = MODEL) -> Instruction:
    return Instruction(program, data, list(metas))


def failed(error: JsonError) -> JsonError:
    """At index 1: Box.run puts its compute-unit limit first."""
    return {"InstructionError": [1, error]}


def invoking(instruction: Instruction, seeds: Sequence[Sequence[bytes]] = ()) -> Callable[[InvokeContext], None]:
    """A model that makes one CPI."""

    def run(ctx: InvokeContext) -> None:
        ctx.invoke(instruction, seeds)

    return run


def silent(_: InvokeContext) -> None:
    """A model that does nothing."""


def set_data(ctx: InvokeContext) -> None:
    ctx.accounts[0].data = b"changed!"


def grow(ctx: InvokeContext) -> None:
    ctx.accounts[0].data = bytes(9)


def take(ctx: InvokeContext) -> None:
    ctx.accounts[0].lamports -= 1
    ctx.accounts[1].lamports += 1


def mint_lamports(ctx: InvokeContext) -> None:
    ctx.accounts[0].lamports += 1


def burn_lamports(ctx: InvokeContext) -> None:
    ctx.accounts[0].lamports -= 1


def overdraw(ctx: InvokeContext) -> None:
    ctx.accounts[0].lamports -= 2 * SOL


def test_a_model_changes_what_it_owns(box: Box) -> None:
    state = box.state(MODEL)
    box.model(set_data)
    assert box.run(call(write(state))).err is None
    account = box.bank.get_account(state)
    assert account is not None
    assert bytes(account.data) == b"changed!"
    assert account.owner == MODEL


@pytest.mark.parametrize(
    ("run", "metas", "owner", "error"),
    [
        (set_data, (read,), MODEL, "ReadonlyDataModified"),
        (set_data, (write,), OTHER_MODEL, "ExternalAccountDataModified"),
        (grow, (write,), OTHER_MODEL, "AccountDataSizeChanged"),
        (take, (write, write), OTHER_MODEL, "ExternalAccountLamportSpend"),
        (take, (read, write), MODEL, "ReadonlyLamportChange"),
        (take, (write, read), MODEL, "ReadonlyLamportChange"),
        (mint_lamports, (write,), MODEL, "UnbalancedInstruction"),
        (burn_lamports, (write,), MODEL, "UnbalancedInstruction"),
        (overdraw, (write,), MODEL, "ArithmeticOverflow"),
    ],
)
def test_what_the_runtime_refuses(
    box: Box,
    run: Callable[[InvokeContext], None],
    metas: tuple[Callable[[Pubkey], AccountMeta], ...],
    owner: Pubkey,
    error: str,
) -> None:
    box.state(owner, 50)
    box.bank.set_account(key(51), Account(SOL, b"", SYSTEM))
    before = [box.bank.get_account(key(tag)) for tag in (50, 51)]
    box.model(run)
    record = box.run(call(*(meta(key(50 + index)) for index, meta in enumerate(metas))))
    assert record.err == failed(error)
    assert [box.bank.get_account(key(tag)) for tag in (50, 51)] == before
    assert record.fee == 5_000


def test_an_account_may_grow_by_10_kib_in_one_call(box: Box) -> None:
    state = box.state(MODEL, data=b"", lamports=100 * SOL)
    box.model(lambda ctx: setattr(ctx.accounts[0], "data", bytes(10_240)))
    assert box.run(call(write(state))).err is None
    box.model(lambda ctx: setattr(ctx.accounts[0], "data", bytes(20_481)))
    assert box.run(call(write(state))).err == failed("InvalidRealloc")


def test_a_pda_signs_for_real_tokens_and_all_of_it_is_atomic(box: Box) -> None:
    user_in, pool_in = box.token(41, box.alice.pubkey(), 100), box.token(42, AUTHORITY, 0)
    pool_out, user_out = box.token(43, AUTHORITY, 1_000), box.token(44, box.alice.pubkey(), 0)
    state = box.state(MODEL)

    def swap(ctx: InvokeContext) -> None:
        source, target, vault, out, mint, user, authority = [view.key for view in ctx.accounts[:7]]
        ctx.invoke(token_transfer(source, mint, target, user, 10))
        ctx.accounts[8].data = b"swapped!"
        ctx.invoke(token_transfer(vault, mint, out, authority, 20), SEEDS)
        if ctx.data:
            raise ProgramError.custom(6001, "SlippageExceeded")

    box.model(swap)
    metas = [write(user_in), write(pool_in), write(pool_out), write(user_out), read(box.mint)]
    metas += [signer(box.alice.pubkey(), writable=False), read(AUTHORITY), read(SPL_TOKEN), write(state)]
    tip = pay(box.alice.pubkey(), key(60), SOL)

    lost = box.run(tip, call(*metas, data=b"fail"))
    assert lost.err == {"InstructionError": [2, {"Custom": 6001}]}
    assert [box.token_amount(account) for account in (user_in, pool_in, pool_out, user_out)] == [100, 0, 1_000, 0]
    assert box.lamports(key(60)) == 0
    assert box.lamports(box.alice.pubkey()) == 100 * SOL - 5_000
    assert lost.logs[-3:] == (
        "Program log: Error: SlippageExceeded",
        f"Program {MODEL} consumed 3102 of 1399700 compute units".replace("1399700", str(200_001 - 300)),
        f"Program {MODEL} failed: custom program error: 0x1771",
    )

    won = box.run(tip, call(*metas))
    assert won.err is None
    assert [box.token_amount(account) for account in (user_in, pool_in, pool_out, user_out)] == [90, 10, 980, 20]
    assert [(b.account_index, b.amount) for b in won.pre_token_balances] != [
        (b.account_index, b.amount) for b in won.post_token_balances
    ]
    [(index, inner)] = won.inner_instructions
    assert index == 2
    assert [(item.program_id, item.stack_height) for item in inner] == [(SPL_TOKEN, 2), (SPL_TOKEN, 2)]
    assert f"Program {SPL_TOKEN} invoke [2]" in won.logs


def test_a_wrong_token_owner_fails_with_the_token_programs_own_error(box: Box) -> None:
    source, target = box.token(41, box.bob.pubkey(), 100), box.token(42, AUTHORITY, 0)
    box.model(invoking(token_transfer(source, box.mint, target, AUTHORITY, 1), SEEDS))
    record = box.run(call(write(source), read(box.mint), write(target), read(AUTHORITY), read(SPL_TOKEN)))
    assert record.err == failed({"Custom": 4})
    assert record.logs[-3].startswith(f"Program {SPL_TOKEN} failed: custom program error: 0x4")
    assert record.logs[-1] == f"Program {MODEL} failed: custom program error: 0x4"


def escalate_signer(ctx: InvokeContext) -> None:
    ctx.invoke(pay(ctx.accounts[0].key, ctx.accounts[1].key, 1))


def test_a_cpi_cannot_invent_a_signer(box: Box) -> None:
    box.model(escalate_signer)
    record = box.run(call(write(box.bob.pubkey()), write(key(51)), read(SYSTEM)))
    assert record.err == failed("PrivilegeEscalation")
    assert f"{box.bob.pubkey()}'s signer privilege escalated" in record.logs
    assert box.lamports(box.bob.pubkey()) == 100 * SOL


def test_a_cpi_cannot_make_an_account_writable(box: Box) -> None:
    box.model(escalate_signer)
    record = box.run(call(signer(box.alice.pubkey()), read(box.bob.pubkey()), read(SYSTEM)))
    assert record.err == failed("PrivilegeEscalation")
    assert f"{box.bob.pubkey()}'s writable privilege escalated" in record.logs


def test_another_programs_pda_does_not_sign(box: Box) -> None:
    foreign, bump = Pubkey.find_program_address([b"authority"], OTHER_MODEL)
    box.bank.set_account(foreign, Account(SOL, b"", SYSTEM))
    box.model(invoking(pay(foreign, box.bob.pubkey(), 1), [[b"authority", bytes([bump])]]))
    record = box.run(call(write(foreign), write(box.bob.pubkey()), read(SYSTEM)))
    assert record.err in (failed("PrivilegeEscalation"), failed("InvalidSeeds"))
    assert box.lamports(foreign) == SOL


def test_seeds_that_are_too_long(box: Box) -> None:
    box.model(invoking(pay(AUTHORITY, box.bob.pubkey(), 1), [[bytes(33)]]))
    record = box.run(call(write(AUTHORITY), write(box.bob.pubkey()), read(SYSTEM)))
    assert record.err == failed("MaxSeedLengthExceeded")


@pytest.mark.parametrize("missing", ["account", "program"])
def test_a_cpi_names_only_what_the_caller_has(box: Box, missing: str) -> None:
    box.model(invoking(pay(box.alice.pubkey(), box.bob.pubkey(), 1)))
    metas = [signer(box.alice.pubkey()), read(SYSTEM) if missing == "account" else write(box.bob.pubkey())]
    record = box.run(call(*metas))
    assert record.err == failed("MissingAccount")
    expected = f"Instruction references an unknown account {box.bob.pubkey()}"
    assert (expected if missing == "account" else f"Unknown program {SYSTEM}") in record.logs


def test_a_cpi_needs_a_program_to_call(box: Box) -> None:
    box.model(invoking(Instruction(box.mint, b"", [])))
    record = box.run(call(read(box.mint)))
    assert record.err == failed("AccountNotExecutable")


def test_a_view_has_the_privileges_of_the_whole_transaction(box: Box) -> None:
    seen: list[tuple[bool, bool]] = []
    box.model(lambda ctx: seen.extend((view.is_signer, view.is_writable) for view in ctx.accounts))
    alice, bob = box.alice.pubkey(), box.bob.pubkey()
    record = box.run(call(read(alice), read(bob), write(bob), write(SPL_TOKEN), write(CLOCK_SYSVAR), write(MODEL)))
    assert record.err is None
    token_is_not_reserved = (False, True)
    assert seen == [(True, True), (False, True), (False, True), token_is_not_reserved, (False, False), (False, False)]


def test_the_same_account_twice_is_one_account(box: Box) -> None:
    state = box.state(MODEL)

    def twice(ctx: InvokeContext) -> None:
        first, second = ctx.accounts
        first.data = b"changed!"
        assert second.data == b"changed!"
        first.lamports -= 5
        second.lamports += 5

    box.model(twice)
    assert box.run(call(write(state), write(state))).err is None
    assert box.lamports(state) == SOL


def test_a_cpi_may_not_create_more_than_10_kib(box: Box) -> None:
    def create(ctx: InvokeContext) -> None:
        size = int.from_bytes(ctx.data, "little")
        params = CreateAccountParams(
            from_pubkey=ctx.accounts[0].key, to_pubkey=AUTHORITY, lamports=SOL, space=size, owner=MODEL
        )
        ctx.invoke(create_account(params), SEEDS)

    box.model(create)
    metas = (signer(box.alice.pubkey()), write(AUTHORITY), read(SYSTEM))
    assert box.run(call(*metas, data=(10_241).to_bytes(4, "little"))).err == failed("InvalidRealloc")
    assert box.bank.get_account(AUTHORITY) is None
    assert box.run(call(*metas, data=(10_240).to_bytes(4, "little"))).err is None


def test_a_model_that_swallows_exhaustion_fails_all_the_same(box: Box) -> None:
    def stubborn(ctx: InvokeContext) -> None:
        try:
            ctx.consume(10**6)
        except ProgramError:
            ctx.log("never mind")

    box.model(stubborn)
    assert box.run(call()).err == failed("ProgramFailedToComplete")


def test_logs_are_truncated_at_ten_thousand_bytes(box: Box) -> None:
    def chatty(ctx: InvokeContext) -> None:
        for _ in range(200):
            ctx.log("x" * 100)

    box.model(chatty)
    record = box.run(call())
    assert record.err is None
    assert record.logs[-1] == "Log truncated"
    assert sum(len(line) for line in record.logs[:-1]) < 10_000


def test_a_model_cannot_swallow_a_failed_cpi(box: Box) -> None:
    def shrug(ctx: InvokeContext) -> None:
        try:
            ctx.invoke(pay(ctx.accounts[0].key, ctx.accounts[1].key, 1_000 * SOL))
        except ProgramError:
            ctx.log("never mind")

    box.model(shrug)
    record = box.run(call(signer(box.alice.pubkey()), write(key(51)), read(SYSTEM)))
    assert record.err == failed({"Custom": 1})


def test_a_defect_in_a_model_is_its_panic(box: Box) -> None:
    state = box.state(MODEL)

    def crash(ctx: InvokeContext) -> None:
        ctx.accounts[0].data = b"changed!"
        ctx.accounts[5].data = b""

    box.model(crash)
    record = box.run(call(write(state)))
    assert record.err == failed("ProgramFailedToComplete")
    assert any("panicked at" in line and "IndexError" in line for line in record.logs)
    account = box.bank.get_account(state)
    assert account is not None
    assert bytes(account.data) == bytes(8)


def test_models_call_models_with_nested_logs_and_return_data(box: Box) -> None:
    state = box.state(OTHER_MODEL)
    answers: list[bytes | None] = []

    def outer(ctx: InvokeContext) -> None:
        answers.append(ctx.invoke(call(write(state), program=OTHER_MODEL)))
        ctx.emit(b"\x01\x02")

    def inner(ctx: InvokeContext) -> None:
        ctx.accounts[0].data = b"changed!"
        ctx.log("inside")
        ctx.set_return_data(b"42")

    box.model(outer)
    box.model(inner, OTHER_MODEL)
    record = box.run(call(write(state), read(OTHER_MODEL)))
    assert record.err is None
    assert answers == [b"42"]
    assert record.return_data == (OTHER_MODEL, b"42")
    assert record.logs[2:] == (
        f"Program {MODEL} invoke [1]",
        f"Program {OTHER_MODEL} invoke [2]",
        "Program log: inside",
        f"Program {OTHER_MODEL} consumed 1000 of 197905 compute units",
        f"Program return: {OTHER_MODEL} NDI=",
        f"Program {OTHER_MODEL} success",
        "Program data: AQI=",
        f"Program {MODEL} consumed 2946 of 199851 compute units",
        f"Program {MODEL} success",
    )


def test_a_call_stack_has_five_levels_and_no_reentrancy(box: Box) -> None:
    depth = []

    def deeper(ctx: InvokeContext) -> None:
        depth.append(1)
        ctx.invoke(call(read(MODEL)))

    box.model(deeper)
    assert box.run(call(read(MODEL))).err == failed("CallDepth")
    assert len(depth) == 5

    box.model(invoking(call(read(MODEL), read(OTHER_MODEL), program=OTHER_MODEL)))
    box.model(invoking(call(read(MODEL), read(OTHER_MODEL))), OTHER_MODEL)
    assert box.run(call(read(MODEL), read(OTHER_MODEL))).err == failed("ReentrancyNotAllowed")


def test_a_model_creates_its_own_pda_through_the_system_program(box: Box) -> None:
    def create(ctx: InvokeContext) -> None:
        params = CreateAccountParams(
            from_pubkey=ctx.accounts[0].key,
            to_pubkey=ctx.accounts[1].key,
            lamports=ctx.rent_exempt(8),
            space=8,
            owner=ctx.program_id,
        )
        assert not ctx.accounts[1].exists()
        ctx.invoke(create_account(params), SEEDS)
        assert ctx.accounts[1].owner == ctx.program_id
        ctx.accounts[1].data = b"new born"

    box.model(create)
    metas = (signer(box.alice.pubkey()), write(AUTHORITY), read(SYSTEM))
    assert box.run(call(*metas)).err is None
    created = box.bank.get_account(AUTHORITY)
    assert created is not None
    assert (created.owner, bytes(created.data)) == (MODEL, b"new born")
    assert [found for found, _ in box.bank.program_accounts(MODEL)] == [AUTHORITY]
    assert box.run(call(*metas)).err == failed("ProgramFailedToComplete")  # its own assertion: it exists now


def test_a_closed_account_disappears(box: Box) -> None:
    state = box.state(MODEL)

    def close(ctx: InvokeContext) -> None:
        ctx.accounts[1].lamports += ctx.accounts[0].lamports
        ctx.accounts[0].lamports = 0

    box.model(close)
    assert box.run(call(write(state), write(box.bob.pubkey()))).err is None
    assert box.bank.get_account(state) is None
    assert box.lamports(box.bob.pubkey()) == 101 * SOL


def test_rent_is_checked_at_the_end_with_the_accounts_index(box: Box) -> None:
    state = box.state(MODEL, lamports=SOL)

    def drain(ctx: InvokeContext) -> None:
        moved = ctx.accounts[0].lamports - 1
        ctx.accounts[0].lamports = 1
        ctx.accounts[1].lamports += moved

    box.model(drain)
    record = box.run(call(write(state), write(box.bob.pubkey())))
    assert record.err == {"InsufficientFundsForRent": {"account_index": record.account_keys.index(state)}}
    assert box.lamports(state) == SOL


def test_rent_is_not_checked_between_instructions(box: Box) -> None:
    first, rest = pay(box.alice.pubkey(), key(60), 1), pay(box.alice.pubkey(), key(60), 890_879)
    record = box.run(first)
    assert record.err == {"InsufficientFundsForRent": {"account_index": record.account_keys.index(key(60))}}
    assert box.run(first, rest).err is None
    assert box.lamports(key(60)) == 890_880


def test_a_real_program_that_calls_a_model_fails_and_says_so(box: Box) -> None:
    """Token-2022 calls a mint's transfer hook (extensions 14 of the mint and 15 of the accounts)."""
    box.model(silent)
    wallet, mint = box.alice.pubkey(), key(52)
    mint_base = bytes(44) + bytes([9, 1]) + bytes(36 + 83)
    hook = bytes([14, 0, 64, 0]) + bytes(32) + bytes(MODEL)
    box.bank.set_account(mint, Account(SOL, mint_base + b"\x01" + hook, TOKEN_2022))
    for tag in (53, 54):
        base = bytes(mint) + bytes(wallet) + (100).to_bytes(8, "little") + bytes(36) + bytes([1]) + bytes(56)
        box.bank.set_account(key(tag), Account(SOL, base + b"\x02" + bytes([15, 0, 1, 0, 0]), TOKEN_2022))
    plain = token_transfer(key(53), mint, key(54), wallet, 1)
    record = box.run(Instruction(TOKEN_2022, plain.data, [*plain.accounts, read(MODEL)]))
    assert record.err is not None
    assert any(line.startswith("Localnet: real program") and "'script'" in line for line in record.logs), record


def test_an_unknown_program_lands_as_fees_only(box: Box) -> None:
    nowhere = box.run(Instruction(key(70), b"", []))
    assert (nowhere.err, nowhere.fee, nowhere.logs) == ("ProgramAccountNotFound", 5_000, ())
    data_account = box.run(Instruction(box.mint, b"", []))
    assert (data_account.err, data_account.fee) == ("InvalidProgramForExecution", 5_000)


def test_a_call_knows_its_height_in_the_stack(box: Box) -> None:
    seen: list[int] = []

    def outer(ctx: InvokeContext) -> None:
        seen.append(ctx.stack_height)
        ctx.invoke(call(program=OTHER_MODEL))
        seen.append(ctx.stack_height)

    box.model(outer)
    box.model(lambda ctx: seen.append(ctx.stack_height), OTHER_MODEL)
    assert box.run(call(read(OTHER_MODEL))).err is None
    assert seen == [1, 2, 1]
