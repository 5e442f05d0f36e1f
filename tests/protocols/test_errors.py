"""Transaction errors in words: known codes by name, unknown ones quoted, nothing ever raised."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.protocols import errors
from keeper.protocols.addresses import (
    COMPUTE_BUDGET,
    GLOW_LRT,
    JUPITER_V6,
    SOLAYER_RESTAKING,
    SPL_TOKEN,
    STAKE,
    STAKE_POOL_PROGRAM,
    SYSTEM,
)
from tests.protocols.account_bytes import key

PROGRAMS = (COMPUTE_BUDGET, STAKE_POOL_PROGRAM, JUPITER_V6, SPL_TOKEN, SOLAYER_RESTAKING, key(1), STAKE, SYSTEM)


def custom(index: int, code: int) -> dict[str, object]:
    return {"InstructionError": [index, {"Custom": code}]}


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (custom(1, 39), "stake-pool: ExceededSlippage (39)"),
        (custom(1, 17), "stake-pool: StakeListAndPoolOutOfDate (17)"),
        (custom(2, 6001), "jupiter: SlippageToleranceExceeded (6001)"),
        (custom(2, 3012), "jupiter: Anchor AccountNotInitialized (3012)"),
        (custom(2, 2999), "jupiter: an Anchor constraint error unknown here (2999)"),
        (custom(2, 7777), "jupiter: custom error 7777 (0x1e61)"),
        (custom(3, 1), "token: InsufficientFunds (1)"),
        (custom(4, 6003), "solayer: StakingAssetMintMismatch (6003)"),
        (custom(5, 5), f"{key(1)}: custom error 5 (0x5)"),
        (custom(5, 2003), f"{key(1)}: custom error 2003 (0x7d3; Anchor ConstraintRaw, if it is an Anchor program)"),
        (custom(6, 1), "stake: LockupInForce (1)"),
        (custom(7, 1), "system: ResultWithNegativeLamports (1)"),
        (custom(9, 1), "instruction 9: custom error 1 (0x1)"),
        ({"InstructionError": [0, "ComputationalBudgetExceeded"]}, "compute-budget: ComputationalBudgetExceeded"),
        ({"InstructionError": [3, {"BorshIoError": "x"}]}, 'token: {"BorshIoError": "x"}'),
        ("BlockhashNotFound", "BlockhashNotFound"),
        ("SomethingOfNextYear", "SomethingOfNextYear"),
        ({"InsufficientFundsForRent": {"account_index": 3}}, '{"InsufficientFundsForRent": {"account_index": 3}}'),
        ({"DuplicateInstruction": 2}, '{"DuplicateInstruction": 2}'),
        (None, "no error"),
    ],
)
def test_errors_are_named(error: object, words: str) -> None:
    assert errors.explain(error, PROGRAMS) == words


def test_logs_name_the_called_program_that_failed() -> None:
    logs = [
        f"Program {STAKE_POOL_PROGRAM} invoke [1]",
        f"Program {SPL_TOKEN} invoke [2]",
        f"Program {SPL_TOKEN} failed: custom program error: 0x1",
        f"Program {STAKE_POOL_PROGRAM} failed: custom program error: 0x1",
    ]
    assert errors.explain(custom(1, 1), PROGRAMS, logs=logs) == "stake-pool: token: InsufficientFunds (1)"
    assert errors.explain(custom(1, 1), PROGRAMS) == "stake-pool: InvalidProgramAddress (1)"
    assert errors.explain(custom(1, 39), PROGRAMS, logs=logs) == "stake-pool: ExceededSlippage (39)"
    assert errors.explain(custom(1, 1), PROGRAMS, logs=logs[3:]) == "stake-pool: InvalidProgramAddress (1)"


def test_another_program_registers_its_table() -> None:
    registry = errors.ProgramErrors.standard()
    registry.register(GLOW_LRT, "glow-lrt", {6000: "PoolPaused"}, anchor=True)
    assert errors.explain(custom(0, 6000), (GLOW_LRT,), registry=registry) == "glow-lrt: PoolPaused (6000)"
    assert errors.explain(custom(0, 6000), (GLOW_LRT,)) == "glow-lrt: custom error 6000 (0x1770)"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
SHAPED = st.builds(lambda a, b: {"InstructionError": [a, b]}, JSON, JSON | st.builds(lambda c: {"Custom": c}, JSON))


@given(JSON | SHAPED, st.lists(st.text(max_size=30), max_size=3))
def test_nothing_that_an_rpc_says_raises(error: object, logs: list[str]) -> None:
    assert isinstance(errors.explain(error, PROGRAMS, logs=logs), str)


def test_long_errors_are_cut() -> None:
    assert len(errors.explain({"X": "y" * 5_000}, ())) < 250
