"""v1 transactions: compute limits and the total priority fee stand in the message's own configuration."""

from __future__ import annotations

from solders.message import MessageV1, TransactionConfig
from solders.transaction import VersionedTransaction

from tests.localnet_bank.box import SOL, Box, key, pay, unit_limit


def sent(box: Box, config: TransactionConfig | None, target: int = 60) -> VersionedTransaction:
    instructions = [unit_limit(5), pay(box.alice.pubkey(), key(target), SOL)]
    message = MessageV1.try_compile(box.alice.pubkey(), instructions, box.bank.latest_blockhash()[0], config)
    return VersionedTransaction.from_bytes(bytes(VersionedTransaction(message, [box.alice])))


def test_a_v1_transaction_lands_by_its_own_configuration(box: Box) -> None:
    config = TransactionConfig(priority_fee=7, compute_unit_limit=300, loaded_accounts_data_size_limit=100_000)
    record = box.bank.process(sent(box, config))
    assert (record.err, record.fee, record.compute_units) == (None, 5_007, 300)
    assert box.lamports(key(60)) == SOL


def test_limits_left_out_of_a_v1_transaction_are_zero(box: Box) -> None:
    assert box.bank.process(sent(box, None)).err == "MaxLoadedAccountsDataSizeExceeded"
    config = TransactionConfig(loaded_accounts_data_size_limit=100_000)
    no_units = box.bank.process(sent(box, config, target=61))
    assert no_units.err == {"InstructionError": [0, "ComputationalBudgetExceeded"]}
    assert box.lamports(box.alice.pubkey()) == 100 * SOL - 10_000
