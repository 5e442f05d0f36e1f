"""Properties of any sequence of transactions: lamports and tokens are conserved, failures change only the payer's fee."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from solders.account import Account
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.protocols.addresses import SPL_TOKEN, SYSTEM
from keeper.sim.localnet.interface import InvokeContext, ProgramError, TransactionRejected
from tests.localnet_bank.box import MODEL, SOL, Box, key, pay, read, signer, token_transfer, write

VAULT, BUMP = Pubkey.find_program_address([b"vault"], MODEL)
WALLETS = (1, 2, 3)
AMOUNTS = st.sampled_from([0, 1, 890_879, 890_880, SOL, 99 * SOL, 100 * SOL, 101 * SOL])


def bank_model(ctx: InvokeContext) -> None:
    """Deposits lamports and tokens, pays half of the lamports back from its own account, fails when told to."""
    wallet, vault, state, source, target, mint = [view.key for view in ctx.accounts[:6]]
    amount = int.from_bytes(ctx.data[1:9], "little")
    ctx.invoke(pay(wallet, vault, amount))
    ctx.invoke(token_transfer(source, mint, target, wallet, amount % 1_000))
    ctx.invoke(pay(vault, wallet, amount // 2), [[b"vault", bytes([BUMP])]])
    view = ctx.accounts[2]
    view.data = (int.from_bytes(view.data, "little") + 1).to_bytes(8, "little")
    moved = min(amount, view.lamports)
    view.lamports -= moved
    ctx.accounts[1].lamports += moved
    if ctx.data[0]:
        raise ProgramError.custom(1, "asked to fail")
    assert state == view.key


class World:
    def __init__(self) -> None:
        self.box = Box()
        self.box.model(bank_model)
        self.wallets = {1: self.box.alice, 2: self.box.bob, 3: self.box.carol}
        self.state = self.box.state(MODEL, lamports=5 * SOL)
        self.box.bank.set_account(VAULT, Account(SOL, b"", SYSTEM))
        self.tokens = {tag: self.box.token(40 + tag, self.wallets[tag].pubkey(), 700) for tag in WALLETS}
        bank = self.box.bank
        self.everyone = [wallet.pubkey() for wallet in self.wallets.values()] + [self.state, VAULT, bank.leader]
        self.everyone += [*self.tokens.values(), key(60), key(61), bank.faucet.pubkey(), self.box.mint]

    def lamports(self) -> int:
        return sum(self.box.lamports(account) for account in self.everyone)

    def deposit(self, source: int, target: int, amount: int, *, fail: bool) -> Instruction:
        wallet = self.wallets[source].pubkey()
        metas = [
            signer(wallet),
            write(VAULT),
            write(self.state),
            write(self.tokens[source]),
            write(self.tokens[target]),
        ]
        data = bytes([fail]) + amount.to_bytes(8, "little")
        return Instruction(MODEL, data, [*metas, read(self.box.mint), read(SPL_TOKEN), read(SYSTEM)])


STEP = st.tuples(st.sampled_from(["pay", "new", "model", "token"]), st.sampled_from(WALLETS), AMOUNTS, st.booleans())


@given(st.lists(st.tuples(st.sampled_from(WALLETS), st.lists(STEP, min_size=1, max_size=4)), max_size=8))
def test_lamports_and_tokens_are_conserved_and_failures_cost_only_the_fee(
    script: list[tuple[int, list[tuple[str, int, int, bool]]]],
) -> None:
    world = World()
    box = world.box
    total, tokens = world.lamports(), 2_100
    for source, steps in script:
        wallet = world.wallets[source]
        instructions = []
        for kind, target, amount, flag in steps:
            if kind == "pay":
                instructions.append(pay(wallet.pubkey(), world.wallets[target].pubkey(), amount))
            elif kind == "new":
                instructions.append(pay(wallet.pubkey(), key(60 + flag), amount))
            elif kind == "model":
                instructions.append(world.deposit(source, target, amount, fail=flag))
            else:
                accounts = world.tokens[source], world.tokens[target]
                instructions.append(token_transfer(accounts[0], box.mint, accounts[1], wallet.pubkey(), amount % 800))
        before = {account: box.bank.get_account(account) for account in world.everyone}
        try:
            record = box.run(*instructions, signers=[wallet])
        except TransactionRejected:
            assert {account: box.bank.get_account(account) for account in world.everyone} == before
            continue
        assert sum(record.post_balances) == sum(record.pre_balances) - record.fee
        if record.err is not None:
            payer = before.pop(wallet.pubkey())
            assert payer is not None
            assert box.lamports(wallet.pubkey()) == payer.lamports - record.fee
            assert {account: box.bank.get_account(account) for account in before} == before
        box.bank.advance_slot()
    assert world.lamports() + box.bank.burned == total
    assert sum(box.token_amount(account) for account in world.tokens.values()) == tokens
