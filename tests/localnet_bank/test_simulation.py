"""Simulation: the same answers as processing, and no trace."""

from __future__ import annotations

from solders.account import Account
from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from keeper.protocols.addresses import SYSTEM
from keeper.sim.localnet.interface import InvokeContext, TransactionRecord
from tests.localnet_bank.box import MODEL, SOL, Box, key, pay, token_transfer, write


class Eavesdropper:
    def __init__(self) -> None:
        self.heard: list[object] = []

    def on_slot(self, slot: int, parent: int, root: int) -> None:
        self.heard.append((slot, parent, root))

    def on_transaction(self, record: TransactionRecord) -> None:
        self.heard.append(record.signature)

    def on_account(self, key: Pubkey, account: Account | None, slot: int) -> None:
        self.heard.append((key, account, slot))


def test_simulating_leaves_no_trace_and_foretells_processing(box: Box) -> None:
    source, target = box.token(41, box.alice.pubkey(), 100), box.token(42, box.bob.pubkey(), 0)
    state = box.state(MODEL)

    def mark(ctx: InvokeContext) -> None:
        ctx.accounts[0].data = b"changed!"

    box.model(mark)
    listener = Eavesdropper()
    box.bank.subscribe(listener)
    transaction = box.signed(
        token_transfer(source, box.mint, target, box.alice.pubkey(), 40),
        Instruction(MODEL, b"", [write(state)]),
        pay(box.alice.pubkey(), key(60), SOL),
    )
    keys = (source, target, state, key(60), box.alice.pubkey())
    before = [box.bank.get_account(found) for found in keys]
    simulated = box.bank.simulate(transaction)
    assert [box.bank.get_account(found) for found in keys] == before
    assert listener.heard == []
    assert box.bank.transaction(simulated.signature) is None
    assert box.bank.signatures_for(key(60)) == []
    landed = box.bank.process(transaction)
    assert {found: box.bank.get_account(found) for found in keys} == simulated.post_accounts
    for name in ("err", "logs", "fee", "compute_units", "post_balances", "post_token_balances", "inner_instructions"):
        assert getattr(simulated, name) == getattr(landed, name)


def test_an_unsigned_transaction_can_be_simulated(box: Box) -> None:
    signed = box.signed(pay(box.alice.pubkey(), key(60), SOL))
    for signatures in ([], [Signature.default()]):
        bare = VersionedTransaction.populate(signed.message, signatures)
        assert box.bank.simulate(bare).err is None
        assert box.bank.simulate(bare, sig_verify=True).err == "SignatureFailure"
    assert box.lamports(key(60)) == 0


def test_a_blockhash_can_be_replaced_in_simulation(box: Box) -> None:
    transaction = box.signed(pay(box.alice.pubkey(), key(60), SOL), blockhash=Hash.default())
    assert box.bank.simulate(transaction).err == "BlockhashNotFound"
    assert box.bank.simulate(transaction, replace_blockhash=True).err is None


def test_a_failing_simulation_reports_error_and_logs_only(box: Box) -> None:
    record = box.bank.simulate(box.signed(pay(box.alice.pubkey(), key(60), 101 * SOL)))
    assert record.err == {"InstructionError": [0, {"Custom": 1}]}
    assert record.post_accounts == {}
    assert record.logs[-1] == f"Program {SYSTEM} failed: custom program error: 0x1"
    assert box.lamports(box.alice.pubkey()) == 100 * SOL


def test_simulation_never_raises_for_what_would_be_rejected(box: Box) -> None:
    stranger = key(99)
    message = MessageV0.try_compile(stranger, [pay(stranger, key(60), 1)], [], box.bank.latest_blockhash()[0])
    record = box.bank.simulate(VersionedTransaction.populate(message, [Signature.default()]))
    assert (record.err, record.logs, record.fee) == ("AccountNotFound", (), 0)
