"""Executing an admitted transaction: fee, atomic execution, rent, rollback, and what changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from solders.account import Account
from solders.pubkey import Pubkey

from keeper.sim.localnet.admission import without_lamports
from keeper.sim.localnet.interface import ChainClock, InnerInstruction, JsonError, ModelProgram, TokenBalance
from keeper.sim.localnet.loading import LoadedTransaction
from keeper.sim.localnet.machine import Machine
from keeper.sim.localnet.rent import breaks_rent
from keeper.sim.localnet.runtime import Runtime
from keeper.sim.localnet.token_balances import TokenBalances
from keeper.sim.localnet.transaction_errors import rent_error

ACCOUNT_OVERHEAD = 64
"""Bytes that each loaded account counts beside its data (SIMD-0186)."""
_UPGRADEABLE_PROGRAM_BYTES = 36

State = dict[Pubkey, Account | None]


@dataclass(frozen=True, slots=True)
class Settled:
    """What a transaction did. ``before``: its writable accounts as they were; ``after``: as they are now."""

    err: JsonError | None
    fee: int
    compute_units: int
    logs: tuple[str, ...]
    inner_instructions: tuple[tuple[int, tuple[InnerInstruction, ...]], ...]
    return_data: tuple[Pubkey, bytes] | None
    pre_balances: tuple[int, ...]
    post_balances: tuple[int, ...]
    pre_token_balances: tuple[TokenBalance, ...]
    post_token_balances: tuple[TokenBalance, ...]
    before: State
    after: State

    @property
    def changed(self) -> list[Pubkey]:
        """Writable accounts that differ from before, in the transaction's order."""
        return [key for key, account in self.after.items() if account != self.before[key]]


def settle(
    machine: Machine, models: Mapping[Pubkey, ModelProgram], loaded: LoadedTransaction, clock: ChainClock
) -> Settled:
    """Charge the fee and execute ``loaded`` on the machine's accounts, all or nothing."""
    tokens = TokenBalances(machine.get)
    before = _read(machine, loaded)
    pre_balances = _balances(machine, loaded, before)
    pre_tokens = tokens.read(loaded.keys, before)
    fee = loaded.budget.fee(loaded.signers)
    payer = before[loaded.fee_payer]
    if payer is None:
        raise RuntimeError(f"fee payer {loaded.fee_payer} vanished after admission")
    paid = without_lamports(payer, fee)
    charged: State = {**before, loaded.fee_payer: paid if paid.lamports else None}
    machine.put(loaded.fee_payer, paid)
    runtime = Runtime(machine, models, loaded, clock)
    try:
        err = _loading_error(machine, models, loaded) or runtime.execute()
    except BaseException:
        restore(machine, before)  # a defect of ours: leave the accounts as they were, then let it be seen
        raise
    after = _read(machine, loaded)
    if err is None:
        err = _rent_fault(machine, loaded, charged, after)
    if err is not None:
        restore(machine, charged)
        after = charged
    return Settled(
        err=err,
        fee=fee,
        compute_units=runtime.meter.used,
        logs=tuple(runtime.log.lines),
        inner_instructions=tuple(runtime.inner),
        return_data=runtime.return_data,
        pre_balances=pre_balances,
        post_balances=_balances(machine, loaded, after),
        pre_token_balances=pre_tokens,
        post_token_balances=tokens.read(loaded.keys, after),
        before=before,
        after=after,
    )


def restore(machine: Machine, state: Mapping[Pubkey, Account | None]) -> None:
    """Put accounts back."""
    for key, account in state.items():
        if machine.get(key) != account:
            machine.put(key, account)


def _read(machine: Machine, loaded: LoadedTransaction) -> State:
    return {key: machine.get(key) for key in loaded.writable_keys}


def _balances(machine: Machine, loaded: LoadedTransaction, state: State) -> tuple[int, ...]:
    found = []
    for key in loaded.keys:
        if key in state:
            account = state[key]
            found.append(account.lamports if account is not None else 0)
        else:
            found.append(machine.lamports(key))
    return tuple(found)


def _loading_error(
    machine: Machine, models: Mapping[Pubkey, ModelProgram], loaded: LoadedTransaction
) -> JsonError | None:
    """Why the transaction's accounts do not load. It lands all the same, as fees only."""
    if loaded.budget.data_limit_given and _loaded_bytes(machine, loaded) > loaded.budget.loaded_data_limit:
        return "MaxLoadedAccountsDataSizeExceeded"
    for instruction in loaded.instructions:
        program = instruction.program_id
        if program in models or machine.is_executable(program):
            continue
        return "ProgramAccountNotFound" if machine.get(program) is None else "InvalidProgramForExecution"
    return None


def _loaded_bytes(machine: Machine, loaded: LoadedTransaction) -> int:
    """Bytes that count against the loaded data limit; an upgradeable program counts with its program data."""
    total = 0
    for key in loaded.keys:
        account = machine.get(key)
        if account is None:
            continue
        data = bytes(account.data)
        total += ACCOUNT_OVERHEAD + len(data)
        if account.executable and len(data) == _UPGRADEABLE_PROGRAM_BYTES:
            program_data = Pubkey.from_bytes(data[4:36])
            held = machine.get(program_data)
            if held is not None and program_data not in loaded.keys:
                total += ACCOUNT_OVERHEAD + len(held.data)
    return total


def _rent_fault(machine: Machine, loaded: LoadedTransaction, before: State, after: State) -> JsonError | None:
    for index, key in enumerate(loaded.keys):
        if (
            loaded.writable[index]
            and before[key] != after[key]
            and breaks_rent(before[key], after[key], machine.rent_exempt)
        ):
            return rent_error(index)
    return None
