"""Compute-budget instructions, fees and the compute units of a whole transaction."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.instruction import Instruction

from keeper.protocols.addresses import COMPUTE_BUDGET, MEMO, SPL_TOKEN, SYSTEM
from keeper.sim.localnet.fees import decode_budget, priority_fee
from keeper.sim.localnet.interface import InvokeContext, JsonError, TransactionRejected
from tests.localnet_bank.box import MODEL, SOL, Box, key, pay, read, token_transfer, unit_limit, unit_price


def budget_instruction(data: bytes) -> Instruction:
    return Instruction(COMPUTE_BUDGET, data, [])


def test_priority_fee_is_on_the_limit_and_rounds_up(box: Box) -> None:
    record = box.bank.process(box.signed(unit_limit(300_001), unit_price(3_333), pay(box.alice.pubkey(), key(60), SOL)))
    assert record.err is None
    assert record.fee == 5_000 + -(-300_001 * 3_333 // 1_000_000)
    assert record.compute_units == 450


def test_priority_fee_is_charged_on_failure_too(box: Box) -> None:
    record = box.bank.process(
        box.signed(unit_limit(100_000), unit_price(1_000_000), pay(box.alice.pubkey(), key(60), 999 * SOL))
    )
    assert record.err == {"InstructionError": [2, {"Custom": 1}]}
    assert record.fee == 105_000
    assert box.lamports(box.alice.pubkey()) == 100 * SOL - 105_000
    assert box.lamports(key(60)) == 0


@given(st.integers(0, 1_400_000), st.integers(0, 2**64 - 1))
def test_priority_fee_is_the_ceiling(limit: int, price: int) -> None:
    fee = priority_fee(limit, price)
    exact = limit * price
    assert fee == 2**64 - 1 or (fee - 1) * 1_000_000 < exact <= fee * 1_000_000


def test_default_limit_counts_builtins_apart() -> None:
    instructions = [(SYSTEM, b""), (COMPUTE_BUDGET, b"\x03" + bytes(8)), (SPL_TOKEN, b""), (MEMO, b"")]
    assert decode_budget(instructions).unit_limit == 406_000
    assert decode_budget([(SPL_TOKEN, b"")] * 9).unit_limit == 1_400_000


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", {"InstructionError": [1, "InvalidInstructionData"]}),
        (b"\x09\x00\x00\x00\x00", {"InstructionError": [1, "InvalidInstructionData"]}),
        (b"\x02\x00\x00", {"InstructionError": [1, "InvalidInstructionData"]}),
        (b"\x01" + (1_000).to_bytes(4, "little"), {"InstructionError": [1, "InvalidInstructionData"]}),
        (b"\x01" + (512 * 1024).to_bytes(4, "little"), {"InstructionError": [1, "InvalidInstructionData"]}),
        (b"\x04" + bytes(4), "InvalidLoadedAccountsDataSizeLimit"),
        (b"\x02" + (5).to_bytes(4, "little"), {"DuplicateInstruction": 1}),
    ],
)
def test_a_bad_budget_is_rejected_before_any_fee(box: Box, data: bytes, error: JsonError) -> None:
    with pytest.raises(TransactionRejected) as caught:
        box.bank.process(box.signed(unit_limit(10_000), budget_instruction(data)))
    assert caught.value.error == error
    assert box.lamports(box.alice.pubkey()) == 100 * SOL


def test_a_real_program_that_runs_out_of_units(box: Box) -> None:
    source = box.token(41, box.alice.pubkey(), 100)
    target = box.token(42, box.bob.pubkey(), 0)
    send = token_transfer(source, box.mint, target, box.alice.pubkey(), 1)
    record = box.bank.process(box.signed(unit_limit(200), send))
    assert record.err == {"InstructionError": [1, "ProgramFailedToComplete"]}
    assert record.logs[-1] == f"Program {SPL_TOKEN} failed: exceeded CUs meter at BPF instruction"
    assert box.token_amount(target) == 0


def test_a_builtin_that_runs_out_of_units(box: Box) -> None:
    record = box.bank.process(box.signed(unit_limit(299), pay(box.alice.pubkey(), key(60), SOL)))
    assert record.err == {"InstructionError": [1, "ComputationalBudgetExceeded"]}
    assert record.logs[-1] == f"Program {SYSTEM} failed: Computational budget exceeded"
    first = box.bank.process(box.signed(unit_limit(149)))
    assert first.err == {"InstructionError": [0, "ComputationalBudgetExceeded"]}


def test_a_model_that_runs_out_of_units(box: Box) -> None:
    def spend(ctx: InvokeContext) -> None:
        ctx.consume(30_000)
        ctx.log("half way")
        ctx.consume(30_000)

    box.model(spend)
    record = box.bank.process(box.signed(unit_limit(50_000), Instruction(MODEL, b"", [])))
    assert record.err == {"InstructionError": [1, "ProgramFailedToComplete"]}
    assert record.compute_units == 50_000
    assert record.logs[2:] == (
        f"Program {MODEL} invoke [1]",
        "Program log: half way",
        f"Program {MODEL} consumed 49850 of 49850 compute units",
        f"Program {MODEL} failed: exceeded CUs meter at BPF instruction",
    )


def test_units_are_shared_by_the_whole_transaction(box: Box) -> None:
    box.model(lambda ctx: ctx.consume(40_000))
    call = Instruction(MODEL, b"", [])
    assert box.bank.process(box.signed(unit_limit(82_150), call, call)).err is None
    record = box.bank.process(box.signed(unit_limit(82_149), call, call))
    assert record.err == {"InstructionError": [2, "ProgramFailedToComplete"]}


def test_too_much_loaded_data_lands_as_fees_only(box: Box) -> None:
    base = pay(box.alice.pubkey(), box.bob.pubkey(), 1)
    touch = Instruction(SYSTEM, base.data, [*base.accounts, read(key(62))])
    box.state(MODEL, 62, bytes(50_000))
    data_limit = budget_instruction(b"\x04" + (50_000).to_bytes(4, "little"))
    record = box.bank.process(box.signed(data_limit, touch))
    assert record.err == "MaxLoadedAccountsDataSizeExceeded"
    assert record.logs == ()
    assert record.fee == 5_000
    assert box.lamports(box.alice.pubkey()) == 100 * SOL - 5_000
    wide = budget_instruction(b"\x04" + (60_000).to_bytes(4, "little"))
    assert box.bank.process(box.signed(wide, touch)).err is None
