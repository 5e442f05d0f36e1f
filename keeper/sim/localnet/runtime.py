"""Execution of one transaction's instructions over real programs (in the machine) and models (in Python).

The runtime owns what lasts as long as the transaction: the call stack, compute units, logs, inner instructions and return
data. It does not roll back; the bank does, when ``execute`` returns an error.

Known limit: a real program cannot call a model (LiteSVM does not know models). Such a call fails, and the log says why.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from traceback import extract_tb

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.protocols.addresses import COMPUTE_BUDGET
from keeper.sim.localnet.execution_log import ComputeMeter, ExecutionLog
from keeper.sim.localnet.fees import COMPUTE_BUDGET_UNITS
from keeper.sim.localnet.frames import Frame
from keeper.sim.localnet.interface import (
    AccountView,
    ChainClock,
    InnerInstruction,
    JsonError,
    ModelProgram,
    ProgramError,
)
from keeper.sim.localnet.loading import LoadedTransaction
from keeper.sim.localnet.machine import MAX_STACK_HEIGHT, Machine
from keeper.sim.localnet.transaction_errors import ComputeExhausted, instruction_error, words

MODEL_UNITS = 1_000
"""Compute units that each call of a model costs, before what it consumes itself."""
CPI_UNITS = 946
"""Compute units of a cross-program invocation (SIMD-0339), plus one for each ``CPI_BYTES`` of its data."""
CPI_BYTES = 250
MAX_TRACE = 64
"""Instructions of a transaction, top-level and inner together."""
MAX_RETURN_DATA = 1_024
MAX_SIGNERS = 16


class Runtime:
    """Executes a loaded transaction once."""

    def __init__(
        self, machine: Machine, models: Mapping[Pubkey, ModelProgram], loaded: LoadedTransaction, clock: ChainClock
    ) -> None:
        self.machine = machine
        self.clock = clock
        self.log = ExecutionLog()
        self.meter = ComputeMeter(loaded.budget.unit_limit)
        self.return_data: tuple[Pubkey, bytes] | None = None
        self.inner: list[tuple[int, tuple[InnerInstruction, ...]]] = []
        self._models = models
        self._loaded = loaded
        self._stack: list[Pubkey] = []
        self._current: list[InnerInstruction] = []
        self._trace = 0
        self._fault: ProgramError | None = None
        self._reported: ProgramError | None = None

    def execute(self) -> JsonError | None:
        """Run all instructions; the TransactionError of the first that fails, or None."""
        for index, instruction in enumerate(self._loaded.instructions):
            self._current = []
            try:
                self.dispatch(instruction)
            except ProgramError as error:
                return instruction_error(index, error.error)
            finally:
                if self._current:
                    self.inner.append((index, tuple(self._current)))
        return None

    @property
    def height(self) -> int:
        """Stack height of the running instruction; 0 outside."""
        return len(self._stack)

    def dispatch(self, instruction: Instruction) -> None:
        """Run one instruction, top-level or CPI. Raises ``ProgramError``, its own or a callee's."""
        program = instruction.program_id
        self._enter(program)
        try:
            self.return_data = None
            if program == COMPUTE_BUDGET:
                self._run_compute_budget(program)
            elif (model := self._models.get(program)) is not None:
                self._run_model(model, instruction)
            else:
                self._run_real(instruction)
        finally:
            self._stack.pop()

    def _enter(self, program: Pubkey) -> None:
        self._trace += 1
        if self._trace > MAX_TRACE:
            raise ProgramError("MaxInstructionTraceLengthExceeded")
        if program in self._stack and self._stack[-1] != program:
            raise ProgramError("ReentrancyNotAllowed")
        if len(self._stack) >= MAX_STACK_HEIGHT:
            raise ProgramError("CallDepth")
        self._stack.append(program)

    def _run_compute_budget(self, program: Pubkey) -> None:
        """The bank decoded it before execution; here it only costs."""
        self.log.add(f"Program {program} invoke [{self.height}]")
        try:
            self.meter.charge(COMPUTE_BUDGET_UNITS)
        except ComputeExhausted:
            error = ProgramError("ComputationalBudgetExceeded")
            self.log.add(f"Program {program} failed: {words(error.error)}")
            raise error from None
        self.log.add(f"Program {program} success")

    def _run_real(self, instruction: Instruction) -> None:
        outcome = self.machine.execute(
            instruction, units=self.meter.left, heap=self._loaded.budget.heap_size, height=self.height
        )
        self.meter.left = max(0, self.meter.left - outcome.units)
        self.log.extend(outcome.logs)
        self._current.extend(outcome.inner)
        self._trace += len(outcome.inner)
        self.return_data = outcome.return_data
        if outcome.error is not None:
            self._explain_call_into_model(instruction, outcome.inner)
            raise ProgramError(outcome.error)

    def _explain_call_into_model(self, instruction: Instruction, inner: Sequence[InnerInstruction]) -> None:
        """A real program that calls a model fails in a way that nobody could guess; say what happened."""
        if inner and inner[-1].program_id in self._models:
            callee = self._models[inner[-1].program_id]
            self.log.add(
                f"Localnet: real program {instruction.program_id} called {callee.program_id}, which is the model "
                f"'{callee.name}'; only models can call models. Load a binary at that address too"
            )

    def _run_model(self, model: ModelProgram, instruction: Instruction) -> None:
        program = instruction.program_id
        before = self.meter.left
        self.log.add(f"Program {program} invoke [{self.height}]")
        try:
            self.meter.charge(MODEL_UNITS)
            frame = Frame(self.machine, program, instruction.accounts)
            self._call(model, ModelContext(self, frame, bytes(instruction.data)))
            frame.settle()
        except ProgramError as error:
            self._report(program, before, error)
            raise
        self._log_units(program, before)
        if self.return_data is not None and self.return_data[0] == program:
            self.log.add(f"Program return: {program} {base64.b64encode(self.return_data[1]).decode()}")
        self.log.add(f"Program {program} success")

    def _call(self, model: ModelProgram, context: ModelContext) -> None:
        """Run the model's code. A failed CPI ends the transaction even where the model swallowed its error."""
        try:
            model.process(context)
        except ProgramError as error:
            raise self._fault or error from None
        except Exception as defect:  # a defect in a model is that program's panic, not the bank's end
            place = extract_tb(defect.__traceback__)[-1]
            self.log.add(f"Program log: panicked at {place.filename}:{place.lineno}: {type(defect).__name__}: {defect}")
            raise ProgramError("ProgramFailedToComplete", "SBF program panicked") from defect
        if self._fault is not None:
            raise self._fault

    def _report(self, program: Pubkey, before: int, error: ProgramError) -> None:
        """Log lines of a failing model; what the error says is logged once, by the program that raised it."""
        own = error is not self._reported
        self._reported = error
        said = str(error)
        if own and said != str(error.error) and not isinstance(error, ComputeExhausted):
            self.log.add(f"Program log: Error: {said}")
        self._log_units(program, before)
        spoken = said if own and isinstance(error, ComputeExhausted) else words(error.error)
        self.log.add(f"Program {program} failed: {spoken}")

    def _log_units(self, program: Pubkey, before: int) -> None:
        self.log.add(f"Program {program} consumed {before - self.meter.left} of {before} compute units")

    def consume(self, units: int) -> None:
        """Charge a model's own work; running out ends the transaction even where the model swallows the error."""
        try:
            self.meter.charge(units)
        except ComputeExhausted as error:
            self._fault = error
            raise

    def invoke(self, frame: Frame, instruction: Instruction, signer_seeds: Iterable[Sequence[bytes]]) -> None:
        """CPI from a model: check privileges, settle the caller's writes, run the callee."""
        try:
            self._check_call(frame, instruction, signer_seeds)
            self.meter.charge(CPI_UNITS + len(instruction.data) // CPI_BYTES)
            written = list(dict.fromkeys(meta.pubkey for meta in instruction.accounts if meta.is_writable))
            frame.prepare_call(written)
            self._current.append(
                InnerInstruction(
                    instruction.program_id,
                    tuple(meta.pubkey for meta in instruction.accounts),
                    bytes(instruction.data),
                    self.height + 1,
                )
            )
            self.dispatch(instruction)
            frame.return_from_call(written)
        except ProgramError as error:
            self._fault = error
            raise

    def _check_call(self, frame: Frame, instruction: Instruction, signer_seeds: Iterable[Sequence[bytes]]) -> None:
        signers = frame.signers | _derived(frame.program_id, signer_seeds)
        for meta in instruction.accounts:
            if meta.pubkey not in frame.keys:
                self.log.add(f"Instruction references an unknown account {meta.pubkey}")
                raise ProgramError("MissingAccount")
            if meta.is_writable and meta.pubkey not in frame.writables:
                self.log.add(f"{meta.pubkey}'s writable privilege escalated")
                raise ProgramError("PrivilegeEscalation")
            if meta.is_signer and meta.pubkey not in signers:
                self.log.add(f"{meta.pubkey}'s signer privilege escalated")
                raise ProgramError("PrivilegeEscalation")
        program = instruction.program_id
        if program not in frame.keys:
            self.log.add(f"Unknown program {program}")
            raise ProgramError("MissingAccount")
        if program not in self._models and not self.machine.is_executable(program):
            self.log.add(f"Account {program} is not executable")
            raise ProgramError("AccountNotExecutable")


def _derived(program: Pubkey, signer_seeds: Iterable[Sequence[bytes]]) -> set[Pubkey]:
    """The program addresses that ``signer_seeds`` prove. Raises ``ProgramError`` for seeds that give none."""
    found = set()
    for seeds in signer_seeds:
        if len(seeds) > MAX_SIGNERS or any(len(seed) > 32 for seed in seeds):
            raise ProgramError("MaxSeedLengthExceeded")
        try:
            found.add(Pubkey.create_program_address(list(seeds), program))
        except Exception as refusal:  # solders' PubkeyError is not exported
            raise ProgramError("InvalidSeeds", f"seeds give no address of {program}: {refusal}") from refusal
    return found


class ModelContext:
    """``InvokeContext`` of one call."""

    def __init__(self, runtime: Runtime, frame: Frame, data: bytes) -> None:
        self._runtime = runtime
        self._frame = frame
        self.program_id = frame.program_id
        self.data = data
        self.accounts: Sequence[AccountView] = frame.views
        self.clock = runtime.clock
        self.stack_height = runtime.height

    def invoke(self, instruction: Instruction, signer_seeds: Iterable[Sequence[bytes]] = ()) -> bytes | None:
        self._runtime.invoke(self._frame, instruction, signer_seeds)
        returned = self._runtime.return_data
        return returned[1] if returned is not None else None

    def log(self, message: str) -> None:
        self._runtime.log.add(f"Program log: {message}")

    def emit(self, payload: bytes) -> None:
        self._runtime.log.add(f"Program data: {base64.b64encode(payload).decode()}")

    def consume(self, units: int) -> None:
        self._runtime.consume(units)

    def set_return_data(self, payload: bytes) -> None:
        if len(payload) > MAX_RETURN_DATA:
            raise ProgramError(
                "ProgramFailedToComplete", f"return data of {len(payload)} bytes, limit {MAX_RETURN_DATA}"
            )
        self._runtime.return_data = (self.program_id, bytes(payload))

    def rent_exempt(self, size: int) -> int:
        return self._runtime.machine.rent_exempt(size)
