"""Those who keep the market running while nobody looks: the cluster's rewards, the stake-pool crank, the LRT's operator.

Rewards are paid as a validator pays them, straight into the stake accounts at the epoch's turn. Everything else is a signed
transaction from a funded wallet of the market, which can fail and is tried again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace

from solders.account import Account
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.transaction import VersionedTransaction

from keeper.protocols.addresses import GLOW_LRT, STAKE
from keeper.sim.localnet import crank_instructions
from keeper.sim.localnet.interface import BankFace, ChainClock, TransactionRecord, TransactionRejected
from keeper.sim.localnet.market_addresses import Market
from keeper.sim.localnet.market_rates import account_of, lrt_totals, relative_rate, sol_values, stake_pool_of
from keeper.sim.localnet.programs.dex_pool import set_rate_instruction
from keeper.sim.localnet.programs.dex_state import Curve, decode_pool
from keeper.sim.localnet.programs.glow_lrt_state import QUEUE_DISCRIMINATOR, PendingWithdrawals
from keeper.sim.localnet.programs.native_state import StakeState, decode_stake

LOG = logging.getLogger(__name__)

SECONDS_PER_YEAR = 31_557_600
SOL = 10**9
LEAST_UNRESTAKED = SOL // 100
"""Lamports below which a withdrawal from the stake pool's reserve is not worth its fee."""


@dataclass(frozen=True, slots=True)
class CrankConfig:
    """How the market is run.

    ``reward_bps``: yearly staking reward in bps of stake, before the pool's epoch fee. ``update_delay``: slots between the
    epoch's turn and the stake-pool update, in which deposits fail with error 17. ``interval``: slots between the looks
    of operator and rate crank. ``horizon``: seconds ahead for which the operator keeps ripening withdrawals liquid.
    ``idle_target``: lamports kept liquid beyond that; ``idle_slack``: excess that is left alone. The three switches turn
    a part off, for scenarios in which nobody cranks.
    """

    reward_bps: int = 700
    update_delay: int = 20
    interval: int = 10
    horizon: int = 172_800
    idle_target: int = 200 * SOL
    idle_slack: int = 400 * SOL
    update_stake_pool: bool = True
    operate_lrt: bool = True
    refresh_rates: bool = True


@dataclass(frozen=True, slots=True)
class CrankFailure:
    """A crank's transaction that was rejected or failed. ``error`` in Solana's JSON shape."""

    name: str
    slot: int
    error: object


@dataclass(slots=True)
class Cranks:
    """All cranks of one market. ``failures`` keeps what went wrong, the last hundred of it, oldest first."""

    bank: BankFace
    market: Market
    config: CrankConfig = field(default_factory=CrankConfig)
    failures: list[CrankFailure] = field(default_factory=list)
    rewarded_until: int = 0
    """Chain time up to which staking rewards were paid."""

    def attach(self) -> None:
        """Start: rewards at every epoch, cranks at every slot, from now on."""
        self.rewarded_until = self.bank.clock.unix_timestamp
        self.bank.at_epoch(self.pay_rewards)
        self.bank.at_slot(self.turn)

    # rewards

    def pay_rewards(self, clock: ChainClock) -> None:
        """Credit each validator's stake with its rewards for the chain time since the last payment, rounded down."""
        elapsed = clock.unix_timestamp - self.rewarded_until
        self.rewarded_until = clock.unix_timestamp
        for validator in self.market.validators:
            account = account_of(self.bank, validator.stake)
            state = decode_stake(bytes(account.data))
            delegation = state.delegation
            if delegation is None:
                continue
            reward = delegation.stake * self.config.reward_bps * elapsed // (10_000 * SECONDS_PER_YEAR)
            if reward <= 0:
                continue
            grown = replace(delegation, stake=delegation.stake + reward)
            data = StakeState(state.meta, grown).encode()
            self.bank.set_account(validator.stake, Account(account.lamports + reward, data, STAKE))

    # cranks

    def turn(self, clock: ChainClock) -> None:
        """What the cranks do at the start of a slot."""
        current = stake_pool_of(self.bank, self.market).last_update_epoch >= clock.epoch
        if not current and self.config.update_stake_pool and clock.slot_index >= self.config.update_delay:
            current = self.update_stake_pool()
        if clock.slot % self.config.interval == 0 and current:
            if self.config.operate_lrt:
                self.balance_liquidity(clock)
            if self.config.refresh_rates:
                self.refresh_rates()

    def update_stake_pool(self) -> bool:
        """List, then pool, in one transaction. Returns whether it landed."""
        instructions = [*crank_instructions.update_list(self.market), crank_instructions.update_pool(self.market)]
        return self._send("stake-pool update", instructions, self.market.operator)

    def balance_liquidity(self, clock: ChainClock) -> None:
        """Unrestake what ripening withdrawals lack, or restake SOL that lies idle."""
        totals = lrt_totals(self.bank, self.market)
        need = totals.pool.minimum_reserve + self._ripening(clock.unix_timestamp + self.config.horizon)
        if totals.liquid < need:
            self._unrestake(need - totals.liquid, totals.ssol)
            return
        excess = totals.liquid - need - self.config.idle_target
        if excess > self.config.idle_slack and not totals.pool.paused:
            self._send("restake", [crank_instructions.restake(self.market, excess)], self.market.admin)

    def _ripening(self, deadline: int) -> int:
        """Lamports of queued withdrawals that ripen by ``deadline``."""
        total = 0
        for _, account in self.bank.program_accounts(GLOW_LRT):
            data = bytes(account.data)
            if data[:8] == QUEUE_DISCRIMINATOR:
                slots = PendingWithdrawals.decode(data).slots
                total += sum(slot.pending_assets for slot in slots if not slot.is_free and slot.ripe_at <= deadline)
        return total

    def _unrestake(self, shortfall: int, held: int) -> None:
        """Enough sSOL for ``shortfall`` lamports after the stake pool's fee, as far as its reserve reaches."""
        pool = stake_pool_of(self.bank, self.market)
        reserve = account_of(self.bank, self.market.reserve_stake)
        available = reserve.lamports - self.bank.rent_exempt(len(bytes(reserve.data)))
        shortfall = max(shortfall, LEAST_UNRESTAKED)
        if available < LEAST_UNRESTAKED:
            return  # nothing to be had before somebody fills the reserve
        # Rounded down where the reserve is the limit, since a lamport too much fails the whole withdrawal; else up.
        up = 1 if shortfall < available else 0
        net = min(shortfall, available) * pool.pool_token_supply // pool.total_lamports + up
        fee = pool.sol_withdrawal_fee
        gross = (
            net * fee.denominator // (fee.denominator - fee.numerator) + up if fee.denominator > fee.numerator else net
        )
        amount = min(gross, held)
        if amount > 0:
            self._send("unrestake", [crank_instructions.unrestake(self.market, amount)], self.market.admin)

    def refresh_rates(self) -> None:
        """Centre the stable-swap pools on the redemption rates."""
        values = sol_values(self.bank, self.market)
        instructions: list[Instruction] = []
        for address in self.market.dex_pools.values():
            account = account_of(self.bank, address)
            pool = decode_pool(address, account.owner, bytes(account.data))
            rate = relative_rate(values, pool.mint_a, pool.mint_b)
            if pool.curve is Curve.STABLE_SWAP and rate != pool.rate:
                instructions.append(set_rate_instruction(pool, rate))
        if instructions:
            self._send("rate refresh", instructions, self.market.operator)

    def _send(self, name: str, instructions: list[Instruction], signer: Keypair) -> bool:
        """Sign and process; a failure is kept and logged, and the crank's next turn tries again."""
        blockhash, _ = self.bank.latest_blockhash()
        message = MessageV0.try_compile(signer.pubkey(), instructions, [], blockhash)
        try:
            record: TransactionRecord = self.bank.process(VersionedTransaction(message, [signer]))
        except TransactionRejected as rejection:
            self._failed(name, rejection.error)
            return False
        if record.err is not None:
            self._failed(name, record.err)
            return False
        return True

    def _failed(self, name: str, error: object) -> None:
        slot = self.bank.clock.slot
        LOG.warning("crank %s failed in slot %d: %s", name, slot, error)
        self.failures.append(CrankFailure(name, slot, error))
        del self.failures[:-100]
