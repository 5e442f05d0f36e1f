"""Anybody may do anything in any order: the LRT's and the stake pool's rates never fall, and nothing is created."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from solders.instruction import Instruction

from keeper.sim.localnet import crank_instructions
from keeper.sim.localnet.actor import Actor
from keeper.sim.localnet.cranks import CrankConfig, Cranks
from keeper.sim.localnet.interface import TransactionRecord
from keeper.sim.localnet.programs.glow_lrt_state import PendingWithdrawals, queue_address
from keeper.sim.localnet.programs.native_state import supply_of, token_amount
from keeper.sim.localnet.user_instructions import convert_lst, lrt, stake_sol, unstake_sol
from tests.localnet_programs.world import SOL, landed, make_world

AMOUNTS = st.one_of(st.integers(1, 1_000), st.integers(1, 500 * SOL))
USERS = st.integers(0, 1)

# What a random action may be refused with: amounts too small or too large, an unripe or absent request, the epoch window,
# a short reserve, a full queue. Anything else is a defect.
ALLOWED = {1, 17, 28, 29, 35, 6001, 6002, 6003, 6005, 6006, 6007, 6008}


class Market(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = make_world(slots_per_epoch=30, warp=20_000)
        self.cranks = Cranks(self.world.bank, self.world.market, CrankConfig(update_stake_pool=False))
        self.world.bank.at_epoch(self.cranks.pay_rewards)
        self.cranks.rewarded_until = self.world.bank.clock.unix_timestamp
        self.users = [self.world.actor(f"user {index}") for index in range(2)]
        for user in self.users:
            deposit = lrt(self.world.market, user.key, "deposit_sol", lamports=300 * SOL, minimum_shares=0)
            landed(user.send(stake_sol(self.world.market, user.key, 100 * SOL)))
            tokens = user.tokens(self.world.market.lst_mint)
            landed(user.send(convert_lst(self.world.market, user.key, tokens, restake=True)))
            landed(user.send(deposit, lrt(self.world.market, user.key, "create_pending_withdrawals")))
        self.admin = self.world.as_actor(self.world.market.admin)
        self.lrt_rate = (self.world.totals.total_assets, self.world.totals.outstanding)
        pool = self.world.stake_pool
        self.lst_rate = (pool.total_lamports, pool.pool_token_supply)

    def act(self, actor: Actor, *instructions: Instruction) -> TransactionRecord:
        self.world.bank.advance_slot()
        record = actor.send(*instructions)
        if record.err is not None:
            assert isinstance(record.err, dict)
            inner = record.err["InstructionError"][1]
            assert isinstance(inner, dict), record.err
            assert inner["Custom"] in ALLOWED, (record.err, record.logs)
        return record

    @rule(user=USERS, lamports=AMOUNTS)
    def stake_in_lrt(self, user: int, lamports: int) -> None:
        actor = self.users[user]
        self.act(actor, lrt(self.world.market, actor.key, "deposit_sol", lamports=lamports, minimum_shares=0))

    @rule(user=USERS, lamports=AMOUNTS)
    def stake_through_solayer(self, user: int, lamports: int) -> None:
        actor, market = self.users[user], self.world.market
        if self.act(actor, stake_sol(market, actor.key, lamports)).err is None:
            tokens = actor.tokens(market.lst_mint)
            self.act(actor, convert_lst(market, actor.key, tokens, restake=True))

    @rule(user=USERS, share=st.integers(1, 100))
    def deposit_ssol(self, user: int, share: int) -> None:
        actor, market = self.users[user], self.world.market
        amount = actor.tokens(market.ssol_mint) * share // 100
        self.act(actor, lrt(market, actor.key, "deposit_stake", ssol_amount=amount, minimum_shares=0))

    @rule(user=USERS, share=st.integers(1, 100))
    def leave_through_solayer(self, user: int, share: int) -> None:
        actor, market = self.users[user], self.world.market
        amount = actor.tokens(market.ssol_mint) * share // 100
        ix = convert_lst(market, actor.key, amount, restake=False)
        self.act(actor, ix, unstake_sol(market, actor.key, amount))

    @rule(user=USERS, share=st.integers(1, 100))
    def request(self, user: int, share: int) -> None:
        actor, market = self.users[user], self.world.market
        shares = actor.tokens(market.glowsol_mint) * share // 100
        self.act(actor, lrt(market, actor.key, "initiate_withdrawal", shares=shares))

    @precondition(lambda self: self.has_requests)
    @rule(user=USERS, pick=st.integers(0, 7), patient=st.booleans())
    def claim(self, user: int, pick: int, patient: bool) -> None:
        actor = self.users[user]
        queue = self.queue(actor)
        index = self.pick(queue, pick)
        while patient and self.world.bank.clock.unix_timestamp < queue.slots[index].ripe_at:
            self.world.bank.advance_slot()
        lamports = actor.lamports
        record = self.act(actor, lrt(self.world.market, actor.key, "execute_withdrawal", withdrawal_index=index))
        if record.err is None:
            assert actor.lamports == lamports + queue.slots[index].pending_assets - record.fee
            assert self.world.bank.clock.unix_timestamp >= queue.slots[index].requested_at + 604_800

    @precondition(lambda self: self.has_requests)
    @rule(user=USERS, pick=st.integers(0, 7))
    def cancel(self, user: int, pick: int) -> None:
        actor = self.users[user]
        index = self.pick(self.queue(actor), pick)
        self.act(actor, lrt(self.world.market, actor.key, "cancel_pending_withdrawal", withdrawal_index=index))

    @property
    def has_requests(self) -> bool:
        return self.world.totals.pool.pending_shares > 0

    @staticmethod
    def pick(queue: PendingWithdrawals, number: int) -> int:
        """A slot that holds a request where there is one; else any, to be refused."""
        taken = [index for index, slot in enumerate(queue.slots) if not slot.is_free]
        return taken[number % len(taken)] if taken else number

    @rule(slots=st.integers(1, 90), cranked=st.integers(0, 3))
    def wait(self, slots: int, cranked: int) -> None:
        """Hours to a week pass, over epochs; mostly somebody cranks afterwards."""
        self.world.bank.advance_slot(slots)
        if cranked and self.world.stake_pool.last_update_epoch < self.world.bank.clock.epoch:
            self.world.crank()

    @rule(lamports=st.integers(1, 200 * SOL))
    def restake(self, lamports: int) -> None:
        before = self.world.totals
        if self.act(self.admin, crank_instructions.restake(self.world.market, lamports)).err is None:
            # The stake pool's rounding is the one cost that the admin's own moves have: a few lamports.
            assert 0 <= before.total_assets - self.world.totals.total_assets <= 3
            self.lrt_rate = (self.world.totals.total_assets, self.world.totals.outstanding)

    def queue(self, actor: Actor) -> PendingWithdrawals:
        account = self.world.bank.get_account(queue_address(self.world.market.lrt_pool, actor.key)[0])
        assert account is not None
        return PendingWithdrawals.decode(bytes(account.data))

    @invariant()
    def rates_never_fall(self) -> None:
        totals, pool = self.world.totals, self.world.stake_pool
        assets, shares = self.lrt_rate
        assert totals.total_assets * shares >= assets * totals.outstanding
        lamports, tokens = self.lst_rate
        assert pool.total_lamports * tokens >= lamports * pool.pool_token_supply
        self.lrt_rate = (totals.total_assets, totals.outstanding)
        self.lst_rate = (pool.total_lamports, pool.pool_token_supply)

    @invariant()
    def books_agree(self) -> None:
        market, bank = self.world.market, self.world.bank
        queues = [self.queue(user) for user in self.users]
        pool = self.world.totals.pool
        assert pool.pending_assets == sum(queue.total_pending_assets for queue in queues)
        assert pool.pending_shares == sum(queue.total_pending_shares for queue in queues)
        escrow, mint = bank.get_account(market.share_escrow), bank.get_account(market.lst_mint)
        vault, ssol = bank.get_account(market.lst_vault), bank.get_account(market.ssol_mint)
        assert escrow is not None
        assert mint is not None
        assert vault is not None
        assert ssol is not None
        assert token_amount(bytes(escrow.data)) == pool.pending_shares
        assert supply_of(bytes(mint.data)) == self.world.stake_pool.pool_token_supply
        assert token_amount(bytes(vault.data)) == supply_of(bytes(ssol.data))


Market.TestCase.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
TestMarket = Market.TestCase
