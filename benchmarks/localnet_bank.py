"""How fast the localnet's bank executes: p50 and p99 in microseconds of ``Bank.process``, one JSON line for each case.

Run: ``.venv/bin/python -m benchmarks.localnet_bank [transactions]``. Building and signing happen before the clock starts;
verifying the signature is part of the bank's work and is measured.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from time import perf_counter_ns

from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from keeper.protocols.addresses import COMPUTE_BUDGET, SPL_TOKEN, SYSTEM
from keeper.sim.localnet.bank import Bank
from keeper.sim.localnet.interface import InvokeContext

DECIMALS = 9
MODEL = Pubkey.from_bytes(bytes([9]) * 32)
AUTHORITY, BUMP = Pubkey.find_program_address([b"authority"], MODEL)


def transfer_checked(source: Pubkey, mint: Pubkey, target: Pubkey, owner: Pubkey, amount: int) -> Instruction:
    """SPL Token instruction 12."""
    accounts = [
        AccountMeta(source, False, True),
        AccountMeta(mint, False, False),
        AccountMeta(target, False, True),
        AccountMeta(owner, True, False),
    ]
    return Instruction(SPL_TOKEN, bytes([12]) + amount.to_bytes(8, "little") + bytes([DECIMALS]), accounts)


class Swap:
    """Takes tokens from the user and pays the same amount from the pool: two token CPIs, one signed by a PDA."""

    program_id = MODEL
    name = "benchmark swap"

    def process(self, ctx: InvokeContext) -> None:
        """Accounts: user source, pool target, pool source, user target, mint, user, authority, token program."""
        source, pool_in, pool_out, target, mint, user, authority, _ = [view.key for view in ctx.accounts]
        amount = int.from_bytes(ctx.data, "little")
        ctx.log("Instruction: Swap")
        ctx.consume(5_000)
        ctx.invoke(transfer_checked(source, mint, pool_in, user, amount))
        ctx.invoke(transfer_checked(pool_out, mint, target, authority, amount), [[b"authority", bytes([BUMP])]])


class Bench:
    """A bank with a funded wallet and four token accounts."""

    def __init__(self) -> None:
        self.bank = Bank()
        self.bank.add_model(Swap())
        self.wallet = Keypair.from_seed(bytes(range(32)))
        self.bank.set_account(self.wallet.pubkey(), Account(10**15, b"", SYSTEM))
        self.mint = Pubkey.from_bytes(bytes([7]) * 32)
        self.bank.set_account(self.mint, Account(10**9, bytes(44) + bytes([DECIMALS, 1]) + bytes(36), SPL_TOKEN))
        owner, pool = self.wallet.pubkey(), AUTHORITY
        self.tokens = [self._token(index + 10, key) for index, key in enumerate((owner, pool, pool, owner))]

    def _token(self, tag: int, owner: Pubkey) -> Pubkey:
        key = Pubkey.from_bytes(bytes([tag]) * 32)
        data = bytes(self.mint) + bytes(owner) + (10**15).to_bytes(8, "little") + bytes(36) + bytes([1]) + bytes(56)
        self.bank.set_account(key, Account(10**9, data, SPL_TOKEN))
        return key

    def signed(self, instructions: list[Instruction], number: int) -> VersionedTransaction:
        """A transaction whose compute-unit limit makes it unique."""
        limit = Instruction(COMPUTE_BUDGET, b"\x02" + (200_000 + number).to_bytes(4, "little"), [])
        blockhash, _ = self.bank.latest_blockhash()
        message = MessageV0.try_compile(self.wallet.pubkey(), [limit, *instructions], [], blockhash)
        return VersionedTransaction(message, [self.wallet])

    def system_transfer(self) -> list[Instruction]:
        params = TransferParams(
            from_pubkey=self.wallet.pubkey(), to_pubkey=Pubkey.from_bytes(bytes([3]) * 32), lamports=10**6
        )
        return [transfer(params)]

    def token_transfer(self) -> list[Instruction]:
        return [transfer_checked(self.tokens[0], self.mint, self.tokens[3], self.wallet.pubkey(), 1)]

    def mixed(self) -> list[Instruction]:
        metas = [AccountMeta(key, False, True) for key in self.tokens]
        metas += [AccountMeta(self.mint, False, False), AccountMeta(self.wallet.pubkey(), True, False)]
        metas += [AccountMeta(AUTHORITY, False, False), AccountMeta(SPL_TOKEN, False, False)]
        return [*self.token_transfer(), Instruction(MODEL, (5).to_bytes(8, "little"), metas)]


def percentile(sorted_values: list[int], share: int) -> float:
    """Microseconds at ``share`` per cent."""
    return round(sorted_values[min(len(sorted_values) - 1, len(sorted_values) * share // 100)] / 1_000, 1)


def measure(bench: Bench, instructions: Callable[[], list[Instruction]], count: int) -> list[int]:
    """Nanoseconds of each of ``count`` processed transactions, twenty to a block."""
    took = []
    for number in range(count):
        transaction = bench.signed(instructions(), number)
        start = perf_counter_ns()
        record = bench.bank.process(transaction)
        took.append(perf_counter_ns() - start)
        if record.err is not None:
            raise RuntimeError(f"benchmark transaction failed: {record.err}: {record.logs}")
        if number % 20 == 19:
            bench.bank.advance_slot()
    return sorted(took)


def main(count: int) -> None:
    bench = Bench()
    for name, case in (
        ("system transfer", bench.system_transfer),
        ("SPL transferChecked", bench.token_transfer),
        ("mixed: token transfer + model with two token CPIs", bench.mixed),
    ):
        took = measure(bench, case, count)
        print(
            json.dumps(
                {
                    "benchmark": f"localnet_bank/{name}",
                    "n": count,
                    "p50_us": percentile(took, 50),
                    "p99_us": percentile(took, 99),
                }
            )
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000)
